use serde_json::{Value, json};

use crate::testing::School;

#[tokio::test]
async fn staff_mute_a_hint_and_change_its_numbers() {
    let school = School::open().await;
    let staff = &school.room.staff;
    let path = "/coaching/rules?region=433130";
    let before = school.get(staff, path).await.ok(200);
    let dark = before["rules"].as_array().unwrap().iter().find(|rule| rule["code"] == "dark").unwrap().clone();
    assert_eq!((&dark["changed"], &dark["muted"]), (&json!(false), &json!(false)));
    let mut when = dark["when"].clone();
    when[0]["below"] = json!(70);
    let ask = |seconds: i64, when: &Value| json!({"muted": false, "seconds": seconds, "when": when});
    let put = async |body: Value| school.put(staff, "/coaching/rules/dark?region=433130", body).await;
    let after = put(ask(4, &when)).await.ok(200);
    let dark = after["rules"].as_array().unwrap().iter().find(|rule| rule["code"] == "dark").unwrap();
    assert_eq!((&dark["changed"], &dark["seconds"], &dark["when"][0]["below"]), (&json!(true), &json!(4), &json!(70)));
    assert_eq!(school.get(staff, path).await.ok(200), after);
    let high = json!([{"measure": "light", "above": 21, "below": 300}]);
    assert_eq!(put(ask(4, &high)).await.ok(422)["code"], "coaching_limit");
    assert_eq!(put(ask(0, &when)).await.ok(422)["code"], "coaching_seconds");
    assert_eq!(put(ask(4, &json!([]))).await.ok(422)["code"], "coaching_conditions");
    assert_eq!(school.delete(staff, "/coaching/rules/dark?region=433130").await.ok(200), before);
}
