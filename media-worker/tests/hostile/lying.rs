//! Films whose tables say what is not so.

use crate::films::{FASTSTART, FRAGMENTED, MP4, PICTURE, RECORDING, WEBM, make};
use crate::kit::surgery::{boxed, noise, patched, place, replaced, rewritten, tracks, tracks_at};
use crate::{Case, Either, Plays, Refused, meet};

const MOST: [u8; 4] = u32::MAX.to_be_bytes();

#[test]
fn tables_that_claim_more_than_there_is() {
    let claims = |name, of, at| (name, patched(&MP4, of, at, &MOST), Either);
    let run = |at: usize| patched(&FRAGMENTED, b"trun", at, &MOST);
    let mut many_edits = vec![0, 0, 0, 0];
    many_edits.extend(100_000_u32.to_be_bytes());
    (0..100_000).for_each(|_| many_edits.extend([0, 0, 0, 10, 0, 0, 0, 0, 0, 1, 0, 0]));
    meet(vec![
        claims("samples in time", b"stts", 4),
        claims("samples of one length", b"stts", 8),
        claims("sizes", b"stsz", 8),
        claims("the size of each", b"stsz", 4),
        claims("chunks", b"stsc", 4),
        claims("samples of a chunk", b"stsc", 12),
        claims("a description that is not there", b"stsc", 16),
        claims("places", b"stco", 4),
        claims("a place behind the end", b"stco", 8),
        claims("key frames", b"stss", 4),
        claims("edits", b"elst", 4),
        claims("kinds of samples", b"stsd", 4),
        claims("places of media", b"dref", 4),
        claims("the next track", b"mvhd", 96),
        claims("a rate", b"mvhd", 20),
        ("samples of a fragment", run(4), Either),
        ("a fragment that lies behind the end", run(8), Either),
        ("a hundred thousand edits", replaced(&MP4, b"elst", &many_edits), Refused("not_a_video")),
        ("no edits, and they are counted", replaced(&MP4, b"elst", &[0, 0, 0, 0, 0, 0, 0, 9]), Either),
        (
            "places of sixty-four bits",
            {
                let film = rewritten(&MP4, &|kind, body| {
                    (kind == b"stco").then(|| {
                        let n = u32::from_be_bytes(body[4..8].try_into().unwrap()) as usize;
                        [&body[..8], &[0x7f; 8].repeat(n)].concat()
                    })
                });
                crate::kit::surgery::renamed(&film, b"stco", b"co64")
            },
            Either,
        ),
    ]);
}

#[test]
fn times_that_cannot_be() {
    let at = |name, of, at, with: &[u8]| (name, patched(&MP4, of, at, with), Either);
    // Version 1 of a head has its times in eight bytes.
    let long = |of: &'static [u8; 4], scale: u32, length: u64| {
        rewritten(&MP4, &|kind, body| {
            (kind == of).then(|| {
                let rest = &body[20..];
                [&[1, 0, 0, 0][..], &[0; 16], &scale.to_be_bytes(), &length.to_be_bytes(), rest].concat()
            })
        })
    };
    meet(vec![
        at("no scale of the film", b"mvhd", 12, &[0; 4]),
        at("no scale of a track", b"mdhd", 12, &[0; 4]),
        at("the smallest scale", b"mdhd", 12, &1_u32.to_be_bytes()),
        at("the largest scale", b"mdhd", 12, &MOST),
        at("a scale below zero", b"mdhd", 12, &i32::MIN.to_be_bytes()),
        at("no length", b"mdhd", 16, &[0; 4]),
        at("a length that is not known", b"mvhd", 16, &MOST),
        at("no time between pictures", b"stts", 12, &[0; 4]),
        at("time that runs backwards", b"stts", 12, &(-512_i32).to_be_bytes()),
        at("an edit before the beginning", b"elst", 12, &i32::MIN.to_be_bytes()),
        at("an edit behind the end", b"elst", 12, &i32::MAX.to_be_bytes()),
        at("an edit of no speed", b"elst", 16, &[0; 4]),
        at("an edit of no length", b"elst", 8, &[0; 4]),
        ("a film of ages", long(b"mvhd", 1_000, i64::MAX as u64), Either),
        ("a track of ages", long(b"mdhd", 1_000, i64::MAX as u64), Either),
        ("a track of more than ages", long(b"mdhd", 15_360, u64::MAX), Either),
        ("a track before its time", long(b"mdhd", 15_360, 1 << 63), Either),
        (
            "fragments from the end of all time",
            {
                rewritten(&FRAGMENTED, &|kind, _| {
                    (kind == b"tfdt").then(|| [&[1, 0, 0, 0][..], &i64::MAX.to_be_bytes()].concat())
                })
            },
            Either,
        ),
        ("a recording with a scale of nothing", webm(&[0x2a, 0xd7, 0xb1, 0x83, 0, 0, 0]), Either),
        ("a recording with the largest scale", webm(&[0x2a, 0xd7, 0xb1, 0x83, 0xff, 0xff, 0xff]), Either),
    ]);
}

/// The recording with another scale of time.
fn webm(scale: &[u8; 7]) -> Vec<u8> {
    let mut film = WEBM.clone();
    let at = film.windows(4).position(|w| w == [0x2a, 0xd7, 0xb1, 0x83]).expect("a scale");
    film[at..at + 7].copy_from_slice(scale);
    film
}

#[test]
fn boxes_whose_lengths_lead_nowhere() {
    let with_len = |of: &[u8; 4], len: u32| {
        let mut film = FASTSTART.clone();
        let at = place(&film, of);
        film[at..at + 4].copy_from_slice(&len.to_be_bytes());
        film
    };
    let sixty_four =
        |len: u64| [&boxed(b"ftyp", b"isom")[..], &1_u32.to_be_bytes(), b"moov", &len.to_be_bytes(), &[0; 64]].concat();
    let inside = |of: &[u8; 4], len: u32| (with_len(of, len), Either);
    let mut cases: Vec<Case> = vec![
        ("an index of length one", with_len(b"moov", 1), Refused("incomplete")),
        ("an index shorter than its head", with_len(b"moov", 7), Refused("not_a_video")),
        ("an index as long as can be", with_len(b"moov", u32::MAX), Refused("incomplete")),
        ("an index of ages", sixty_four(i64::MAX as u64), Refused("incomplete")),
        ("an index of more than ages", sixty_four(u64::MAX), Refused("not_a_video")),
        ("an index of sixty-four bits and no length", sixty_four(0), Refused("not_a_video")),
        ("a head of no length", with_len(b"ftyp", 0), Refused("not_a_video")),
        ("a head of length one", with_len(b"ftyp", 1), Refused("not_a_video")),
        ("media of no length", with_len(b"mdat", 0), Plays),
        ("media as long as can be", with_len(b"mdat", u32::MAX), Plays),
    ];
    for (name, of) in [("a track", b"trak"), ("samples", b"stbl"), ("their kinds", b"stsd"), ("their times", b"stts")] {
        for len in [0, 1, 7, 8, u32::MAX] {
            let (film, fate) = inside(of, len);
            cases.push((name, film, fate));
        }
    }
    meet(cases);
}

#[test]
fn boxes_within_boxes_without_end() {
    let nested = |kind: &[u8; 4], depth: usize| {
        let mut film = Vec::new();
        for n in (1..=depth).rev() {
            film.extend(((n * 8) as u32).to_be_bytes());
            film.extend(kind);
        }
        film
    };
    let behind = |more: &[u8]| [&MP4[..], more].concat();
    let into_index = |more: &[u8]| rewritten(&MP4, &|kind, body| (kind == b"moov").then(|| [body, more].concat()));
    // A box that says its contents are as large as memory, compressed.
    let bomb =
        boxed(b"cmov", &[boxed(b"dcom", b"zlib"), boxed(b"cmvd", &[&MOST[..], &noise(64, 50)].concat())].concat());
    let bomb = [boxed(b"ftyp", b"qt  "), boxed(b"moov", &bomb), boxed(b"mdat", b"x")].concat();
    meet(vec![
        ("ten thousand films", nested(b"moov", 10_000), Refused("not_a_video")),
        ("ten thousand tracks", into_index(&nested(b"trak", 10_000)), Plays),
        ("ten thousand notes", into_index(&nested(b"udta", 10_000)), Refused("not_a_video")),
        ("ten thousand metas", into_index(&nested(b"meta", 10_000)), Plays),
        ("ten thousand fragments, one in the other", behind(&nested(b"moof", 10_000)), Refused("not_a_video")),
        ("ten thousand fragments side by side", behind(&boxed(b"moof", b"").repeat(10_000)), Plays),
        ("a hundred thousand boxes of nothing", behind(&boxed(b"free", b"").repeat(100_000)), Plays),
        ("a compressed index", bomb, Refused("not_a_video")),
        (
            "an index of fragments that points at itself",
            {
                let entry = [0x80, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0];
                let sidx = [&[0; 4][..], &[0, 0, 0, 1], &[0, 0, 3, 0xe8], &[0; 8], &[0, 0, 0, 1], &entry].concat();
                let at = place(&FRAGMENTED, b"moov");
                [&FRAGMENTED[..at], &boxed(b"sidx", &sidx), &FRAGMENTED[at..]].concat()
            },
            Either,
        ),
        (
            "ten thousand tables of the last fragments",
            behind(&boxed(b"mfra", &boxed(b"mfro", &[0; 8])).repeat(10_000)),
            Plays,
        ),
    ]);
}

#[test]
fn recordings_that_lead_in_circles() {
    const HEAD: &[u8] = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm";
    const SEGMENT: &[u8] = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff";
    const CLUSTER: &[u8] = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff";
    let tracks = tracks(&RECORDING);
    let of = |parts: &[&[u8]]| [&[HEAD, SEGMENT][..], parts].concat().concat();
    // Each says that the next one lies where it lies itself.
    let seek = |at: u8| {
        [
            &[
                0x11, 0x4d, 0x9b, 0x74, 0x8e, 0x4d, 0xbb, 0x8b, 0x53, 0xab, 0x84, 0x11, 0x4d, 0x9b, 0x74, 0x53, 0xac,
                0x81,
            ][..],
            &[at],
        ]
        .concat()
    };
    let clusters = CLUSTER.repeat(20_000);
    // Frames of one block that are longer, all together, than the block.
    let laced = [CLUSTER, &[0xe7, 0x81, 0, 0xa3, 0x8a, 0x81, 0, 0, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0]].concat();
    meet(vec![
        ("segments within segments", [HEAD, &SEGMENT.repeat(20_000)].concat(), Refused("not_a_video")),
        ("clusters within clusters", of(&[&tracks, &clusters]), Refused("incomplete")),
        ("an index that leads to itself", of(&[&seek(0), &tracks, CLUSTER]), Refused("incomplete")),
        (
            "a thousand such",
            of(&[&(0..250).flat_map(seek).collect::<Vec<u8>>(), &tracks, CLUSTER]),
            Refused("incomplete"),
        ),
        ("laces longer than their block", of(&[&tracks, &laced]), Refused("incomplete")),
        ("a million crumbs", of(&[&tracks, CLUSTER, &[0xec, 0x80].repeat(1_000_000)]), Refused("incomplete")),
        (
            "crumbs before its tracks",
            {
                let at = tracks_at(&RECORDING);
                [&RECORDING[..at], &[0xec, 0x80].repeat(50_000), &RECORDING[at..]].concat()
            },
            Either,
        ),
    ]);
}

#[test]
fn heads_that_describe_no_picture() {
    let avc = |change: fn(&mut Vec<u8>)| {
        let mut film = FASTSTART.clone();
        let at = place(&film, b"avcC");
        let len = u32::from_be_bytes(film[at..at + 4].try_into().unwrap()) as usize;
        let mut body = film[at + 8..at + len].to_vec();
        let before = body.len();
        change(&mut body);
        body.resize(before, 0);
        film[at + 8..at + len].copy_from_slice(&body);
        film
    };
    let matrix = |numbers: [i32; 9]| {
        let bytes: Vec<u8> = numbers.into_iter().flat_map(i32::to_be_bytes).collect();
        patched(&MP4, b"tkhd", 40, &bytes)
    };
    meet(vec![
        ("no sets", avc(|head| head[5..].fill(0)), Either),
        ("sets of noise", avc(|head| *head = [&head[..8], &noise(head.len() - 8, 60)].concat()), Either),
        ("a set longer than its head", avc(|head| head[6..8].fill(0xff)), Either),
        ("units of a length that does not exist", avc(|head| head[4] = 0xfe), Either),
        ("a matrix of nothing", matrix([0; 9]), Plays),
        ("a matrix of the largest numbers", matrix([i32::MAX; 9]), Plays),
        ("a matrix of the smallest numbers", matrix([i32::MIN; 9]), Plays),
        ("turned by an eighth", matrix([46_341, 46_341, 0, -46_341, 46_341, 0, 0, 0, 1 << 30]), Plays),
        ("a track of no size", patched(&MP4, b"tkhd", 76, &[0; 8]), Plays),
        ("a track that is switched off", patched(&MP4, b"tkhd", 0, &[0; 4]), Plays),
    ]);
}

#[test]
fn pictures_that_change_their_size_on_the_way() {
    let packets = |size: &str, from: u32| {
        let codec = format!("-an -t 0.5 -c:v libx264 -output_ts_offset {}", f64::from(from) * 0.5);
        make("ts", &format!("testsrc2=size={size}:rate=30"), &codec)
    };
    let sizes = ["320x240", "1920x1080", "16x16", "240x320", "64x1024", "1280x720"];
    let parts: Vec<Vec<u8>> = (0..).zip(sizes.iter().cycle().take(8)).map(|(n, size)| packets(size, n)).collect();
    meet(vec![
        ("from small to large and back", parts.concat(), Plays),
        (
            "noise that was small before",
            [packets("320x240", 0), make("ts", PICTURE, "-an -c:v mpeg2video -output_ts_offset 1")].concat(),
            Either,
        ),
    ]);
}
