//! GET and HEAD of a part of an object.

use crate::support::sign::{Answer, Ask};
use crate::support::*;

async fn get(store: &Store, key: &str, headers: &[(&str, &str)]) -> Answer {
    let ask = headers.iter().fold(Ask::object(store, "GET", key), |ask, (name, value)| ask.unsigned(name, value));
    ask.send().await
}

#[tokio::test]
async fn every_form_of_a_range() {
    let store = store().await;
    store.put("a", "0123456789").await;
    for (range, content_range, body) in [
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=0-9", "bytes 0-9/10", "0123456789"),
        ("bytes=9-9", "bytes 9-9/10", "9"),
        ("bytes=4-", "bytes 4-9/10", "456789"),
        ("bytes=0-", "bytes 0-9/10", "0123456789"),
        ("bytes=8-99", "bytes 8-9/10", "89"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-10", "bytes 0-9/10", "0123456789"),
        ("bytes=-30", "bytes 0-9/10", "0123456789"),
        ("bytes=0-9223372036854775806", "bytes 0-9/10", "0123456789"),
    ] {
        let answer = get(&store, "a", &[("range", range)]).await;
        assert_eq!((answer.status, answer.header("content-range")), (206, Some(content_range)), "{range}");
        assert_eq!(answer.text(), body, "{range}");
        assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()), "{range}");
    }
}

#[tokio::test]
async fn a_range_outside_the_object_is_not_satisfiable() {
    let store = store().await;
    store.put("a", "0123456789").await;
    store.put("empty", "").await;
    for (key, range) in [
        ("a", "bytes=10-"),
        ("a", "bytes=10-20"),
        ("a", "bytes=9223372036854775806-"),
        ("a", "bytes=-0"),
        ("empty", "bytes=0-"),
        ("empty", "bytes=0-0"),
        ("empty", "bytes=-5"),
    ] {
        let answer = get(&store, key, &[("range", range)]).await;
        if store.embedded {
            assert_eq!((answer.status, answer.outcome().as_str()), (416, "InvalidRange"), "{key} {range}");
            let len = if key == "a" { 10 } else { 0 };
            assert_eq!(answer.header("content-range"), Some(format!("bytes */{len}").as_str()), "{key} {range}");
        } else {
            assert!(answer.status == 416 || answer.body.is_empty(), "{key} {range}: {}", answer.status);
        }
    }
}

/// Amazon ignores these and sends the object; we say so. Never is it a piece that wasn't asked for.
#[tokio::test]
async fn a_range_that_cannot_be_read_brings_no_piece() {
    let store = store().await;
    store.put("a", "0123456789").await;
    for range in [
        "bytes=",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=-",
        "bytes=1",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=--3",
        "bytes=0-1-2",
        "bytes 0-1",
        "bytes=18446744073709551616-",
        "0-1",
        "bytes=0x1-2",
        "bytes=+1-2",
    ] {
        let answer = get(&store, "a", &[("range", range)]).await;
        if store.embedded {
            assert!(
                ["InvalidArgument", "InvalidRange"].contains(&answer.outcome().as_str()),
                "{range}: {}",
                answer.status
            );
        } else {
            assert!(answer.status >= 400 || answer.text() == "0123456789", "{range}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn if_range_sends_a_piece_only_of_the_same_object() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    let etag = store.put("a", "0123456789").await;
    let told = get(&store, "a", &[]).await;
    let modified = told.header("last-modified").unwrap();
    for (holds, status, body) in [
        (etag.as_str(), 206, "234"),
        (modified, 206, "234"),
        ("\"00000000000000000000000000000000\"", 200, "0123456789"),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 200, "0123456789"),
        ("nonsense", 200, "0123456789"),
    ] {
        let answer = get(&store, "a", &[("range", "bytes=2-4"), ("if-range", holds)]).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{holds}");
    }
    let answer = get(&store, "a", &[("range", "bytes=99-"), ("if-range", "\"old\"")]).await;
    assert_eq!(answer.status, 200, "a range of another object is nobody's fault");
}

#[tokio::test]
async fn head_tells_about_the_same_range() {
    let store = store().await;
    store.put("a", "0123456789").await;
    let head = store.client.head_object().bucket(store.bucket()).key("a");
    let whole = head.clone().send().await.unwrap();
    assert_eq!((whole.content_length(), whole.accept_ranges()), (Some(10), Some("bytes")));
    assert_eq!(whole.e_tag(), Some("\"781e5e245d69b566979b86e28d23f2c7\""));
    if store.embedded {
        assert_eq!(head.range("bytes=2-4").send().await.unwrap().content_length(), Some(3));
    }
    let missing = Ask::object(&store, "HEAD", "missing").send().await;
    assert_eq!((missing.status, missing.body.len()), (404, 0));
}

#[tokio::test]
async fn a_part_can_be_read_by_its_number() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    let s3 = &store.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let one = s3.upload_part("v", &id, 1, noise(5 * MB, 1)).await.unwrap();
    let three = s3.upload_part("v", &id, 3, "the end").await.unwrap();
    s3.complete_multipart("v", &id, &[(1, one), (3, three)]).await.unwrap();
    let part =
        async |method, key: &str, no: &str| Ask::object(&store, method, key).query("partNumber", no).send().await;

    let answer = part("GET", "v", "1").await;
    assert_eq!((answer.status, answer.header("x-amz-mp-parts-count")), (206, Some("2")));
    assert!(answer.body == noise(5 * MB, 1));
    let answer = part("GET", "v", "3").await;
    assert_eq!((answer.status, answer.text().as_str()), (206, "the end"));
    assert_eq!(answer.header("content-range"), Some("bytes 5242880-5242886/5242887"));
    let answer = part("HEAD", "v", "3").await;
    assert_eq!(answer.header("content-length"), Some("7"));
    for no in ["2", "4", "10000", "0", "-1"] {
        let answer = part("GET", "v", no).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (416, "InvalidPartNumber"), "{no}");
    }
    store.put("plain", "one piece").await;
    assert_eq!(part("GET", "plain", "1").await.text(), "one piece");
    assert_eq!(part("GET", "plain", "2").await.status, 416);
    let both = Ask::object(&store, "GET", "v").query("partNumber", "1").unsigned("range", "bytes=0-1").send().await;
    assert_eq!(both.status, 400);
}
