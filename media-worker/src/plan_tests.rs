use super::*;

const fn size(width: u32, height: u32) -> Size {
    Size { width, height }
}
fn rungs(width: u32, height: u32) -> Vec<(String, u32, u32)> {
    ladder(size(width, height)).into_iter().map(|r| (r.name, r.size.width, r.size.height)).collect()
}
fn named(list: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
    list.iter().map(|(n, w, h)| ((*n).to_owned(), *w, *h)).collect()
}
const ONE: i32 = 65536;
const UPRIGHT: [i32; 9] = [ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30];

#[test]
fn the_ladder_goes_by_the_short_side() {
    assert_eq!(rungs(1080, 1920), named(&[("720", 720, 1280), ("480", 480, 854), ("360", 360, 640)]));
    assert_eq!(rungs(1920, 1080), named(&[("720", 1280, 720), ("480", 854, 480), ("360", 640, 360)]));
    assert_eq!(rungs(854, 480), named(&[("480", 854, 480), ("360", 640, 360)]));
    assert_eq!(rungs(720, 400), named(&[("360", 648, 360)]));
}

#[test]
fn nothing_is_enlarged() {
    assert_eq!(rungs(176, 144), named(&[("144", 176, 144)]));
    assert_eq!(rungs(161, 121), named(&[("120", 160, 120)]));
    for (w, h) in [(1, 1), (2, 9000), (3, 3), (359, 4000), (481, 479), (16384, 16)] {
        for (_, width, height) in rungs(w, h) {
            assert!(width <= w.max(2) && height <= h.max(2), "{w}x{h} -> {width}x{height}");
            assert!(width % 2 == 0 && height % 2 == 0 && width.max(height) <= 1920);
        }
    }
}

#[test]
fn the_480_rung_comes_first() {
    let first = |w, h| ladder(size(w, h))[first_rung(&ladder(size(w, h)))].name.clone();
    assert_eq!(first(1080, 1920), "480");
    assert_eq!(first(640, 360), "360");
    assert_eq!(first(176, 144), "144");
}

#[test]
fn matrices_of_phones_are_understood() {
    let turned = |a, b, c, d| Orientation::from_matrix(&[a, b, 0, c, d, 0, 0, 0, 1 << 30]);
    assert!(Orientation::from_matrix(&UPRIGHT).is_upright());
    assert_eq!(turned(0, ONE, -ONE, 0).transpose, Some(Transpose::Clock));
    assert_eq!(turned(0, -ONE, ONE, 0).transpose, Some(Transpose::Cclock));
    assert_eq!(turned(0, ONE, ONE, 0).transpose, Some(Transpose::CclockFlip));
    assert_eq!(turned(0, -ONE, -ONE, 0).transpose, Some(Transpose::ClockFlip));
    let half = turned(-ONE, 0, 0, -ONE);
    assert!(half.hflip && half.vflip && !half.is_mirrored());
    assert!(turned(-ONE, 0, 0, ONE).is_mirrored() && turned(0, ONE, ONE, 0).is_mirrored());
    assert!(!turned(0, ONE, -ONE, 0).is_mirrored());
    assert!(Orientation::from_matrix(&[i32::MIN; 9]).hflip, "no overflow");
}

#[test]
fn pixels_become_square_and_the_picture_upright() {
    let quarter = Orientation { transpose: Some(Transpose::Clock), ..Default::default() };
    assert_eq!(shown_size(size(3840, 2160), (1, 1), quarter), size(2160, 3840));
    assert_eq!(shown_size(size(640, 360), (2, 1), Orientation::default()), size(1280, 360));
    assert_eq!(shown_size(size(720, 576), (1, 2), Orientation::default()), size(720, 1152));
    assert_eq!(shown_size(size(640, 480), (0, 1), Orientation::default()), size(640, 480));
    assert_eq!(shown_size(size(640, 480), (1, 4_000_000_000), Orientation::default()), size(640, 480));
}

#[test]
fn rates_are_common_ones_up_to_thirty() {
    for (average, rate) in [
        (30.0, (30, 1)),
        (29.97, (30000, 1001)),
        (25.0, (25, 1)),
        (23.976, (24000, 1001)),
        (24.0, (24, 1)),
        (60.06, (30, 1)),
        (59.94, (30000, 1001)),
        (50.0, (25, 1)),
        (48.0, (24, 1)),
        (120.0, (30, 1)),
        (240.0, (30, 1)),
        (15.0, (15, 1)),
        (27.9, (30, 1)),
        (7.2, (30, 1)),
        (1000.0, (30, 1)),
        (0.0, (30, 1)),
        (f64::NAN, (30, 1)),
    ] {
        assert_eq!(steady_rate(average), rate, "{average}");
        assert!(f64::from(rate.0) / f64::from(rate.1) <= 30.0);
    }
}

#[test]
fn a_beat_drops_what_is_too_much_and_fills_what_is_missing() {
    let mut beat = Beat::new((30, 1));
    assert_eq!(beat.take(0), Some(0..=0));
    assert_eq!(beat.take(16_000), None, "sixty a second: every other one");
    assert_eq!(beat.take(33_333), Some(1..=1));
    assert_eq!(beat.take(200_000), Some(2..=6), "four are missing");
    assert_eq!(beat.take(100_000), None, "time does not run back");
    assert_eq!(beat.count(), 7);
    let mut late = Beat::new((30, 1));
    assert_eq!(late.take(66_733), Some(0..=2), "the first picture fills the time before it");
    assert_eq!(late.take(-5_000_000), None);
}

#[test]
fn a_beat_keeps_every_picture_of_a_steady_source() {
    for (num, den) in [(30, 1), (25, 1), (30000, 1001), (24000, 1001)] {
        let mut beat = Beat::new((num, den));
        for n in 0..20_000_i64 {
            let us = n * 1_000_000 * i64::from(den) / i64::from(num);
            assert_eq!(beat.take(us), Some(n..=n), "{num}/{den}");
        }
    }
}

#[test]
fn segments_open_every_two_seconds() {
    let opened: Vec<i64> = (0..200).filter(|n| opens_segment(*n, (30, 1))).collect();
    assert_eq!(opened, [0, 60, 120, 180]);
    let opened: Vec<i64> = (0..200).filter(|n| opens_segment(*n, (30000, 1001))).collect();
    assert_eq!(opened, [0, 60, 120, 180]);
    assert_eq!(segment_of(59, (30, 1)), 0);
}

#[test]
fn a_graph_scales_before_it_turns() {
    let quarter = Orientation { transpose: Some(Transpose::Clock), ..Default::default() };
    let graph = picture_graph(
        size(1920, 1080),
        (1, 1),
        &Colours::default(),
        quarter,
        &[size(720, 1280), size(360, 640)],
        Output::Video,
    );
    assert!(
        graph.starts_with("[in]scale=1280:720:")
            && graph.contains("format=yuv420p,transpose=clock,setsar=1,split[o0][c1]"),
        "{graph}"
    );
    assert!(graph.ends_with("[c1]scale=360:640:flags=bicubic[o1]"), "{graph}");
    assert!(!graph.contains("pad="));
}

#[test]
fn a_phone_that_is_turned_while_filming_is_shown_between_bars() {
    let graph = picture_graph(
        size(480, 640),
        (1, 1),
        &Colours::default(),
        Orientation::default(),
        &[size(640, 480)],
        Output::Video,
    );
    assert!(graph.contains("scale=360:480:") && graph.contains("pad=640:480:-1:-1"), "{graph}");
}

#[test]
fn colours_that_nobody_named_are_taken_as_players_take_them() {
    let none = Colours::default();
    assert_eq!(none.matrix_or_assumed(size(1920, 1080)), "bt709");
    assert_eq!(none.matrix_or_assumed(size(176, 144)), "smpte170m");
    let hdr = Colours { transfer: "arib-std-b67".into(), ..Default::default() };
    let graph =
        picture_graph(size(1920, 1080), (1, 1), &hdr, Orientation::default(), &[size(1280, 720)], Output::Video);
    assert!(hdr.is_hdr() && graph.contains("tonemap"));
}

#[test]
fn a_clock_that_jumps_is_not_followed() {
    let mut clock = Clock::default();
    assert!(clock.accepts(0) && clock.accepts(40_000) && clock.accepts(-500_000) && clock.accepts(50_000_000));
    assert!(!clock.accepts(36_000_000_000));
    assert!(clock.accepts(60_000_000));
}
