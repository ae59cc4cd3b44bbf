//! When pictures and sound are shown: nothing is lost, doubled or shifted.

mod kit;

use kit::{Made, all, counter, decoded, film, moments, numbers, prepare, remade, run, streams};

const QUICK: [&str; 4] = ["-c:v", "libx264", "-preset", "ultrafast"];

fn cuts(made: &Made, name: &str) -> Vec<i64> {
    made.of("segment").filter(|e| e["name"] == name).map(|e| e["duration_ms"].as_i64().unwrap()).collect()
}

fn is_cut(made: &Made) -> bool {
    made.facts()["detail"]["cut"] == true
}

/// Where the event lies that says how much of the rendition is there.
fn place(made: &Made, event: &str, n: usize) -> usize {
    made.events.iter().enumerate().filter(|(_, e)| e["event"] == event).nth(n).expect("it").0
}

#[test]
fn no_picture_of_a_steady_film_is_lost_or_doubled() {
    for (rate, all) in [("25", 125), ("30", 150), ("30000/1001", 149), ("24", 120), ("7", 35)] {
        let made = prepare(&film(&counter(rate), None, 5, &QUICK));
        let seen = numbers(&made.rendition("240"));
        assert_eq!(seen, (0..seen.len() as i64).collect::<Vec<_>>(), "{rate}");
        assert!(seen.len().abs_diff(all) <= 1, "{rate}: {}", seen.len());
        assert_eq!(cuts(&made, "240").len(), 3, "{rate}");
    }
    for (rate, all) in [("60", 150), ("50", 125), ("120", 150)] {
        let seen = numbers(&prepare(&film(&counter(rate), None, 5, &QUICK)).rendition("240"));
        let step = seen[1];
        assert_eq!(seen, (0..all).map(|n| n * step).collect::<Vec<_>>(), "{rate}");
    }
}

#[test]
fn pictures_that_come_unevenly_keep_their_own_moments() {
    // As browsers record: thirty a second by and large, each up to 14 ms early or late.
    let uneven = format!("{},settb=1/1000,setpts='N*1000/30+mod(N*7919\\,15)*2'", counter("30"));
    for codec in [
        &["-c:v", "libvpx", "-deadline", "realtime", "-fps_mode", "passthrough", "-f", "webm", "-live", "1"][..],
        &["-c:v", "libx264", "-preset", "ultrafast", "-fps_mode", "passthrough", "-enc_time_base", "1/1000"],
    ] {
        let source = film(&uneven, None, 6, codec);
        let made = prepare(&source);
        let (before, after) = (moments(&source), moments(&made.rendition("240")));
        let seen = numbers(&made.rendition("240"));
        assert_eq!(seen, (0..before.len() as i64).collect::<Vec<_>>());
        let apart = before.iter().zip(&after).map(|(a, b)| (a - before[0] - b).abs()).fold(0.0, f64::max);
        assert!(apart < 0.002, "{apart}");
        assert_eq!(decoded(&made.path("video.mp4")), before.len() as i64);
    }
}

#[test]
fn a_flash_and_its_beep_stay_together() {
    let source = film(kit::FLASH, Some(kit::BEEP), 6, &["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]);
    let text = source.to_string_lossy();
    let late = source.with_file_name("late.mp4");
    let shift = ["-i", &text, "-itsoffset", "1", "-i", &text, "-map", "0:v", "-map", "1:a", "-c", "copy"];
    kit::ffmpeg(&[&shift[..], &[&late.to_string_lossy()]].concat()).unwrap();
    let webm = ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-f", "webm", "-live", "1"];
    let webm = remade(&source, "film.webm", &webm);
    for source in [source, late, webm] {
        let made = all(&source);
        assert_eq!(made.left(), None);
        for path in
            made.of("rendition").map(|r| made.rendition(r["name"].as_str().unwrap())).chain([made.path("video.mp4")])
        {
            let apart = kit::apart(&path);
            assert!(apart.len() >= 4 && apart.iter().all(|s| s.abs() <= 0.04), "{}: {apart:?}", path.display());
        }
    }
}

#[test]
fn sound_that_goes_on_behind_the_pictures_is_no_cut() {
    let picture = film("testsrc2=size=320x240:rate=30", None, 5, &QUICK);
    let whole = remade(&picture, "long.mp4", &["-f", "lavfi", "-i", "sine=duration=8", "-c:v", "copy", "-c:a", "aac"]);
    let made = prepare(&whole);
    assert!(!is_cut(&made), "{}", made.facts());
    assert!((made.facts()["duration_ms"].as_i64().unwrap() - 8_000).abs() < 150);
    // The last picture stands as long as there is something to hear.
    let tracks = streams(&made.rendition("240"));
    assert!(tracks.iter().all(|t| (t.duration - 8.0).abs() < 0.15), "{tracks:?}");
    assert!(cuts(&made, "240").iter().all(|ms| *ms <= 3_100), "{:?}", cuts(&made, "240"));
    let seen = moments(&made.rendition("240"));
    assert_eq!(seen.iter().filter(|at| **at < 5.0).count(), 150);
}

#[test]
fn junk_behind_a_film_is_no_cut() {
    let whole = film("testsrc2=size=320x240:rate=30", None, 3, &QUICK);
    let mut bytes = std::fs::read(&whole).unwrap();
    bytes.extend(b"Made by app!");
    std::fs::write(&whole, bytes).unwrap();
    let made = prepare(&whole);
    assert!(!is_cut(&made), "{}", made.facts());
    // It may be copied, too: every picture at its size.
    let copy = run(&whole, "prepare");
    assert_eq!((copy.left(), decoded(&copy.path("video.mp4"))), (Some("ladder"), 90));
}

#[test]
fn a_screen_that_stood_still_for_minutes_goes_on() {
    let still = format!("{},setpts='(N+if(gt(N\\,29)\\,2700\\,0))/30/TB'", counter("30"));
    // In full range, or so few bits would be shown as they are.
    let codec = ["-c:v", "libx264", "-preset", "ultrafast", "-fps_mode", "passthrough", "-pix_fmt", "yuvj420p"];
    let source = film(&still, None, 95, &codec);
    for source in [source.clone(), remade(&source, "live.mkv", &["-c", "copy", "-f", "matroska", "-live", "1"])] {
        let made = prepare(&source);
        assert!(!is_cut(&made), "{}", made.facts());
        let ms = made.facts()["duration_ms"].as_i64().unwrap();
        let seen = numbers(&made.rendition("240"));
        let mut different = seen.clone();
        different.dedup();
        assert_eq!(different, (0..*seen.last().unwrap() + 1).collect::<Vec<_>>());
        assert!(different.len() > 60 && seen.len() > different.len() + 85, "{} of {}", different.len(), seen.len());
        assert!((91_000..=95_500).contains(&ms), "{ms}");
        assert!(cuts(&made, "240").iter().all(|ms| *ms <= 3_000), "{:?}", cuts(&made, "240"));
    }
}

#[test]
fn segments_do_not_wait_for_sound_that_has_ended() {
    let picture = film("testsrc2=size=320x240:rate=30", None, 40, &QUICK);
    for (name, sound) in [("early.mp4", "sine=duration=3"), ("early.mkv", "sine=duration=3")] {
        let source = remade(&picture, name, &["-f", "lavfi", "-i", sound, "-c:v", "copy", "-c:a", "aac"]);
        let made = prepare(&source);
        assert!(!is_cut(&made), "{}", made.facts());
        assert!((20..=21).contains(&cuts(&made, "240").len()));
        let path = made.rendition("240");
        assert!(streams(&path).iter().all(|t| (t.duration - 40.0).abs() < 0.1));
        assert!(kit::loudness(&path, 1.0, 2.5) > 0.05 && kit::loudness(&path, 4.0, 40.0) < 0.01);
    }
    // Sound that comes late is heard where it belongs.
    let (text, late) = (picture.to_string_lossy(), picture.with_file_name("late.mp4"));
    let sound = ["-itsoffset", "30", "-f", "lavfi", "-i", "sine=duration=6", "-c:v", "copy", "-c:a", "aac"];
    kit::ffmpeg(&[&["-i", &text][..], &sound, &[&late.to_string_lossy()]].concat()).unwrap();
    let made = prepare(&late);
    let path = made.rendition("240");
    assert!(kit::loudness(&path, 0.0, 29.9) < 0.01 && kit::loudness(&path, 30.1, 31.0) > 0.05);
}

#[test]
fn segments_come_while_the_film_is_still_read() {
    let picture = film("testsrc2=size=640x360:rate=30", None, 120, &QUICK);
    let source =
        remade(&picture, "early.mp4", &["-f", "lavfi", "-i", "sine=duration=2", "-c:v", "copy", "-c:a", "aac"]);
    let made = prepare(&source);
    let half =
        made.of("progress").position(|e| e["percent"].as_i64().unwrap() > 50).expect("more than two seconds of work");
    assert!(place(&made, "segment", 10) < place(&made, "progress", half), "segments wait for the end");
}

#[test]
fn a_last_picture_stands_for_as_long_as_it_may() {
    let plain = film("testsrc2=size=320x240:rate=30", None, 1, &[&QUICK[..], &["-bf", "0"]].concat());
    for (seconds, shown) in [("20", 20.967), ("50", 30.967)] {
        let last = format!("setts=duration=if(eq(N\\,29)\\,{seconds}/TB\\,DURATION)");
        let made = prepare(&remade(&plain, "standing.mp4", &["-c", "copy", "-bsf:v", &last]));
        assert!((streams(&made.rendition("240"))[0].duration - shown).abs() < 0.05, "{seconds}");
        assert!((made.facts()["duration_ms"].as_i64().unwrap() as f64 / 1000.0 - shown).abs() < 0.05);
        assert!(!is_cut(&made), "every picture is there: {}", made.facts());
    }
}
