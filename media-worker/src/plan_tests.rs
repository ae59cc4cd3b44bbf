use super::*;

const fn size(width: u32, height: u32) -> Size {
    Size { width, height }
}
const ONE: i32 = 65536;
const UPRIGHT: [i32; 9] = [ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30];

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
fn colours_that_nobody_named_are_taken_as_players_take_them() {
    let none = Colours::default();
    assert_eq!(none.matrix_or_assumed(size(1920, 1080)), "bt709");
    assert_eq!(none.matrix_or_assumed(size(176, 144)), "smpte170m");
    assert!(Colours { transfer: "arib-std-b67".into(), ..Default::default() }.is_hdr());
}
