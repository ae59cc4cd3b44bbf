//! Which codec the pictures of an FLV are in, where ffmpeg has no name for it: live encoders of Chinese makers count on after
//! Adobe's last number, and enhanced RTMP writes four letters, which FFmpeg reads from 6.1 on.

use std::io::{self, Read, Seek, SeekFrom};

/// A tag's head, and behind its body once more how long it was.
const TAG: u64 = 11 + 4;
const PICTURES: u8 = 9;
/// Pictures that have not come by then are not what the film is about.
const MOST_TAGS: usize = 2_000;

/// ffmpeg's name of it. None: it is another one.
pub fn codec(file: &mut (impl Read + Seek)) -> io::Result<Option<&'static str>> {
    match first_picture(file) {
        Ok(Some([what, letters @ ..])) => Ok(match (what & 0x80 != 0, what & 0x0f, &letters) {
            (false, 12, _) | (true, _, b"hvc1") => Some("hevc"),
            (false, 13, _) | (true, _, b"av01") => Some("av1"),
            (true, _, b"vp09") => Some("vp9"),
            _ => None,
        }),
        Ok(None) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first bytes of the first tag with pictures.
fn first_picture(file: &mut (impl Read + Seek)) -> io::Result<Option<[u8; 5]>> {
    let mut head = [0; 9];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut head)?;
    let [.., a, b, c, d] = head;
    // Before the first tag stands the length of none.
    let mut at = u64::from(u32::from_be_bytes([a, b, c, d])) + 4;
    for _ in 0..MOST_TAGS {
        file.seek(SeekFrom::Start(at))?;
        let mut tag = [0; 16];
        file.read_exact(&mut tag)?;
        let [kind, a, b, c, ..] = tag;
        if kind & 0x1f == PICTURES {
            return Ok(tag[11..].try_into().ok());
        }
        at += TAG + u64::from(u32::from_be_bytes([0, a, b, c]));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: u8, body: &[u8]) -> Vec<u8> {
        let len = body.len() as u32;
        [&[kind][..], &len.to_be_bytes()[1..], &[0; 7], body, &(len + 11).to_be_bytes()].concat()
    }
    fn found(tags: &[Vec<u8>]) -> Option<&'static str> {
        let film = [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &tags.concat()].concat();
        codec(&mut io::Cursor::new(film)).unwrap()
    }

    #[test]
    fn the_codec_of_the_first_picture_is_named() {
        let sound = tag(8, &[0xaf; 300]);
        let notes = tag(18, b"onMetaData");
        for (body, name) in [
            (&[0x1c, 0, 0, 0, 0, 1][..], Some("hevc")),
            (&[0x1d, 0, 0, 0, 0, 1], Some("av1")),
            (b"\x90hvc1\0", Some("hevc")),
            (b"\x90av01\0", Some("av1")),
            (b"\x90vp09\0", Some("vp9")),
            (&[0x17, 0, 0, 0, 0, 1], None),
            (&[0x12, 0, 0, 0, 0, 1], None),
        ] {
            assert_eq!(found(&[notes.clone(), sound.clone(), tag(9, body)]), name, "{body:?}");
        }
        assert_eq!(found(&[sound.clone(), vec![9, 0, 0]]), None, "it ends");
        assert_eq!(found(&vec![sound; 3_000]), None);
    }
}
