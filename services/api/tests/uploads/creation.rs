//! What a creation makes, and what one that fails leaves as it was.

use crate::support::{App, MIB, STREAM, Trainee, Upload, film, sha256, status, upload_offset};
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{RequestBuilder, Response};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use weijia_core::storage::trash;
use weijia_core::time::{At, Millis};

const UPLOADS: &str = "/api/v1/uploads";
const LENGTH: usize = 5 * MIB;
const SENT: usize = 3 * MIB;

fn sum(bytes: &[u8]) -> String {
    format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)))
}

fn of_clip(upload: &Upload) -> String {
    format!("clip {}", STANDARD.encode(&upload.clip))
}

/// A creation that brings these bytes.
fn with_bytes(she: &Trainee<'_>, length: usize, metadata: &str, bytes: &[u8]) -> RequestBuilder {
    let request = she.request(Method::POST, UPLOADS).header("upload-length", length).header("content-type", STREAM);
    request.header("upload-metadata", metadata).body(bytes.to_vec())
}

async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    (status, body["code"].as_str().unwrap().to_owned())
}

fn made(answer: &Response) -> Upload {
    assert_eq!(answer.status(), 201);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    Upload { path: header("location"), clip: header("x-clip-id") }
}

async fn half_sent(she: &Trainee<'_>) -> Upload {
    let upload = she.create(LENGTH).await;
    assert_eq!(she.patch(&upload, 0, film(LENGTH)[..SENT].to_vec()).await.status(), 204);
    upload
}

#[tokio::test]
async fn a_creation_that_fails_takes_nothing_of_what_was_there() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = half_sent(&she).await;
    let wrong = with_bytes(&she, 100, &of_clip(&upload), &film(100)).header("upload-checksum", sum(b"another body"));
    assert_eq!(code(wrong.send().await.unwrap()).await, (460, "checksum_mismatch".into()));
    // A checksum that is promised and never comes.
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST {UPLOADS} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nTus-Resumable: 1.0.0\r\nContent-Type: {STREAM}\r\n\
         Upload-Length: 100\r\nUpload-Metadata: {}\r\nTransfer-Encoding: chunked\r\nTrailer: Upload-Checksum\r\n\r\n64\r\n",
        she.cookie,
        of_clip(&upload)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&film(100)).await.unwrap();
    stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut stream).await, 400);
    let no_film = with_bytes(&she, 5, &of_clip(&upload), b"hello").send().await.unwrap();
    assert_eq!(code(no_film).await, (422, "not_a_video".into()));

    assert_eq!(app.count("select count(*) from clips where state = 'draft'").await, 1);
    assert_eq!(she.offset(&upload).await, SENT);
    assert_eq!(she.patch(&upload, SENT, film(LENGTH)[SENT..].to_vec()).await.status(), 204);
    app.uploads.reconcile(At::now() + trash::GRACE, Millis(0)).await.unwrap();
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film(LENGTH)));
}

#[tokio::test]
async fn another_file_for_a_clip_takes_over_with_its_first_bytes() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let first = half_sent(&she).await;
    let second = made(&she.post(100, &[("upload-metadata", &of_clip(&first))]).await);
    assert_eq!((&second.clip, she.offset(&first).await), (&first.clip, SENT), "nothing has come of the new one");
    assert_eq!(she.patch(&second, 0, film(100)[..40].to_vec()).await.status(), 204);
    assert_eq!(she.head(&first).await.status(), 410);
    let third = with_bytes(&she, 90, &of_clip(&first), &film(90)).header("upload-checksum", sum(&film(90)));
    assert_eq!(upload_offset(&third.send().await.unwrap()), 90);
    assert_eq!(she.head(&second).await.status(), 410);
    assert_eq!(app.version(&first.clip).await.0, "received");
}

#[tokio::test]
async fn a_creation_repeated_with_a_wrong_sum_leaves_the_first_one() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let post = |checksum: String| {
        let request =
            with_bytes(&she, 100, "filename 5p2R5Y+jLm1wNA==", &film(100)).header("idempotency-key", "draft-1");
        request.header("upload-checksum", checksum)
    };
    let first =
        made(&she.post(100, &[("upload-metadata", "filename 5p2R5Y+jLm1wNA=="), ("idempotency-key", "draft-1")]).await);
    assert_eq!(code(post(sum(b"another body")).send().await.unwrap()).await, (460, "checksum_mismatch".into()));
    assert_eq!(she.offset(&first).await, 0);
    let again = post(sum(&film(100))).send().await.unwrap();
    assert_eq!((upload_offset(&again), made(&again).path), (100, first.path));
}

#[tokio::test]
async fn a_creation_repeated_says_what_became_of_it() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let key = ("idempotency-key", "draft-1");
    let upload = made(&she.post(100, &[key]).await);
    assert_eq!(she.patch(&upload, 0, film(100)).await.status(), 204);
    assert_eq!(upload_offset(&she.post(100, &[key]).await), 100);
    let withdrawn = she.bare(Method::DELETE, &format!("/api/v1/clips/{}", upload.clip)).send().await.unwrap();
    assert_eq!(withdrawn.status(), 204);
    assert_eq!(code(she.post(100, &[key]).await).await, (410, "upload_gone".into()));

    let picture = [b"\xff\xd8\xff\xe0\x00\x10JFIF\x00".as_slice(), &[7; 5000]].concat();
    for _ in 0..3 {
        let refused = with_bytes(&she, picture.len(), "", &picture).header("idempotency-key", "draft-2");
        assert_eq!(code(refused.send().await.unwrap()).await, (422, "not_a_video".into()));
    }
    assert_eq!(app.count("select count(*) from clips where state <> 'withdrawn'").await, 1, "one that says why not");
}

#[tokio::test]
async fn an_empty_file_is_refused_and_makes_nothing() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    assert_eq!(code(she.post(0, &[]).await).await, (422, "empty".into()));
    assert_eq!(code(with_bytes(&she, 0, "", b"x").send().await.unwrap()).await, (413, "upload_too_long".into()));
    assert_eq!(code(with_bytes(&she, 0, "", b"").send().await.unwrap()).await, (422, "empty".into()));
    // A stretch may be empty, but not a film of nothing else.
    let nothing = she.post(0, &[("upload-concat", "partial")]).await;
    assert_eq!((nothing.status().as_u16(), upload_offset(&nothing)), (201, 0));
    let concat = format!("final;{}", nothing.headers()["location"].to_str().unwrap());
    let joined = she.request(Method::POST, UPLOADS).header("upload-concat", concat).send().await.unwrap();
    assert_eq!(code(joined).await, (422, "empty".into()));
    assert_eq!(app.count("select count(*) from clips").await, 0);
    assert_eq!(app.count("select count(*) from uploads where kind <> 'partial'").await, 0);
}

#[tokio::test]
async fn a_body_of_another_type_is_not_overlooked() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let post = || she.request(Method::POST, UPLOADS).header("upload-length", 100);
    for content_type in ["application/octet-stream", "video/mp4"] {
        let answer = post().header("content-type", content_type).body(film(100)).send().await.unwrap();
        assert_eq!(code(answer).await, (415, "not_an_offset_stream".into()), "{content_type}");
        let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(film(100))]);
        let chunked = post().header("content-type", content_type).body(reqwest::Body::wrap_stream(chunks));
        assert_eq!(code(chunked.send().await.unwrap()).await, (415, "not_an_offset_stream".into()), "{content_type}");
    }
    assert_eq!(app.count("select count(*) from clips").await, 0);
    assert_eq!(post().header("content-type", "text/plain").body("").send().await.unwrap().status(), 201);
}

/// A part of it counts by the time that one byte too many comes: it is there, and its client has to know where.
#[tokio::test]
async fn a_creation_that_cannot_be_undone_says_where_it_is() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let chunks = film(9 * MIB).chunks(MIB).map(<[u8]>::to_vec).map(Ok::<_, std::io::Error>).collect::<Vec<_>>();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let request =
        she.request(Method::POST, UPLOADS).header("upload-length", 9 * MIB - 1).header("content-type", STREAM);
    let answer = request.body(body).send().await.unwrap();
    let upload = made(&answer);
    assert_eq!((upload_offset(&answer), she.offset(&upload).await), (8 * MIB, 8 * MIB));
    assert_eq!(app.version(&upload.clip).await.0, "uploading");
}
