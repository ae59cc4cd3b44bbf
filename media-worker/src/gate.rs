//! The gate: what a file is, judged by its bytes and in Rust, before any of ffmpeg sees it.
//!
//! Containers pass by their magic: mp4, mov, 3gp; webm, mkv; MPEG-TS; FLV. A playlist, whatever it is named, does not:
//! it would make a demuxer open other addresses. Encryption, too many pixels and missing pictures are told from the
//! container's own tables.

use std::io::{self, Read, Seek, SeekFrom};

use weijia_core::clip::refusal::RefusalCode;

use crate::boxes::{self, Inner, TopBox};
use crate::matroska;

/// 4096 x 4096: more than any phone films, few enough that decoding stays within the child's memory.
pub const MAX_PIXELS: u64 = 4096 * 4096;
/// Cameras and editors write dozens of tracks beside the film; nobody writes this many.
pub const MAX_TRACKS: usize = 250;
/// An editor writes an edit for each cut; ffmpeg reads all samples once for each of them.
const MAX_EDITS: usize = 1_000;
/// The tables of the longest clip we take are far smaller.
const MAX_MOOV: u64 = 64 << 20;
/// A recorder that was interrupted leaves this much at least.
const RECORDING: u64 = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    pub container: Container,
    /// The file ends before it says it does.
    pub cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    IsoMedia,
    Matroska,
    MpegTs,
    Flv,
}

pub type Judged<Why = RefusalCode> = Result<Passed, Why>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    For(RefusalCode),
    /// A container that is not read here, by ffmpeg's name.
    Unreadable(&'static str),
}

impl From<RefusalCode> for Refused {
    fn from(code: RefusalCode) -> Refused {
        Refused::For(code)
    }
}

pub fn judge(file: &mut (impl Read + Seek), len: u64) -> io::Result<Judged<Refused>> {
    if len == 0 {
        return Ok(Err(RefusalCode::Empty.into()));
    }
    let mut head = Vec::new();
    file.by_ref().take(1024).read_to_end(&mut head)?;
    if is_playlist(&head) {
        return Ok(Err(RefusalCode::Playlist.into()));
    }
    let judged = match container(&head) {
        Some(Container::IsoMedia) => iso_media(file, len)?,
        Some(Container::Matroska) => matroska::judge(file, len)?,
        Some(other) => Ok(Passed { container: other, cut: false }),
        None => return Ok(Err(other(&head))),
    };
    Ok(judged.map_err(Refused::For))
}

fn container(head: &[u8]) -> Option<Container> {
    const FIRST: [&[u8; 4]; 12] =
        [b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"sidx", b"uuid", b"junk"];
    let kind = head.get(4..8).unwrap_or_default();
    if FIRST.iter().any(|first| &first[..] == kind) {
        return Some(Container::IsoMedia);
    }
    if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return Some(Container::Matroska);
    }
    if head.starts_with(b"FLV\x01") {
        return Some(Container::Flv);
    }
    let synced =
        |first: usize, step: usize, times: usize| (0..times).all(|n| head.get(first + n * step) == Some(&0x47));
    // A part of a broadcast may begin in the middle of a packet.
    let begins_within = || (0..192).any(|first| synced(first, 188, 4) || synced(first, 192, 4));
    (synced(0, 188, 3) || synced(4, 192, 3) || begins_within()).then_some(Container::MpegTs)
}

/// What is no container of ours may still be a film, or sound: who sent it is told which.
fn other(head: &[u8]) -> Refused {
    let riff = |kind: &[u8]| head.starts_with(b"RIFF") && head.get(8..12) == Some(kind);
    let ogg = head.starts_with(b"OggS");
    let films: [(bool, &str); 5] = [
        (riff(b"AVI "), "avi"),
        (head.starts_with(&[0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11]), "asf"),
        (head.starts_with(&[0, 0, 1, 0xba]), "mpeg"),
        (head.starts_with(b".RMF"), "rm"),
        (ogg && head.windows(6).any(|six| six == b"theora"), "ogg"),
    ];
    if let Some((_, name)) = films.into_iter().find(|(is_it, _)| *is_it) {
        return Refused::Unreadable(name);
    }
    // The heads of MPEG audio of layer III, and of AAC.
    let synced = head.first() == Some(&0xff) && head.get(1).is_some_and(|b| b & 0xe6 == 0xe2 || b & 0xf6 == 0xf0);
    let is_sound =
        ogg || synced || riff(b"WAVE") || [&b"ID3"[..], b"fLaC", b"#!AMR"].iter().any(|s| head.starts_with(s));
    if is_sound { RefusalCode::NoPicture.into() } else { RefusalCode::NotAVideo.into() }
}

/// A text that lists where the media is.
fn is_playlist(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let begins = ["#extm3u", "ffconcat", "[playlist]", "[reference]", "rtsptext", "v=0", "file:", "http:", "https:"];
    let markup = ["<mpd", "<smil", "<asx", "<playlist", "<smoothstreamingmedia"];
    begins.iter().any(|b| text.starts_with(b))
        || (text.starts_with('<') && markup.iter().any(|m| text.contains(m)))
        || text.lines().any(|line| line.starts_with("#ext-x-"))
}

fn iso_media(file: &mut (impl Read + Seek), len: u64) -> io::Result<Judged> {
    let top = boxes::top_level(file, len)?;
    let has = |kind: &boxes::Kind| top.iter().any(|b| &b.kind == kind);
    // Junk behind the film may read as the head of a large box: only what holds media or its tables can be missed.
    let cut = top.last().is_some_and(|b| b.end > len && [b"mdat", b"moof", b"moov"].contains(&&b.kind));
    let Some(moov) = top.iter().find(|b| &b.kind == b"moov") else {
        return Ok(Err(without_index(&top, cut, len)));
    };
    if moov.end > len {
        return Ok(Err(RefusalCode::Incomplete));
    }
    if moov.end - moov.body > MAX_MOOV {
        return Ok(Err(RefusalCode::NotAVideo));
    }
    let mut bytes = vec![0; (moov.end - moov.body) as usize];
    file.seek(SeekFrom::Start(moov.body))?;
    file.read_exact(&mut bytes)?;
    Ok(tables(&bytes).and_then(|()| {
        if has(b"mdat") { Ok(Passed { container: Container::IsoMedia, cut }) } else { Err(RefusalCode::Incomplete) }
    }))
}

/// No `moov`: a film that was cut off before its index was written, or never a film.
fn without_index(top: &[TopBox], cut: bool, len: u64) -> RefusalCode {
    let recorded =
        top.iter().any(|b| &b.kind == b"mdat" && (b.end > len || (b.open_ended && len - b.body > RECORDING)));
    if recorded || (cut && top.len() > 1) { RefusalCode::Incomplete } else { RefusalCode::NotAVideo }
}

/// What the tables of a film tell: its tracks, whether they are locked, how large the pictures are.
fn tables(moov: &[u8]) -> Result<(), RefusalCode> {
    let all = boxes::inside(moov, 0..moov.len());
    if all.iter().any(|b| &b.kind == b"pssh") {
        return Err(RefusalCode::Encrypted);
    }
    // A header compressed as a whole is read by nobody but QuickTime; ffmpeg judges it.
    if all.iter().any(|b| &b.kind == b"cmov") {
        return Ok(());
    }
    let mut pictures = false;
    let mut tracks = 0;
    for trak in all.iter().filter(|b| &b.kind == b"trak") {
        tracks += 1;
        let is_video = boxes::handler(moov, trak).as_ref() == Some(b"vide");
        pictures |= is_video;
        if edits(moov, trak) > MAX_EDITS {
            return Err(RefusalCode::NotAVideo);
        }
        for entry in sample_entries(moov, trak) {
            sample_entry(moov, &entry, is_video)?;
        }
    }
    match (tracks, pictures) {
        (MAX_TRACKS.., _) => Err(RefusalCode::TooManyStreams),
        (0, _) => Err(RefusalCode::NotAVideo),
        (_, false) => Err(RefusalCode::NoPicture),
        _ => Ok(()),
    }
}

/// How many edits there is room for, whatever their list says.
fn edits(moov: &[u8], trak: &Inner) -> usize {
    let list = boxes::child(moov, trak, b"edts").and_then(|edts| boxes::child(moov, &edts, b"elst"));
    list.map_or(0, |elst| elst.body.len() / 12)
}

fn sample_entries(moov: &[u8], trak: &Inner) -> Vec<Inner> {
    let path: [&boxes::Kind; 4] = [b"mdia", b"minf", b"stbl", b"stsd"];
    let found = path.iter().try_fold(trak.clone(), |parent, kind| boxes::child(moov, &parent, kind));
    let Some(stsd) = found else { return Vec::new() };
    let start = (stsd.body.start + 8).min(stsd.body.end);
    boxes::inside(moov, start..stsd.body.end)
}

fn sample_entry(moov: &[u8], entry: &Inner, is_video: bool) -> Result<(), RefusalCode> {
    // Common encryption, and Apple's own.
    if [b"encv", b"enca", b"drmi", b"drms"].contains(&&entry.kind) {
        return Err(RefusalCode::Encrypted);
    }
    let body = &moov[entry.body.clone()];
    let fixed = if is_video { 78 } else { 28 };
    if body.len() >= fixed && boxes::inside(body, fixed..body.len()).iter().any(|b| &b.kind == b"sinf") {
        return Err(RefusalCode::Encrypted);
    }
    let size = |at| u64::from(boxes::be16(body, at).unwrap_or(0));
    if is_video && size(24) * size(26) > MAX_PIXELS {
        return Err(RefusalCode::TooManyPixels);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::tests::make;

    fn told(bytes: &[u8]) -> Judged<Refused> {
        judge(&mut io::Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    fn judged(bytes: &[u8]) -> Judged {
        told(bytes).map_err(|refused| match refused {
            Refused::For(code) => code,
            Refused::Unreadable(name) => panic!("{name} is not read"),
        })
    }

    #[test]
    fn other_containers_are_called_by_their_names_and_sound_by_what_it_lacks() {
        let film = |name| Err(Refused::Unreadable(name));
        assert_eq!(told(b"RIFF\x10\0\0\0AVI LIST"), film("avi"));
        assert_eq!(told(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9"), film("asf"));
        assert_eq!(told(b"\0\0\x01\xba\x44"), film("mpeg"));
        assert_eq!(told(b"OggS\0\x02.....................\x80theora"), film("ogg"));
        for sound in [&b"OggS\0\x02......................vorbis"[..], b"ID3\x04", b"\xff\xfb\x90", b"\xff\xf1\x50"] {
            assert_eq!(judged(sound), Err(RefusalCode::NoPicture), "{sound:?}");
        }
        for none in [&b"\xff\xfe\x4b\x4e"[..], b"\xff\xd8\xff\xe0", b"RIFF\x10\0\0\0WEBPVP8 ", b"\xff"] {
            assert_eq!(judged(none), Err(RefusalCode::NotAVideo), "{none:?}");
        }
    }

    fn trak(handler: &boxes::Kind, entry: &boxes::Kind, width: u16, height: u16, inside_entry: &[u8]) -> Vec<u8> {
        let mut body = vec![0; 78];
        body[24..26].copy_from_slice(&width.to_be_bytes());
        body[26..28].copy_from_slice(&height.to_be_bytes());
        body.extend(inside_entry);
        let stsd = make(b"stsd", &[&[0; 8][..], &make(entry, &body)].concat());
        let minf = make(b"minf", &make(b"stbl", &stsd));
        let hdlr = make(b"hdlr", &[&[0; 8][..], handler, &[0; 12]].concat());
        make(b"trak", &make(b"mdia", &[hdlr, minf].concat()))
    }

    fn film(traks: &[Vec<u8>], mdat: &[u8]) -> Vec<u8> {
        [make(b"ftyp", b"isom"), make(b"moov", &traks.concat()), make(b"mdat", mdat)].concat()
    }

    #[test]
    fn a_film_passes() {
        let file = film(&[trak(b"vide", b"avc1", 1920, 1080, b""), trak(b"soun", b"mp4a", 0, 0, b"")], b"x");
        assert_eq!(judged(&file), Ok(Passed { container: Container::IsoMedia, cut: false }));
    }

    #[test]
    fn a_film_that_ends_early_passes_as_cut() {
        let mut file = film(&[trak(b"vide", b"avc1", 640, 480, b"")], &[7; 100]);
        file.truncate(file.len() - 50);
        assert_eq!(judged(&file), Ok(Passed { container: Container::IsoMedia, cut: true }));
    }

    #[test]
    fn junk_behind_the_film_is_no_cut() {
        let mut file = film(&[trak(b"vide", b"avc1", 640, 480, b"")], &[7; 100]);
        file.extend(b"Made by app!");
        assert_eq!(judged(&file), Ok(Passed { container: Container::IsoMedia, cut: false }));
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        let film = film(&[trak(b"vide", b"avc1", 640, 480, b"")], b"");
        assert_eq!(judged(&film[..60]), Err(RefusalCode::Incomplete), "half an index");
        assert_eq!(judged(&film[..film.len() - 8]), Err(RefusalCode::Incomplete), "no media");
        let head = make(b"ftyp", b"isom");
        let cut = [&head[..], &1000_u32.to_be_bytes(), b"mdat", b"..."].concat();
        assert_eq!(judged(&cut), Err(RefusalCode::Incomplete), "no index yet");
        let open = |n| [&head[..], &0_u32.to_be_bytes(), b"mdat", &vec![1; n]].concat();
        assert_eq!(judged(&open(4_000)), Err(RefusalCode::NotAVideo));
        assert_eq!(judged(&open(100_000)), Err(RefusalCode::Incomplete), "the battery died while recording");
        assert_eq!(judged(&head), Err(RefusalCode::NotAVideo));
        assert_eq!(judged(b""), Err(RefusalCode::Empty));
    }

    #[test]
    fn lists_of_addresses_are_refused_whatever_they_are_called() {
        for text in [
            "#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1/",
            "\u{feff}  #extm3u",
            "ffconcat version 1.0\nfile /etc/passwd",
            "<?xml version=\"1.0\"?>\n<MPD></MPD>",
            "<ASX version=\"3\">",
            "[playlist]\nFile1=x",
            "[Reference]\nRef1=http://x",
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1",
            "#EXT-X-TARGETDURATION:5\n",
        ] {
            assert_eq!(judged(text.as_bytes()), Err(RefusalCode::Playlist), "{text}");
        }
    }

    #[test]
    fn other_files_are_no_videos() {
        for bytes in [&b"\x89PNG\r\n\x1a\n"[..], b"GIF89a", b"\xff\xd8\xff\xe0", b"hello", b"\x00", b"<html>"] {
            assert_eq!(judged(bytes), Err(RefusalCode::NotAVideo));
        }
    }

    #[test]
    fn the_tables_are_read_before_ffmpeg_reads_them() {
        let refused = |traks: &[Vec<u8>]| judged(&film(traks, b"x")).unwrap_err();
        assert_eq!(refused(&[trak(b"vide", b"avc1", 8192, 8192, b"")]), RefusalCode::TooManyPixels);
        assert_eq!(refused(&[trak(b"soun", b"mp4a", 0, 0, b"")]), RefusalCode::NoPicture);
        assert_eq!(refused(&[trak(b"vide", b"encv", 640, 480, b"")]), RefusalCode::Encrypted);
        assert_eq!(refused(&[trak(b"vide", b"avc1", 640, 480, &make(b"sinf", b""))]), RefusalCode::Encrypted);
        assert_eq!(refused(&[trak(b"vide", b"avc1", 640, 480, b""), make(b"pssh", b"")]), RefusalCode::Encrypted);
        assert_eq!(refused(&[]), RefusalCode::NotAVideo);
        let many = vec![trak(b"vide", b"avc1", 640, 480, b""); MAX_TRACKS];
        assert_eq!(refused(&many), RefusalCode::TooManyStreams);
        assert!(judged(&film(&many[1..], b"x")).is_ok());
    }

    #[test]
    fn more_edits_than_anybody_makes_are_refused() {
        let edited = |n: usize| {
            let elst = make(b"elst", &vec![0; 8 + 12 * n]);
            let trak = trak(b"vide", b"avc1", 640, 480, b"");
            let trak = make(b"trak", &[&trak[8..], &make(b"edts", &elst)].concat());
            judged(&film(&[trak], b"x"))
        };
        assert!(edited(MAX_EDITS - 1).is_ok());
        assert_eq!(edited(MAX_EDITS + 1), Err(RefusalCode::NotAVideo));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let film = film(&[trak(b"vide", b"avc1", 640, 480, &make(b"sinf", b"abc"))], b"mdat");
        for n in 0..film.len() {
            let _ = judged(&film[..n]);
            for value in [0, 1, 0x7f, 0xff] {
                let mut bent = film.clone();
                bent[n] = value;
                let _ = judged(&bent);
            }
        }
    }

    #[test]
    fn transport_streams_and_flv_pass() {
        let mut ts = vec![0; 188 * 3];
        for n in 0..3 {
            ts[n * 188] = 0x47;
        }
        assert_eq!(judged(&ts).unwrap().container, Container::MpegTs);
        assert_eq!(judged(b"FLV\x01\x05").unwrap().container, Container::Flv);
    }
}
