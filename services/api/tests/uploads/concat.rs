//! Concatenation: stretches that are sent side by side become one film, whatever is cut off on the way.

use crate::support::s3::Fault;
use crate::support::{App, MIB, STREAM, Trainee, film, quiet, sha256, upload_offset};
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use weijia_api::upload::Limits;
use weijia_core::storage::trash;
use weijia_core::time::{At, Millis};

const UPLOADS: &str = "/api/v1/uploads";
const LENGTH: usize = 19 * MIB + 77;
const ALWAYS: usize = usize::MAX;
/// filename: 村口.mp4
const METADATA: &str = "filename 5p2R5Y+jLm1wNA==";

/// A partial upload with these bytes, and its address.
async fn partial(she: &Trainee<'_>, bytes: &[u8]) -> String {
    let answer = she.post(bytes.len(), &[("upload-concat", "partial")]).await;
    assert_eq!(answer.status(), 201);
    assert!(!answer.headers().contains_key("x-clip-id"), "a stretch is no clip");
    let path = answer.headers()["location"].to_str().unwrap().to_owned();
    let patch = she.request(Method::PATCH, &path).header("content-type", STREAM).header("upload-offset", 0);
    assert_eq!(patch.body(bytes.to_vec()).send().await.unwrap().status(), 204);
    path
}

async fn join(she: &Trainee<'_>, concat: &str) -> Response {
    let request = she.request(Method::POST, UPLOADS).header("upload-concat", concat);
    request.header("upload-metadata", METADATA).send().await.unwrap()
}

fn location(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn head(she: &Trainee<'_>, path: &str) -> Response {
    she.request(Method::HEAD, path).send().await.unwrap()
}

async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    (status, body["code"].as_str().unwrap().to_owned())
}

async fn original(app: &App) -> Vec<u8> {
    let mut tx = app.db.read().await.unwrap();
    let sql = "select original_key from clip_versions where state = 'received' order by received_at desc limit 1";
    let key: String = weijia_core::on!(&mut tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap();
    drop(tx);
    app.s3.get(&key).await.to_vec()
}

#[tokio::test]
async fn stretches_sent_side_by_side_become_one_film() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    let cuts = [&film[..5 * MIB], &film[5 * MIB..14 * MIB + 1], &film[14 * MIB + 1..]];
    let paths = futures_util::future::join_all(cuts.map(|bytes| partial(&she, bytes))).await;
    let there = head(&she, &paths[1]).await;
    assert_eq!(there.headers()["upload-concat"], "partial");
    assert_eq!(upload_offset(&there), cuts[1].len());
    assert!(there.headers().contains_key("upload-expires"), "it waits to be joined");
    assert_eq!(app.count("select count(*) from jobs").await, 0, "nothing is made of a stretch");

    let concat = format!("final;{}", paths.join(" "));
    let answer = join(&she, &concat).await;
    assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (201, LENGTH));
    assert!(answer.headers()["x-clip-id"].to_str().unwrap().starts_with("clip_"));
    let path = location(&answer);
    let there = head(&she, &path).await;
    assert_eq!((there.status().as_u16(), upload_offset(&there)), (200, LENGTH));
    assert_eq!(there.headers()["upload-length"], LENGTH.to_string().as_str());
    assert_eq!(there.headers()["upload-concat"], concat.as_str());
    assert_eq!(there.headers()["upload-metadata"], METADATA);
    assert_eq!(sha256(&original(&app).await), sha256(&film));
    assert_eq!(app.count("select count(*) from jobs where kind = 'prepare'").await, 1);

    let patch = she.request(Method::PATCH, &path).header("content-type", STREAM).header("upload-offset", LENGTH);
    assert_eq!(code(patch.body("x").send().await.unwrap()).await, (403, "upload_is_final".into()));
    for path in &paths {
        assert_eq!(head(&she, path).await.status(), 410, "let go of");
        assert_eq!(she.request(Method::DELETE, path).send().await.unwrap().status(), 204, "and ending it is fine");
    }
    app.uploads.reconcile(At::now() + trash::GRACE, Millis(0)).await.unwrap();
    assert_eq!([app.s3.keys("partials/").await, app.s3.keys("tails/").await].concat(), [""; 0]);
    assert_eq!(app.s3.keys("originals/").await.len(), 1);
}

#[tokio::test]
async fn the_order_is_hers_and_a_stretch_may_come_twice() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(3000);
    let (a, b) = (partial(&she, &film[..1000]).await, partial(&she, &film[1000..]).await);
    let a_elsewhere = format!("https://weijia.example{a}");
    let b_relative = format!("uploads/{}", b.rsplit('/').next().unwrap());
    let answer = join(&she, &format!("final;{a_elsewhere} {b_relative} {a}")).await;
    assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (201, 4000));
    assert_eq!(original(&app).await, [&film[..], &film[..1000]].concat());
}

#[tokio::test]
async fn what_cannot_be_joined_is_refused_and_nothing_is_made() {
    let app = App::with(Limits { max_length: 5000, ..quiet() }).await;
    let (she, other) = (app.trainee("13800000001").await, app.trainee("13800000002").await);
    let film = film(3000);
    let (a, foreign) = (partial(&she, &film).await, partial(&other, &film).await);
    let open = location(&she.post(10, &[("upload-concat", "partial")]).await);
    let whole = she.create(10).await.path;
    for (concat, status, reason) in [
        (format!("final;{a} {open}"), 409, "upload_parts_missing"),
        (format!("final;{a} {foreign}"), 404, "not_found"),
        (format!("final;{whole}"), 404, "not_found"),
        (format!("final;{a} /api/v1/uploads/up_00000000000000000000000000"), 404, "not_found"),
        (format!("final;{a} {a}"), 413, "too_big"),
        ("final;".to_owned(), 400, "bad_upload_request"),
        ("whole".to_owned(), 400, "bad_upload_request"),
    ] {
        assert_eq!(code(join(&she, &concat).await).await, (status, reason.to_owned()), "{concat}");
    }
    let answer = she.post(3000, &[("upload-concat", &format!("final;{a}"))]).await;
    assert_eq!(answer.status(), 400, "its length is that of what it is joined from");
    assert_eq!(app.count("select count(*) from uploads where kind = 'final'").await, 0);
    assert_eq!(app.count("select count(*) from clips").await, 1);
    assert_eq!(head(&she, &a).await.status(), 200, "and the stretch is still there");
}

#[tokio::test]
async fn a_stretch_is_not_judged_and_the_film_is() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let paths = [partial(&she, &film(3000)[1000..]).await, partial(&she, &film(3000)[..1000]).await];
    let answer = join(&she, &format!("final;{} {}", paths[0], paths[1])).await;
    assert_eq!(code(answer).await, (422, "not_a_video".into()));
    assert_eq!(app.count("select count(*) from clip_versions where state = 'failed'").await, 1);
    for path in &paths {
        assert_eq!(head(&she, path).await.status(), 410);
    }
}

/// Two stretches, and a store that takes only the first part of the film.
async fn cut_off(she: &Trainee<'_>, film: &[u8]) -> (String, Vec<String>) {
    let paths = vec![partial(she, &film[..9 * MIB]).await, partial(she, &film[9 * MIB..]).await];
    she.app.s3.fail("UploadPart 2", ALWAYS, Fault::Refuse);
    let answer = join(she, &format!("final;{}", paths.join(" "))).await;
    assert_eq!(answer.status(), 201, "the bytes are durable, so it will be joined");
    let path = location(&answer);
    let there = head(she, &path).await;
    assert_eq!((there.status().as_u16(), there.headers()["upload-length"].clone()), (200, film.len().into()));
    assert!(!there.headers().contains_key("upload-offset"), "not before it is");
    (path, paths)
}

#[tokio::test]
async fn cut_off_in_the_middle_it_is_joined_exactly_once() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    let (path, paths) = cut_off(&she, &film).await;
    let ended = she.request(Method::DELETE, &paths[0]).send().await.unwrap();
    assert_eq!(code(ended).await, (409, "upload_in_use".into()));
    app.s3.heal();
    let calls = app.s3.calls("UploadPart 1");
    let finish = || app.uploads.reconcile(At::now(), Millis(0));
    let (one, two) = futures_util::future::join(finish(), finish()).await;
    one.unwrap();
    two.unwrap();
    finish().await.unwrap();
    assert_eq!(app.s3.calls("UploadPart 1"), calls, "it goes on where it was");
    let there = head(&she, &path).await;
    assert_eq!(upload_offset(&there), LENGTH);
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
    assert_eq!(app.count("select count(*) from jobs").await, 1);
    assert_eq!(head(&she, &paths[0]).await.status(), 410);
}

#[tokio::test]
async fn a_stretch_that_the_store_lost_or_changed_is_never_part_of_a_film() {
    for change in ["lose", "turn one bit of"] {
        let app = App::start().await;
        let she = app.trainee("13800000001").await;
        let (path, _) = cut_off(&she, &film(LENGTH)).await;
        app.s3.heal();
        let key = app.s3.keys("partials/").await.pop().unwrap();
        let mut bytes = app.s3.get(&key).await.to_vec();
        if change == "lose" {
            app.storage.delete(&key).await.unwrap();
        } else {
            *bytes.last_mut().unwrap() ^= 1;
            app.s3.put(&key, bytes).await;
        }
        app.uploads.reconcile(At::now(), Millis(0)).await.unwrap();
        assert_eq!(head(&she, &path).await.status(), 410, "{change}");
        let failed = "select count(*) from clip_versions where state = 'failed' and reason_code = 'incomplete'";
        assert_eq!(app.count(failed).await, 1, "{change}");
        assert_eq!(app.count("select count(*) from jobs").await, 0, "{change}");
    }
}

#[tokio::test]
async fn a_film_that_she_ends_lets_go_of_its_stretches() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (path, paths) = cut_off(&she, &film(LENGTH)).await;
    app.s3.heal();
    assert_eq!(she.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(head(&she, &path).await.status(), 410);
    assert_eq!(head(&she, &paths[0]).await.status(), 410);
    app.uploads.reconcile(At::now() + trash::GRACE, Millis(0)).await.unwrap();
    assert_eq!((app.s3.keys("").await, app.s3.open_multiparts().await), (vec![], 0));
}

#[tokio::test]
async fn who_asks_for_the_same_film_again_makes_no_second_one() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(MIB);
    let concat = format!("final;{} {}", partial(&she, &film[..700]).await, partial(&she, &film[700..]).await);
    let (first, again) = (join(&she, &concat).await, join(&she, &concat).await);
    assert_eq!((first.status().as_u16(), again.status().as_u16()), (201, 201));
    assert_eq!(location(&first), location(&again));
    assert_eq!(app.count("select count(*) from clips").await, 1);
    app.uploads.reconcile(At::now() + trash::GRACE, Millis(0)).await.unwrap();
    assert_eq!(location(&join(&she, &concat).await), location(&first), "though its stretches are gone");
    let other = she.request(Method::POST, UPLOADS).header("upload-concat", &concat);
    let other = other.header("upload-metadata", "filename YS5tcDQ=").send().await.unwrap();
    assert_eq!(other.status(), 404, "that would be another film");
}

#[tokio::test]
async fn an_older_film_of_the_clip_takes_no_stretch_along_that_a_newer_one_needs() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(MIB);
    let stretches = format!("final;{} {}", partial(&she, &film[..700]).await, partial(&she, &film[700..]).await);
    app.s3.fail("PutObject originals/", ALWAYS, Fault::Refuse);
    let older = join(&she, &stretches).await;
    assert_eq!(older.status(), 201);
    app.run("update uploads set updated_at = updated_at - 180000 where kind = 'final'").await;
    let clip = STANDARD.encode(older.headers()["x-clip-id"].as_bytes());
    let newer = she.request(Method::POST, UPLOADS).header("upload-concat", &stretches);
    let newer = newer.header("upload-metadata", format!("{METADATA},clip {clip}")).send().await.unwrap();
    assert_eq!(newer.status(), 201);
    assert_eq!(head(&she, &location(&older)).await.status(), 410, "it brought nothing and was silent");
    app.uploads.reconcile(At::now() + trash::GRACE, Millis(0)).await.unwrap();
    assert_eq!(app.s3.keys("partials/").await.len(), 2, "they wait to be joined");
    app.s3.heal();
    app.uploads.reconcile(At::now(), Millis(0)).await.unwrap();
    assert_eq!(upload_offset(&head(&she, &location(&newer)).await), MIB);
    assert_eq!(original(&app).await, film);
}
