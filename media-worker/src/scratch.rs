//! Folders for work in progress. A worker that was killed cannot clean up; the next one does it for it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

const LOCK: &str = "lock";

/// This process's own folder, locked as long as it lives.
pub struct Scratch {
    folder: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes one under `root`, and removes those whose owners are gone.
    pub fn take(root: &Path) -> io::Result<Scratch> {
        fs::create_dir_all(root)?;
        for entry in fs::read_dir(root)? {
            let folder = entry?.path();
            if folder.join(LOCK).exists() && lock(&folder).is_ok() {
                let _ = fs::remove_dir_all(&folder);
            }
        }
        let folder = root.join(format!("worker-{}-{:08x}", std::process::id(), random()));
        fs::create_dir(&folder)?;
        let lock = lock(&folder)?;
        Ok(Scratch { folder: folder.canonicalize()?, _lock: lock })
    }

    /// An empty folder for one attempt at one job.
    pub fn for_job(&self, job: &str, attempt: i64) -> io::Result<PathBuf> {
        let folder = self.folder.join(format!("{job}-{attempt}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn lock(folder: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn random() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.subsec_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_dead_are_removed_and_those_of_the_living_are_not() {
        let root = tempfile::tempdir().unwrap();
        let living = Scratch::take(root.path()).unwrap();
        let job = living.for_job("job_1", 1).unwrap();
        let dead = root.path().join("worker-0-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), b"").unwrap();
        fs::write(dead.join("source"), b"film").unwrap();
        let other = Scratch::take(root.path()).unwrap();
        assert!(job.exists() && !dead.exists());
        drop(other);
        drop(living);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
