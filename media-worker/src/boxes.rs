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

/// Takes `delay` from every composition offset of a track in a fragment, so that its first picture is shown at the
/// fragment's decode time and not a few frames later: all renditions, and the sound, then start together.
pub fn shift_composition(fragment: &mut [u8], track: u32, delay: i32) -> bool {
    let mut done = false;
    for moof in inside(fragment, 0..fragment.len()).into_iter().filter(|b| &b.kind == b"moof") {
        for traf in inside(fragment, moof.body).into_iter().filter(|b| &b.kind == b"traf") {
            let Some(tfhd) = child(fragment, &traf, b"tfhd") else { continue };
            if be32(fragment, tfhd.body.start + 4) != Some(track) {
                continue;
            }
            for trun in inside(fragment, traf.body.clone()).into_iter().filter(|b| &b.kind == b"trun") {
                done |= shift_run(&mut fragment[trun.body], delay);
            }
        }
    }
    done
}

/// One `trun`: version and flags, count, optional data offset and first flags, then per sample what the flags name.
fn shift_run(run: &mut [u8], delay: i32) -> bool {
    const OFFSETS: u32 = 0x800;
    let (Some(head), Some(count)) = (be32(run, 0), be32(run, 4)) else { return false };
    let flags = head & 0x00ff_ffff;
    if flags & OFFSETS == 0 {
        return false;
    }
    let before = [0x100, 0x200, 0x400].iter().filter(|f| flags & **f != 0).count() * 4;
    let mut at = 8 + [0x1, 0x4].iter().filter(|f| flags & **f != 0).count() * 4 + before;
    run[0] = 1; // signed offsets
    for _ in 0..count {
        let Some(old) = be32(run, at) else { return false };
        run[at..at + 4].copy_from_slice(&(old as i32).wrapping_sub(delay).to_be_bytes());
        at += 4 + before;
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
    fn offsets_are_shifted_in_the_named_track_alone() {
        let run = |offsets: [i32; 2]| {
            let mut body = [&0x0000_0a01_u32.to_be_bytes()[..], &2_u32.to_be_bytes(), &77_u32.to_be_bytes()].concat();
            for offset in offsets {
                body.extend(9_u32.to_be_bytes()); // size
                body.extend(offset.to_be_bytes());
            }
            make(b"trun", &body)
        };
        let traf = |track: u32, offsets| {
            let tfhd = make(b"tfhd", &[[0; 4], track.to_be_bytes()].concat());
            make(b"traf", &[tfhd, run(offsets)].concat())
        };
        let mut fragment = make(b"moof", &[traf(1, [1024, 2048]), traf(2, [1024, 2048])].concat());
        assert!(shift_composition(&mut fragment, 1, 1024));
        let expected = make(b"moof", &[traf(1, [0, 1024]), traf(2, [1024, 2048])].concat());
        let mut differing: Vec<usize> = (0..fragment.len()).filter(|i| fragment[*i] != expected[*i]).collect();
        let version = differing.pop().unwrap();
        assert!(differing.is_empty() && fragment[version] == 1);
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
