//! Who may: those who sign with the key, and those to whom they gave a signed address, for as long as it says.

use std::time::{Duration, SystemTime};

use crate::support::*;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RequestChecksumCalculation, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::SdkBody;

/// A presigned GET of `a`, as path and query.
async fn presigned(running: &Running, config: PresigningConfig) -> String {
    let request = running.client.get_object().bucket(BUCKET).key("a").presigned(config).await.unwrap();
    request.uri().strip_prefix(&format!("http://{}", running.address)).unwrap().to_owned()
}

async fn get(running: &Running, path: &str) -> String {
    let host = running.address;
    raw(host, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}

fn status(answer: &str) -> &str {
    answer.split_whitespace().nth(1).unwrap_or("nothing")
}

#[tokio::test]
async fn nobody_gets_in_without_a_signature() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("a", "text/plain", "secret").await.unwrap();
    for path in ["/", "/weijia", "/weijia/a", "/weijia/a?uploads", "/weijia?list-type=2", "/weijia/../weijia/a"] {
        let answer = get(&running, path).await;
        assert_eq!(status(&answer), "403", "{path}: {answer}");
        assert!(!answer.contains("secret"));
    }
    for method in ["PUT", "DELETE", "POST", "HEAD"] {
        let host = running.address;
        let request =
            format!("{method} /weijia/a HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let answer = raw(host, &request).await;
        assert!(["403", "405", "501", "400"].contains(&status(&answer)), "{method}: {answer}");
    }
    assert_eq!(running.storage.get("a").await.unwrap(), "secret");
}

#[tokio::test]
async fn another_key_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("a", "text/plain", "secret").await.unwrap();
    let stranger = client(running.address, "a guess");
    assert_eq!(code(stranger.get_object().bucket(BUCKET).key("a").send().await), "SignatureDoesNotMatch");
    assert_eq!(code(stranger.list_buckets().send().await), "SignatureDoesNotMatch");
    let put = stranger.put_object().bucket(BUCKET).key("b").body(b"x".to_vec().into()).send().await;
    assert_eq!(code(put), "SignatureDoesNotMatch");
    assert_eq!(kept(folder.path()), 1);
}

#[tokio::test]
async fn a_tampered_request_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("a", "text/plain", "secret").await.unwrap();
    running.storage.put("b", "text/plain", "other").await.unwrap();
    let path = presigned(&running, PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()).await;
    let other = path.replace("/weijia/a?", "/weijia/b?");
    assert_ne!(path, other);
    assert_eq!(status(&get(&running, &other).await), "403");
    let longer = path.replace("X-Amz-Expires=60", "X-Amz-Expires=6000");
    assert_ne!(path, longer);
    assert_eq!(status(&get(&running, &longer).await), "403");
    let host = running.address;
    let delete = format!("DELETE {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&raw(host, &delete).await), "403");
    assert_eq!(running.storage.get("a").await.unwrap(), "secret");
}

/// Changes the body after the request was signed.
#[derive(Debug)]
struct Swap;

impl Intercept for Swap {
    fn name(&self) -> &'static str {
        "swap"
    }
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *context.request_mut().body_mut() = SdkBody::from("forged");
        Ok(())
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let put = running.client.put_object().bucket(BUCKET).key("a").body(b"signed".to_vec().into());
    // Without the checksum that the SDK would add, only the signature guards the body.
    let plain = aws_sdk_s3::Config::builder().request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    assert_eq!(
        code(put.customize().config_override(plain).interceptor(Swap).send().await),
        "XAmzContentSHA256Mismatch"
    );
    assert_eq!(running.storage.head("a").await.unwrap(), None);
    settles_at(folder.path(), 0).await;
}

#[tokio::test]
async fn a_signed_address_works_until_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("a", "text/plain", "shared").await.unwrap();
    let path = presigned(&running, PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()).await;
    let answer = get(&running, &path).await;
    assert!(status(&answer) == "200" && answer.ends_with("shared"), "{answer}");

    let hour = Duration::from_secs(3600);
    let past = PresigningConfig::builder().start_time(SystemTime::now() - 2 * hour).expires_in(hour).build().unwrap();
    let answer = get(&running, &presigned(&running, past).await).await;
    assert_eq!(status(&answer), "403", "{answer}");
    assert!(!answer.contains("shared"));
}

#[tokio::test]
async fn a_browser_may_read_what_it_has_a_signed_address_for() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("a", "text/plain", "shared").await.unwrap();
    let path = presigned(&running, PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()).await;
    let host = running.address;
    let origin = "Origin: https://example.cn\r\nConnection: close\r\n";
    let answer = raw(host, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{origin}\r\n")).await.to_lowercase();
    assert!(answer.contains("access-control-allow-origin: *\r\n"), "{answer}");
    assert!(answer.contains("access-control-expose-headers: etag"), "{answer}");
    let asked = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type\r\n";
    let preflight = format!("OPTIONS /weijia/a HTTP/1.1\r\nHost: {host}\r\n{origin}{asked}\r\n");
    let answer = raw(host, &preflight).await.to_lowercase();
    assert_eq!(status(&answer), "204");
    assert!(answer.contains("access-control-allow-headers: content-type\r\n"), "{answer}");
    assert!(answer.contains("access-control-allow-methods: get, head, put, post, delete\r\n"), "{answer}");
}
