//! What is uploaded: noise that begins like an MP4 and is never the same twice, because Garage stores equal blocks once.

use bytes::Bytes;
use rand::RngCore;

use crate::MIB;

/// Smaller than Garage's blocks, and a divisor of every size that is uploaded.
const STAMPED: usize = 64 << 10;
const FTYP: &[u8] = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41";

pub struct Payload(Bytes);

impl Payload {
    pub fn new(len: usize) -> Payload {
        let mut bytes = vec![0; len];
        rand::rng().fill_bytes(&mut bytes);
        Payload(Bytes::from(bytes))
    }

    /// `n` new files of equal length, which share the memory. The earlier ones must be gone by now; otherwise it is
    /// copied.
    pub fn files(&mut self, n: usize) -> Vec<Bytes> {
        let mut bytes = match std::mem::take(&mut self.0).try_into_mut() {
            Ok(own) => own,
            Err(shared) => shared[..].into(),
        };
        let nonce: [u8; 16] = rand::random();
        let each = bytes.len() / n;
        for (i, block) in bytes.chunks_mut(STAMPED).enumerate() {
            block[64..80].copy_from_slice(&nonce);
            block[80..88].copy_from_slice(&i.to_le_bytes());
            if (i * STAMPED).is_multiple_of(each) {
                block[..FTYP.len()].copy_from_slice(FTYP);
            }
        }
        self.0 = bytes.freeze();
        (0..n).map(|i| self.0.slice(i * each..(i + 1) * each)).collect()
    }

    pub fn mib(&self) -> f64 {
        self.0.len() as f64 / MIB
    }
}

/// One file of its own.
pub fn file(len: usize) -> Bytes {
    let mut payload = Payload::new(len);
    payload.files(1).remove(0)
}

#[cfg(test)]
mod tests {
    use weijia_core::upload::sniff::{Verdict, sniff};

    use super::*;

    #[test]
    fn files_look_like_videos_and_are_never_the_same() {
        let mut payload = Payload::new(4 * STAMPED);
        let first: Vec<Vec<u8>> = payload.files(2).iter().map(|file| file.to_vec()).collect();
        let second = payload.files(2);
        assert!(first.iter().all(|file| sniff(file, false) == Verdict::Video));
        let blocks = first.iter().map(|file| &file[..]).chain(second.iter().map(|file| &file[..]));
        let blocks: Vec<&[u8]> = blocks.flat_map(|file| file.chunks(STAMPED)).collect();
        let distinct: std::collections::HashSet<&&[u8]> = blocks.iter().collect();
        assert_eq!((blocks.len(), distinct.len()), (8, 8));
    }
}
