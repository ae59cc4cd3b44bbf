//! What is changed in a film, decided by a number.

use crate::kit;
use crate::kit::surgery::Dice;

/// A second each of what phones and browsers make.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let avc = "-c:v libx264 -preset ultrafast -g 8 -c:a aac";
    let folder = tempfile::tempdir().expect("a folder");
    let film = |name: &'static str, ending: &str, codec: &str| {
        let path = folder.path().join(format!("{}.{ending}", name.replace(' ', "-")));
        let text = path.to_string_lossy().into_owned();
        let mut arguments = vec!["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=15", "-f", "lavfi", "-i", "sine"];
        arguments.extend(["-t", "1", "-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-flags", "+bitexact"]);
        arguments.extend(codec.split(' ').chain([&*text]));
        kit::ffmpeg(&arguments).expect("a film");
        (name, std::fs::read(path).expect("a film"))
    };
    vec![
        film("mp4", "mp4", avc),
        film("faststart", "mp4", &format!("{avc} -movflags +faststart")),
        film("fragments", "mp4", &format!("{avc} -movflags +frag_keyframe+empty_moov")),
        film("mov", "mov", "-c:v mjpeg -q:v 5 -c:a pcm_s16le"),
        film("3gp", "3gp", "-c:v mpeg4 -q:v 5 -c:a aac -ac 1"),
        film(
            "hevc",
            "mp4",
            "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=error:keyint=8 -c:a aac",
        ),
        film("webm", "webm", "-c:v libvpx -deadline realtime -g 8 -c:a libopus -live 1"),
        film("mkv", "mkv", avc),
        film("ts", "ts", avc),
        film("flv", "flv", avc),
    ]
}

/// One film, changed in one to six places, and what was done to it.
pub fn mutant(films: &[(&'static str, Vec<u8>)], seed: u64) -> (String, Vec<u8>) {
    let mut dice = Dice::new(seed);
    // The first numbers of neighbouring seeds are neighbours.
    for _ in 0..8 {
        dice.roll(2);
    }
    let (name, film) = &films[dice.roll(films.len())];
    let (mut film, mut how) = (film.clone(), (*name).to_owned());
    for _ in 0..=dice.roll(6) {
        how += ", ";
        how += change(&mut film, films, &mut dice);
    }
    (how, film)
}

fn change(film: &mut Vec<u8>, films: &[(&'static str, Vec<u8>)], dice: &mut Dice) -> &'static str {
    if film.len() < 64 {
        return "too short";
    }
    let at = place(film, dice).min(film.len() - 1);
    match dice.roll(8) {
        0 => {
            film[at] ^= 1 << dice.roll(8);
            "a bit"
        }
        1 => {
            film[at] = dice.roll(256) as u8;
            "a byte"
        }
        // Lengths and counts are numbers of four bytes in one family, and of eight.
        2 => {
            let numbers = [0_u32, 1, 7, 8, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x0001_0000];
            let number = numbers[dice.roll(numbers.len())].to_be_bytes();
            let end = (at + 4).min(film.len());
            film[at..end].copy_from_slice(&number[..end - at]);
            "a number"
        }
        3 => {
            let end = (at + 1 + dice.roll(64)).min(film.len());
            film[at..end].iter_mut().for_each(|byte| *byte = dice.roll(256) as u8);
            "noise"
        }
        4 => {
            film.truncate(at.max(32));
            "cut off"
        }
        5 => {
            let end = (at + 1 + dice.roll(2_000)).min(film.len());
            film.drain(at..end);
            "a hole"
        }
        6 => {
            let end = (at + 1 + dice.roll(2_000)).min(film.len());
            let again = film[at..end].to_vec();
            film.splice(at..at, again);
            "a piece twice"
        }
        _ => {
            let (_, other) = &films[dice.roll(films.len())];
            let from = dice.roll(other.len());
            let to = (from + dice.roll(4_000)).min(other.len());
            film.splice(at..at, other[from..to].iter().copied());
            "a piece of another film"
        }
    }
}

/// Mostly where something is said about the film: in front of the name of a box, or near the beginning or the end.
fn place(film: &[u8], dice: &mut Dice) -> usize {
    const BOXES: [&[u8; 4]; 14] = [
        b"moov", b"mvhd", b"trak", b"tkhd", b"elst", b"mdhd", b"stsd", b"stts", b"stsc", b"stsz", b"stco", b"moof",
        b"trun", b"mdat",
    ];
    let head = film.len().min(600);
    match dice.roll(4) {
        0 => dice.roll(film.len()),
        1 => dice.roll(head),
        2 => film.len() - 1 - dice.roll(head),
        _ => {
            let kind = BOXES[dice.roll(BOXES.len())];
            match film.windows(4).position(|w| w == kind) {
                Some(at) => (at + dice.roll(24)).saturating_sub(4),
                None => dice.roll(head),
            }
        }
    }
}
