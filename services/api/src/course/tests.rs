use serde_json::json;

use crate::testing::School;

#[tokio::test]
async fn her_course_shows_what_is_next() {
    let school = School::open().await;
    let room = &school.room;
    let course = school.get(&room.trainee, "/course").await.ok(200);
    assert_eq!(course["cohort_id"], room.cohort.as_str());
    assert_eq!(course["cohort"]["series_no"], 49);
    assert_eq!((&course["lessons_done"], &course["lessons_total"]), (&json!(0), &json!(54)));
    assert_eq!((&course["next"]["kind"], &course["next"]["code"]), (&json!("lesson"), &json!("M0-1")));
    let clips = course["assignments"].as_array().unwrap().iter().filter(|a| a["clip"] == true).count();
    assert_eq!((course["assignments"].as_array().unwrap().len(), clips), (12, 7));
}

#[tokio::test]
async fn a_lesson_is_completed_once() {
    let school = School::open().await;
    let her = &school.room.trainee;
    let first = school.act(her, "/lessons/M0-1/complete").await.ok(200);
    assert_eq!((&first["lessons_done"], &first["next"]["code"]), (&json!(1), &json!("M0-2")));
    let again = school.post(her, "/lessons/M0-1/complete", json!({"cohort": school.room.cohort})).await.ok(200);
    assert_eq!(again, first, "its time too");
    assert_eq!(school.act(her, "/lessons/M0-99/complete").await.code(404), "not_found");
}

#[tokio::test]
async fn a_course_is_for_those_who_learn_in_it() {
    let school = School::open().await;
    let room = &school.room;
    let path = format!("/course?cohort={}", room.cohort);
    school.get(&room.trainee, &path).await.ok(200);
    for who in [&room.stranger, &room.mentor, &room.staff] {
        assert_eq!(school.get(who, &path).await.code(404), "not_found");
        assert_eq!(school.get(who, "/course").await.code(404), "not_found");
        let complete = school.post(who, "/lessons/M0-1/complete", json!({"cohort": room.cohort})).await;
        assert_eq!(complete.code(404), "not_found");
    }
}
