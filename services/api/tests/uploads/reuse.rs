//! Bytes that she has sent before are not sent again.

use crate::support::s3::Fault;
use crate::support::{App, MIB, Trainee, film};
use axum::http::Method;
use futures_util::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weijia_core::on;

const LENGTH: usize = 20 * MIB + 333;
const SAME: &str = "/api/v1/uploads/same";
/// What [`reuse`] says, in the words of tus.
const METADATA: &str = "filename 5YaN5LygLm1wNA==,filetype dmlkZW8vbXA0,title 5YaN5Lyg5LiA5qyh";

fn root(bytes: &[u8]) -> String {
    let parts = bytes.chunks(8 * MIB).map(Sha256::digest);
    hex::encode(parts.fold(Sha256::new(), |root, part| root.chain_update(part)).finalize())
}

async fn sent(she: &Trainee<'_>, film: &[u8]) -> String {
    let upload = she.create(film.len()).await;
    assert_eq!(she.patch(&upload, 0, film.to_vec()).await.status(), 204);
    upload.clip
}

async fn reuse(she: &Trainee<'_>, key: &str, bytes: usize, root: &str) -> Response {
    let body = json!({"bytes": bytes, "root_sha256": root, "filename": "再传.mp4", "content_type": "video/mp4", "title": "再传一次"});
    she.request(Method::POST, SAME).header("idempotency-key", key).json(&body).send().await.unwrap()
}

async fn clip(answer: Response) -> String {
    assert_eq!(answer.status(), 201);
    answer.json::<Value>().await.unwrap()["clip"].as_str().unwrap().to_owned()
}

async fn original(app: &App, clip: &str) -> Vec<u8> {
    let mut tx = app.db.read().await.unwrap();
    let sql = "select original_key from clip_versions where clip_id = $1";
    let key: String = on!(&mut tx, c => sqlx::query_scalar(sql).bind(clip).fetch_one(c).await).unwrap();
    drop(tx);
    app.s3.get(&key).await.to_vec()
}

#[tokio::test]
async fn bytes_sent_before_make_a_clip_of_their_own() {
    let app = App::start().await;
    let (she, other) = (app.trainee("13800000001").await, app.trainee("13800000002").await);
    let film = film(LENGTH);
    let first = sent(&she, &film).await;

    let known = async |who: &Trainee<'_>, bytes: usize| {
        let answer = who.request(Method::GET, &format!("{SAME}?bytes={bytes}")).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["known"].as_bool().unwrap()
    };
    assert!(known(&she, LENGTH).await && !known(&she, LENGTH - 1).await && !known(&other, LENGTH).await);
    for (who, bytes, root) in
        [(&other, LENGTH, root(&film)), (&she, LENGTH - 1, root(&film)), (&she, LENGTH, root(b"x"))]
    {
        assert_eq!(reuse(who, "draft-0", bytes, &root).await.status(), 404);
    }
    assert_eq!(app.count("select count(*) from clips").await, 1, "what is not there makes nothing");

    // Asked all at once, as a phone that lost its patience would: one clip.
    let root = root(&film);
    let asked = join_all((0..4).map(|_| reuse(&she, "draft-1", LENGTH, &root))).await;
    let made: Vec<_> = asked.into_iter().filter(|answer| answer.status() == 201).collect();
    assert!(!made.is_empty());
    let second = clip(reuse(&she, "draft-1", LENGTH, &root).await).await;
    for answer in made {
        assert_eq!(clip(answer).await, second);
    }
    assert_ne!(first, second);
    assert_eq!(app.count("select count(*) from clips").await, 2);
    assert_eq!(app.version(&second).await, ("received".into(), None));
    assert_eq!(app.count("select count(*) from jobs where kind = 'prepare'").await, 2);
    assert!(original(&app, &second).await == film, "an object of its own");
    assert_eq!(app.s3.keys("originals/").await.len(), 2);
    assert_eq!(app.s3.keys("sidecars/").await.len(), 2);

    let long = json!({"bytes": LENGTH, "root_sha256": root, "filename": "再传.mp4", "content_type": "video/mp4", "title": "村".repeat(5000)});
    let answer = she.request(Method::POST, SAME).json(&long).send().await.unwrap();
    clip(answer).await;
    assert_eq!(app.count("select count(*) from clips where length(title) = 60").await, 1, "a long title is cut");

    // The first one may go: the second stands by itself.
    assert_eq!(she.request(Method::DELETE, &format!("/api/v1/clips/{first}")).send().await.unwrap().status(), 204);
    assert_ne!(clip(reuse(&she, "draft-2", LENGTH, &root).await).await, second);
}

#[tokio::test]
async fn cut_off_in_the_middle_it_goes_on_when_asked_again() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    sent(&she, &film).await;
    app.s3.fail("UploadPart 2", usize::MAX, Fault::Refuse);
    assert_eq!(reuse(&she, "draft-1", LENGTH, &root(&film)).await.status(), 503);
    assert_eq!(app.count("select count(*) from clip_versions where state = 'received'").await, 1);
    app.s3.heal();
    let made = clip(reuse(&she, "draft-1", LENGTH, &root(&film)).await).await;
    assert!(original(&app, &made).await == film);
    assert_eq!(app.count("select count(*) from clips").await, 2);
}

#[tokio::test]
async fn an_original_that_the_store_has_lost_is_sent_again() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(MIB);
    sent(&she, &film).await;
    let key = app.s3.keys("originals/").await.remove(0);
    app.storage.delete(&key).await.unwrap();
    assert_eq!(reuse(&she, "draft-1", MIB, &root(&film)).await.status(), 404);
    assert_eq!(app.count("select count(*) from clips").await, 1);
}

/// What could be read back of it counts, and there is no second clip.
#[tokio::test]
async fn an_original_that_is_damaged_is_sent_again() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    sent(&she, &film).await;
    app.s3.fail("GetObject originals/", usize::MAX, Fault::Damaged);
    assert_eq!(reuse(&she, "draft-1", LENGTH, &root(&film)).await.status(), 404);
    assert_eq!(app.count("select count(*) from clip_versions where state = 'failed'").await, 0);
    let answer = she.post(LENGTH, &[("idempotency-key", "draft-1"), ("upload-metadata", METADATA)]).await;
    assert_eq!(answer.status(), 201, "the same creation, as her phone asks for it next");
    let path = answer.headers()["location"].to_str().unwrap().to_owned();
    let upload = crate::support::Upload { path, clip: answer.headers()["x-clip-id"].to_str().unwrap().to_owned() };
    let from = she.offset(&upload).await;
    assert_eq!(she.patch(&upload, from, film[from..].to_vec()).await.status(), 204);
    app.s3.heal();
    assert!(original(&app, &upload.clip).await == film);
    assert_eq!(app.count("select count(*) from clips").await, 2);
}
