//! Another attempt makes what the one before has not published, and no more.

mod kit;

use std::path::{Path, PathBuf};

use kit::{BEEP, Made, counter, decoded, film, moments, numbers, run, run_behind, sound, try_behind};
use serde_json::{Value, json};

/// So many segments of each rendition are published, or all of it.
#[derive(Clone, Copy)]
enum Left {
    First(usize),
    All,
}
use Left::{All, First};

fn segments<'a>(made: &'a Made, name: &'a str) -> Vec<&'a Value> {
    made.of("segment").filter(|event| event["name"] == name).collect()
}

fn file(made: &Made, event: &Value) -> Vec<u8> {
    std::fs::read(made.path(event["file"].as_str().unwrap())).unwrap()
}

fn head(made: &Made, name: &str) -> Vec<u8> {
    file(made, made.of("rendition").find(|event| event["name"] == name).unwrap())
}

/// The head and the first segments of a rendition.
fn pieces(made: &Made, name: &str, n: usize) -> Vec<u8> {
    let of = segments(made, name).into_iter().take(n).flat_map(|segment| file(made, segment));
    head(made, name).into_iter().chain(of).collect()
}

fn published(made: &Made, left: &[(&str, Left)], film: bool) -> Value {
    let rung = |(name, left): &(&str, Left)| {
        let of = segments(made, name);
        let (n, complete) = match left {
            First(n) => (*n, false),
            All => (of.len(), true),
        };
        let lengths: Vec<_> = of.iter().take(n).map(|segment| &segment["duration_ms"]).collect();
        json!({"name": name, "segments": lengths, "complete": complete})
    };
    json!({"rungs": left.iter().map(rung).collect::<Vec<_>>(), "film": film})
}

/// What is there after two attempts, as a player reads it.
fn both(first: &Made, second: &Made, name: &str, n: usize) -> PathBuf {
    let more = segments(second, name).into_iter().flat_map(|segment| file(second, segment));
    let bytes: Vec<u8> = pieces(first, name, n).into_iter().chain(more).collect();
    let path = second.path(&format!("{name}.both.mp4"));
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Whether nothing is decoded before what comes before it in the file.
fn runs_on(path: &Path) -> bool {
    let entries = ["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=dts", "-of", "csv=p=0"];
    let output = std::process::Command::new("ffprobe").args(entries).arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let all: Vec<i64> = text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
    !all.is_empty() && all.windows(2).all(|two| two[0] < two[1])
}

/// Seven seconds whose pictures are counted, with a beep each second, and enough noise to weigh something.
fn counted(rate: &str, codec: &[&str]) -> PathBuf {
    let picture = format!("{},scale=960:720:flags=neighbor,noise=alls=30:allf=t", counter(rate));
    film(&picture, Some(BEEP), 7, codec)
}

const HEVC: &[&str] = &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-b:v", "4M"];
const H264: &[&str] =
    &["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-b:v", "9M", "-minrate", "9M"];

#[test]
fn what_is_published_of_the_other_rungs_is_not_made_again() {
    for rate in ["30", "24000/1001"] {
        let source = counted(rate, HEVC);
        let whole = run(&source, "other_rungs");
        for (n, m) in [(1, 0), (3, 2)] {
            let left = published(&whole, &[("720", First(n)), ("360", First(m))], false);
            let again = run_behind(&source, "other_rungs", left, None);
            for (name, n) in [("720", n), ("360", m)] {
                let (all, more) = (segments(&whole, name), segments(&again, name));
                let numbers_of: Vec<_> = more.iter().map(|segment| segment["n"].as_u64().unwrap() as usize).collect();
                assert_eq!(numbers_of, (n..all.len()).collect::<Vec<_>>(), "{rate} {name} behind {n}");
                for (all, more) in all.iter().skip(n).zip(&more) {
                    assert_eq!(all["duration_ms"], more["duration_ms"], "{rate} {name} behind {n}");
                }
                if !more.is_empty() {
                    assert!(head(&whole, name) == head(&again, name), "{rate} {name} behind {n}: another head");
                }
                let path = both(&whole, &again, name, n);
                assert_eq!(decoded(&path), decoded(&whole.rendition(name)), "{rate} {name} behind {n}");
                assert_eq!(numbers(&path), numbers(&whole.path(&format!("{name}.mp4"))));
                assert_eq!(moments(&path), moments(&whole.path(&format!("{name}.mp4"))));
                assert!(
                    sound(&path) == sound(&whole.path(&format!("{name}.mp4"))),
                    "{rate} {name} behind {n}: the sound"
                );
                assert!(runs_on(&path), "{rate} {name} behind {n}");
            }
            assert_eq!(again.of("complete").count(), 2);
        }
    }
}

#[test]
fn the_film_is_made_of_what_is_published_and_of_the_rest() {
    for (source, task, main) in [(counted("30", HEVC), "prepare", "480"), (counted("25", H264), "ladder", "480")] {
        let whole = run(&source, task);
        let film = numbers(&whole.path("video.mp4"));
        let count = segments(&whole, main).len();
        for left in [First(2), First(count), All] {
            let n = if let First(n) = left { n } else { count };
            let pieces = Some(("480.pieces", pieces(&whole, main, n)));
            let again = run_behind(&source, task, published(&whole, &[(main, left)], false), pieces);
            assert_eq!(segments(&again, main).len(), count - n, "{task}");
            assert_eq!(
                again.of("complete").filter(|event| event["name"] == main).count(),
                usize::from(!matches!(left, All))
            );
            let path = again.path("video.mp4");
            assert_eq!(numbers(&path), film, "{task} behind {n}");
            assert_eq!(moments(&path), moments(&whole.path("video.mp4")), "{task} behind {n}");
            decoded(&path);
            assert_eq!(again.of("waveform").count(), 1);
            assert_eq!(again.facts()["duration_ms"], whole.facts()["duration_ms"]);
        }
        // With the film, only what is measured is missing.
        let again = run_behind(&source, task, published(&whole, &[(main, All)], true), None);
        assert_eq!((segments(&again, main).len(), again.of("mp4").count(), again.of("waveform").count()), (0, 0, 1));
    }
}

#[test]
fn what_passes_through_goes_on_as_well() {
    let source =
        counted("30", &["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-g", "30", "-b:v", "1M"]);
    let whole = run(&source, "prepare");
    let count = segments(&whole, "720").len();
    assert!(count > 2, "{:?}", whole.order());
    for left in [First(2), First(count), All] {
        let n = if let First(n) = left { n } else { count };
        let again = run_behind(&source, "prepare", published(&whole, &[("720", left)], false), None);
        assert_eq!(segments(&again, "720").len(), count - n);
        let path = both(&whole, &again, "720", n);
        assert_eq!(numbers(&path), numbers(&whole.rendition("720")));
        assert!(matches!(left, All) || head(&again, "720") == head(&whole, "720"));
        assert_eq!(again.left(), Some("ladder"));
    }
}

#[test]
fn what_is_cut_otherwise_is_said_to_be() {
    let source = counted("30", HEVC);
    let left = json!({"rungs": [{"name": "720", "segments": [2000, 1900], "complete": false}], "film": false});
    let (status, made) = try_behind(&source, "other_rungs", left);
    assert!(!status.success() && made.of("otherwise").any(|event| event["name"] == "720"), "{:?}", made.events);
    assert_eq!(segments(&made, "720").len(), 0);
}
