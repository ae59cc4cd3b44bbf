//! Who reads which blobs. One that lost its row may still be on its way to somebody: it is deleted when nobody reads
//! it, and keeps no other one from being deleted.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::blobs::{BlobId, Blobs};

#[derive(Default)]
pub struct Readers {
    next: u64,
    /// Those who still look up what to read. Each may have seen any blob that had its row when he began.
    looking: BTreeSet<u64>,
    /// Let go of, and which readers had begun by then.
    waiting: VecDeque<(u64, BlobId)>,
    /// How many read a blob.
    held: HashMap<BlobId, usize>,
    /// Let go of, and nobody new can find them.
    leaving: HashSet<BlobId>,
}

impl Readers {
    fn begin(&mut self) -> u64 {
        self.next += 1;
        self.looking.insert(self.next);
        self.next
    }

    pub fn discard(&mut self, ids: impl IntoIterator<Item = BlobId>) {
        let now = self.next;
        self.waiting.extend(ids.into_iter().map(|id| (now, id)));
    }

    /// What nobody can be reading any more.
    pub fn freed(&mut self) -> Vec<BlobId> {
        let oldest = self.looking.first().copied().unwrap_or(u64::MAX);
        while let Some((_, id)) = self.waiting.pop_front_if(|(since, _)| *since < oldest) {
            self.leaving.insert(id);
        }
        self.leaving.extract_if(|id| !self.held.contains_key(id)).collect()
    }
}

/// Somebody who reads. Take it before looking up which blobs to read, and say then which they are.
pub struct Reader {
    blobs: Blobs,
    number: u64,
    held: Vec<BlobId>,
}

impl Reader {
    pub fn new(blobs: &Blobs) -> Reader {
        let number = blobs.readers().begin();
        Reader { blobs: blobs.clone(), number, held: Vec::new() }
    }

    /// From here on only these stay.
    pub fn hold(&mut self, ids: Vec<BlobId>) {
        self.held = ids;
        self.change(|readers, number, held| {
            held.iter().for_each(|id| *readers.held.entry(id.clone()).or_default() += 1);
            readers.looking.remove(&number);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Readers, u64, &[BlobId])) {
        let mut readers = self.blobs.readers();
        change(&mut readers, self.number, &self.held);
        let freed = readers.freed();
        drop(readers);
        self.blobs.remove(freed);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.change(|readers, number, held| {
            readers.looking.remove(&number);
            for id in held {
                if let Some(count) = readers.held.get_mut(id) {
                    *count -= 1;
                    if *count == 0 {
                        readers.held.remove(id);
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(blobs: &Blobs, text: &str) -> BlobId {
        let mut draft = blobs.draft().unwrap();
        draft.write(text.as_bytes()).unwrap();
        blobs.place(draft).unwrap().id()
    }

    fn store() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        (folder, blobs)
    }

    #[test]
    fn a_blob_stays_until_those_who_may_read_it_are_done() {
        let (_folder, blobs) = store();
        let id = blob(&blobs, "x");
        let (early, second) = (blobs.reader(), blobs.reader());
        blobs.discard([id.clone()]);
        let late = blobs.reader();
        drop(early);
        assert!(blobs.read(&id).is_ok());
        drop(second);
        assert!(blobs.read(&id).is_err(), "the late reader could not have seen it");
        drop(late);
    }

    #[test]
    fn a_reader_keeps_what_he_reads_and_nothing_else() {
        let (_folder, blobs) = store();
        let (read, other) = (blob(&blobs, "read"), blob(&blobs, "other"));
        let (mut first, mut second) = (blobs.reader(), blobs.reader());
        blobs.discard([other.clone()]);
        first.hold(vec![read.clone()]);
        assert!(blobs.read(&other).is_ok(), "the second may have seen it");
        second.hold(vec![read.clone()]);
        assert!(blobs.read(&other).is_err());
        blobs.discard([read.clone()]);
        drop(first);
        assert!(blobs.read(&read).is_ok());
        drop(second);
        assert!(blobs.read(&read).is_err());
        assert!(blobs.busy().is_empty());
    }
}
