//! `lost-and-found/`: files that no row names, kept for a while. They are left by writes that broke off, or the index
//! is not the one that belongs to them: then they are all there is of somebody's film. The name isn't `lost+found`,
//! which belongs to root where the folder is a disk of its own.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use weijia_core::time::{At, Millis};

use crate::blobs::{BlobId, Blobs, leaf, sync_folder};

pub const FOLDER: &str = "lost-and-found";
const KEPT: Millis = Millis::days(7);

impl Blobs {
    fn lost_and_found(&self) -> PathBuf {
        self.root().join(FOLDER)
    }

    pub fn lost_path(&self, id: &BlobId) -> PathBuf {
        self.lost_and_found().join(&id.0)
    }

    pub fn lost(&self) -> io::Result<HashSet<String>> {
        match leaf(&self.lost_and_found()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(HashSet::new()),
            found => found,
        }
    }

    /// Takes a file out of a leaf folder. It is dated anew first, so that its time begins now even when the power
    /// fails in between. Whether it was still there.
    pub fn lay_aside(&self, prefix: &str, name: &str, now: At) -> io::Result<bool> {
        let from = self.leaf_folder(prefix).join(name);
        let dated = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: now.0.div_euclid(1000), tv_nsec: 0 },
        };
        match utimensat(CWD, &from, &dated, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            dated => dated?,
        }
        match fs::create_dir(self.lost_and_found()) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        match fs::rename(&from, self.lost_and_found().join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            renamed => renamed.map(|()| true),
        }
    }

    /// Puts a blob back where it belongs.
    pub fn bring_back(&self, id: &BlobId) -> io::Result<()> {
        fs::rename(self.lost_path(id), self.path(id))?;
        sync_folder(&self.leaf_folder(&id.0[0..2]))
    }

    /// Deletes what has lain here long enough.
    pub fn empty_lost_and_found(&self, now: At) -> io::Result<usize> {
        let mut count = 0;
        for name in self.lost()? {
            let path = self.lost_and_found().join(name);
            let dated = path.symlink_metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            if now - At(dated.as_millis() as i64) > KEPT {
                fs::remove_file(path)?;
                count += 1;
            }
        }
        Ok(count)
    }
}
