//! Bytes on disk. A blob is a file that never changes once it is in place: it is written under `temp/`, synced, renamed
//! into `blobs/x/y/`, and the folder synced, before any row names it. Names are random, so nothing a client sends ever
//! becomes a path.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of a blob: 128 random bits in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct BlobId(pub String);

impl BlobId {
    fn random() -> Self {
        BlobId(random_name())
    }
}

/// 32 digits that nobody can guess and nothing else uses.
pub fn random_name() -> String {
    hex::encode(rand::random::<u128>().to_be_bytes())
}

/// The folder names of both levels: a blob lies under its first and its second digit.
pub const DIGITS: &str = "0123456789abcdef";

#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

struct Inner {
    root: PathBuf,
    readers: Mutex<Readers>,
    /// Held for as long as the store is open: two processes in one folder would sweep each other's files.
    _lock: File,
}

/// A blob that lost its row may still be on its way to somebody, so it is deleted when everybody who began to read
/// before that moment has finished.
#[derive(Default)]
struct Readers {
    next: u64,
    active: BTreeSet<u64>,
    waiting: VecDeque<(u64, BlobId)>,
}

impl Readers {
    /// What nobody can be reading any more.
    fn freed(&mut self) -> Vec<BlobId> {
        let oldest = self.active.first().copied().unwrap_or(u64::MAX);
        let count = self.waiting.iter().take_while(|(since, _)| *since <= oldest).count();
        self.waiting.drain(..count).map(|(_, id)| id).collect()
    }
}

impl Blobs {
    /// Takes the folder for this process alone, and makes its subfolders the first time.
    pub fn open(root: &Path) -> io::Result<Blobs> {
        fs::create_dir_all(root)?;
        sync_folder(&root.join(".."))?;
        let lock = File::create(root.join("lock"))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            io::Error::new(io::ErrorKind::ResourceBusy, format!("{} is in use by another process", root.display()))
        })?;
        fs::create_dir_all(root.join("temp"))?;
        make_folders(root)?;
        Ok(Blobs(Arc::new(Inner { root: root.to_owned(), readers: Mutex::default(), _lock: lock })))
    }

    fn folder(&self, id: &BlobId) -> PathBuf {
        self.0.root.join("blobs").join(&id.0[0..1]).join(&id.0[1..2])
    }

    /// A new file to write to. Blocks, like everything here that touches the disk.
    pub fn draft(&self) -> io::Result<Draft> {
        let path = self.0.root.join("temp").join(random_name());
        let file = File::create_new(&path)?;
        Ok(Draft { file, path: Some(path) })
    }

    /// Makes a finished draft durable. Nothing points at it yet.
    pub fn place(&self, mut draft: Draft) -> io::Result<BlobId> {
        draft.file.sync_all()?;
        let id = BlobId::random();
        let folder = self.folder(&id);
        if let Some(path) = draft.path.take() {
            // The name must be free, or two keys would share bytes. 128 random bits make sure of it.
            fs::rename(path, folder.join(&id.0))?;
        }
        sync_folder(&folder)?;
        Ok(id)
    }

    pub fn read(&self, id: &BlobId) -> io::Result<File> {
        File::open(self.folder(id).join(&id.0))
    }

    /// Announces a reader. Take it before looking up which blobs to read.
    pub fn reader(&self) -> Reader {
        let mut readers = self.readers();
        let number = readers.next;
        readers.next += 1;
        readers.active.insert(number);
        Reader { blobs: self.clone(), number }
    }

    /// Deletes blobs that no row names any more, as soon as nobody reads them.
    pub fn discard(&self, ids: impl IntoIterator<Item = BlobId>) {
        let mut readers = self.readers();
        let now = readers.next;
        readers.waiting.extend(ids.into_iter().map(|id| (now, id)));
        let freed = readers.freed();
        drop(readers);
        self.remove(freed);
    }

    fn remove(&self, ids: Vec<BlobId>) {
        if ids.is_empty() {
            return;
        }
        let blobs = self.clone();
        let work = move || {
            for id in ids {
                if let Err(error) = fs::remove_file(blobs.folder(&id).join(&id.0)) {
                    tracing::warn!(%error, blob = id.0, "a blob could not be deleted; the next start sweeps it");
                }
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => work(),
        }
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes every draft that a crash left behind.
    pub fn sweep_drafts(&self) -> io::Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(self.0.root.join("temp"))? {
            fs::remove_file(entry?.path())?;
            count += 1;
        }
        Ok(count)
    }

    /// The blobs of one leaf folder, which are those whose names begin with `prefix`.
    pub fn list(&self, prefix: &str) -> io::Result<Vec<BlobId>> {
        let folder = self.folder(&BlobId(prefix.to_owned()));
        fs::read_dir(folder)?.map(|entry| Ok(BlobId(entry?.file_name().to_string_lossy().into_owned()))).collect()
    }

    /// Deletes at once: for the sweep, when there is nobody to read.
    pub fn delete(&self, id: &BlobId) -> io::Result<()> {
        fs::remove_file(self.folder(id).join(&id.0))
    }
}

/// A file being written; gone when dropped before it was placed.
pub struct Draft {
    file: File,
    path: Option<PathBuf>,
}

impl Draft {
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// Somebody who reads: blobs let go of after he began stay until he is done.
pub struct Reader {
    blobs: Blobs,
    number: u64,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut readers = self.blobs.readers();
        readers.active.remove(&self.number);
        let freed = readers.freed();
        drop(readers);
        self.blobs.remove(freed);
    }
}

/// Both levels at once and synced, so that a blob's folder is always durable before the blob is. The tree is made
/// beside its place and renamed, so a crash in between leaves nothing half made.
fn make_folders(root: &Path) -> io::Result<()> {
    let (blobs, making) = (root.join("blobs"), root.join("temp").join("blobs"));
    if blobs.exists() {
        return Ok(());
    }
    if making.exists() {
        fs::remove_dir_all(&making)?;
    }
    for outer in DIGITS.chars() {
        let outer = making.join(outer.to_string());
        for inner in DIGITS.chars() {
            fs::create_dir_all(outer.join(inner.to_string()))?;
        }
        sync_folder(&outer)?;
    }
    sync_folder(&making)?;
    fs::rename(&making, &blobs)?;
    sync_folder(root)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        (folder, blobs)
    }

    fn blob(blobs: &Blobs, text: &str) -> BlobId {
        let mut draft = blobs.draft().unwrap();
        draft.write(text.as_bytes()).unwrap();
        blobs.place(draft).unwrap()
    }

    #[test]
    fn a_draft_that_is_not_placed_leaves_nothing() {
        let (folder, blobs) = store();
        let mut draft = blobs.draft().unwrap();
        draft.write(b"half").unwrap();
        assert_eq!(fs::read_dir(folder.path().join("temp")).unwrap().count(), 1);
        drop(draft);
        assert_eq!(fs::read_dir(folder.path().join("temp")).unwrap().count(), 0);
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
    fn a_folder_serves_one_process() {
        let (folder, _blobs) = store();
        assert!(Blobs::open(folder.path()).err().unwrap().to_string().contains("in use"));
    }

    #[test]
    fn blobs_lie_two_levels_deep() {
        let (folder, blobs) = store();
        let id = blob(&blobs, "x");
        let path = folder.path().join("blobs").join(&id.0[0..1]).join(&id.0[1..2]).join(&id.0);
        assert_eq!(fs::read_to_string(path).unwrap(), "x");
        assert_eq!(blobs.list(&id.0[0..2]).unwrap(), [id]);
    }
}
