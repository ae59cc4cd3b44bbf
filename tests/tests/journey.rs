//! The whole path, on both databases: she uploads, he answers on the second, she tries again, the desk sees it and awards.

use std::time::Duration;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use weijia_tests::tus::About;
use weijia_tests::user::{item, ticket_of};
use weijia_tests::{Database, TestServer, User, media, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_path_on_sqlite() {
    whole_path(TestServer::start_on(Database::Sqlite).await.expect("SQLite is always there")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_path_on_postgres() {
    if let Some(server) = TestServer::start_on(Database::Postgres).await {
        whole_path(server).await;
    }
}

async fn whole_path(server: TestServer) {
    let mentor = server.sign_in("mentor", 0).await;
    let desk = server.sign_in("staff", 0).await;
    let (trainee, _) = server.newcomer().await;
    let cohort = trainee.me["cohorts"][0]["id"].as_str().expect("her cohort").to_owned();

    // She learns, and the course remembers.
    let course = trainee.get("/course").await;
    let lesson = course["modules"][0]["lessons"][0]["code"].as_str().expect("a lesson").to_owned();
    let done = course["lessons_done"].as_i64().unwrap();
    let course = trainee.post(&format!("/lessons/{lesson}/complete"), json!({"cohort": cohort})).await;
    assert_eq!(course["lessons_done"], done + 1);

    // She uploads; it plays before anyone has looked at it.
    let file = media::portrait(4);
    let about = About { assignment: "A1".into(), ..About::file(&file, "我是谁，我们村") };
    let first = trainee.upload(&file, &about).await;
    let clip = first.clip.as_str();
    let playable = trainee.wait_playable(clip).await;
    assert_eq!((playable["version_n"].as_i64(), playable["state"].as_str()), (Some(1), Some("draft")));
    plays(&trainee, &playable).await;
    let ready = trainee.wait_ready(clip).await;
    upright(&trainee, &ready).await;

    // Nobody else may look before she hands it in; afterwards her mentor may, and other trainees still not.
    let other = server.sign_in("trainee", 5).await;
    assert_ne!(other.id(), trainee.id());
    hidden(&other, clip).await;
    let submitted = trainee.submit(clip, "A1").await;
    assert_eq!(submitted["state"], "submitted");
    hidden(&other, clip).await;
    assert_eq!(progress(&desk, &cohort, &trainee, "A1").await["state"], "submitted");

    // The mentor takes it, and opening it scores nothing.
    let review = mentor.claim(clip).await;
    assert_eq!(review["ticket"]["mine"], true);
    assert!(review["draft"]["scores"].as_object().unwrap().values().all(Value::is_null), "{}", review["draft"]);
    assert_eq!(trainee.clip(clip).await["state"], "reviewing");

    // Nothing leaves the desk without a praise.
    let draft = mentor.save_draft(&review, |d| d["items"] = json!([item("fix", 1000, "开头再快一点")])).await;
    let send = format!("/review/tickets/{}/send", ticket_of(&review));
    let (status, why) =
        mentor.refused(Method::POST, &send, Some(json!({"rev": draft["rev"], "outcome": "return"}))).await;
    assert_eq!((status.as_u16(), why["code"].as_str()), (422, Some("review_incomplete")), "{why}");

    // A praise first, then what to fix, each at its second. An older page of the same desk can't overwrite it.
    let again = mentor.get(&format!("/review/tickets/{}", ticket_of(&review))).await;
    let draft = mentor
        .save_draft(&again, |d| {
            d["items"] = json!([item("praise", 500, "笑得真自然"), item("fix", 2000, "这里声音小了，离手机近一点")]);
            d["summary"] = json!("讲得明白，听得出是自己村。");
            d["next_step"] = json!("离手机近一点，再拍一条。");
            fill(d, &again, 3);
        })
        .await;
    let stale = format!("/review/tickets/{}/draft", ticket_of(&review));
    let mut old = again["draft"].clone();
    old.as_object_mut().unwrap().remove("review_id");
    let (status, _) = mentor.refused(Method::PUT, &stale, Some(old)).await;
    assert_eq!(status.as_u16(), 409);
    mentor.send_review(&again, &draft, "return").await;

    // She sees it, at that second, and answers.
    let returned = trainee.clip(clip).await;
    assert_eq!(returned["state"], "returned");
    let reviews = trainee.feedback(clip).await;
    assert_eq!((reviews.len(), reviews[0]["mentor"].as_str()), (1, Some(mentor.name())));
    let fix = reviews[0]["items"].as_array().unwrap().iter().find(|i| i["kind"] == "fix").expect("the fix").clone();
    assert_eq!((fix["t_start_ms"].as_i64(), fix["state"].as_str()), (Some(2000), Some("sent")));
    let fix_id = fix["id"].as_str().unwrap();
    let heard = trainee.post(&format!("/feedback/{fix_id}/heard"), json!({})).await;
    assert_eq!(heard["state"], "heard");
    let replied = trainee.post(&format!("/feedback/{fix_id}/replies"), json!({"body": "好，我下午再拍。"})).await;
    assert_eq!(replied["replies"][0]["body"], "好，我下午再拍。");
    assert_eq!(replied["replies"][0]["mine"], true);

    // A second version of the same clip; the mentor finds his open point beside it and settles it.
    let second = media::portrait(5);
    let about = About { clip: clip.into(), ..About::file(&second, "") };
    let newer = trainee.upload(&second, &about).await;
    assert_eq!(newer.clip, clip);
    assert_ne!(newer.version, first.version);
    let ready = trainee.wait_ready(clip).await;
    assert_eq!((ready["version_n"].as_i64(), ready["versions"].as_array().unwrap().len()), (Some(2), 2));
    trainee.submit(clip, "A1").await;
    let review = mentor.claim(clip).await;
    let earlier = &review["earlier"][0];
    assert!(
        earlier["items"].as_array().unwrap().iter().any(|i| i["id"] == fix_id),
        "the open point is there: {earlier}"
    );
    let draft = mentor
        .save_draft(&review, |d| {
            d["items"] = json!([item("praise", 1500, "声音清楚多了")]);
            d["summary"] = json!("改得好。");
            d["next_step"] = json!("照这样拍下一条。");
            d["settled"] = json!([{"item_id": fix_id, "verdict": "verified"}]);
            fill(d, &review, 4);
        })
        .await;
    mentor.send_review(&review, &draft, "pass").await;
    assert_eq!(trainee.clip(clip).await["state"], "passed");
    let settled = trainee.feedback(clip).await;
    let settled = settled.iter().flat_map(|r| r["items"].as_array().unwrap()).find(|i| i["id"] == fix_id);
    assert_eq!(settled.expect("the point")["state"], "verified");

    // The desk sees it, and every number opens its rows.
    assert_eq!(progress(&desk, &cohort, &trainee, "A1").await["state"], "passed");
    let sentence = desk.get(&format!("/cohorts/{cohort}/progress")).await["sentence"].clone();
    for which in ["waiting", "overdue", "passed"] {
        let rows = desk.get(&format!("/cohorts/{cohort}/clips?which={which}")).await;
        assert_eq!(sentence[which].as_i64(), Some(rows["clips"].as_array().unwrap().len() as i64), "{which}");
    }

    numbers(&desk, &trainee).await;
    stars(&server, &desk, &cohort, &trainee).await;
    server.end().await;
}

async fn hidden(user: &User, clip: &str) {
    let (status, _) = user.refused(Method::GET, &format!("/clips/{clip}"), None).await;
    assert_eq!(status.as_u16(), 404);
}

/// Scores and gates, as a mentor who looked at everything sets them.
fn fill(draft: &mut Value, desk: &Value, level: i64) {
    for dim in desk["rubric"]["dims"].as_array().expect("dimensions") {
        draft["scores"][dim["code"].as_str().unwrap()] = json!(level);
    }
    for gate in desk["rubric"]["gates"].as_array().expect("gates") {
        draft["gates"][gate["code"].as_str().unwrap()] = json!(true);
    }
}

async fn progress(desk: &User, cohort: &str, trainee: &User, assignment: &str) -> Value {
    let page = desk.get(&format!("/cohorts/{cohort}/progress")).await;
    let rows = page["trainees"].as_array().expect("trainees");
    let row = rows.iter().find(|t| t["person"]["id"] == trainee.id()).expect("her row");
    row["marks"][assignment].clone()
}

/// What the player would ask for: the page's address of the video answers, in pieces too.
async fn plays(user: &User, clip: &Value) {
    let media = &clip["media"];
    if let Some(mp4) = media["mp4"].as_str() {
        let answer = user.request(Method::GET, mp4).header("Range", "bytes=4-7").send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 206);
        assert_eq!(&answer.bytes().await.unwrap()[..], b"ftyp");
    } else {
        let (master, _) = user.fetch(media["hls"].as_str().expect("something to play")).await;
        assert!(master.starts_with(b"#EXTM3U"));
    }
}

/// Every rendition stands upright and is whole: each segment that its playlist names can be fetched.
async fn upright(user: &User, clip: &Value) {
    let media = &clip["media"];
    assert!(media["width"].as_i64() < media["height"].as_i64(), "{media}");
    let master_path = media["hls"].as_str().expect("a master playlist");
    let (master, kind) = user.fetch(master_path).await;
    assert!(kind.starts_with("application/vnd.apple.mpegurl"), "{kind}");
    let master_url = reqwest::Url::parse(&user.base).unwrap().join(master_path).unwrap();
    let master = String::from_utf8(master).expect("text");
    let names: Vec<&str> = master.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    assert!(!names.is_empty(), "{master}");
    for name in names {
        let url = master_url.join(name).unwrap();
        let playlist = String::from_utf8(user.fetch(url.as_str()).await.0).expect("text");
        assert!(playlist.contains("#EXT-X-ENDLIST"), "{playlist}");
        let init = playlist.lines().find_map(|l| l.strip_prefix("#EXT-X-MAP:URI=\"")).expect("an init segment");
        assert_eq!(&user.fetch(url.join(init.trim_end_matches('"')).unwrap().as_str()).await.0[4..8], b"ftyp");
        for segment in playlist.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
            assert!(user.fetch(url.join(segment).unwrap().as_str()).await.0.len() > 100);
        }
    }
    let (poster, kind) = user.fetch(media["poster"].as_str().expect("a poster")).await;
    assert_eq!((kind.as_str(), &poster[..2]), ("image/jpeg", &[0xff, 0xd8][..]));
    let (vtt, _) = user.fetch(media["storyboard_vtt"].as_str().expect("a storyboard")).await;
    assert!(vtt.starts_with(b"WEBVTT"));
}

/// Numbers of an account, by hand and with a picture that proves them: missing is not zero.
async fn numbers(desk: &User, trainee: &User) {
    let id = trainee.id();
    let account = json!({"platform": "kuaishou", "handle": "cunkou", "opened_on": "2025-05-01"});
    let account = desk.post(&format!("/trainees/{id}/accounts"), account).await;
    let path = format!("/api/v1/accounts/{}/snapshots", account["id"].as_str().expect("an account"));
    let today = desk.get(&format!("/trainees/{id}/growth")).await;
    assert_eq!(today["accounts"][0]["snapshots"], json!([]));
    let form = || Form::new().text("as_of_on", "2025-09-01").text("window_days", "90").text("followers", "1234");
    let bare = desk.request(Method::POST, &path).multipart(form()).send().await.unwrap();
    assert!(bare.status().is_client_error(), "no evidence, no number: {}", bare.status());
    let screen = std::fs::read(media::screenshot()).unwrap();
    let picture = Part::bytes(screen.clone()).file_name("screen.png").mime_str("image/png").unwrap();
    let answer = desk.request(Method::POST, &path).multipart(form().part("evidence", picture)).send().await.unwrap();
    let (status, snapshot): (_, Value) = (answer.status(), answer.json().await.unwrap());
    assert!(status.is_success(), "{status} {snapshot}");
    assert_eq!((snapshot["followers"].as_i64(), snapshot["views"].is_null()), (Some(1234), true));
    assert_eq!(desk.fetch(snapshot["evidence"].as_str().unwrap()).await.0, screen);
    let growth = desk.get(&format!("/trainees/{id}/growth")).await;
    assert_eq!(growth["accounts"][0]["snapshots"].as_array().unwrap().len(), 1);
}

/// The graduate that the demo prepared is awarded on evidence, and a stranger can verify her certificate.
async fn stars(server: &TestServer, desk: &User, cohort: &str, trainee: &User) {
    // Each criterion explains itself, and a level that isn't reached isn't awarded.
    let far = desk.post(&format!("/trainees/{}/star-evaluation", trainee.id()), json!({})).await;
    let reachable = far["reachable_level"].as_i64().expect("a level");
    let path = format!("/trainees/{}/stars", trainee.id());
    desk.refused(Method::POST, &path, Some(json!({"evaluation_id": far["id"], "level": reachable + 1}))).await;
    let criteria = far["levels"][0]["criteria"].as_array().expect("criteria");
    assert!(criteria.iter().all(|c| !c["words"].as_str().unwrap().is_empty()), "{far}");
    let mine = trainee.get("/stars/mine").await;
    assert!(mine["level"] == 0 && !mine["sentence"].as_str().unwrap().is_empty(), "{mine}");

    let candidates = desk.get(&format!("/stars/candidates?cohort={cohort}")).await;
    let candidates = candidates["candidates"].as_array().expect("candidates");
    let graduate = candidates.iter().find(|c| c["missing"] == 0 && c["level"] == 0);
    let graduate = &graduate.unwrap_or_else(|| panic!("no graduate who has enough: {candidates:?}"))["person"];
    let id = graduate["id"].as_str().unwrap();
    let evaluation = graduate_again(desk, id).await;
    let award =
        desk.post(&format!("/trainees/{id}/stars"), json!({"evaluation_id": evaluation["id"], "level": 1})).await;
    let number = award["certificate_number"].as_str().expect("a certificate");

    let stranger = User::stranger(&server.base);
    let seen = stranger.get(&format!("/certificates/{number}")).await;
    assert_eq!((seen["status"].as_str(), seen["level"].as_i64()), (Some("valid"), Some(1)));
    let masked = seen["masked_name"].as_str().unwrap();
    assert!(masked.contains('*') && masked != graduate["name"], "{masked}");
    let (status, _) = stranger.refused(Method::GET, "/certificates/none", None).await;
    assert_eq!(status.as_u16(), 404);
}

async fn graduate_again(desk: &User, id: &str) -> Value {
    let path = format!("/trainees/{id}/star-evaluation");
    let evaluation = desk.post(&path, json!({})).await;
    let repeated = desk.post(&path, json!({})).await;
    assert_eq!(evaluation["input_sha256"], repeated["input_sha256"], "the same evidence gives the same evaluation");
    assert!(evaluation["reachable_level"].as_i64() >= Some(1), "{evaluation}");
    evaluation
}

/// What a second mentor sees while the first one holds a clip: that it is taken, and no way to take it too.
#[tokio::test(flavor = "multi_thread")]
async fn one_clip_has_one_mentor_at_a_time() {
    let server = TestServer::start().await;
    let (first, second) = (server.sign_in("mentor", 0).await, server.sign_in("mentor", 1).await);
    let (trainee, _) = server.newcomer().await;
    let file = media::portrait(4);
    let clip = trainee.upload(&file, &About::file(&file, "抢一条")).await.clip;
    trainee.wait_playable(&clip).await;
    trainee.submit(&clip, "A1").await;

    let desk = first.claim(&clip).await;
    let claim = format!("/review/tickets/{}/claim", ticket_of(&desk));
    let (status, _) = second.refused(Method::POST, &claim, Some(json!({}))).await;
    assert_eq!(status.as_u16(), 409);
    first.post(&format!("/review/tickets/{}/release", ticket_of(&desk)), json!({})).await;
    until("the released clip to be free", Duration::from_secs(5), || async {
        let (status, seen) = second.try_call(Method::POST, &claim[..], Some(json!({}))).await?;
        if status.is_success() { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
    server.end().await;
}
