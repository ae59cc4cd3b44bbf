//! The same in a real browser: `tests/browser/journey.test.mjs` is the journey, `upload.test.mjs` what goes wrong with an
//! upload on its way, `captions.test.mjs` the words under the picture, `hints.test.mjs` what is said about filming, `join.test.mjs` a class
//! that comes in, `fix.test.mjs` a fix beside its before, `playing.test.mjs` every rendition to its end. They drive Chromium; this starts what they need, and looks
//! at what came of it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use weijia_tests::browser::{chromium, run};
use weijia_tests::tus::About;
use weijia_tests::user::{item, ticket_of};
use weijia_tests::{TestServer, media};

/// What the browser sends on the way to which everything goes wrong, each by a title of its own.
const SENT: [&str; 13] = [
    "浏览器被杀",
    "没存下",
    "飞行模式",
    "爱攒着的代理",
    "代理只收小的",
    "要登录的网",
    "再发一次",
    "头一条",
    "第二条",
    "等网",
    "头一回",
    "又一回",
    "服务器断电",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_journey_in_a_browser() {
    let Some(browser) = chromium() else { return };
    let server = TestServer::start().await;
    let people = json!({
        "trainee": server.newcomer().await.1,
        "mentor": person(&server, "mentor"),
        "staff": person(&server, "staff"),
    });
    let clip = media::portrait(8).display().to_string();
    let script = run(&browser, "journey.test.mjs", &server, &people, &[("WEIJIA_CLIP", clip)]);
    assert!(script.await.unwrap().success(), "the browser's journey failed; its report is above");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_from_a_phone_arrive_whole_and_once_whatever_happens() {
    let Some(browser) = chromium() else { return };
    let mut server = TestServer::start().await;
    let all = server.ready["people"].as_array().expect("the demo's people");
    let people = json!({"trainees": all.iter().filter(|p| p["role"] == "trainee").collect::<Vec<_>>()});
    let (heavy, other) = (media::heavy(4), media::heavy(3));
    // Whoever connects to this has the server killed and started again, and reads to the end to know when it is done.
    let control = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let given = [
        ("WEIJIA_HEAVY", heavy.display().to_string()),
        ("WEIJIA_FILMS", json!(media::films().into_iter().collect::<std::collections::BTreeMap<_, _>>()).to_string()),
        ("WEIJIA_OTHER", other.display().to_string()),
        ("WEIJIA_NOT_A_VIDEO", not_a_video().display().to_string()),
        ("WEIJIA_CONTROL", control.local_addr().unwrap().port().to_string()),
    ];
    let mut script = run(&browser, "upload.test.mjs", &server, &people, &given);
    let status = loop {
        tokio::select! {
            status = &mut script => break status.unwrap(),
            Ok((_until_dropped, _)) = control.accept() => {
                server.kill();
                server.restart();
            }
        }
    };
    assert!(status.success(), "uploads in the browser failed; their report is above");
    for title in SENT {
        let arrived = "select count(*) from clip_versions v join clips c on c.id = v.clip_id
                       where c.title = $1 and v.state in ('received', 'processing', 'ready')";
        assert_eq!(server.count(arrived, title).await, 1, "{title} arrived");
    }
    let right = "select count(*) from uploads where state = 'complete' and root_sha256 = $1";
    let counted = [server.count(right, &root(&heavy)).await, server.count(right, &root(&other)).await];
    assert_eq!(counted, [SENT.len() as i64 - 1, 1], "what arrived is what was sent");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_under_the_picture_at_their_time() {
    let Some(browser) = chromium() else { return };
    let server = TestServer::start().await;
    let people = json!({ "trainee": server.newcomer().await.1 });
    let file = |name: &str, text: &str| {
        let path = std::env::temp_dir().join(format!("weijia-{}-{name}.srt", std::process::id()));
        std::fs::write(&path, text).expect("room for a text");
        path.display().to_string()
    };
    let given = [
        ("WEIJIA_CLIP", media::captioned(4).display().to_string()),
        ("WEIJIA_SRT", file("good", "1\n00:00:00,500 --> 00:00:01,200\n我是谁\n")),
        ("WEIJIA_BAD_SRT", file("bad", "1\n00:00:0o,500 --> 00:00:01,200\n我是谁\n")),
    ];
    let script = run(&browser, "captions.test.mjs", &server, &people, &given);
    assert!(script.await.unwrap().success(), "captions in the browser failed; the report is above");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_machine_says_about_filming_is_as_staff_want_it() {
    let Some(browser) = chromium() else { return };
    let server = TestServer::start().await;
    let people = json!({ "trainee": server.newcomer().await.1, "staff": person(&server, "staff") });
    let [_, (_, dark), ..] = media::films();
    let given = [("WEIJIA_DARK", dark.display().to_string())];
    let script = run(&browser, "hints.test.mjs", &server, &people, &given);
    assert!(script.await.unwrap().success(), "hints in the browser failed; the report is above");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_comes_in() {
    let Some(browser) = chromium() else { return };
    let server = TestServer::start().await;
    let script = run(&browser, "join.test.mjs", &server, &json!({ "staff": person(&server, "staff") }), &[]);
    assert!(script.await.unwrap().success(), "a class did not come in; the report is above");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_is_shown_beside_its_before() {
    let Some(browser) = chromium() else { return };
    let server = TestServer::start().await;
    let mentor = server.sign_in("mentor", 0).await;
    let (trainee, person_of_hers) = server.newcomer().await;
    let (first, second) = (media::portrait(4), media::portrait(6));
    let clip = trainee.upload(&first, &About::file(&first, "改给我看")).await.clip;
    trainee.wait_playable(&clip).await;
    trainee.submit(&clip, "A1").await;
    let desk = mentor.claim(&clip).await;
    let draft = mentor
        .save_draft(&desk, |d| {
            d["items"] = json!([item("praise", 500, "笑得真自然"), item("fix", 2000, "离手机近一点")]);
            d["summary"] = json!("讲得明白。");
            d["next_step"] = json!("离手机近一点，再拍一条。");
            for dim in desk["rubric"]["dims"].as_array().unwrap() {
                d["scores"][dim["code"].as_str().unwrap()] = json!(3);
            }
            for gate in desk["rubric"]["gates"].as_array().unwrap() {
                d["gates"][gate["code"].as_str().unwrap()] = json!(true);
            }
        })
        .await;
    mentor.send_review(&desk, &draft, "return").await;
    trainee.upload(&second, &About { clip: clip.clone(), ..About::file(&second, "改给我看") }).await;
    trainee.wait_ready(&clip).await;
    trainee.submit(&clip, "A1").await;
    let ticket = ticket_of(&mentor.claim(&clip).await).to_owned();
    let people = json!({"trainee": person_of_hers, "mentor": person(&server, "mentor")});
    let given = [("WEIJIA_CLIP", clip), ("WEIJIA_TICKET", ticket)];
    let script = run(&browser, "fix.test.mjs", &server, &people, &given);
    assert!(script.await.unwrap().success(), "a fix was not shown beside its before; the report is above");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rendition_plays_to_its_end() {
    let Some(browser) = chromium() else { return };
    let server = TestServer::start().await;
    let (trainee, person) = server.newcomer().await;
    let [.., (_, silent), _, _] = media::films();
    let films = [
        ("its own pictures on top", media::portrait(5)),
        ("copied", media::steps()),
        ("all made anew", media::foreign(3)),
        ("ten bits and HLG", media::hlg(3)),
        ("of a browser, without a length", media::recorded(3)),
        ("silent", silent),
        ("slides of few bits, as they are", media::slides()),
    ];
    let mut clips = Vec::new();
    for (name, file) in films {
        let clip = trainee.upload(&file, &About::file(&file, name)).await.clip;
        clips.push(json!({"name": name, "id": clip}));
    }
    for clip in &clips {
        trainee.wait_ready(clip["id"].as_str().unwrap()).await;
    }
    let given = [("WEIJIA_CLIPS", json!(clips).to_string())];
    let script = run(&browser, "playing.test.mjs", &server, &json!({ "trainee": person }), &given);
    assert!(script.await.unwrap().success(), "not all of it plays in the browser; the report is above");
    server.end().await;
}

fn person(server: &TestServer, role: &str) -> Value {
    let people = server.ready["people"].as_array().expect("the demo's people");
    people.iter().find(|p| p["role"] == role).expect("someone of that role").clone()
}

/// A text that calls itself a clip.
fn not_a_video() -> PathBuf {
    let path = std::env::temp_dir().join(format!("weijia-not-a-video-{}.mp4", std::process::id()));
    std::fs::write(&path, "这不是片子。".repeat(100)).expect("room for a text");
    path
}

/// SHA-256 over the SHA-256 of each 8 MiB.
fn root(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("the clip");
    let parts = bytes.chunks(8 << 20).map(Sha256::digest);
    hex::encode(parts.fold(Sha256::new(), |root, part| root.chain_update(part)).finalize())
}
