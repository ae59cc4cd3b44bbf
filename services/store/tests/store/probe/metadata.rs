//! What is said about an object beside its bytes.

use crate::support::sign::Ask;
use crate::support::*;

#[tokio::test]
async fn chinese_comes_back_as_it_was_said() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    let put = Ask::object(&store, "PUT", "a").signed("x-amz-meta-village", "微家村").body("x").send().await;
    assert_eq!(put.outcome(), "200", "{}", put.text());
    // As RFC 2047 writes it, which is how S3 answers and may be asked.
    let told = Ask::object(&store, "HEAD", "a").send().await;
    let written = told.header("x-amz-meta-village").unwrap().to_owned();
    assert!(written.starts_with("=?UTF-8?"), "{written}");
    let again = Ask::object(&store, "PUT", "b").signed("x-amz-meta-village", &written).body("x").send().await;
    assert_eq!(again.outcome(), "200");
    assert_eq!(Ask::object(&store, "HEAD", "b").send().await.header("x-amz-meta-village"), Some(written.as_str()));
}

#[tokio::test]
async fn two_kilobytes_and_not_one_more() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    let put = async |len: usize| {
        Ask::object(&store, "PUT", "a").signed("x-amz-meta-a", &"v".repeat(len)).body("x").send().await.outcome()
    };
    assert_eq!(put(2047).await, "200");
    assert_eq!(put(2048).await, "MetadataTooLarge");
    let create = Ask::object(&store, "POST", "a").query("uploads", "").signed("x-amz-meta-a", &"v".repeat(2048));
    assert_eq!(create.send().await.outcome(), "MetadataTooLarge");
}

#[tokio::test]
async fn headers_come_back_and_can_be_overruled() {
    let store = store().await;
    let put = Ask::object(&store, "PUT", "a")
        .signed("cache-control", "private, max-age=60")
        .signed("content-disposition", "attachment; filename=\"a.mp4\"")
        .signed("content-encoding", "br")
        .signed("content-language", "zh-CN")
        .signed("content-type", "video/mp4")
        .signed("expires", "Sun, 06 Nov 2033 08:49:37 GMT")
        .body("x");
    assert_eq!(put.send().await.outcome(), "200");
    for method in ["GET", "HEAD"] {
        let answer = Ask::object(&store, method, "a").send().await;
        for (name, value) in &put.signed {
            assert_eq!(answer.header(name), Some(value.as_str()), "{method} {name}");
        }
    }
    let overruled = Ask::object(&store, "GET", "a")
        .query("response-content-type", "text/html")
        .query("response-content-disposition", "inline")
        .query("response-cache-control", "no-store");
    let answer = overruled.by_address(&overruled.presigned(60)).await;
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(answer.header("content-disposition"), Some("inline"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    store.put("plain", "x").await;
    let bare = Ask::object(&store, "PUT", "bare").body("x");
    assert_eq!(bare.send().await.outcome(), "200");
    if store.embedded {
        let answer = Ask::object(&store, "GET", "bare").send().await;
        assert_eq!(answer.header("content-type"), Some("binary/octet-stream"));
    }
}
