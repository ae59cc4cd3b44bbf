//! What editors leave in a film: what they cut away, what they laid end to end, what lies beside the pictures.

mod kit;

use std::path::PathBuf;

use kit::{Made, all, counter, decoded, ffmpeg, film, numbers, remade, run};

const AVC: [&str; 6] = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "30"];

fn plays(made: &Made, pictures: i64, name: &str) {
    assert_eq!((made.refusal(), made.left()), (None, None), "{name}");
    for rung in made.of("rendition").map(|e| e["name"].as_str().unwrap()) {
        assert_eq!(decoded(&made.rendition(rung)), pictures, "{name}: {rung}");
    }
}

#[test]
fn what_was_cut_away_is_not_in_the_copy_either() {
    let whole = film(&counter("30"), None, 6, &AVC);
    let path = whole.display().to_string();
    let cut = whole.with_file_name("cut.mp4");
    ffmpeg(&["-ss", "1.5", "-i", &path, "-c", "copy", cut.to_str().unwrap()]).expect("a cut film");
    let made = run(&cut, "prepare");
    assert_eq!(made.left(), Some("other_rungs"), "it is not copied");
    assert_eq!(numbers(&made.path("video.mp4"))[0], 45);
}

/// Two films whose heads differ, one behind the other, not encoded anew.
fn joined() -> PathBuf {
    let first = film(&counter("30"), None, 3, &[&AVC[..], &["-bf", "0"]].concat());
    let second = film(&counter("30"), None, 9, &[&AVC[..], &["-bf", "2", "-refs", "4", "-profile:v", "main"]].concat());
    let list = first.with_file_name("list.txt");
    std::fs::write(&list, format!("file '{}'\nfile '{}'\n", first.display(), second.display())).unwrap();
    let out = first.with_file_name("joined.flv");
    let text = list.display().to_string();
    ffmpeg(&["-f", "concat", "-safe", "0", "-i", &text, "-c", "copy", out.to_str().unwrap()]).expect("a joined film");
    out
}

#[test]
fn films_that_were_joined_are_made_anew_and_shown_to_their_end() {
    let made = all(&joined());
    plays(&made, 360, "joined");
    assert_eq!(made.order().iter().filter(|event| *event == "mp4").count(), 1, "it was not copied");
    let shown = numbers(&made.rendition("240"));
    assert_eq!((shown[89], shown[90], shown[359]), (89, 0, 269));
}

#[test]
fn what_may_be_seen_through_is_no_damage() {
    let picture = "testsrc2=size=320x240:rate=30,format=yuva420p,\
                   geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='random(1)*255'";
    let opaque = film("testsrc2=size=320x240:rate=30", None, 1, &AVC);
    let through = opaque.with_file_name("through.webm");
    let codec = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "3M", "-auto-alt-ref", "0"];
    let arguments = [&["-f", "lavfi", "-i", picture, "-t", "2", "-pix_fmt", "yuva420p"][..], &codec].concat();
    ffmpeg(&[&arguments[..], &[through.to_str().unwrap()]].concat()).expect("a film");
    plays(&all(&through), 60, "through");
}

#[test]
fn sound_whose_head_is_broken_costs_itself_and_not_the_film() {
    let codec = ["-f", "lavfi", "-i", "sine", "-map", "0:v", "-map", "1:a", "-shortest", "-c:v", "copy", "-c:a"];
    let whole = film("testsrc2=size=320x240:rate=30", None, 3, &AVC);
    let spoken = remade(&whole, "spoken.mkv", &[&codec[..], &["libvorbis"]].concat());
    let mut bytes = std::fs::read(&spoken).unwrap();
    let head = bytes.windows(7).position(|window| window == b"\x01vorbis").expect("the head of the sound");
    bytes[head..head + 30].fill(0xff);
    let broken = whole.with_file_name("broken.mkv");
    std::fs::write(&broken, bytes).unwrap();
    let made = all(&broken);
    plays(&made, 90, "broken");
    assert_eq!(made.facts()["detail"]["audio"], serde_json::Value::Null);
}

#[test]
fn a_film_that_is_dense_for_a_while_is_not_passed_through() {
    // Sixty a second for four seconds, then six: fewer than thirty on average.
    let picture = "testsrc2=size=720x1280:rate=60,select='lt(t,4)+not(mod(n,10))'";
    let codec = ["-fps_mode", "passthrough", "-c:v", "libx264", "-preset", "veryfast", "-g", "60", "-b:v", "2M"];
    let source = film(picture, None, 16, &codec);
    assert_eq!(run(&source, "prepare").of("rendition").count(), 0);
}

#[test]
fn a_broadcast_that_begins_in_the_middle_of_a_packet_is_read() {
    let whole = film("testsrc2=size=320x240:rate=30", None, 4, &AVC);
    let stream = remade(&whole, "stream.ts", &["-c", "copy"]);
    let bytes = std::fs::read(&stream).unwrap();
    let within = stream.with_file_name("within.ts");
    std::fs::write(&within, &bytes[100..]).unwrap();
    assert_eq!(run(&within, "prepare").refusal(), None);
}

/// Recordings of so many seconds, one behind the other in the file, whose clocks all begin at nought.
fn end_to_end(picture: &str, seconds: &[u32], name: &str, codec: &[&str]) -> PathBuf {
    let part = |seconds: &u32| remade(&film(picture, Some(kit::BEEP), *seconds, &AVC), name, codec);
    let files: Vec<_> = seconds.iter().map(part).collect();
    let all: Vec<u8> = files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let path = files[0].with_file_name(format!("all-{name}"));
    std::fs::write(&path, all).unwrap();
    path
}

#[test]
fn recordings_laid_end_to_end_are_shown_one_after_the_other() {
    let avc = [&AVC[..], &["-c:a", "aac"]].concat();
    let browser = ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-live", "1"];
    for (name, codec) in [("a.ts", &avc[..]), ("a.webm", &browser)] {
        let made = all(&end_to_end(&counter("30"), &[5, 4, 3], name, codec));
        assert_eq!(made.refusal(), None, "{name}");
        let expected: Vec<i64> = [150, 120, 90].into_iter().flat_map(|pictures| 0..pictures).collect();
        assert_eq!(numbers(&made.rendition("240")), expected, "{name}");
        let facts = made.facts();
        assert!((facts["duration_ms"].as_i64().unwrap() - 12_000).abs() < 300, "{name}: {facts}");
        assert_eq!(facts["detail"]["cut"], false, "{name}");
        let together = all(&end_to_end(kit::FLASH, &[4, 3, 3], name, codec));
        let apart = kit::apart(&together.rendition("240"));
        assert!(apart.len() >= 8 && apart.iter().all(|by| by.abs() <= 0.04), "{name}: {apart:?}");
    }
}

/// The sound of the second recording stops for five seconds, as long as the first recording was.
#[test]
fn a_gap_behind_a_joint_is_a_gap() {
    let avc = [&AVC[..], &["-c:a", "aac"]].concat();
    let first = remade(&film(kit::FLASH, Some(kit::BEEP), 5, &AVC), "a.ts", &avc);
    let gap = [&avc[..], &["-bsf:a", "noise=drop='between(n\\,129\\,344)'"]].concat();
    let second = remade(&film(kit::FLASH, Some(kit::BEEP), 12, &AVC), "b.ts", &gap);
    let both = [std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap()].concat();
    let source = first.with_file_name("gap.ts");
    std::fs::write(&source, both).unwrap();
    let made = all(&source);
    let path = made.rendition("240");
    assert!(kit::loudness(&path, 8.5, 12.5) < 0.05 && kit::loudness(&path, 14.0, 16.9) > 0.3);
    for at in [14.0, 15.0, 16.0] {
        assert!(kit::loudness(&path, at - 0.3, at - 0.05) < 0.1 && kit::loudness(&path, at, at + 0.1) > 0.3, "{at}");
    }
}

/// One moment in a film that no film has: nothing of it is lost but that.
#[test]
fn a_clock_at_the_end_of_all_numbers_breaks_nothing() {
    let codec = ["-c:v", "libvpx", "-deadline", "realtime", "-f", "webm", "-live", "1", "-cluster_time_limit", "1000"];
    let source = film("testsrc2=size=320x240:rate=30", None, 6, &codec);
    let whole = std::fs::read(&source).unwrap();
    let clusters: Vec<usize> =
        (0..whole.len() - 4).filter(|at| whole[*at..].starts_with(&[0x1f, 0x43, 0xb6, 0x75])).collect();
    assert!(clusters.len() > 3);
    for (n, cluster) in clusters.iter().enumerate().take(4) {
        // The cluster's first element is its time: make it eight bytes long where there is room, else leave it.
        let place = (*cluster..*cluster + 16).find(|at| whole[*at] == 0xe7).expect("its time");
        let mut odd = whole[..place].to_vec();
        odd.extend([0xe7, 0x88, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        odd.extend(&whole[place + 2 + usize::from(whole[place + 1] & 0x7f)..]);
        let path = source.with_file_name(format!("odd{n}.webm"));
        std::fs::write(&path, odd).unwrap();
        let (status, made) = kit::try_behind(&path, "prepare", serde_json::json!({"rungs": [], "film": false}));
        assert!(status.success(), "cluster {n}: {}", made.said);
    }
}

/// As a live encoder leaves it that hiccupped: one stamp of a thousand hours, and all others as they should be.
#[test]
fn one_wrong_stamp_does_not_end_the_film() {
    let whole = film(&counter("30"), None, 20, &[&AVC[..], &["-bf", "0"]].concat());
    let flv = remade(&whole, "one.flv", &["-c", "copy"]);
    let mut bytes = std::fs::read(&flv).unwrap();
    let (mut at, mut pictures) = (13, 0);
    while at + 15 < bytes.len() {
        let len = u32::from_be_bytes([0, bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
        pictures += usize::from(bytes[at] == 9);
        if bytes[at] == 9 && pictures == 200 {
            bytes[at + 4..at + 8].copy_from_slice(&[0x4c, 0x4b, 0x40, 0]);
        }
        at += len + 15;
    }
    std::fs::write(&flv, bytes).unwrap();
    let made = all(&flv);
    assert_eq!(made.refusal(), None);
    let shown = numbers(&made.path("video.mp4"));
    let mut different = shown.clone();
    different.dedup();
    assert!(different.len() >= 590 && *shown.last().unwrap() == 599, "{} of 600", different.len());
}
