//! Lists of keys: by prefix, folded at a delimiter, in pages that lose and repeat nothing.

use crate::support::*;
use aws_sdk_s3::types::EncodingType;

const KEYS: [&str; 9] = ["a", "a/1", "a/2", "a/b/1", "a0", "b/1", "b/2", "c", "微/家"];

async fn filled(folder: &std::path::Path) -> Running {
    let running = start(folder).await;
    for key in KEYS {
        running.storage.put(key, "text/plain", key).await.unwrap();
    }
    running
}

/// All pages of a list, folded names marked.
async fn pages(running: &Running, prefix: &str, delimiter: Option<&str>, size: i32) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token = None;
    loop {
        let list = running.client.list_objects_v2().bucket(BUCKET).prefix(prefix).max_keys(size);
        let page = list.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(token).send().await.unwrap();
        let keys = page.contents().iter().filter_map(|o| o.key()).map(str::to_owned);
        let folded = page.common_prefixes().iter().filter_map(|p| p.prefix()).map(|p| format!("{p}*"));
        let mut names: Vec<String> = keys.chain(folded).collect();
        names.sort();
        assert_eq!(page.key_count(), Some(names.len() as i32));
        pages.push(names);
        token = page.next_continuation_token;
        assert_eq!(page.is_truncated, Some(token.is_some()));
        if token.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_list_by_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let running = filled(folder.path()).await;
    assert_eq!(pages(&running, "", None, 1000).await, [KEYS]);
    assert_eq!(pages(&running, "a/", None, 1000).await, [["a/1", "a/2", "a/b/1"]]);
    assert_eq!(pages(&running, "微", None, 1000).await, [["微/家"]]);
    assert_eq!(pages(&running, "nothing", None, 1000).await, [Vec::<String>::new()]);
}

#[tokio::test]
async fn pages_lose_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = filled(folder.path()).await;
    for size in 1..=9 {
        let found = pages(&running, "", None, size).await;
        assert!(found.iter().all(|page| page.len() <= size as usize));
        assert_eq!(found.concat(), KEYS, "pages of {size}");
        let found = pages(&running, "", Some("/"), size).await;
        assert_eq!(found.concat(), ["a", "a/*", "a0", "b/*", "c", "微/*"], "folded pages of {size}");
        let found = pages(&running, "a/", Some("/"), size).await;
        assert_eq!(found.concat(), ["a/1", "a/2", "a/b/*"]);
    }
}

#[tokio::test]
async fn the_products_list_goes_on_behind_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let running = filled(folder.path()).await;
    let page = running.storage.list("a/", Some("a/1")).await.unwrap();
    assert_eq!(page.objects.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["a/2", "a/b/1"]);
    assert_eq!((page.objects[0].len, page.next), (3, None));
    let page = running.storage.list("b/", Some("a")).await.unwrap();
    assert_eq!(page.objects.len(), 2, "a key before the prefix changes nothing");
}

#[tokio::test]
async fn the_older_list_pages_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let running = filled(folder.path()).await;
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let list = running.client.list_objects().bucket(BUCKET).delimiter("/").max_keys(1);
        let page = list.set_marker(marker).send().await.unwrap();
        names.extend(page.contents().iter().filter_map(|o| o.key()).map(str::to_owned));
        names.extend(page.common_prefixes().iter().filter_map(|p| p.prefix()).map(str::to_owned));
        marker = page.next_marker;
        if page.is_truncated != Some(true) {
            break;
        }
    }
    assert_eq!(names, ["a", "a/", "a0", "b/", "c", "微/"]);
}

#[tokio::test]
async fn names_that_xml_cannot_hold_come_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    running.storage.put("a\u{1} +微", "text/plain", "x").await.unwrap();
    let page = running.client.list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(page.contents()[0].key(), Some("a%01%20%2B%E5%BE%AE"));
}

#[tokio::test]
async fn many_are_deleted_at_once() {
    use aws_sdk_s3::types::{Delete, ObjectIdentifier};
    let folder = tempfile::tempdir().unwrap();
    let running = filled(folder.path()).await;
    let object = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().set_objects(Some(vec![object("a"), object("b/1"), object("never there")]));
    let request = running.client.delete_objects().bucket(BUCKET).delete(delete.build().unwrap());
    assert_eq!(request.send().await.unwrap().deleted().len(), 3);
    assert_eq!(pages(&running, "", None, 1000).await.concat().len(), KEYS.len() - 2);
}

#[tokio::test]
async fn buckets_are_made_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let client = &running.client;
    running.storage.ensure_bucket().await.unwrap();
    assert_eq!(code(client.create_bucket().bucket(BUCKET).send().await), "BucketAlreadyOwnedByYou");
    assert_eq!(code(client.create_bucket().bucket("..").send().await), "InvalidBucketName");
    client.create_bucket().bucket("other").send().await.unwrap();
    let answer = client.list_buckets().send().await.unwrap();
    assert_eq!(answer.buckets().iter().filter_map(|b| b.name()).collect::<Vec<_>>(), ["other", BUCKET]);

    running.storage.put("a", "text/plain", "here").await.unwrap();
    let elsewhere = client.get_object().bucket("other").key("a").send().await;
    assert_eq!(code(elsewhere), "NoSuchKey", "a key means something in its own bucket only");
    assert_eq!(code(client.delete_bucket().bucket(BUCKET).send().await), "BucketNotEmpty");
    client.delete_bucket().bucket("other").send().await.unwrap();
    assert_eq!(code(client.delete_bucket().bucket("other").send().await), "NoSuchBucket");
    assert_eq!(code(client.get_object().bucket("other").key("a").send().await), "NoSuchBucket");
    let head = client.head_bucket().bucket("other").send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 404);
}
