//! Pure decisions about offsets and parts.

use sha2::{Digest, Sha256};

use super::{Durable, Kind, Part, State, TailPiece};

const MIB: i64 = 1 << 20;
/// S3 takes 5 MiB; larger parts cost fewer requests and commits.
pub const MIN_PART: i64 = 8 * MIB;
/// S3's limit.
pub const MAX_PARTS: i64 = 10_000;
/// The largest part that fits into the memory pool, and with it the largest file.
pub const MAX_PART: i64 = 48 * MIB;
pub const MAX_LENGTH: i64 = MAX_PART * MAX_PARTS;

/// The size of every part but the last: fixed by the length, in whole MiB, so that the parts suffice.
pub fn part_size(length: i64) -> i64 {
    let needed = (length + MAX_PARTS - 1) / MAX_PARTS;
    ((needed + MIB - 1) / MIB * MIB).max(MIN_PART)
}

/// Where the part of this number (from 1) begins.
pub fn part_start(no: i64, part_size: i64) -> i64 {
    (no - 1) * part_size
}

/// How long a part is to become. While the length is unknown, every part may become a whole one.
pub fn part_len(no: i64, part_size: i64, length: Option<i64>) -> i64 {
    length.map_or(part_size, |length| (length - part_start(no, part_size)).clamp(0, part_size))
}

pub fn parts_total(part_size: i64, length: i64) -> i64 {
    (length + part_size - 1) / part_size
}

/// What a client may rely on: the contiguous whole parts, and behind them the contiguous pieces of the tail. A part
/// beyond a gap, or of another length than its number asks for, counts for nothing.
pub fn durable(length: Option<i64>, part_size: i64, mut parts: Vec<Part>, mut tail: Vec<TailPiece>) -> Durable {
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

/// Of so many pieces of a part some are joined.
pub const MOST_PIECES: usize = 32;

/// The first of the pieces to be joined into one, where there are too many: the first that is not longer than all behind
/// it. So few stay whatever their lengths, and a byte is written again only when the piece that it lies in doubles.
pub fn pieces_to_join(lens: &[i64]) -> Option<usize> {
    let mut behind = lens.iter().sum::<i64>();
    let first = lens.iter().position(|len| {
        behind -= len;
        *len <= behind
    });
    first.filter(|_| lens.len() > MOST_PIECES)
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
    /// A final upload: what it is made of is sent to the partial ones.
    Final,
    /// The client speaks of another offset than the durable one.
    WrongOffset,
    /// Another length than was said before, or less than is there.
    WrongLength,
    /// More bytes than were announced at creation.
    TooLong,
    /// A length beyond what any file may have.
    TooBig,
}

/// What is there of an upload, as far as it decides about more.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub kind: Kind,
    pub state: State,
    pub length: Option<i64>,
    pub durable: i64,
    /// The longest that it may become.
    pub most: i64,
}

/// What a PATCH asks for: bytes at `offset`, `body` of them if it says so, and perhaps the `length` of the file, which
/// may be said once where it wasn't known.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub offset: i64,
    pub body: Option<i64>,
    pub length: Option<i64>,
}

/// Whether that PATCH may be done.
pub fn may_append(there: Standing, asked: Asked) -> std::result::Result<(), NoAppend> {
    match (there.kind, there.state) {
        (Kind::Final, _) => return Err(NoAppend::Final),
        (_, State::Terminated | State::Expired) => return Err(NoAppend::Gone),
        (_, State::Failed) => return Err(NoAppend::Failed),
        (_, State::Open | State::Completing | State::Complete) => {}
    }
    if asked.offset != there.durable {
        return Err(NoAppend::WrongOffset);
    }
    match (there.length, asked.length) {
        (Some(known), Some(said)) if known != said => return Err(NoAppend::WrongLength),
        (None, Some(said)) if said < there.durable => return Err(NoAppend::WrongLength),
        (None, Some(said)) if said > there.most => return Err(NoAppend::TooBig),
        _ => {}
    }
    match there.length.or(asked.length) {
        Some(length) if asked.body.is_some_and(|body| body > length - there.durable) => Err(NoAppend::TooLong),
        None if asked.body.is_some_and(|body| body > there.most - there.durable) => Err(NoAppend::TooBig),
        _ => Ok(()),
    }
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
        for length in [0, 1, MIN_PART, MIN_PART * MAX_PARTS, MIN_PART * MAX_PARTS + 1, 100 << 30, MAX_LENGTH] {
            let size = part_size(length);
            assert!((MIN_PART..=MAX_PART).contains(&size), "{length}: {size}");
            assert!(parts_total(size, length) <= MAX_PARTS, "{length}");
            assert_eq!(size % MIB, 0);
        }
        assert_eq!(part_size(2 << 30), MIN_PART);
        assert_eq!(part_size(MIN_PART * MAX_PARTS + 1), 9 * MIB);
    }

    #[test]
    fn the_length_says_how_long_each_part_is_and_how_many_there_are() {
        let (size, length) = (10, 25);
        assert_eq!([1, 2, 3].map(|no| part_start(no, size)), [0, 10, 20]);
        assert_eq!([1, 2, 3, 4].map(|no| part_len(no, size, Some(length))), [10, 10, 5, 0]);
        assert_eq!([1, 2, 999].map(|no| part_len(no, size, None)), [10, 10, 10]);
        assert_eq!(parts_total(size, length), 3);
        assert_eq!(parts_total(size, 0), 0);
    }

    #[test]
    fn the_offset_is_the_contiguous_prefix_and_the_tail() {
        let offset = |parts: Vec<Part>, tail: Vec<TailPiece>| durable(Some(25), 10, parts, tail).offset;
        assert_eq!(offset(vec![], vec![]), 0);
        assert_eq!(offset(vec![part(2, 10), part(1, 10)], vec![]), 20);
        assert_eq!(offset(vec![part(1, 10)], vec![piece(2, 0, 4), piece(2, 4, 3)]), 17);
        assert_eq!(offset(vec![part(1, 10), part(2, 10), part(3, 5)], vec![]), 25);
    }

    #[test]
    fn a_gap_ends_the_offset() {
        let offset = |parts: Vec<Part>, tail: Vec<TailPiece>| durable(Some(25), 10, parts, tail).offset;
        assert_eq!(offset(vec![part(1, 10), part(3, 5)], vec![]), 10, "a part beyond a gap");
        assert_eq!(offset(vec![part(2, 10)], vec![piece(3, 0, 4)]), 0, "a tail beyond a gap");
        assert_eq!(offset(vec![part(1, 9), part(2, 10)], vec![]), 0, "a short part");
        assert_eq!(offset(vec![part(1, 10)], vec![piece(1, 0, 4)]), 10, "a tail of a part that is whole by now");
        assert_eq!(offset(vec![], vec![piece(1, 0, 4), piece(1, 5, 2)]), 4, "a gap in the tail");
        assert_eq!(offset(vec![], vec![piece(1, 2, 4)]), 0, "a tail that does not begin at the beginning");
        assert_eq!(offset(vec![], vec![piece(1, 0, 11)]), 0, "a tail beyond its part");
    }

    #[test]
    fn pieces_stay_few_and_are_seldom_written_again() {
        for lens in [vec![1], vec![1024], vec![1, 1, 1, 40_000], vec![131_072], vec![131_072, 1]] {
            let (mut pieces, mut sent, mut joined, mut most) = (Vec::new(), 0, 0, 0);
            for len in lens.iter().cycle().take(20_000) {
                if sent >= MIN_PART {
                    break;
                }
                if let Some(first) = pieces_to_join(&pieces) {
                    let one = pieces.drain(first..).sum::<i64>();
                    joined += one;
                    pieces.push(one);
                }
                pieces.push(*len);
                sent += len;
                most = most.max(pieces.len());
            }
            assert!(most <= MOST_PIECES + 1, "{lens:?}: {most}");
            assert!(joined <= 12 * sent, "{lens:?}: {joined} of {sent}");
        }
        assert_eq!(pieces_to_join(&[1; 32]), None);
        assert_eq!(pieces_to_join(&[vec![100], vec![1; 32]].concat()), Some(1));
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
    fn an_unknown_length_counts_whole_parts_and_a_tail() {
        let offset = |parts: Vec<Part>, tail: Vec<TailPiece>| durable(None, 10, parts, tail).offset;
        assert_eq!(offset(vec![part(1, 10), part(2, 10)], vec![piece(3, 0, 4)]), 24);
        assert_eq!(offset(vec![part(1, 10), part(2, 9)], vec![]), 10, "a short part");
    }

    const OPEN: Standing = Standing { kind: Kind::Whole, state: State::Open, length: Some(25), durable: 10, most: 25 };

    fn bytes(offset: i64, body: i64) -> Asked {
        Asked { offset, body: Some(body), length: None }
    }

    #[test]
    fn a_resumed_patch_goes_on_only_at_the_durable_offset() {
        use State::*;
        let done = Standing { state: Complete, durable: 25, ..OPEN };
        assert_eq!(may_append(OPEN, bytes(10, 15)), Ok(()));
        assert_eq!(may_append(OPEN, Asked { offset: 10, body: None, length: None }), Ok(()));
        assert_eq!(may_append(OPEN, bytes(9, 1)), Err(NoAppend::WrongOffset));
        assert_eq!(may_append(OPEN, bytes(11, 1)), Err(NoAppend::WrongOffset));
        assert_eq!(may_append(OPEN, bytes(10, 16)), Err(NoAppend::TooLong));
        assert_eq!(may_append(done, bytes(25, 0)), Ok(()));
        assert_eq!(may_append(Standing { state: Completing, ..done }, bytes(25, 0)), Ok(()));
        assert_eq!(may_append(done, bytes(25, 1)), Err(NoAppend::TooLong));
        assert_eq!(may_append(done, bytes(0, 25)), Err(NoAppend::WrongOffset));
        assert_eq!(may_append(Standing { state: Terminated, ..OPEN }, bytes(10, 1)), Err(NoAppend::Gone));
        assert_eq!(may_append(Standing { state: Expired, ..OPEN }, bytes(10, 1)), Err(NoAppend::Gone));
        assert_eq!(may_append(Standing { state: Failed, ..OPEN }, bytes(10, 1)), Err(NoAppend::Failed));
        for state in [Open, Completing, Complete, Failed, Terminated, Expired] {
            let joined = Standing { kind: Kind::Final, state, ..OPEN };
            assert_eq!(may_append(joined, bytes(10, 1)), Err(NoAppend::Final));
        }
    }

    #[test]
    fn a_length_is_said_once_and_holds_what_is_there() {
        let unknown = Standing { length: None, most: 100, ..OPEN };
        let said = |length| Asked { offset: 10, body: Some(5), length: Some(length) };
        assert_eq!(may_append(unknown, bytes(10, 5)), Ok(()));
        assert_eq!(may_append(unknown, said(15)), Ok(()));
        assert_eq!(may_append(unknown, said(100)), Ok(()));
        assert_eq!(may_append(unknown, said(101)), Err(NoAppend::TooBig));
        assert_eq!(may_append(unknown, said(9)), Err(NoAppend::WrongLength));
        assert_eq!(may_append(unknown, said(14)), Err(NoAppend::TooLong));
        assert_eq!(may_append(unknown, bytes(10, 91)), Err(NoAppend::TooBig));
        assert_eq!(may_append(OPEN, said(25)), Ok(()), "the same again");
        assert_eq!(may_append(OPEN, said(24)), Err(NoAppend::WrongLength));
    }
}
