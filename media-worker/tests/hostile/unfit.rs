//! Films that are whole and cannot become a clip.

use crate::films::{MP4, PICTURE, RECORDING, TS, WEBM, make};
use crate::kit::surgery::{boxed, element, place, renamed, rewritten, with_tracks};
use crate::{Case, Refused, meet};

#[test]
fn without_a_picture_there_is_no_film() {
    let sound = |name, ending, codec: &str| (name, make(ending, PICTURE, codec), Refused("no_picture"));
    let only_data = rewritten(&make("mp4", PICTURE, "-map 1 -vn -c:a aac"), &|kind, body| {
        (kind == b"hdlr").then(|| [&body[..8], b"meta", &body[12..]].concat())
    });
    meet(vec![
        sound("a song of a phone", "m4a", "-map 1 -vn -c:a aac"),
        sound("sound in MP4", "mp4", "-map 1 -vn -c:a libopus"),
        sound("sound in fragments", "mp4", "-map 1 -vn -c:a aac -movflags +frag_keyframe+empty_moov"),
        sound("sound in QuickTime", "mov", "-map 1 -vn -c:a pcm_s16le"),
        sound("sound in 3GP", "3gp", "-map 1 -vn -c:a aac"),
        sound("a recording of a voice", "webm", "-map 1 -vn -c:a libopus"),
        sound("sound in Matroska", "mka", "-map 1 -vn -c:a flac"),
        sound("sound in MPEG-TS", "ts", "-map 1 -vn -c:a aac"),
        sound("sound in Flash", "flv", "-map 1 -vn -c:a aac"),
        ("nothing but data", only_data, Refused("no_picture")),
        ("nothing but words", words("mp4", "mov_text"), Refused("no_picture")),
        ("nothing but words, in Matroska", words("mkv", "srt"), Refused("no_picture")),
    ]);
}

fn words(ending: &str, codec: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("words.srt"), folder.path().join(format!("words.{ending}")));
    std::fs::write(&from, "1\n00:00:00,000 --> 00:00:01,000\nhello\n").expect("room");
    crate::kit::ffmpeg(&["-i", &from.to_string_lossy(), "-c:s", codec, &to.to_string_lossy()]).expect("a file");
    std::fs::read(to).expect("a file")
}

#[test]
fn a_codec_that_is_not_on_the_list_is_named_and_never_opened() {
    let codec = |name, ending, codec: &str| {
        (name, make(ending, "testsrc2=size=320x240:rate=25", codec), Refused("unreadable_codec"))
    };
    let unknown = |name, letters| (name, renamed(&MP4, b"avc1", letters), Refused("unreadable_codec"));
    meet(vec![
        codec("Cinepak", "mov", "-an -c:v cinepak -pix_fmt rgb24"),
        codec("Sorenson", "mov", "-an -c:v svq1 -pix_fmt yuv410p"),
        codec("pictures of QuickTime", "mov", "-an -c:v png -pix_fmt rgb24"),
        codec("an animation", "mov", "-an -c:v qtrle -pix_fmt rgb24"),
        codec("no codec at all", "mov", "-an -c:v rawvideo -pix_fmt uyvy422"),
        codec("an editor's", "mov", "-an -c:v dnxhd -s 1920x1080 -r 25 -b:v 36M -pix_fmt yuv422p"),
        codec("the oldest of Flash", "flv", "-an -c:v flv"),
        codec("a screen of Flash", "flv", "-an -c:v flashsv -pix_fmt bgr24"),
        codec("Theora", "mkv", "-an -c:v libtheora"),
        codec("Windows", "mkv", "-an -c:v wmv2"),
        codec("an archive's", "mkv", "-an -c:v ffv1"),
        codec("Huffman", "mkv", "-an -c:v huffyuv -pix_fmt yuv422p"),
        unknown("H.266", b"vvc1"),
        unknown("one that is not invented yet", b"zzzz"),
        unknown("letters that are none", b"\x01\x02\xfe\xff"),
    ]);
}

#[test]
fn the_codecs_of_live_encoders_are_named() {
    for (number, codec) in [(12, "hevc"), (13, "av1"), (7, "")] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("film.flv");
        std::fs::write(&path, flash_of(number)).expect("room");
        let made = crate::kit::run(&path, "prepare");
        let refused = made.of("refused").next();
        assert_eq!(refused.and_then(|event| event["codec"].as_str()).unwrap_or_default(), codec, "{number}");
        assert_eq!(made.refusal().unwrap_or_default(), if codec.is_empty() { "" } else { "unreadable_codec" });
    }
}

/// A film for Flash whose pictures bear another codec's number.
fn flash_of(codec: u8) -> Vec<u8> {
    let mut film = make("flv", "testsrc2=size=320x240:rate=25", "-an -c:v libx264 -pix_fmt yuv420p");
    let mut at = 13;
    while let Some([kind, a, b, c]) = film.get(at..at + 4).map(|head| [head[0], head[1], head[2], head[3]]) {
        if kind == 9 {
            film[at + 11] = film[at + 11] & 0xf0 | codec;
        }
        at += 15 + u32::from_be_bytes([0, a, b, c]) as usize;
    }
    film
}

#[test]
fn what_is_locked_is_told_to_be_locked() {
    // A scheme, and what was there before it.
    let sinf = boxed(b"sinf", &[boxed(b"frma", b"avc1"), boxed(b"schm", b"\0\0\0\0cenc\0\x01\0\0")].concat());
    let inside_entry = rewritten(&MP4, &|kind, body| {
        (kind == b"stsd").then(|| {
            let mut body = [body, &sinf[..]].concat();
            let len = u32::from_be_bytes(body[8..12].try_into().unwrap()) + sinf.len() as u32;
            body[8..12].copy_from_slice(&len.to_be_bytes());
            body
        })
    });
    let with_key = rewritten(&MP4, &|kind, body| (kind == b"moov").then(|| [body, &boxed(b"pssh", &[0; 24])].concat()));
    let apple = renamed(&MP4, b"mp4a", b"drms");
    let encryption = element(&[0x6d, 0x80], &element(&[0x62, 0x40], &element(&[0x50, 0x35], b"")));
    let locked_recording = with_tracks(&RECORDING, |entry| element(&[0xae], &[entry, &encryption].concat()));
    meet(vec![
        ("common encryption", renamed(&MP4, b"avc1", b"encv"), Refused("encrypted")),
        ("locked sound", renamed(&MP4, b"mp4a", b"enca"), Refused("encrypted")),
        ("a scheme inside", inside_entry, Refused("encrypted")),
        ("a key beside it", with_key, Refused("encrypted")),
        ("a song of Apple's shop", apple, Refused("encrypted")),
        ("a film of Apple's shop", renamed(&MP4, b"avc1", b"drmi"), Refused("encrypted")),
        ("a locked recording", locked_recording, Refused("encrypted")),
    ]);
}

#[test]
fn what_is_longer_than_a_clip_is_refused() {
    let long = |name, ending, codec: &str| {
        let film =
            make(ending, "testsrc2=size=64x48:rate=1", &format!("-t 660 -c:a aac -b:a 16k -ar 8000 -ac 1 {codec}"));
        (name, film, Refused("too_long"))
    };
    let avc = "-c:v libx264 -g 10";
    // It says so and is not: each picture is said to stand for half a minute.
    let rate = |film: &[u8]| {
        rewritten(film, &|kind, body| match kind {
            b"stts" => Some([&body[..12], &(60_000_000_u32).to_be_bytes(), &body[16..]].concat()),
            b"mdhd" => Some([&body[..16], &u32::MAX.to_be_bytes(), &body[20..]].concat()),
            b"mvhd" => Some([&body[..16], &u32::MAX.to_be_bytes(), &body[20..]].concat()),
            b"elst" => Some([&body[..8], &u32::MAX.to_be_bytes(), &body[12..]].concat()),
            _ => None,
        })
    };
    let cases: Vec<Case> = vec![
        long("eleven minutes", "mp4", avc),
        long("eleven minutes in fragments", "mp4", &format!("{avc} -movflags +frag_keyframe+empty_moov")),
        long("eleven minutes that nobody tells", "mkv", &format!("{avc} -live 1")),
        long("eleven minutes in MPEG-TS", "ts", avc),
        long("eleven minutes in Flash", "flv", avc),
        ("years, as it says", rate(&MP4), Refused("too_long")),
    ];
    meet(cases);
}

#[test]
fn a_picture_that_is_too_large_is_never_decoded() {
    let entry = |w: u16, h: u16| {
        rewritten(&MP4, &|kind, body| {
            (kind == b"stsd").then(|| {
                let mut body = body.to_vec();
                if body[12..16] == *b"avc1" {
                    body[40..42].copy_from_slice(&w.to_be_bytes());
                    body[42..44].copy_from_slice(&h.to_be_bytes());
                }
                body
            })
        })
    };
    // Only the stream itself tells how large it is.
    let black = "color=black:size=8192x8192:rate=5";
    let huge = make("mp4", black, "-an -frames:v 1 -c:v libx264 -x264-params ref=1:bframes=0:rc-lookahead=0");
    let mut hidden = huge.clone();
    let at = place(&hidden, b"avc1") + 32;
    hidden[at..at + 4].copy_from_slice(&[1, 64, 0, 240]);
    let mut key = WEBM.clone();
    // Every key frame of VP8 has its size behind this mark.
    while let Some(at) = key.windows(5).position(|w| w[..3] == [0x9d, 0x01, 0x2a] && w[3..5] != [0xff, 0x3f]) {
        key[at + 3..at + 7].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
    }
    meet(vec![
        ("a bomb", entry(16_384, 16_384), Refused("too_many_pixels")),
        ("the largest number", entry(65_535, 65_535), Refused("too_many_pixels")),
        ("as long as high is short", entry(65_535, 257), Refused("too_many_pixels")),
        ("a real one", huge, Refused("too_many_pixels")),
        ("a real one that hides", hidden, Refused("too_many_pixels")),
        (
            "one in MPEG-TS",
            make("ts", black, "-an -frames:v 1 -c:v libx264 -x264-params ref=1:bframes=0:rc-lookahead=0"),
            Refused("too_many_pixels"),
        ),
        ("key frames that grew, and none is left", key, Refused("damaged")),
    ]);
}

#[test]
fn more_tracks_than_anybody_films_are_refused() {
    let trak = boxed(b"trak", b"");
    let million =
        [boxed(b"ftyp", b"isom\0\0\x02\0isom"), boxed(b"moov", &trak.repeat(1_000_000)), boxed(b"mdat", b"x")];
    let real = rewritten(&MP4, &|kind, body| {
        (kind == b"moov").then(|| {
            let at = place(body, b"trak");
            let len = u32::from_be_bytes(body[at..at + 4].try_into().unwrap()) as usize;
            [body, &body[at..at + len].repeat(2_000)].concat()
        })
    });
    let recording = with_tracks(&RECORDING, |entry| element(&[0xae], entry).repeat(500));
    meet(vec![
        ("a million tracks", million.concat(), Refused("too_many_streams")),
        ("two thousand real ones", real, Refused("too_many_streams")),
        ("a thousand of a recording", recording, Refused("too_many_streams")),
        ("thousands in MPEG-TS, of which none comes", many_programmes(), Refused("incomplete")),
    ]);
}

/// Tables that promise thousands of streams, and none of them comes.
fn many_programmes() -> Vec<u8> {
    let table = |pid: u16, kind: u8, number: u16, section: u8, entries: &[u8]| {
        let len = 9 + entries.len() as u16;
        let head = [kind, 0xb0 | (len >> 8) as u8, len as u8, (number >> 8) as u8, number as u8, 0xc1, section, 255];
        let section = [&head[..], entries].concat();
        let sum = section.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(
                crc ^ u32::from(*byte) << 24,
                |crc, _| if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 },
            )
        });
        let mut packet = vec![0x47, 0x40 | (pid >> 8) as u8, pid as u8, 0x10, 0];
        packet.extend([&section[..], &sum.to_be_bytes()].concat());
        packet.resize(188, 0xff);
        packet
    };
    let mut film = TS.clone();
    let mut tables = Vec::new();
    for n in 0..40_u16 {
        let programmes: Vec<u8> = (0..40)
            .flat_map(|p: u16| {
                let (number, pid) = (1 + n * 40 + p, 0xe000 | (0x100 + n * 40 + p));
                [number.to_be_bytes(), pid.to_be_bytes()].concat()
            })
            .collect();
        tables.extend(table(0, 0, 1, n as u8, &programmes));
        for p in 0..40_u16 {
            let streams: Vec<u8> = (0..30)
                .flat_map(|s: u16| [0x1b, 0xe0 | ((n * 40 + p + s) >> 8) as u8, (s * 7 + p) as u8, 0xf0, 0])
                .collect();
            tables.extend(table(
                0x100 + n * 40 + p,
                2,
                1 + n * 40 + p,
                0,
                &[&[0xe1, 0, 0xf0, 0][..], &streams].concat(),
            ));
        }
    }
    film.splice(0..0, tables);
    film
}
