//! What clients say that they have sent, and whether it is what is kept.

use std::path::PathBuf;

use serde_json::Value;
use weijia_core::db::Db;
use weijia_core::on;
use weijia_core::storage::{Storage, StorageSettings};
use weijia_tests::{TestServer, sha256};

/// A file of lines of JSON: `{"url", "sha256"}` for an upload, `{"bucket", "key", "sha256"}` for an object.
pub struct Arrivals {
    folder: tempfile::TempDir,
}

impl Arrivals {
    pub fn none_yet() -> Arrivals {
        Arrivals { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Where clients write; to be given to them as `WEIJIA_ARRIVED`.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("arrived")
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Every upload is complete, and its original is what was sent.
    pub async fn are_uploads(&self, server: &TestServer) -> usize {
        let db = server.db().await;
        let lines = self.lines();
        for line in &lines {
            let url = line["url"].as_str().expect("an address");
            let version = version(&db, url.rsplit('/').next().expect("an id")).await;
            let version = version.unwrap_or_else(|| panic!("{url} is not complete"));
            assert_eq!(sha256(&server.original(&version).await), line["sha256"], "{line}");
        }
        db.close().await;
        lines.len()
    }

    /// Every object is there, and is what was sent.
    pub async fn are_objects(&self, store: &StorageSettings) -> usize {
        let lines = self.lines();
        for line in &lines {
            let (bucket, key) = (line["bucket"].as_str().expect("a bucket"), line["key"].as_str().expect("a key"));
            let storage = Storage::connect(&StorageSettings { bucket: bucket.to_owned(), ..store.clone() });
            let kept = storage.get(key).await.unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(sha256(&kept), line["sha256"], "{line}");
        }
        lines.len()
    }
}

async fn version(db: &Db, upload: &str) -> Option<String> {
    let mut tx = db.read().await.expect("a transaction");
    let sql = "select version_id from uploads where id = $1 and state = 'complete'";
    on!(&mut tx, c => sqlx::query_scalar(sql).bind(upload).fetch_optional(c).await).expect("an answer")
}
