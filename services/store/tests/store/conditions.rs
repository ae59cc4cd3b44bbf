//! Conditional writes really exclude: of those that race, one wins.

use crate::support::*;
use aws_sdk_s3::primitives::ByteStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_that_create_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    for round in 0..4 {
        let key = format!("race-{round}");
        let racers = (0..16u64).map(|n| {
            let put = running.client.put_object().bucket(BUCKET).key(&key).if_none_match("*");
            let put = put.body(ByteStream::from(noise(300_000, n + 1))).send();
            tokio::spawn(async move { (n, code(put.await)) })
        });
        let mut answers = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            answers.push(racer.await.unwrap());
        }
        let winners: Vec<u64> = answers.iter().filter(|(_, code)| code == "accepted").map(|(n, _)| *n).collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(_, code)| code == "accepted" || code == "PreconditionFailed"), "{answers:?}");
        assert!(running.storage.get(&key).await.unwrap() == noise(300_000, winners[0] + 1));
    }
    settles_at(folder.path(), 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_that_replace_the_same_state_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let etag = running.storage.put("a", "text/plain", "first").await.unwrap();
    let racers = (0..16).map(|n| {
        let put = running.client.put_object().bucket(BUCKET).key("a").if_match(&etag);
        let put = put.body(ByteStream::from(format!("racer {n}").into_bytes())).send();
        tokio::spawn(async move { code(put.await) })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap().as_str() {
            "accepted" => won += 1,
            code => assert_eq!(code, "PreconditionFailed"),
        }
    }
    assert_eq!(won, 1);
    let gone = running.client.put_object().bucket(BUCKET).key("b").if_match(&etag);
    assert_eq!(code(gone.body(ByteStream::from_static(b"x")).send().await), "NoSuchKey");
}

/// A refusal is known before the body has come. Who sends first and reads afterwards still gets to read it.
#[tokio::test]
async fn who_is_refused_early_may_send_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head =
        format!("PUT /{BUCKET}/a HTTP/1.1\r\nHost: store\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", 20 * MB);
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..20 {
        stream.write_all(&noise(MB, 1)).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}
