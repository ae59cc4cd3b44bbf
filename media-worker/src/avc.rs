//! What has to be known of H.264's own bytes.

/// RFC 6381's name of an H.264 stream, from its parameter sets.
pub fn avc_name(extradata: &[u8]) -> Option<String> {
    let sps = match extradata {
        [1, profile, compatibility, level, ..] => [*profile, *compatibility, *level],
        _ => {
            let at = extradata.windows(4).position(|w| w[..3] == [0, 0, 1] && w[3] & 0x1f == 7)?;
            extradata.get(at + 4..at + 7)?.try_into().ok()?
        }
    };
    Some(format!("avc1.{:02X}{:02X}{:02X}", sps[0], sps[1], sps[2]))
}

/// An IDR picture: nothing after it leans on anything before it.
const IDR: u8 = 5;

/// Whether a key frame opens a closed group of pictures. `head` is the stream's, and says how units are parted: by
/// their lengths (MP4, Matroska) or by start codes (MPEG-TS).
pub fn opens_fresh(head: &[u8], packet: &[u8]) -> bool {
    let is_idr = |unit: &[u8]| unit.first().is_some_and(|first| first & 0x1f == IDR);
    match head {
        [1, _, _, _, sizes, ..] => units(packet, (sizes & 3) as usize + 1).any(is_idr),
        _ => packet.windows(4).any(|w| w[..3] == [0, 0, 1] && is_idr(&w[3..])),
    }
}

/// Whether a packet of H.264 or H.265 consists of whole units: what was overwritten, or lies at another place than the
/// index says, hardly ever does. `size` is that of a unit's length.
pub fn is_whole(packet: &[u8], size: usize) -> bool {
    // Some writers part units by start codes where their head says lengths; readers know that.
    let by_codes =
        size == 4 && packet.starts_with(&[0, 0, 0, 1]) && packet.get(4).is_some_and(|first| first & 0x80 == 0);
    if by_codes && units(packet, size).nth(1).is_none() {
        return true;
    }
    let mut left = packet;
    for unit in units(packet, size) {
        // A unit has a first byte, of which the first bit is zero. Behind the last one some writers fill up.
        match unit.first() {
            None => break,
            Some(first) if first & 0x80 != 0 => return false,
            Some(_) => left = &left[size + unit.len()..],
        }
    }
    !packet.is_empty() && left.len() < size.max(packet.len() / 100) && left.iter().all(|byte| *byte == 0)
}

/// Units behind lengths of `size` bytes; a length that lies ends them.
fn units(mut packet: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = packet.split_at_checked(size)?;
        let length = length.iter().fold(0, |n, byte| n << 8 | *byte as usize);
        let (unit, rest) = rest.split_at_checked(length)?;
        packet = rest;
        Some(unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_whole_units() {
        let whole = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x06];
        assert!(is_whole(&whole, 4) && is_whole(&[&whole[..], &[0, 0]].concat(), 4));
        let by_codes = [0, 0, 0, 1, 0x67, 0x64, 0, 0x1f, 0, 0, 0, 1, 0x65, 1];
        assert!(is_whole(&by_codes, 4), "units behind start codes, whatever the head says");
        assert!(!is_whole(&whole[..10], 4) && !is_whole(&whole[1..], 4) && !is_whole(&[], 4));
        assert!(!is_whole(&[0; 11], 4), "overwritten");
        assert!(!is_whole(&[0, 0, 0, 1, 0xff], 4));
    }

    #[test]
    fn a_stream_is_named_from_either_form_of_its_head() {
        assert_eq!(avc_name(&[1, 0x64, 0, 0x1f, 0xff]).as_deref(), Some("avc1.64001F"));
        assert_eq!(avc_name(&[0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x0d, 0x95]).as_deref(), Some("avc1.42C00D"));
        assert_eq!(avc_name(&[]), None);
        assert_eq!(avc_name(&[0, 0, 1, 0x67]), None);
    }

    #[test]
    fn a_group_is_closed_when_it_opens_with_an_idr() {
        let lengths = [1, 0x64, 0, 0x1f, 0xff, 0xe1];
        // A parameter set, then an IDR; a recovery point, then an ordinary picture.
        assert!(opens_fresh(&lengths, &[0, 0, 0, 2, 0x67, 9, 0, 0, 0, 2, 0x65, 9]));
        assert!(!opens_fresh(&lengths, &[0, 0, 0, 2, 0x06, 9, 0, 0, 0, 2, 0x41, 9]));
        assert!(opens_fresh(&[1, 0x64, 0, 0x1f, 0xfd], &[0, 1, 0x65]));
        // Start codes of three and four bytes.
        assert!(opens_fresh(&[0, 0, 0, 1, 0x67], &[0, 0, 0, 1, 0x09, 0xf0, 0, 0, 1, 0x65]));
        assert!(!opens_fresh(&[], &[0, 0, 1, 0x41, 5, 5]));
        // What lies about its lengths, or holds nothing.
        assert!(!opens_fresh(&lengths, &[0xff, 0xff, 0xff, 0xff, 0x65]));
        assert!(!opens_fresh(&lengths, &[]));
    }
}
