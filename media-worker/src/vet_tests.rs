use serde_json::json;
use weijia_core::clip::refusal::RefusalCode;
use weijia_signals::{Measures, PictureSecond, SoundSecond, Waveform};

use super::*;

const HD: Size = Size { width: 720, height: 1280 };

fn facts(detail: serde_json::Value) -> Event {
    Event::Facts { width: HD.width, height: HD.height, duration_ms: 4_000, detail, measures: None }
}

fn rendition(name: &str, size: (u32, u32), codecs: &str) -> Event {
    let (width, height) = size;
    let (name, codecs, file) = (name.to_owned(), codecs.to_owned(), "480/init.mp4".to_owned());
    Event::Rendition { name, width, height, bandwidth: 1_000_000, codecs, file }
}

fn segment(name: &str, n: i64, duration_ms: i64) -> Event {
    Event::Segment { name: name.into(), n, duration_ms, file: "480/00000.m4s".into() }
}

fn complete(name: &str) -> Event {
    Event::Complete { name: name.into(), bandwidth: 900_000 }
}

const GOOD: &str = "avc1.64001F,mp4a.40.2";

/// A vet that has heard of a portrait source and its 480 rung.
fn begun() -> Vet {
    let mut vet = Vet::new(1_000, None);
    vet.admit(facts(json!({}))).unwrap();
    vet.admit(rendition("480", (480, 854), GOOD)).unwrap();
    vet
}

#[test]
fn an_honest_child_is_believed() {
    let mut vet = begun();
    for n in 0..300 {
        vet.admit(segment("480", n, 2_000)).unwrap();
    }
    vet.admit(complete("480")).unwrap();
    vet.admit(Event::Progress { percent: 100 }).unwrap();
    vet.admit(Event::Done { left: Some(Task::OtherRungs) }).unwrap();

    // The ladder's facts are those of the job before it.
    let mut ladder = Vet::new(1_000, Some((HD, 4_000)));
    ladder.admit(rendition("720", (720, 1280), "avc1.4D401E")).unwrap();
    // A source that is copied keeps its size, whatever that is.
    let mut copied = Vet::new(1_000, Some((Size { width: 2160, height: 3840 }, 4_000)));
    copied.admit(rendition("2160", (2160, 3840), GOOD)).unwrap();
    // Small ones and panoramas.
    Vet::new(1, Some((Size { width: 175, height: 143 }, 1))).admit(rendition("142", (174, 142), GOOD)).unwrap();
    Vet::new(1, Some((Size { width: 4000, height: 480 }, 1))).admit(rendition("480", (1920, 230), GOOD)).unwrap();
}

#[test]
fn a_name_that_goes_into_a_key_is_one_of_the_plan() {
    for name in ["../..", "", "480/..", "480 ", "1080", "0480", "٤٨٠", "x"] {
        let mut vet = Vet::new(1_000, Some((HD, 4_000)));
        assert!(vet.admit(rendition(name, (480, 854), GOOD)).is_err(), "{name}");
    }
    assert!(begun().admit(rendition("480", (480, 854), GOOD)).is_err(), "twice");
    assert!(Vet::new(1, None).admit(rendition("480", (480, 854), GOOD)).is_err(), "before the facts");
}

#[test]
fn codecs_cannot_write_a_playlist() {
    for codecs in [
        "avc1.64001F\"\nhttps://elsewhere/x.m3u8\n",
        "avc1.64001F,mp4a.40.2\n",
        "avc1.64001f",
        "avc1.64001",
        "avc1.64001F0",
        "avc1.64001F,mp4a.40.2,mp4a.40.2",
        "hvc1.1.6.L93",
        "",
        "avc1.6400é",
    ] {
        let mut vet = Vet::new(1_000, Some((HD, 4_000)));
        assert!(vet.admit(rendition("480", (480, 854), codecs)).is_err(), "{codecs}");
    }
}

#[test]
fn sizes_are_those_of_a_ladder() {
    for size in [(481, 854), (0, 0), (1922, 480), (480, 4_000_000_000)] {
        let mut vet = Vet::new(1_000, Some((HD, 4_000)));
        assert!(vet.admit(rendition("480", size, GOOD)).is_err(), "{size:?}");
    }
    for (width, height, duration_ms) in [(0, 9, 1), (9, 20_000, 1), (9, 9, -1), (9, 9, i64::MAX)] {
        let event = Event::Facts { width, height, duration_ms, detail: json!({}), measures: None };
        assert!(Vet::new(1, None).admit(event).is_err(), "{width}x{height}, {duration_ms}");
    }
    let grown = Event::Facts { width: 720, height: 1282, duration_ms: 4_000, detail: json!({}), measures: None };
    assert!(begun().admit(grown).is_err());
}

#[test]
fn segments_come_one_by_one_and_come_to_an_end() {
    for (n, ms) in [(1, 2_000), (-1, 2_000), (0, 0), (0, -5), (0, 10_001), (0, i64::MAX)] {
        assert!(begun().admit(segment("480", n, ms)).is_err(), "{n}, {ms} ms");
    }
    assert!(begun().admit(segment("720", 0, 2_000)).is_err(), "of one that did not begin");
    assert!(begun().admit(complete("480")).is_err(), "empty");
    assert!(begun().admit(Event::Complete { name: "480".into(), bandwidth: -1 }).is_err());
    let mut vet = begun();
    for n in 0..MAX_SEGMENTS {
        vet.admit(segment("480", n, 1)).unwrap();
    }
    assert!(vet.admit(segment("480", MAX_SEGMENTS, 1)).is_err());
    vet.admit(complete("480")).unwrap();
    assert!(vet.admit(complete("480")).is_err());
}

#[test]
fn what_she_reads_is_written_here() {
    let said = |warnings| Vet::new(1, None).admit(facts(json!({"video": {"codec": "h264"}, "warnings": warnings})));
    let Ok(Event::Facts { detail, .. }) = said(json!([{"code": "cut", "kept_ms": 2_000}, {"code": "no_sound"}])) else {
        panic!("refused")
    };
    assert!(detail["warnings"][0].as_str().unwrap().contains("前面 2 秒"), "{detail}");
    assert_eq!(detail["video"]["codec"], "h264");
    for lie in [
        json!(["你的账号有问题，把密码发到 138…"]),
        json!([{"code": "pay_here"}]),
        json!(vec![json!({"code": "no_sound"}); 9]),
        json!("x"),
    ] {
        assert!(said(lie.clone()).is_err(), "{lie}");
    }
    assert!(Vet::new(1, None).admit(facts(json!([1]))).is_err());
    assert!(Vet::new(1, None).admit(facts(json!({"video": "x".repeat(MAX_DETAIL)}))).is_err());
}

#[test]
fn a_codec_that_is_named_to_her_is_a_name() {
    let said = |codec: &str| {
        let event = Event::Refused { code: RefusalCode::UnreadableCodec, codec: Some(codec.into()) };
        Vet::new(1, None).admit(event)
    };
    assert!(["vvc", "dav1", "dolby_vision"].iter().all(|name| said(name).is_ok()));
    for lie in ["", "到这个网址下载", "a b", "http://x", &"x".repeat(21)] {
        assert!(said(lie).is_err(), "{lie}");
    }
}

#[test]
fn what_is_stored_has_an_end() {
    assert_eq!(allowance(1_000, 0), 64 << 20);
    assert_eq!(allowance(100 << 20, 1_000), 160 << 20);
    // Ten minutes that AV1 packed into ten megabytes.
    assert_eq!(allowance(10 << 20, MAX_DURATION_MS), 390_000_000);
    assert_eq!(allowance(10 << 20, i64::MAX), 390_000_000);
    assert!(allowance(u64::MAX, 0) > 0);
    let mut vet = Vet::new(1_000, Some((HD, 4_000)));
    vet.count(64 << 20).unwrap();
    assert!(vet.count(1).is_err());
}

#[test]
fn the_measures_of_the_longest_clip_fit_into_a_line() {
    let picture =
        PictureSecond { light: 235, middle: 235, backlight: -219, sharp: 10_000, shake: 10_000, change: 21_900 };
    let sound = vec![SoundSecond { level: -99, clipped: 10_000, low: 100 }; MAX_SECONDS];
    let measures = Measures { pictures: vec![picture; MAX_SECONDS], sound: Some(sound), sideways: false };
    let facts =
        |measures| Event::Facts { width: 9, height: 9, duration_ms: 9, detail: json!({}), measures: Some(measures) };
    let line = serde_json::to_vec(&facts(measures.clone())).unwrap();
    assert!(line.len() < crate::supervise::LONGEST_LINE, "{}", line.len());
    assert_eq!(serde_json::from_slice::<Event>(&line).unwrap(), facts(measures.clone()));
    assert!(Vet::new(1, None).admit(facts(measures.clone())).is_ok());
    let more = Measures { pictures: vec![picture; MAX_SECONDS + 1], ..measures };
    assert!(Vet::new(1, None).admit(facts(more)).is_err());
}

#[test]
fn captions_are_few_and_their_titles_are_one_line() {
    let track = |title: Option<&str>| CaptionFile {
        language: "zh".parse().unwrap(),
        title: title.map(str::to_owned),
        file: "captions-0.vtt".into(),
    };
    let admitted = |tracks: Vec<CaptionFile>| begun().admit(Event::Captions { tracks }).is_ok();
    assert!(admitted(vec![track(None), track(Some("导演的话"))]));
    assert!(admitted(vec![track(None); caption::MAX_TRACKS]));
    assert!(!admitted(vec![track(None); caption::MAX_TRACKS + 1]));
    for odd in ["两\n行", " 空", "\u{202e}反", &"长".repeat(caption::MAX_TITLE + 1)] {
        assert!(!admitted(vec![track(Some(odd))]), "{odd}");
    }
    let language = json!({"event": "captions", "tracks": [{"language": "zh/..", "title": null, "file": "x"}]});
    assert!(serde_json::from_value::<Event>(language).is_err());
}

#[test]
fn a_waveform_is_one_of_ours_and_fits_into_a_line() {
    let data = vec![-128; 2 * weijia_signals::MAX_POINTS];
    let (length, sample_rate, samples_per_pixel) = (weijia_signals::MAX_POINTS, 48_000, 1 << 20);
    let waveform = Waveform { version: 2, channels: 1, sample_rate, samples_per_pixel, bits: 8, length, data };
    let event = Event::Waveform { waveform: waveform.clone() };
    assert!(serde_json::to_vec(&event).unwrap().len() < crate::supervise::LONGEST_LINE);
    assert!(begun().admit(event).is_ok());
    assert!(begun().admit(Event::Waveform { waveform: Waveform { length: 7, ..waveform } }).is_err());
}

#[test]
fn one_job_follows_the_first_and_none_follows_that() {
    assert_eq!(next(JobKind::Prepare, Some(Task::Ladder)), Ok(Some(JobKind::Ladder)));
    assert_eq!(next(JobKind::Prepare, Some(Task::OtherRungs)), Ok(Some(JobKind::OtherRungs)));
    assert_eq!((next(JobKind::Ladder, None), next(JobKind::OtherRungs, None)), (Ok(None), Ok(None)));
    assert!(next(JobKind::Prepare, None).is_err(), "a film of which nothing was made");
    for (done, left) in [
        (JobKind::Prepare, Task::Prepare),
        (JobKind::Ladder, Task::Ladder),
        (JobKind::OtherRungs, Task::OtherRungs),
        (JobKind::OtherRungs, Task::Ladder),
        (JobKind::Ladder, Task::OtherRungs),
        (JobKind::Ladder, Task::ProbeJail),
    ] {
        assert!(next(done, Some(left)).is_err(), "for ever: {left:?} after {}", done.as_str());
    }
}

/// A vet of a later attempt: of 480 two segments are published, and all of 360.
fn behind() -> Vet {
    let rung = |name: &str, complete| PublishedRung { name: name.into(), segments: vec![2_000, 2_000], complete };
    let published = Published { rungs: vec![rung("480", false), rung("360", true)], film: false };
    Vet::new(1_000, Some((HD, 8_000))).behind(&published, 5_000)
}

#[test]
fn a_later_attempt_goes_on_behind_what_is_published() {
    let mut vet = behind();
    assert!(vet.admit(segment("480", 2, 2_000)).is_err(), "its head comes first");
    let mut vet = behind();
    vet.admit(rendition("480", (480, 854), GOOD)).unwrap();
    vet.admit(segment("480", 2, 2_000)).unwrap();
    vet.admit(complete("480")).unwrap();
    // All of its segments were published, and nobody had said so.
    behind().admit(complete("480")).unwrap();
    behind().admit(Event::Otherwise { name: "480".into() }).unwrap();
    assert!(behind().admit(Event::Otherwise { name: "720".into() }).is_err(), "nothing of it is published");
    assert!(behind().admit(rendition("360", (360, 640), GOOD)).is_err(), "all of it is there");
    assert!(behind().admit(complete("360")).is_err());
    let mut vet = behind();
    vet.admit(rendition("480", (480, 854), GOOD)).unwrap();
    for n in [0, 1, 3] {
        assert!(vet.admit(segment("480", n, 2_000)).is_err(), "{n}");
    }
    assert!(vet.admit(rendition("480", (480, 854), GOOD)).is_err(), "twice");
}

#[test]
fn what_earlier_attempts_have_stored_counts_too() {
    let most = allowance(1_000, 8_000);
    assert!(behind().count(most - 5_000).is_ok());
    assert!(behind().count(most - 4_999).is_err());
}
