//! Large objects in parts: every order, every mistake, every repetition.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use crate::support::*;

async fn complete(store: &Store, key: &str, id: &str, parts: &[(i32, &str)], absent: bool) -> String {
    let parts = parts.iter().map(|(no, tag)| CompletedPart::builder().part_number(*no).e_tag(*tag).build());
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
    let complete = store.client.complete_multipart_upload().bucket(store.bucket()).key(key).upload_id(id);
    let condition = absent.then(|| "*".to_owned());
    code(complete.multipart_upload(parts).set_if_none_match(condition).send().await)
}

#[tokio::test]
async fn a_completion_names_what_is_there_in_order() {
    let store = store().await;
    let s3 = &store.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let (a, b) = (noise(5 * MB, 1), noise(5 * MB + 1, 2));
    let two = s3.upload_part("v", &id, 2, b.clone()).await.unwrap();
    let one = s3.upload_part("v", &id, 1, a.clone()).await.unwrap();
    let nine = s3.upload_part("v", &id, 9, "end").await.unwrap();
    for (parts, expected) in [
        (vec![(1, one.as_str()), (3, two.as_str())], "InvalidPart"),
        (vec![(1, two.as_str())], "InvalidPart"),
        (vec![(2, two.as_str()), (1, one.as_str())], "InvalidPartOrder"),
        (vec![(1, one.as_str()), (1, one.as_str())], "InvalidPartOrder"),
        (vec![(1, one.as_str()), (9, nine.as_str()), (10, nine.as_str())], "InvalidPart"),
        (vec![(0, one.as_str())], "InvalidPart"),
        (vec![(10_001, one.as_str())], "InvalidPart"),
    ] {
        let answer = complete(&store, "v", &id, &parts, false).await;
        if store.embedded {
            assert_eq!(answer, expected, "{parts:?}");
        } else {
            assert_ne!(answer, "accepted", "{parts:?}");
        }
        assert_eq!(s3.head("v").await.unwrap(), None, "{parts:?}");
    }
    if store.embedded {
        assert_eq!(complete(&store, "v", &id, &[], false).await, "MalformedXML");
        let small = s3.upload_part("v", &id, 3, "small").await.unwrap();
        let parts = [(1, one.as_str()), (3, small.as_str()), (9, nine.as_str())];
        assert_eq!(complete(&store, "v", &id, &parts, false).await, "EntityTooSmall");
    }
    // ETags count with their quotes and without.
    let parts = [(1, one.trim_matches('"')), (2, two.as_str()), (9, nine.as_str())];
    assert_eq!(complete(&store, "v", &id, &parts, false).await, "accepted");
    assert!(s3.get("v").await.unwrap() == [a, b, b"end".to_vec()].concat());
}

/// The answer to the first may have been lost on the way.
#[tokio::test]
async fn completing_again_is_answered_alike() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    let s3 = &store.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    let tag = s3.upload_part("v", &id, 1, "whole").await.unwrap();
    let parts = [(1, tag.clone())];
    let etag = s3.complete_multipart("v", &id, &parts).await.unwrap();
    assert_eq!(s3.complete_multipart("v", &id, &parts).await.unwrap(), etag);
    assert_eq!(complete(&store, "v", &id, &[(1, &tag)], true).await, "accepted", "it is this completion's own object");
    assert_eq!(complete(&store, "v", &id, &[(1, "\"other\"")], false).await, "NoSuchUpload");
    assert_eq!(complete(&store, "w", &id, &[(1, &tag)], false).await, "NoSuchUpload");
    assert_eq!(
        code(store.client.abort_multipart_upload().bucket(store.bucket()).key("v").upload_id(&id).send().await),
        "NoSuchUpload"
    );
    assert_eq!(store.text("v").await, "whole", "an abort too late takes nothing away");
    store.put("v", "replaced").await;
    assert_eq!(complete(&store, "v", &id, &[(1, &tag)], false).await, "NoSuchUpload");
    assert_eq!(store.text("v").await, "replaced");
}

#[tokio::test]
async fn what_has_ended_takes_nothing() {
    let store = store().await;
    let s3 = &store.storage;
    let part = async |id: &str| {
        code(
            store
                .client
                .upload_part()
                .bucket(store.bucket())
                .key("v")
                .upload_id(id)
                .part_number(1)
                .body(b"late".to_vec().into())
                .send()
                .await,
        )
    };
    let abort = async |id: &str| {
        code(store.client.abort_multipart_upload().bucket(store.bucket()).key("v").upload_id(id).send().await)
    };
    let aborted = s3.create_multipart("v", "video/mp4").await.unwrap();
    let tag = s3.upload_part("v", &aborted, 1, "x").await.unwrap();
    assert_eq!(abort(&aborted).await, "accepted");
    assert_eq!(abort(&aborted).await, "NoSuchUpload");
    assert_eq!(part(&aborted).await, "NoSuchUpload");
    assert_eq!(complete(&store, "v", &aborted, &[(1, &tag)], false).await, "NoSuchUpload");
    assert_eq!(s3.head("v").await.unwrap(), None);
    let done = s3.create_multipart("v", "video/mp4").await.unwrap();
    let tag = s3.upload_part("v", &done, 1, "done").await.unwrap();
    assert_eq!(complete(&store, "v", &done, &[(1, &tag)], false).await, "accepted");
    assert_eq!(part(&done).await, "NoSuchUpload");
    assert_eq!(part("never-begun").await, "NoSuchUpload");
    assert_eq!(store.text("v").await, "done");
}

#[tokio::test]
async fn two_uploads_of_one_key_do_not_mix() {
    let store = store().await;
    let s3 = &store.storage;
    let first = s3.create_multipart("v", "text/plain").await.unwrap();
    let second = s3.create_multipart("v", "text/plain").await.unwrap();
    assert_ne!(first, second);
    let a = s3.upload_part("v", &first, 1, "the first").await.unwrap();
    let b = s3.upload_part("v", &second, 1, "the second").await.unwrap();
    assert_ne!(complete(&store, "v", &first, &[(1, &b)], false).await, "accepted");
    assert_eq!(complete(&store, "v", &second, &[(1, &b)], false).await, "accepted");
    assert_eq!(store.text("v").await, "the second");
    if store.embedded {
        // Garage has ended the first with the second.
        assert_eq!(complete(&store, "v", &first, &[(1, &a)], false).await, "accepted");
        assert_eq!(store.text("v").await, "the first", "the last to complete is what the key means");
    }
}

#[tokio::test]
async fn parts_are_numbered_from_one_to_ten_thousand() {
    let store = store().await;
    let s3 = &store.storage;
    let id = s3.create_multipart("v", "video/mp4").await.unwrap();
    // Garage has a part 0, and more than 10,000.
    for no in if store.embedded { &[0, -1, 10_001, i32::MAX][..] } else { &[-1] } {
        assert!(s3.upload_part("v", &id, *no, "x").await.is_err(), "{no}");
    }
    let (first, last) = (
        s3.upload_part("v", &id, 1, noise(5 * MB, 1)).await.unwrap(),
        s3.upload_part("v", &id, 10_000, "end").await.unwrap(),
    );
    let page = |after: &str, max: i32| {
        let list = store.client.list_parts().bucket(store.bucket()).key("v").upload_id(&id);
        list.set_part_number_marker(Some(after.to_owned())).max_parts(max).send()
    };
    let one = page("0", 1).await.unwrap();
    assert_eq!((one.parts()[0].part_number(), one.is_truncated()), (Some(1), Some(true)));
    let two = page(one.next_part_number_marker().unwrap(), 1).await.unwrap();
    assert_eq!((two.parts()[0].part_number(), two.is_truncated()), (Some(10_000), Some(false)));
    if store.embedded {
        let none = page("0", 0).await.unwrap();
        assert_eq!((none.parts().len(), none.is_truncated()), (0, Some(false)));
    }
    assert_eq!(complete(&store, "v", &id, &[(1, &first), (10_000, &last)], false).await, "accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_completions_onto_nothing_one_wins() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    let mut uploads = Vec::new();
    for n in 0..16 {
        let id = store.storage.create_multipart("one", "text/plain").await.unwrap();
        let tag = store.storage.upload_part("one", &id, 1, format!("upload {n}")).await.unwrap();
        uploads.push((id, tag));
    }
    let answers = futures_util::future::join_all(
        uploads.iter().map(|(id, tag)| async { complete(&store, "one", id, &[(1, tag)], true).await }),
    )
    .await;
    let won: Vec<usize> = (0..16).filter(|n| answers[*n] == "accepted").collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|a| a == "accepted" || a == "PreconditionFailed"), "{answers:?}");
    assert_eq!(store.text("one").await, format!("upload {}", won[0]));
    // Who lost can still complete without the condition.
    let (id, tag) = &uploads[(won[0] + 1) % 16];
    assert_eq!(complete(&store, "one", id, &[(1, tag)], false).await, "accepted");
}
