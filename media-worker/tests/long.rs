//! A clip as long as one may be.

mod kit;

use kit::{BEEP, all, decoded, film, run, streams};

const SECONDS: u32 = 600;
/// As [`kit::FLASH`], and quicker to make.
const FLASH: &str = "color=black:size=640x480:rate=30,drawbox=color=white:thickness=fill:enable='lt(mod(t,1),0.1)',noise=alls=12:allf=t";

fn of(seconds: u32) -> std::path::PathBuf {
    let encoded =
        ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "1200k", "-maxrate", "1200k", "-bufsize", "1200k"];
    film(FLASH, Some(BEEP), seconds, &[&encoded[..], &["-g", "300", "-c:a", "aac"]].concat())
}

#[test]
#[ignore = "make test-scale runs it"]
fn ten_minutes_stay_together_to_the_end() {
    let source = of(SECONDS);
    let made = all(&source);
    assert_eq!((made.refusal(), made.left()), (None, None), "{}", made.said);
    let told = made.facts()["duration_ms"].as_i64().unwrap();
    assert!((told - i64::from(SECONDS) * 1000).abs() <= 50, "{told} ms");
    for name in ["480", "360"] {
        let rendition = made.rendition(name);
        assert_eq!(decoded(&rendition), 18_000, "{name}");
        assert_eq!(made.of("segment").filter(|e| e["name"] == name).count(), 300, "{name}");
        let apart = kit::apart(&rendition);
        assert_eq!(apart.len(), 599, "{name}");
        assert!(apart.iter().all(|late| late.abs() <= 0.04), "{name}: {apart:?}");
        assert!(streams(&rendition).iter().all(|track| track.start.abs() <= 0.001), "{name}");
    }
    assert_eq!(decoded(&made.path("video.mp4")), 18_000);
    let board = std::fs::read_to_string(made.path("storyboard.vtt")).unwrap();
    assert!(board.trim_end().lines().any(|line| line.ends_with("--> 00:10:00.000")), "{board}");
    let seconds = |of: &str| made.facts()["measures"][of].as_array().map(Vec::len);
    assert_eq!((seconds("pictures"), seconds("sound")), (Some(600), Some(600)));
}

#[test]
#[ignore = "make test-scale runs it"]
fn a_little_more_is_still_a_clip_and_much_more_is_none() {
    assert_eq!(run(&of(SECONDS + 1), "prepare").refusal(), None);
    let longer = run(&of(SECONDS + 4), "prepare");
    assert_eq!(longer.refusal(), Some("too_long"));
    assert!(longer.took.as_secs() < 5, "{:?}", longer.took);
}
