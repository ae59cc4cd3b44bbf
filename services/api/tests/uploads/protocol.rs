//! Every rule of tus 1.0 that we speak, by its name.

use crate::support::{App, PUBLIC, STREAM, film, quiet, upload_offset};
use axum::http::Method;
use weijia_api::upload::Limits;

const UPLOADS: &str = "/api/v1/uploads";

/// Who has not signed in.
fn anybody() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn code(answer: reqwest::Response) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    for field in ["message", "next_step", "request_id"] {
        assert!(!body[field].as_str().unwrap().is_empty(), "{field}");
    }
    body["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn options_tells_what_we_speak_to_anybody() {
    let app = App::start().await;
    let answer = anybody().request(Method::OPTIONS, format!("http://{}{UPLOADS}", app.address)).send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 204);
    let header = |name: &str| answer.headers()[name].to_str().unwrap();
    assert_eq!(header("tus-version"), "1.0.0");
    let extensions = "creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,\
                      checksum-trailer,concatenation";
    assert_eq!(header("tus-extension"), extensions);
    assert_eq!(header("tus-checksum-algorithm"), "sha1,sha256,crc32c");
    assert_eq!(header("tus-max-size"), 2_000_000_000_u64.to_string());
}

/// What a browser asks before a page of another origin may send, and what it looks at afterwards.
#[tokio::test]
async fn a_page_of_another_origin_is_told_what_it_may_do() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(5).await;
    let preflight = |path: &str, origin: &str, method: &str| {
        let request = she.client.request(Method::OPTIONS, format!("http://{}{path}", app.address));
        let asks = request.header("origin", origin).header("access-control-request-method", method);
        asks.header("access-control-request-headers", "content-type,tus-resumable,upload-offset").send()
    };
    for (origin, allowed, with_cookie) in [(PUBLIC, PUBLIC, true), ("https://other.example", "*", false)] {
        for (path, method) in
            [(UPLOADS, "POST"), (&upload.path, "PATCH"), (&upload.path, "DELETE"), (&upload.path, "HEAD")]
        {
            let answer = preflight(path, origin, method).await.unwrap();
            assert_eq!(answer.status(), 204);
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("access-control-allow-origin"), allowed);
            assert_eq!(answer.headers().contains_key("access-control-allow-credentials"), with_cookie);
            assert!(header("access-control-allow-methods").contains(method), "{method}");
            assert!(header("vary").contains("Origin"));
            for name in [
                "Content-Type",
                "Tus-Resumable",
                "Upload-Length",
                "Upload-Offset",
                "Upload-Metadata",
                "Upload-Checksum",
                "Upload-Concat",
                "Upload-Defer-Length",
                "X-HTTP-Method-Override",
                "X-Requested-With",
                "Idempotency-Key",
            ] {
                assert!(header("access-control-allow-headers").contains(name), "{name}");
            }
        }
    }
    let ask = |method: Method, origin: &'static str| {
        let request = she.request(method, &upload.path).header("origin", origin).header("sec-fetch-site", "same-site");
        request.header("content-type", STREAM).header("upload-offset", 0).body("").send()
    };
    let answer = ask(Method::PATCH, PUBLIC).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["access-control-allow-origin"]),
        (204, &PUBLIC.parse().unwrap())
    );
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap();
    for name in [
        "Location",
        "Tus-Resumable",
        "Tus-Version",
        "Tus-Extension",
        "Tus-Max-Size",
        "Tus-Checksum-Algorithm",
        "Upload-Offset",
        "Upload-Length",
        "Upload-Defer-Length",
        "Upload-Metadata",
        "Upload-Expires",
        "Upload-Concat",
    ] {
        assert!(exposed.contains(name), "{name}");
    }
    let answer = ask(Method::PATCH, "https://other.example").await.unwrap();
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (403, "foreign_origin"), "with her cookie");
}

#[tokio::test]
async fn every_answer_carries_tus_resumable() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(5).await;
    for (method, path, status) in [
        (Method::HEAD, upload.path.as_str(), 200),
        (Method::PATCH, &upload.path, 415),
        (Method::HEAD, "/api/v1/uploads/up_00000000000000000000000000", 404),
        (Method::DELETE, &upload.path, 204),
        (Method::HEAD, &upload.path, 410),
    ] {
        let answer = she.request(method, path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["tus-resumable"], "1.0.0");
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn another_version_is_412_and_does_nothing() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    for version in [None, Some("0.2.2"), Some("2.0.0")] {
        let mut request = she.bare(Method::POST, UPLOADS).header("upload-length", 5);
        if let Some(version) = version {
            request = request.header("tus-resumable", version);
        }
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["tus-version"]), (412, &"1.0.0".parse().unwrap()));
        assert_eq!(code(answer).await, "tus_version");
    }
    assert_eq!(app.count("select count(*) from uploads").await, 0);
}

#[tokio::test]
async fn creation_answers_with_a_location_and_the_clip() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    // title: 我的村, assignment: A1
    let metadata = "title 5oiR55qE5p2R,assignment QTE=,filename d29ybGQubXA0";
    let answer = she.post(300, &[("upload-metadata", metadata)]).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(upload_offset(&answer), 0);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with("/api/v1/uploads/up_"));
    assert!(answer.headers()["x-clip-id"].to_str().unwrap().starts_with("clip_"));
    assert!(answer.headers()["x-version-id"].to_str().unwrap().starts_with("ver_"));
    assert_eq!(app.count("select count(*) from clips where title = '我的村' and assignment_code = 'A1'").await, 1);
    let head = she.request(Method::HEAD, &location).send().await.unwrap();
    assert_eq!((upload_offset(&head), &head.headers()["upload-length"]), (0, &"300".parse().unwrap()));
    assert_eq!(head.headers()["upload-metadata"], metadata, "HEAD gives back what creation was told");
}

#[tokio::test]
async fn creation_needs_a_length_within_the_limit() {
    let app = App::with(Limits { max_length: 1000, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let answer = she.request(Method::POST, UPLOADS).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let both = she.request(Method::POST, UPLOADS).header("upload-length", 5).header("upload-defer-length", 1);
    assert_eq!(both.send().await.unwrap().status(), 400);
    for bad in ["-5", "ten", "1.5", "99999999999999999999"] {
        let answer = she.request(Method::POST, UPLOADS).header("upload-length", bad).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{bad}");
    }
    let answer = she.post(1001, &[]).await;
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (413, "too_big"));
    assert_eq!(she.post(1000, &[]).await.status(), 201);
    assert_eq!(she.post(5, &[("upload-metadata", "filename %%%")]).await.status(), 400);
    // A99 is no assignment, and that is no clip of hers.
    assert_eq!(she.post(5, &[("upload-metadata", "assignment QTk5")]).await.status(), 422);
    assert_eq!(she.post(5, &[("upload-metadata", "clip Y2xpcF94")]).await.status(), 404);
    assert_eq!(app.count("select count(*) from clips").await, 1);
}

#[tokio::test]
async fn creation_with_upload_takes_the_first_bytes_at_once() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(100);
    let request = she.request(Method::POST, UPLOADS).header("upload-length", 100).header("content-type", STREAM);
    let answer = request.body(film.clone()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (201, 100));
    assert_eq!(app.s3.only("originals/").await, film);
    let request = she.request(Method::POST, UPLOADS).header("upload-length", 99).header("content-type", STREAM);
    assert_eq!(request.body(film.clone()).send().await.unwrap().status(), 413, "more than it says");
    let request = she.request(Method::POST, UPLOADS).header("upload-length", 200).header("content-type", STREAM);
    assert_eq!(upload_offset(&request.body(film).send().await.unwrap()), 100, "a part of it");
    assert_eq!(app.count("select count(*) from clips").await, 2);
}

#[tokio::test]
async fn patch_needs_its_content_type_and_offset() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(100).await;
    let patch = || she.request(Method::PATCH, &upload.path).body(film(100));
    let answer = patch().header("upload-offset", 0).header("content-type", "video/mp4").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (415, "not_an_offset_stream"));
    let answer = patch().header("content-type", STREAM).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "bad_upload_request"));
    assert_eq!(she.offset(&upload).await, 0);
}

#[tokio::test]
async fn patch_at_another_offset_is_409_and_says_the_right_one() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(100).await, film(100));
    assert_eq!(she.patch(&upload, 0, film[..40].to_vec()).await.status(), 204);
    for wrong in [0, 39, 41, 100] {
        let answer = she.patch(&upload, wrong, film[40..60].to_vec()).await;
        assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (409, 40), "{wrong}");
        assert_eq!(code(answer).await, "upload_offset");
    }
    assert_eq!(she.patch(&upload, 40, film[40..].to_vec()).await.status(), 204);
    assert_eq!(app.s3.only("originals/").await, film);
}

#[tokio::test]
async fn patch_beyond_the_length_is_413_and_adds_nothing() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(100).await;
    let answer = she.patch(&upload, 0, film(101)).await;
    assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (413, 0));
    let chunked = futures_util::stream::iter([Ok::<_, std::io::Error>(film(60)), Ok(vec![0; 60])]);
    let answer = she.patch(&upload, 0, reqwest::Body::wrap_stream(chunked)).await;
    assert_eq!(answer.status(), 413);
    assert!(she.offset(&upload).await <= 60);
    assert_eq!(app.version(&upload.clip).await.0, "uploading");
}

#[tokio::test]
async fn small_patches_add_up_and_the_last_one_completes() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(700).await, film(700));
    for (at, chunk) in (0..).step_by(3).zip(film[..30].chunks(3)) {
        let answer = she.patch(&upload, at, chunk.to_vec()).await;
        assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (204, at + 3));
        assert_eq!(she.offset(&upload).await, at + 3);
    }
    assert_eq!(app.version(&upload.clip).await.0, "uploading");
    assert_eq!(upload_offset(&she.patch(&upload, 30, film[30..].to_vec()).await), 700);
    assert_eq!(app.s3.only("originals/").await, film);
    assert_eq!(app.version(&upload.clip).await.0, "received");
    assert_eq!(app.count("select count(*) from jobs where kind = 'prepare'").await, 1);
}

#[tokio::test]
async fn a_complete_upload_heads_as_complete_and_takes_no_more() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(100).await, film(100));
    assert_eq!(she.patch(&upload, 0, film).await.status(), 204);
    let head = she.head(&upload).await;
    assert_eq!((head.status().as_u16(), upload_offset(&head)), (200, 100));
    assert_eq!(she.patch(&upload, 100, "").await.status(), 204, "nothing more to send is fine");
    assert_eq!(she.patch(&upload, 100, "x").await.status(), 413);
    assert_eq!(she.patch(&upload, 0, "x").await.status(), 409);
    assert_eq!(she.request(Method::DELETE, &upload.path).send().await.unwrap().status(), 409);
    assert_eq!(app.count("select count(*) from jobs").await, 1);
}

#[tokio::test]
async fn termination_is_final_idempotent_and_frees_the_store() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(9 << 20).await;
    assert_eq!(she.patch(&upload, 0, film(9 << 20)[..(9 << 20) - 5].to_vec()).await.status(), 204);
    assert_eq!(app.s3.open_multiparts().await, 1);
    assert_eq!(app.s3.keys("tails/").await.len(), 1);
    for _ in 0..2 {
        assert_eq!(she.request(Method::DELETE, &upload.path).send().await.unwrap().status(), 204);
    }
    assert_eq!(she.head(&upload).await.status(), 410);
    let answer = she.patch(&upload, 0, "x").await;
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (410, "upload_gone"));
    assert_eq!(app.version(&upload.clip).await.0, "abandoned");
    assert_eq!(app.count("select count(*) from clips where state = 'withdrawn'").await, 1);
    let later = weijia_core::time::At::now() + weijia_core::storage::trash::GRACE;
    app.uploads.reconcile(later, weijia_core::time::Millis(0)).await.unwrap();
    assert_eq!(app.s3.open_multiparts().await, 0);
    assert_eq!(app.s3.keys("").await.len(), 0);
    assert_eq!(app.count("select count(*) from object_trash").await, 0);
}

#[tokio::test]
async fn an_upload_that_expired_is_gone() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(100).await;
    app.run("update uploads set expires_at = 1").await;
    assert_eq!(she.head(&upload).await.status(), 410);
    assert_eq!(she.patch(&upload, 0, film(100)).await.status(), 410);
}

#[tokio::test]
async fn the_method_may_be_in_a_header() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(100).await, film(100));
    let post = |method: &str| she.request(Method::POST, &upload.path).header("x-http-method-override", method);
    let patch = post("PATCH").header("content-type", STREAM).header("upload-offset", 0).body(film[..50].to_vec());
    assert_eq!(patch.send().await.unwrap().status(), 204);
    assert_eq!(upload_offset(&post("HEAD").send().await.unwrap()), 50);
    assert_eq!(post("PUT").send().await.unwrap().status(), 405);
    let other = she.request(Method::PATCH, &upload.path).header("x-http-method-override", "HEAD");
    assert_eq!(upload_offset(&other.send().await.unwrap()), 50, "the actual method does not count");
    let foreign = she.request(Method::GET, &upload.path).header("x-http-method-override", "DELETE");
    assert_eq!(foreign.header("origin", "https://other.example").send().await.unwrap().status(), 403);
    assert_eq!(post("DELETE").send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn an_upload_of_another_person_does_not_exist() {
    let app = App::start().await;
    let (she, other) = (app.trainee("13800000001").await, app.trainee("13800000002").await);
    let (upload, film) = (she.create(100).await, film(100));
    assert_eq!(she.patch(&upload, 0, film[..50].to_vec()).await.status(), 204);
    assert_eq!(other.head(&upload).await.status(), 404);
    assert_eq!(other.patch(&upload, 50, film[50..].to_vec()).await.status(), 404);
    assert_eq!(other.request(Method::DELETE, &upload.path).send().await.unwrap().status(), 404);
    let clip = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &upload.clip);
    assert_eq!(other.post(5, &[("upload-metadata", &format!("clip {clip}"))]).await.status(), 404);
    assert_eq!(she.post(5, &[("upload-metadata", &format!("clip {clip}"))]).await.status(), 201);
    let stranger = anybody().head(format!("http://{}{}", app.address, upload.path));
    assert_eq!(stranger.header("tus-resumable", "1.0.0").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn what_is_no_video_stops_early_with_the_reason() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let list = b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/x\n".to_vec();
    let noise: Vec<u8> = film(20 << 20).split_off(1000);
    for (bytes, reason) in [(list, "playlist"), (noise, "not_a_video"), (b"hello".to_vec(), "not_a_video")] {
        let upload = she.create(bytes.len()).await;
        let answer = she.patch(&upload, 0, bytes).await;
        assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (422, reason));
        assert_eq!(app.version(&upload.clip).await, ("failed".into(), Some(reason.into())));
        assert_eq!(she.head(&upload).await.status(), 410);
        assert_eq!(code(she.patch(&upload, 0, "").await).await, reason, "and stays so");
    }
    assert_eq!(app.s3.keys("").await.len(), 0, "nothing of it reached the store");
}

#[tokio::test]
async fn what_is_no_video_is_told_across_small_patches_too() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(40).await;
    assert_eq!(she.patch(&upload, 0, "ffcon").await.status(), 204);
    let answer = she.patch(&upload, 5, "cat version 1.0").await;
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (422, "playlist"));
}
