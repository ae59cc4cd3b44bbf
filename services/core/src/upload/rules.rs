//! Pure decisions about offsets and parts.

use sha2::{Digest, Sha256};

use super::{Durable, Part, State, TailPiece};

const MIB: i64 = 1 << 20;
/// S3 takes 5 MiB; larger parts cost fewer requests and commits.
pub const MIN_PART: i64 = 8 * MIB;
/// S3's limit.
pub const MAX_PARTS: i64 = 10_000;
/// The largest part that fits into the memory pool, and with it the largest file.
pub const MAX_PART: i64 = 128 * MIB;
pub const MAX_LENGTH: i64 = MAX_PART * MAX_PARTS;

/// The size of every part but the last: fixed by the length, in whole MiB, so that the parts suffice.
pub fn part_size(length: i64) -> i64 {
    let needed = (length + MAX_PARTS - 1) / MAX_PARTS;
    ((needed + MIB - 1) / MIB * MIB).max(MIN_PART)
}

/// The part (from 1) that the byte at `offset` lies in.
pub fn part_no(offset: i64, part_size: i64) -> i64 {
    offset / part_size + 1
}

pub fn part_start(no: i64, part_size: i64) -> i64 {
    (no - 1) * part_size
}

pub fn part_len(no: i64, part_size: i64, length: i64) -> i64 {
    (length - part_start(no, part_size)).clamp(0, part_size)
}

pub fn parts_total(part_size: i64, length: i64) -> i64 {
    (length + part_size - 1) / part_size
}

/// What a client may rely on: the contiguous whole parts, and behind them the contiguous pieces of the tail. A part
/// beyond a gap, or of another length than its number asks for, counts for nothing.
pub fn durable(length: i64, part_size: i64, mut parts: Vec<Part>, mut tail: Vec<TailPiece>) -> Durable {
    parts.sort_by_key(|part| part.no);
    let whole = (parts.iter().zip(1..))
        .take_while(|(part, no)| part.no == *no && part.len > 0 && part.len == part_len(*no, part_size, length))
        .count();
    parts.truncate(whole);
    let next = whole as i64 + 1;
    let mut offset: i64 = parts.iter().map(|part| part.len).sum();
    let room = part_len(next, part_size, length);
    let mut end = 0;
    tail.retain(|piece| piece.part_no == next);
    tail.sort_by_key(|piece| piece.start);
    let contiguous = (tail.iter())
        .take_while(|piece| {
            let follows = piece.start == end && end + piece.len <= room;
            end += if follows { piece.len } else { 0 };
            follows
        })
        .count();
    tail.truncate(contiguous);
    offset += end;
    Durable { parts, tail, offset }
}

/// One hash for the file from the hashes of its parts: survives a crash without the state of a hash, and a browser can
/// compute it slice by slice.
pub fn root(parts: &[Part]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(hex::decode(&part.sha256).unwrap_or_default());
    }
    hex::encode(hash.finalize())
}

/// Why bytes cannot be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAppend {
    /// Terminated or expired.
    Gone,
    /// Refused, or lost by the store.
    Failed,
    /// The client speaks of another offset than the durable one.
    WrongOffset,
    /// More bytes than were announced at creation.
    TooLong,
}

/// What a PATCH at `asked` may do when `durable` bytes are there and its body announces `body` bytes.
/// `Ok(false)`: nothing is left to be sent, and that is fine.
pub fn may_append(
    state: State,
    length: i64,
    durable: i64,
    asked: i64,
    body: Option<i64>,
) -> std::result::Result<bool, NoAppend> {
    match state {
        State::Terminated | State::Expired => return Err(NoAppend::Gone),
        State::Failed => return Err(NoAppend::Failed),
        State::Open | State::Completing | State::Complete => {}
    }
    if asked != durable {
        return Err(NoAppend::WrongOffset);
    }
    if body.is_some_and(|body| body > length - durable) {
        return Err(NoAppend::TooLong);
    }
    Ok(state == State::Open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(no: i64, len: i64) -> Part {
        Part { no, len, etag: format!("e{no}"), sha256: hex::encode(Sha256::digest([no as u8])) }
    }

    fn piece(part_no: i64, start: i64, len: i64) -> TailPiece {
        TailPiece { part_no, start, len, key: format!("t{start}"), sha256: String::new() }
    }

    #[test]
    fn ten_thousand_parts_suffice_for_any_length() {
        for length in [0, 1, MIN_PART, MIN_PART * MAX_PARTS, MIN_PART * MAX_PARTS + 1, 1 << 40, MAX_LENGTH] {
            let size = part_size(length);
            assert!((MIN_PART..=MAX_PART).contains(&size), "{length}: {size}");
            assert!(parts_total(size, length) <= MAX_PARTS, "{length}");
            assert_eq!(size % MIB, 0);
        }
        assert_eq!(part_size(2 << 30), MIN_PART);
        assert_eq!(part_size(MIN_PART * MAX_PARTS + 1), 9 * MIB);
    }

    #[test]
    fn a_parts_number_is_a_function_of_the_offset() {
        let (size, length) = (10, 25);
        assert_eq!([0, 9, 10, 19, 20, 24].map(|o| part_no(o, size)), [1, 1, 2, 2, 3, 3]);
        assert_eq!([1, 2, 3, 4].map(|no| part_len(no, size, length)), [10, 10, 5, 0]);
        assert_eq!(parts_total(size, length), 3);
        assert_eq!(parts_total(size, 0), 0);
    }

    #[test]
    fn the_offset_is_the_contiguous_prefix_and_the_tail() {
        let offset = |parts: Vec<Part>, tail: Vec<TailPiece>| durable(25, 10, parts, tail).offset;
        assert_eq!(offset(vec![], vec![]), 0);
        assert_eq!(offset(vec![part(2, 10), part(1, 10)], vec![]), 20);
        assert_eq!(offset(vec![part(1, 10)], vec![piece(2, 0, 4), piece(2, 4, 3)]), 17);
        assert_eq!(offset(vec![part(1, 10), part(2, 10), part(3, 5)], vec![]), 25);
    }

    #[test]
    fn a_gap_ends_the_offset() {
        let offset = |parts: Vec<Part>, tail: Vec<TailPiece>| durable(25, 10, parts, tail).offset;
        assert_eq!(offset(vec![part(1, 10), part(3, 5)], vec![]), 10, "a part beyond a gap");
        assert_eq!(offset(vec![part(2, 10)], vec![piece(3, 0, 4)]), 0, "a tail beyond a gap");
        assert_eq!(offset(vec![part(1, 9), part(2, 10)], vec![]), 0, "a short part");
        assert_eq!(offset(vec![part(1, 10)], vec![piece(1, 0, 4)]), 10, "a tail of a part that is whole by now");
        assert_eq!(offset(vec![], vec![piece(1, 0, 4), piece(1, 5, 2)]), 4, "a gap in the tail");
        assert_eq!(offset(vec![], vec![piece(1, 2, 4)]), 0, "a tail that does not begin at the beginning");
        assert_eq!(offset(vec![], vec![piece(1, 0, 11)]), 0, "a tail beyond its part");
    }

    #[test]
    fn the_root_changes_with_every_part_and_their_order() {
        let (a, b) = (part(1, 10), part(2, 10));
        let root_of = |parts: &[&Part]| root(&parts.iter().map(|p| (*p).clone()).collect::<Vec<_>>());
        assert_ne!(root_of(&[&a, &b]), root_of(&[&b, &a]));
        assert_ne!(root_of(&[&a, &b]), root_of(&[&a]));
        assert_eq!(root_of(&[&a]).len(), 64);
    }

    #[test]
    fn a_resumed_patch_goes_on_only_at_the_durable_offset() {
        use State::*;
        assert_eq!(may_append(Open, 25, 10, 10, Some(15)), Ok(true));
        assert_eq!(may_append(Open, 25, 10, 10, None), Ok(true));
        assert_eq!(may_append(Open, 25, 10, 9, Some(1)), Err(NoAppend::WrongOffset));
        assert_eq!(may_append(Open, 25, 10, 11, Some(1)), Err(NoAppend::WrongOffset));
        assert_eq!(may_append(Open, 25, 10, 10, Some(16)), Err(NoAppend::TooLong));
        assert_eq!(may_append(Complete, 25, 25, 25, Some(0)), Ok(false));
        assert_eq!(may_append(Completing, 25, 25, 25, Some(0)), Ok(false));
        assert_eq!(may_append(Complete, 25, 25, 25, Some(1)), Err(NoAppend::TooLong));
        assert_eq!(may_append(Complete, 25, 25, 0, Some(25)), Err(NoAppend::WrongOffset));
        assert_eq!(may_append(Terminated, 25, 10, 10, Some(1)), Err(NoAppend::Gone));
        assert_eq!(may_append(Expired, 25, 10, 10, Some(1)), Err(NoAppend::Gone));
        assert_eq!(may_append(Failed, 25, 10, 10, Some(1)), Err(NoAppend::Failed));
    }
}
