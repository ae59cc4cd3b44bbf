//! When pictures are shown.

use crate::film::PICTURE;
use crate::{Film, kit};

const AVC: &str = "-c:v libx264 -c:a aac";
const AS_IT_COMES: &str = "-c:v libx264 -fps_mode passthrough -enc_time_base 1/1000 -c:a aac";

fn at(rate: &str) -> String {
    format!("testsrc2=size=320x240:rate={rate}")
}

#[test]
fn pictures_come_at_any_rate() {
    for (name, rate, step) in [
        ("film", "24", 1),
        ("PAL", "25", 1),
        ("NTSC", "30000/1001", 1),
        ("a slow webcam", "7", 1),
        ("fifty", "50", 2),
        ("sixty", "60", 2),
        ("slow motion at 120", "120", 4),
        ("slow motion at 240", "240", 8),
    ] {
        Film::new(name, "mp4", AVC).picture(&at(rate), (320, 240)).one_of(step).seconds(2).plays();
    }
    Film::new("one picture", "mp4", "-c:v libx264 -frames:v 1").mute().lasts(0.033).plays();
    Film::new("one picture in WebM", "webm", "-c:v libvpx -frames:v 1").mute().lasts(0.033).plays();
    Film::new("two pictures", "mp4", "-c:v libx264 -frames:v 2").mute().lasts(0.066).plays();
    Film::new("one picture a second", "mp4", AVC).picture(&at("1"), (320, 240)).seconds(5).uneven().plays();
}

#[test]
fn pictures_come_unevenly() {
    let uneven = |how: &str| format!("{},settb=1/1000,setpts='{how}'", at("30"));
    for (name, how) in [
        ("early and late", "N*1000/30+mod(N*7919\\,15)*2"),
        ("slower and slower", "N*20+N*N/2"),
        ("a phone that dropped some", "N*33+floor(N/10)*66"),
    ] {
        let film = Film::new(name, "mp4", AS_IT_COMES).picture(&uneven(how), (320, 240)).seconds(2).uneven();
        film.plays();
    }
}

/// Phones that record sixty a second take thirty in the dark.
#[test]
fn no_picture_is_lost_where_sixty_a_second_fall_to_thirty() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4").to_string_lossy().into_owned();
    // The first three seconds at sixty, the next three at thirty: of those, each picture with its own number.
    let counter = format!("{},select='lt(t,3)+not(mod(n,2))'", kit::counter("60"));
    let encoded = ["-t", "6", "-fps_mode", "passthrough", "-c:v", "libx264", "-preset", "veryfast", &path];
    kit::ffmpeg(&[&["-f", "lavfi", "-i", &counter][..], &encoded].concat()).expect("a film");
    let made = kit::prepare(path.as_ref());
    let numbers = kit::numbers(&made.rendition("240"));
    let late: Vec<i64> = numbers.iter().copied().filter(|n| *n >= 180).collect();
    assert_eq!(late, (90..180).map(|n| 2 * n).collect::<Vec<_>>());
    let early = numbers.len() - late.len();
    assert!((88..=92).contains(&early), "{early} of 180 in three seconds");
}

#[test]
fn one_wrong_length_does_not_make_hours_of_a_minute() {
    let number = |body: &[u8], at: usize| u32::from_be_bytes(body[at..at + 4].try_into().expect("four bytes"));
    let with = |body: &[u8], at: usize, n: u32| [&body[..at], &n.to_be_bytes(), &body[at + 4..]].concat();
    let seconds = 3_000;
    Film::new("an hour at the end", "mp4", AVC).mute().plays_after(|path| {
        let film = std::fs::read(&path).expect("a film");
        let ticks = number(&film[kit::surgery::place(&film, b"mdhd") + 8..], 12) * seconds;
        let change = |kind: &kit::surgery::Kind, body: &[u8]| match kind {
            b"mdhd" => Some(with(body, 16, ticks)),
            // In milliseconds, as ffmpeg writes it.
            b"elst" => Some(with(body, 8, seconds * 1000)),
            b"stts" => {
                let (pictures, length) = (number(body, 8), number(body, 12));
                let entries = [2, pictures - 1, length, 1, ticks - (pictures - 1) * length];
                Some([&[0; 4][..], &entries.map(u32::to_be_bytes).concat()].concat())
            }
            _ => None,
        };
        std::fs::write(&path, kit::surgery::rewritten(&film, &change)).expect("room");
        let told = kit::output_of(
            "ffprobe",
            &["-v", "error", "-of", "csv=p=0", "-show_entries", "stream=duration", &path.to_string_lossy()],
        );
        assert!(told.trim().parse::<f64>().is_ok_and(|told| told > 2_900.0), "it tells {told}");
        path
    });
}

#[test]
fn a_length_told_too_short_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4");
    let inputs = ["-f", "lavfi", "-t", "700", "-i", "testsrc2=size=160x120:rate=10"];
    let encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
    kit::ffmpeg(&[&inputs[..], &encoded, &[&path.to_string_lossy()]].concat()).expect("a film");
    let film = std::fs::read(&path).expect("a film");
    let short = |body: &[u8], at: usize, by: u32| {
        let told = u32::from_be_bytes(body[at..at + 4].try_into().expect("four bytes"));
        [&body[..at], &(told / by).to_be_bytes(), &body[at + 4..]].concat()
    };
    let change = |kind: &kit::surgery::Kind, body: &[u8]| match kind {
        b"mvhd" | b"mdhd" => Some(short(body, 16, 30)),
        b"tkhd" => Some(short(body, 20, 30)),
        _ => None,
    };
    std::fs::write(&path, kit::surgery::rewritten(&film, &change)).expect("room");
    let made = kit::run(&path, "prepare");
    assert_eq!(made.refusal(), Some("too_long"), "{:?}", made.order());
}

#[test]
fn sound_that_goes_on_for_half_an_hour_makes_a_clip_too_long() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4");
    let inputs = ["-f", "lavfi", "-t", "2", "-i", PICTURE, "-f", "lavfi", "-t", "1800", "-i", "sine=sample_rate=16000"];
    let encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "16k"];
    kit::ffmpeg(&[&inputs[..], &encoded, &[&path.to_string_lossy()]].concat()).expect("a film");
    assert_eq!(kit::run(&path, "prepare").refusal(), Some("too_long"));
}

#[test]
fn a_film_begins_where_its_edit_list_says() {
    // Cut by an app that keeps what is before: the pictures from the last key frame on are there, and not shown.
    let long = Film::new("cut without encoding", "mp4", "-c:v libx264 -g 60 -c:a aac").seconds(3);
    long.clone().remade("-ss 1 -c copy -avoid_negative_ts disabled", "mp4").lasts(2.0).uneven().plays();
    let film = Film::new("all of it later", "mp4", AVC);
    film.clone().remade("-c copy -output_ts_offset 2", "mp4").plays();
    film.clone().remade("-c copy -output_ts_offset 100000", "ts").plays();
    film.remade("-c copy -output_ts_offset 5", "mkv").plays();
}

#[test]
fn a_flash_and_its_beep_stay_together_in_every_container() {
    for (name, ending, codec) in [
        ("HEVC", "mov", "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=error -c:a aac"),
        ("B-frames", "mp4", "-c:v libx264 -preset veryfast -bf 3 -c:a aac"),
        ("fragments", "mp4", "-c:v libx264 -preset ultrafast -g 15 -c:a aac -movflags +frag_keyframe+empty_moov"),
        ("MPEG-TS", "ts", "-c:v libx264 -preset veryfast -bf 2 -c:a aac"),
        ("Flash", "flv", "-c:v libx264 -preset ultrafast -c:a aac"),
        ("MPEG-4 and MP3", "mkv", "-c:v mpeg4 -q:v 3 -c:a libmp3lame"),
        ("Vorbis", "webm", "-c:v libvpx -deadline realtime -c:a libvorbis"),
        ("PCM", "mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p -c:a pcm_s16le"),
        ("Opus in MP4", "mp4", "-c:v libx264 -preset ultrafast -c:a libopus"),
        ("a telephone's voice", "mp4", "-c:v libx264 -preset ultrafast -c:a aac -ar 8000 -ac 1"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(format!("film.{ending}"));
        let mut arguments = vec!["-f", "lavfi", "-i", kit::FLASH, "-f", "lavfi", "-i", kit::BEEP, "-t", "4"];
        let (codec, text): (Vec<&str>, _) = (codec.split(' ').collect(), path.to_string_lossy().into_owned());
        arguments.extend(codec);
        arguments.push(&text);
        kit::ffmpeg(&arguments).unwrap_or_else(|why| panic!("{name}: {why}"));
        let made = kit::prepare(&path);
        for file in [made.rendition("240"), made.path("video.mp4")] {
            let apart = kit::apart(&file);
            assert!(apart.len() >= 3, "{name}: {} flashes", apart.len());
            assert!(apart.iter().all(|s| s.abs() <= 0.04), "{name}: {apart:?} in {}", file.display());
        }
    }
}

#[test]
fn no_picture_is_lost_or_doubled_in_any_container() {
    for (name, ending, codec) in [
        ("HEVC", "mov", "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=error"),
        ("B-frames", "mp4", "-c:v libx264 -preset veryfast -bf 3"),
        ("fragments", "mp4", "-c:v libx264 -preset ultrafast -g 15 -movflags +frag_keyframe+empty_moov"),
        ("MPEG-TS", "ts", "-c:v libx264 -preset veryfast -bf 2"),
        ("Flash", "flv", "-c:v libx264 -preset veryfast -bf 2"),
        ("VP9", "webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 2M"),
        ("AV1", "mkv", "-c:v libsvtav1 -preset 12 -crf 30"),
        ("Motion JPEG", "mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(format!("film.{ending}"));
        let (counter, text) = (kit::counter("30"), path.to_string_lossy().into_owned());
        let mut arguments = vec!["-f", "lavfi", "-i", &counter, "-t", "3"];
        arguments.extend(codec.split(' '));
        arguments.push(&text);
        kit::ffmpeg(&arguments).unwrap_or_else(|why| panic!("{name}: {why}"));
        let made = kit::prepare(&path);
        let all: Vec<i64> = (0..90).collect();
        for file in [made.rendition("240"), made.path("video.mp4")] {
            assert_eq!(kit::numbers(&file), all, "{name}: {}", file.display());
        }
    }
}
