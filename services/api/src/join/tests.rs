use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use weijia_core::account::{self, NewUser};
use weijia_core::ids::UserId;
use weijia_core::review::testing;
use weijia_core::time::At;

use crate::testing::{Answer, School};

const PIN: &str = "271828";

/// A browser on a phone: it keeps what it is told to keep.
struct Phone<'a> {
    school: &'a School,
    cookies: Vec<(String, String)>,
}

impl<'a> Phone<'a> {
    fn new(school: &'a School) -> Self {
        Phone { school, cookies: vec![] }
    }

    async fn ask(&mut self, method: Method, path: &str, body: Value) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request =
            request.header(header::COOKIE, cookies.join("; ")).header(header::CONTENT_TYPE, "application/json");
        let answer = self.school.send(request.body(Body::from(body.to_string())).unwrap()).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        answer
    }

    async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body).await
    }
}

async fn rostered(school: &School, number: &str) -> UserId {
    let mut tx = school.db.write().await.unwrap();
    let phone = number.parse().unwrap();
    let new = NewUser { name: "彭秀英", phone: &phone, region_code: "433130105201", password_hash: "-" };
    let user = account::create(&mut tx, &school.keys, At::now(), new).await.unwrap();
    testing::join(&mut tx, &school.room.cohort, &user, "trainee").await;
    tx.commit().await.unwrap();
    user
}

#[tokio::test]
async fn four_digits_a_number_and_six_digits_and_she_is_in() {
    let school = School::open().await;
    let (staff, door) = (&school.room.staff, format!("/cohorts/{}/join-window", school.room.cohort));
    rostered(&school, "13812345678").await;
    let shut = school.get(staff, &door).await.ok(200);
    assert_eq!((&shut["window"], shut["seats"].as_array().unwrap().len()), (&Value::Null, 2));
    let open = school.post(staff, &door, json!({"code": "0616"})).await.ok(200);
    assert_eq!(open["window"]["code"], "0616");
    assert!(open["window"]["address"].as_str().unwrap().contains("/join/"));

    let mut phone = Phone::new(&school);
    assert_eq!(phone.post("/join/find", json!({"code": "0617"})).await.code(422), "code_unknown");
    let found = phone.post("/join/find", json!({"code": "0616"})).await.ok(200);
    let candidate = &found["windows"][0];
    assert_eq!((&candidate["series_no"], &candidate["place"]), (&json!(49), &json!("湘西州龙山县")));
    let ask = |secret: Value| json!({"window": candidate["window"], "phone": "138 1234 5678", "secret": secret});
    assert_eq!(phone.post("/join", ask(Value::Null)).await.ok(200)["step"], "choose_pin");
    assert_eq!(phone.post("/join", ask(json!("111111"))).await.code(422), "pin_weak");
    let joined = phone.post("/join", ask(json!(PIN))).await.ok(200);
    assert_eq!((&joined["step"], &joined["me"]["name"]), (&json!("joined"), &json!("彭秀英")));
    assert_eq!(phone.ask(Method::GET, "/session", Value::Null).await.ok(200)["cohorts"][0]["series_no"], 49);
    let board = school.get(staff, &door).await.ok(200);
    let arrived = board["seats"].as_array().unwrap().iter().filter(|seat| !seat["arrived_at"].is_null()).count();
    assert_eq!(arrived, 1);

    // Later, on the same phone, her number and her digits sign her in; on another one they do not.
    phone.ask(Method::DELETE, "/session", Value::Null).await.ok(204);
    let sign_in = json!({"phone": "13812345678", "password": PIN});
    phone.post("/session", sign_in.clone()).await.ok(200);
    // And so does her name, which this phone alone knows.
    let people = phone.ask(Method::GET, "/session/people", Value::Null).await.ok(200);
    assert_eq!((&people["people"][0]["name"], people["people"].as_array().unwrap().len()), (&json!("彭秀英"), 1));
    let by_name = |pin: &str| json!({"person": people["people"][0]["id"], "password": pin});
    assert_eq!(phone.post("/session", by_name("161803")).await.code(401), "sign_in_wrong");
    phone.post("/session", by_name(PIN)).await.ok(200);
    let mut other = Phone::new(&school);
    assert_eq!(other.ask(Method::GET, "/session/people", Value::Null).await.ok(200)["people"], json!([]));
    assert_eq!(other.post("/session", by_name(PIN)).await.code(401), "sign_in_wrong");
    assert_eq!(other.post("/session", sign_in).await.code(401), "sign_in_wrong");
    // She may want to be forgotten.
    phone.ask(Method::DELETE, "/session/phone", Value::Null).await.ok(204);
    assert_eq!(phone.ask(Method::GET, "/session/people", Value::Null).await.ok(200)["people"], json!([]));
    // Before the open door they do, and from then on that one knows her too.
    assert_eq!(other.post("/join", ask(Value::Null)).await.ok(200)["step"], "enter_pin");
    assert_eq!(other.post("/join", ask(json!("161803"))).await.code(401), "sign_in_wrong");
    other.post("/join", ask(json!(PIN))).await.ok(200);

    school.ask(Some(staff), Method::DELETE, &format!("/api/v1{door}"), None).await.ok(204);
    assert_eq!(phone.post("/join/find", json!({"code": "0616"})).await.code(422), "join_closed");
    assert_eq!(phone.post("/join", ask(Value::Null)).await.code(422), "join_closed");
}

#[tokio::test]
async fn who_is_on_no_roster_is_let_in_by_hand() {
    let school = School::open().await;
    let (staff, door) = (&school.room.staff, format!("/cohorts/{}/join-window", school.room.cohort));
    let open = school.post(staff, &door, json!({})).await.ok(200);
    let ask = |secret: Value| json!({"window": open["window"]["id"], "phone": "13712345678", "secret": secret});
    let mut phone = Phone::new(&school);
    assert_eq!(phone.post("/join", ask(Value::Null)).await.ok(200)["step"], "wait");
    assert_eq!(phone.post("/join", ask(json!(PIN))).await.code(422), "join_waits");
    let board = school.get(staff, &door).await.ok(200);
    let request = board["requests"][0]["id"].as_str().unwrap();
    assert_eq!(board["requests"][0]["phone_masked"], "137****5678");
    let path = format!("/join-requests/{request}");
    school.post(staff, &format!("{path}/reject"), json!({"reason": "你的班在隔壁"})).await.ok(204);
    let rejected = phone.post("/join", ask(Value::Null)).await.ok(200);
    assert_eq!(rejected, json!({"step": "rejected", "reason": "你的班在隔壁"}));
    let again = json!({"window": open["window"]["id"], "phone": "13712345678", "again": true});
    assert_eq!(phone.post("/join", again).await.ok(200)["step"], "wait");
    let who = json!({"name": "梁玉珍", "region_code": "433130105201", "group_no": 2});
    school.post(staff, &format!("{path}/approve"), who).await.ok(204);
    assert_eq!(phone.post("/join", ask(Value::Null)).await.ok(200)["step"], "choose_pin");
    assert_eq!(phone.post("/join", ask(json!(PIN))).await.ok(200)["me"]["name"], "梁玉珍");
}

#[tokio::test]
async fn a_phone_that_guesses_rests_and_the_hall_does_not() {
    let school = School::open().await;
    let door = format!("/cohorts/{}/join-window", school.room.cohort);
    let open = school.post(&school.room.staff, &door, json!({"code": "0616"})).await.ok(200);
    // It has never been right before.
    let mut phone = Phone::new(&school);
    for code in ["0000", "0001", "0002", "0003", "0004", "0005"] {
        assert_eq!(phone.post("/join/find", json!({"code": code})).await.code(422), "code_unknown");
    }
    assert_eq!(phone.post("/join/find", json!({"code": "0616"})).await.code(429), "join_rest");
    let mut other = Phone::new(&school);
    other.post("/join/find", json!({"code": "0616"})).await.ok(200);
    // Numbers are guessed no better than codes are.
    for n in 0..5 {
        let ask = json!({"window": open["window"]["id"], "phone": format!("1371234567{n}")});
        assert_eq!(other.post("/join", ask).await.ok(200)["step"], "wait");
    }
    rostered(&school, "13812345678").await;
    for number in ["13712345676", "13812345678"] {
        for secret in [Value::Null, json!(PIN)] {
            let ask = json!({"window": open["window"]["id"], "phone": number, "secret": secret});
            assert_eq!(
                other.post("/join", ask).await.code(429),
                "join_rest",
                "whether it is on the roster is not told"
            );
        }
    }
    // A secret that goes with the number is a guess too, and puts nobody on the list.
    let mut third = Phone::new(&school);
    third.post("/join/find", json!({"code": "0616"})).await.ok(200);
    for n in 0..5 {
        let ask = json!({"window": open["window"]["id"], "phone": format!("1371234560{n}"), "secret": PIN});
        assert_eq!(third.post("/join", ask).await.code(422), "join_waits");
    }
    let ask = json!({"window": open["window"]["id"], "phone": "13812345678", "secret": PIN});
    assert_eq!(third.post("/join", ask).await.code(429), "join_rest");
    let board = school.get(&school.room.staff, &door).await.ok(200);
    assert_eq!(board["requests"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_in_words() {
    let school = School::open().await;
    let (staff, door) = (&school.room.staff, format!("/cohorts/{}/join-window", school.room.cohort));
    for (body, code) in [
        (json!({"code": "616"}), "code_invalid"),
        (json!({"code": "06-16"}), "code_invalid"),
        (json!({"minutes": 0}), "door_time_invalid"),
        (json!({"minutes": i64::MAX}), "door_time_invalid"),
    ] {
        assert_eq!(school.post(staff, &door, body).await.code(422), code);
    }
    school.act(staff, &door).await.ok(200);
    let mut phone = Phone::new(&school);
    for body in [json!({}), json!({"code": 616}), json!({"code": "0616", "wall": "x"})] {
        assert_eq!(phone.post("/join/find", body).await.code(422), "bad_request");
    }
    let window = school.get(staff, &door).await.ok(200)["window"]["id"].clone();
    assert_eq!(phone.post("/join", json!({"window": window})).await.code(422), "who_needed");
    assert_eq!(phone.post("/join", json!({"window": window, "phone": "12"})).await.code(422), "phone_invalid");
    assert_eq!(phone.post("/join", json!({"window": window, "card": "x"})).await.code(422), "code_unknown");
}

#[tokio::test]
async fn a_printed_card_leads_to_her_seat() {
    let school = School::open().await;
    let (staff, cohort) = (&school.room.staff, &school.room.cohort);
    rostered(&school, "13812345678").await;
    let printed = school.get(staff, &format!("/cohorts/{cohort}/join-cards.pdf")).await;
    assert_eq!(printed.headers["content-type"], "application/pdf");
    assert!(printed.body.starts_with(b"%PDF-"));
    let mut tx = school.db.write().await.unwrap();
    let class = weijia_core::cohort::get(&mut tx, cohort).await.unwrap();
    let cards = weijia_core::join::cards(&mut tx, At::now(), &class).await.unwrap();
    drop(tx);
    let card = &cards.iter().find(|card| card.seat.person.name == "彭秀英").unwrap().token;
    let mut phone = Phone::new(&school);
    assert_eq!(phone.post("/join/find", json!({"card": card})).await.code(422), "join_closed");
    school.act(staff, &format!("/cohorts/{cohort}/join-window")).await.ok(200);
    let found = phone.post("/join/find", json!({"card": card})).await.ok(200);
    assert_eq!(found["windows"][0]["name"], "彭秀英");
    let ask = json!({"window": found["windows"][0]["window"], "card": card, "secret": PIN});
    assert_eq!(phone.post("/join", ask).await.ok(200)["step"], "joined");
}

#[tokio::test]
async fn a_new_password_ends_what_a_stranger_began() {
    let school = School::open().await;
    let (staff, door) = (&school.room.staff, format!("/cohorts/{}/join-window", school.room.cohort));
    let user = rostered(&school, "13812345678").await;
    let open = school.act(staff, &door).await.ok(200);
    let mut stranger = Phone::new(&school);
    let ask = json!({"window": open["window"]["id"], "phone": "13812345678", "secret": PIN});
    stranger.post("/join", ask).await.ok(200);
    let reset = format!("/cohorts/{}/members/{user}/password", school.room.cohort);
    let fresh = school.act(staff, &reset).await.ok(200);
    assert_eq!((&fresh["name"], &fresh["phone_masked"]), (&json!("彭秀英"), &json!("138****5678")));
    assert_eq!(stranger.ask(Method::GET, "/session", Value::Null).await.code(401), "signed_out");
    // He knows her number, and that is not enough any more.
    let ask = |secret: Value, pin: Value| json!({"window": open["window"]["id"], "phone": "13812345678", "secret": secret, "pin": pin});
    assert_eq!(stranger.post("/join", ask(Value::Null, Value::Null)).await.ok(200)["step"], "enter_code");
    assert_eq!(stranger.post("/join", ask(json!("00000000"), json!(PIN))).await.code(401), "sign_in_wrong");
    let sign_in = |password: &Value| json!({"phone": "13812345678", "password": password});
    assert_eq!(stranger.post("/session", sign_in(&json!(PIN))).await.code(401), "sign_in_wrong");
    let mut hers = Phone::new(&school);
    assert_eq!(hers.post("/join", ask(fresh["password"].clone(), json!("161803"))).await.ok(200)["step"], "joined");
    assert_eq!(hers.post("/session", sign_in(&json!("161803"))).await.ok(200)["name"], "彭秀英");
}
