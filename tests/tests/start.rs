//! How the server starts and ends: one line when ready, a sentence when a setting is wrong, and no hanging on.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weijia_tests::server::weijia;
use weijia_tests::tus::{About, slowly};
use weijia_tests::{TestServer, User, media, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_ready_line_says_where_and_who() {
    let mut server = TestServer::start().await;
    assert!(server.base.starts_with("http://127.0.0.1:") && !server.base.ends_with(":0"), "{}", server.base);
    let people = server.ready["people"].as_array().expect("the demo's people");
    let of = |role: &str| people.iter().filter(|p| p["role"] == role).count();
    assert_eq!((of("trainee"), of("mentor"), of("staff") >= 2), (12, 2, true), "{people:?}");
    for person in people {
        let user = server.sign_in_as(person).await;
        assert_eq!(user.me["role"], person["role"]);
        assert_eq!(user.me["name"], person["name"]);
    }
    assert_eq!(User::stranger(&server.base).get("/health").await["ok"], true);

    // The demo fills an empty database only: a second start adds nothing.
    let users = server.count("select count(*) from users where display_name <> $1", "").await;
    server.stop();
    server.restart();
    assert_eq!(server.count("select count(*) from users where display_name <> $1", "").await, users);
    server.end().await;
}

/// With an upload in full flow and a worker at work: ends within 10 s, and what was acknowledged is kept.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_within_ten_seconds() {
    let mut server = TestServer::start().await;
    let trainee = server.sign_in("trainee", 3).await;
    let file = media::foreign(6);
    let busy = trainee.upload(&file, &About::file(&file, "正在转码")).await;
    let bytes = bytes::Bytes::from(std::fs::read(media::heavy(4)).unwrap());
    let upload = trainee.create_upload(bytes.len(), &About { filename: "b.mp4".into(), ..About::default() }).await;
    let sending = {
        let (trainee, upload, bytes) = (trainee.clone(), upload.clone(), bytes.clone());
        tokio::spawn(async move { trainee.send(&upload, 0, slowly(bytes, 1_000_000)).await.is_ok() })
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    let workers = server.workers();
    let (status, took) = server.stop();
    assert!(status.success(), "{status}\n{}", server.log());
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!sending.await.unwrap(), "the upload was cut");
    for pid in workers {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "its worker is gone too");
    }

    // Two seconds at one megabyte a second: most of that was taken, and none of it is asked for again.
    server.restart();
    let kept = trainee.upload_offset(&upload).await.expect("the upload is known");
    assert!(kept > 500_000, "kept {kept} bytes of about two million");
    trainee.resume(&upload, &bytes).await;
    trainee.wait_playable(&upload.clip).await;
    trainee.wait_ready(&busy.clip).await;
    server.end().await;
}

/// The worker dies and is there again; nobody has to notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_worker_is_started_again() {
    let server = TestServer::start().await;
    let before = until_worker(&server, &[]).await;
    weijia_tests::server::signal(before, libc::SIGKILL);
    until_worker(&server, &[before]).await;
    server.end().await;
}

async fn until_worker(server: &TestServer, not: &[i32]) -> i32 {
    until("a worker", Duration::from_secs(20), || async {
        server.workers().into_iter().find(|pid| !not.contains(pid)).ok_or_else(|| "none".to_owned())
    })
    .await
}

/// Each wrong setting stops the start with a sentence that names it.
#[test]
fn a_wrong_setting_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for (setting, value) in [
        ("WEIJIA_LISTEN", "nowhere"),
        ("WEIJIA_LISTEN", &taken),
        ("WEIJIA_PUBLIC_URL", "not a url"),
        ("WEIJIA_DATA", file),
        ("DATABASE_URL", "mysql://somewhere"),
        ("DATABASE_URL", "postgres://127.0.0.1:1/nothing"),
        ("S3_ADDRESSING", "sideways"),
        ("S3_ENDPOINT", "not a url"),
    ] {
        let data = folder.path().join("data");
        let mut command = weijia(&["serve"]);
        command.env("WEIJIA_DATA", &data).env("WEIJIA_LISTEN", "127.0.0.1:0");
        if setting.starts_with("S3_") {
            for (name, fine) in [("S3_ENDPOINT", "http://127.0.0.1:1"), ("S3_BUCKET", "b"), ("AWS_REGION", "r")] {
                command.env(name, fine);
            }
            command.env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s");
        }
        command.env(setting, value);
        let said = refusal(command);
        assert!(said.contains(setting), "{setting}={value} is not named in: {said}");
    }
}

/// What it says on stderr when it will not start.
fn refusal(mut command: Command) -> String {
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > Duration::from_secs(30) {
            process.kill().unwrap();
            process.wait().unwrap();
            panic!("it started, or hung, with a wrong setting: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut said = String::new();
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!status.success(), "{said}");
    said
}
