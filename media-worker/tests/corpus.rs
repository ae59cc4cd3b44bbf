//! Real films from phones, browsers and test suites, where they are at hand: `../shared/media` beside the workspace.

mod kit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kit::{all, decoded, prepare, shown_size, streams};

/// The films of one kind; none when the folder is not there.
fn corpus(kind: &str) -> Vec<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    // A worktree lies deeper than the workspace that the films lie beside.
    let folder = workspace.ancestors().skip(1).map(|up| up.join("shared/media").join(kind)).find(|f| f.is_dir());
    let Some(folder) = folder else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a player shows of the source, by ffmpeg's own reading: size after turning, and whether there is sound.
fn expected(file: &Path) -> ((i64, i64), bool) {
    let still = tempfile::Builder::new().suffix(".png").tempfile().expect("a file");
    let path = still.path().to_string_lossy().into_owned();
    kit::ffmpeg(&[
        "-i",
        &file.to_string_lossy(),
        "-map",
        "0:V:0",
        "-vf",
        "scale=iw*sar:ih,setsar=1",
        "-frames:v",
        "1",
        &path,
    ])
    .expect("a picture");
    (
        streams(still.path())[0].size,
        streams(file).iter().any(|s| ["aac", "opus", "vorbis", "mp3", "amr_nb"].contains(&s.codec.as_str())),
    )
}

#[test]
fn every_good_film_becomes_playable_upright_and_in_time() {
    for file in corpus("good") {
        let name = name(&file);
        let ((width, height), sound) = expected(&file);
        let made = all(&file);
        assert_eq!((made.refusal(), made.left()), (None, None), "{name}");
        let facts = made.facts();
        let near = |a: i64, b: i64| (a - b).abs() <= 2;
        assert!(
            near(facts["width"].as_i64().unwrap(), width) && near(facts["height"].as_i64().unwrap(), height),
            "{name}: {facts}"
        );
        let ms = facts["duration_ms"].as_i64().unwrap();
        for rendition in made.of("rendition") {
            let rung = rendition["name"].as_str().unwrap();
            let path = made.rendition(rung);
            let tracks = streams(&path);
            let (w, h) = tracks[0].size;
            let shape = (w as f64 / h as f64) / (width as f64 / height as f64);
            assert!(
                (0.96..1.04).contains(&shape) && w <= width + 1 && h <= height + 1,
                "{name} {rung}: {w}x{h} of {width}x{height}"
            );
            assert!(tracks.iter().all(|t| t.start.abs() <= 0.001), "{name} {rung}: {tracks:?}");
            assert_eq!(tracks.len() > 1, sound, "{name} {rung}");
            let seconds = tracks.iter().map(|t| t.duration).fold(0.0, f64::max);
            assert!((seconds * 1000.0 - ms as f64).abs() < 150.0, "{name} {rung}: {seconds} s of {ms} ms");
            assert!(decoded(&path) > 0);
        }
        let film = shown_size(&made.path("video.mp4"));
        let shape = (film.0 as f64 / film.1 as f64) / (width as f64 / height as f64);
        assert!((0.96..1.04).contains(&shape), "{name}: the film shows {film:?}");
        assert!(made.path("poster.jpg").exists() && made.path("storyboard.vtt").exists(), "{name}");
    }
}

#[test]
fn every_hostile_file_is_refused_with_its_reason_at_once() {
    for file in corpus("hostile") {
        let name = name(&file);
        let reason = match name.as_str() {
            "d_zero.mp4" => "empty",
            "d_random.mp4" | "sio_broken.mp4" | "chunk_out_of_range.mp4" => "not_a_video",
            "d_truncated_moov_first_or_last.mp4" | "invalid_userdata.mp4" => "incomplete",
            "d_ssrf_playlist.mp4" | "d_concat_lfi.mp4" => "playlist",
            "d_bomb_8192.mp4" => "too_many_pixels",
            "mb_multiple-aac-tracks.mp4" | "sample_audio_only.mp4" | "opus_audioinit.mp4" => "no_picture",
            "sample_vvc.mp4" | "video_dovi_3840x2160_30fps_dav1_10.mp4" => "unreadable_codec",
            "av1-clearkey-cbcs-video.mp4" | "bipbop_480wp_1001kbps-cenc-video-key1-init.mp4" => "encrypted",
            other => panic!("{other} has no expected reason"),
        };
        let made = prepare(&file);
        assert_eq!(
            (made.refusal(), made.order()),
            (Some(reason), vec!["refused".to_owned(), "done".to_owned()]),
            "{name}"
        );
        assert!(made.took < Duration::from_secs(5), "{name} took {:?}", made.took);
    }
}

#[test]
fn every_cut_film_plays_what_there_is_and_says_so() {
    for file in corpus("partial") {
        let made = prepare(&file);
        assert_eq!(made.refusal(), None, "{}", name(&file));
        assert_eq!(made.facts()["detail"]["cut"], true, "{}", name(&file));
        assert!(decoded(&made.path("video.mp4")) > 0);
    }
}
