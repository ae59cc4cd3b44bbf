//! What is no film, whatever it is called, and what would lead ffmpeg to other places.

use crate::films::{FASTSTART, MOV, MP4, WEBM, make};
use crate::kit::neighbourhood::Neighbourhood;
use crate::kit::surgery::{boxed, noise, place, with_data_elsewhere};
use crate::{Case, Plays, Refused, meet};

#[test]
fn what_is_no_film_is_called_so() {
    let no_film = |name, bytes: &[u8]| (name, bytes.to_vec(), Refused("not_a_video"));
    let picture = "testsrc2=size=320x240:rate=30";
    let made = |name, ending, codec: &str| (name, make(ending, picture, codec), Refused("not_a_video"));
    let heic = [boxed(b"ftyp", b"heic\0\0\0\0mif1heic"), boxed(b"meta", &[0; 64]), boxed(b"mdat", &[7; 64])].concat();
    let jpeg = make("jpg", picture, "-map 0 -frames:v 1 -pix_fmt yuvj420p -f mjpeg");
    let mut cases: Vec<Case> = vec![
        ("nothing", Vec::new(), Refused("empty")),
        no_film("one byte", b"\0"),
        no_film("zeros", &[0; 65_536]),
        no_film("noise", &noise(65_536, 1)),
        no_film("a text", "今天拍了一条片子，请老师看看。\n".repeat(50).as_bytes()),
        no_film("a page", b"<!doctype html><html><body><video src=http://127.0.0.1/></body></html>"),
        no_film("a drawing", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"),
        no_film("a document", b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF"),
        no_film("an archive", &[b"PK\x03\x04\x14\0\0\0\x08\0", &noise(4_096, 2)[..]].concat()),
        no_film("a compressed file", &[b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &noise(4_096, 3)[..]].concat()),
        no_film("a program of Windows", &[b"MZ\x90\0\x03\0\0\0", &noise(4_096, 4)[..]].concat()),
        no_film("a program", &[b"\x7fELF\x02\x01\x01\0", &noise(4_096, 5)[..]].concat()),
        no_film("a script", b"#!/bin/sh\ncurl http://127.0.0.1/\n"),
        no_film("a photo of a phone", &heic),
        no_film("a photo", &jpeg),
        no_film("a photo with a film behind it", &[&jpeg[..], &MP4].concat()),
        no_film("half a head", b"\0\0\0\x20ftyp"),
        no_film("a head and noise", &[boxed(b"ftyp", b"isom\0\0\x02\0isom"), noise(65_536, 6)].concat()),
        no_film("an index of noise", &[boxed(b"moov", &noise(4_096, 7)), boxed(b"mdat", &noise(4_096, 8))].concat()),
        no_film("an empty index", &[boxed(b"moov", b""), boxed(b"mdat", b"x")].concat()),
        no_film("the head of Flash and noise", &[b"FLV\x01\x05\0\0\0\x09\0\0\0\0", &noise(65_536, 10)[..]].concat()),
        made("a picture", "png", "-map 0 -frames:v 1 -pix_fmt rgb24"),
        made("pictures that move", "gif", "-map 0 -pix_fmt rgb8"),
        made("a picture of the web", "webp", "-map 0 -frames:v 1 -c:v libwebp"),
    ];
    // Packets of 188 bytes that begin as they must, and hold nothing.
    let mut packets = noise(188 * 400, 11);
    packets.iter_mut().step_by(188).for_each(|byte| *byte = 0x47);
    let matroska = [b"\x1a\x45\xdf\xa3\x84webm", &noise(65_536, 9)[..]].concat();
    cases.push(("the head of Matroska and noise", matroska, Refused("incomplete")));
    cases.push(("packets of noise", packets, Refused("not_a_video")));
    meet(cases);
}

#[test]
fn sound_and_films_of_other_containers_are_called_what_they_are() {
    let made =
        |name, ending, codec: &str, why| (name, make(ending, "testsrc2=size=320x240:rate=30", codec), Refused(why));
    meet(vec![
        made("a wave", "wav", "-map 1 -vn", "no_picture"),
        made("a song", "mp3", "-map 1 -vn", "no_picture"),
        made("sound of the web", "ogg", "-map 1 -vn -c:a libvorbis", "no_picture"),
        made("sound without loss", "flac", "-map 1 -vn", "no_picture"),
        made("a voice", "aac", "-map 1 -vn", "no_picture"),
        made("a film of an old camera", "avi", "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le", "unreadable_codec"),
        made("a film of Windows", "wmv", "-c:v wmv2 -c:a wmav2", "unreadable_codec"),
        made("a film of a disc", "mpg", "-c:v mpeg2video -c:a mp2", "unreadable_codec"),
        made("a film of Xiph", "ogv", "-c:v libtheora -c:a libvorbis", "unreadable_codec"),
    ]);
}

#[test]
fn lists_of_places_are_refused_whatever_they_are_called() {
    let here = Neighbourhood::new();
    let (url, file) = (here.address(), here.file());
    let file = file.display();
    let list = |name, text: String| (name, text.into_bytes(), Refused("playlist"));
    let no_film = |name, text: String| (name, text.into_bytes(), Refused("not_a_video"));
    meet(vec![
        list("HLS", format!("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXTINF:5,\nfile://{file}\n")),
        list("HLS with a key", format!("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"{url}\"\n#EXTINF:5,\n{url}\n")),
        list("HLS behind a mark", format!("\u{feff}#EXTM3U\n#EXTINF:5,\n{url}\n")),
        list("HLS behind blanks", format!("\r\n \t\n#EXTM3U\n#EXTINF:5,\n{url}\n")),
        list("HLS with a film behind it", format!("#EXTM3U\n#EXTINF:5,\n{url}\n\0\0\0\x08ftypisom")),
        list("a list of a list", format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}\n")),
        list("concat", format!("ffconcat version 1.0\nfile '{url}'\nfile '{file}'\n")),
        list("DASH", format!("<?xml version='1.0'?>\n<MPD><BaseURL>{url}</BaseURL></MPD>")),
        list("smooth streaming", format!("<SmoothStreamingMedia><!-- {url} --></SmoothStreamingMedia>")),
        list("a list of Windows", format!("<ASX version=\"3\"><ref href=\"{url}\"/></ASX>")),
        list("a list of Winamp", format!("[playlist]\nFile1={url}\n")),
        list("a reference", format!("[Reference]\nRef1={url}\n")),
        list("a session", format!("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\n# {url}")),
        list("QuickTime's old list", format!("RTSPtext\r\n{}\r\n", url.replace("http", "rtsp"))),
        list("an address", url.clone()),
        list("a path", format!("file://{file}")),
        no_film("a piece of another file", format!("subfile,,start,0,end,0,,:{file}")),
        no_film("two files", format!("concat:{file}|{file}")),
        no_film("data in an address", "data:video/mp4;base64,AAAAIGZ0eXBpc29t".into()),
        no_film("a locked address", format!("crypto:{file}")),
        no_film("a pipe", "pipe:0".into()),
    ]);
}

/// The tables of a film may say that its media lie elsewhere. Then it has none, or is read as if that were not said.
#[test]
fn films_that_name_other_places_reach_none_of_them() {
    let here = Neighbourhood::new();
    let (url, file) = (here.address(), format!("file://{}", here.file().display()));
    let beside = here.file();
    let alias = |path: &str| {
        let mut record = vec![0; 150];
        record[6..8].copy_from_slice(&2_u16.to_be_bytes());
        // Its absolute path, and that from here.
        for kind in [18_u16, 2] {
            record.extend(kind.to_be_bytes());
            record.extend((path.len() as u16).to_be_bytes());
            record.extend(path.as_bytes());
            record.extend(vec![0; path.len() % 2]);
        }
        record.extend([0xff, 0xff, 0, 0]);
        record
    };
    let elsewhere = |kind, place: &str| with_data_elsewhere(&MOV, kind, place.as_bytes());
    let with_alias = |path: &str| with_data_elsewhere(&MOV, b"alis", &alias(path));
    let reference =
        boxed(b"rmda", &boxed(b"rdrf", &[&[0; 4], &b"url "[..], &99_u32.to_be_bytes(), url.as_bytes()].concat()));
    let only_a_reference = [boxed(b"moov", &boxed(b"rmra", &reference)), boxed(b"mdat", b"x")].concat();
    // The same beside real tracks.
    let mut with_reference = MP4.clone();
    let moov = place(&with_reference, b"moov");
    let more = boxed(b"rmra", &reference);
    let len = u32::from_be_bytes(with_reference[moov..moov + 4].try_into().unwrap()) + more.len() as u32;
    with_reference[moov..moov + 4].copy_from_slice(&len.to_be_bytes());
    with_reference.extend(&more);
    // The name of another file as a note in the film, and a list of places behind it.
    let noted = [&FASTSTART[..], &boxed(b"uuid", file.as_bytes())].concat();
    let listed = [&MP4[..], format!("\n#EXTM3U\n#EXTINF:5,\n{url}\n").as_bytes()].concat();
    let listed_webm = [&WEBM[..], format!("\n#EXTM3U\n#EXTINF:5,\n{url}\n").as_bytes()].concat();
    let cases = vec![
        ("an address for its media", elsewhere(b"url ", &url), Plays),
        ("a file for its media", elsewhere(b"url ", &file), Plays),
        ("a name for its media", elsewhere(b"urn ", &format!("x\0{url}")), Plays),
        ("an alias of a neighbour", with_alias(&beside.to_string_lossy()), Refused("incomplete")),
        ("an alias upwards", with_alias("../neighbour"), Refused("incomplete")),
        ("an alias of a password", with_alias("/etc/passwd"), Refused("incomplete")),
        ("nothing but a reference", only_a_reference, Refused("not_a_video")),
        ("a reference beside its tracks", with_reference, Plays),
        ("a name in a note", noted, Plays),
        ("a list behind it", listed, Plays),
        ("a list behind a recording", listed_webm, Plays),
    ];
    for (name, bytes, _) in &cases {
        here.survives(name, bytes);
    }
    meet(cases);
}
