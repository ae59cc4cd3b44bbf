//! Checksums, lengths said late, expiry and creations asked for twice.

use std::time::Duration;

use crate::support::s3::Fault;
use crate::support::{App, MIB, STREAM, Trainee, Upload, film, quiet, sha256, status, until, upload_offset};
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use weijia_api::upload::Limits;
use weijia_core::time::{At, Millis};

const UPLOADS: &str = "/api/v1/uploads";
const LENGTH: usize = 20 * MIB + 333;
const ALWAYS: usize = usize::MAX;

fn sum(bytes: &[u8]) -> String {
    format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)))
}

async fn patch(she: &Trainee<'_>, upload: &Upload, offset: usize, bytes: &[u8], more: &[(&str, &str)]) -> Response {
    let request = she.request(Method::PATCH, &upload.path).header("content-type", STREAM);
    let request = more.iter().fold(request.header("upload-offset", offset), |r, (name, value)| r.header(*name, *value));
    request.body(bytes.to_vec()).send().await.unwrap()
}

async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert!(!body["next_step"].as_str().unwrap().is_empty());
    (status, body["code"].as_str().unwrap().to_owned())
}

fn upload(answer: &Response) -> Upload {
    assert_eq!(answer.status(), 201);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    Upload { path: header("location"), clip: header("x-clip-id") }
}

async fn deferred(she: &Trainee<'_>) -> Upload {
    let request = she.request(Method::POST, UPLOADS).header("upload-defer-length", 1);
    upload(&request.send().await.unwrap())
}

async fn original(app: &App, upload: &Upload) -> Vec<u8> {
    let mut tx = app.db.read().await.unwrap();
    let sql = "select original_key from clip_versions where clip_id = $1";
    let key: String =
        weijia_core::on!(&mut tx, c => sqlx::query_scalar(sql).bind(&upload.clip).fetch_one(c).await).unwrap();
    drop(tx);
    app.s3.get(&key).await.to_vec()
}

/// What SQL counts of all uploads.
async fn counted(app: &App) -> i64 {
    app.count("select (select count(*) from upload_parts) + (select count(*) from upload_tails)").await
}

#[tokio::test]
async fn a_body_counts_when_it_adds_up() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let mut offset = 0;
    // Less than a part, several parts at once, and the end.
    for end in [1000, 700_000, 17 * MIB + 5, LENGTH] {
        let chunk = &film[offset..end];
        let answer = patch(&she, &upload, offset, chunk, &[("upload-checksum", &sum(chunk))]).await;
        assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (204, end));
        offset = end;
    }
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
    assert_eq!(app.version(&upload.clip).await.0, "received");
}

#[tokio::test]
async fn a_body_that_does_not_add_up_leaves_the_offset_where_it_was() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    for length in [900, LENGTH] {
        let (upload, film) = (she.create(length).await, film(length));
        assert_eq!(patch(&she, &upload, 0, &film[..100], &[]).await.status(), 204);
        let before = counted(&app).await;
        for wrong in [&film[100..], &film[100..600]] {
            let answer = patch(&she, &upload, 100, wrong, &[("upload-checksum", &sum(b"another body"))]).await;
            assert_eq!(upload_offset(&answer), 100);
            assert_eq!(code(answer).await, (460, "checksum_mismatch".into()));
            assert_eq!((she.offset(&upload).await, counted(&app).await), (100, before));
        }
        let rest = &film[100..];
        assert_eq!(patch(&she, &upload, 100, rest, &[("upload-checksum", &sum(rest))]).await.status(), 204);
        assert_eq!(sha256(&original(&app, &upload).await), sha256(&film));
    }
    app.uploads.reconcile(At::now() + weijia_core::storage::trash::GRACE, Millis(0)).await.unwrap();
    let left = app.s3.keys("").await;
    assert_eq!(left.len(), 4, "two films and what is known of them: {left:?}");
}

#[tokio::test]
async fn a_checksum_that_cannot_be_read_is_400() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(100).await, film(100));
    for bad in ["md5 XUFAKrxLKna5cZ2REBfFkg==", "sha1", "sha1 ???", "sha256 AAAA"] {
        let answer = patch(&she, &upload, 0, &film, &[("upload-checksum", bad)]).await;
        assert_eq!(code(answer).await, (400, "bad_upload_request".into()), "{bad}");
    }
    assert_eq!(she.offset(&upload).await, 0);
}

#[tokio::test]
async fn a_body_with_a_checksum_that_is_cut_off_counts_for_nothing() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let begin = async || {
        let path = format!("{}\r\nUpload-Checksum: {}", "1.0.0", sum(&film));
        // The header goes along with the one that is always sent.
        let head = format!(
            "PATCH {} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nTus-Resumable: {path}\r\nContent-Type: {STREAM}\r\n\
             Upload-Offset: 0\r\nContent-Length: {LENGTH}\r\n\r\n",
            upload.path, she.cookie
        );
        let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&film[..17 * MIB]).await.unwrap();
        stream
    };
    let before = app.s3.calls("UploadPart 2");
    let mut stream = begin().await;
    until("two parts are in the store", async || app.s3.calls("UploadPart 2") > before).await;
    assert_eq!(counted(&app).await, 0, "a server killed now leaves nothing of it");
    stream.shutdown().await.unwrap();
    assert_eq!(she.offset(&upload).await, 0);
    let mut stream = begin().await;
    app.stopping.cancel();
    app.uploads.drained().await;
    assert_eq!(status(&mut stream).await, 503);
    let after = app.twin(quiet()).await;
    let she = after.known(&she);
    assert_eq!(she.offset(&upload).await, 0);
    assert_eq!(patch(&she, &upload, 0, &film, &[("upload-checksum", &sum(&film))]).await.status(), 204);
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
}

#[tokio::test]
async fn whether_it_is_a_video_is_asked_of_what_adds_up() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let mut spoilt = film[..MIB].to_vec();
    spoilt[..2000].fill(b'x');
    let answer = patch(&she, &upload, 0, &spoilt, &[("upload-checksum", &sum(&film[..MIB]))]).await;
    assert_eq!(code(answer).await, (460, "checksum_mismatch".into()));
    assert_eq!(patch(&she, &upload, 0, &film, &[("upload-checksum", &sum(&film))]).await.status(), 204);
    assert_eq!(sha256(&original(&app, &upload).await), sha256(&film));
    let upload = she.create(LENGTH).await;
    let answer = patch(&she, &upload, 0, &spoilt, &[("upload-checksum", &sum(&spoilt))]).await;
    assert_eq!(code(answer).await, (422, "not_a_video".into()));
    assert_eq!(app.version(&upload.clip).await.0, "failed");
}

#[tokio::test]
async fn slow_bodies_with_a_checksum_need_no_memory_of_their_own() {
    let app = App::with(Limits { memory: 8 * MIB, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    let one = async |right: bool| {
        let upload = she.create(LENGTH).await;
        let body = film[..6 * MIB].to_vec();
        let said = if right { sum(&body) } else { sum(b"another body") };
        let pieces: Vec<_> = body.chunks(MIB / 4).map(<[u8]>::to_vec).collect();
        let slowly = futures_util::stream::unfold(pieces.into_iter(), async |mut rest| {
            tokio::time::sleep(Duration::from_millis(150)).await;
            Some((Ok::<_, std::io::Error>(rest.next()?), rest))
        });
        let request = she.request(Method::PATCH, &upload.path).header("content-type", STREAM);
        let request = request.header("upload-offset", 0).header("upload-checksum", said);
        let answer = request.body(reqwest::Body::wrap_stream(slowly)).send().await.unwrap();
        let expected = if right { (204, 6 * MIB) } else { (460, 0) };
        assert_eq!((answer.status().as_u16(), upload_offset(&answer)), expected);
        assert_eq!(she.offset(&upload).await, expected.1);
        if right {
            assert_eq!(she.patch(&upload, 6 * MIB, film[6 * MIB..].to_vec()).await.status(), 204);
            assert_eq!(sha256(&original(&app, &upload).await), sha256(&film));
        }
    };
    futures_util::future::join_all([true, false, true].map(one)).await;
}

#[tokio::test]
async fn a_checksum_may_follow_the_body() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(100);
    for (trailer, expected) in [
        (format!("Upload-Checksum: {}\r\n", sum(&film)), 204),
        (format!("Upload-Checksum: {}\r\n", sum(b"another body")), 460),
        ("X-Other: 1\r\n".to_owned(), 400),
        (String::new(), 400),
    ] {
        let upload = she.create(100).await;
        let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
        let head = format!(
            "PATCH {} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nTus-Resumable: 1.0.0\r\nContent-Type: {STREAM}\r\n\
             Upload-Offset: 0\r\nTransfer-Encoding: chunked\r\nTrailer: Upload-Checksum\r\n\r\n64\r\n",
            upload.path, she.cookie
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&film).await.unwrap();
        stream.write_all(format!("\r\n0\r\n{trailer}\r\n").as_bytes()).await.unwrap();
        assert_eq!(status(&mut stream).await, expected, "{trailer}");
        assert_eq!(she.offset(&upload).await, if expected == 204 { 100 } else { 0 });
    }
}

#[tokio::test]
async fn a_creation_whose_body_does_not_add_up_makes_nothing() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(100);
    let post = |checksum: String| {
        let request = she.request(Method::POST, UPLOADS).header("upload-length", 100).header("content-type", STREAM);
        request.header("upload-checksum", checksum).header("idempotency-key", "draft-7").body(film.clone())
    };
    let answer = post(sum(b"another body")).send().await.unwrap();
    assert_eq!(code(answer).await, (460, "checksum_mismatch".into()));
    assert_eq!(post("md5 AAAA".into()).send().await.unwrap().status(), 400);
    assert_eq!(app.count("select count(*) from clips where state <> 'withdrawn'").await, 0);
    assert_eq!(counted(&app).await, 0);
    let answer = post(sum(&film)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (201, 100));
    app.uploads.reconcile(At::now() + weijia_core::storage::trash::GRACE, Millis(0)).await.unwrap();
    assert_eq!(app.s3.only("originals/").await, film);
}

#[tokio::test]
async fn a_length_may_be_said_with_the_last_bytes() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let mut received = 0;
    // Within a part, at the end of one, and behind some; the length with the last bytes, or after them.
    for (length, before) in
        [(900, 500), (900, 900), (8 * MIB, 8 * MIB), (8 * MIB, 5), (19 * MIB, 9 * MIB), (9 * MIB, 9 * MIB)]
    {
        let (upload, film) = (deferred(&she).await, film(length));
        assert_eq!(patch(&she, &upload, 0, &film[..before], &[]).await.status(), 204);
        let there = she.head(&upload).await;
        assert_eq!((upload_offset(&there), &there.headers()["upload-defer-length"]), (before, &"1".parse().unwrap()));
        assert!(!there.headers().contains_key("upload-length"));
        assert_eq!(app.version(&upload.clip).await.0, "uploading");
        let said = length.to_string();
        let answer = patch(&she, &upload, before, &film[before..], &[("upload-length", &said)]).await;
        assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (204, length), "{length} after {before}");
        let there = she.head(&upload).await;
        assert_eq!((upload_offset(&there), there.headers()["upload-length"].clone()), (length, length.into()));
        assert!(!there.headers().contains_key("upload-defer-length"));
        assert_eq!(app.version(&upload.clip).await.0, "received");
        let bytes = "select count(*) from clip_versions where state = 'received' and bytes <> 0 and bytes =
                     (select length from uploads where version_id = clip_versions.id)";
        received += 1;
        assert_eq!(app.count(bytes).await, received);
        assert_eq!(sha256(&original(&app, &upload).await), sha256(&film), "{length} after {before}");
    }
}

#[tokio::test]
async fn a_length_is_said_once_and_holds_what_is_there() {
    let app = App::with(Limits { max_length: 1000, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (deferred(&she).await, film(900));
    assert_eq!(patch(&she, &upload, 0, &film[..500], &[]).await.status(), 204);
    for (said, expected) in [("499", 400), ("1001", 413), ("-5", 400), ("abc", 400)] {
        let answer = patch(&she, &upload, 500, &film[500..510], &[("upload-length", said)]).await;
        assert_eq!(answer.status(), expected, "{said}");
    }
    assert_eq!(patch(&she, &upload, 500, &vec![0; 501], &[]).await.status(), 413, "more than any film may be");
    assert_eq!(she.offset(&upload).await, 500);
    assert_eq!(patch(&she, &upload, 500, &film[500..510], &[("upload-length", "900")]).await.status(), 204);
    assert_eq!(patch(&she, &upload, 510, &film[510..520], &[("upload-length", "901")]).await.status(), 400);
    assert_eq!(patch(&she, &upload, 510, &film[510..], &[("upload-length", "900")]).await.status(), 204);
    assert_eq!(app.s3.only("originals/").await, film);
}

#[tokio::test]
async fn nothing_may_come_of_a_length_said_late() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    for (n, checksum) in [(1, None), (2, Some(sum(b"")))] {
        let upload = deferred(&she).await;
        let checksum = checksum.as_deref().map(|sum| ("upload-checksum", sum));
        let more: Vec<_> = [("upload-length", "0")].into_iter().chain(checksum).collect();
        for _ in 0..2 {
            let answer = patch(&she, &upload, 0, b"", &more).await;
            assert_eq!(code(answer).await, (422, "empty".into()), "{checksum:?}");
        }
        assert_eq!(app.version(&upload.clip).await.0, "abandoned");
        let withdrawn = app.count("select count(*) from clips where state = 'withdrawn'").await;
        assert_eq!(withdrawn, n, "no draft of nothing stays");
    }
    let upload = deferred(&she).await;
    assert_eq!(patch(&she, &upload, 0, b"hello", &[]).await.status(), 204);
    let answer = patch(&she, &upload, 5, b"", &[("upload-length", "5")]).await;
    assert_eq!(code(answer).await, (422, "not_a_video".into()), "five bytes decide when no more will come");
}

#[tokio::test]
async fn all_there_in_pieces_is_finished_by_whoever_comes_next() {
    for next in ["HEAD", "PATCH", "the sweep"] {
        let app = App::start().await;
        let she = app.trainee("13800000001").await;
        let (upload, film) = (deferred(&she).await, film(900));
        assert_eq!(patch(&she, &upload, 0, &film, &[]).await.status(), 204);
        app.s3.fail("PutObject originals/", ALWAYS, Fault::Refuse);
        assert_eq!(patch(&she, &upload, 900, b"", &[("upload-length", "900")]).await.status(), 503);
        assert_eq!(app.version(&upload.clip).await.0, "uploading");
        app.s3.heal();
        match next {
            "HEAD" => assert_eq!(she.offset(&upload).await, 900),
            "PATCH" => assert_eq!(patch(&she, &upload, 900, b"", &[]).await.status(), 204),
            _ => assert_eq!(app.uploads.reconcile(At::now(), Millis(0)).await.unwrap().finished, 1),
        }
        assert_eq!(app.version(&upload.clip).await.0, "received", "{next}");
        assert_eq!(app.s3.only("originals/").await, film);
    }
}

#[tokio::test]
async fn an_unfinished_upload_says_when_it_expires() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (answer, film) = (she.post(100, &[]).await, film(100));
    let upload = upload(&answer);
    let half = patch(&she, &upload, 0, &film[..50], &[]).await;
    let wrong = patch(&she, &upload, 0, &film[..50], &[]).await;
    assert_eq!(wrong.status(), 409);
    for answer in [answer, half, she.head(&upload).await, wrong] {
        let said = answer.headers()["upload-expires"].to_str().unwrap().to_owned();
        let days: Vec<_> = (6..=8).map(|n| (At::now() + Millis::days(n)).http_date()[..16].to_owned()).collect();
        assert!(said.ends_with(" GMT") && days.contains(&said[..16].to_owned()), "{said}");
    }
    let last = patch(&she, &upload, 50, &film[50..], &[]).await;
    assert_eq!(last.status(), 204);
    for answer in [last, she.head(&upload).await] {
        assert!(!answer.headers().contains_key("upload-expires"), "what is complete stays");
    }
}

#[tokio::test]
async fn a_creation_asked_for_again_is_the_same_upload() {
    let app = App::start().await;
    let (she, other) = (app.trainee("13800000001").await, app.trainee("13800000002").await);
    let film = film(100);
    let metadata = ("upload-metadata", "filename 5p2R5Y+jLm1wNA==");
    let key = ("idempotency-key", "draft-1");
    // All at once, as a client that lost its patience would.
    let asked = futures_util::future::join_all((0..8).map(async |_| she.post(100, &[metadata, key]).await)).await;
    let mut paths: Vec<_> = asked.iter().map(|answer| upload(answer).path).collect();
    paths.dedup();
    assert_eq!((paths.len(), app.count("select count(*) from clips").await), (1, 1));
    let first = upload(&asked[0]);
    assert_eq!(patch(&she, &first, 0, &film[..40], &[]).await.status(), 204);
    let again = she.post(100, &[metadata, key]).await;
    assert_eq!((upload_offset(&again), upload(&again).path), (40, first.path.clone()));
    let with_bytes = she.request(Method::POST, UPLOADS).header("upload-length", 100).header("content-type", STREAM);
    let with_bytes = with_bytes.header(metadata.0, metadata.1).header(key.0, key.1).body(film.clone()).send().await;
    assert_eq!(upload_offset(&with_bytes.unwrap()), 40, "the bytes it brings are not the next ones");
    assert_eq!(patch(&she, &first, 40, &film[40..], &[]).await.status(), 204);
    assert_eq!(upload_offset(&she.post(100, &[metadata, key]).await), 100);

    assert_eq!(code(she.post(101, &[metadata, key]).await).await, (422, "idempotency_key_reused".into()));
    assert_eq!(code(she.post(100, &[key]).await).await, (422, "idempotency_key_reused".into()));
    assert_ne!(upload(&other.post(100, &[metadata, key]).await).path, first.path, "every person has her own");
    let second = upload(&she.post(100, &[metadata, ("idempotency-key", "draft-2")]).await);
    assert_eq!(she.request(Method::DELETE, &second.path).send().await.unwrap().status(), 204);
    let third = upload(&she.post(100, &[metadata, ("idempotency-key", "draft-2")]).await);
    assert_ne!(third.path, second.path);
    // Its time is over, and nobody has swept it yet.
    app.run("update uploads set expires_at = 1 where state = 'open'").await;
    assert_eq!(she.head(&third).await.status(), 410);
    let fourth = upload(&she.post(100, &[metadata, ("idempotency-key", "draft-2")]).await);
    assert_ne!(fourth.path, third.path);
    assert_eq!(she.head(&fourth).await.status(), 200);
}
