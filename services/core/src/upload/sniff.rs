//! The first bytes decide whether a file can be a video at all, before a data plan is spent on the rest.

use crate::clip::refusal::RefusalCode;

/// So many bytes always decide: the packets of a transport stream show themselves last, by five sync bytes that lie
/// 192 apart at most.
pub const ENOUGH: usize = 4 + 4 * 192 + 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Video,
    Refused(RefusalCode),
    NeedMore,
}

/// Judges a file by its beginning. `whole`: nothing follows `head`.
pub fn sniff(head: &[u8], whole: bool) -> Verdict {
    if is_box_file(head) || head.starts_with(b"\x1a\x45\xdf\xa3") || head.starts_with(b"FLV\x01") || is_mpeg_ts(head) {
        return Verdict::Video;
    }
    if let Some(code) = known_stranger(head) {
        return Verdict::Refused(code);
    }
    match (head, whole) {
        ([], true) => Verdict::Refused(RefusalCode::Empty),
        _ if head.len() < ENOUGH && !whole => Verdict::NeedMore,
        _ => Verdict::Refused(RefusalCode::NotAVideo),
    }
}

/// ISO media (mp4, mov, 3gp): a size and a type, and the type one that such a file begins with. Old QuickTime has no
/// `ftyp`. Pictures in the same wrapping are not videos.
fn is_box_file(head: &[u8]) -> bool {
    let (Some(size), Some(kind)) = (head.get(0..4), head.get(4..8)) else { return false };
    let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]);
    // 0: up to the end of the file. 1: the size follows in 64 bits.
    let plausible = size == 0 || size == 1 || size >= 8;
    match kind {
        b"ftyp" => size >= 16 && head.get(8..12).is_some_and(|brand| !is_picture(brand)),
        b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot" | b"moof" | b"styp" => plausible,
        _ => false,
    }
}

fn is_picture(brand: &[u8]) -> bool {
    matches!(brand, b"heic" | b"heix" | b"heim" | b"heis" | b"mif1" | b"avif" | b"crx ")
}

fn is_mpeg_ts(head: &[u8]) -> bool {
    let synced = |first: usize, step: usize| (0..5).all(|i| head.get(first + i * step) == Some(&0x47));
    synced(0, 188) || synced(4, 192)
}

/// Formats that can be told at once and are none of ours.
fn known_stranger(head: &[u8]) -> Option<RefusalCode> {
    let text: Vec<u8> =
        head.iter().copied().skip_while(|b| b.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(b)).take(512).collect();
    let playlists: [&[u8]; 5] = [b"#EXTM3U", b"ffconcat", b"[playlist]", b"<?xml", b"<MPD"];
    if playlists.iter().any(|mark| text.starts_with(mark)) {
        return Some(RefusalCode::Playlist);
    }
    let strangers: [&[u8]; 10] =
        [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"PK\x03\x04", b"%PDF", b"ID3", b"OggS", b"fLaC", b"Rar!", b"\x7fELF"];
    let picture = head.get(4..8) == Some(b"ftyp") && head.get(8..12).is_some_and(is_picture);
    if picture || strangers.iter().any(|mark| head.starts_with(mark)) { Some(RefusalCode::NotAVideo) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RefusalCode::*;
    use Verdict::*;

    #[test]
    fn what_phones_make_passes() {
        let mp4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2";
        for head in [
            &mp4[..],
            b"\x00\x00\x00\x14ftypqt  ",
            b"\x00\x00\x00\x1cftyp3gp4",
            b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat",
            b"\x00\x00\x10\x00moov",
            b"\x00\x00\x00\x01mdat\x00\x00\x00\x01\x00\x00\x00\x00",
            b"\x00\x00\x00\x00mdat",
            b"\x00\x00\x00\x10free",
            b"\x1a\x45\xdf\xa3\x01",
            b"FLV\x01\x05",
        ] {
            assert_eq!(sniff(head, false), Video, "{head:?}");
        }
    }

    #[test]
    fn a_transport_stream_needs_five_packets() {
        for (first, step) in [(0, 188), (4, 192)] {
            let mut head = vec![0; first + 4 * step + 1];
            (0..5).for_each(|i| head[first + i * step] = 0x47);
            assert_eq!(sniff(&head, false), Video);
            head.truncate(first + 4 * step);
            assert_eq!(sniff(&head, false), NeedMore);
            assert_eq!(sniff(&head, true), Refused(NotAVideo));
        }
    }

    #[test]
    fn a_list_of_addresses_is_told_as_such() {
        for head in ["#EXTM3U\n#EXT-X", "\u{feff}#EXTM3U", "ffconcat version 1.0\n", "  <?xml version=\"1.0\"?><MPD"] {
            assert_eq!(sniff(head.as_bytes(), false), Refused(Playlist), "{head}");
        }
    }

    #[test]
    fn what_is_no_video_is_refused_early() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0", false), Refused(NotAVideo));
        assert_eq!(sniff(b"\x00\x00\x00\x18ftypheic", false), Refused(NotAVideo));
        assert_eq!(sniff(b"PK\x03\x04", false), Refused(NotAVideo));
        assert_eq!(sniff(b"hello", false), NeedMore);
        assert_eq!(sniff(b"hello", true), Refused(NotAVideo));
        assert_eq!(sniff(&[0xb0; 2000], false), Refused(NotAVideo));
        assert_eq!(sniff(&[], false), NeedMore);
        assert_eq!(sniff(&[], true), Refused(Empty));
        assert_eq!(sniff(&b"\x00\x00\x00\x20ftyp"[..], false), NeedMore);
        assert!(sniff(&[7; ENOUGH], false) != NeedMore);
    }
}
