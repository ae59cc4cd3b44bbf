//! Which way up it is, and what shape its pixels have.

use std::path::PathBuf;

use crate::Film;

const AVC: &str = "-c:v libx264 -c:a aac";

/// Writes a display matrix into the head of the first track, which is the picture's.
fn with_matrix(matrix: [i32; 4]) -> impl Fn(PathBuf) -> PathBuf {
    move |path| {
        let mut bytes = std::fs::read(&path).expect("a film");
        let at = bytes.windows(4).position(|w| w == b"tkhd").expect("a track") + 4 + 40;
        let [a, b, c, d] = matrix;
        for (n, number) in [a, b, 0, c, d, 0, 0, 0, 1 << 14].into_iter().enumerate() {
            bytes[at + 4 * n..at + 4 * n + 4].copy_from_slice(&(number << 16).to_be_bytes());
        }
        std::fs::write(&path, bytes).expect("room");
        path
    }
}

#[test]
fn every_way_of_holding_a_phone_ends_upright() {
    for (name, matrix, shown) in [
        ("turned to the right", [0, 1, -1, 0], (240, 320)),
        ("turned to the left", [0, -1, 1, 0], (240, 320)),
        ("upside down", [-1, 0, 0, -1], (320, 240)),
        ("in a mirror", [-1, 0, 0, 1], (320, 240)),
        ("in a mirror, upside down", [1, 0, 0, -1], (320, 240)),
        ("in a mirror, turned", [0, 1, 1, 0], (240, 320)),
        ("in a mirror, turned the other way", [0, -1, -1, 0], (240, 320)),
        ("upright", [1, 0, 0, 1], (320, 240)),
    ] {
        Film::new(name, "mp4", AVC).shown(shown).plays_after(with_matrix(matrix));
        // As large and as named as phones have it: more than one rung, and no colours to convert.
        let (named, (w, h)) = (format!("{AVC} -colorspace bt709 -color_primaries bt709 -color_trc bt709"), shown);
        let large = Film::new(name, "mp4", &named).picture("testsrc2=size=640x480:rate=30", (2 * w, 2 * h));
        large.plays_after(with_matrix(matrix));
        // Where it cannot be copied, too.
        Film::new(name, "mov", "-c:v mpeg4 -q:v 3 -c:a aac").shown(shown).plays_after(with_matrix(matrix));
    }
}

#[test]
fn every_size_and_shape_is_shown_as_it_is() {
    let size = |text: &str| format!("testsrc2=size={text}:rate=30");
    let film = |name, picture: &str, shown| Film::new(name, "mp4", AVC).picture(picture, shown);
    for (name, text, shown) in [
        ("upright", "240x426", (240, 426)),
        ("square", "300x300", (300, 300)),
        ("a panorama", "1600x200", (1600, 200)),
        ("a tower", "120x900", (120, 900)),
    ] {
        film(name, &size(text), shown).plays();
    }
    film("as small as an icon", &size("16x16"), (16, 16)).like(0.9, 48).plays();
    let odd = "-c:v libx264 -pix_fmt yuv444p -c:a aac";
    // The other generator makes every side even.
    for (name, text, shown) in [("odd", "175x143", (175, 143)), ("one side is odd", "320x181", (320, 181))] {
        let picture = format!("testsrc=size={text}:rate=30");
        Film::new(name, "mp4", odd).picture(&picture, shown).like(0.93, 24).plays();
    }
    Film::new("two by two", "mkv", "-c:v mpeg4 -q:v 3 -c:a aac").picture(&size("2x2"), (2, 2)).like(0.0, 255).plays();
    for (name, shape, shown) in [
        ("wide pixels", "2/1", (640, 240)),
        ("tall pixels", "1/2", (320, 480)),
        ("pixels of a DVD", "16/15", (341, 240)),
    ] {
        film(name, &format!("{},setsar={shape}", size("320x240")), shown).plays();
    }
    // Of large pictures that say nothing everybody thinks BT.709.
    let short = |name, picture: &str, shown| {
        Film::new(name, "mp4", "-c:v libx264 -frames:v 12").picture(picture, shown).mute().reference("null")
    };
    short("4K at sixty", "testsrc2=size=3840x2160:rate=60", (3840, 2160)).one_of(2).lasts(0.2).plays();
    short("Full HD", "testsrc2=size=1920x1080:rate=30", (1920, 1080)).lasts(0.4).plays();
}
