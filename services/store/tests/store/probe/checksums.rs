//! Checksums beside the bytes, before them and behind them.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};

use crate::support::sign::{Ask, Payload};
use crate::support::*;

/// Of `hello`, by other implementations.
const HELLO: [(&str, &str); 5] = [
    ("crc32", "NhCmhg=="),
    ("crc32c", "mnG7TA=="),
    ("crc64nvme", "M3eFcAZSQlc="),
    ("sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
    ("sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
];

#[tokio::test]
async fn each_checksum_is_verified_and_told_again() {
    let store = store().await;
    for (name, sum) in HELLO {
        let header = format!("x-amz-checksum-{name}");
        let put = Ask::object(&store, "PUT", name).signed(&header, sum).body("hello").send().await;
        assert_eq!(put.outcome(), "200", "{name}: {}", put.text());
        let get = Ask::object(&store, "GET", name).signed("x-amz-checksum-mode", "ENABLED").send().await;
        assert_eq!((get.text().as_str(), get.header(&header)), ("hello", Some(sum)), "{name}");
        let wrong = Ask::object(&store, "PUT", name).signed(&header, sum).body("hellO").send().await;
        assert_eq!(wrong.status, 400, "{name}: {}", wrong.text());
        assert_eq!(store.text(name).await, "hello");
        if store.embedded {
            assert_eq!(wrong.outcome(), "BadDigest", "{name}");
            let piece = Ask::object(&store, "GET", name).signed("x-amz-checksum-mode", "ENABLED");
            let piece = piece.unsigned("range", "bytes=0-1").send().await;
            assert_eq!(piece.header(&header), None, "the sum of the whole says nothing about a piece");
        }
    }
}

#[tokio::test]
async fn the_clients_own_checksums_pass() {
    let store = store().await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let put = store.client.put_object().bucket(store.bucket()).key("a").checksum_algorithm(algorithm.clone());
        put.body(ByteStream::from(noise(300_000, 3))).send().await.unwrap_or_else(|e| panic!("{algorithm:?}: {e:?}"));
        let get = store.client.get_object().bucket(store.bucket()).key("a").checksum_mode(ChecksumMode::Enabled);
        let body = get.send().await.unwrap().body.collect().await.unwrap().into_bytes();
        assert!(body == noise(300_000, 3), "{algorithm:?}: the SDK verified it on the way");
    }
}

#[tokio::test]
async fn a_checksum_behind_the_body_is_verified() {
    let store = store().await;
    let put = |trailer: &str| {
        let mut ask = Ask::object(&store, "PUT", "a").body("hello").signed("x-amz-trailer", "x-amz-checksum-crc32");
        ask.payload = Payload::Trailer;
        ask.unsigned("trailer", trailer)
    };
    let right = put("x-amz-checksum-crc32:NhCmhg==").send().await;
    assert_eq!(right.outcome(), "200", "{}", right.text());
    store.storage.delete("a").await.unwrap();
    let wrong = put("x-amz-checksum-crc32:AAAAAA==").send().await;
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    if store.embedded {
        assert_eq!(wrong.outcome(), "BadDigest");
        for missing in ["", "x-amz-checksum-crc32c:mnG7TA==", "x-amz-meta-a:b"] {
            let answer = put(missing).send().await;
            assert_eq!((answer.status, answer.outcome().as_str()), (400, "MalformedTrailerError"), "{missing}");
        }
    }
    assert_eq!(store.storage.head("a").await.unwrap(), None);
}

#[tokio::test]
async fn content_md5_is_verified() {
    let store = store().await;
    let put = async |md5: &str| Ask::object(&store, "PUT", "a").signed("content-md5", md5).body("hello").send().await;
    assert_eq!(put("XUFAKrxLKna5cZ2REBfFkg==").await.outcome(), "200");
    for (md5, code) in
        [("AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"), ("XUFAKrxL", "InvalidDigest"), ("!", "InvalidDigest")]
    {
        let answer = put(md5).await;
        assert_eq!(answer.status, 400, "{md5}");
        if store.embedded {
            assert_eq!(answer.outcome(), code, "{md5}");
        }
    }
}
