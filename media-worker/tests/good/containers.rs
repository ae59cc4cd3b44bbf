//! How the same pictures are wrapped.

use std::path::PathBuf;

use crate::{Film, all_play};

const AVC: &str = "-c:v libx264 -c:a aac";

#[test]
fn every_container_is_read() {
    let webm = "-c:v libvpx -deadline realtime -b:v 2M -c:a libopus -live 1";
    all_play([
        Film::new("the index behind the media", "mp4", AVC),
        Film::new("the index before the media", "mp4", "-c:v libx264 -c:a aac -movflags +faststart"),
        Film::new("fragments", "mp4", "-c:v libx264 -g 15 -c:a aac -movflags +frag_keyframe+empty_moov"),
        Film::new("fragments with an index", "mp4", "-c:v libx264 -g 15 -c:a aac -movflags +dash+global_sidx"),
        Film::new("a first part and fragments", "mp4", "-c:v libx264 -g 15 -c:a aac -movflags +frag_keyframe"),
        Film::new("QuickTime", "mov", AVC),
        Film::new("3GP", "3gp", AVC),
        Film::new("3G2", "3g2", AVC),
        Film::new("MPEG-TS", "ts", AVC),
        Film::new("MPEG-TS of a camcorder", "m2ts", "-c:v libx264 -c:a ac3 -mpegts_m2ts_mode 1"),
        Film::new("Flash", "flv", AVC),
        Film::new("Matroska", "mkv", AVC),
        Film::new("Matroska without an end", "mkv", "-c:v libx264 -c:a aac -live 1"),
        Film::new("a recording of Chrome", "webm", webm),
        Film::new("a recording in short clusters", "webm", &format!("{webm} -cluster_time_limit 200")),
        Film::new("a recording of Chrome in H.264", "mkv", "-c:v libx264 -g 30 -c:a libopus -live 1"),
    ]);
}

#[test]
fn what_lies_around_a_film_is_no_matter() {
    let with = |change: fn(Vec<u8>) -> Vec<u8>| {
        move |path: PathBuf| {
            let bytes = change(std::fs::read(&path).expect("a film"));
            std::fs::write(&path, bytes).expect("room");
            path
        }
    };
    let film = |name| Film::new(name, "mp4", AVC);
    film("a box of nothing behind it").plays_after(with(|film| [&film[..], &[0, 0, 0, 8], b"free"].concat()));
    film("a word behind it").plays_after(with(|film| [&film[..], b"Made by app!"].concat()));
    film("a box that nobody knows").plays_after(with(|film| [&film[..], &[0, 0, 0, 12], b"beamdata"].concat()));
    film("an index that is the last, to the end of the file").plays_after(with(|mut film| {
        let at = film.windows(4).position(|w| w == b"moov").expect("an index") - 4;
        film[at..at + 4].fill(0);
        film
    }));
    film("its name says something else").plays_after(|path| {
        let other = path.with_extension("jpg");
        std::fs::rename(path, &other).expect("a name");
        other
    });
}
