use serde_json::{Value, json};
use weijia_core::growth::{self, Figures, NewAccount, NewSnapshot, Platform};
use weijia_core::ids::SnapshotId;
use weijia_core::review::Outcome;
use weijia_core::review::testing::reviewed;
use weijia_core::time::{At, Day};

use crate::testing::School;

async fn read(school: &School, originals: i64) {
    let today = Day::from(At::now().china_date());
    let figures = Figures {
        followers: Some(260),
        views: Some(6200),
        originals: Some(originals),
        active_weeks: Some(9),
        service: Some(14),
        ..Figures::default()
    };
    let mut tx = school.db.write().await.unwrap();
    let (owner, opened_on) = (&school.room.trainee, today.plus_days(-150));
    let new = NewAccount { owner, platform: Platform::Douyin, handle: "里耶比耳村", opened_on };
    let account = growth::add_account(&mut tx, At::now(), new).await.unwrap();
    let id = SnapshotId::new();
    let new = NewSnapshot {
        id: &id,
        account: &account.id,
        as_of_on: today,
        window_days: 90,
        figures,
        evidence_key: "evidence/x",
        evidence_type: "image/png",
        evidence_sha256: "aa",
        entered_by: &school.room.staff,
    };
    growth::record(&mut tx, At::now(), new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn graduate(originals: i64) -> School {
    let school = School::open().await;
    reviewed(&school.db, &school.room, "A1", 4, Outcome::Pass).await;
    read(&school, originals).await;
    school
}

fn criterion<'a>(evaluation: &'a Value, level: usize, code: &str) -> &'a Value {
    let criteria = evaluation["levels"][level - 1]["criteria"].as_array().unwrap();
    criteria.iter().find(|c| c["code"] == code).unwrap()
}

#[tokio::test]
async fn from_numbers_to_a_certificate_that_anybody_verifies() {
    let school = graduate(11).await;
    let room = &school.room;
    let path = format!("/trainees/{}", room.trainee);
    let before = school.get(&room.trainee, "/stars/mine").await.ok(200);
    assert_eq!(before["sentence"], "一星的样样都够了，等评星的同志看过就给你。");
    assert_eq!(
        (before["level"].as_i64(), before["evaluated_at"].is_null(), before["award"].is_null()),
        (Some(0), true, true)
    );

    let evaluation = school.act(&room.staff, &format!("{path}/star-evaluation")).await.ok(200);
    assert_eq!((evaluation["current_level"].as_i64(), evaluation["reachable_level"].as_i64()), (Some(0), Some(1)));
    assert_eq!(evaluation["input_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(criterion(&evaluation, 1, "originals")["words"], "够了");
    assert!(criterion(&evaluation, 3, "lives")["have"].is_null());
    assert_eq!(evaluation["score"]["blocks"].as_array().unwrap().len(), 6);

    let ask = json!({"evaluation_id": evaluation["id"], "level": 1});
    let award = school.post(&room.staff, &format!("{path}/stars"), ask.clone()).await.ok(200);
    assert_eq!(award["title"], "一星");
    let again = school.post(&room.staff, &format!("{path}/stars"), ask).await.ok(200);
    assert_eq!(award["certificate_number"], again["certificate_number"]);

    let number = award["certificate_number"].as_str().unwrap();
    let public = format!("/api/v1/certificates/{number}");
    let shown = school.ask(None, axum::http::Method::GET, &public, None).await.ok(200);
    assert_eq!((shown["status"].as_str(), shown["masked_name"].as_str()), (Some("valid"), Some("向*桃")));
    assert_eq!((shown["county"].as_str(), shown["title"].as_str()), (Some("龙山县"), Some("一星网上妇女微家")));
    let text = shown.to_string();
    for secret in ["向春桃", "比耳村", "138", room.trainee.as_str()] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    let mine = school.get(&room.trainee, "/stars/mine").await.ok(200);
    assert_eq!((mine["level"].as_i64(), mine["title"].as_str()), (Some(1), Some("一星")));
    assert_eq!(mine["award"]["certificate_number"].as_str(), Some(number));
    assert!(mine["sentence"].as_str().unwrap().starts_with("离二星还差"));
    assert!(mine["next"]["criteria"][0]["met"] == false && mine["evaluated_at"].is_i64());
    let progress = school.get(&room.staff, &format!("/cohorts/{}/progress", room.cohort)).await.ok(200);
    assert_eq!(progress["trainees"][0]["star_level"], 1);
    let candidates = school.get(&room.staff, "/stars/candidates").await.ok(200);
    assert_eq!(
        (candidates["candidates"][0]["level"].as_i64(), candidates["candidates"][0]["next_level"].as_i64()),
        (Some(1), Some(2))
    );
}

#[tokio::test]
async fn a_star_is_given_only_on_numbers_that_still_stand() {
    let school = graduate(11).await;
    let room = &school.room;
    let path = format!("/trainees/{}", room.trainee);
    let evaluation = school.act(&room.staff, &format!("{path}/star-evaluation")).await.ok(200);
    read(&school, 3).await;
    let ask = json!({"evaluation_id": evaluation["id"], "level": 1});
    assert_eq!(school.post(&room.staff, &format!("{path}/stars"), ask).await.code(409), "evaluation_stale");
    let evaluation = school.act(&room.staff, &format!("{path}/star-evaluation")).await.ok(200);
    assert_eq!(criterion(&evaluation, 1, "originals")["words"], "差 5 条");
    let ask = |level: i64| json!({"evaluation_id": evaluation["id"], "level": level});
    assert_eq!(school.post(&room.staff, &format!("{path}/stars"), ask(1)).await.code(422), "star_not_met");
    assert_eq!(school.post(&room.staff, &format!("{path}/stars"), ask(4)).await.code(422), "star_tier");
    let mine = school.get(&room.trainee, "/stars/mine").await.ok(200);
    assert_eq!(mine["sentence"], "离一星还差一样，再发 5 条就少一样。");
    let candidates = school.get(&room.mentor, &format!("/stars/candidates?cohort={}", room.cohort)).await.ok(200);
    assert_eq!(candidates["candidates"][0]["missing"], 1);
}

#[tokio::test]
async fn stars_are_the_desks_to_give_and_hers_to_see() {
    let school = graduate(11).await;
    let room = &school.room;
    let path = format!("/trainees/{}", room.trainee);
    let evaluation = school.act(&room.staff, &format!("{path}/star-evaluation")).await.ok(200);
    let ask = json!({"evaluation_id": evaluation["id"], "level": 1});
    for who in [&room.mentor, &room.trainee, &room.stranger] {
        assert_eq!(school.act(who, &format!("{path}/star-evaluation")).await.code(404), "not_found");
        assert_eq!(school.post(who, &format!("{path}/stars"), ask.clone()).await.code(404), "not_found");
    }
    // Not even a desk gives one to itself, or one on somebody else's numbers.
    assert_eq!(
        school.act(&room.staff, &format!("/trainees/{}/star-evaluation", room.staff)).await.code(404),
        "not_found"
    );
    let hers = format!("/trainees/{}/stars", room.stranger);
    assert_eq!(school.post(&room.staff, &hers, ask).await.code(404), "not_found");
    for who in [&room.trainee, &room.stranger] {
        let path = format!("/stars/candidates?cohort={}", room.cohort);
        assert_eq!(school.get(who, &path).await.code(404), "not_found");
        assert_eq!(school.get(who, "/stars/candidates").await.ok(200), json!({"candidates": []}));
    }
    let nothing = school.get(&room.stranger, "/stars/mine").await.ok(200);
    assert!(nothing["next"]["criteria"].as_array().unwrap().iter().all(|c| c["met"] == false));
}
