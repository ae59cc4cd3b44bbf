//! The master secret of this installation: made once, kept in one file that only we can read.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use weijia_core::db::Db;

pub struct Secret([u8; 32]);

impl Secret {
    /// Reads the file: for commands that only look or mend.
    pub fn load(path: &Path) -> Result<Self, String> {
        let file = std::fs::File::open(path).map_err(|e| {
            format!(
                "密钥文件 {} 读不了：{e}。从备份里拿回原来那份；数据库也没了、又没有备份，就运行 weijia fsck --rebuild。",
                path.display()
            )
        })?;
        Self::read(file, path)
    }

    /// Reads the file, or makes it. Durable before it is used: what is encrypted with it must stay readable.
    pub fn load_or_create(path: &Path) -> Result<Self, String> {
        let fault = |e: std::io::Error| {
            format!("密钥文件 {} 读不了也建不了：{e}。看看 WEIJIA_SECRET_FILE 和文件夹的权限。", path.display())
        };
        match std::fs::File::open(path) {
            Ok(file) => Self::read(file, path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let bytes: [u8; 32] = rand::random();
                let temporary = path.with_extension("new");
                let mut file = std::fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&temporary)
                    .map_err(fault)?;
                file.write_all(hex::encode(bytes).as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
                std::fs::rename(&temporary, path).map_err(fault)?;
                let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
                std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(fault)?;
                Ok(Self(bytes))
            }
            Err(e) => Err(fault(e)),
        }
    }

    fn read(file: std::fs::File, path: &Path) -> Result<Self, String> {
        let mut text = String::new();
        file.take(1024)
            .read_to_string(&mut text)
            .ok()
            .and_then(|_| hex::decode(text.trim()).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                format!("密钥文件 {} 不完整。从备份里拿回原来那份；没有它，手机号读不出来。", path.display())
            })
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Credentials and passwords that are ours alone, one for each purpose.
    pub fn derive(&self, purpose: &str) -> String {
        hex::encode(Sha256::new().chain_update(self.0).chain_update(purpose).finalize())
    }

    /// A database remembers which secret its phones were encrypted with; with another one nobody could sign in.
    pub async fn belongs_to(&self, db: &Db) -> Result<(), String> {
        let fingerprint = self.derive("fingerprint");
        let known = weijia_core::installation::remember(db, "secret", &fingerprint).await.map_err(|e| e.to_string())?;
        if known == fingerprint {
            Ok(())
        } else {
            Err("密钥文件和数据库不是一套的。把原来的 secret.key 放回数据文件夹，或用 WEIJIA_SECRET_FILE 指给我。"
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        assert!(Secret::load(&path).is_err() && !path.exists(), "who only looks makes none");
        let first = Secret::load_or_create(&path).unwrap();
        assert_eq!(Secret::load(&path).unwrap().bytes(), first.bytes());
        let again = Secret::load_or_create(&path).unwrap();
        assert_eq!(first.bytes(), again.bytes());
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o077, 0, "nobody else may read it");
        std::fs::write(&path, "half").unwrap();
        assert!(Secret::load_or_create(&path).is_err(), "a damaged secret is never replaced");
    }
}
