//! kill -9 in the middle of things, ten times each: nothing acknowledged is lost, and nothing is there twice.

use std::time::Duration;

use bytes::Bytes;
use weijia_tests::server::signal;
use weijia_tests::tus::{About, Upload, in_two, slowly};
use weijia_tests::{TestServer, User, media, until};

const ROUNDS: usize = 10;
const PART: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_killed_in_the_middle_of_an_upload() {
    let mut server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 4).await;
    // More than one part of the store's multipart upload, so that kills fall into parts, tails and between them.
    let bytes = Bytes::from(std::fs::read(media::heavy(4)).unwrap());
    assert!(bytes.len() > 9_000_000, "{} bytes", bytes.len());

    // Half of the kills hit one upload again and again, the others a fresh one each.
    let (mut often, mut inside) = (None, 0);
    let mut uploads = Vec::new();
    for round in 0..ROUNDS {
        let upload = match (&often, round % 2) {
            (Some(upload), 0) => Upload::clone(upload),
            _ => trainee.create_upload(bytes.len(), &about(round)).await,
        };
        if round == 0 {
            often = Some(upload.clone());
        }
        inside += usize::from(cut(&mut server, &trainee, &upload, &bytes, round).await);
        if round % 2 == 1 {
            uploads.push((upload, round));
        }
    }
    assert!(inside >= ROUNDS / 2, "only {inside} kills fell into an upload");
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

/// Sends from where the server is, and kills it somewhere on the way; an acknowledged offset must not go back. Answers
/// whether the kill fell into the upload: some of it was durable by then, and some was not.
async fn cut(server: &mut TestServer, trainee: &User, upload: &Upload, bytes: &Bytes, round: usize) -> bool {
    let before = trainee.upload_offset(upload).await.expect("an offset");
    let rest = bytes.slice(before..);
    // Half of the kills fall where time lets them, the others behind a part that is durable.
    let (body, hold) = match round % 2 {
        0 => (slowly(rest, 8_000_000), None),
        _ => {
            let (body, hold) = in_two(rest, PART + 50_000 * round);
            (body, Some(hold))
        }
    };
    let sending = {
        let (trainee, upload) = (trainee.clone(), upload.clone());
        tokio::spawn(async move { trainee.send(&upload, before, body).await.is_ok() })
    };
    if hold.is_some() {
        until("a part to be durable", Duration::from_secs(120), || async {
            let parts = "select count(*) from upload_parts where upload_id = $1";
            if server.count(parts, upload.id()).await > 0 { Ok(()) } else { Err("none".to_owned()) }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(20 * round as u64)).await;
    } else {
        tokio::time::sleep(Duration::from_millis(150 + 130 * round as u64)).await;
    }
    // While the bytes come in, another look would take the upload over, so ask only after the restart.
    server.kill();
    let finished = sending.await.unwrap();
    server.restart();
    let after = trainee.upload_offset(upload).await.expect("an offset after the restart");
    assert!(after >= before, "round {round}: acknowledged {before}, now {after}");
    if finished {
        assert_eq!(after, bytes.len(), "round {round}: 204 means durable");
    }
    (1..bytes.len()).contains(&after)
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
    // One clip each: a job that kills its worker again and again is given up on, and rightly so.
    let another = async |n: usize| {
        let about = About { title: format!("转码断电 {n}"), ..About::file(&file, "") };
        trainee.upload(&file, &about).await
    };
    let mut uploads = Vec::new();
    for n in 0..ROUNDS {
        uploads.push(another(n).await);
    }

    let mut killed = Vec::new();
    while killed.len() < ROUNDS {
        let busy = until("the worker to be busy with the next clip", Duration::from_secs(90), || async {
            let mut all_ready = true;
            for upload in uploads.iter().filter(|upload| !killed.contains(&upload.version)) {
                match trainee.clip(&upload.clip).await["media_state"].as_str() {
                    Some("processing") => return Ok(Some(upload.version.clone())),
                    state => all_ready &= state == Some("ready"),
                }
            }
            if all_ready { Ok(None) } else { Err(format!("{} killed", killed.len())) }
        })
        .await;
        let Some(busy) = busy else {
            // One of them was made while nobody looked.
            assert!(uploads.len() < 3 * ROUNDS, "only {} clips were ever seen at work", killed.len());
            uploads.push(another(uploads.len()).await);
            continue;
        };
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

/// Whoever watches already goes on watching, and what was published is not made public a second time.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_attempt_goes_on_behind_what_is_published() {
    const PUBLISHED: &str = "select s.key from rendition_segments s join renditions r on r.id = s.rendition_id
                             where r.version_id = $1 and r.name = '480' order by s.n";
    let server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 5).await;
    let file = media::foreign(90);
    let upload = trainee.upload(&file, &About::file(&file, "断在中间")).await;
    let published = || server.texts(PUBLISHED, &upload.version);
    until("a few segments to be published", Duration::from_secs(90), || async {
        let segments = published().await.len();
        if segments >= 3 { Ok(()) } else { Err(format!("{segments}")) }
    })
    .await;
    signal(*server.workers().last().expect("the child"), libc::SIGKILL);
    let before = published().await;
    trainee.wait_ready(&upload.clip).await;
    let after = published().await;
    assert_eq!(after.len(), 45, "two seconds each");
    assert_eq!(after[..before.len()], before, "what was published stays, under its name");
    // One film, though two encoders made it: every picture of ninety seconds once, and no decoder stumbles.
    let heads = "select init_key from renditions where version_id = $1 and name = '480'";
    let (storage, mut film) = (server.storage().await, Vec::new());
    for key in server.texts(heads, &upload.version).await.iter().chain(&after) {
        film.extend_from_slice(&storage.get(key).await.expect("what is published"));
    }
    assert_eq!(media::pictures(&film), 90 * 30);
    let attempts = "select count(*) from job_attempts a join jobs j on j.id = a.job_id where j.subject = $1";
    assert_eq!(server.count(attempts, &upload.version).await, 3, "one more than there are jobs");
    server.end().await;
}
