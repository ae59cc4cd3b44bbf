//! What is refused is told, whatever is still on its way; and what is not what was said leaves nothing behind.

use std::time::Duration;

use crate::support::{App, MIB, STREAM, Trainee, Upload, film, sha256, status, upload_offset};
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BIG: usize = 16 * MIB;

fn sum(bytes: &[u8]) -> String {
    format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)))
}

/// A request on a connection of its own, whose head says this.
async fn open(she: &Trainee<'_>, line: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(she.app.address).await.unwrap();
    let head = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Type: {STREAM}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

fn hers(she: &Trainee<'_>) -> String {
    format!("Cookie: {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n", she.cookie)
}

async fn chunked(she: &Trainee<'_>, line: &str, more: &str, chunks: &[&[u8]], trailer: &str) -> TcpStream {
    let headers = format!("{}Transfer-Encoding: chunked\r\n{more}", hers(she));
    let mut stream = open(she, line, &headers).await;
    for chunk in chunks {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
        stream.write_all(chunk).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stream.write_all(format!("0\r\n{trailer}\r\n").as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_is_still_sending_sees_why_not() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(BIG).await;
    let (patch, length) = (format!("PATCH {}", upload.path), format!("Content-Length: {BIG}\r\n"));
    let signed_out = hers(&she).replace(&she.cookie, "weijia=over");
    let foreign = format!("{}Origin: https://other.example\r\nSec-Fetch-Site: cross-site\r\n", hers(&she));
    let cases = [
        (patch.as_str(), signed_out, 401),
        (&patch, hers(&she).replace("1.0.0", "0.2.2"), 412),
        (&patch, foreign, 403),
        ("PUT /api/v1/uploads", hers(&she), 405),
        (&patch, hers(&she).replace("Upload-Offset: 0", "Upload-Offset: 7"), 409),
        ("PATCH /api/v1/uploads/up_00000000000000000000000000", hers(&she), 404),
        ("POST /api/v1/uploads", hers(&she), 400),
    ];
    for (line, headers, expected) in cases {
        let mut stream = open(&she, line, &format!("{headers}{length}")).await;
        for piece in film(BIG).chunks(MIB) {
            stream.write_all(piece).await.unwrap_or_else(|error| panic!("{expected}: {error}"));
        }
        assert_eq!(status(&mut stream).await, expected);
    }
}

#[tokio::test]
async fn who_asks_first_is_answered_before_sending() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(BIG).await;
    let line = format!("PATCH {}", upload.path);
    let asks = format!("{}Content-Length: {BIG}\r\nExpect: 100-continue\r\n", hers(&she));
    for (headers, expected) in [
        (asks.replace("Upload-Offset: 0", "Upload-Offset: 7"), 409),
        (asks.replace(&she.cookie, "weijia=over"), 401),
        (asks, 100),
    ] {
        assert_eq!(status(&mut open(&she, &line, &headers).await).await, expected);
    }
    // Nobody knows whether its body or another request would come behind a refusal: the connection ends.
    let signed_out = hers(&she).replace(&she.cookie, "weijia=over");
    let asks = format!("{signed_out}Content-Length: 2\r\nExpect: 100-continue\r\n\r\nHEAD {} HTTP/1.1", upload.path);
    for line in [line.as_str(), "PUT /api/v1/clips"] {
        let mut stream = open(&she, line, &asks).await;
        let mut answers = String::new();
        let reading = stream.read_to_string(&mut answers);
        let _ = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("it ends");
        let answers = answers.to_ascii_lowercase();
        assert!(answers.starts_with("http/1.1 4") && answers.contains("connection: close"), "{answers}");
        assert_eq!(answers.matches("http/1.1 ").count(), 1, "{answers}");
    }
}

#[tokio::test]
async fn a_body_longer_than_its_file_is_refused_however_it_is_cut() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(152);
    let cuts: [&[&[u8]]; 4] = [
        &[&film[..102]],
        &[&film[..100], &film[100..102]],
        &[&film[..60], &film[60..101]],
        &[&film[..99], &film[99..]],
    ];
    for chunks in cuts {
        let upload = she.create(100).await;
        let mut stream = chunked(&she, &format!("PATCH {}", upload.path), "", chunks, "").await;
        assert_eq!(status(&mut stream).await, 413);
        assert_eq!(app.version(&upload.clip).await.0, "uploading");
        assert!(she.offset(&upload).await < 100, "a cut-off film is not whole");
        let mut stream = chunked(&she, "POST /api/v1/uploads", "Upload-Length: 100\r\n", chunks, "").await;
        assert_eq!(status(&mut stream).await, 413);
    }
    assert!(app.s3.keys("originals/").await.is_empty());
    assert_eq!(app.count("select count(*) from uploads where state = 'open'").await, 4, "none by POST");
    let upload = she.create(100).await;
    let mut stream = chunked(&she, &format!("PATCH {}", upload.path), "", &[&film[..60], &film[60..100]], "").await;
    assert_eq!(status(&mut stream).await, 204);
    assert_eq!(app.version(&upload.clip).await.0, "received");
}

#[tokio::test]
async fn all_of_it_is_enough_although_the_body_never_ends() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(100).await;
    let headers = format!("{}Transfer-Encoding: chunked\r\n", hers(&she));
    let mut stream = open(&she, &format!("PATCH {}", upload.path), &headers).await;
    stream.write_all(b"64\r\n").await.unwrap();
    stream.write_all(&film(100)).await.unwrap();
    assert_eq!(status(&mut stream).await, 204);
}

#[tokio::test]
async fn a_checksum_that_nobody_announced_is_not_passed_over() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(100);
    let (right, wrong) = (sum(&film), sum(b"another body"));
    for (announced, trailer, expected) in [
        ("", format!("Upload-Checksum: {wrong}\r\n"), 400),
        ("Trailer: Upload-Checksum\r\n", format!("Upload-Checksum: {right}\r\nUpload-Checksum: {wrong}\r\n"), 400),
        ("Trailer: Upload-Checksum\r\n", format!("Upload-Checksum: {right}\r\n"), 204),
    ] {
        let upload = she.create(100).await;
        let line = format!("PATCH {}", upload.path);
        let mut stream = chunked(&she, &line, announced, &[&film], &trailer).await;
        assert_eq!(status(&mut stream).await, expected, "{trailer}");
        assert_eq!(she.offset(&upload).await, if expected == 204 { 100 } else { 0 });
    }
}

#[tokio::test]
async fn bodies_that_do_not_add_up_leave_the_disk_as_it_was() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    for length in [MIB, 20 * MIB] {
        let (upload, film) = (she.create(length).await, film(length));
        for body in [&film[..MIB], &film[..MIB / 2]] {
            let request = she.request(Method::PATCH, &upload.path).header("content-type", STREAM);
            let request = request.header("upload-offset", 0).header("upload-checksum", sum(b"another body"));
            assert_eq!(request.body(body.to_vec()).send().await.unwrap().status(), 460);
            assert!(app.s3.keys("").await.iter().all(|key| key == "store"), "{:?}", app.s3.keys("").await);
        }
    }
}

#[tokio::test]
async fn a_length_counts_only_with_the_body_that_brings_it() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let film = film(10 * MIB);
    for (before, length) in [(500, 900), (0, 900), (9 * MIB, 10 * MIB), (8 * MIB, 8 * MIB), (900, 900)] {
        let request = she.request(Method::POST, "/api/v1/uploads").header("upload-defer-length", 1);
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let upload = Upload { path: header("location"), clip: header("x-clip-id") };
        assert_eq!(she.patch(&upload, 0, film[..before].to_vec()).await.status(), 204);
        let body = &film[before..length];
        let patch = async |length: usize, sum: String| {
            let request = she.request(Method::PATCH, &upload.path).header("content-type", STREAM);
            let request = request.header("upload-offset", before).header("upload-length", length);
            request.header("upload-checksum", sum).body(body.to_vec()).send().await.unwrap()
        };
        let answer = patch(length + 1, sum(b"another body")).await;
        assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (460, before));
        let there = she.head(&upload).await;
        assert_eq!(there.headers()["upload-defer-length"], "1", "as if it had not been asked for");
        assert_eq!(patch(length, sum(body)).await.status(), 204, "{length} after {before}");
        assert_eq!(app.version(&upload.clip).await.0, "received");
        let mut tx = app.db.read().await.unwrap();
        let newest = "select original_key from clip_versions where clip_id = $1";
        let key: String =
            weijia_core::on!(&mut tx, c => sqlx::query_scalar(newest).bind(&upload.clip).fetch_one(c).await).unwrap();
        drop(tx);
        assert_eq!(sha256(&app.s3.get(&key).await), sha256(&film[..length]));
    }
}

#[tokio::test]
async fn what_is_refused_for_good_says_no_more_where_to_go_on() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(5).await;
    for body in ["hello", ""] {
        let answer = she.patch(&upload, 0, body).await;
        assert_eq!(answer.status(), 422);
        for name in ["upload-offset", "upload-expires"] {
            assert!(!answer.headers().contains_key(name), "{name}");
        }
    }
}

#[tokio::test]
async fn what_is_said_twice_is_not_guessed_and_she_is_spared_the_header() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let post = |headers: &[(&'static str, &'static str)]| {
        let request = she.request(Method::POST, "/api/v1/uploads");
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send()
    };
    for bad in [
        &[("upload-length", "5"), ("upload-length", "10")][..],
        &[("upload-length", "5"), ("tus-resumable", "0.2.2")],
        &[("upload-length", "5"), ("upload-metadata", "title YQ=="), ("upload-metadata", "title Yg==")],
        &[("upload-length", "5"), ("upload-metadata", "a,,b")],
        &[("upload-length", "5"), ("upload-metadata", "a\tb YQ==")],
    ] {
        let answer = post(bad).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["tus-resumable"]), (400, &"1.0.0".parse().unwrap()));
        let said = answer.text().await.unwrap().to_lowercase();
        assert!(said.contains("bad_upload_request") && !said.contains("upload-") && !said.contains("tus"), "{said}");
    }
    assert_eq!(post(&[("upload-length", "5"), ("upload-length", "5")]).await.unwrap().status(), 201);
    assert_eq!(app.count("select count(*) from uploads").await, 1);
}

#[tokio::test]
async fn after_an_early_answer_the_line_is_let_go_of() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let upload = she.create(BIG).await;
    let headers = format!("{}Content-Length: {BIG}\r\n", hers(&she).replace("Offset: 0", "Offset: 7"));
    let mut stream = open(&she, &format!("PATCH {}", upload.path), &headers).await;
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "nothing comes of it any more");
}
