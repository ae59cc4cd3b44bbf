use super::*;

const HD: Size = Size { width: 1080, height: 1920 };

fn weight(kbps: u64, seconds: u64) -> Option<Weight> {
    Some(Weight { bytes: kbps * 125 * seconds, seconds: seconds as f64 })
}
fn made(shown: Size, kbps: u64, passed: bool) -> Option<(Vec<(String, u32)>, u32)> {
    let ladder = Ladder::new(shown, weight(kbps, 60), true, passed)?;
    Some((ladder.rungs.iter().map(|rung| (rung.name.clone(), rung.max_kbps)).collect(), ladder.sound_kbps))
}
fn names(shown: Size, kbps: u64, passed: bool) -> Vec<String> {
    made(shown, kbps, passed).map(|(rungs, _)| rungs.into_iter().map(|(name, _)| name).collect()).unwrap_or_default()
}

fn sizes(width: u32, height: u32) -> Vec<(String, u32, u32)> {
    rungs(Size { width, height }).into_iter().map(|r| (r.name, r.size.width, r.size.height)).collect()
}
fn named(list: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
    list.iter().map(|(n, w, h)| ((*n).to_owned(), *w, *h)).collect()
}

#[test]
fn a_phones_own_film_leaves_room_for_every_rung_at_its_cap() {
    let full = vec![("720".to_owned(), 2200), ("480".to_owned(), 1000), ("360".to_owned(), 550)];
    assert_eq!(made(HD, 16_500, false), Some((full.clone(), 96)));
    let unknown = Ladder::new(HD, None, true, false).unwrap();
    assert_eq!(unknown.rungs.iter().map(|r| (r.name.clone(), r.max_kbps)).collect::<Vec<_>>(), full);
}

#[test]
fn what_is_stored_of_a_well_packed_source_is_in_proportion_to_it() {
    let square = |side| Size { width: side, height: side };
    for passed in [false, true] {
        for shown in [HD, Size { width: 1280, height: 720 }, Size { width: 854, height: 480 }, square(240)] {
            for (kbps, seconds) in
                [(20_000, 5), (4_400, 10), (2_500, 60), (1_500, 30), (900, 600), (500, 60), (300, 300)]
            {
                let Some(ladder) = Ladder::new(shown, weight(kbps, seconds), true, passed) else { continue };
                let with_film = ladder.rungs.iter().chain([&ladder.rungs[ladder.first()]]);
                let pictures: f64 = with_film.clone().map(|rung| f64::from(rung.max_kbps)).sum();
                let seconds = seconds as f64;
                let stored =
                    pictures * (seconds + 2.0) / seconds + (with_film.count() as u32 * ladder.sound_kbps) as f64;
                let all = (stored + if passed { kbps as f64 } else { 0.0 }) * seconds * 125.0 + 180_000.0;
                let share = all / (kbps as f64 * seconds * 125.0);
                assert!(share <= 1.6, "{shown:?} {kbps} kb/s {seconds} s: {share}, {ladder:?}");
                assert!(!ladder.rungs.is_empty());
            }
        }
    }
}

#[test]
fn the_rung_that_is_worth_least_is_left_out_first() {
    assert_eq!(names(HD, 1_400, false), ["720", "480", "360"]);
    assert_eq!(names(HD, 800, false), ["480", "360"]);
    assert_eq!(names(HD, 450, false), ["480"]);
    assert_eq!(names(HD, 400, false), Vec::<String>::new(), "none is worth making");
    assert_eq!(names(HD, 4_400, true), ["480", "360"]);
    assert_eq!(names(HD, 1_200, true), ["360"]);
    assert_eq!(names(HD, 500, true), Vec::<String>::new(), "no room beside it");
    assert_eq!(names(Size { width: 854, height: 480 }, 1_300, true), ["360"]);
    assert_eq!(names(Size { width: 640, height: 360 }, 700, true), Vec::<String>::new());
}

#[test]
fn where_none_is_worth_making_one_is_made_of_what_cannot_be_copied() {
    let least = |shown, kbps| {
        let ladder = Ladder::least(shown, weight(kbps, 600).unwrap(), true);
        (ladder.rungs.iter().map(|rung| (rung.name.clone(), rung.max_kbps)).collect::<Vec<_>>(), ladder.sound_kbps)
    };
    assert_eq!(least(HD, 300), (vec![("480".to_owned(), 171)], 64));
    assert_eq!(least(HD, 20), (vec![("480".to_owned(), 60)], 32), "below that nothing is to be seen");
    assert_eq!(least(Size { width: 176, height: 144 }, 20).0, [("144".to_owned(), 60)]);
}

#[test]
fn a_source_passes_that_takes_little_more_than_its_rung() {
    let may = |width, height, kbps| may_pass(Size { width, height }, kbps);
    assert!(may(1080, 1920, 4_300.0) && may(1080, 1920, 5_850.0) && !may(1080, 1920, 5_900.0));
    assert!(may(1280, 720, 2_860.0) && !may(1280, 720, 2_900.0));
    assert!(may(960, 540, 1_300.0) && !may(960, 540, 1_400.0), "by the rung below it");
    assert!(!may(3840, 2160, 1_000.0) && !may(2400, 1080, 1_000.0) && !may(320, 240, 100.0));
}

#[test]
fn the_ladder_goes_by_the_short_side() {
    assert_eq!(sizes(1080, 1920), named(&[("720", 720, 1280), ("480", 480, 854), ("360", 360, 640)]));
    assert_eq!(sizes(1920, 1080), named(&[("720", 1280, 720), ("480", 854, 480), ("360", 640, 360)]));
    assert_eq!(sizes(854, 480), named(&[("480", 854, 480), ("360", 640, 360)]));
    assert_eq!(sizes(720, 400), named(&[("360", 648, 360)]));
}

#[test]
fn nothing_is_enlarged() {
    assert_eq!(sizes(176, 144), named(&[("144", 176, 144)]));
    assert_eq!(sizes(161, 121), named(&[("120", 160, 120)]));
    for (w, h) in [(1, 1), (2, 9000), (3, 3), (359, 4000), (481, 479), (16384, 16)] {
        for (_, width, height) in sizes(w, h) {
            assert!(width <= w.max(2) && height <= h.max(2), "{w}x{h} -> {width}x{height}");
            assert!(width % 2 == 0 && height % 2 == 0 && width.max(height) <= 1920);
        }
    }
}

#[test]
fn the_480_rung_comes_first() {
    let first = |width, height| {
        let ladder = Ladder::new(Size { width, height }, None, true, false).unwrap();
        ladder.rungs[ladder.first()].name.clone()
    };
    assert_eq!(first(1080, 1920), "480");
    assert_eq!(first(640, 360), "360");
    assert_eq!(first(176, 144), "144");
}
