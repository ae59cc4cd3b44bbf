//! The elements of Matroska and WebM files, as far as the gate needs them.

use std::io::{self, Read, Seek, SeekFrom};

use weijia_core::clip::refusal::RefusalCode;

use crate::gate::{Container, Judged, MAX_PIXELS, MAX_TRACKS, Passed};

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;
const VIDEO: u32 = 0xe0;
const PIXEL_WIDTH: u32 = 0xb0;
const PIXEL_HEIGHT: u32 = 0xba;
const CONTENT_ENCODINGS: u32 = 0x6d80;
const CONTENT_ENCODING: u32 = 0x6240;
const CONTENT_ENCRYPTION: u32 = 0x5035;

/// The walk through a file of small pieces ends here; a recording of the longest clip has half as many.
const MOST_ELEMENTS: usize = 200_000;

/// Id, length (none: until something else begins), length of the head.
fn element(bytes: &[u8]) -> Option<(u32, Option<u64>, usize)> {
    let id_len = bytes.first()?.leading_zeros() as usize + 1;
    if id_len > 4 {
        return None;
    }
    let id = bytes.get(..id_len)?.iter().fold(0, |id, b| id << 8 | u32::from(*b));
    let first = *bytes.get(id_len)?;
    let size_len = first.leading_zeros() as usize + 1;
    if size_len > 8 {
        return None;
    }
    let mask = if size_len == 8 { 0 } else { 0xff_u8 >> size_len };
    let rest = bytes.get(id_len + 1..id_len + size_len)?;
    let size = rest.iter().fold(u64::from(first & mask), |n, b| n << 8 | u64::from(*b));
    let unknown = (1_u64 << (7 * size_len)) - 1;
    Some((id, (size != unknown).then_some(size), id_len + size_len))
}

/// The children in a piece of memory.
fn children(mut bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let mut found = Vec::new();
    while let Some((id, Some(size), head)) = element(bytes) {
        let Some(body) = usize::try_from(size).ok().and_then(|n| bytes.get(head..head.checked_add(n)?)) else { break };
        found.push((id, body));
        bytes = &bytes[head + body.len()..];
    }
    found
}

fn uint(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
}

pub fn judge(file: &mut (impl Read + Seek), len: u64) -> io::Result<Judged> {
    let (mut at, mut cut, mut tracks, mut clusters) = (0, false, false, 0);
    for _ in 0..MOST_ELEMENTS {
        if at >= len {
            break;
        }
        file.seek(SeekFrom::Start(at))?;
        let mut head = Vec::with_capacity(12);
        file.by_ref().take(12).read_to_end(&mut head)?;
        let Some((id, size, head)) = element(&head) else {
            cut |= tracks;
            break;
        };
        let body = at + head as u64;
        let end = size.and_then(|n| body.checked_add(n));
        cut |= end.is_some_and(|end| end > len);
        clusters += usize::from(id == CLUSTER);
        if id == TRACKS && end.is_some_and(|end| end <= len && end - body <= 1 << 20) {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(body))?;
            file.by_ref().take(size.unwrap_or(0)).read_to_end(&mut bytes)?;
            tracks = true;
            if let Err(code) = judge_tracks(&bytes) {
                return Ok(Err(code));
            }
        }
        // What has no length of its own is walked through; so is the segment.
        at = if id == SEGMENT { body } else { end.unwrap_or(body) };
    }
    Ok(match (tracks, clusters) {
        (true, 1..) => Ok(Passed { container: Container::Matroska, cut }),
        (true, 0) => Err(RefusalCode::Incomplete),
        (false, _) if cut => Err(RefusalCode::Incomplete),
        (false, _) => Err(RefusalCode::NotAVideo),
    })
}

fn judge_tracks(bytes: &[u8]) -> Result<(), RefusalCode> {
    let mut pictures = false;
    let entries: Vec<_> = children(bytes).into_iter().filter(|(id, _)| *id == TRACK_ENTRY).collect();
    if entries.len() >= MAX_TRACKS {
        return Err(RefusalCode::TooManyStreams);
    }
    for (_, entry) in entries {
        for (id, body) in children(entry) {
            match id {
                TRACK_TYPE => pictures |= uint(body) == 1,
                CONTENT_ENCODINGS => {
                    let encodings = children(body).into_iter().filter(|(id, _)| *id == CONTENT_ENCODING);
                    if encodings.flat_map(|(_, e)| children(e)).any(|(id, _)| id == CONTENT_ENCRYPTION) {
                        return Err(RefusalCode::Encrypted);
                    }
                }
                VIDEO => {
                    let side = |wanted| children(body).iter().find(|(id, _)| *id == wanted).map_or(0, |(_, b)| uint(b));
                    if side(PIXEL_WIDTH).saturating_mul(side(PIXEL_HEIGHT)) > MAX_PIXELS {
                        return Err(RefusalCode::TooManyPixels);
                    }
                }
                _ => {}
            }
        }
    }
    if pictures { Ok(()) } else { Err(RefusalCode::NoPicture) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn el(id: u32, body: &[u8]) -> Vec<u8> {
        let id: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
        [&id[..], &(body.len() as u32 | 0x1000_0000).to_be_bytes(), body].concat()
    }
    fn unsized_el(id: u32, body: &[u8]) -> Vec<u8> {
        [&id.to_be_bytes()[..], &[0xff], body].concat()
    }
    fn track(kind: u8, width: u16, height: u16, more: &[u8]) -> Vec<u8> {
        let video =
            el(VIDEO, &[el(PIXEL_WIDTH, &width.to_be_bytes()), el(PIXEL_HEIGHT, &height.to_be_bytes())].concat());
        el(TRACK_ENTRY, &[el(TRACK_TYPE, &[kind]), video, more.to_vec()].concat())
    }
    fn webm(track: &[u8], clusters: &[u8]) -> Vec<u8> {
        let segment = unsized_el(SEGMENT, &[el(TRACKS, track), clusters.to_vec()].concat());
        [el(0x1a45_dfa3, b"webm"), segment].concat()
    }
    fn judged(bytes: &[u8]) -> Judged {
        judge(&mut io::Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    #[test]
    fn a_recording_without_lengths_passes_and_its_cut_is_seen() {
        let block = el(0xa3, &[1; 40]);
        let whole = webm(&track(1, 640, 480, b""), &unsized_el(CLUSTER, &[block.clone(), block].concat()));
        assert_eq!(judged(&whole), Ok(Passed { container: Container::Matroska, cut: false }));
        assert_eq!(judged(&whole[..whole.len() - 7]), Ok(Passed { container: Container::Matroska, cut: true }));
    }

    #[test]
    fn tracks_tell_what_cannot_be_shown() {
        let cluster = el(CLUSTER, b"");
        let locked = el(CONTENT_ENCODINGS, &el(CONTENT_ENCODING, &el(CONTENT_ENCRYPTION, b"")));
        assert_eq!(judged(&webm(&track(1, 640, 480, &locked), &cluster)), Err(RefusalCode::Encrypted));
        assert_eq!(judged(&webm(&track(1, 8192, 8192, b""), &cluster)), Err(RefusalCode::TooManyPixels));
        assert_eq!(judged(&webm(&track(2, 0, 0, b""), &cluster)), Err(RefusalCode::NoPicture));
        let many = track(1, 640, 480, b"").repeat(MAX_TRACKS);
        assert_eq!(judged(&webm(&many, &cluster)), Err(RefusalCode::TooManyStreams));
        assert_eq!(judged(&webm(&track(1, 640, 480, b""), b"")), Err(RefusalCode::Incomplete));
        assert_eq!(judged(&el(0x1a45_dfa3, b"webm")), Err(RefusalCode::NotAVideo));
    }

    /// Counts how often somebody looks.
    struct Counted<T>(T, usize);
    impl<T: Read> Read for Counted<T> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            self.0.read(buffer)
        }
    }
    impl<T: Seek> Seek for Counted<T> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn a_file_of_crumbs_is_not_walked_to_its_end() {
        let crumbs = [0xec, 0x80].repeat(1 << 20);
        let bytes = webm(&track(1, 640, 480, b""), &[el(CLUSTER, b""), crumbs].concat());
        let mut file = Counted(io::Cursor::new(&bytes), 0);
        assert!(judge(&mut file, bytes.len() as u64).unwrap().is_ok());
        assert!(file.1 <= 3 * MOST_ELEMENTS, "{}", file.1);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let file = webm(&track(1, 640, 480, b""), &el(CLUSTER, &el(0xa3, &[1; 9])));
        for n in 0..file.len() {
            let _ = judged(&file[..n]);
            for value in [0, 1, 0x7f, 0xff] {
                let mut bent = file.clone();
                bent[n] = value;
                let _ = judged(&bent);
            }
        }
    }
}
