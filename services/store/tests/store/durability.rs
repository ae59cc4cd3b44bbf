//! What was acknowledged is kept, what wasn't leaves nothing visible, whatever ends the store.

use std::path::Path;
use std::time::Duration;

use crate::support::*;
use aws_sdk_s3::presigning::PresigningConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weijia_store::Swept;

/// A PUT of `key` with 1 MiB announced and this much of it sent.
async fn begun(running: &Running, key: &str, sent: usize) -> TcpStream {
    let config = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let request = running.client.put_object().bucket(BUCKET).key(key).presigned(config).await.unwrap();
    let host = running.address;
    let path = request.uri().strip_prefix(&format!("http://{host}")).unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {MB}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&noise(MB, 9)[..sent]).await.unwrap();
    stream
}

/// Until the PUT that has begun is seen on the disk.
async fn drafted(folder: &Path) {
    until("a draft", || match files(folder) {
        files if files.iter().any(|path| path.starts_with("temp/")) => Ok(()),
        files => Err(format!("{files:?}")),
    })
    .await;
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let s3 = &running.storage;
    let etag = s3.put("a", "text/plain", "hello").await.unwrap();
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let tag = s3.upload_part("v", &id, 1, noise(5 * MB, 1)).await.unwrap();
    running.stop().await;

    let running = start(folder.path()).await;
    assert_eq!(running.swept, Swept::default());
    let s3 = &running.storage;
    assert_eq!(s3.head("a").await.unwrap().unwrap().etag, etag);
    let second = s3.upload_part("v", &id, 2, "end").await.unwrap();
    s3.complete_multipart("v", &id, &[(1, tag), (2, second)]).await.unwrap();
    assert!(s3.get("v").await.unwrap() == [noise(5 * MB, 1), b"end".to_vec()].concat());
}

#[tokio::test]
async fn an_interrupted_put_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("old", "text/plain", "still here").await.unwrap();
    for key in ["new", "old"] {
        let stream = begun(&running, key, MB - 1).await;
        drafted(folder.path()).await;
        drop(stream);
        settles_at(folder.path(), 1).await;
    }
    assert_eq!(running.storage.head("new").await.unwrap(), None);
    assert_eq!(running.storage.get("old").await.unwrap(), "still here");
}

#[tokio::test]
async fn shutdown_finishes_what_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let mut stream = begun(&running, "a", MB / 2).await;
    drafted(folder.path()).await;
    running.shutdown.cancel();
    until("nobody new is let in", || match std::net::TcpStream::connect(running.address) {
        Ok(_) => Err("let in".to_owned()),
        Err(_) => Ok(()),
    })
    .await;
    stream.write_all(&noise(MB, 9)[MB / 2..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    running.server.await.unwrap();
    drop(running.store);

    let running = start(folder.path()).await;
    assert!(running.storage.get("a").await.unwrap() == noise(MB, 9));
}
