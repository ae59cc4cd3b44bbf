//! A hall comes in: two hundred phones behind one address, within as long as it takes to press the digits. Some mishear,
//! some press too soon again, none is held up by another.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use weijia_tests::TestServer;

const PHONES: usize = 200;
/// They begin within so long of one another; in a hall it is minutes.
const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_phones_of_one_hall_are_all_in() {
    let server = TestServer::start().await;
    let staff = server.sign_in("staff", 0).await;
    let cohorts = staff.get("/cohorts").await;
    let cohort =
        cohorts["cohorts"].as_array().unwrap().iter().find(|c| c["manages"] == true).expect("a cohort of hers");
    let cohort = cohort["id"].as_str().unwrap();
    let home = staff.me["region"]["code"].clone();
    let members: Vec<Value> = (0..PHONES)
        .map(|n| json!({"name": format!("姐妹{n}"), "phone": number(n), "region_code": home, "part": "trainee", "group_no": n % 9 + 1}))
        .collect();
    let added = staff.post(&format!("/cohorts/{cohort}/members"), json!({"members": members})).await;
    assert_eq!(added["added"].as_array().unwrap().len(), PHONES, "{added}");
    let door = format!("/cohorts/{cohort}/join-window");
    let open = staff.post(&door, json!({})).await;
    let code = open["window"]["code"].as_str().unwrap();

    let mut took = join_all((0..PHONES).map(|n| comes_in(&server.base, code, n))).await;
    let board = staff.get(&door).await;
    let seats = board["seats"].as_array().unwrap();
    let here = seats.iter().filter(|seat| seat["person"]["name"].as_str().unwrap().starts_with("姐妹"));
    assert_eq!(here.filter(|seat| !seat["arrived_at"].is_null()).count(), PHONES, "every seat is green");
    took.sort();
    let at = |share: usize| took[PHONES * share / 100 - 1].as_secs_f64();
    println!("{PHONES} phones: p50 {:.2} s, p95 {:.2} s, slowest {:.2} s", at(50), at(95), at(100));
    server.end().await;
}

fn number(n: usize) -> String {
    format!("1376100{n:04}")
}

/// From the last of the four digits to her seat; what she herself takes to press digits is not counted.
async fn comes_in(base: &str, code: &str, n: usize) -> Duration {
    tokio::time::sleep(WITHIN * n as u32 / PHONES as u32).await;
    let phone = Client::builder().no_proxy().cookie_store(true).build().unwrap();
    let post = async |path: &str, body: Value| {
        let answer = phone.post(format!("{base}/api/v1{path}")).json(&body).send().await.expect("an answer");
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    // Every tenth mishears the digits once.
    if n.is_multiple_of(10) {
        let misheard = if code == "0000" { "0001" } else { "0000" };
        assert_eq!(post("/join/find", json!({"code": misheard})).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let began = Instant::now();
    let (status, found) = post("/join/find", json!({"code": code})).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    let window = &found["windows"][0]["window"];
    let (_, asked) = post("/join", json!({"window": window, "phone": number(n)})).await;
    assert_eq!(asked["step"], "choose_pin", "{asked}");
    let pin = format!("{:06}", 310_000 + n * 7);
    let (status, joined) = post("/join", json!({"window": window, "phone": number(n), "secret": pin})).await;
    assert_eq!((status, &joined["step"]), (StatusCode::OK, &json!("joined")), "{joined}");
    assert_eq!(joined["me"]["name"], format!("姐妹{n}"));
    began.elapsed()
}
