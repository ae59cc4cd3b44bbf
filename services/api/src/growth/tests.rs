use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use image::ImageFormat;
use serde_json::json;
use weijia_core::ids::UserId;
use weijia_core::review::testing::session;
use weijia_core::time::At;

use super::evidence::{MOST_BYTES, picture};
use crate::testing::{Answer, School};

type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// As much of an object store as a picture needs.
async fn store() -> (String, Objects) {
    async fn serve(State(objects): State<Objects>, method: Method, uri: Uri, body: Bytes) -> Response {
        let mut objects = objects.lock().unwrap();
        match method {
            Method::PUT => {
                objects.insert(uri.path().to_owned(), body);
                ([("etag", "\"e\"")], "").into_response()
            }
            Method::DELETE => {
                objects.remove(uri.path());
                StatusCode::NO_CONTENT.into_response()
            }
            _ => match objects.get(uri.path()) {
                Some(bytes) => ([("etag", "\"e\"")], bytes.clone()).into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            },
        }
    }
    let objects = Objects::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app =
        Router::new().fallback(serve).layer(axum::extract::DefaultBodyLimit::disable()).with_state(objects.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, objects)
}

struct Desk {
    school: School,
    objects: Objects,
    account: String,
}

impl Desk {
    async fn open() -> Self {
        let (address, objects) = store().await;
        let school = School::with_storage(&address).await;
        let path = format!("/trainees/{}/accounts", school.room.trainee);
        let new = json!({"platform": "douyin", "handle": "@里耶比耳村", "opened_on": "2025-06-16"});
        let account = school.post(&school.room.staff, &path, new.clone()).await.ok(201);
        assert_eq!(account["handle"], "里耶比耳村");
        assert_eq!(school.post(&school.room.staff, &path, new).await.ok(201)["id"], account["id"]);
        Self { school, objects, account: account["id"].as_str().unwrap().to_owned() }
    }

    async fn record(&self, who: &UserId, fields: &[(&str, &str)], picture: Option<&[u8]>) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--xx\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend(part.bytes());
        }
        if let Some(picture) = picture {
            // The declared type and name say nothing.
            let head = "--xx\r\ncontent-disposition: form-data; name=\"evidence\"; filename=\"../a.exe\"\r\ncontent-type: text/html\r\n\r\n";
            body.extend(head.bytes().chain(picture.iter().copied()).chain(*b"\r\n"));
        }
        body.extend(b"--xx--\r\n");
        let token = session(&self.school.db, who).await;
        let request = Request::post(format!("/api/v1/accounts/{}/snapshots", self.account))
            .header("cookie", format!("weijia={token}"))
            .header("content-type", "multipart/form-data; boundary=xx");
        self.school.send(request.body(body.into()).unwrap()).await
    }

    fn kept(&self) -> usize {
        self.objects.lock().unwrap().len()
    }
}

fn today() -> String {
    At::now().china_date().to_string()
}

#[tokio::test]
async fn a_reading_is_kept_with_its_picture_and_shown_to_those_in_scope() {
    let desk = Desk::open().await;
    let room = &desk.school.room;
    let (day, png) = (today(), picture(ImageFormat::Png, 90, 160));
    let fields =
        [("as_of_on", day.as_str()), ("window_days", "90"), ("followers", " 260 "), ("views", ""), ("lives", "0")];
    let kept = desk.record(&room.staff, &fields, Some(&png)).await.ok(201);
    assert_eq!((kept["followers"].as_i64(), kept["lives"].as_i64()), (Some(260), Some(0)));
    assert!(kept["views"].is_null() && kept["originals"].is_null(), "an empty field is missing, not zero");
    assert_eq!((kept["entered_by"].as_str(), kept["superseded"].as_bool()), (Some("龙主任"), Some(false)));
    // Sent twice, kept once, and the second picture is taken away again.
    assert_eq!(desk.record(&room.staff, &fields, Some(&png)).await.ok(200)["id"], kept["id"]);
    assert_eq!(desk.kept(), 1);

    let path = kept["evidence"].as_str().unwrap().strip_prefix("/api/v1").unwrap();
    for who in [&room.staff, &room.mentor, &room.trainee] {
        let shown = desk.school.get(who, path).await;
        assert_eq!((shown.status.as_u16(), shown.body == png), (200, true));
        assert_eq!(shown.headers["content-type"], "image/png");
        assert!(shown.headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
        let growth = desk.school.get(who, &format!("/trainees/{}/growth", room.trainee)).await.ok(200);
        assert_eq!(growth["accounts"][0]["snapshots"][0]["id"], kept["id"]);
        assert_eq!(growth["person"]["name"], "向春桃");
    }
    assert_eq!(desk.school.get(&room.stranger, path).await.code(404), "not_found");
    let growth = format!("/trainees/{}/growth", room.trainee);
    assert_eq!(desk.school.get(&room.stranger, &growth).await.code(404), "not_found");

    // A correction takes its place; what was read first stays, with its own picture.
    let right = [("as_of_on", day.as_str()), ("window_days", "90"), ("followers", "206"), ("lives", "0")];
    let corrected = desk.record(&room.staff, &right, Some(&png)).await.ok(201);
    let shown = desk.school.get(&room.staff, &growth).await.ok(200);
    let all = shown["accounts"][0]["snapshots"].as_array().unwrap();
    let superseded: Vec<_> = all.iter().map(|s| (s["id"] == corrected["id"], s["superseded"].as_bool())).collect();
    assert_eq!(superseded.len(), 2);
    assert!(superseded.contains(&(true, Some(false))) && superseded.contains(&(false, Some(true))));
    assert_eq!(desk.kept(), 2);
}

#[tokio::test]
async fn who_may_not_record_leaves_no_trace() {
    let desk = Desk::open().await;
    let (room, day) = (&desk.school.room, today());
    let png = picture(ImageFormat::Png, 90, 160);
    let fields = [("as_of_on", day.as_str()), ("window_days", "90"), ("followers", "260")];
    for who in [&room.mentor, &room.trainee, &room.stranger] {
        assert_eq!(desk.record(who, &fields, Some(&png)).await.code(404), "not_found");
        let path = format!("/trainees/{}/accounts", room.trainee);
        let new = json!({"platform": "weibo", "handle": "x", "opened_on": "2025-06-16"});
        assert_eq!(desk.school.post(who, &path, new).await.code(404), "not_found");
    }
    assert_eq!(desk.kept(), 0);
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let desk = Desk::open().await;
    let (staff, day) = (&desk.school.room.staff, today());
    let tomorrow = weijia_core::time::Day::from(At::now().china_date()).plus_days(1).to_string();
    let png = picture(ImageFormat::Png, 90, 160);
    let good = [("as_of_on", day.as_str()), ("window_days", "90"), ("followers", "260")];
    let with = |name: &'static str, value: &'static str| [good[0], good[1], (name, value)];
    for fields in [
        with("followers", "二百六"),
        with("followers", "1.2万"),
        with("views", "-1"),
        with("active_weeks", "20"),
        with("nothing", "1"),
        [("as_of_on", &tomorrow), good[1], good[2]],
        [("as_of_on", "昨天"), good[1], good[2]],
        [("as_of_on", "2020-01-01"), good[1], good[2]],
        [good[0], ("window_days", "0"), good[2]],
    ] {
        assert_eq!(desk.record(staff, &fields, Some(&png)).await.code(422), "snapshot_invalid", "{fields:?}");
    }
    assert_eq!(desk.record(staff, &good[1..], Some(&png)).await.code(422), "snapshot_invalid");
    assert_eq!(desk.record(staff, &good, None).await.code(422), "evidence_invalid");
    assert_eq!(desk.record(staff, &good, Some(b"<html>")).await.code(422), "evidence_invalid");
    assert_eq!(desk.record(staff, &good, Some(&vec![0; MOST_BYTES + (80 << 10)])).await.code(422), "evidence_invalid");
    assert_eq!(desk.kept(), 0, "nothing that no row speaks of stays behind");
    let path = format!("/accounts/{}/snapshots", desk.account);
    assert_eq!(desk.school.post(staff, &path, json!({})).await.code(422), "bad_request");
    let taken = json!({"platform": "douyin", "handle": "里耶比耳村", "opened_on": "2025-06-16"});
    let path = format!("/trainees/{}/accounts", desk.school.room.stranger);
    assert_eq!(desk.school.post(staff, &path, taken).await.code(409), "account_taken");
}
