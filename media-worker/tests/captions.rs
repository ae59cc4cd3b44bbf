//! Captions that come in films, and how loud films are.

mod kit;

use std::path::{Path, PathBuf};

use kit::{Made, all, ffmpeg, film, moments, numbers, prepare, remade};
use weijia_signals::{MAX_POINTS, Waveform};

const TONE: &str = "sine=frequency=440";
const H264: [&str; 7] = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-bf"];

fn counted(seconds: u32, sound: Option<&str>) -> PathBuf {
    film(&kit::counter("30"), sound, seconds, &[&H264[..], &["2", "-c:a", "aac"]].concat())
}

/// The film with these texts as tracks, each with its language.
fn with_words(film: &Path, name: &str, texts: &[(&str, &str)], codec: &str) -> PathBuf {
    let out = film.with_file_name(name);
    let files: Vec<String> =
        (0..texts.len()).map(|n| film.with_file_name(format!("{name}-{n}.srt")).display().to_string()).collect();
    let mut arguments = vec!["-i".to_owned(), film.display().to_string()];
    for (file, (_, text)) in files.iter().zip(texts) {
        std::fs::write(file, text).unwrap();
        arguments.extend(["-i".to_owned(), file.clone()]);
    }
    (0..=texts.len()).for_each(|n| arguments.extend(["-map".to_owned(), n.to_string()]));
    arguments.extend(["-c", "copy", "-c:s", codec].map(str::to_owned));
    for (n, (language, _)) in texts.iter().enumerate() {
        arguments.extend([format!("-metadata:s:s:{n}"), format!("language={language}")]);
        arguments.extend([format!("-metadata:s:s:{n}"), "handler_name=Redmi of the chair".to_owned()]);
    }
    arguments.push(out.display().to_string());
    ffmpeg(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).expect("a film with words");
    out
}

/// Each track's language and text.
fn captions(made: &Made) -> Vec<(String, String)> {
    let tracks = made.of("captions").flat_map(|event| event["tracks"].as_array().unwrap());
    let text = |file: &str| std::fs::read_to_string(made.path(file)).unwrap();
    tracks.map(|t| (t["language"].as_str().unwrap().to_owned(), text(t["file"].as_str().unwrap()))).collect()
}

/// When the words are shown first, in seconds.
fn shown_at(vtt: &str, words: &str) -> f64 {
    let before = &vtt[..vtt.find(words).expect("the words")];
    let stamp = before.lines().rev().find_map(|line| line.split_once(" --> ")).expect("a time").0;
    stamp.split(':').fold(0.0, |seconds, field| seconds * 60.0 + field.parse::<f64>().unwrap())
}

const ZH: &str =
    "1\n00:00:01,000 --> 00:00:02,000\n<i>第一句</i>\n\n2\n00:00:02,000 --> 00:00:03,500\n第二句 <b>粗</b> & 完\n";
const EN: &str = "1\n00:00:01,000 --> 00:00:02,000\nfirst\n";

#[test]
fn words_of_every_container_become_the_same_text() {
    // Sound would begin a little before its pictures, in containers that do not say where it is to be cut.
    let plain = counted(4, None);
    let zh = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<i>第一句</i>\n\n00:00:02.000 --> 00:00:03.500\n第二句 <b>粗</b> &amp; 完\n";
    let en = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nfirst\n";
    for (name, codec) in
        [("a.mp4", "mov_text"), ("a.mov", "mov_text"), ("b.mkv", "subrip"), ("c.mkv", "ass"), ("d.mkv", "webvtt")]
    {
        let made = all(&with_words(&plain, name, &[("chi", ZH), ("eng", EN)], codec));
        assert_eq!(captions(&made), [("zh".into(), zh.into()), ("en".into(), en.into())], "{name} {codec}");
        assert_eq!(made.order().last().map(String::as_str), Some("done"));
        assert!(!made.events.iter().any(|event| event.to_string().contains("Redmi")), "{name}");
    }
    assert_eq!(captions(&all(&plain)), []);
}

#[test]
fn words_stay_with_their_picture_however_a_film_begins() {
    let spoken = "1\n00:00:03,000 --> 00:00:04,000\n现在\n";
    let whole = with_words(&counted(6, Some(TONE)), "whole.mp4", &[("chi", spoken)], "mov_text");
    let path = whole.display().to_string();
    // Cut by an editor that copies: its edit list begins in the middle of a group of pictures.
    let cut = |from: &str, name: &str| {
        let out = whole.with_file_name(name);
        let words = if name.ends_with("mkv") { "subrip" } else { "copy" };
        ffmpeg(&["-ss", from, "-i", &path, "-map", "0", "-c", "copy", "-c:s", words, out.to_str().unwrap()])
            .expect("a cut film");
        out
    };
    // All of it begins late, or only its pictures.
    let late = whole.with_file_name("late.mp4");
    ffmpeg(&["-itsoffset", "1.3", "-i", &path, "-map", "0", "-c", "copy", late.to_str().unwrap()])
        .expect("a late film");
    let silent = whole.with_file_name("silent.mp4");
    let delayed =
        ["-i", &path, "-itsoffset", "0.7", "-i", &path, "-map", "1:v", "-map", "0:a", "-map", "1:s", "-c", "copy"];
    ffmpeg(&[&delayed[..], &[silent.to_str().unwrap()]].concat()).expect("a film whose sound begins first");
    for source in [whole.clone(), cut("1.5", "cut.mp4"), cut("1.5", "cut.mkv"), cut("0.4", "cut.mov"), late, silent] {
        let name = source.file_name().unwrap().to_string_lossy().into_owned();
        let made = all(&source);
        let rung = made.rendition("240");
        let spoken_at = (numbers(&rung).iter().position(|n| *n == 90)).map(|n| moments(&rung)[n]).expect("its picture");
        let shown = shown_at(&captions(&made)[0].1, "现在");
        assert!((shown - spoken_at).abs() <= 0.04, "{name}: the picture is at {spoken_at} s, its words at {shown} s");
    }
}

#[test]
fn a_broken_track_costs_nothing_but_itself() {
    let source = with_words(
        &counted(3, None),
        "odd.mkv",
        &[("chi", "1\n00:00:01,000 --> 00:00:02,000\nXXXXXX\n"), ("eng", EN)],
        "subrip",
    );
    let mut bytes = std::fs::read(&source).unwrap();
    let at = bytes.windows(6).position(|window| window == b"XXXXXX").expect("the words");
    bytes[at..at + 6].fill(0xff);
    let odd = source.with_file_name("odd-2.mkv");
    std::fs::write(&odd, &bytes).unwrap();
    let made = all(&odd);
    assert_eq!(captions(&made).iter().map(|(language, _)| language.as_str()).collect::<Vec<_>>(), ["en"]);
    assert_eq!((made.refusal(), made.order().last().map(String::as_str)), (None, Some("done")));
    // Far too many words.
    let many: String = (0..6_000)
        .map(|n| format!("{n}\n00:00:01,{:03} --> 00:00:02,500\n{}\n\n", n % 1000, "字".repeat(60)))
        .collect();
    let source = with_words(&counted(3, None), "many.mp4", &[("chi", &many)], "mov_text");
    let made = all(&source);
    let (_, text) = &captions(&made)[0];
    assert!(text.matches("-->").count() <= 2_000 && text.len() <= 512 << 10, "{} bytes", text.len());
}

#[test]
fn what_is_heard_is_measured_over_the_whole_film() {
    let loud_at_the_end = "aevalsrc='0.5*sin(2764*t)*gte(t,2)':s=48000";
    let source =
        film("testsrc2=size=320x240:rate=30", Some(loud_at_the_end), 4, &[&H264[..], &["0", "-c:a", "aac"]].concat());
    let others = remade(&source, "other.mp4", &["-c:v", "mpeg4", "-c:a", "copy"]);
    for source in [source, others] {
        let made = prepare(&source);
        assert_eq!(made.of("waveform").count(), 1);
        let event = made.of("waveform").next().unwrap();
        let wave: Waveform = serde_json::from_value(event["waveform"].clone()).unwrap();
        assert!(wave.is_sound() && wave.length <= MAX_POINTS);
        let second = |n: usize| {
            let each = wave.sample_rate as usize / wave.samples_per_pixel as usize;
            let points = &wave.data[2 * n * each + 8..2 * (n + 1) * each - 8];
            points.iter().map(|value| value.unsigned_abs()).max().unwrap()
        };
        assert!(second(0) < 3 && second(1) < 3, "{} {}", second(0), second(1));
        assert!((55..75).contains(&second(2)) && (55..75).contains(&second(3)), "{} {}", second(2), second(3));
    }
    let mute = film("testsrc2=size=320x240:rate=30", None, 2, &[&H264[..], &["0"]].concat());
    assert_eq!(prepare(&mute).of("waveform").count(), 0);
}
