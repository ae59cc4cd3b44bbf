//! A film among other things in the same file.

use std::path::PathBuf;

use crate::{Film, kit};

const AVC: &str = "-c:v libx264 -c:a aac";

/// Makes one film out of the film and another input.
fn with(arguments: &'static str, ending: &'static str) -> impl Fn(PathBuf) -> PathBuf {
    move |path| {
        let out = path.with_file_name(format!("with.{ending}"));
        let (from, to) = (path.to_string_lossy().into_owned(), out.to_string_lossy().into_owned());
        let more = arguments.split_whitespace();
        let all: Vec<&str> = ["-i", &from].into_iter().chain(more).chain([&*to]).collect();
        kit::ffmpeg(&all).unwrap_or_else(|why| panic!("{arguments}: {why}"));
        out
    }
}

#[test]
fn the_film_is_found_among_other_tracks() {
    let cover = "-f lavfi -i color=red:size=600x600:rate=1:duration=1 -map 0 -map 1 -frames:v:1 1 -c copy -c:v:1 mjpeg \
                 -pix_fmt:v:1 yuvj420p -disposition:v:1 attached_pic -shortest";
    Film::new("a cover", "mp4", AVC).plays_after(with(cover, "mp4"));
    let still = "-f lavfi -i color=red:size=640x480:rate=1:duration=1 -map 0 -map 1 -c copy -c:v:1 libx264 -frames:v:1 1 -shortest";
    Film::new("a still beside it", "mp4", AVC).plays_after(with(still, "mp4"));
    let two = "-f lavfi -i color=red:size=160x120:rate=30:duration=1 -map 0 -map 1 -c copy -c:v:1 libx264 -t 1";
    Film::new("a smaller film beside it", "mp4", AVC).plays_after(with(two, "mp4"));
    let sounds = "-f lavfi -i sine=frequency=880:duration=1 -f lavfi -i anullsrc=duration=1 -map 0 -map 1 -map 2 -c copy -c:a:1 aac -c:a:2 aac -t 1";
    Film::new("three sounds", "mp4", AVC).plays_after(with(sounds, "mp4"));
    Film::new("a clock of the camera", "mov", AVC).plays_after(with("-c copy -timecode 01:02:03:04", "mov"));
}

#[test]
fn words_and_data_beside_a_film_are_left_alone() {
    let subtitled = |path: PathBuf| {
        let words = path.with_file_name("words.srt");
        std::fs::write(&words, "1\n00:00:00,000 --> 00:00:01,000\nhello\n").expect("room");
        let out = path.with_file_name("subtitled.mp4");
        let text = |p: &PathBuf| p.to_string_lossy().into_owned();
        kit::ffmpeg(&["-i", &text(&path), "-i", &text(&words), "-c", "copy", "-c:s", "mov_text", &text(&out)])
            .expect("a film");
        out
    };
    Film::new("subtitles", "mp4", AVC).plays_after(subtitled);
    let chapters = |path: PathBuf| {
        let marks = path.with_file_name("marks.txt");
        std::fs::write(&marks, ";FFMETADATA1\ntitle=x\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n")
            .expect("room");
        let out = path.with_file_name("chapters.mp4");
        let text = |p: &PathBuf| p.to_string_lossy().into_owned();
        kit::ffmpeg(&["-i", &text(&path), "-i", &text(&marks), "-map_metadata", "1", "-c", "copy", &text(&out)])
            .expect("a film");
        out
    };
    Film::new("chapters", "mp4", AVC).plays_after(chapters);
}
