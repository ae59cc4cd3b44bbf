use axum::Router;
use axum::body::Body;
use axum::extract::Request as Incoming;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::IntoResponse;
use weijia_core::ids::{ClipId, UserId, VersionId};
use weijia_core::review::testing as rows;
use weijia_core::time::{At, Millis};

use super::{range, token};
use crate::testing::{Answer, School};

const FILM: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// As much of a store as reading needs: every key holds the same film.
async fn store() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serve = |request: Incoming| async move {
        let asked = range::parse(request.headers().get(header::RANGE).and_then(|v| v.to_str().ok()));
        let Some((first, last)) = range::resolve(asked, FILM.len() as u64) else {
            let body = "<Error><Code>InvalidRange</Code></Error>";
            return (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_TYPE, "application/xml")], body)
                .into_response();
        };
        let part = &FILM[first as usize..=last as usize];
        let headers = [
            (header::ETAG, "\"film\"".to_owned()),
            (header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", FILM.len())),
        ];
        (StatusCode::PARTIAL_CONTENT, headers, part).into_response()
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(serve)).await });
    address
}

async fn clip(school: &School) -> (ClipId, VersionId) {
    let mut tx = school.db.write().await.unwrap();
    let made = rows::clip(&mut tx, &school.room.trainee, Some(&school.room.cohort), Some("A1")).await;
    tx.commit().await.unwrap();
    made
}

async fn rung(school: &School, version: &VersionId, attempt: i64, name: &str, segments: i64, complete: bool) {
    let mut tx = school.db.write().await.unwrap();
    rows::rendition(&mut tx, version, attempt, name, segments, complete).await;
    tx.commit().await.unwrap();
}

fn path(school: &School, user: &UserId, version: &VersionId, file: &str) -> String {
    format!("/media/{}/{version}/{file}", token::sign(&school.keys, user, version, At::now()))
}

async fn fetch(school: &School, path: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, *value));
    school.send(request.body(Body::empty()).unwrap()).await
}

fn given(answer: &Answer, name: header::HeaderName) -> &str {
    answer.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn playlists_show_what_is_committed() {
    let school = School::open().await;
    let (id, version) = clip(&school).await;
    let her = &school.room.trainee;
    let master = path(&school, her, &version, "master.m3u8");
    fetch(&school, &master, &[]).await.code(404);
    rung(&school, &version, 1, "480", 0, false).await;
    fetch(&school, &master, &[]).await.code(404);
    rung(&school, &version, 2, "480", 3, false).await;
    let clip = school.get(her, &format!("/clips/{id}")).await.ok(200);
    let hls = clip["media"]["hls"].as_str().unwrap();
    let text = String::from_utf8(fetch(&school, hls, &[]).await.body).unwrap();
    assert!(text.contains("\n480/index.m3u8\n"), "{text}");
    rung(&school, &version, 2, "360", 2, true).await;
    let text = String::from_utf8(fetch(&school, hls, &[]).await.body).unwrap();
    assert!(text.contains("\n360/index.m3u8\n") && !text.contains("480"), "one is whole: {text}");
    let growing = fetch(&school, &hls.replace("master", "480/index"), &[]).await;
    assert_eq!(given(&growing, header::CACHE_CONTROL), "no-store");
    assert_eq!(given(&growing, header::CONTENT_TYPE), "application/vnd.apple.mpegurl");
    let text = String::from_utf8(growing.body).unwrap();
    assert!(text.contains("EVENT") && text.contains("2.m4s?a=2") && !text.contains("ENDLIST"), "{text}");
    let whole = fetch(&school, &hls.replace("master", "360/index"), &[]).await;
    assert!(String::from_utf8(whole.body).unwrap().ends_with("#EXT-X-ENDLIST\n"));
    fetch(&school, &hls.replace("master", "720/index"), &[]).await.code(404);
}

#[tokio::test]
async fn a_path_is_for_one_person_one_version_and_some_hours() {
    let school = School::open().await;
    let room = &school.room;
    let (id, version) = clip(&school).await;
    let (_, other) = clip(&school).await;
    for v in [&version, &other] {
        rung(&school, v, 1, "480", 1, true).await;
    }
    let hers = path(&school, &room.trainee, &version, "master.m3u8");
    assert_eq!(fetch(&school, &hers, &[]).await.status, 200);
    for (what, forged) in [
        ("another version", hers.replace(version.as_str(), other.as_str())),
        ("a changed token", hers.replacen("/media/A", "/media/B", 1)),
        ("no token", format!("/media/x/{version}/master.m3u8")),
        ("a stranger's token", path(&school, &room.stranger, &version, "master.m3u8")),
        ("an odd file", path(&school, &room.trainee, &version, "original.mp4")),
        ("a way up", path(&school, &room.trainee, &version, "..%2f..%2fsecret")),
    ] {
        assert_ne!(forged, hers, "{what}");
        assert_eq!(fetch(&school, &forged, &[]).await.code(404), "not_found", "{what}");
    }
    let long_ago = At::now() - Millis::hours(8);
    let over = format!("/media/{}/{version}/master.m3u8", token::sign(&school.keys, &room.trainee, &version, long_ago));
    fetch(&school, &over, &[]).await.code(404);

    // Signed in as somebody else, her path opens nothing; for herself it does.
    assert_eq!(school.ask(Some(&room.trainee), Method::GET, &hers, None).await.status, 200);
    school.ask(Some(&room.mentor), Method::GET, &hers, None).await.code(404);
    let mentors = path(&school, &room.mentor, &version, "master.m3u8");
    assert_eq!(fetch(&school, &mentors, &[]).await.status, 200);
    school.delete(&room.trainee, &format!("/clips/{id}")).await.ok(204);
    for path in [hers, mentors] {
        fetch(&school, &path, &[]).await.code(404);
    }
}

#[tokio::test]
async fn a_film_is_streamed_by_ranges() {
    let school = School::with_storage(&store().await).await;
    let (_, version) = clip(&school).await;
    let film = path(&school, &school.room.trainee, &version, "video.mp4");
    let whole = fetch(&school, &film, &[]).await;
    assert_eq!((whole.status.as_u16(), whole.body.as_slice()), (200, FILM));
    assert_eq!((given(&whole, header::CONTENT_TYPE), given(&whole, header::ACCEPT_RANGES)), ("video/mp4", "bytes"));
    assert_eq!(given(&whole, header::CONTENT_LENGTH), "36");
    for (asked, span, bytes) in [
        ("bytes=0-1", "bytes 0-1/36", &FILM[..2]),
        ("bytes=30-", "bytes 30-35/36", &FILM[30..]),
        ("bytes=-4", "bytes 32-35/36", &FILM[32..]),
        ("bytes=10-999", "bytes 10-35/36", &FILM[10..]),
    ] {
        let part = fetch(&school, &film, &[(header::RANGE, asked)]).await;
        assert_eq!((part.status.as_u16(), given(&part, header::CONTENT_RANGE)), (206, span));
        assert_eq!(part.body, bytes, "{asked}");
    }
    let outside = fetch(&school, &film, &[(header::RANGE, "bytes=99-")]).await;
    assert_eq!((outside.status.as_u16(), given(&outside, header::CONTENT_RANGE)), (416, "bytes */36"));
    let tag = given(&whole, header::ETAG).to_owned();
    let same = fetch(&school, &film, &[(header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!((same.status.as_u16(), same.body.len()), (304, 0));
    let stale = fetch(&school, &film, &[(header::RANGE, "bytes=0-1"), (header::IF_RANGE, "\"old\"")]).await;
    assert_eq!(stale.status, 200);
}

#[tokio::test]
async fn a_segment_is_kept_for_ever_under_the_attempt_that_made_it() {
    let school = School::with_storage(&store().await).await;
    let (_, version) = clip(&school).await;
    rung(&school, &version, 3, "480", 1, true).await;
    let her = &school.room.trainee;
    for file in ["480/init.mp4?a=3", "480/0.m4s?a=3"] {
        let answer = fetch(&school, &path(&school, her, &version, file), &[]).await;
        assert_eq!(answer.status, 200, "{file}");
        assert_eq!(given(&answer, header::CACHE_CONTROL), "private, max-age=31536000, immutable");
    }
    assert_eq!(fetch(&school, &path(&school, her, &version, "480/0.m4s"), &[]).await.status, 200);
    for missing in ["480/1.m4s?a=3", "480/0.m4s?a=2", "480/x.m4s", "360/0.m4s", "480/0.ts"] {
        fetch(&school, &path(&school, her, &version, missing), &[]).await.code(404);
    }
}
