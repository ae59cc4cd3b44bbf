//! The store fails at every step; no failure ever looks like success, and none loses what was acknowledged.

use crate::support::s3::Fault;
use crate::support::{App, MIB, Trainee, Upload, film, sha256, upload_offset};
use axum::http::Method;
use weijia_core::time::{At, Millis};

const LENGTH: usize = 30 * MIB + 5;
const ALWAYS: usize = usize::MAX;

async fn reconcile(app: &App) -> usize {
    app.uploads.reconcile(At::now(), Millis(0)).await.unwrap().finished
}

/// All bytes durable, and the last step failing.
async fn stuck_before_complete(she: &Trainee<'_>, film: &[u8]) -> Upload {
    let upload = she.create(film.len()).await;
    she.app.s3.fail("CompleteMultipartUpload", ALWAYS, Fault::Refuse);
    assert_eq!(she.patch(&upload, 0, film.to_vec()).await.status(), 503);
    assert_eq!(she.app.count("select count(*) from uploads where state = 'completing'").await, 1);
    assert_eq!(she.app.version(&upload.clip).await.0, "uploading");
    she.app.s3.heal();
    upload
}

#[tokio::test]
async fn a_part_that_fails_stops_the_offset_before_it() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    app.s3.fail("UploadPart 2", ALWAYS, Fault::Refuse);
    let answer = she.patch(&upload, 0, film.clone()).await;
    assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (503, 8 * MIB), "the contiguous prefix");
    app.s3.heal();
    assert_eq!(she.offset(&upload).await, 8 * MIB);
    assert_eq!(she.patch(&upload, 8 * MIB, film[8 * MIB..].to_vec()).await.status(), 204);
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
}

#[tokio::test]
async fn passing_faults_on_every_call_are_not_even_noticed() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    for fault in [Fault::Refuse, Fault::LoseAnswer, Fault::ErrorIn200, Fault::Stray404] {
        let upload = she.create(LENGTH).await;
        for call in ["CreateMultipartUpload", "UploadPart 1", "UploadPart 3", "CompleteMultipartUpload", "PutObject"] {
            app.s3.fail(call, 1, fault);
        }
        let half = 13 * MIB;
        assert_eq!(she.patch(&upload, 0, film[..half].to_vec()).await.status(), 204, "{fault:?}");
        assert_eq!(she.patch(&upload, half, film[half..].to_vec()).await.status(), 204, "{fault:?}");
        let key = app.s3.keys("originals/").await.pop().unwrap();
        assert_eq!(sha256(&app.s3.get(&key).await), sha256(&film), "{fault:?}");
        app.s3.heal();
    }
    assert_eq!(app.count("select count(*) from jobs").await, 4);
}

/// A gateway that has lost its way to the store answers 404 to everything. That says nothing about what is stored.
#[tokio::test]
async fn a_404_that_is_not_the_stores_loses_nothing() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    assert_eq!(she.patch(&upload, 0, film[..9 * MIB].to_vec()).await.status(), 204);
    for call in ["GetObject tails/", "UploadPart", "", "CompleteMultipartUpload"] {
        let from = she.offset(&upload).await;
        app.s3.fail(call, ALWAYS, Fault::Stray404);
        assert_eq!(she.patch(&upload, from, film[from..].to_vec()).await.status(), 503, "{call:?}");
        reconcile(&app).await;
        assert_eq!(app.version(&upload.clip).await.0, "uploading", "{call:?}");
        app.s3.heal();
    }
    let from = she.offset(&upload).await;
    assert_eq!((from, app.version(&upload.clip).await.0.as_str()), (LENGTH, "received"));
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
}

/// Asking again would never end, and her phone has it all.
#[tokio::test]
async fn what_the_disk_of_the_store_has_lost_is_sent_again() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    let upload = she.create(LENGTH).await;
    assert_eq!(she.patch(&upload, 0, film[..9 * MIB].to_vec()).await.status(), 204);
    app.s3.fail("GetObject tails/", ALWAYS, Fault::Damaged);
    assert_eq!(she.patch(&upload, 9 * MIB, film[9 * MIB..].to_vec()).await.status(), 410);
    assert_eq!(app.version(&upload.clip).await, ("failed".into(), Some("incomplete".into())));
    app.s3.heal();
    let upload = stuck_before_complete(&she, &film).await;
    app.s3.fail("HeadObject originals/", ALWAYS, Fault::Refuse);
    app.s3.fail("GetObject originals/", ALWAYS, Fault::Damaged);
    reconcile(&app).await;
    assert_eq!(app.version(&upload.clip).await, ("failed".into(), Some("incomplete".into())));
}

#[tokio::test]
async fn a_small_file_that_cannot_be_put_is_not_acknowledged() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(5000).await, film(5000));
    app.s3.fail("PutObject originals/", ALWAYS, Fault::ErrorIn200);
    let answer = she.patch(&upload, 0, film.clone()).await;
    assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (503, 0));
    app.s3.heal();
    assert_eq!(she.patch(&upload, 0, film.clone()).await.status(), 204);
    assert_eq!(app.s3.only("originals/").await, film);
}

#[tokio::test]
async fn a_tail_that_cannot_be_put_is_not_acknowledged() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    app.s3.fail("PutObject tails/", ALWAYS, Fault::Refuse);
    let answer = she.patch(&upload, 0, film[..9 * MIB].to_vec()).await;
    assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (503, 8 * MIB));
    app.s3.heal();
    assert_eq!(she.offset(&upload).await, 8 * MIB);
}

#[tokio::test]
async fn killed_before_complete_it_is_finished_exactly_once() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    let upload = stuck_before_complete(&she, &film).await;
    let both = futures_util::future::join(reconcile(&app), reconcile(&app)).await;
    assert!(both.0 + both.1 >= 1);
    assert_eq!(reconcile(&app).await, 0, "nothing is left to be done");
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
    assert_eq!(app.version(&upload.clip).await.0, "received");
    assert_eq!(app.count("select count(*) from jobs").await, 1);
    assert_eq!(she.offset(&upload).await, LENGTH);
}

#[tokio::test]
async fn killed_between_the_object_and_the_commit_it_is_finished_exactly_once() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    app.s3.fail("PutObject sidecars/", ALWAYS, Fault::Refuse);
    assert_eq!(she.patch(&upload, 0, film.clone()).await.status(), 503);
    assert_eq!(app.s3.only("originals/").await.len(), LENGTH, "the object is there, and nobody says so yet");
    assert_eq!(app.version(&upload.clip).await.0, "uploading");
    app.s3.heal();
    assert_eq!(she.offset(&upload).await, LENGTH, "a HEAD finishes it too");
    assert_eq!(app.version(&upload.clip).await.0, "received");
    assert_eq!(app.count("select count(*) from jobs").await, 1);
    let sidecar: serde_json::Value = serde_json::from_slice(&app.s3.only("sidecars/").await).unwrap();
    assert_eq!(sidecar["clip"]["owner_name"], "贾丽娟");
    assert_eq!(sidecar["upload"]["part_sha256"][0], sha256(&film[..8 * MIB]));
}

#[tokio::test]
async fn no_such_upload_and_no_object_is_failed_never_complete() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = stuck_before_complete(&she, &film(LENGTH)).await;
    app.s3.lose_multiparts().await;
    assert_eq!(she.head(&upload).await.status(), 410);
    assert_eq!(app.version(&upload.clip).await, ("failed".into(), Some("incomplete".into())));
    assert_eq!(app.count("select count(*) from jobs").await, 0);
}

#[tokio::test]
async fn an_object_of_another_length_is_failed_never_complete() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = stuck_before_complete(&she, &film(LENGTH)).await;
    let mut tx = app.db.read().await.unwrap();
    let key: String =
        weijia_core::on!(&mut tx, c => sqlx::query_scalar("select key from uploads").fetch_one(c).await).unwrap();
    drop(tx);
    app.s3.lose_multiparts().await;
    app.s3.put(&key, film(LENGTH - 1)).await;
    assert_eq!(reconcile(&app).await, 1);
    assert_eq!(she.head(&upload).await.status(), 410);
    assert_eq!(app.version(&upload.clip).await.0, "failed");
    assert_eq!(app.count("select count(*) from jobs").await, 0);
}

#[tokio::test]
async fn parts_that_the_store_has_lost_end_the_upload_with_a_reason() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    assert_eq!(she.patch(&upload, 0, film[..8 * MIB].to_vec()).await.status(), 204);
    app.s3.lose_multiparts().await;
    assert_eq!(she.patch(&upload, 8 * MIB, film[8 * MIB..].to_vec()).await.status(), 410);
    assert_eq!(app.version(&upload.clip).await, ("failed".into(), Some("incomplete".into())));
}

#[tokio::test]
async fn termination_needs_no_store() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(LENGTH).await;
    assert_eq!(she.patch(&upload, 0, film(LENGTH)[..9 * MIB].to_vec()).await.status(), 204);
    app.s3.fail("", ALWAYS, Fault::Refuse);
    assert_eq!(she.request(Method::DELETE, &upload.path).send().await.unwrap().status(), 204);
    let later = At::now() + weijia_core::storage::trash::GRACE;
    app.uploads.reconcile(later, Millis(0)).await.unwrap();
    assert!(app.count("select count(*) from object_trash").await > 0, "kept for the next round");
    app.s3.heal();
    app.uploads.reconcile(later, Millis(0)).await.unwrap();
    assert_eq!(app.count("select count(*) from object_trash").await, 0);
    assert!(app.s3.keys("").await.is_empty());
}
