//! The real child, in its real jail, on films made here with ffmpeg's own generators.

mod kit;

use kit::{Made, decoded, film, prepare, run, streams};

#[test]
fn a_phones_clip_plays_at_once_and_then_in_renditions() {
    let source = film(
        "testsrc2=size=540x960:rate=30",
        Some("sine=frequency=440"),
        5,
        &["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"],
    );
    let copied = run(&source, "prepare");
    assert_eq!((copied.order(), copied.left()), (order(&["facts", "poster", "mp4", "done"]), Some("ladder")));
    // The copy has the very same pictures.
    assert_eq!(decoded(&copied.path("video.mp4")), 150);
    assert_eq!(streams(&copied.path("video.mp4"))[0].size, (540, 960));
    let made = run(&source, "ladder");
    let told: Vec<String> = made.order().into_iter().filter(|event| event != "segment").collect();
    let expected = ["rendition", "rendition", "complete", "complete", "mp4", "facts", "waveform", "storyboard", "done"];
    assert_eq!((told, made.left()), (order(&expected), None));
    let facts = made.facts();
    assert_eq!((facts["width"].as_i64(), facts["height"].as_i64()), (Some(540), Some(960)));
    assert!((facts["duration_ms"].as_i64().unwrap() - 5_000).abs() < 100, "{facts}");
    assert_eq!(facts["detail"]["warnings"].as_array().unwrap().len(), 0, "{facts}");
    // The film that is kept in its place is the first rendition's.
    assert_eq!(decoded(&made.path("video.mp4")), 150);
    assert_eq!(streams(&made.path("video.mp4"))[0].size, (480, 854));
    for (name, size) in [("480", (480, 854)), ("360", (360, 640))] {
        let whole = made.rendition(name);
        let tracks = streams(&whole);
        assert_eq!((tracks[0].size, tracks[0].codec.as_str(), tracks[1].codec.as_str()), (size, "h264", "aac"));
        assert!(tracks.iter().all(|t| t.start.abs() < 0.001), "{tracks:?}");
        assert_eq!(decoded(&whole), 150);
    }
}

fn order(events: &[&str]) -> Vec<String> {
    events.iter().map(|event| (*event).to_owned()).collect()
}

#[test]
fn pictures_that_lean_across_key_frames_are_not_copied() {
    let source = film(
        "testsrc2=size=540x960:rate=30",
        None,
        5,
        &[
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-x264-params",
            "open-gop=1:keyint=30:min-keyint=30:bframes=3:b-adapt=0",
        ],
    );
    let made = prepare(&source);
    // A player that seeks into such a group has no picture to begin with; the first rendition's film has.
    assert_eq!(streams(&made.path("video.mp4"))[0].size, (480, 854));
    assert_eq!(decoded(&made.path("video.mp4")), 150);
}

#[test]
fn what_plays_by_nothing_else_gets_its_first_rendition_first_and_then_the_others_like_it() {
    let source = film(
        "testsrc2=size=1280x720:rate=30000/1001",
        Some("sine=frequency=440"),
        5,
        &["-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac"],
    );
    let first = run(&source, "prepare");
    let expected = ["facts", "poster", "rendition", "segment", "segment", "segment", "complete"];
    assert_eq!((&first.order()[..7], first.left()), (&order(&expected)[..], Some("other_rungs")));
    assert_eq!(first.order()[7..], ["mp4", "facts", "waveform", "done"]);
    let rest = run(&source, "other_rungs");
    assert_eq!(rest.left(), None);
    let cuts = |made: &Made, name: &str| -> Vec<i64> {
        made.of("segment").filter(|e| e["name"] == name).map(|e| e["duration_ms"].as_i64().unwrap()).collect()
    };
    let all = [cuts(&first, "480"), cuts(&rest, "720"), cuts(&rest, "360")];
    assert_eq!(all[0].len(), 3);
    assert!(all.iter().all(|c| c[..2] == all[0][..2]), "{all:?}");
    for (made, name, size) in [(&first, "480", (854, 480)), (&rest, "720", (1280, 720)), (&rest, "360", (640, 360))] {
        let tracks = streams(&made.rendition(name));
        assert_eq!(tracks[0].size, size);
        assert!(tracks.iter().all(|t| t.start.abs() < 0.001), "{name}: {tracks:?}");
    }
    let vtt = std::fs::read_to_string(rest.path("storyboard.vtt")).unwrap();
    assert_eq!(vtt.matches("-->").count(), 10, "{vtt}");
    assert_eq!(streams(&rest.path("storyboard.jpg"))[0].size, (1600, 90));
}

#[test]
fn a_turned_phone_is_shown_upright() {
    let flat = film("testsrc2=size=640x360:rate=30", None, 2, &["-c:v", "libx264", "-preset", "ultrafast"]);
    let turned = flat.with_file_name("turned.mp4");
    kit::ffmpeg(&["-display_rotation", "90", "-i", &flat.to_string_lossy(), "-c", "copy", &turned.to_string_lossy()])
        .or_else(|_| {
            kit::ffmpeg(&[
                "-i",
                &flat.to_string_lossy(),
                "-c",
                "copy",
                "-metadata:s:v:0",
                "rotate=90",
                &turned.to_string_lossy(),
            ])
        })
        .unwrap();
    let made = prepare(&turned);
    let facts = made.facts();
    assert_eq!((facts["width"].as_i64(), facts["height"].as_i64()), (Some(360), Some(640)));
    assert_eq!(streams(&made.rendition("360"))[0].size, (360, 640));
    assert_eq!(streams(&made.path("poster.jpg"))[0].size, (360, 640));
    // Copied as it is, with its turn written beside it: players, like ffmpeg here, turn it by that.
    let copy = run(&turned, "prepare");
    assert_eq!(kit::shown_size(&copy.path("video.mp4")), (360, 640));
}

#[test]
fn a_browsers_recording_is_made_into_a_film() {
    let source = film(
        "testsrc2=size=640x480:rate=30",
        Some("sine=frequency=440"),
        3,
        &["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-f", "webm", "-live", "1"],
    );
    let made = prepare(&source);
    assert!((made.facts()["duration_ms"].as_i64().unwrap() - 3_000).abs() < 150);
    assert_eq!(made.order().last().unwrap(), "done");
    let film = streams(&made.path("video.mp4"));
    assert_eq!((film[0].codec.as_str(), film[1].codec.as_str()), ("h264", "aac"));
    assert_eq!(decoded(&made.rendition("480")), 90);
}

#[test]
fn high_dynamic_range_is_brought_down_to_what_screens_show() {
    let source = film(
        "testsrc2=size=640x360:rate=30",
        None,
        2,
        &[
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p10le",
            "-x265-params",
            "log-level=none:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc",
        ],
    );
    let made = prepare(&source);
    assert_eq!(made.facts()["detail"]["video"]["hdr"], true);
    let track = &streams(&made.rendition("360"))[0];
    assert_eq!((track.pixels.as_str(), track.transfer.as_str()), ("yuv420p", "bt709"));
}

#[test]
fn odd_sizes_and_shapes_of_pixels_are_put_right() {
    let odd = film(
        "testsrc=size=175x143:rate=30",
        None,
        1,
        &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"],
    );
    assert_eq!(streams(&prepare(&odd).rendition("142"))[0].size, (174, 142));
    let wide = film("testsrc2=size=640x360:rate=30,setsar=2/1", None, 1, &["-c:v", "libx264", "-preset", "ultrafast"]);
    assert_eq!(streams(&prepare(&wide).rendition("360"))[0].size, (1280, 360));
}

#[test]
fn a_clip_without_light_or_sound_plays_and_says_so() {
    let dark =
        film("color=black:size=320x240:rate=30", Some("anullsrc=cl=mono"), 3, &["-c:v", "libx264", "-c:a", "aac"]);
    let made = prepare(&dark);
    assert_eq!(made.facts()["detail"]["warnings"].as_array().unwrap().len(), 2);
    assert_eq!(decoded(&made.rendition("240")), 90);
}

#[test]
fn a_clip_that_was_cut_off_plays_what_there_is() {
    let whole = film(
        "testsrc2=size=640x360:rate=30",
        Some("sine=frequency=440"),
        6,
        &["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-c:a", "aac", "-movflags", "+faststart"],
    );
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&whole, &bytes[..bytes.len() / 2]).unwrap();
    let made = prepare(&whole);
    assert_eq!(made.order().last().unwrap(), "done");
    let facts = made.facts();
    assert_eq!(facts["detail"]["cut"], true);
    let ms = facts["duration_ms"].as_i64().unwrap();
    assert!((1_000..5_000).contains(&ms), "{ms}");
    assert_eq!(decoded(&made.path("video.mp4")) * 1000 / 30, ms, "the film ends where it says");
}

#[test]
fn sixty_pictures_a_second_become_thirty_and_uneven_ones_stay() {
    let fast = film("testsrc2=size=320x240:rate=60", None, 2, &["-c:v", "libx264", "-preset", "ultrafast"]);
    assert_eq!(decoded(&prepare(&fast).rendition("240")), 60);
    let uneven = film(
        "testsrc2=size=320x240:rate=30,select='not(mod(n\\,7))+lt(n\\,20)'",
        None,
        4,
        &["-c:v", "libx264", "-preset", "ultrafast", "-fps_mode", "vfr"],
    );
    let made = prepare(&uneven);
    assert_eq!(decoded(&made.rendition("240")), decoded(&uneven));
}

#[test]
fn what_is_no_film_is_refused_with_its_reason() {
    let sound = film("sine=frequency=440", None, 1, &["-c:a", "aac"]);
    for (bytes, code) in [
        (Vec::new(), "empty"),
        (b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n".to_vec(), "playlist"),
        (vec![7; 5_000], "not_a_video"),
        (std::fs::read(&sound).unwrap(), "no_picture"),
    ] {
        let file = sound.with_file_name("stranger");
        std::fs::write(&file, bytes).unwrap();
        let made = prepare(&file);
        assert_eq!((made.of("refused").next().unwrap()["code"].as_str(), made.order().len()), (Some(code), 2));
    }
}

#[test]
fn the_jail_refuses_what_it_must() {
    let made = kit::run(&std::env::current_exe().unwrap(), "probe_jail");
    let jail = made.of("jail").next().unwrap().clone();
    assert_eq!(jail["allowed"].as_array().unwrap().len(), 0, "{jail}");
    assert!(jail["refused"].as_array().unwrap().len() >= 6, "{jail}");
}

#[test]
fn the_self_check_finds_nothing_missing() {
    let output = std::process::Command::new(kit::PROGRAM).arg("--check").output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for part in ["ffmpeg", "jail"] {
        let entries = report[part].as_object().unwrap();
        assert!(!entries.is_empty() && entries.values().all(|v| v == true), "{report}");
    }
}
