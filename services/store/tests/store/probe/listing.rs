//! Lists of keys and of unfinished uploads.

use aws_sdk_s3::types::EncodingType;

use crate::support::sign::Ask;
use crate::support::*;

async fn filled(keys: &[&'static str]) -> Store {
    let store = store().await;
    for key in keys {
        store.put(key, *key).await;
    }
    store
}

/// Everything that pages of this size tell, folded names marked.
async fn walked(store: &Store, prefix: &str, delimiter: &str, size: i32) -> Vec<String> {
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let list = store.client.list_objects_v2().bucket(store.bucket()).prefix(prefix).max_keys(size);
        let delimiter = Some(delimiter.to_owned()).filter(|d| !d.is_empty());
        let page = list.set_delimiter(delimiter).set_continuation_token(token).send().await.unwrap();
        let mut here: Vec<String> = page.contents().iter().filter_map(|o| o.key()).map(str::to_owned).collect();
        here.extend(page.common_prefixes().iter().filter_map(|p| p.prefix()).map(|p| format!("{p}*")));
        here.sort();
        assert!(here.len() <= size as usize);
        names.extend(here);
        token = page.next_continuation_token;
        if token.is_none() {
            return names;
        }
    }
}

const KEYS: [&str; 12] = ["a", "a/1", "a/2", "a/b/1", "a0", "b//x", "b/1", "c", "x", "x/y", "é", "微/家"];

#[tokio::test]
async fn a_name_and_a_folder_of_that_name_stand_side_by_side() {
    let store = filled(&KEYS).await;
    for size in [1, 2, 3, 5, 1000] {
        assert_eq!(walked(&store, "", "", size).await, KEYS, "{size}");
        let folded = ["a", "a/*", "a0", "b/*", "c", "x", "x/*", "é", "微/*"];
        assert_eq!(walked(&store, "", "/", size).await, folded, "{size}");
        assert_eq!(walked(&store, "a/", "/", size).await, ["a/1", "a/2", "a/b/*"], "{size}");
        assert_eq!(walked(&store, "b/", "/", size).await, ["b//*", "b/1"], "{size}");
        assert_eq!(walked(&store, "x", "/", size).await, ["x", "x/*"], "{size}");
        assert_eq!(walked(&store, "", "b", size).await.len(), 11, "a delimiter is any text: a/b* b* and the rest");
        assert_eq!(walked(&store, "nothing", "/", size).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_page_holds_a_thousand_at_most() {
    let store = store().await;
    let put = async |n: usize| drop(store.put(&format!("{n:04}"), "").await);
    for chunk in (0..1005).collect::<Vec<_>>().chunks(8) {
        futures_util::future::join_all(chunk.iter().map(|n| put(*n))).await;
    }
    let list = || store.client.list_objects_v2().bucket(store.bucket());
    for page in [list().send().await.unwrap(), list().max_keys(1000).send().await.unwrap()] {
        assert_eq!((page.contents().len(), page.is_truncated(), page.key_count()), (1000, Some(true), Some(1000)));
    }
    if store.embedded {
        let page = list().max_keys(5000).send().await.unwrap();
        assert_eq!((page.contents().len(), page.max_keys()), (1000, Some(1000)));
        let none = list().max_keys(0).send().await.unwrap();
        assert_eq!(
            (none.contents().len(), none.is_truncated(), none.next_continuation_token()),
            (0, Some(false), None)
        );
        let negative = Ask::new(&store, "GET", &format!("/{}", store.bucket())).query("max-keys", "-1").send().await;
        assert_eq!(negative.outcome(), "InvalidArgument");
        let word = Ask::new(&store, "GET", &format!("/{}", store.bucket())).query("max-keys", "many").send().await;
        assert_eq!(word.outcome(), "InvalidArgument");
    }
    let rest = list().start_after("0999").send().await.unwrap();
    assert_eq!((rest.contents().len(), rest.is_truncated()), (5, Some(false)));
    assert_eq!(walked(&store, "", "", 1000).await.len(), 1005);
}

#[tokio::test]
async fn a_list_begins_where_it_is_told() {
    let store = filled(&KEYS).await;
    let list = || store.client.list_objects_v2().bucket(store.bucket());
    let keys = |page: &aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| {
        page.contents().iter().filter_map(|o| o.key().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(keys(&list().start_after("x").send().await.unwrap()), ["x/y", "é", "微/家"]);
    assert_eq!(keys(&list().start_after("b").send().await.unwrap())[0], "b//x", "of a key that isn't there");
    if store.embedded {
        // Before the prefix, where Garage finds nothing.
        assert_eq!(keys(&list().start_after("zzz").prefix("微").send().await.unwrap()), ["微/家"]);
    }
    let page = list().start_after("a").delimiter("/").max_keys(1).send().await.unwrap();
    assert_eq!(page.common_prefixes()[0].prefix(), Some("a/"));
    let wrong = list().continuation_token("nonsense!").send().await;
    assert!(wrong.is_err());
    if !store.embedded {
        // Garage folds a name twice where a page ends on it.
        return;
    }
    // The older form goes on behind the last name it gave, folded or not.
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let list = store.client.list_objects().bucket(store.bucket()).delimiter("/").max_keys(2).set_marker(marker);
        let page = list.send().await.unwrap();
        names.extend(page.contents().iter().filter_map(|o| o.key()).map(str::to_owned));
        names.extend(page.common_prefixes().iter().filter_map(|p| p.prefix()).map(str::to_owned));
        marker = page.next_marker;
        if page.is_truncated != Some(true) {
            break;
        }
    }
    names.sort();
    assert_eq!(names, ["a", "a/", "a0", "b/", "c", "x", "x/", "é", "微/"]);
}

#[tokio::test]
async fn names_come_encoded_when_asked() {
    let store = filled(&["a b/微+1", "a b/微+2", "a&b"]).await;
    let list = store.client.list_objects_v2().bucket(store.bucket()).encoding_type(EncodingType::Url);
    let page = list.prefix("a b/微").delimiter("+").send().await.unwrap();
    assert_eq!(page.encoding_type(), Some(&EncodingType::Url));
    let encoded = |text: &str| text.replace('+', "%20") == "a%20b/%E5%BE%AE%2B" || text == "a%20b%2F%E5%BE%AE%2B";
    assert!(encoded(page.common_prefixes()[0].prefix().unwrap()), "{page:?}");
    let plain = store.client.list_objects_v2().bucket(store.bucket()).send().await.unwrap();
    assert_eq!(plain.contents()[2].key(), Some("a&b"));
}

#[tokio::test]
async fn each_entry_tells_what_it_is() {
    let store = filled(&["a"]).await;
    let list = || store.client.list_objects_v2().bucket(store.bucket());
    let page = list().send().await.unwrap();
    let entry = &page.contents()[0];
    assert_eq!((entry.size(), entry.e_tag()), (Some(1), Some("\"0cc175b9c0f1b6a831c399e269772661\"")));
    assert!(entry.last_modified().is_some() && entry.owner().is_none());
    if store.embedded {
        assert!(list().fetch_owner(true).send().await.unwrap().contents()[0].owner().is_some());
        let older = store.client.list_objects().bucket(store.bucket()).send().await.unwrap();
        assert!(older.contents()[0].owner().is_some());
    }
}

#[tokio::test]
async fn unfinished_uploads_are_folded_and_paged_alike() {
    let store = store().await;
    let mut ids = Vec::new();
    for key in ["a", "a/1", "a/1", "a/2", "b", "c/x/1", "微/1"] {
        ids.push(store.storage.create_multipart(key, "video/mp4").await.unwrap());
    }
    for size in if store.embedded { 1..=8 } else { 8..=8 } {
        for (prefix, delimiter, expected) in [
            ("", "", vec!["a", "a/1", "a/1", "a/2", "b", "c/x/1", "微/1"]),
            ("", "/", vec!["a", "a/*", "b", "c/*", "微/*"]),
            ("a/", "/", vec!["a/1", "a/1", "a/2"]),
            ("c/", "/", vec!["c/x/*"]),
            ("d", "/", vec![]),
        ] {
            let (mut names, mut marker) = (Vec::new(), (None, None));
            loop {
                let list =
                    store.client.list_multipart_uploads().bucket(store.bucket()).prefix(prefix).max_uploads(size);
                let list = list.set_delimiter(Some(delimiter.to_owned()).filter(|d| !d.is_empty()));
                let page = list.set_key_marker(marker.0).set_upload_id_marker(marker.1).send().await.unwrap();
                let mut here: Vec<String> = page.uploads().iter().filter_map(|u| u.key()).map(str::to_owned).collect();
                here.extend(page.common_prefixes().iter().filter_map(|p| p.prefix()).map(|p| format!("{p}*")));
                assert!(here.len() <= size as usize);
                here.sort();
                names.extend(here);
                marker = (page.next_key_marker, page.next_upload_id_marker);
                if page.is_truncated != Some(true) {
                    break;
                }
            }
            assert_eq!(names, expected, "pages of {size}, {prefix:?}, {delimiter:?}");
        }
    }
    if store.embedded {
        let list = store.client.list_multipart_uploads().bucket(store.bucket());
        let page = list.clone().encoding_type(EncodingType::Url).send().await.unwrap();
        assert_eq!(page.uploads().last().unwrap().key(), Some("%E5%BE%AE/1"));
        let all: Vec<&str> = page.uploads().iter().filter_map(|u| u.upload_id()).collect();
        assert_eq!(all, ids, "uploads of one key in the order in which they began");
        let behind = list.key_marker("a/1").send().await.unwrap();
        assert_eq!(behind.uploads()[0].key(), Some("a/2"), "behind every upload of that key");
    }
}
