//! What crashes and forgetful clients leave behind is swept, and nothing else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::*;
use sqlx::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weijia_core::storage::StorageError;
use weijia_core::time::{At, Millis};
use weijia_store::{EmbeddedStore, Swept};

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
    assert_eq!(running.swept, Swept { drafts: 1, orphans: 1, missing: 1, ..Swept::default() });
    settles_at(folder.path(), 1).await;
    assert_eq!(std::fs::read(folder.path().join("lost-and-found/aaorphan")).unwrap(), b"orphan");
    assert_eq!(running.storage.get("a").await.unwrap(), "kept");
    // Damage is an error, never a short or an empty answer.
    for error in [running.storage.get("b").await.unwrap_err(), running.storage.head("b").await.unwrap_err()] {
        assert!(matches!(error, StorageError::Damaged(_)), "{error}");
    }

    // And while it runs; the sum tells both.
    std::fs::write(folder.path().join("temp/another"), "half").unwrap();
    let swept = running.store.sweep(At::now()).await.unwrap();
    assert_eq!(swept, Swept { drafts: 1, missing: 1, ..Swept::default() });
    assert_eq!(running.store.swept(), Swept { drafts: 2, orphans: 1, missing: 1, ..Swept::default() });
}

/// Moves everything that is dated like this into the past.
async fn age(folder: &Path, sql: &'static str) {
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
    assert_eq!(laid_aside(folder.path()), 3, "an index that is too old would see it like this, too");
}

fn laid_aside(folder: &Path) -> usize {
    files(folder).iter().filter(|path| path.starts_with("lost-and-found/")).count()
}

/// Puts the index away under another name, or back.
fn swap(folder: &Path, from: &str, to: &str) {
    assert!(!folder.join("index.db-wal").exists(), "the store is closed");
    std::fs::rename(folder.join(from), folder.join(to)).unwrap();
}

async fn write(running: &Running, keys: std::ops::Range<u32>) {
    for n in keys {
        running.storage.put(&n.to_string(), "video/mp4", format!("film {n}")).await.unwrap();
    }
}

async fn read_all(running: &Running, keys: std::ops::Range<u32>) {
    for n in keys {
        assert_eq!(running.storage.get(&n.to_string()).await.unwrap(), format!("film {n}"));
    }
}

#[tokio::test]
async fn a_store_whose_index_is_gone_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    write(&running, 0..3).await;
    running.stop().await;
    swap(folder.path(), "index.db", "away");
    for _ in 0..2 {
        let error = EmbeddedStore::open(folder.path()).await.err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
        assert!(error.to_string().contains("index.db"), "{error}");
        assert!(EmbeddedStore::open_to_look(folder.path()).await.is_err());
        assert!(!folder.path().join("index.db").exists());
    }
    std::fs::write(folder.path().join("index.db"), "").unwrap();
    assert!(EmbeddedStore::open(folder.path()).await.is_err(), "an empty one is none");
    swap(folder.path(), "away", "index.db");
    let running = start(folder.path()).await;
    assert_eq!(running.swept, Swept::default());
    read_all(&running, 0..3).await;
}

#[tokio::test]
async fn an_index_that_is_too_old_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    write(&running, 0..3).await;
    running.stop().await;
    std::fs::copy(folder.path().join("index.db"), folder.path().join("old")).unwrap();
    let running = start(folder.path()).await;
    write(&running, 3..20).await;
    running.stop().await;

    swap(folder.path(), "index.db", "right");
    swap(folder.path(), "old", "index.db");
    let running = start(folder.path()).await;
    assert_eq!(running.swept, Swept { orphans: 17, ..Swept::default() });
    assert_eq!(laid_aside(folder.path()), 17);
    read_all(&running, 0..3).await;
    running.stop().await;

    swap(folder.path(), "right", "index.db");
    let store = EmbeddedStore::open_to_look(folder.path()).await.unwrap();
    assert_eq!(store.swept(), Swept::default(), "it is found where it lies");
    store.close().await;
    drop(store);
    let running = start(folder.path()).await;
    assert_eq!(running.swept, Swept { returned: 17, ..Swept::default() });
    assert_eq!((kept(folder.path()), laid_aside(folder.path())), (20, 0));
    read_all(&running, 0..20).await;
}

#[tokio::test]
async fn what_is_laid_aside_goes_a_week_later() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let path = folder.path().join("blobs/a/a/aaorphan");
    let file = std::fs::File::create(&path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let sweep = async |days| running.store.sweep(At::now() + Millis::days(days)).await.unwrap();
    assert_eq!(sweep(0).await, Swept { orphans: 1, ..Swept::default() }, "however old the file is");
    assert_eq!(sweep(6).await, Swept::default());
    assert_eq!(laid_aside(folder.path()), 1);
    assert_eq!(sweep(8).await, Swept { expired: 1, ..Swept::default() });
    assert_eq!(laid_aside(folder.path()), 0);
}

#[tokio::test]
async fn so_many_strangers_are_no_accident() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    write(&running, 0..3).await;
    for n in 0..101 {
        std::fs::write(folder.path().join(format!("blobs/a/a/aa{n}")), "a film").unwrap();
    }
    std::fs::write(folder.path().join("temp/half"), "half").unwrap();
    let before = files(folder.path());
    let swept = running.store.sweep(At::now() + Millis::days(60)).await.unwrap();
    assert_eq!(swept, Swept { unexplained: 101, ..Swept::default() });
    assert_eq!(files(folder.path()), before);
    std::fs::remove_file(folder.path().join("blobs/a/a/aa7")).unwrap();
    let swept = running.store.sweep(At::now()).await.unwrap();
    assert_eq!(swept, Swept { orphans: 100, drafts: 1, ..Swept::default() });
}

/// A stop between the answer and the deletion of the files: however many they are, this index let go of them.
#[tokio::test]
async fn what_a_stop_left_of_a_deletion_is_deleted_and_alarms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    write(&running, 0..3).await;
    let id = running.storage.create_multipart("many", "video/mp4").await.unwrap();
    for no in 1..=120 {
        running.storage.upload_part("many", &id, no, format!("part {no}")).await.unwrap();
    }
    let blobs = folder.path().join("blobs");
    let before: Vec<_> =
        files(&blobs).into_iter().map(|path| (path.clone(), std::fs::read(blobs.join(&path)).unwrap())).collect();
    running.storage.abort_multipart("many", &id).await.unwrap();
    running.storage.put("0", "video/mp4", "film 0").await.unwrap();
    settles_at(folder.path(), 3).await;
    running.stop().await;
    // As if the deletions had not reached the disk.
    for (path, bytes) in &before {
        std::fs::write(blobs.join(path), bytes).unwrap();
    }
    let store = EmbeddedStore::open_to_look(folder.path()).await.unwrap();
    assert_eq!(store.swept(), Swept::default());
    store.close().await;
    drop(store);

    let running = start(folder.path()).await;
    assert_eq!(running.swept, Swept::default());
    settles_at(folder.path(), 3).await;
    assert_eq!(laid_aside(folder.path()), 0);
    read_all(&running, 0..3).await;
    // Forgotten once they are gone.
    running.store.sweep(At::now()).await.unwrap();
    running.stop().await;
    let url = format!("sqlite:{}", folder.path().join("index.db").display());
    let mut index = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from freed").fetch_one(&mut index).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn who_only_looks_leaves_everything_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    write(&running, 0..3).await;
    running.storage.create_multipart("silent", "video/mp4").await.unwrap();
    running.stop().await;
    std::fs::write(folder.path().join("temp/half"), "half").unwrap();
    std::fs::write(folder.path().join("blobs/a/a/aaorphan"), "orphan").unwrap();
    let before = files(folder.path());
    let store = EmbeddedStore::open_to_look(folder.path()).await.unwrap();
    store.sweep(At::now() + Millis::days(60)).await.unwrap();
    assert_eq!(store.swept(), Swept { orphans: 2, ..Swept::default() }, "one, seen twice");
    store.close().await;
    assert_eq!(files(folder.path()), before);
}

/// Somebody who stopped reading keeps what he reads, and nothing else.
#[tokio::test]
async fn a_stalled_reader_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("big", "video/mp4", noise(24 * MB, 1)).await.unwrap();
    write(&running, 0..5).await;
    let host = running.address;
    let store = running.as_store();
    let target = sign::Ask::object(&store, "GET", "big").presigned(60);
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 100_000]).await.unwrap();
    for n in 0..5 {
        running.storage.delete(&n.to_string()).await.unwrap();
    }
    settles_at(folder.path(), 1).await;
    running.storage.delete("big").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(kept(folder.path()), 1, "it is still being read");
    drop(stream);
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
