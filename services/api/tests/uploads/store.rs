//! What the store holds in the end: films as they were sent, once, and nothing of what was ended.

use crate::support::{App, MIB, Upload, film, sha256};
use axum::http::Method;
use tokio::io::AsyncWriteExt;
use weijia_core::storage::StorageError;
use weijia_core::time::{At, Millis};

async fn text(app: &App, sql: &'static str) -> String {
    let mut tx = app.db.read().await.unwrap();
    weijia_core::on!(&mut tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

async fn original(app: &App) -> Vec<u8> {
    let key = text(app, "select original_key from clip_versions order by created_at desc limit 1").await;
    app.s3.get(&key).await.to_vec()
}

#[tokio::test]
async fn large_and_small_films_arrive_as_they_were_sent() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    for length in [1000, 8 * MIB, 8 * MIB + 1, 26 * MIB + 7] {
        let (upload, film) = (she.create(length).await, film(length));
        assert_eq!(she.patch(&upload, 0, film.clone()).await.status(), 204, "{length}");
        assert_eq!(sha256(&original(&app).await), sha256(&film), "{length}");
        assert_eq!(app.version(&upload.clip).await.0, "received");
    }
}

#[tokio::test]
async fn a_film_sent_in_many_pieces_arrives_whole() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let length = 19 * MIB + 11;
    let (upload, film) = (she.create(length).await, film(length));
    let (mut offset, mut step) = (0, 100);
    while offset < length {
        let end = (offset + step).min(length);
        let mut stream = she.begin(&upload, offset, length - offset, &film[offset..end]).await;
        stream.shutdown().await.unwrap();
        drop(stream);
        (offset, step) = (she.offset(&upload).await, step * 5 % 2_999_999 + 1);
    }
    assert_eq!(sha256(&original(&app).await), sha256(&film));
}

#[tokio::test]
async fn killed_after_the_object_was_made_it_is_finished_exactly_once() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let length = 17 * MIB;
    let (upload, film) = (she.create(length).await, film(length));
    assert_eq!(she.patch(&upload, 0, film.clone()).await.status(), 204);
    // As a kill right before the last commit leaves it: the object is made, and no row says so.
    app.run("delete from jobs").await;
    app.run("update clip_versions set state = 'uploading', original_key = null").await;
    app.run("update uploads set state = 'completing', root_sha256 = null").await;
    assert_eq!(app.uploads.reconcile(At::now(), Millis(0)).await.unwrap().finished, 1);
    assert_eq!(app.uploads.reconcile(At::now(), Millis(0)).await.unwrap().finished, 0);
    assert_eq!(app.version(&upload.clip).await.0, "received");
    assert_eq!(app.count("select count(*) from jobs").await, 1);
    assert_eq!(sha256(&original(&app).await), sha256(&film));
}

#[tokio::test]
async fn what_was_ended_is_gone_from_the_store() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload: Upload = she.create(20 * MIB).await;
    assert_eq!(she.patch(&upload, 0, film(20 * MIB)[..9 * MIB].to_vec()).await.status(), 204);
    let tail = text(&app, "select key from upload_tails").await;
    assert_eq!(app.storage.get(&tail).await.unwrap(), film(20 * MIB)[8 * MIB..9 * MIB]);
    assert_eq!(app.storage.open_multiparts("originals/").await.unwrap().len(), 1);
    assert_eq!(she.request(Method::DELETE, &upload.path).send().await.unwrap().status(), 204);
    let later = At::now() + weijia_core::storage::trash::GRACE;
    app.uploads.reconcile(later, Millis(0)).await.unwrap();
    assert!(matches!(app.storage.get(&tail).await, Err(StorageError::NotFound)));
    assert_eq!(app.storage.open_multiparts("originals/").await.unwrap().len(), 0);
}
