//! Multipart uploads, as strict as AWS.

use crate::support::*;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::StreamExt;
use weijia_core::storage::{Range, StorageError};

fn refused<T: std::fmt::Debug>(answer: Result<T, StorageError>) -> String {
    match answer {
        Err(StorageError::Refused(text)) => text.split_whitespace().next().unwrap_or_default().to_owned(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn parts_sent_out_of_order_make_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path()).await.storage;
    let whole = noise(17 * MB + 5, 7);
    let parts: Vec<&[u8]> = whole.chunks(8 * MB).collect();
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let mut tags = Vec::new();
    for no in [3, 1, 2] {
        tags.push((no, s3.upload_part("v", &id, no, parts[no as usize - 1].to_vec()).await.unwrap()));
        assert_eq!(s3.head("v").await.unwrap(), None, "nothing is visible before it is complete");
    }
    tags.sort();
    let etag = s3.complete_multipart("v", &id, &tags).await.unwrap();
    assert!(etag.ends_with("-3\""), "{etag}");
    assert!(s3.get("v").await.unwrap() == whole);
    let info = s3.head("v").await.unwrap().unwrap();
    assert_eq!((info.len, &info.etag), (17 * MB as u64 + 5, &etag));
    // A range across the seam of two parts.
    let body = s3.get_range("v", Range::Span(8 * MB as u64 - 2, 8 * MB as u64 + 1)).await.unwrap();
    let chunks: Vec<_> = body.stream.map(Result::unwrap).collect().await;
    assert_eq!(chunks.concat(), whole[8 * MB - 2..8 * MB + 2]);

    assert_eq!(s3.complete_multipart("v", &id, &tags).await.unwrap(), info.etag, "asked again, answered alike");
    for other in [&tags[..2], &tags[1..], &[], &[tags[0].clone(), (2, tags[2].1.clone()), tags[2].clone()]] {
        let again = s3.complete_multipart("v", &id, other).await;
        assert_eq!(again.unwrap_err(), StorageError::NoSuchUpload, "this is not what was joined: {other:?}");
    }
    assert_eq!(s3.upload_part("v", &id, 4, "late").await.unwrap_err(), StorageError::NoSuchUpload);
    s3.delete("v").await.unwrap();
    settles_at(folder.path(), 0).await;
}

#[tokio::test]
async fn the_etag_is_the_one_that_aws_computes() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path()).await.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let first = s3.upload_part("v", &id, 1, vec![b'a'; 5 * MB]).await.unwrap();
    let second = s3.upload_part("v", &id, 2, "b").await.unwrap();
    let etag = s3.complete_multipart("v", &id, &[(1, first), (2, second)]).await.unwrap();
    // md5(md5('a' x 5 MiB) + md5('b')), by another implementation.
    assert_eq!(etag, "\"e5a8c5272b26fc10581a21089559b006-2\"");
}

#[tokio::test]
async fn a_part_sent_again_counts_as_it_was_sent_last() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path()).await.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let stale = s3.upload_part("v", &id, 1, "stale and longer").await.unwrap();
    let fresh = s3.upload_part("v", &id, 1, "fresh").await.unwrap();
    settles_at(folder.path(), 1).await;
    assert_eq!(refused(s3.complete_multipart("v", &id, &[(1, stale)]).await), "InvalidPart");
    s3.complete_multipart("v", &id, &[(1, fresh)]).await.unwrap();
    assert_eq!(s3.get("v").await.unwrap(), "fresh");
}

#[tokio::test]
async fn a_wrong_completion_is_refused_and_can_be_put_right() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path()).await.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let one = s3.upload_part("v", &id, 1, noise(5 * MB, 1)).await.unwrap();
    let two = s3.upload_part("v", &id, 2, noise(5 * MB - 1, 2)).await.unwrap();
    let four = s3.upload_part("v", &id, 4, noise(10, 4)).await.unwrap();
    let part = |no, tag: &String| (no, tag.clone());
    let complete = async |parts: &[(i32, String)]| refused(s3.complete_multipart("v", &id, parts).await);

    assert_eq!(complete(&[]).await, "MalformedXML");
    assert_eq!(complete(&[part(1, &two)]).await, "InvalidPart", "a wrong ETag");
    assert_eq!(complete(&[part(1, &one), part(2, &two), part(3, &two), part(4, &four)]).await, "InvalidPart", "a gap");
    assert_eq!(complete(&[part(4, &four), part(1, &one)]).await, "InvalidPartOrder");
    assert_eq!(complete(&[part(1, &one), part(1, &one)]).await, "InvalidPartOrder");
    assert_eq!(complete(&[part(1, &one), part(2, &two), part(4, &four)]).await, "EntityTooSmall");
    assert_eq!(s3.head("v").await.unwrap(), None);

    // Part 2 isn't named: it goes.
    s3.complete_multipart("v", &id, &[part(1, &one), part(4, &four)]).await.unwrap();
    assert_eq!(s3.head("v").await.unwrap().unwrap().len, 5 * MB as u64 + 10);
    settles_at(folder.path(), 2).await;
}

#[tokio::test]
async fn part_numbers_run_from_one_to_ten_thousand() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path()).await.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    for (no, expected) in [(0, "InvalidArgument"), (10_001, "InvalidArgument"), (-1, "InvalidArgument")] {
        assert_eq!(refused(s3.upload_part("v", &id, no, "x").await), expected, "{no}");
    }
    s3.upload_part("v", &id, 10_000, "x").await.unwrap();
}

#[tokio::test]
async fn an_upload_belongs_to_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = start(folder.path()).await.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    assert_eq!(s3.upload_part("other", &id, 1, "x").await.unwrap_err(), StorageError::NoSuchUpload);
    assert_eq!(s3.upload_part("v", "../../x", 1, "x").await.unwrap_err(), StorageError::NoSuchUpload);
    let tag = s3.upload_part("v", &id, 1, "x").await.unwrap();
    assert_eq!(s3.complete_multipart("other", &id, &[(1, tag)]).await.unwrap_err(), StorageError::NoSuchUpload);
}

#[tokio::test]
async fn abort_lets_everything_go() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let s3 = &running.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let tag = s3.upload_part("v", &id, 1, noise(MB, 1)).await.unwrap();
    assert_eq!(s3.open_multiparts("").await.unwrap().len(), 1);
    s3.abort_multipart("v", &id).await.unwrap();
    s3.abort_multipart("v", &id).await.unwrap();
    let again = running.client.abort_multipart_upload().bucket(BUCKET).key("v").upload_id(&id).send().await;
    assert_eq!(code(again), "NoSuchUpload");
    assert_eq!(s3.complete_multipart("v", &id, &[(1, tag)]).await.unwrap_err(), StorageError::NoSuchUpload);
    assert_eq!(s3.upload_part("v", &id, 2, "x").await.unwrap_err(), StorageError::NoSuchUpload);
    assert_eq!(s3.open_multiparts("").await.unwrap(), []);
    settles_at(folder.path(), 0).await;
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let id = running.storage.create_multipart("v", "video/mp4").await.unwrap();
    for no in [5, 1, 3] {
        running.storage.upload_part("v", &id, no, format!("part {no}")).await.unwrap();
    }
    let list = || running.client.list_parts().bucket(BUCKET).key("v").upload_id(&id).max_parts(2);
    let first = list().send().await.unwrap();
    let numbers = |page: &[aws_sdk_s3::types::Part]| page.iter().filter_map(|p| p.part_number()).collect::<Vec<_>>();
    assert_eq!((numbers(first.parts()), first.is_truncated()), (vec![1, 3], Some(true)));
    assert_eq!(first.parts()[0].size(), Some(6));
    let second = list().part_number_marker(first.next_part_number_marker().unwrap()).send().await.unwrap();
    assert_eq!((numbers(second.parts()), second.is_truncated()), (vec![5], Some(false)));
}

#[tokio::test]
async fn unfinished_uploads_are_listed_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    for key in ["a/1", "b/1", "a/2", "a/1"] {
        running.storage.create_multipart(key, "video/mp4").await.unwrap();
    }
    let keys = |uploads: &[aws_sdk_s3::types::MultipartUpload]| {
        uploads.iter().filter_map(|u| u.key().map(str::to_owned)).collect::<Vec<_>>()
    };
    let list = || running.client.list_multipart_uploads().bucket(BUCKET).prefix("a/").max_uploads(1);
    let first = list().send().await.unwrap();
    assert_eq!((keys(first.uploads()), first.is_truncated()), (vec!["a/1".into()], Some(true)));
    let next = list().key_marker(first.next_key_marker().unwrap());
    let second = next.upload_id_marker(first.next_upload_id_marker().unwrap()).send().await.unwrap();
    assert_eq!(keys(second.uploads()), ["a/1"]);
    assert_ne!(first.uploads()[0].upload_id(), second.uploads()[0].upload_id());
    let all: Vec<String> = running.storage.open_multiparts("a/").await.unwrap().into_iter().map(|u| u.key).collect();
    assert_eq!(all, ["a/1", "a/1", "a/2"]);
}

#[tokio::test]
async fn a_part_can_be_copied_from_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("from", "text/plain", "0123456789").await.unwrap();
    let id = running.storage.create_multipart("to", "text/plain").await.unwrap();
    let copy = |range: &str| {
        let copy = running.client.upload_part_copy().bucket(BUCKET).key("to").upload_id(&id).part_number(1);
        copy.copy_source("weijia/from").copy_source_range(range).send()
    };
    assert_eq!(code(copy("bytes=5-10").await), "InvalidArgument");
    let tag = copy("bytes=2-4").await.unwrap().copy_part_result.unwrap().e_tag.unwrap();
    running.storage.complete_multipart("to", &id, &[(1, tag)]).await.unwrap();
    assert_eq!(running.storage.get("to").await.unwrap(), "234");
}

#[tokio::test]
async fn checksums_of_parts_and_of_the_whole_are_verified() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path()).await.client;
    let id = client.create_multipart_upload().bucket(BUCKET).key("v").send().await.unwrap().upload_id.unwrap();
    let part = |no: i32, body: Vec<u8>| {
        let put = client.upload_part().bucket(BUCKET).key("v").upload_id(&id).part_number(no);
        put.checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha256).body(ByteStream::from(body)).send()
    };
    let one = part(1, vec![b'a'; 5 * MB]).await.unwrap();
    let two = part(2, b"b".to_vec()).await.unwrap();
    assert!(one.checksum_sha256().is_some(), "the answer tells the checksum that was verified");
    let named = |no, tag: Option<&str>, sum: Option<&str>| {
        let part = CompletedPart::builder().part_number(no).set_e_tag(tag.map(str::to_owned));
        part.set_checksum_sha256(sum.map(str::to_owned)).build()
    };
    let complete = |second: Option<&str>, whole: Option<&str>| {
        let parts = CompletedMultipartUpload::builder()
            .parts(named(1, one.e_tag(), one.checksum_sha256()))
            .parts(named(2, two.e_tag(), second));
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("v").upload_id(&id);
        complete.multipart_upload(parts.build()).set_checksum_sha256(whole.map(str::to_owned)).send()
    };
    assert_eq!(code(complete(one.checksum_sha256(), None).await), "InvalidPart");
    assert_eq!(code(complete(two.checksum_sha256(), two.checksum_sha256()).await), "BadDigest");
    assert_eq!(
        code(complete(two.checksum_sha256(), Some("tfmzeY9XeH2OXmxrtS4iDWlNIKUTAFv0/csHs2lsoD8=-2")).await),
        "accepted"
    );
}

#[tokio::test]
async fn completing_can_be_conditional() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let id = running.storage.create_multipart("v", "video/mp4").await.unwrap();
    let tag = running.storage.upload_part("v", &id, 1, "parts").await.unwrap();
    running.storage.put("v", "video/mp4", "was first").await.unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(tag).build();
    let complete = running.client.complete_multipart_upload().bucket(BUCKET).key("v").upload_id(&id);
    let complete = complete.multipart_upload(CompletedMultipartUpload::builder().parts(part).build());
    assert_eq!(code(complete.clone().if_none_match("*").send().await), "PreconditionFailed");
    assert_eq!(running.storage.get("v").await.unwrap(), "was first");
    assert_eq!(code(complete.send().await), "accepted");
    assert_eq!(running.storage.get("v").await.unwrap(), "parts");
    settles_at(folder.path(), 1).await;
}
