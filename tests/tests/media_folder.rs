//! Files that phones, browsers and ill will have really made. They lie beside the project, not in it: where the folder
//! `../shared/media` is missing there is nothing to test.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weijia_tests::browser::{chromium, run};
use weijia_tests::tus::About;
use weijia_tests::{TestServer, User};

fn folder(name: &str) -> Option<Vec<PathBuf>> {
    let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/media").join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(media).ok()?.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Every good file plays, in a browser too, stands upright, and has its poster and storyboard.
#[tokio::test(flavor = "multi_thread")]
async fn good_files_become_playable() {
    let Some(files) = folder("good") else { return };
    let server = TestServer::start().await;
    let (trainee, person) = server.newcomer().await;
    let mut clips = Vec::new();
    for file in &files {
        clips.push((file, trainee.upload(file, &About::file(file, name(file))).await.clip));
    }
    for (file, clip) in &clips {
        trainee.wait_playable(clip).await;
        let ready = trainee.wait_ready(clip).await;
        let media = &ready["media"];
        for part in ["poster", "storyboard_vtt", "hls"] {
            assert!(media[part].is_string(), "{}: {part} is missing: {ready}", name(file));
        }
        assert!(media["duration_ms"].as_i64() > Some(0), "{}: {media}", name(file));
        upright(&trainee, name(file), media).await;
    }
    if let Some(browser) = chromium() {
        let clips: Vec<_> = clips.iter().map(|(file, id)| json!({"name": name(file), "id": id})).collect();
        let people = json!({ "trainee": person });
        let given = [("WEIJIA_CLIPS", json!(clips).to_string())];
        let script = run(&browser, "playing.test.mjs", &server, &people, &given);
        assert!(script.await.unwrap().success(), "not all of it plays in the browser; the report is above");
    }
    server.end().await;
}

/// The files that were held upright or sideways, as their makers say; the others may be any way up.
async fn upright(trainee: &User, name: &str, media: &Value) {
    let tall = match name {
        "portrait_4k60.mp4" | "sample_edit_list.mp4" | "sio_sideways_movie.mov" => true,
        "pixel7_videoOnly_cleaned.mp4" | "sk_bbb.mp4" => false,
        _ => return,
    };
    let (width, height) = (media["width"].as_i64().unwrap(), media["height"].as_i64().unwrap());
    assert_eq!(height > width, tall, "{name}: {width}x{height}");
    // A sideways file would have a lying poster.
    let (poster, _) = trainee.fetch(media["poster"].as_str().unwrap()).await;
    let (width, height) = jpeg_size(&poster);
    assert_eq!(height > width, tall, "{name}: the poster is {width}x{height}");
}

fn jpeg_size(bytes: &[u8]) -> (u16, u16) {
    let mut at = 2;
    loop {
        let (marker, length) = (bytes[at + 1], u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        if matches!(marker, 0xc0..=0xc2) {
            let number = |i: usize| u16::from_be_bytes([bytes[at + i], bytes[at + i + 1]]);
            return (number(7), number(5));
        }
        at += 2 + length as usize;
    }
}

/// Every hostile file is refused for what it is, in words, and the server goes on as if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_are_refused_with_their_reason() {
    let Some(files) = folder("hostile") else { return };
    let server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 8).await;
    for file in &files {
        let refusal = refusal(&trainee, file).await;
        let expected = expected(name(file));
        assert!(
            expected.contains(&refusal["code"].as_str().unwrap_or("?")),
            "{}: {refusal}, not {expected:?}",
            name(file)
        );
        let said = |part: &str| refusal[part].as_str().is_some_and(|text| text.ends_with('。'));
        assert!(said("message") && said("next_step"), "{}: {refusal}", name(file));
    }
    assert_eq!(trainee.get("/health").await["ok"], true);
    server.end().await;
}

/// Some are stopped while they come in, others when the worker looks at them.
async fn refusal(trainee: &User, file: &Path) -> Value {
    match trainee.try_upload(file, &About::file(file, name(file))).await {
        Err(refusal) => refusal,
        Ok(upload) => {
            let clip = trainee.wait_refused(&upload.clip).await;
            assert_eq!(
                (clip["playable"].as_bool(), clip["media_state"].as_str()),
                (Some(false), Some("failed")),
                "{clip}"
            );
            clip["refusal"].clone()
        }
    }
}

fn expected(name: &str) -> &'static [&'static str] {
    match name {
        "d_zero.mp4" => &["not_a_video", "empty"],
        "d_random.mp4" | "sio_broken.mp4" | "chunk_out_of_range.mp4" => &["not_a_video"],
        "d_truncated_moov_first_or_last.mp4" | "invalid_userdata.mp4" => &["incomplete"],
        "d_ssrf_playlist.mp4" | "d_concat_lfi.mp4" => &["playlist"],
        "d_bomb_8192.mp4" => &["too_many_pixels"],
        "mb_multiple-aac-tracks.mp4" | "sample_audio_only.mp4" | "opus_audioinit.mp4" => &["no_picture"],
        "sample_vvc.mp4" | "video_dovi_3840x2160_30fps_dav1_10.mp4" => &["unreadable_codec"],
        "av1-clearkey-cbcs-video.mp4" | "bipbop_480wp_1001kbps-cenc-video-key1-init.mp4" => &["encrypted"],
        _ => panic!("{name} has no reason here yet: MANIFEST.md says which"),
    }
}

/// Cut off, yet there is something to see: it plays, and she is told that it is cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_file_plays_as_far_as_it_goes() {
    let Some(files) = folder("partial") else { return };
    let server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 9).await;
    for file in &files {
        let clip = trainee.upload(file, &About::file(file, name(file))).await.clip;
        let ready = trainee.wait_ready(&clip).await;
        assert!(ready["playable"] == true && !ready["warnings"].as_array().unwrap().is_empty(), "{ready}");
    }
    server.end().await;
}
