//! Another attempt makes what the one before has not published, and no more.

mod kit;

use std::path::{Path, PathBuf};

use kit::{BEEP, Made, counter, decoded, film, moments, numbers, remade, run, run_behind, sound, try_behind};
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
fn runs_on(path: &Path, track: &str) -> bool {
    let entries = ["-v", "error", "-select_streams", track, "-show_entries", "packet=dts", "-of", "csv=p=0"];
    let output = std::process::Command::new("ffprobe").args(entries).arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let all: Vec<i64> = text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
    !all.is_empty() && all.windows(2).all(|two| two[0] < two[1])
}

/// Pictures that are counted, with enough noise to weigh something.
fn heavy(rate: &str) -> String {
    format!("{},scale=960:720:flags=neighbor,noise=alls=30:allf=t", counter(rate))
}

/// Those, with a beep each second.
fn counted(rate: &str, seconds: u32, codec: &[&str]) -> PathBuf {
    film(&heavy(rate), Some(BEEP), seconds, codec)
}

/// What browsers don't play.
const FOREIGN: &[&str] = &["-c:v", "mpeg4", "-b:v", "6M"];
const H264: &[&str] =
    &["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-b:v", "9M", "-minrate", "9M"];

/// Whether two attempts at the other rungs, the second behind so many segments of each, come to what one comes to.
fn goes_on(source: &Path, name: &str, behind: &[(usize, usize)]) {
    let whole = run(source, "other_rungs");
    for &(n, m) in behind {
        let left = published(&whole, &[("720", First(n)), ("360", First(m))], false);
        let again = run_behind(source, "other_rungs", left, None);
        for (rung, n) in [("720", n), ("360", m)] {
            let what = format!("{name}: {rung} behind {n}");
            let (all, more) = (segments(&whole, rung), segments(&again, rung));
            let tell = |all: &[&Value]| {
                all.iter().map(|segment| (segment["n"].clone(), segment["duration_ms"].clone())).collect::<Vec<_>>()
            };
            assert_eq!(tell(&all[n..]), tell(&more), "{what}");
            assert!(more.is_empty() || head(&whole, rung) == head(&again, rung), "{what}: another head");
            let (one, path) = (whole.rendition(rung), both(&whole, &again, rung, n));
            assert_eq!(decoded(&path), decoded(&one), "{what}");
            assert_eq!(numbers(&path), numbers(&one), "{what}");
            assert_eq!(moments(&path), moments(&one), "{what}");
            assert!(sound(&path) == sound(&one), "{what}: the sound");
            assert!(runs_on(&one, "v:0") && runs_on(&path, "v:0"), "{what}");
            assert!(runs_on(&one, "a:0") && runs_on(&path, "a:0"), "{what}");
        }
        assert_eq!(again.of("complete").count(), 2);
    }
}

#[test]
fn what_is_published_of_the_other_rungs_is_not_made_again() {
    goes_on(&counted("30", 7, FOREIGN), "30", &[(1, 0), (4, 3)]);
    goes_on(&counted("24000/1001", 7, FOREIGN), "24000/1001", &[(2, 1)]);
}

/// Pictures that come in a crowd before each second, and a long still behind.
#[test]
fn pictures_in_bursts_and_sound_in_lumps_are_gone_on_with() {
    let bursts = "settb=1/1000,setpts='floor(N/15)*1000+if(eq(mod(N,15),0),0,978-(15-mod(N,15))*2)'";
    let picture = format!("{},{bursts}", heavy("15"));
    let uneven = [FOREIGN, &["-fps_mode", "passthrough", "-enc_time_base", "1/1000"]].concat();
    goes_on(&film(&picture, Some(BEEP), 8, &uneven), "bursts", &[(1, 2), (3, 1)]);
    let source = counted("30", 8, FOREIGN);
    let lumps = remade(&source, "lumps.mov", &["-c", "copy", "-chunk_duration", "900000"]);
    goes_on(&lumps, "lumps", &[(1, 2)]);
}

/// Silence is made ten seconds behind the pictures, of what is published too.
#[test]
fn sound_that_ends_early_or_begins_late_is_not_laid_twice() {
    let mute = film(&heavy("15"), None, 15, FOREIGN);
    for (name, voice) in [("early.mp4", "sine=duration=1"), ("late.mp4", "sine=duration=2,asetpts=PTS+13/TB")] {
        let with = ["-f", "lavfi", "-i", voice, "-c:v", "copy", "-c:a", "aac"];
        goes_on(&remade(&mute, name, &with), name, &[(6, 5)]);
    }
}

/// The last cut comes while the encoder still looks ahead.
#[test]
fn a_last_segment_of_a_few_pictures_is_gone_on_with() {
    let source = remade(&counted("30", 7, FOREIGN), "6.mp4", &["-c", "copy", "-t", "6.3"]);
    goes_on(&source, "6.3 s", &[(3, 2), (4, 4)]);
}

#[test]
fn the_film_is_made_of_what_is_published_and_of_the_rest() {
    for (source, task, main) in
        [(counted("30", 7, FOREIGN), "prepare", "480"), (counted("25", 7, H264), "ladder", "480")]
    {
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
        counted("30", 7, &["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-g", "30", "-b:v", "1M"]);
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
    let source = counted("30", 7, FOREIGN);
    for (rung, segments_ms) in [
        ("720", json!([2000, 1900])),
        ("720", json!([1900])),
        ("360", json!([2000, 2000, 2000, 900])),
        ("360", json!([2000, 2000, 2000, 1000, 2000])),
    ] {
        let left = json!({"rungs": [{"name": rung, "segments": segments_ms, "complete": false}], "film": false});
        let (status, made) = try_behind(&source, "other_rungs", left);
        assert!(!status.success(), "{rung} {segments_ms}: {:?}", made.order());
        assert!(made.of("otherwise").any(|event| event["name"] == rung), "{rung} {segments_ms}: {:?}", made.order());
        assert_eq!(segments(&made, rung).len(), 0);
    }
    // What passes through, too.
    let app =
        counted("30", 7, &["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-g", "30", "-b:v", "1M"]);
    let left = json!({"rungs": [{"name": "720", "segments": [3000, 1000], "complete": false}], "film": false});
    assert!(try_behind(&app, "prepare", left).1.of("otherwise").count() == 1);
    // And a film without the pieces that it is to be made of.
    let left = json!({"rungs": [{"name": "480", "segments": [2000], "complete": false}], "film": false});
    let (status, made) = try_behind(&source, "prepare", left);
    assert!(!status.success() && made.of("otherwise").count() == 1, "{:?}", made.order());
}
