//! Whole objects: what is written is read back, by whole and by range, under any key.

use crate::support::*;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, MetadataDirective};
use futures_util::StreamExt;
use weijia_core::storage::{Range, StorageError};

#[tokio::test]
async fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path()).await.storage;
    let etag = s3.put("a", "text/plain", "hello").await.unwrap();
    assert_eq!(etag, "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(s3.get("a").await.unwrap(), "hello");
    let info = s3.head("a").await.unwrap().unwrap();
    assert_eq!((info.len, info.etag), (5, etag));
    assert_eq!(s3.get_range("a", Range::All).await.unwrap().content_type, "text/plain");

    s3.put("a", "text/plain", "again").await.unwrap();
    assert_eq!(s3.get("a").await.unwrap(), "again");
    s3.put("empty", "text/plain", "").await.unwrap();
    assert_eq!(s3.get("empty").await.unwrap(), "");

    s3.delete("a").await.unwrap();
    s3.delete("a").await.unwrap();
    assert_eq!(s3.get("a").await.unwrap_err(), StorageError::NotFound);
    assert_eq!(s3.head("a").await.unwrap(), None);
    settles_at(folder.path(), 1).await;
}

#[tokio::test]
async fn a_large_file_goes_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(&folder.path().join("store")).await.storage;
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::write(&from, noise(64 * MB + 3, 1)).unwrap();
    s3.put_file("big", "video/mp4", &from).await.unwrap();
    assert_eq!(s3.download_to("big", &to).await.unwrap(), 64 * MB as u64 + 3);
    assert!(std::fs::read(from).unwrap() == std::fs::read(to).unwrap());
}

#[tokio::test]
async fn a_key_never_becomes_a_path() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("store");
    std::fs::write(outer.path().join("other"), "untouched").unwrap();
    let running = start(&folder).await;
    let long = "微".repeat(341) + "x";
    assert_eq!(long.len(), 1024);
    let keys = [
        "..",
        ".",
        "../other",
        "../other/x",
        "../../x",
        "/",
        "//x",
        "/etc/passwd",
        "a//b",
        "a/./b",
        "a/../b",
        "%2e%2e",
        "%2e%2e/other",
        "x",
        "x/y",
        "x/",
        "x y+z&?#=",
        "index.db",
        "微家/视频.mp4",
        "\u{1f600}",
        &long,
    ];
    for (n, key) in keys.iter().enumerate() {
        running.storage.put(key, "text/plain", format!("body {n}")).await.unwrap_or_else(|e| panic!("{key}: {e}"));
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(running.storage.get(key).await.unwrap(), format!("body {n}"), "{key}");
    }
    let page = running.storage.list("", None).await.unwrap();
    let listed: Vec<&str> = page.objects.iter().map(|o| o.key.as_str()).collect();
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(listed, sorted);

    let refused = running.storage.put(&(long.clone() + "x"), "text/plain", "").await.unwrap_err();
    assert!(refused.to_string().contains("KeyTooLong"), "{refused}");

    assert_eq!(kept(&folder), keys.len());
    let outside = files(outer.path()).into_iter().filter(|path| !path.starts_with("store/"));
    assert_eq!(outside.collect::<Vec<_>>(), ["other"]);
    assert_eq!(std::fs::read_to_string(outer.path().join("other")).unwrap(), "untouched");
    for key in keys {
        running.storage.delete(key).await.unwrap();
    }
    settles_at(&folder, 0).await;
}

#[tokio::test]
async fn ranges_are_answered_as_http_says() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let s3 = &running.storage;
    s3.put("a", "text/plain", "0123456789").await.unwrap();
    let read = async |range| {
        let body = s3.get_range("a", range).await?;
        assert_eq!(body.total, 10);
        let chunks: Vec<_> = body.stream.map(Result::unwrap).collect().await;
        Ok::<_, StorageError>(String::from_utf8(chunks.concat()).unwrap())
    };
    assert_eq!(read(Range::Span(2, 4)).await.unwrap(), "234");
    assert_eq!(read(Range::Span(8, 99)).await.unwrap(), "89");
    assert_eq!(read(Range::From(7)).await.unwrap(), "789");
    assert_eq!(read(Range::Last(3)).await.unwrap(), "789");
    assert_eq!(read(Range::Last(30)).await.unwrap(), "0123456789");
    assert!(read(Range::From(10)).await.unwrap_err().to_string().contains("InvalidRange"));
    assert!(read(Range::Last(0)).await.unwrap_err().to_string().contains("InvalidRange"));

    let answer = running.client.get_object().bucket(BUCKET).key("a").range("bytes=2-4").send().await.unwrap();
    assert_eq!(answer.content_range(), Some("bytes 2-4/10"));
    let refused = running.client.get_object().bucket(BUCKET).key("a").range("bytes=10-").send().await.unwrap_err();
    let response = refused.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 416);
    assert_eq!(response.headers().get("content-range"), Some("bytes */10"));
}

#[tokio::test]
async fn conditional_reads() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let etag = running.storage.put("a", "text/plain", "hello").await.unwrap();
    let get = || running.client.get_object().bucket(BUCKET).key("a");
    let (past, future) = (DateTime::from_secs(1_000_000_000), DateTime::from_secs(4_000_000_000));
    assert_eq!(code(get().if_match(&etag).send().await), "accepted");
    assert_eq!(code(get().if_match("\"other\"").send().await), "PreconditionFailed");
    assert_eq!(code(get().if_none_match("\"other\"").send().await), "accepted");
    let unchanged = get().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    assert_eq!(unchanged.raw_response().unwrap().headers().get("etag"), Some(etag.as_str()));
    let unchanged = get().if_modified_since(future).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    assert_eq!(code(get().if_modified_since(past).send().await), "accepted");
    assert_eq!(code(get().if_unmodified_since(past).send().await), "PreconditionFailed");
    let head = running.client.head_object().bucket(BUCKET).key("a").if_match("\"other\"").send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 412);
}

#[tokio::test]
async fn what_was_said_about_an_object_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path()).await.client;
    let put = client.put_object().bucket(BUCKET).key("a").content_type("video/mp4").cache_control("private");
    let put = put.content_disposition("attachment").metadata("village", "微家村").body(ByteStream::from_static(b"x"));
    put.send().await.unwrap();
    let head = client.head_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(head.content_type(), Some("video/mp4"));
    assert_eq!(head.cache_control(), Some("private"));
    assert_eq!(head.content_disposition(), Some("attachment"));
    assert!(head.metadata().unwrap().contains_key("village"));
    let get = client.get_object().bucket(BUCKET).key("a").response_content_type("text/html").send().await.unwrap();
    assert_eq!(get.content_type(), Some("text/html"));
}

#[tokio::test]
async fn a_body_that_is_not_what_was_announced_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let put = || running.client.put_object().bucket(BUCKET).key("a").body(ByteStream::from_static(b"hello"));
    assert_eq!(code(put().content_md5("XUFAKrxLKna5cZ2REBfFkg==").send().await), "accepted");
    assert_eq!(code(put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await), "BadDigest");
    assert_eq!(code(put().content_md5("nonsense").send().await), "InvalidDigest");
    assert_eq!(code(put().checksum_sha256("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=").send().await), "accepted");
    assert_eq!(code(put().checksum_sha256("AAAAul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=").send().await), "BadDigest");
    assert_eq!(code(put().checksum_crc32("AAAAAA==").send().await), "BadDigest");
    // Calculated by the SDK and sent behind the body, or before it.
    for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32C, ChecksumAlgorithm::Sha1] {
        assert_eq!(code(put().checksum_algorithm(algorithm).send().await), "accepted");
    }
    settles_at(folder.path(), 1).await;
    assert_eq!(running.storage.get("a").await.unwrap(), "hello");
}

#[tokio::test]
async fn copies_own_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("微/a", "text/plain", "hello").await.unwrap();
    let copy = |to| running.client.copy_object().bucket(BUCKET).copy_source("weijia/%E5%BE%AE/a").key(to);
    copy("b").send().await.unwrap();
    assert_eq!(code(copy("微/a").send().await), "InvalidRequest");
    assert_eq!(code(copy("c").copy_source_if_match("\"other\"").send().await), "PreconditionFailed");
    copy("微/a").metadata_directive(MetadataDirective::Replace).content_type("text/html").send().await.unwrap();
    assert_eq!(running.storage.get_range("微/a", Range::All).await.unwrap().content_type, "text/html");
    running.storage.delete("微/a").await.unwrap();
    assert_eq!(running.storage.get("b").await.unwrap(), "hello");
    assert_eq!(running.storage.get_range("b", Range::All).await.unwrap().content_type, "text/plain");
    settles_at(folder.path(), 1).await;
}

#[tokio::test]
async fn an_overwrite_does_not_disturb_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path()).await.storage;
    // In parts, so that most of its files aren't open yet when it is overwritten.
    let old = noise(32 * MB, 1);
    let (id, mut tags) = (s3.create_multipart("a", "video/mp4").await.unwrap(), Vec::new());
    for (no, part) in (1..).zip(old.chunks(8 * MB)) {
        tags.push((no, s3.upload_part("a", &id, no, part.to_vec()).await.unwrap()));
    }
    s3.complete_multipart("a", &id, &tags).await.unwrap();
    let body = s3.get_range("a", Range::All).await.unwrap();
    s3.put("a", "video/mp4", "new").await.unwrap();
    let chunks: Vec<_> = body.stream.map(Result::unwrap).collect().await;
    assert!(chunks.concat() == old);
    assert_eq!(s3.get("a").await.unwrap(), "new");
    settles_at(folder.path(), 1).await;
}

/// Once an answer has begun, it can only break off; so the bytes are looked for first.
#[tokio::test]
async fn an_object_whose_bytes_are_lost_is_not_promised() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    for key in ["cut", "gone", "whole"] {
        running.storage.put(key, "video/mp4", format!("the film {key}")).await.unwrap();
    }
    for path in files(folder.path()).into_iter().filter(|path| path.starts_with("blobs/")) {
        let path = folder.path().join(path);
        match std::fs::read(&path).unwrap().as_slice() {
            b"the film cut" => std::fs::write(&path, "the film").unwrap(),
            b"the film gone" => std::fs::remove_file(&path).unwrap(),
            _ => {}
        }
    }
    let client = &running.client;
    for key in ["cut", "gone"] {
        assert_eq!(code(client.head_object().bucket(BUCKET).key(key).send().await), "500", "{key}");
        assert_eq!(code(client.get_object().bucket(BUCKET).key(key).send().await), "ObjectDamaged", "{key}");
        let copy = client.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/{key}"));
        assert_eq!(code(copy.send().await), "ObjectDamaged", "{key}");
        let error = running.storage.head(key).await.unwrap_err();
        assert!(matches!(error, StorageError::Damaged(_)), "{key} isn't just not there: {error}");
    }
    assert_eq!(running.storage.get("whole").await.unwrap(), "the film whole");
    let listed = running.storage.list("", None).await.unwrap().objects;
    let lens: Vec<(&str, u64)> = listed.iter().map(|object| (object.key.as_str(), object.len)).collect();
    assert_eq!(lens, [("cut", 8), ("gone", 0), ("whole", 14)], "a list tells how much is left");
}
