//! What isn't done here is refused in words, and changes nothing; and the plain mechanics of a request.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::sign::{self, Ask, Payload};
use crate::support::*;

#[tokio::test]
async fn unknown_sub_resources_are_not_taken_for_the_object() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    store.put("a", "kept").await;
    for (method, names) in [
        ("GET", &["acl", "tagging", "retention", "legal-hold", "torrent", "attributes", "anything"][..]),
        ("PUT", &["acl", "tagging", "retention", "legal-hold", "renameObject", "encryption", "anything"]),
        ("DELETE", &["tagging", "anything"]),
        ("POST", &["restore", "anything"]),
    ] {
        for name in names {
            let answer = Ask::object(&store, method, "a").query(name, "").body("<x/>").send().await;
            assert!((400..=501).contains(&answer.status), "{method} ?{name}: {} {}", answer.status, answer.text());
            assert_ne!(answer.status, 500, "{method} ?{name}");
        }
    }
    let bucket = format!("/{}", store.bucket());
    for name in [
        "acl",
        "policy",
        "lifecycle",
        "cors",
        "encryption",
        "website",
        "notification",
        "replication",
        "tagging",
        "logging",
        "versions",
        "object-lock",
        "publicAccessBlock",
        "abac",
        "anything",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = Ask::new(&store, method, &bucket).query(name, "").body("").send().await;
            assert!((400..=501).contains(&answer.status), "{method} ?{name}: {} {}", answer.status, answer.text());
        }
        assert_eq!(Ask::new(&store, "GET", &bucket).query(name, "").send().await.outcome(), "NotImplemented", "{name}");
    }
    let versioning = Ask::new(&store, "GET", &bucket).query("versioning", "").send().await;
    assert!(versioning.status == 200 && !versioning.text().contains("Status"), "{}", versioning.text());
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let enable = Ask::new(&store, "PUT", &bucket).query("versioning", "").body(enabled).send().await;
    assert_eq!(enable.outcome(), "NotImplemented");
    let half = |name, value| Ask::object(&store, "PUT", "a").query(name, value).body("a part");
    assert_eq!(half("uploadId", "x").send().await.outcome(), "InvalidArgument");
    assert_eq!(half("partNumber", "1").send().await.outcome(), "InvalidArgument");
    assert_eq!(store.text("a").await, "kept");
    assert_eq!(store.storage.list("", None).await.unwrap().objects.len(), 1);
}

#[tokio::test]
async fn promises_that_would_not_be_kept_are_not_made() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    for (name, value) in [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", "id=x"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-object-lock-legal-hold", "ON"),
        ("x-amz-website-redirect-location", "/b"),
        ("x-amz-write-offset-bytes", "5"),
    ] {
        let answer = Ask::object(&store, "PUT", "a").signed(name, value).body("x").send().await;
        assert_eq!((answer.status, answer.outcome().as_str()), (501, "NotImplemented"), "{name}");
        let answer = Ask::object(&store, "POST", "a").query("uploads", "").signed(name, value).send().await;
        assert_eq!(answer.outcome(), "NotImplemented", "{name}");
    }
    let form = "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--x--\r\n";
    let post = Ask::new(&store, "POST", &format!("/{}", store.bucket())).body(form);
    let post = post.signed("content-type", "multipart/form-data; boundary=x").send().await;
    assert_eq!(post.outcome(), "NotImplemented");
    assert!(store.storage.list("", None).await.unwrap().objects.is_empty());
    for (name, value) in [("x-amz-acl", "private"), ("x-amz-storage-class", "STANDARD")] {
        assert_eq!(Ask::object(&store, "PUT", "a").signed(name, value).body("x").send().await.outcome(), "200");
    }
}

#[tokio::test]
async fn who_asks_first_is_told_whether_to_send() {
    let store = store().await;
    let ask = |key: &str| Ask::object(&store, "PUT", key).body("the body").signed("expect", "100-continue");
    let request = ask("a").request();
    let (head, body) = request.split_at(request.len() - "the body".len());
    let mut stream = TcpStream::connect(store.host()).await.unwrap();
    stream.write_all(head).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body).await.unwrap();
    assert_eq!(sign::read(&mut stream).await.status, 200);
    assert_eq!(store.text("a").await, "the body");
    if store.embedded {
        let request = ask("a").unsigned("if-none-match", "*").request();
        let mut stream = TcpStream::connect(store.host()).await.unwrap();
        stream.write_all(&request[..request.len() - "the body".len()]).await.unwrap();
        let answer = sign::read(&mut stream).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (412, "PreconditionFailed"), "and needn't send at all");
    }
}

#[tokio::test]
async fn a_body_has_a_length_of_five_gibibytes_at_most() {
    let store = store().await;
    let ask = || {
        let mut ask = Ask::object(&store, "PUT", "a").signed("expect", "100-continue");
        ask.payload = Payload::Unsigned;
        ask
    };
    if store.embedded {
        for len in ["5368709121", "99999999999999"] {
            let answer = ask().unsigned("content-length", len).send().await;
            assert_eq!(answer.outcome(), "EntityTooLarge", "{len}");
        }
        let endless = ask().unsigned("transfer-encoding", "chunked").request();
        let endless = [&endless[..], b"1\r\nx\r\n0\r\n\r\n"].concat();
        assert_eq!(sign::exchange(&store.host(), &endless).await.outcome(), "MissingContentLength");
    }
    assert_eq!(store.storage.head("a").await.unwrap(), None);
}

#[tokio::test]
async fn xml_is_short_and_says_how_long_it_is() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    let path = format!("/{}", store.bucket());
    let delete = |body: String| Ask::new(&store, "POST", &path).query("delete", "").body(body);
    let key = "<Delete><Object><Key>a</Key></Object></Delete>";
    let answer = delete(format!("{key}{}", " ".repeat(4 << 20))).send().await;
    assert_eq!((answer.status, answer.outcome().as_str()), (400, "MaxMessageLengthExceeded"), "{}", answer.text());
    let mut endless = delete(String::new());
    endless.payload = Payload::Unsigned;
    let mut request = endless.unsigned("transfer-encoding", "chunked").request();
    request.extend(format!("{:x}\r\n{key}\r\n0\r\n\r\n", key.len()).into_bytes());
    assert_eq!(sign::exchange(&store.host(), &request).await.outcome(), "MissingContentLength");
    let mut chunks = delete(key.into());
    chunks.payload = Payload::Chunks;
    assert_eq!(chunks.send().await.outcome(), "MissingContentLength");
    assert_eq!(delete("<Delete>".into()).send().await.outcome(), "MalformedXML");
    assert_eq!(delete(format!("{key}{}", " ".repeat(1 << 20))).send().await.outcome(), "200");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_so_everywhere() {
    let store = store().await;
    let path = |key: &str| format!("/nowhere-at-all{key}");
    for (method, key, query, body) in [
        ("GET", "/a", "", ""),
        ("PUT", "/a", "", "x"),
        ("DELETE", "/a", "", ""),
        ("POST", "/a", "uploads", ""),
        ("GET", "", "", ""),
        ("GET", "", "uploads", ""),
        ("GET", "", "location", ""),
        ("DELETE", "", "", ""),
        ("POST", "", "delete", "<Delete><Object><Key>a</Key></Object></Delete>"),
    ] {
        let mut ask = Ask::new(&store, method, &path(key)).body(body);
        if !query.is_empty() {
            ask = ask.query(query, "");
        }
        let answer = ask.send().await;
        assert_eq!((answer.status, answer.outcome().as_str()), (404, "NoSuchBucket"), "{method} {key}?{query}");
    }
}
