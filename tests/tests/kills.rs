//! kill -9 in the middle of things, ten times each: nothing acknowledged is lost, and nothing is there twice.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use weijia_tests::server::signal;
use weijia_tests::tus::{About, Upload, slowly};
use weijia_tests::{TestServer, User, media, until};

const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_killed_in_the_middle_of_an_upload() {
    let mut server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 4).await;
    // More than one part of the store's multipart upload, so that kills fall into parts, tails and between them.
    let bytes = Bytes::from(std::fs::read(media::heavy(4)).unwrap());
    assert!(bytes.len() > 9_000_000, "{} bytes", bytes.len());

    // Half of the kills hit one upload again and again, the others a fresh one each.
    let mut often = None;
    let mut uploads = Vec::new();
    for round in 0..ROUNDS {
        let upload = match (&often, round % 2) {
            (Some(upload), 0) => Upload::clone(upload),
            _ => trainee.create_upload(bytes.len(), &about(round)).await,
        };
        if round == 0 {
            often = Some(upload.clone());
        }
        cut(&mut server, &trainee, &upload, &bytes, round).await;
        if round % 2 == 1 {
            uploads.push((upload, round));
        }
    }
    uploads.push((often.unwrap(), 0));
    for (upload, round) in &uploads {
        trainee.resume(upload, &bytes).await;
        trainee.wait_playable(&upload.clip).await;
        once(&server, upload, &about(*round).title, &bytes).await;
    }
    server.end().await;
}

fn about(round: usize) -> About {
    About { filename: "heavy.mp4".into(), title: format!("断电 {round}"), ..About::default() }
}

/// Sends from where the server is, and kills it somewhere on the way; an acknowledged offset must not go back.
async fn cut(server: &mut TestServer, trainee: &User, upload: &Upload, bytes: &Bytes, round: usize) {
    let before = trainee.upload_offset(upload).await.expect("an offset");
    let sending = {
        let (trainee, upload, rest) = (trainee.clone(), upload.clone(), bytes.slice(before..));
        tokio::spawn(async move { trainee.send(&upload, before, slowly(rest, 8_000_000)).await.is_ok() })
    };
    tokio::time::sleep(Duration::from_millis(150 + 130 * round as u64)).await;
    // While the bytes come in, another look would take the upload over, so ask only after the restart.
    server.kill();
    let finished = sending.await.unwrap();
    server.restart();
    let after = trainee.upload_offset(upload).await.expect("an offset after the restart");
    assert!(after >= before, "round {round}: acknowledged {before}, now {after}");
    if finished {
        assert_eq!(after, bytes.len(), "round {round}: 204 means durable");
    }
}

/// One clip came of it, and what the store holds is what was sent.
async fn once(server: &TestServer, upload: &Upload, title: &str, bytes: &Bytes) {
    assert_eq!(server.count("select count(*) from clips where title = $1", title).await, 1);
    server.holds_once(upload, bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_is_killed_in_the_middle_of_a_transcode() {
    let server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 6).await;
    let file = media::foreign(4);
    let mut uploads = Vec::new();
    for round in 0..ROUNDS {
        // One clip each: a job that kills its worker again and again is given up on, and rightly so.
        let about = About { title: format!("转码断电 {round}"), ..About::file(&file, "") };
        uploads.push(trainee.upload(&file, &about).await);
    }

    let mut killed = Vec::new();
    while killed.len() < ROUNDS {
        let busy = until("the worker to be busy with the next clip", Duration::from_secs(90), || async {
            for upload in &uploads {
                if !killed.contains(&upload.version) && processing(&trainee, upload).await {
                    return Ok(upload.version.clone());
                }
            }
            Err(format!("{} killed", killed.len()))
        })
        .await;
        // At another moment each time; the supervisor in one round, the jailed child in the next.
        tokio::time::sleep(Duration::from_millis(60 * killed.len() as u64)).await;
        let workers = server.workers();
        let victim = if killed.len() % 2 == 0 { workers.first() } else { workers.last() };
        if let Some(pid) = victim {
            signal(*pid, libc::SIGKILL);
        }
        killed.push(busy);
    }

    for upload in &uploads {
        trainee.wait_ready(&upload.clip).await;
        // Each rendition once, of whichever attempt got through, and nothing is left to do.
        let renditions = "select count(*) from renditions where version_id = $1";
        let names = "select count(distinct name) from renditions where version_id = $1";
        assert_eq!(server.count(renditions, &upload.version).await, server.count(names, &upload.version).await);
        // A version has one job of each kind, however often it was tried.
        let doubled = "select count(*) - count(distinct kind) from jobs where subject = $1";
        assert_eq!(server.count(doubled, &upload.version).await, 0);
        let unfinished = "select count(*) from jobs where subject = $1 and state <> 'done'";
        assert_eq!(server.count(unfinished, &upload.version).await, 0);
    }
    server.end().await;
}

async fn processing(trainee: &User, upload: &Upload) -> bool {
    let clip: Value = trainee.clip(&upload.clip).await;
    clip["media_state"] == "processing"
}
