//! Copies inside the store, of objects and into parts.

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::MetadataDirective;

use crate::support::sign::Ask;
use crate::support::*;

#[tokio::test]
async fn a_copy_judges_its_source() {
    let store = store().await;
    let etag = store.put("微/家 a+b", "hello").await;
    let source = format!("{}/{}", store.bucket(), sign::encode("微/家 a+b".as_bytes(), true));
    let copy = || store.client.copy_object().bucket(store.bucket()).copy_source(&source).key("to");
    let (past, future) = (DateTime::from_secs(1_000_000_000), DateTime::from_secs(4_000_000_000));
    assert_eq!(code(copy().copy_source_if_match(&etag).send().await), "accepted");
    assert_eq!(code(copy().copy_source_if_none_match("\"other\"").send().await), "accepted");
    assert_eq!(code(copy().copy_source_if_modified_since(past).send().await), "accepted");
    assert_eq!(code(copy().copy_source_if_unmodified_since(future).send().await), "accepted");
    assert_eq!(store.text("to").await, "hello");
    store.storage.delete("to").await.unwrap();
    assert_eq!(code(copy().copy_source_if_match("\"other\"").send().await), "PreconditionFailed");
    assert_eq!(code(copy().copy_source_if_none_match(&etag).send().await), "PreconditionFailed");
    assert_eq!(code(copy().copy_source_if_modified_since(future).send().await), "PreconditionFailed");
    assert_eq!(code(copy().copy_source_if_unmodified_since(past).send().await), "PreconditionFailed");
    let missing = copy().copy_source(format!("{}/nothing", store.bucket())).send().await;
    assert_eq!(code(missing), "NoSuchKey");
    assert_eq!(code(copy().copy_source("nowhere-at-all/a").send().await), "NoSuchBucket");
    assert_eq!(store.storage.head("to").await.unwrap(), None);
}

#[tokio::test]
async fn a_copy_takes_the_headers_along_or_new_ones() {
    let store = store().await;
    let put = store.client.put_object().bucket(store.bucket()).key("a").content_type("video/mp4").metadata("by", "mei");
    put.cache_control("private").body(b"x".to_vec().into()).send().await.unwrap();
    let source = format!("{}/a", store.bucket());
    let copy = |to: &str| store.client.copy_object().bucket(store.bucket()).copy_source(&source).key(to);
    let head = async |key: &str| store.client.head_object().bucket(store.bucket()).key(key).send().await.unwrap();

    copy("b").content_type("text/html").send().await.unwrap();
    let b = head("b").await;
    assert_eq!((b.content_type(), b.cache_control()), (Some("video/mp4"), Some("private")), "new ones only on request");
    assert_eq!(b.metadata().unwrap()["by"], "mei");
    let replace = MetadataDirective::Replace;
    copy("c").metadata_directive(replace.clone()).content_type("text/html").metadata("x", "y").send().await.unwrap();
    let c = head("c").await;
    assert_eq!((c.content_type(), c.cache_control()), (Some("text/html"), None));
    assert_eq!(c.metadata().unwrap().keys().collect::<Vec<_>>(), ["x"]);
    if store.embedded {
        assert_eq!(code(copy("a").send().await), "InvalidRequest", "onto itself, and nothing changes");
    }
    copy("a").metadata_directive(replace).content_type("text/css").send().await.unwrap();
    assert_eq!(head("a").await.content_type(), Some("text/css"));
    assert_eq!(store.text("a").await, "x");
}

#[tokio::test]
async fn a_copy_of_parts_is_one_piece() {
    let store = store().await;
    let s3 = &store.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let one = s3.upload_part("v", &id, 1, noise(5 * MB, 1)).await.unwrap();
    let two = s3.upload_part("v", &id, 2, "end").await.unwrap();
    s3.complete_multipart("v", &id, &[(1, one), (2, two)]).await.unwrap();
    let copy = store.client.copy_object().bucket(store.bucket()).copy_source(format!("{}/v", store.bucket())).key("w");
    copy.send().await.unwrap();
    assert!(s3.get("w").await.unwrap() == s3.get("v").await.unwrap());
    if store.embedded {
        assert!(!s3.head("w").await.unwrap().unwrap().etag.contains('-'), "the MD5 of its bytes");
    }
}

#[tokio::test]
async fn a_part_copied_names_both_ends_inside_the_source() {
    let store = store().await;
    if !store.embedded {
        // Garage copies parts of 5 MiB at least.
        return;
    }
    store.put("from", "0123456789").await;
    let id = store.storage.create_multipart("to", "text/plain").await.unwrap();
    let source = format!("{}/from", store.bucket());
    let copy = |no, range: Option<&str>| {
        let copy = store.client.upload_part_copy().bucket(store.bucket()).key("to").upload_id(&id).part_number(no);
        copy.copy_source(&source).set_copy_source_range(range.map(str::to_owned)).send()
    };
    for range in ["bytes=5-10", "bytes=10-11", "bytes=5-", "bytes=-3", "5-6", "bytes=6-5", "bytes=a-b"] {
        assert_eq!(code(copy(1, Some(range)).await), "InvalidArgument", "{range}");
    }
    let one = copy(1, Some("bytes=9-9")).await.unwrap().copy_part_result.unwrap().e_tag.unwrap();
    store.storage.complete_multipart("to", &id, &[(1, one)]).await.unwrap();
    assert_eq!(store.text("to").await, "9");
    assert_eq!(code(copy(2, None).await), "NoSuchUpload");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_copies_onto_nothing_one_wins() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    for n in 0..16 {
        store.put(&format!("from/{n}"), format!("copy {n}")).await;
    }
    let racers: Vec<_> = (0..16)
        .map(|n| {
            let copy = store.client.copy_object().bucket(store.bucket()).key("one").if_none_match("*");
            let copy = copy.copy_source(format!("{}/from/{n}", store.bucket()));
            tokio::spawn(async move { (n, code(copy.send().await)) })
        })
        .collect();
    let mut winners = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            (n, code) if code == "accepted" => winners.push(n),
            (_, code) => assert_eq!(code, "PreconditionFailed"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(store.text("one").await, format!("copy {}", winners[0]));
    let etag = store.storage.head("one").await.unwrap().unwrap().etag;
    let copy = || Ask::object(&store, "PUT", "one").signed("x-amz-copy-source", &format!("/{}/from/3", store.bucket()));
    assert_eq!(copy().unsigned("if-match", "\"other\"").send().await.outcome(), "PreconditionFailed");
    assert_eq!(copy().unsigned("if-match", &etag).send().await.outcome(), "200");
    assert_eq!(store.text("one").await, "copy 3");
}
