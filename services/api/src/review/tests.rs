use serde_json::{Value, json};
use weijia_core::content;
use weijia_core::ids::UserId;
use weijia_core::review::testing as rows;

use crate::testing::School;

/// A clip of the trainee's, handed in: its id and its ticket's.
async fn handed_in(school: &School) -> (String, String) {
    let room = &school.room;
    let mut tx = school.db.write().await.unwrap();
    let (clip, _) = rows::clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A1")).await;
    tx.commit().await.unwrap();
    school.act(&room.trainee, &format!("/clips/{clip}/submit")).await.ok(200);
    (clip.to_string(), waiting(school, &room.mentor).await)
}

async fn waiting(school: &School, mentor: &UserId) -> String {
    let queue = school.get(mentor, "/review/tickets?view=waiting").await.ok(200);
    queue["tickets"][0]["id"].as_str().unwrap().to_owned()
}

fn remark(kind: &str, at: i64, body: &str) -> Value {
    json!({"id": null, "kind": kind, "t_start_ms": at, "t_end_ms": null, "dim": null, "body": body})
}

fn draft(rev: i64, items: &[Value]) -> Value {
    let rubric = content::rubric();
    let scores: serde_json::Map<_, _> = rubric.video.iter().map(|d| (d.code.clone(), json!(4))).collect();
    let gates: serde_json::Map<_, _> = rubric.gates.iter().map(|g| (g.code.clone(), json!(true))).collect();
    json!({"rev": rev, "items": items, "scores": scores, "gates": gates, "summary": "好", "next_step": "再拍", "outcome": null, "settled": []})
}

#[tokio::test]
async fn the_queue_shows_whose_clip_waits_and_why() {
    let school = School::open().await;
    let (clip, ticket) = handed_in(&school).await;
    let queue = school.get(&school.room.mentor, "/review/tickets").await.ok(200);
    assert_eq!(queue["counts"], json!({"waiting": 1, "mine": 0, "sent": 0}));
    let first = &queue["tickets"][0];
    assert_eq!((&first["id"], &first["clip_id"]), (&json!(ticket), &json!(clip)));
    assert_eq!((&first["why"], &first["mine"], &first["holder"]), (&json!("第一次交"), &json!(false), &Value::Null));
    assert_eq!((&first["trainee"]["name"], &first["assignment"]["code"]), (&json!("向春桃"), &json!("A1")));
    assert_eq!(first["due_at"].as_i64().unwrap() - first["submitted_at"].as_i64().unwrap(), 48 * 3_600_000);
    for who in [&school.room.trainee, &school.room.stranger, &school.room.staff] {
        assert_eq!(school.get(who, "/review/tickets").await.ok(200)["tickets"], json!([]));
    }
}

#[tokio::test]
async fn claiming_opens_a_blank_desk_and_the_same_again() {
    let school = School::open().await;
    let (_, ticket) = handed_in(&school).await;
    let room = &school.room;
    let path = format!("/review/tickets/{ticket}");
    assert_eq!(school.get(&room.mentor, &path).await.code(404), "not_found", "not held yet");
    let desk = school.act(&room.mentor, &format!("{path}/claim")).await.ok(200);
    assert!(desk["draft"]["scores"].as_object().unwrap().values().all(Value::is_null), "opening never scores");
    assert_eq!(desk["draft"]["scores"].as_object().unwrap().len(), 9);
    assert_eq!((&desk["ticket"]["mine"], &desk["clip"]["state"]), (&json!(true), &json!("reviewing")));
    assert_eq!(desk["limits"], json!({"min_praise": 1, "max_fixes": 5}));
    assert_eq!(desk["rubric"]["gates"].as_array().unwrap().len(), 5);
    let phrases = desk["phrases"].as_array().unwrap();
    assert!(phrases.len() > 20 && phrases.iter().all(|p| p["kind"] != "demo"));
    let again = school.act(&room.mentor, &format!("{path}/claim")).await.ok(200);
    assert_eq!(again["ticket"]["lease_until"], desk["ticket"]["lease_until"]);
    assert_eq!(school.act(&room.second_mentor, &format!("{path}/claim")).await.code(409), "ticket_taken");
    school.get(&room.second_mentor, &path).await.code(404);
    school.act(&room.mentor, &format!("{path}/release")).await.ok(204);
    school.act(&room.second_mentor, &format!("{path}/claim")).await.ok(200);
}

#[tokio::test]
async fn only_mentors_of_the_cohort_reach_a_ticket() {
    let school = School::open().await;
    let (_, ticket) = handed_in(&school).await;
    let room = &school.room;
    for who in [&room.trainee, &room.staff, &room.stranger] {
        let path = format!("/review/tickets/{ticket}");
        school.get(who, &path).await.code(404);
        school.act(who, &format!("{path}/claim")).await.code(404);
        school.act(who, &format!("{path}/release")).await.code(404);
        school.put(who, &format!("{path}/draft"), draft(0, &[])).await.code(404);
        school.post(who, &format!("{path}/send"), json!({"rev": 0, "outcome": "pass"})).await.code(404);
    }
}

#[tokio::test]
async fn a_review_goes_from_draft_to_her() {
    let school = School::open().await;
    let (clip, ticket) = handed_in(&school).await;
    let room = &school.room;
    let path = format!("/review/tickets/{ticket}");
    school.act(&room.mentor, &format!("{path}/claim")).await.ok(200);

    let only_fix = draft(0, &[remark("fix", 12_000, "离手机近一点")]);
    let kept = school.put(&room.mentor, &format!("{path}/draft"), only_fix).await.ok(200);
    assert_eq!((&kept["rev"], &kept["items"][0]["t_start_ms"]), (&json!(1), &json!(12_000)));
    let early =
        school.post(&room.mentor, &format!("{path}/send"), json!({"rev": 1, "outcome": "return"})).await.ok(422);
    assert_eq!(early["code"], "review_incomplete");
    assert!(early["message"].as_str().unwrap().contains("至少要有一条表扬"));
    assert_eq!(school.put(&room.mentor, &format!("{path}/draft"), draft(0, &[])).await.code(409), "draft_is_old");

    let whole = draft(1, &[remark("praise", 1_000, "开头好"), remark("fix", 12_000, "离手机近一点")]);
    school.put(&room.mentor, &format!("{path}/draft"), whole).await.ok(200);
    assert_eq!(school.get(&room.trainee, &format!("/clips/{clip}/feedback")).await.ok(200)["reviews"], json!([]));
    let sent = school.post(&room.mentor, &format!("{path}/send"), json!({"rev": 2, "outcome": "return"})).await.ok(200);
    assert_eq!((&sent["total"], &sent["outcome"]), (&json!(80), &json!("return")));
    let again =
        school.post(&room.mentor, &format!("{path}/send"), json!({"rev": 2, "outcome": "return"})).await.ok(200);
    assert_eq!(again, sent);

    let hers = school.get(&room.trainee, &format!("/clips/{clip}")).await.ok(200);
    assert_eq!((&hers["state"], &hers["can_submit"]), (&json!("returned"), &json!(false)));
    assert!(hers["what_next"].as_str().unwrap().contains("有 2 句话留给你"), "{}", hers["what_next"]);
    let course = school.get(&room.trainee, "/course").await.ok(200);
    assert_eq!((&course["next"]["kind"], &course["next"]["clip_id"]), (&json!("feedback"), &json!(clip)));
    let counts = school.get(&room.mentor, "/review/tickets?view=sent").await.ok(200);
    assert_eq!((&counts["counts"]["sent"], &counts["tickets"][0]["id"]), (&json!(1), &json!(ticket)));
    school.get(&room.mentor, &path).await.ok(200);
    school.get(&room.second_mentor, &path).await.code(404);
}

#[tokio::test]
async fn the_second_version_meets_the_first_ones_open_items() {
    let school = School::open().await;
    let (clip, ticket) = handed_in(&school).await;
    let room = &school.room;
    let at = |ticket: &str, act: &str| format!("/review/tickets/{ticket}/{act}");
    school.act(&room.mentor, &at(&ticket, "claim")).await.ok(200);
    let items = [remark("praise", 0, "开头好"), remark("must", 9_000, "孩子的脸要遮住")];
    school.put(&room.mentor, &at(&ticket, "draft"), draft(0, &items)).await.ok(200);
    let refused = school.post(&room.mentor, &at(&ticket, "send"), json!({"rev": 1, "outcome": "pass"})).await;
    assert_eq!(refused.code(422), "review_incomplete");
    let sent = school.post(&room.mentor, &at(&ticket, "send"), json!({"rev": 1, "outcome": "return"})).await.ok(200);
    let must = sent["items"][1]["id"].clone();

    let mut tx = school.db.write().await.unwrap();
    rows::version(&mut tx, &clip.parse().unwrap(), 2).await;
    tx.commit().await.unwrap();
    school.act(&room.trainee, &format!("/clips/{clip}/submit")).await.ok(200);
    let second = waiting(&school, &room.mentor).await;
    let desk = school.act(&room.mentor, &at(&second, "claim")).await.ok(200);
    assert_eq!((&desk["ticket"]["why"], &desk["ticket"]["version_n"]), (&json!("改过再交"), &json!(2)));
    assert_eq!(desk["earlier"][0]["items"][0]["id"], must, "open items come first");
    let mut better = draft(0, &[remark("praise", 0, "遮得好")]);
    better["settled"] = json!([{"item_id": must, "verdict": "verified"}]);
    school.put(&room.mentor, &at(&second, "draft"), better).await.ok(200);
    school.post(&room.mentor, &at(&second, "send"), json!({"rev": 1, "outcome": "pass"})).await.ok(200);
    let feedback = school.get(&room.trainee, &format!("/clips/{clip}/feedback")).await.ok(200);
    assert_eq!(feedback["reviews"][1]["items"][1]["state"], "verified");
    assert_eq!(school.get(&room.trainee, &format!("/clips/{clip}")).await.ok(200)["state"], "passed");
}

#[tokio::test]
async fn a_lapsed_lease_is_back_in_the_queue_when_anybody_looks() {
    let school = School::open().await;
    let (_, ticket) = handed_in(&school).await;
    let room = &school.room;
    school.act(&room.mentor, &format!("/review/tickets/{ticket}/claim")).await.ok(200);
    rows::end_leases(&school.db).await;
    let queue = school.get(&room.second_mentor, "/review/tickets").await.ok(200);
    assert_eq!((&queue["counts"]["waiting"], &queue["tickets"][0]["state"]), (&json!(1), &json!("waiting")));
    school.act(&room.second_mentor, &format!("/review/tickets/{ticket}/claim")).await.ok(200);
    let late = school
        .put(&room.mentor, &format!("/review/tickets/{ticket}/draft"), draft(0, &[remark("fix", 1, "晚了")]))
        .await;
    assert_eq!(late.code(409), "lease_lost");
}

#[test]
fn the_document_tells_scores_from_gates() {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    for schema in ["Draft", "DraftInput"] {
        let of = |field: &str| {
            document["components"]["schemas"][schema]["properties"][field]["additionalProperties"]["type"].clone()
        };
        assert_eq!((of("scores"), of("gates")), (json!(["integer", "null"]), json!(["boolean", "null"])), "{schema}");
    }
}
