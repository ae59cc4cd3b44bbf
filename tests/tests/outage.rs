//! The store is away while a clip waits for its worker: the clip waits too, and nothing about it is given up.

use std::time::Duration;

use weijia_core::on;
use weijia_store::testing::TestStore;
use weijia_tests::faults::{Call, Fault, S3Proxy};
use weijia_tests::server::Places;
use weijia_tests::tus::About;
use weijia_tests::{TestServer, media, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_outlives_its_store_being_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = TestStore::start(folder.path()).await;
    let proxy = S3Proxy::start(store.address()).await;
    let mut through = store.settings.clone();
    through.endpoint = format!("http://{}", proxy.address());
    let server = TestServer::start_at(Places { store: Some(through), ..Places::default() }, &["--demo"]);
    let trainee = server.sign_in("trainee", 3).await;

    let file = media::portrait(2);
    let fetch = Call::of(&hyper::Method::GET, &"/bucket/originals/version/1".parse().unwrap());
    proxy.spoil(&[], fetch, Fault::Error500, usize::MAX);
    let upload = trainee.upload(&file, &About::file(&file, "存储不在的时候传的")).await;
    let attempts = "select attempt from jobs where subject = $1";
    until("the worker to have tried three times", Duration::from_secs(90), || async {
        let tried = server.count(attempts, &upload.version).await;
        if tried >= 3 { Ok(()) } else { Err(format!("{tried} times")) }
    })
    .await;
    proxy.heal();
    trainee.wait_ready(&upload.clip).await;
    let spent = "select 5 - (max_attempts - attempt) from jobs where subject = $1 and kind = 'prepare'";
    assert_eq!(server.count(spent, &upload.version).await, 1, "only the attempt that made it counts");
    let story = said(&server, &["trace", &upload.clip], 0);
    assert!(story.contains("在等存储") && story.contains("做完了"), "{story}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_a_clip_made_after_all() {
    let server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 4).await;
    let file = media::portrait(2);
    let upload = trainee.upload(&file, &About::file(&file, "没做成的")).await;
    trainee.wait_ready(&upload.clip).await;
    assert!(said(&server, &["retry", &upload.clip], 2).contains("没有要重做的"));
    assert!(said(&server, &["retry", "clip"], 2).contains("不是片子的编号"));

    let db = server.db().await;
    let mut tx = db.write().await.unwrap();
    let gave_up = "update clip_versions set state = 'failed', reason_code = 'processing_failed', failed_at = 1,
                   playable_at = null where id = $1";
    on!(&mut tx, c => sqlx::query(gave_up).bind(&upload.version).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    trainee.wait_refused(&upload.clip).await;

    assert!(said(&server, &["retry", &upload.clip], 0).contains("重新排上了"));
    trainee.wait_ready(&upload.clip).await;
    let story = said(&server, &["trace", &upload.clip], 0);
    assert!(story.contains("没做成的再做一次"), "{story}");
    server.end().await;
}

/// What `weijia` says, on either of its outputs, and how it has to end.
fn said(server: &TestServer, arguments: &[&str], code: i32) -> String {
    let output = server.command(arguments).output().expect("weijia runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}
