//! The playlists that a player is given, held against the files that they name.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weijia_tests::tus::About;
use weijia_tests::{TestServer, User, media};

#[tokio::test(flavor = "multi_thread")]
async fn every_playlist_says_what_its_files_are() {
    let server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 7).await;
    let mut clips = Vec::new();
    for (file, title) in [(media::steps(), "放得出来就照抄"), (media::foreign(3), "要重新编码")] {
        clips.push(trainee.upload(&file, &About::file(&file, title)).await.clip);
    }
    for clip in clips {
        let ready = trainee.wait_ready(&clip).await;
        let hls = ready["media"]["hls"].as_str().expect("a playlist").to_owned();
        is_true(&trainee, &hls, ready["media"]["duration_ms"].as_f64().expect("a duration")).await;
    }
    server.end().await;
}

async fn text(user: &User, path: &str) -> String {
    let (bytes, kind) = user.fetch(path).await;
    assert_eq!(kind, "application/vnd.apple.mpegurl", "{path}");
    String::from_utf8(bytes).expect("text")
}

/// What is named in a playlist, as seen from where that lies.
fn beside(path: &str, name: &str) -> String {
    let (folder, _) = path.rsplit_once('/').expect("a folder");
    format!("{folder}/{name}")
}

fn tag<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {text}"))
}

async fn is_true(user: &User, path: &str, duration_ms: f64) {
    let master = text(user, path).await;
    assert!(master.starts_with("#EXTM3U\n") && tag(&master, "#EXT-X-VERSION:") == "7", "{master}");
    let mut rungs = 0;
    let mut lines = master.lines();
    while let Some(line) = lines.next() {
        let Some(said) = line.strip_prefix("#EXT-X-STREAM-INF:") else { continue };
        let name = lines.next().expect("what it is about");
        rung(user, &beside(path, name), said, duration_ms).await;
        rungs += 1;
    }
    assert!(rungs >= 2, "{master}");
}

async fn rung(user: &User, path: &str, said: &str, duration_ms: f64) {
    let list = text(user, path).await;
    assert!(list.starts_with("#EXTM3U\n") && tag(&list, "#EXT-X-VERSION:") == "7", "{list}");
    assert!(list.ends_with("#EXT-X-ENDLIST\n") && tag(&list, "#EXT-X-PLAYLIST-TYPE:") == "VOD", "{list}");
    let target: f64 = tag(&list, "#EXT-X-TARGETDURATION:").parse().expect("seconds");
    let head = tag(&list, "#EXT-X-MAP:URI=").trim_matches('"');
    let (mut film, _) = user.fetch(&beside(path, head)).await;
    let (mut sum, mut peak, mut lines) = (0.0, 0.0_f64, list.lines());
    while let Some(line) = lines.next() {
        let Some(length) = line.strip_prefix("#EXTINF:") else { continue };
        let seconds: f64 = length.trim_end_matches(',').parse().expect("seconds");
        assert!(seconds.round() <= target, "{seconds} s of {target}");
        let (segment, _) = user.fetch(&beside(path, lines.next().expect("a segment"))).await;
        // A last crumb is no measure of a stream.
        if seconds >= target / 8.0 {
            peak = peak.max(segment.len() as f64 * 8.0 / seconds);
        }
        sum += seconds;
        film.extend(segment);
    }
    assert!((sum * 1000.0 - duration_ms).abs() <= 50.0, "{sum} s of {duration_ms} ms");
    let bandwidth: f64 = attribute(said, "BANDWIDTH=").parse().expect("bits a second");
    assert!(bandwidth >= peak, "{bandwidth} bits a second, and {peak} at the peak");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("film.mp4");
    std::fs::write(&file, &film).expect("room");
    assert!(media::pictures(&film) > 0);
    let streams = streams(&file);
    let picture = &streams[0];
    assert_eq!(attribute(said, "RESOLUTION="), format!("{}x{}", picture["width"], picture["height"]));
    let codecs = said.split_once("CODECS=\"").and_then(|(_, rest)| rest.split('"').next()).expect("codecs");
    let profile = match picture["profile"].as_str() {
        Some("High") => 0x64,
        Some("Main") => 0x4d,
        other => panic!("a profile of {other:?}"),
    };
    let level = picture["level"].as_i64().expect("a level");
    assert!(codecs.starts_with(&format!("avc1.{profile:02X}")), "{codecs}");
    assert_eq!(&codecs[9..11], format!("{level:02X}"), "{codecs} of level {level}");
    let heard = streams.get(1).map(|sound| (sound["codec_name"].clone(), sound["profile"].clone()));
    assert_eq!(heard, Some(("aac".into(), "LC".into())));
    assert!(codecs.ends_with(",mp4a.40.2"), "{codecs}");
}

fn attribute<'a>(said: &'a str, name: &str) -> &'a str {
    said.split(',').find_map(|part| part.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {said}"))
}

fn streams(file: &Path) -> Vec<Value> {
    let output = Command::new("ffprobe").args(["-v", "error", "-of", "json", "-show_streams"]).arg(file).output();
    let report: Value = serde_json::from_slice(&output.expect("ffprobe").stdout).expect("JSON");
    report["streams"].as_array().expect("streams").clone()
}
