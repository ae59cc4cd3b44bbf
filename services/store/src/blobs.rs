//! Bytes on disk. A blob is a file that never changes once it is in place: it is written under `temp/`, synced, renamed
//! into `blobs/x/y/`, and the folder synced, before any row names it. Names are random, so nothing a client sends ever
//! becomes a path.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::OFlags;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lost;
use crate::readers::{Reader, Readers};

/// The name of a blob: 128 random bits in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct BlobId(pub String);

/// 32 digits that nobody can guess and nothing else uses.
pub fn random_name() -> String {
    hex::encode(rand::random::<u128>().to_be_bytes())
}

/// The folder names of both levels: a blob lies under its first and its second digit.
const DIGITS: &str = "0123456789abcdef";

#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

/// So many reads and writes of files at once. More would only wait for the same disk, each in a thread of its own.
const AT_ONCE: usize = 12;

struct Inner {
    root: PathBuf,
    turns: Arc<Semaphore>,
    readers: Mutex<Readers>,
    /// Names whose file and row need not agree right now: being written, or being let go of.
    busy: Mutex<HashSet<String>>,
    /// Held for as long as the store is open: two processes in one folder would sweep each other's files.
    _lock: File,
}

impl Blobs {
    /// Takes the folder for this process alone, and makes its subfolders the first time.
    pub fn open(root: &Path) -> io::Result<Blobs> {
        fs::create_dir_all(root)?;
        sync_folder(&root.join(".."))?;
        refuse_links(root)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(root.join("lock"))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            io::Error::new(ErrorKind::ResourceBusy, format!("{} is in use by another process", root.display()))
        })?;
        fs::create_dir_all(root.join("temp"))?;
        make_folders(root)?;
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let inner =
            Inner { root: root.to_owned(), turns, readers: Mutex::default(), busy: Mutex::default(), _lock: lock };
        Ok(Blobs(Arc::new(inner)))
    }

    /// Whoever is about to read or write waits for a turn first, and keeps it for one piece.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.0.turns.clone().acquire_owned().await.ok()
    }

    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Where the blobs lie whose names begin with these two digits.
    pub fn leaf_folder(&self, prefix: &str) -> PathBuf {
        self.0.root.join("blobs").join(&prefix[0..1]).join(&prefix[1..2])
    }

    pub fn path(&self, id: &BlobId) -> PathBuf {
        self.leaf_folder(&id.0).join(&id.0)
    }

    /// A new file to write to. Blocks, like everything here that touches the disk.
    pub fn draft(&self) -> io::Result<Draft> {
        let busy = Busy::new(self, random_name());
        let path = self.0.root.join("temp").join(&busy.name);
        let file = File::create_new(&path)?;
        Ok(Draft { file, path: Some(path), busy: Some(busy) })
    }

    /// Makes a finished draft durable, under its own name. Nothing points at it yet.
    pub fn place(&self, mut draft: Draft) -> io::Result<Busy> {
        let busy = draft.busy.take().ok_or(ErrorKind::NotFound)?;
        let (id, path) = (busy.id(), draft.path.as_ref().ok_or(ErrorKind::NotFound)?);
        // The name must be free, or two keys would share bytes. 128 random bits make sure of it.
        fs::rename(path, self.path(&id))?;
        draft.path = Some(self.path(&id));
        // The bytes after the new name: one journal commit then holds both, and the folder's costs next to nothing.
        draft.file.sync_all()?;
        sync_folder(&self.leaf_folder(&id.0))?;
        draft.path = None;
        Ok(busy)
    }

    /// Never through a link: whoever plants one must not have the store read a stranger's file. What a sweep took for
    /// lost a moment ago may still be read.
    pub fn read(&self, id: &BlobId) -> io::Result<File> {
        let open = |path| OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path);
        match open(self.path(id)) {
            Err(error) if error.kind() == ErrorKind::NotFound => open(self.lost_path(id)),
            opened => opened,
        }
    }

    /// Whether its file lies where it belongs.
    pub fn exists(&self, id: &BlobId) -> bool {
        !matches!(self.path(id).symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound)
    }

    /// How many bytes of it there are.
    pub fn len(&self, id: &BlobId) -> io::Result<u64> {
        match self.path(id).symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(self.lost_path(id).symlink_metadata()?.len()),
            found => Ok(found?.len()),
        }
    }

    /// Announces a reader. Take it before looking up which blobs to read.
    pub fn reader(&self) -> Reader {
        Reader::new(self)
    }

    /// Deletes blobs that no row names any more, as soon as nobody reads them.
    pub fn discard(&self, ids: impl IntoIterator<Item = BlobId>) {
        let ids: Vec<BlobId> = ids.into_iter().collect();
        self.names().extend(ids.iter().map(|id| id.0.clone()));
        let mut readers = self.readers();
        readers.discard(ids);
        let freed = readers.freed();
        drop(readers);
        self.remove(freed);
    }

    pub fn remove(&self, ids: Vec<BlobId>) {
        if ids.is_empty() {
            return;
        }
        let blobs = self.clone();
        let work = move || {
            for id in ids {
                match fs::remove_file(blobs.path(&id)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        tracing::warn!(%error, blob = id.0, "a blob could not be deleted; the next sweep tries again");
                    }
                    _ => {}
                }
                blobs.names().remove(&id.0);
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => work(),
        }
    }

    pub fn readers(&self) -> MutexGuard<'_, Readers> {
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of which a sweep can say nothing at this moment.
    pub fn busy(&self) -> HashSet<String> {
        self.names().clone()
    }

    /// Deletes every draft that nobody is writing.
    pub fn sweep_drafts(&self) -> io::Result<usize> {
        let mut count = 0;
        for name in leaf(&self.0.root.join("temp"))? {
            if self.names().contains(&name) {
                continue;
            }
            match fs::remove_file(self.0.root.join("temp").join(name)) {
                Ok(()) => count += 1,
                // Placed since the folder was read.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// What lies in one leaf folder: the blobs whose names begin with `prefix`.
    pub fn list(&self, prefix: &str) -> io::Result<HashSet<String>> {
        leaf(&self.leaf_folder(prefix))
    }

    /// How many files there are in all.
    pub fn count(&self) -> io::Result<usize> {
        prefixes().map(|prefix| Ok(self.list(&prefix)?.len())).sum()
    }
}

/// The names of all leaf folders, as the blobs in them begin.
pub fn prefixes() -> impl Iterator<Item = String> {
    DIGITS.chars().flat_map(|a| DIGITS.chars().map(move |b| format!("{a}{b}")))
}

/// Whatever lies in a folder but folders, which are not ours.
pub fn leaf(folder: &Path) -> io::Result<HashSet<String>> {
    let mut names = HashSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            tracing::warn!(folder = %entry.path().display(), "a folder that this store did not make");
        } else {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Holds a name busy. Made before the file, dropped after the row is committed or the file is gone.
pub struct Busy {
    blobs: Blobs,
    name: String,
}

impl Busy {
    fn new(blobs: &Blobs, name: String) -> Busy {
        blobs.names().insert(name.clone());
        Busy { blobs: blobs.clone(), name }
    }

    pub fn id(&self) -> BlobId {
        BlobId(self.name.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.blobs.names().remove(&self.name);
    }
}

/// A file being written; gone when dropped before it was placed.
pub struct Draft {
    file: File,
    path: Option<PathBuf>,
    busy: Option<Busy>,
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

/// Files and folders of the store are never links: somebody who can write here could lead it out of its folder, and
/// the sweep would delete what lies there.
fn refuse_links(root: &Path) -> io::Result<()> {
    let blobs = root.join("blobs");
    let outer = DIGITS.chars().map(|digit| blobs.join(digit.to_string()));
    let inner = outer.clone().flat_map(|outer| DIGITS.chars().map(move |digit| outer.join(digit.to_string())));
    let files =
        ["lock", "index.db", "index.db-wal", "index.db-shm", "temp", "blobs", lost::FOLDER].map(|name| root.join(name));
    for path in files.into_iter().chain(outer).chain(inner) {
        if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
            let text = format!("{} is a symbolic link; this store keeps to its folder", path.display());
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
    }
    Ok(())
}

/// Both levels at once and synced, so that a blob's folder is always durable before the blob is. The tree is made
/// beside its place and renamed, so a crash in between leaves nothing half made.
fn make_folders(root: &Path) -> io::Result<()> {
    let (blobs, making) = (root.join("blobs"), root.join("temp").join("blobs"));
    if blobs.exists() {
        // Whoever renamed it may have died before this.
        return sync_folder(root);
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

pub fn sync_folder(folder: &Path) -> io::Result<()> {
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
        blobs.place(draft).unwrap().id()
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
        assert_eq!(blobs.list(&id.0[0..2]).unwrap(), HashSet::from([id.0]));
    }
}
