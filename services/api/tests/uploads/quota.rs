//! How much a person may send, and what the disk leaves: refused before the first byte where that can be known, told
//! with the real numbers, and nothing acknowledged is lost.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::support::{App, MIB, Trainee, film, quiet, sha256, upload_offset};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use weijia_api::upload::{Limits, Room};
use weijia_core::db::testing::folder;
use weijia_core::upload::quota::Quota;

const MB: i64 = 1_000_000;

async fn refused(answer: reqwest::Response, status: u16, code: &str) -> Value {
    let got = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert_eq!((got, body["code"].as_str()), (status, Some(code)), "{body}");
    assert!(body["message"].as_str().unwrap().ends_with('。') && body["next_step"].as_str().unwrap().ends_with('。'));
    body
}

async fn allowance(she: &Trainee<'_>, bytes: i64) -> Value {
    let path = format!("/api/v1/uploads/allowance?bytes={bytes}");
    let answer = she.bare(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn what_is_too_much_is_refused_before_the_first_byte_and_can_be_known_before() {
    let quota = Quota { per_file: 10 * MB, per_day: 15 * MB, per_person: 18 * MB };
    let app = App::with(Limits { quota, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let fresh = allowance(&she, 10 * MB).await;
    assert_eq!((fresh["largest"].as_i64(), &fresh["refusal"]), (Some(10 * MB), &Value::Null));
    let told = allowance(&she, 11 * MB).await;
    assert_eq!(told["refusal"]["message"], "这条有 11 MB，一条最多 10 MB。");
    refused(she.post(11 * MB as usize, &[]).await, 413, "too_big").await;

    let sent = film(9 * MB as usize);
    let upload = she.create(sent.len()).await;
    // It counts from its beginning on.
    assert_eq!(allowance(&she, 6 * MB).await["refusal"], Value::Null);
    let body = refused(she.post(7 * MB as usize, &[]).await, 422, "quota_day").await;
    assert_eq!(body["message"], "今天已经传了 9 MB，一天最多 15 MB。");
    assert_eq!(allowance(&she, 7 * MB).await["refusal"]["code"], "quota_day");
    assert_eq!(she.patch(&upload, 0, sent).await.status(), 204);
    assert_eq!(app.count("select count(*) from clips").await, 1, "what is refused leaves nothing");

    // The next day only what is kept counts, until she takes it back.
    app.run("update uploads set counts_at = counts_at - 86400000").await;
    let body = refused(she.post(10 * MB as usize, &[]).await, 422, "quota_person").await;
    assert!(body["message"].as_str().unwrap().contains("一共占了 9 MB，一个人最多放 18 MB"), "{body}");
    let left = allowance(&she, 9 * MB).await;
    assert_eq!(
        (left["largest"].as_i64(), left["kept"].as_i64(), left["used_today"].as_i64()),
        (Some(9 * MB), Some(9 * MB), Some(0))
    );
    app.run("update clips set state = 'withdrawn'").await;
    let body = refused(she.post(10 * MB as usize, &[]).await, 422, "quota_person").await;
    assert!(body["next_step"].as_str().unwrap().contains("30 天后就腾出来了"), "{body}");
    app.run("update clip_versions set original_key = null").await;
    she.create(10 * MB as usize).await;
    // Somebody else has her own.
    app.trainee("13800000002").await.create(10 * MB as usize).await;
}

#[tokio::test]
async fn what_a_creation_refuses_can_be_known_before() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    for _ in 0..50 {
        she.create(1000).await;
    }
    let body = refused(she.post(1000, &[]).await, 422, "too_many_uploads").await;
    assert!(body["message"].as_str().unwrap().contains("最多同时传 50 条"), "{body}");
    assert_eq!(allowance(&she, 1000).await["refusal"]["message"], body["message"]);
    for (query, expected) in [("?bytes=abc", 422), ("?bytes=-5", 422), ("", 200), ("?bytes=9223372036854775807", 200)] {
        let path = format!("/api/v1/uploads/allowance{query}");
        let answer = she.bare(reqwest::Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{query}");
        let body: Value = answer.json().await.unwrap();
        assert!(body["next_step"].is_string() || body["refusal"]["next_step"].is_string(), "{body}");
    }
    let huge = she.request(reqwest::Method::POST, "/api/v1/uploads").header("upload-length", i64::MAX.to_string());
    refused(huge.send().await.unwrap(), 413, "too_big").await;
}

#[tokio::test]
async fn joining_the_same_stretch_again_and_again_costs_its_bytes_each_time() {
    let quota = Quota { per_file: 10 * MB, per_day: 10 * MB, per_person: 10 * MB };
    let app = App::with(Limits { quota, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let stretch = async || {
        let answer = she.post(4 * MB as usize, &[("upload-concat", "partial")]).await;
        assert_eq!(answer.status(), 201);
        let path = answer.headers()["location"].to_str().unwrap().to_owned();
        let upload = crate::support::Upload { path, clip: String::new() };
        assert_eq!(she.patch(&upload, 0, film(4 * MB as usize)).await.status(), 204);
        upload.path
    };
    let join = async |of: String, film: &str| {
        let request = she.request(reqwest::Method::POST, "/api/v1/uploads").header("idempotency-key", film);
        request.header("upload-concat", format!("final;{of}")).send().await.unwrap()
    };
    let one = stretch().await;
    refused(join([one.as_str(); 3].join(" "), "a").await, 413, "too_big").await;
    assert_eq!(join(format!("{one} {one}"), "b").await.status(), 201, "8 MB of 10");
    let told = allowance(&she, 1).await;
    assert_eq!((told["used_today"].as_i64(), told["kept"].as_i64()), (Some(8 * MB), Some(8 * MB)));
    refused(she.post(4 * MB as usize, &[("upload-concat", "partial")]).await, 422, "quota_person").await;
    app.run("update uploads set counts_at = 0").await;
    app.run("update clip_versions set original_key = null").await;
    let one = stretch().await;
    // While the store does not take it, one film after the other waits to be joined.
    app.s3.fail("PutObject originals/", usize::MAX, crate::support::s3::Fault::Refuse);
    assert_eq!(join(one.clone(), "c").await.status(), 201);
    assert_eq!(join(one.clone(), "d").await.status(), 201);
    refused(join(one, "e").await, 422, "quota_person").await;
}

#[tokio::test]
async fn lengths_said_late_share_what_is_left() {
    let quota = Quota { per_file: 20 * MB, per_day: 30 * MB, per_person: 100 * MB };
    let app = App::with(Limits { quota, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let begin = async |_| {
        let create = she.request(reqwest::Method::POST, "/api/v1/uploads").header("upload-defer-length", "1");
        let path = create.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
        crate::support::Upload { path, clip: String::new() }
    };
    let uploads = futures_util::future::join_all((0..3).map(begin)).await;
    let bytes = film(17 * MB as usize);
    let sent = futures_util::future::join_all(uploads.iter().map(async |upload| {
        let chunks: Vec<Result<Vec<u8>, std::io::Error>> = bytes.chunks(200_000).map(|c| Ok(c.to_vec())).collect();
        // So slowly that all of them look before any of them counts.
        let slowly = futures_util::stream::unfold(chunks.into_iter(), async |mut rest| {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            Some((rest.next()?, rest))
        });
        let answer = she.patch(upload, 0, reqwest::Body::wrap_stream(slowly)).await;
        (answer.status().as_u16(), upload_offset(&answer) as i64)
    }))
    .await;
    let told = allowance(&she, 1).await;
    let counted: i64 = sent.iter().map(|(_, offset)| offset).sum();
    assert_eq!(told["used_today"].as_i64(), Some(counted), "{sent:?}");
    assert!(counted <= 30 * MB && sent.iter().all(|(status, _)| [204, 422].contains(status)), "{sent:?}");
    assert!(sent.iter().any(|(status, offset)| *status == 422 && *offset < 17 * MB), "{sent:?}");
    // What is all there may always be brought to its end, whatever else there is.
    let (at, upload) = sent
        .iter()
        .zip(&uploads)
        .map(|((_, offset), upload)| (*offset, upload))
        .max_by_key(|(offset, _)| *offset)
        .unwrap();
    she.create((30 * MB - counted) as usize).await;
    let end = she.request(reqwest::Method::PATCH, &upload.path).header("content-type", crate::support::STREAM);
    let end = end.header("upload-offset", at).header("upload-length", at).body("").send().await.unwrap();
    assert_eq!(end.status(), 204, "{}", end.text().await.unwrap());
}

/// A small disk of our own, where we may make one and the store is on it.
struct Disk(PathBuf);

impl Disk {
    fn over(folder: &Path, mib: usize) -> Option<Disk> {
        if std::env::var_os("TEST_S3_ENDPOINT").is_some() {
            eprintln!("skipped: the store is elsewhere");
            return None;
        }
        let made = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(folder)
            .output();
        let why = match made {
            Ok(made) if made.status.success() => return Some(Disk(folder.to_owned())),
            Ok(made) => String::from_utf8_lossy(&made.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        // Where `CI` is set a machine that has what this needs must do it.
        let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        let able = root && Path::new("/dev/loop-control").exists();
        assert!(!able || std::env::var_os("CI").is_none(), "CI needs a disk: {why}");
        eprintln!("skipped: no disk of our own: {why}");
        None
    }

    /// Takes so much of it away.
    fn fill(&self, mib: usize) -> PathBuf {
        let path = self.0.join("ballast");
        std::fs::write(&path, vec![1; mib * MIB]).unwrap();
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn one_that_says_its_length_late_is_judged_by_what_it_brings() {
    let quota = Quota { per_file: 10 * MB, per_day: 6 * MB, per_person: 100 * MB };
    let app = App::with(Limits { quota, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let film = film(9 * MB as usize);
    let create = she.request(reqwest::Method::POST, "/api/v1/uploads").header("upload-defer-length", "1");
    let answer = create.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let path = answer.headers()["location"].to_str().unwrap().to_owned();
    let upload = crate::support::Upload { path, clip: String::new() };
    refused(she.patch(&upload, 0, film.clone()).await, 422, "quota_day").await;
    assert_eq!(she.patch(&upload, 0, film[..MIB].to_vec()).await.status(), 204);
    // Without a length of its own a body is taken as far as it may go.
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> = film[MIB..].chunks(100_000).map(|c| Ok(c.to_vec())).collect();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let answer = she.patch(&upload, MIB, body).await;
    let reached = upload_offset(&answer) as i64;
    assert!((5 * MB..=6 * MB).contains(&reached), "{reached}");
    refused(answer, 422, "quota_day").await;
}

/// All of them say a length that fits, and are counted only when their checksums have been seen.
#[tokio::test]
async fn lengths_said_late_by_several_at_once_share_what_is_left() {
    let quota = Quota { per_file: 10 * MB, per_day: 12 * MB, per_person: 100 * MB };
    let app = App::with(Limits { quota, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let film = film(5 * MB as usize);
    let sum = format!("sha256 {}", STANDARD.encode(Sha256::digest(&film)));
    let together = std::sync::Arc::new(tokio::sync::Barrier::new(3));
    let one = async || {
        let create = she.request(reqwest::Method::POST, "/api/v1/uploads").header("upload-defer-length", "1");
        let path = create.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
        let (begin, end, together) = (film[..MIB].to_vec(), film[MIB..].to_vec(), together.clone());
        let end = async move {
            together.wait().await;
            Ok(end)
        };
        let begin = futures_util::stream::iter([Ok::<_, std::io::Error>(begin)]);
        let body = reqwest::Body::wrap_stream(begin.chain(futures_util::stream::once(end)));
        let request = she.request(reqwest::Method::PATCH, &path).header("content-type", crate::support::STREAM);
        let request = request.header("upload-offset", 0).header("upload-length", film.len());
        request.header("upload-checksum", &sum).body(body).send().await.unwrap().status().as_u16()
    };
    let (a, b, c) = tokio::join!(one(), one(), one());
    let mut statuses = [a, b, c];
    statuses.sort();
    assert_eq!(statuses, [204, 204, 422]);
}

async fn original(app: &App) -> Vec<u8> {
    let mut tx = app.db.read().await.unwrap();
    let sql = "select original_key from clip_versions";
    let key: String = weijia_core::on!(&mut tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap();
    app.s3.get(&key).await.to_vec()
}

#[tokio::test]
async fn below_the_mark_nothing_more_is_taken_and_nothing_is_lost() {
    let folder = folder();
    let Some(disk) = Disk::over(folder.path(), 96) else { return };
    let room = Room { folder: disk.0.clone(), keep_free: 40 * MIB as u64 };
    let app = App::within(folder, Limits { room: Some(room), ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let length = 30 * MIB;
    let (upload, film) = (she.create(length).await, film(length));
    assert_eq!(she.patch(&upload, 0, film[..10 * MIB].to_vec()).await.status(), 204);
    // What is on its way has its place.
    let told = allowance(&she, 40 * MIB as i64).await;
    let message = told["refusal"]["message"].as_str().unwrap();
    let room = told["largest"].as_i64().unwrap();
    assert!((20 * MIB as i64..27 * MIB as i64).contains(&room), "{room}");
    assert!(message.contains("现在最多收得下 2") && message.contains("这条有 42 MB"), "{message}");
    assert_eq!(refused(she.post(40 * MIB, &[]).await, 507, "disk_low").await["message"], message);
    she.create(room as usize - MIB).await;
    refused(she.post(8 * MIB, &[]).await, 507, "disk_low").await;
    app.run("update uploads set state = 'terminated' where length < 30 * 1024 * 1024").await;
    let ballast = disk.fill(48);
    // Nothing new, told before the first byte.
    assert_eq!(allowance(&she, 1000).await["refusal"]["code"], "disk_low");
    refused(she.post(1000, &[]).await, 507, "disk_low").await;
    // And the one in the middle waits where it is.
    let answer = she.patch(&upload, 10 * MIB, film[10 * MIB..].to_vec()).await;
    let reached = upload_offset(&answer);
    assert!(answer.headers().contains_key("retry-after"));
    assert!((10 * MIB..length).contains(&reached), "{reached}");
    let body = refused(answer, 507, "disk_low").await;
    assert!(body["message"].as_str().unwrap().contains("已经传的都在"), "{body}");
    assert_eq!(she.offset(&upload).await, reached);
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(she.patch(&upload, reached, film[reached..].to_vec()).await.status(), 204);
    assert_eq!(sha256(&original(&app).await), sha256(&film));
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let folder = folder();
    let Some(disk) = Disk::over(folder.path(), 96) else { return };
    let app = App::within(folder, quiet()).await;
    let she = app.trainee("13800000001").await;
    let length = 60 * MIB;
    let (upload, film) = (she.create(length).await, film(length));
    assert_eq!(she.patch(&upload, 0, film[..9 * MIB].to_vec()).await.status(), 204);
    let ballast = disk.fill(60);
    let answer = she.patch(&upload, 9 * MIB, film[9 * MIB..].to_vec()).await;
    assert_eq!(answer.status(), 507, "{}", answer.text().await.unwrap());
    let told: Value = answer.json().await.unwrap();
    assert!(["disk_low", "disk_full"].contains(&told["code"].as_str().unwrap()), "{told}");
    std::fs::remove_file(ballast).unwrap();
    let reached = she.offset(&upload).await;
    assert!((9 * MIB..length).contains(&reached), "what was acknowledged is there: {reached}");
    assert_eq!(she.patch(&upload, reached, film[reached..].to_vec()).await.status(), 204);
    assert_eq!(sha256(&original(&app).await), sha256(&film));
}
