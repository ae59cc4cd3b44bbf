//! Who may: every way to ask without the right to.

use std::time::{Duration, SystemTime};

use crate::support::sign::{Answer, Ask, Payload, exchange};
use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

fn replaced(request: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = request.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    [&request[..at], to.as_bytes(), &request[at + from.len()..]].concat()
}

async fn is_untouched(store: &Store) {
    assert_eq!(store.text("a").await, "secret");
    let page = store.storage.list("", None).await.unwrap();
    assert_eq!(page.objects.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

async fn two() -> Store {
    let store = store().await;
    store.put("a", "secret").await;
    store.put("b", "other").await;
    store
}

#[tokio::test]
async fn what_was_signed_is_answered() {
    let store = two().await;
    assert_eq!(Ask::object(&store, "GET", "a").send().await.text(), "secret");
    let put = Ask::object(&store, "PUT", "b").signed("content-type", "text/html").body("new").send().await;
    assert_eq!(put.outcome(), "200", "{}", put.text());
    assert_eq!(store.text("b").await, "new");
    let target = Ask::object(&store, "GET", "a").presigned(60);
    let answer = Ask::object(&store, "GET", "a").by_address(&target).await;
    assert_eq!(answer.text(), "secret");
    let put = Ask::object(&store, "PUT", "b").body("given");
    assert_eq!(put.by_address(&put.presigned(60)).await.outcome(), "200");
    assert_eq!(store.text("b").await, "given");
}

#[tokio::test]
async fn a_change_after_signing_is_refused() {
    let store = two().await;
    let path = |key: &str| format!("/{}/{key}", store.bucket());
    let put = Ask::object(&store, "PUT", "a").signed("content-type", "text/plain").body("forged").request();
    let get = Ask::object(&store, "GET", "a").query("response-content-type", "text/plain").request();
    for (what, request) in [
        ("the path", replaced(&put, &format!("PUT {}", path("a")), &format!("PUT {}", path("b")))),
        ("the method", replaced(&get, "GET ", "DELETE ")),
        ("a header", replaced(&put, "content-type: text/plain", "content-type: text/html")),
        ("the query", replaced(&get, "text%2Fplain", "text%2Fhtml")),
        ("one more parameter", replaced(&get, "?", "?versionId=null&")),
        ("the body", replaced(&put, "forged", "FORGED")),
        ("the signature", replaced(&put, "Signature=", "Signature=0")),
        ("the hash of the body", replaced(&put, "x-amz-content-sha256: ", "x-amz-content-sha256: 0")),
    ] {
        let answer = exchange(&store.host(), &request).await;
        assert!((400..=403).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("secret"), "{what}");
    }
    is_untouched(&store).await;
}

/// Whoever was given an address may add headers, but none that tells the store to do something else.
#[tokio::test]
async fn a_signed_address_is_for_what_was_signed_only() {
    let store = two().await;
    let put = Ask::object(&store, "PUT", "b");
    let target = put.presigned(60);
    let answer = put.unsigned("x-amz-copy-source", &format!("/{}/a", store.bucket())).by_address(&target).await;
    assert_ne!(answer.status, 200, "an address to put b would have read a");
    assert_eq!(store.text("b").await, "other");
    let get = Ask::object(&store, "GET", "a");
    let target = get.presigned(60);
    for (what, other) in [
        ("another key", target.replacen("/a?", "/b?", 1)),
        ("a longer time", target.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")),
        ("one more parameter", format!("{target}&response-content-type=text%2Fhtml")),
        ("a sub-resource", format!("{target}&acl")),
        ("another day", replaced_date(&target)),
    ] {
        assert_ne!(target, other, "{what}");
        let answer = get.by_address(&other).await;
        assert!((400..=403).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("secret"), "{what}");
    }
    assert_eq!(Ask::object(&store, "DELETE", "a").by_address(&target).await.status, 403);
    is_untouched(&store).await;
}

fn replaced_date(target: &str) -> String {
    let at = target.find("X-Amz-Date=").unwrap() + "X-Amz-Date=".len();
    format!("{}2020{}", &target[..at], &target[at + 4..])
}

#[tokio::test]
async fn a_signed_address_lives_as_long_as_it_says() {
    let store = two().await;
    let get = |at: SystemTime| Ask::object(&store, "GET", "a").at(at);
    let now = SystemTime::now();
    let ask = async |at: SystemTime, seconds: i64| get(at).by_address(&get(at).presigned(seconds)).await;
    assert_eq!(ask(now - 10 * MINUTE, 3600).await.text(), "secret");
    for (at, seconds) in [(now - 60 * MINUTE, 60), (now - Duration::from_secs(8 * 86_400), 604_800)] {
        let late = ask(at, seconds).await;
        assert!((400..=403).contains(&late.status) && !late.text().contains("secret"), "{}", late.status);
        assert!(!store.embedded || late.outcome() == "AccessDenied", "{}", late.outcome());
    }
    for seconds in [604_801, 0, -60] {
        assert!((400..=403).contains(&ask(now, seconds).await.status), "{seconds} s");
    }
    if store.embedded {
        assert_eq!(ask(now + 20 * MINUTE, 3600).await.outcome(), "RequestTimeTooSkewed");
        for seconds in [604_801, 0, -1, 99_999_999_999] {
            assert_eq!(ask(now, seconds).await.outcome(), "AuthorizationQueryParametersError", "{seconds}");
        }
        let (target, at) = (get(now).presigned(60), "X-Amz-Signature=");
        let (rest, signature) = target.split_once(at).unwrap();
        let capitals = get(now).by_address(&format!("{rest}{at}{}", signature.to_uppercase())).await;
        assert_eq!((capitals.status, capitals.outcome().as_str()), (403, "SignatureDoesNotMatch"));
        let undated = get(now).by_address(&target.replace("X-Amz-Date", "x-amz-dat")).await;
        assert_eq!(undated.outcome(), "AuthorizationQueryParametersError");
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_so() {
    let store = two().await;
    if !store.embedded {
        return;
    }
    let now = SystemTime::now();
    for (at, outcome) in [
        (now - 14 * MINUTE, "200"),
        (now + 14 * MINUTE, "200"),
        (now - 16 * MINUTE, "RequestTimeTooSkewed"),
        (now + 16 * MINUTE, "RequestTimeTooSkewed"),
    ] {
        assert_eq!(Ask::object(&store, "GET", "a").at(at).send().await.outcome(), outcome);
    }
}

#[tokio::test]
async fn another_key_or_scope_gets_nothing() {
    let store = two().await;
    let get = || Ask::object(&store, "GET", "a");
    let (access, secret) = (store.settings.access_key.clone(), store.settings.secret_key.clone());
    for (ask, what) in [
        (get().key(&access, "a guess"), "another secret"),
        (get().key("a stranger", &secret), "another access key"),
        (get().key("", ""), "no key"),
    ] {
        for answer in [ask.send().await, ask.by_address(&ask.presigned(60)).await] {
            assert!((400..=403).contains(&answer.status), "{what}: {}", answer.status);
            assert!(!answer.text().contains("secret"), "{what}");
            if store.embedded && what == "another access key" {
                assert_eq!((answer.status, answer.outcome().as_str()), (403, "InvalidAccessKeyId"));
            }
        }
    }
    for (scope, fine) in
        [(("us-east-1", "sts"), false), (("us-east-1", "ec2"), false), (("mars", "s3"), store.embedded)]
    {
        let mut ask = get();
        ask.scope = scope;
        for answer in [ask.send().await, ask.by_address(&ask.presigned(60)).await] {
            assert_eq!(answer.status == 200, fine, "{scope:?}: {}", answer.text());
        }
    }
    let anonymous = format!("GET /{}/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", store.bucket());
    assert_eq!(exchange(&store.host(), anonymous.as_bytes()).await.status, 403, "nobody at all");
}

fn chunked(store: &Store, body: &str) -> Ask {
    let mut ask = Ask::object(store, "PUT", "chunked").body(body).signed("content-encoding", "aws-chunked,gzip");
    ask.payload = Payload::Chunks;
    ask
}

#[tokio::test]
async fn every_chunk_is_verified() {
    let store = two().await;
    let answer = chunked(&store, "first half, second half").send().await;
    assert_eq!(answer.outcome(), "200", "{}", answer.text());
    assert_eq!(store.text("chunked").await, "first half, second half");
    let head = store.client.head_object().bucket(store.bucket()).key("chunked").send().await.unwrap();
    if store.embedded {
        assert_eq!(head.content_encoding(), Some("gzip"), "how it travelled is no business of who reads it");
    }
    store.storage.delete("chunked").await.unwrap();

    let whole = chunked(&store, "first half, second half").request();
    let last = whole.windows(18).rposition(|window| window == b"0;chunk-signature=").unwrap();
    let short = chunked(&store, "first half, second half").signed("x-amz-decoded-content-length", "20").request();
    let long = chunked(&store, "first half, second half").signed("x-amz-decoded-content-length", "99").request();
    let second = whole.windows(6).position(|window| window == b"second").unwrap();
    let mut cut = whole[..second].to_vec();
    cut = replaced(
        &cut,
        &format!("content-length: {}", body_len(&whole)),
        &format!("content-length: {}", body_len(&cut)),
    );
    for (what, request) in [
        ("a changed chunk", replaced(&whole, "econd", "ECOND")),
        ("a changed signature", [&whole[..last + 18], &[whole[last + 18] ^ 1], &whole[last + 19..]].concat()),
        ("a chunk that breaks off", cut),
        ("fewer bytes than came", short),
        ("more bytes than came", long),
    ] {
        assert_ne!(request, whole, "{what}");
        if !store.embedded && what.contains("bytes than came") {
            // Garage goes by the chunks.
            continue;
        }
        let answer: Answer = exchange(&store.host(), &request).await;
        if store.embedded {
            assert!((400..=403).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
            assert_eq!(store.storage.head("chunked").await.unwrap(), None, "{what}");
        }
    }
    is_untouched(&store).await;
}

fn body_len(request: &[u8]) -> usize {
    request.len() - request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() - 4
}
