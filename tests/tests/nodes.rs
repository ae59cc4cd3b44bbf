//! Several servers on one PostgreSQL and one Garage; servers, database and store die in the middle of an upload.
//!
//! `make test-scale` runs these: Garage takes a while to build.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weijia_core::storage::StorageSettings;
use weijia_tests::faults::{Call, Fault, S3Proxy};
use weijia_tests::server::Places;
use weijia_tests::tus::{About, Upload, in_two};
use weijia_tests::{Cluster, TestServer, User, media, until};

const PART: usize = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// Two parts and a rest.
fn film() -> Bytes {
    let bytes = std::fs::read(media::heavy(7)).unwrap();
    assert!(bytes.len() > 2 * PART + 1_000_000, "{} bytes", bytes.len());
    bytes.into()
}

async fn create(she: &User, length: usize) -> Upload {
    she.create_upload(length, &About { filename: "heavy.mp4".into(), ..About::default() }).await
}

/// An upload in the middle of its film.
struct UnderWay {
    upload: Upload,
    /// Sends the rest.
    go_on: oneshot::Sender<()>,
    sending: JoinHandle<bool>,
}

/// Sends two parts and a byte, and comes back when a part of it is durable: however long the test takes to act, the
/// rest does not come before that.
async fn under_way(server: &TestServer, she: &User, film: &Bytes) -> UnderWay {
    let upload = create(she, film.len()).await;
    let (body, go_on) = in_two(film.clone(), 2 * PART + 1);
    let sending = {
        let (she, upload) = (she.clone(), upload.clone());
        tokio::spawn(async move { she.send(&upload, 0, body).await.is_ok() })
    };
    until("a part to be durable", PATIENCE, || async {
        match server.count("select count(*) from upload_parts where upload_id = $1", upload.id()).await {
            0 => Err("none"),
            _ => Ok(()),
        }
        .map_err(str::to_owned)
    })
    .await;
    UnderWay { upload, go_on, sending }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make test-scale"]
async fn an_upload_goes_on_at_another_server() {
    let cluster = Cluster::start();
    let mut here = cluster.serve(&["--demo", "--no-worker"]);
    let there = cluster.serve(&["--no-worker"]);
    let she = here.sign_in("trainee", 0).await;
    let elsewhere = she.at(&there.base);
    let film = film();

    // The first server still holds the connection; it learns from the epoch that another is at it now.
    let UnderWay { upload, go_on, sending } = under_way(&here, &she, &film).await;
    let same = upload.at(&there.base);
    let offset = elsewhere.upload_offset(&same).await.unwrap();
    assert!((PART..film.len()).contains(&offset), "{offset}");
    elsewhere.resume(&same, &film).await;
    go_on.send(()).expect("it is still sending");
    assert!(!sending.await.unwrap(), "the older connection is told that it counts no more");
    there.holds_once(&same, &film).await;

    // The first server is stopped: what it had read is durable. Then it is killed.
    for kill in [false, true] {
        let UnderWay { upload, go_on, sending } = under_way(&here, &she, &film).await;
        if kill {
            here.kill();
        } else {
            let (status, _) = here.stop();
            assert!(status.success(), "{status}\n{}", here.log());
        }
        assert!(!sending.await.unwrap());
        drop(go_on);
        let same = upload.at(&there.base);
        let offset = elsewhere.upload_offset(&same).await.unwrap();
        assert!((PART..film.len()).contains(&offset), "{offset}");
        elsewhere.resume(&same, &film).await;
        there.holds_once(&same, &film).await;
        here.restart();
        assert_eq!(she.upload_offset(&upload).await.unwrap(), film.len(), "all servers say the same");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make test-scale"]
async fn what_one_server_died_completing_two_others_finish_once() {
    let cluster = Cluster::start();
    let places = cluster.places();
    let store = places.store.clone().unwrap();
    let proxy = S3Proxy::start(store.endpoint.trim_start_matches("http://").parse().unwrap()).await;
    let through = StorageSettings { endpoint: format!("http://{}", proxy.address()), ..store };
    let mut here = TestServer::start_at(Places { store: Some(through), ..places.clone() }, &["--demo", "--no-worker"]);
    let she = here.sign_in("trainee", 0).await;
    let film = film();

    // Of some the store has not heard yet that they are complete; of the others it has, and nobody knows.
    let mut uploads = Vec::new();
    for fault in [Fault::HoldBefore, Fault::HoldAfter, Fault::HoldBefore, Fault::HoldAfter] {
        let upload = create(&she, film.len()).await;
        proxy.spoil(std::slice::from_ref(&upload.version), Call::Complete, fault, 1);
        // At once: the server asks again when an answer has been held for a minute.
        let sending = {
            let (she, upload, film) = (she.clone(), upload.clone(), film.clone());
            tokio::spawn(async move { she.send(&upload, 0, film).await.is_ok() })
        };
        uploads.push((upload, sending));
    }
    proxy.holds(uploads.len()).await;
    here.kill();
    proxy.release(false);

    let others = (0..2).map(|_| {
        let places = places.clone();
        tokio::task::spawn_blocking(move || TestServer::start_at(places, &[]))
    });
    let others = futures_util::future::join_all(others).await;
    let there = others[0].as_ref().expect("it starts");
    let elsewhere = she.at(&there.base);
    for (upload, sending) in uploads {
        assert!(!sending.await.unwrap(), "nobody has said yes");
        // Nobody asks for it: they find it themselves, and a worker of one of them takes it.
        elsewhere.wait_playable(&upload.clip).await;
        there.holds_once(&upload, &film).await;
        assert_eq!(elsewhere.upload_offset(&upload.at(&there.base)).await.unwrap(), film.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make test-scale"]
async fn the_store_and_the_database_are_killed_in_the_middle_of_an_upload() {
    let cluster = Cluster::start();
    let server = cluster.serve(&["--demo", "--no-worker"]);
    let she = server.sign_in("trainee", 0).await;
    let film = film();
    for victim in ["store", "database"] {
        let UnderWay { upload, go_on, sending } = under_way(&server, &she, &film).await;
        match victim {
            "store" => cluster.kill_garage(),
            _ => cluster.kill_postgres(),
        }
        // The rest comes while nobody can keep it.
        go_on.send(()).expect("it is still sending");
        match victim {
            "store" => cluster.start_garage(),
            _ => cluster.start_postgres(),
        }
        // Whether the request got through or not, nothing that was durable is asked for again.
        let _ = sending.await.unwrap();
        let offset =
            until("an answer", PATIENCE, || async { she.upload_offset(&upload).await.map_err(|e| format!("{e:?}")) })
                .await;
        assert!(offset >= PART, "{victim}: {offset}");
        she.resume(&upload, &film).await;
        server.holds_once(&upload, &film).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make test-scale"]
async fn servers_that_start_together_share_an_empty_database_and_store() {
    let cluster = Cluster::start();
    let starts = (0..3).map(|_| {
        let places = cluster.places();
        tokio::task::spawn_blocking(move || TestServer::start_at(places, &["--no-worker"]))
    });
    for server in futures_util::future::join_all(starts).await {
        let server = server.expect("it starts");
        assert_eq!(User::stranger(&server.base).get("/health").await["ok"], true);
    }
}
