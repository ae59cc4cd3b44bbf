//! What crashes and forgetful clients leave behind is swept, and nothing else.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Connection;
use support::*;
use weijia_core::storage::StorageError;
use weijia_core::time::{At, Millis};
use weijia_store::Swept;

#[tokio::test]
async fn opening_sweeps_what_no_row_names() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("a", "text/plain", "kept").await.unwrap();
    running.storage.put("b", "text/plain", "lost").await.unwrap();
    running.stop().await;
    std::fs::write(folder.path().join("temp/half"), "half").unwrap();
    std::fs::write(folder.path().join("blobs/a/a/aaorphan"), "orphan").unwrap();
    let lost = files(folder.path()).into_iter().filter(|path| path.starts_with("blobs/"));
    let lost = lost.map(|path| folder.path().join(path)).find(|path| std::fs::read(path).unwrap() == b"lost");
    std::fs::remove_file(lost.unwrap()).unwrap();

    let running = start(folder.path()).await;
    assert_eq!(running.swept, Swept { uploads: 0, drafts: 1, orphans: 1, missing: 1 });
    settles_at(folder.path(), 1).await;
    assert_eq!(running.storage.get("a").await.unwrap(), "kept");
    // Damage is an error, never a short or an empty answer.
    assert!(running.storage.get("b").await.unwrap_err().is_transient());

    // And while it runs; the sum tells both.
    std::fs::write(folder.path().join("temp/another"), "half").unwrap();
    let swept = running.store.sweep(At::now()).await.unwrap();
    assert_eq!(swept, Swept { uploads: 0, drafts: 1, orphans: 0, missing: 1 });
    assert_eq!(running.store.swept(), Swept { uploads: 0, drafts: 2, orphans: 1, missing: 1 });
}

/// Moves everything that is dated like this into the past.
async fn age(folder: &std::path::Path, sql: &'static str) {
    let url = format!("sqlite:{}", folder.join("index.db").display());
    let mut index = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(sql).execute(&mut index).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_nobody_ends_is_aborted_long_after_its_last_part() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let s3 = &running.storage;
    let silent = s3.create_multipart("silent", "video/mp4").await.unwrap();
    let forgotten = s3.create_multipart("forgotten", "video/mp4").await.unwrap();
    s3.upload_part("forgotten", &forgotten, 1, "old").await.unwrap();
    age(folder.path(), "update uploads set created_at = 0").await;
    age(folder.path(), "update blobs set written_at = 0").await;
    let slow = s3.create_multipart("slow", "video/mp4").await.unwrap();
    s3.upload_part("slow", &slow, 1, "once a month").await.unwrap();
    age(folder.path(), "update uploads set created_at = 0 where key = 'slow'").await;

    let swept = running.store.sweep(At::now() + Millis::days(29)).await.unwrap();
    assert_eq!(swept, Swept { uploads: 2, ..Swept::default() });
    for (key, id) in [("silent", &silent), ("forgotten", &forgotten)] {
        assert_eq!(s3.upload_part(key, id, 2, "late").await.unwrap_err(), StorageError::NoSuchUpload);
    }
    let second = s3.upload_part("slow", &slow, 2, "goes on").await;
    assert!(second.is_ok(), "a part keeps its upload");
    settles_at(folder.path(), 2).await;
    let swept = running.store.sweep(At::now() + Millis::days(31)).await.unwrap();
    assert_eq!(swept, Swept { uploads: 1, ..Swept::default() });
    settles_at(folder.path(), 0).await;
}

/// Sweeps one after the other beside writers and readers: neither may notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sweep_disturbs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let done = Arc::new(AtomicBool::new(false));
    let sweeping = {
        let (store, done) = (running.store.clone(), done.clone());
        tokio::spawn(async move {
            let mut sweeps = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(store.sweep(At::now()).await.unwrap().missing, 0);
                sweeps += 1;
            }
            sweeps
        })
    };
    let writers: Vec<_> = (0..8u64)
        .map(|writer| {
            let s3 = running.storage.clone();
            tokio::spawn(async move {
                for n in 0..40 {
                    let (key, bytes) = (format!("{writer}/{}", n % 5), noise(150_000, writer * 1000 + n + 1));
                    if n % 4 == 0 {
                        let id = s3.create_multipart(&key, "video/mp4").await.unwrap();
                        let tag = s3.upload_part(&key, &id, 1, bytes.clone()).await.unwrap();
                        s3.complete_multipart(&key, &id, &[(1, tag)]).await.unwrap();
                    } else {
                        s3.put(&key, "video/mp4", bytes.clone()).await.unwrap();
                    }
                    assert!(s3.get(&key).await.unwrap() == bytes, "{key} {n}");
                    if n % 7 == 0 {
                        s3.delete(&key).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(sweeping.await.unwrap() > 0);
    let left = running.storage.list("", None).await.unwrap().objects.len();
    settles_at(folder.path(), left).await;
    assert_eq!(running.store.sweep(At::now()).await.unwrap(), Swept::default());
}
