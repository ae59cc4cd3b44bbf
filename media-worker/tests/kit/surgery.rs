//! Films taken apart and put together otherwise.

pub type Kind = [u8; 4];
/// Another body for a box, if it is to have one.
pub type Change<'a> = &'a dyn Fn(&Kind, &[u8]) -> Option<Vec<u8>>;

const CONTAINERS: [&Kind; 9] = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"moof", b"traf"];

pub fn boxed(kind: &Kind, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
}

/// The film with another body in each box for which `change` has one. Where the index lies behind the media, nothing
/// that a sample table names moves.
pub fn rewritten(mut film: &[u8], change: Change<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    while film.len() >= 8 {
        let len = u32::from_be_bytes(film[..4].try_into().unwrap()) as usize;
        let kind: Kind = film[4..8].try_into().unwrap();
        let body = &film[8..len];
        let new = change(&kind, body);
        out.extend(match new {
            Some(body) => boxed(&kind, &body),
            None if CONTAINERS.contains(&&kind) => boxed(&kind, &rewritten(body, change)),
            None => boxed(&kind, body),
        });
        film = &film[len..];
    }
    out
}

/// The film with these bytes at a place of the body of every box of a kind.
pub fn patched(film: &[u8], of: &Kind, at: usize, with: &[u8]) -> Vec<u8> {
    let changed = rewritten(film, &|kind, body| {
        (kind == of).then(|| {
            let mut body = body.to_vec();
            body[at..at + with.len()].copy_from_slice(with);
            body
        })
    });
    assert!(changed != film, "there is no {}", String::from_utf8_lossy(of));
    changed
}

/// The film with another body in every box of a kind.
pub fn replaced(film: &[u8], of: &Kind, with: &[u8]) -> Vec<u8> {
    let changed = rewritten(film, &|kind, _| (kind == of).then(|| with.to_vec()));
    assert!(changed != film, "there is no {}", String::from_utf8_lossy(of));
    changed
}

/// Where a box of this kind begins for the first time.
pub fn place(film: &[u8], of: &Kind) -> usize {
    film.windows(4).position(|w| w == of).unwrap_or_else(|| panic!("no {}", String::from_utf8_lossy(of))) - 4
}

/// The film with these letters in place of those, wherever they stand.
pub fn renamed(film: &[u8], from: &Kind, to: &Kind) -> Vec<u8> {
    let mut film = film.to_vec();
    while let Some(at) = film.windows(4).position(|w| w == from) {
        film[at..at + 4].copy_from_slice(to);
    }
    film
}

/// The film with every `dref` naming `place` in place of the film itself.
pub fn with_data_elsewhere(film: &[u8], kind: &Kind, place: &[u8]) -> Vec<u8> {
    let entry = boxed(kind, &[&[0; 4], place, &[0]].concat());
    rewritten(film, &|kind, body| (kind == b"dref").then(|| [&body[..8], &entry].concat()))
}

/// An element of Matroska, its length told in eight bytes.
pub fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
    [id, &(body.len() as u64 | 1 << 56).to_be_bytes(), body].concat()
}

/// Where the body of the element lies whose id ends before `at`.
fn body(film: &[u8], at: usize) -> std::ops::Range<usize> {
    let bytes = film[at].leading_zeros() as usize + 1;
    let len = film[at..at + bytes].iter().fold(0, |n, byte| n << 8 | usize::from(*byte)) & !(1 << (7 * bytes));
    at + bytes..at + bytes + len
}

const TRACKS: [u8; 4] = [0x16, 0x54, 0xae, 0x6b];

/// Where the tracks begin. What is found first may be an index that names them.
pub fn tracks_at(film: &[u8]) -> usize {
    let clusters = film.windows(4).position(|w| w == [0x1f, 0x43, 0xb6, 0x75]).expect("a cluster");
    film[..clusters].windows(4).rposition(|w| w == TRACKS).expect("tracks")
}

/// The tracks of a recording, as one element.
pub fn tracks(film: &[u8]) -> Vec<u8> {
    let at = tracks_at(film);
    film[at..body(film, at + 4).end].to_vec()
}

/// A recording, which says nowhere how long it is, with other entries for its tracks: `change` is given each.
pub fn with_tracks(film: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let at = tracks_at(film);
    let all = body(film, at + 4);
    let (mut entries, mut next) = (Vec::new(), all.start);
    while next < all.end {
        // What is no entry of a track has an id of one byte too.
        let entry = body(film, next + 1);
        entries.extend(if film[next] == 0xae { change(&film[entry.clone()]) } else { film[next..entry.end].to_vec() });
        next = entry.end;
    }
    [&film[..at], &element(&TRACKS, &entries), &film[all.end..]].concat()
}

/// Bytes that mean nothing, the same for the same seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    (0..len).map(|_| dice.roll(256) as u8).collect()
}

/// xorshift64*: the same numbers for the same seed, on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One of 0 to `sides` - 1.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % sides.max(1)
    }
}
