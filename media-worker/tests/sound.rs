//! Sound as phones, cameras and editors leave it: however many channels, whatever they are called.

mod kit;

use std::path::PathBuf;

use kit::{Made, film, loudness, prepare, remade, streams};

const PICTURE: &str = "testsrc2=size=320x240:rate=30";
const QUICK: [&str; 4] = ["-c:v", "libx264", "-preset", "ultrafast"];

fn warnings(made: &Made) -> usize {
    made.facts()["detail"]["warnings"].as_array().unwrap().len()
}

/// A short film with this sound.
fn sounding(sound: &str, codec: &[&str]) -> PathBuf {
    film(PICTURE, Some(sound), 2, &[&QUICK[..], codec].concat())
}

#[test]
fn sound_of_any_layout_is_heard() {
    // Whatever is named or unnamed, in the containers that carry it.
    let ac3: &[&str] = &["-c:a", "ac3", "-f", "matroska"];
    let pcm: &[&str] = &["-c:a", "pcm_s16le", "-f", "mov"];
    for (layout, codec) in [
        ("5.1(side)", ac3),
        ("5.1(side)", &["-c:a", "ac3", "-f", "mpegts"]),
        ("3.0", &["-c:a", "aac"]),
        ("quad", pcm),
        ("quad", &["-c:a", "aac"]),
        ("7.1", &["-c:a", "aac"]),
        ("FL", pcm),
        ("LFE", pcm),
        ("hexadecagonal", pcm),
        ("stereo", &["-c:a", "aac", "-f", "mpegts"]),
    ] {
        let source = sounding(&format!("sine=frequency=440,volume=8,aformat=channel_layouts={layout}"), codec);
        let made = prepare(&source);
        let path = made.rendition("240");
        assert_eq!(streams(&path).len(), 2, "{layout}");
        assert!(layout == "LFE" || loudness(&path, 0.2, 1.8) > 0.05, "{layout} {codec:?}: nothing to hear");
    }
}

#[test]
fn tracks_side_by_side_are_heard_by_the_first_two() {
    // Twelve channels, of which only the second says anything.
    let silent = "0|".repeat(10);
    let source = sounding(
        &format!("aevalsrc='0|0.8*sin(2764*t)|{}':s=48000", silent.trim_end_matches('|')),
        &["-c:a", "pcm_s16le", "-f", "mov"],
    );
    let made = prepare(&source);
    assert!(loudness(&made.rendition("240"), 0.2, 1.8) > 0.1);
}

#[test]
fn a_voice_on_the_right_only_is_no_silence() {
    let made = prepare(&sounding("aevalsrc='0|0.5*sin(2764*t)':s=48000", &["-c:a", "aac"]));
    assert_eq!(warnings(&made), 0, "{}", made.facts());
    let made = prepare(&sounding("anullsrc=cl=stereo", &["-c:a", "aac"]));
    assert_eq!(warnings(&made), 1, "{}", made.facts());
}

#[test]
fn sound_that_changes_on_the_way_loses_nothing() {
    // Joined from two recordings: other rate, other channels, from the third second on.
    let one = film(
        PICTURE,
        Some("sine=frequency=440:sample_rate=44100"),
        3,
        &["-c:v", "mpeg2video", "-c:a", "aac", "-ac", "1", "-f", "mpegts"],
    );
    let two = film(
        PICTURE,
        Some("sine=frequency=880:sample_rate=48000"),
        3,
        &["-c:v", "mpeg2video", "-c:a", "aac", "-ac", "2", "-output_ts_offset", "3", "-f", "mpegts"],
    );
    let joined = one.with_file_name("joined.ts");
    std::fs::write(&joined, [std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap()].concat()).unwrap();
    let made = prepare(&joined);
    let path = made.rendition("240");
    let samples = kit::sound(&path);
    // No hole of more than 30 ms at the seam, or anywhere.
    let quiet = samples[4_800..5 * 48_000].chunks(480).map(|c| c.iter().all(|s| s.abs() < 0.02));
    let (_, hole) = quiet.fold((0, 0), |(now, most), q| if q { (now + 1, most.max(now + 1)) } else { (0, most) });
    assert!(hole <= 3, "{} ms", hole * 10);
    assert!(streams(&path).iter().all(|t| (t.duration - 6.0).abs() < 0.15));
}

#[test]
fn of_several_tracks_the_one_that_players_choose_is_heard() {
    let source = film(PICTURE, Some("anullsrc=cl=stereo"), 2, &[&QUICK[..], &["-c:a", "aac"]].concat());
    let second = |marks: [&str; 4]| {
        let voice = ["-f", "lavfi", "-i", "sine=duration=2,volume=8", "-map", "0:v", "-map", "0:a", "-map", "1:a"];
        let made =
            prepare(&remade(&source, "two.mp4", &[&voice[..], &["-c:v", "copy", "-c:a", "aac"], &marks].concat()));
        loudness(&made.rendition("240"), 0.2, 1.8) > 0.05
    };
    assert!(second(["-disposition:a:0", "0", "-disposition:a:1", "default"]));
    assert!(!second(["-disposition:a:0", "default", "-disposition:a:1", "0"]));
}

#[test]
fn sound_that_claims_a_crowd_of_channels_is_left_out() {
    let source = sounding("sine", &["-c:a", "pcm_s16le", "-f", "mov"]);
    let mut film = std::fs::read(&source).unwrap();
    let channels = kit::surgery::place(&film, b"sowt") + 24;
    film[channels..channels + 2].copy_from_slice(&1_807_u16.to_be_bytes());
    std::fs::write(&source, film).unwrap();
    let made = prepare(&source);
    assert_eq!((made.refusal(), streams(&made.rendition("240")).len()), (None, 1));
    assert_eq!(made.facts()["detail"]["warnings"], serde_json::json!([{"code": "unreadable_sound"}]));
    let mute = prepare(&kit::film(PICTURE, None, 1, &QUICK));
    assert_eq!(mute.facts()["detail"]["warnings"], serde_json::json!([{"code": "no_sound"}]));
}
