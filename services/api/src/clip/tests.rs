use axum::http::Method;
use serde_json::{Value, json};
use weijia_core::ids::{ClipId, UserId, VersionId};
use weijia_core::review::testing as rows;

use crate::testing::School;

async fn clip_of(school: &School, owner: &UserId, assignment: Option<&str>) -> (ClipId, VersionId) {
    let mut tx = school.db.write().await.unwrap();
    let cohort = (*owner == school.room.trainee).then_some(&school.room.cohort);
    let made = rows::clip(&mut tx, owner, cohort, assignment).await;
    tx.commit().await.unwrap();
    made
}

async fn looks(school: &School, clip: &ClipId) -> i64 {
    let mut tx = school.db.read().await.unwrap();
    rows::events(&mut tx, "clip.looked", clip.as_str()).await
}

#[tokio::test]
async fn a_clip_says_where_it_stands() {
    let school = School::open().await;
    let her = &school.room.trainee;
    let (id, version) = clip_of(&school, her, Some("A1")).await;
    let clip = school.get(her, &format!("/clips/{id}")).await.ok(200);
    assert_eq!(clip["state"], "draft");
    assert_eq!(clip["media_state"], "ready");
    assert_eq!(clip["can_submit"], true);
    assert_eq!(clip["version"], version.as_str());
    assert_eq!(clip["owner"]["village"], "比耳村");
    assert_eq!(clip["assignment"]["code"], "A1");
    assert_eq!(clip["warnings"], json!(["第 8 秒有点暗"]));
    let shaky = json!({"code": "shaky", "at_ms": 8000, "until_ms": 12000, "text": "第 8 秒起晃得厉害。"});
    assert_eq!(clip["hints"], json!([shaky]));
    assert!(clip["what_next"].as_str().unwrap().contains("交给老师"), "{}", clip["what_next"]);
    for empty in ["reason", "refusal", "ticket", "upload"] {
        assert_eq!(clip[empty], Value::Null, "{empty}");
    }
    let media = &clip["media"];
    assert_eq!(
        (media["width"].as_i64(), media["height"].as_i64(), media["duration_ms"].as_i64()),
        (Some(720), Some(1280), Some(31000))
    );
    assert!(media["mp4"].as_str().unwrap().starts_with("/media/"));
    assert_eq!((&media["hls"], &media["storyboard_vtt"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_refused_file_says_why_and_what_to_do() {
    let school = School::open().await;
    let her = &school.room.trainee;
    let (id, version) = clip_of(&school, her, Some("A1")).await;
    let mut tx = school.db.write().await.unwrap();
    rows::set_media_state(&mut tx, &version, "failed", Some("playlist")).await;
    tx.commit().await.unwrap();
    let clip = school.get(her, &format!("/clips/{id}")).await.ok(200);
    assert_eq!((clip["playable"].as_bool(), clip["can_submit"].as_bool()), (Some(false), Some(false)));
    assert_eq!(clip["refusal"]["code"], "playlist");
    assert!(clip["what_next"].as_str().unwrap().contains(clip["refusal"]["next_step"].as_str().unwrap()));
    assert_eq!(school.act(her, &format!("/clips/{id}/submit")).await.code(422), "clip_failed");
}

#[tokio::test]
async fn submitting_again_answers_the_same() {
    let school = School::open().await;
    let her = &school.room.trainee;
    let (id, _) = clip_of(&school, her, None).await;
    let path = format!("/clips/{id}/submit");
    assert_eq!(school.act(her, &path).await.code(422), "assignment_needed");
    let first = school.post(her, &path, json!({"assignment": "A1"})).await.ok(200);
    assert_eq!((&first["state"], &first["ticket"]["state"]), (&json!("submitted"), &json!("waiting")));
    let again = school.act(her, &path).await.ok(200);
    assert_eq!(first["ticket"], again["ticket"]);
    assert_eq!(again["can_submit"], false);
    assert_eq!(school.post(her, &path, json!({"assignment": 7})).await.code(422), "bad_request");
    assert_eq!(school.post(her, &path, json!({"assignment": "A4"})).await.code(422), "other_assignment");
}

#[tokio::test]
async fn nobody_sees_or_touches_what_is_not_hers() {
    let school = School::open().await;
    let room = &school.room;
    let (id, _) = clip_of(&school, &room.trainee, Some("A1")).await;
    let path = format!("/clips/{id}");
    for (who, may) in [(&room.trainee, true), (&room.mentor, true), (&room.staff, true), (&room.stranger, false)] {
        let status = school.get(who, &path).await.status.as_u16();
        assert_eq!(status, if may { 200 } else { 404 });
    }
    for who in [&room.mentor, &room.staff, &room.stranger] {
        assert_eq!(school.patch(who, &path, json!({"title": "我的"})).await.code(404), "not_found");
        assert_eq!(school.act(who, &format!("{path}/submit")).await.code(404), "not_found");
        assert_eq!(school.delete(who, &path).await.code(404), "not_found");
    }
    for odd in
        ["/clips/clip_00000000000000000000000000", "/clips/x", "/clips/..%2f", "/clips/ver_01h455vb4pex5vsknk084sn02q"]
    {
        assert_eq!(school.get(&room.trainee, odd).await.code(404), "not_found", "{odd}");
    }
    let anonymous = school.ask(None, Method::GET, &format!("/api/v1{path}"), None).await;
    assert_eq!(anonymous.status.as_u16(), 401);
    let seen_by_mentor = school.get(&room.mentor, &path).await.ok(200);
    assert_eq!((&seen_by_mentor["can_submit"], &seen_by_mentor["upload"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn a_look_at_somebody_elses_clip_is_logged_once_an_hour() {
    let school = School::open().await;
    let room = &school.room;
    let (id, _) = clip_of(&school, &room.trainee, Some("A1")).await;
    let path = format!("/clips/{id}");
    school.get(&room.trainee, &path).await.ok(200);
    assert_eq!(looks(&school, &id).await, 0);
    for _ in 0..3 {
        school.get(&room.mentor, &path).await.ok(200);
    }
    school.get(&room.staff, &path).await.ok(200);
    assert_eq!(looks(&school, &id).await, 2);
}

#[tokio::test]
async fn what_she_takes_back_is_gone_for_all_others() {
    let school = School::open().await;
    let room = &school.room;
    let (id, _) = clip_of(&school, &room.trainee, Some("A1")).await;
    let path = format!("/clips/{id}");
    school.act(&room.trainee, &format!("{path}/submit")).await.ok(200);
    for _ in 0..2 {
        school.delete(&room.trainee, &path).await.ok(204);
    }
    for who in [&room.mentor, &room.staff] {
        school.get(who, &path).await.code(404);
    }
    let queue = school.get(&room.mentor, "/review/tickets").await.ok(200);
    assert_eq!(queue["counts"]["waiting"], 0);
    let hers = school.get(&room.trainee, &path).await.ok(200);
    assert_eq!((&hers["state"], &hers["media"], &hers["playable"]), (&json!("withdrawn"), &Value::Null, &json!(false)));
    assert_eq!(school.act(&room.trainee, &format!("{path}/submit")).await.code(422), "clip_withdrawn");
}

#[tokio::test]
async fn her_list_pages_from_the_newest_and_holds_nobody_elses() {
    let school = School::open().await;
    let room = &school.room;
    let mut made = Vec::new();
    for _ in 0..32 {
        made.push(clip_of(&school, &room.trainee, None).await.0.to_string());
    }
    clip_of(&school, &room.stranger, None).await;
    made.sort();
    made.reverse();
    let first = school.get(&room.trainee, "/clips").await.ok(200);
    let second =
        school.get(&room.trainee, &format!("/clips?cursor={}", first["next_cursor"].as_str().unwrap())).await.ok(200);
    let ids: Vec<String> = [&first, &second]
        .iter()
        .flat_map(|page| page["clips"].as_array().unwrap())
        .map(|clip| clip["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, made);
    assert_eq!((first["clips"].as_array().unwrap().len(), &second["next_cursor"]), (30, &Value::Null));
    assert_eq!(school.get(&room.trainee, "/clips?state=submitted").await.ok(200)["clips"], json!([]));
    assert_eq!(school.get(&room.trainee, "/clips?state=lost").await.code(422), "bad_request");
}

#[tokio::test]
async fn a_name_is_short_and_not_empty() {
    let school = School::open().await;
    let her = &school.room.trainee;
    let (id, _) = clip_of(&school, her, None).await;
    let path = format!("/clips/{id}");
    assert_eq!(school.patch(her, &path, json!({"title": " 晒秋\n "})).await.ok(200)["title"], "晒秋");
    for bad in ["", " \n ", &"长".repeat(61)] {
        assert_eq!(school.patch(her, &path, json!({ "title": bad })).await.code(422), "bad_title");
    }
    // Fields that are not hers to set are not read.
    let sly = school.patch(her, &path, json!({"title": "晒秋", "state": "passed", "owner_id": "x"})).await.ok(200);
    assert_eq!(sly["state"], "draft");
}
