use serde_json::json;
use weijia_core::review::Outcome;
use weijia_core::review::testing::{reviewed, version};

use crate::testing::School;

#[tokio::test]
async fn she_hears_and_answers() {
    let school = School::open().await;
    let room = &school.room;
    let clip = reviewed(&school.db, room, "A1", 4, Outcome::Return).await;
    let feedback = school.get(&room.trainee, &format!("/clips/{clip}/feedback")).await.ok(200);
    let item = feedback["reviews"][0]["items"][0]["id"].as_str().unwrap();
    assert_eq!(feedback["reviews"][0]["items"][0]["state"], "sent");
    for _ in 0..2 {
        assert_eq!(school.act(&room.trainee, &format!("/feedback/{item}/heard")).await.ok(200)["state"], "heard");
    }
    for _ in 0..2 {
        let answered =
            school.post(&room.trainee, &format!("/feedback/{item}/replies"), json!({"body": "明天再拍"})).await.ok(200);
        assert_eq!(answered["replies"].as_array().unwrap().len(), 1, "the same words twice are one answer");
        assert_eq!(
            (&answered["replies"][0]["mine"], &answered["replies"][0]["author"]),
            (&json!(true), &json!("向春桃"))
        );
    }
    assert_eq!(
        school.post(&room.trainee, &format!("/feedback/{item}/replies"), json!({"body": " "})).await.code(422),
        "bad_reply"
    );
    let seen = school.get(&room.mentor, &format!("/clips/{clip}/feedback")).await.ok(200);
    assert_eq!(seen["reviews"][0]["items"][0]["replies"][0]["mine"], false);
}

#[tokio::test]
async fn feedback_is_reached_through_its_clip_alone() {
    let school = School::open().await;
    let room = &school.room;
    let clip = reviewed(&school.db, room, "A1", 4, Outcome::Return).await;
    let path = format!("/clips/{clip}/feedback");
    let feedback = school.get(&room.trainee, &path).await.ok(200);
    let item = feedback["reviews"][0]["items"][0]["id"].as_str().unwrap();
    school.get(&room.staff, &path).await.ok(200);
    school.get(&room.stranger, &path).await.code(404);
    assert_eq!(school.act(&room.mentor, &format!("/feedback/{item}/heard")).await.code(404), "not_found");
    for who in [&room.stranger, &room.staff, &room.second_mentor] {
        assert_eq!(school.act(who, &format!("/feedback/{item}/heard")).await.code(404), "not_found");
        let reply = school.post(who, &format!("/feedback/{item}/replies"), json!({"body": "我来答"})).await;
        assert_eq!(reply.code(404), "not_found");
    }
    school.delete(&room.trainee, &format!("/clips/{clip}")).await.ok(204);
    school.get(&room.mentor, &path).await.code(404);
}

#[tokio::test]
async fn a_thread_goes_both_ways() {
    let school = School::open().await;
    let room = &school.room;
    let clip = reviewed(&school.db, room, "A1", 4, Outcome::Return).await;
    let feedback = school.get(&room.trainee, &format!("/clips/{clip}/feedback")).await.ok(200);
    let item = feedback["reviews"][0]["items"][0]["id"].as_str().unwrap();
    let path = format!("/feedback/{item}/replies");
    let asked = school.post(&room.trainee, &path, json!({"body": "没听懂，再说说"})).await.ok(200);
    assert_eq!(asked["state"], "heard");
    let answered = school.post(&room.mentor, &path, json!({"body": "手机拿近一尺"})).await.ok(200);
    assert_eq!((&answered["state"], answered["replies"].as_array().unwrap().len()), (&json!("sent"), 2), "new to her");
    let heard = school.act(&room.trainee, &format!("/feedback/{item}/heard")).await.ok(200);
    assert_eq!(
        (&heard["state"], &heard["replies"][1]["mine"], &heard["replies"][1]["author"]),
        (&json!("heard"), &json!(false), &json!("李慧"))
    );
}

#[tokio::test]
async fn a_fix_is_tried_shown_and_verified_beside_its_before() {
    let school = School::open().await;
    let room = &school.room;
    let clip = reviewed(&school.db, room, "A1", 4, Outcome::Return).await;
    let feedback = school.get(&room.trainee, &format!("/clips/{clip}/feedback")).await.ok(200);
    let review = &feedback["reviews"][0];
    let item = review["items"].as_array().unwrap().iter().find(|i| i["kind"] == "fix").unwrap()["id"].as_str().unwrap();
    let mark = async |body| school.post(&room.trainee, &format!("/feedback/{item}/mark"), body).await;
    assert_eq!(mark(json!({"mark": "trying"})).await.ok(200)["state"], "trying");
    assert_eq!(mark(json!({"mark": "sung"})).await.code(422), "bad_request");
    let mut tx = school.db.write().await.unwrap();
    let second = version(&mut tx, &clip, 2).await;
    tx.commit().await.unwrap();
    let place = json!({"version_id": second, "at_ms": 14_000});
    let fixed = mark(json!({"mark": "fixed", "version_id": second, "at_ms": 14_000})).await.ok(200);
    assert_eq!((&fixed["state"], &fixed["fixed"]), (&json!("fixed"), &place));
    let pair = format!("/clips/{clip}/compare?before={}&after={second}", review["version_id"].as_str().unwrap());
    for who in [&room.trainee, &room.mentor, &room.staff] {
        let points = school.get(who, &pair).await.ok(200)["points"].clone();
        let point = points.as_array().unwrap().iter().find(|p| p["item"]["id"] == item).unwrap().clone();
        assert_eq!(
            (&point["before_ms"], &point["after_ms"], &point["guessed"]),
            (&json!(1000), &json!(14_000), &json!(false))
        );
    }
    school.get(&room.stranger, &pair).await.code(404);
    let verify = format!("/feedback/{item}/verify");
    let ask = json!({"version": second, "at_ms": 14_000, "verdict": "verified"});
    for who in [&room.trainee, &room.staff, &room.stranger] {
        assert_eq!(school.post(who, &verify, ask.clone()).await.code(404), "not_found");
    }
    let verified = school.post(&room.mentor, &verify, ask).await.ok(200);
    assert_eq!((&verified["state"], &verified["settled"]), (&json!("verified"), &place));
    assert_eq!(mark(json!({"mark": "declined"})).await.code(422), "cannot_mark");
}
