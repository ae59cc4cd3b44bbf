use super::super::Transpose;
use super::*;

const fn size(width: u32, height: u32) -> Size {
    Size { width, height }
}

fn decoded(width: u32, height: u32) -> Decoded {
    Decoded { size: size(width, height), pixels: "yuv420p".into(), sar: (1, 1), ..Decoded::default() }
}

#[test]
fn a_graph_scales_before_it_turns() {
    let orientation = Orientation { transpose: Some(Transpose::Clock), ..Default::default() };
    let lying = Decoded { orientation, ..decoded(1920, 1080) };
    let graph = lying.made_upright(&[size(720, 1280), size(360, 640)], Output::Video);
    let first = "zscale=w=1280:h=720:f=bicubic:param_a=0:param_b=0.6,transpose=clock,setsar=1,setparams=";
    assert!(graph.starts_with("[in]setparams=range=tv:") && graph.contains(first), "{graph}");
    assert!(graph.contains("colorspace=bt709,split[o0][c1];"), "{graph}");
    assert!(graph.ends_with("[c1]zscale=w=360:h=640:f=bicubic:param_a=0:param_b=0.6[o1]"), "{graph}");
    assert!(!graph.contains("pad=") && !graph.contains("bwdif"));
}

#[test]
fn what_is_not_yet_as_it_is_to_be_is_converted() {
    let odd = decoded(1079, 1920);
    let of_bits = Decoded { pixels: "yuv420p10le".into(), ..decoded(1080, 1920) };
    let full = Colours { full_range: true, ..Default::default() };
    let full = Decoded { colours: full, ..decoded(1080, 1920) };
    let small = decoded(360, 640);
    for (given, from) in [
        (odd, "bt709:in_range=tv"),
        (of_bits, "bt709:in_range=tv"),
        (full, "bt709:in_range=pc"),
        (small, "smpte170m:in_range=tv"),
    ] {
        let graph = given.made_upright(&[size(360, 640)], Output::Video);
        let to = "out_color_matrix=bt709:out_range=tv,format=yuv420p,setsar=1,setparams=range=tv:";
        assert!(graph.contains(from) && graph.contains(to) && !graph.contains("zscale"), "{graph}");
    }
    let still = decoded(1080, 1920).made_upright(&[size(360, 640)], Output::Jpeg);
    assert!(
        still.contains("in_color_matrix=bt709") && still.contains("out_range=pc,format=yuvj420p,setsar"),
        "{still}"
    );
}

#[test]
fn a_phone_that_is_turned_while_filming_is_shown_between_bars() {
    let graph = decoded(480, 640).made_upright(&[size(640, 480)], Output::Video);
    assert!(graph.contains("scale=360:480:") && graph.contains("pad=640:480:-1:-1"), "{graph}");
}

#[test]
fn light_that_is_brighter_than_a_screen_is_mapped() {
    let colours = Colours { transfer: "arib-std-b67".into(), ..Default::default() };
    let graph = Decoded { colours, ..decoded(1920, 1080) }.made_upright(&[size(1280, 720)], Output::Video);
    assert!(graph.contains("tonemap"));
    assert!(graph.starts_with("[in]setparams=color_primaries=bt2020:color_trc=arib-std-b67:"), "{graph}");
}

#[test]
fn colours_that_a_screen_does_not_have_are_brought_into_it() {
    let graph = |matrix: &str, output| {
        let colours = Colours { wide: "smpte432".into(), matrix: matrix.into(), ..Default::default() };
        Decoded { colours, ..decoded(1920, 1080) }.made_upright(&[size(1280, 720)], output)
    };
    let video = graph("bt709", Output::Video);
    assert!(video.contains(":pin=smpte432:tin=bt709:rin=tv:t=linear:") && !video.contains("tonemap"), "{video}");
    for (matrix, n) in [("fcc", 4), ("bt470bg", 5), ("smpte170m", 6), ("smpte240m", 7), ("bt2020nc", 9), ("", 1)] {
        assert!(graph(matrix, Output::Video).contains(&format!(":min={n}:")), "{matrix}");
    }
    let still = graph("bt2020nc", Output::Jpeg);
    assert!(still.contains("out_color_matrix=smpte170m:out_range=pc,format=yuvj420p"), "{still}");
}

#[test]
fn colours_of_odd_sides_are_made_whole_before_they_are_converted() {
    let hdr = Colours { transfer: "smpte2084".into(), ..Default::default() };
    let wide = Colours { wide: "bt2020".into(), ..Default::default() };
    for colours in [hdr, wide] {
        let graph = |width| {
            Decoded { colours: colours.clone(), ..decoded(width, 240) }.made_upright(&[size(320, 240)], Output::Video)
        };
        assert!(graph(321).contains("range=tv,format=yuv444p10le,zscale=") && !graph(322).contains("yuv444p10le"));
    }
}
