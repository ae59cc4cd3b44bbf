//! One server per data folder.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Held as long as this lives; the system lets go of it even after `kill -9`.
pub struct DataLock {
    _file: File,
}

impl DataLock {
    pub fn take(data: &Path) -> Result<Self, String> {
        let path = data.join("weijia.lock");
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| {
                format!("数据文件夹 {} 写不了：{e}。换一个能写的文件夹（WEIJIA_DATA）。", data.display())
            })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            format!("另一个 weijia 正在用数据文件夹 {}。先停掉它，或用 --data 换一个文件夹。", data.display())
        })?;
        Ok(Self { _file: file })
    }
}
