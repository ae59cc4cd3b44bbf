//! Boxes of ISO base media files (mp4, mov, 3gp), read and mended without ffmpeg.

use std::io::{self, Read, Seek, SeekFrom};

pub type Kind = [u8; 4];

/// A box at the top level of a file. `end` is where it says it ends, which may lie behind the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopBox {
    pub kind: Kind,
    pub body: u64,
    pub end: u64,
    /// "To the end of the file", as a recorder writes before it knows.
    pub open_ended: bool,
}

/// The boxes of a file one after the other, without reading what is in them. Stops at the first that cannot be one.
pub fn top_level(file: &mut (impl Read + Seek), len: u64) -> io::Result<Vec<TopBox>> {
    let mut boxes = Vec::new();
    let mut at = 0;
    // A film of hours in fragments of a second stays below this.
    while at + 8 <= len && boxes.len() < 100_000 {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 16];
        let n = read_up_to(file, &mut head)?;
        let Some((kind, header, size)) = header(&head[..n]) else { break };
        let open_ended = size == 0;
        let Some(end) = (if open_ended { Some(len) } else { at.checked_add(size) }) else { break };
        boxes.push(TopBox { kind, body: at + header, end, open_ended });
        at = end;
    }
    Ok(boxes)
}

fn read_up_to(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match file.read(&mut buffer[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

/// Kind, length of the header, length of the box (0: to the end).
fn header(bytes: &[u8]) -> Option<(Kind, u64, u64)> {
    let size = u64::from(be32(bytes, 0)?);
    let kind: Kind = bytes.get(4..8)?.try_into().ok()?;
    match size {
        1 => {
            let size = u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?);
            (size >= 16).then_some((kind, 16, size))
        }
        0 => Some((kind, 8, 0)),
        _ => (size >= 8).then_some((kind, 8, size)),
    }
}

pub fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A box inside a piece of memory: where its body lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inner {
    pub kind: Kind,
    pub body: std::ops::Range<usize>,
}

/// The boxes that lie side by side in `range` of `bytes`. A size that leads outside ends the list.
pub fn inside(bytes: &[u8], range: std::ops::Range<usize>) -> Vec<Inner> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at + 8 <= range.end {
        let Some((kind, header, size)) = header(&bytes[at..range.end]) else { break };
        let end = if size == 0 { range.end } else { at.saturating_add(size as usize) };
        if end > range.end {
            break;
        }
        found.push(Inner { kind, body: at + header as usize..end });
        at = end;
    }
    found
}

pub fn child(bytes: &[u8], of: &Inner, kind: &Kind) -> Option<Inner> {
    inside(bytes, of.body.clone()).into_iter().find(|b| &b.kind == kind)
}

/// The handler of a track: `vide`, `soun` and so on.
pub fn handler(bytes: &[u8], trak: &Inner) -> Option<Kind> {
    let mdia = child(bytes, trak, b"mdia")?;
    let hdlr = child(bytes, &mdia, b"hdlr")?;
    bytes.get(hdlr.body.start + 8..hdlr.body.start + 12)?.try_into().ok()
}

/// Writes a display matrix into the header of the first video track of a `moov`. Players turn the picture by it.
pub fn set_matrix(moov: &mut [u8], matrix: &[i32; 9]) -> bool {
    let tracks: Vec<Inner> = inside(moov, 0..moov.len()).into_iter().filter(|b| &b.kind == b"trak").collect();
    let Some(video) = tracks.iter().find(|t| handler(moov, t).as_ref() == Some(b"vide")) else { return false };
    let Some(tkhd) = child(moov, video, b"tkhd") else { return false };
    let at = tkhd.body.start + if moov[tkhd.body.start] == 1 { 52 } else { 40 };
    let Some(place) = moov.get_mut(at..at + 36) else { return false };
    for (four, value) in place.chunks_exact_mut(4).zip(matrix) {
        four.copy_from_slice(&value.to_be_bytes());
    }
    true
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn make(kind: &Kind, body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
    }

    #[test]
    fn top_level_says_where_a_cut_file_wanted_to_end() {
        let mut file = make(b"ftyp", b"isom");
        file.extend(1000_u32.to_be_bytes());
        file.extend(b"mdat...");
        let len = file.len() as u64;
        let boxes = top_level(&mut io::Cursor::new(file), len).unwrap();
        assert_eq!(boxes.iter().map(|b| (b.kind, b.end)).collect::<Vec<_>>(), [(*b"ftyp", 12), (*b"mdat", 1012)]);
    }

    #[test]
    fn sizes_that_lead_nowhere_end_the_walk() {
        for bad in [&[0, 0, 0, 3, b'a', b'b', b'c', b'd'][..], &[0, 0, 0, 1, b'a', b'b', b'c', b'd', 0, 0], &[0xff; 8]]
        {
            assert!(inside(bad, 0..bad.len()).is_empty());
        }
        let huge = [&1_u32.to_be_bytes()[..], b"mdat", &u64::MAX.to_be_bytes()].concat();
        let mut twice = make(b"free", b"");
        twice.extend(&huge);
        assert_eq!(top_level(&mut io::Cursor::new(&twice), twice.len() as u64).unwrap().len(), 1);
    }

    #[test]
    fn a_matrix_is_written_into_the_video_track() {
        let hdlr = |kind: &Kind| make(b"mdia", &make(b"hdlr", &[&[0; 8][..], kind, &[0; 12]].concat()));
        let trak = |kind: &Kind| make(b"trak", &[make(b"tkhd", &[0; 84]), hdlr(kind)].concat());
        let mut moov = [trak(b"soun"), trak(b"vide")].concat();
        let half = moov.len() / 2;
        assert!(set_matrix(&mut moov, &[0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30]));
        assert!(moov[..half].windows(4).all(|w| w != 65536_i32.to_be_bytes()));
        assert_eq!(be32(&moov[half..], 8 + 8 + 40 + 4), Some(65536));
    }
}
