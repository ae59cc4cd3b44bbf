//! What a hostile client finds at the edge: every refusal has its one shape, and nothing makes it a fault of ours.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;
use weijia_core::ids::ItemId;
use weijia_core::review::Outcome;
use weijia_core::review::testing::{self as rows, reviewed, session};

use crate::testing::{Answer, School};

async fn raw(school: &School, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Answer {
    let token = session(&school.db, &school.room.trainee).await;
    let request = Request::builder().method(method).uri(path).header("cookie", format!("weijia={token}"));
    let request = request.header("content-type", kind).header("tus-resumable", "1.0.0");
    school.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_in_words() {
    let school = School::open().await;
    let json = "application/json";
    for (kind, body) in [
        (json, &b""[..]),
        (json, b"{"),
        (json, b"null"),
        (json, b"[[[[[[[["),
        (json, b"{\"phone\":\"\xff\",\"password\":\"x\"}"),
        (json, b"{\"phone\":\"\\ud800\",\"password\":\"x\"}"),
        (json, b"{\"phone\":1e999,\"password\":\"x\"}"),
        ("text/plain", b"{\"phone\":\"1\",\"password\":\"x\"}"),
        ("\u{80}", b"{}"),
    ] {
        let answer = raw(&school, "POST", "/api/v1/session", kind, body.to_vec()).await;
        assert_eq!(answer.code(422), "bad_request", "{kind} {body:?}");
    }
    let deep = [b"{\"phone\":".as_slice(); 50_000].concat();
    assert_eq!(raw(&school, "POST", "/api/v1/session", json, deep).await.code(422), "bad_request");
    let large = vec![b' '; 3 << 20];
    assert_eq!(raw(&school, "POST", "/api/v1/session", json, large).await.code(413), "too_large");
}

#[tokio::test]
async fn paths_and_methods_that_are_none_say_so() {
    let school = School::open().await;
    for (method, path, status, code) in [
        ("PATCH", "/api/v1/uploads/%ff", 404, "not_found"),
        ("GET", "/api/v1/clips/%00", 404, "not_found"),
        ("GET", "/api/v1/regions?parent=%00", 404, "not_found"),
        ("GET", "/api", 404, "not_found"),
        ("GET", "/media", 404, "not_found"),
        ("GET", "/media/x", 404, "not_found"),
        ("PUT", "/api/v1/clips", 405, "method_not_allowed"),
        ("TRACE", "/api/v1/session", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("PROPFIND", "/studio", 405, "method_not_allowed"),
    ] {
        assert_eq!(raw(&school, method, path, "", vec![]).await.code(status), code, "{method} {path}");
    }
    for path in ["/assets/", "/assets/../secret", "/assets/%00", "/.env"] {
        assert_eq!(raw(&school, "GET", path, "", vec![]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let refused = raw(&school, "PUT", "/api/v1/clips", "", vec![]).await;
    assert_eq!(refused.headers[header::ALLOW], "GET,HEAD");
    assert_eq!(refused.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn words_that_cannot_be_seen_are_none_and_a_flood_ends() {
    let school = School::open().await;
    let her = &school.room.trainee;
    let clip = reviewed(&school.db, &school.room, "A1", 4, Outcome::Pass).await;
    let path = format!("/clips/{clip}");
    for title in ["\0", "\u{200b}", "\u{202e}\u{2066}"] {
        assert_eq!(school.patch(her, &path, json!({"title": title})).await.code(422), "bad_title");
    }
    let renamed = school.patch(her, &path, json!({"title": "\u{202e}a\0b\n<i>🌼</i>"})).await.ok(200);
    assert_eq!(renamed["title"], "ab <i>🌼</i>");

    let sent = school.get(her, &format!("{path}/feedback")).await.ok(200);
    let item: ItemId = sent["reviews"][0]["items"][0]["id"].as_str().unwrap().parse().unwrap();
    let replies = format!("/feedback/{item}/replies");
    assert_eq!(school.post(her, &replies, json!({"body": "\u{200b}"})).await.code(422), "bad_reply");
    for n in 0..50 {
        school.post(her, &replies, json!({"body": format!("晓得了 {n}\0")})).await.ok(200);
    }
    assert_eq!(school.post(her, &replies, json!({"body": "还有"})).await.code(422), "replies_enough");
    let again = school.post(her, &replies, json!({"body": "晓得了 49"})).await.ok(200);
    assert_eq!(again["replies"].as_array().unwrap().len(), 50, "what was sent twice is still one");
}

#[tokio::test]
async fn a_draft_of_any_size_and_number_is_kept_or_refused() {
    let school = School::open().await;
    let (room, mut tx) = (&school.room, school.db.write().await.unwrap());
    let (clip, _) = rows::clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A1")).await;
    tx.commit().await.unwrap();
    school.act(&room.trainee, &format!("/clips/{clip}/submit")).await.ok(200);
    let queue = school.get(&room.mentor, "/review/tickets").await.ok(200);
    let path = format!("/review/tickets/{}", queue["tickets"][0]["id"].as_str().unwrap());
    school.act(&room.mentor, &format!("{path}/claim")).await.ok(200);
    let draft = format!("{path}/draft");
    let item = json!({"id": null, "kind": "fix", "t_start_ms": 0, "t_end_ms": null, "dim": null, "body": "近一点"});
    let at = |start: i64, end: Option<i64>| {
        let mut item = item.clone();
        (item["t_start_ms"], item["t_end_ms"]) = (json!(start), json!(end));
        json!({"rev": 0, "items": [item]})
    };
    let gone = "item_00000000000000000000000000";
    for input in [
        json!({"rev": 0, "items": vec![item.clone(); 10_000]}),
        json!({"rev": 0, "summary": "好".repeat(2001)}),
        json!({"rev": 0, "next_step": "好".repeat(600_000)}),
        json!({"rev": 0, "settled": vec![json!({"item_id": gone, "verdict": "verified"}); 10_000]}),
        at(i64::MAX, None),
        at(0, Some(i64::MAX)),
        at(-1, None),
    ] {
        assert_eq!(school.put(&room.mentor, &draft, input).await.code(422), "bad_draft");
    }
    for rev in [i64::MAX, i64::MIN, 7] {
        assert_eq!(school.put(&room.mentor, &draft, json!({"rev": rev})).await.code(409), "draft_is_old");
        let send = json!({"rev": rev, "outcome": "pass"});
        assert_eq!(school.post(&room.mentor, &format!("{path}/send"), send).await.code(409), "draft_is_old");
    }
    let kept = school.put(&room.mentor, &draft, json!({"rev": 0, "summary": "一\0\r\n二\u{202e}"})).await.ok(200);
    assert_eq!(kept["summary"], "一\n二");
}

#[tokio::test]
async fn one_person_begins_only_so_many_uploads() {
    let school = School::open().await;
    let begin = async |metadata: String| {
        let token = session(&school.db, &school.room.trainee).await;
        let request = Request::post("/api/v1/uploads").header("cookie", format!("weijia={token}"));
        let request = request.header("tus-resumable", "1.0.0").header("upload-length", "9");
        school.send(request.header("upload-metadata", metadata).body(Body::empty()).unwrap()).await
    };
    for n in 0..50 {
        let answer = begin(String::new()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{n}");
    }
    assert_eq!(begin(String::new()).await.code(422), "too_many_uploads");
    // The clip that would have been is not there either.
    let token = session(&school.db, &school.room.stranger).await;
    let clips = school.get(&school.room.trainee, "/clips?state=draft").await.ok(200);
    assert_eq!(clips["clips"].as_array().unwrap().len(), 30, "a page");
    let request = Request::post("/api/v1/uploads").header("cookie", format!("weijia={token}"));
    let request = request.header("tus-resumable", "1.0.0").header("upload-length", "9");
    assert_eq!(school.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::CREATED, "others go on");
    assert_eq!(begin(format!("title {}", "YWFh".repeat(3000))).await.code(400), "bad_upload_request");
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let app = axum::Router::new()
        .route("/", axum::routing::get(|| async { None::<()>.map_or_else(|| panic!("on purpose"), |()| "") }))
        .layer(axum::middleware::from_fn(crate::error::caught));
    let request = Request::builder().method(Method::GET).uri("/").body(Body::empty()).unwrap();
    let answer = tower::ServiceExt::oneshot(app, request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
