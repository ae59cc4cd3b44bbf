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
fn a_graph_scales_before_it_turns() {
    let quarter = Orientation { transpose: Some(Transpose::Clock), ..Default::default() };
    let graph = picture_graph(
        size(1920, 1080),
        (1, 1),
        &Colours::default(),
        false,
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
        false,
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
        picture_graph(size(1920, 1080), (1, 1), &hdr, false, Orientation::default(), &[size(1280, 720)], Output::Video);
    assert!(hdr.is_hdr() && graph.contains("tonemap"));
    assert!(graph.starts_with("[in]setparams=color_primaries=bt2020:color_trc=arib-std-b67:"), "{graph}");
}
