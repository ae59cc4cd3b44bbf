//! DELETE, of one and of many.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::support::sign::Ask;
use crate::support::*;

fn delete(keys: &[String], quiet: bool) -> Delete {
    let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    Delete::builder().set_objects(Some(objects.collect())).quiet(quiet).build().unwrap()
}

#[tokio::test]
async fn a_thousand_at_once_and_not_one_more() {
    let store = store().await;
    let odd = ["a&b<c>\"d\"", "../x", "微/家 \u{1f600}", "a//b", "%2e%2e"];
    for key in odd {
        store.put(key, "x").await;
    }
    store.put("stays", "x").await;
    let mut keys: Vec<String> = odd.map(str::to_owned).to_vec();
    keys.extend((0..995).map(|n| format!("never/{n}")));
    let ask = async |keys: &[String], quiet| {
        store.client.delete_objects().bucket(store.bucket()).delete(delete(keys, quiet)).send().await
    };
    let answer = ask(&keys, false).await.unwrap();
    assert_eq!((answer.deleted().len(), answer.errors().len()), (1000, 0), "what isn't there is deleted, too");
    assert!(odd.iter().all(|key| answer.deleted().iter().any(|d| d.key() == Some(key))));
    let answer = ask(&keys[..10], true).await.unwrap();
    assert_eq!((answer.deleted().len(), answer.errors().len()), (0, 0), "quiet tells only what went wrong");
    if store.embedded {
        keys.push("one more".into());
        assert_eq!(code(ask(&keys, false).await), "MalformedXML");
    }
    let left = store.storage.list("", None).await.unwrap();
    assert_eq!(left.objects.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["stays"]);
}

#[tokio::test]
async fn each_of_many_is_answered_for_itself() {
    let store = store().await;
    if !store.embedded {
        return;
    }
    let etag = store.put("a", "a").await;
    store.put("b", "b").await;
    let object = |key: &str, etag: Option<&str>, version: Option<&str>| {
        let object = ObjectIdentifier::builder().key(key).set_e_tag(etag.map(str::to_owned));
        object.set_version_id(version.map(str::to_owned)).build().unwrap()
    };
    let delete = Delete::builder()
        .objects(object("a", Some(&etag), None))
        .objects(object("b", Some("\"other\""), None))
        .objects(object("b", None, Some("an old one")))
        .build()
        .unwrap();
    let answer = store.client.delete_objects().bucket(store.bucket()).delete(delete).send().await.unwrap();
    assert_eq!(answer.deleted().iter().filter_map(|d| d.key()).collect::<Vec<_>>(), ["a"]);
    let codes: Vec<_> = answer.errors().iter().filter_map(|e| e.code()).collect();
    assert_eq!(codes, ["PreconditionFailed", "NoSuchVersion"]);
    assert_eq!(store.text("b").await, "b");
}

#[tokio::test]
async fn deleting_is_only_what_was_asked() {
    let store = store().await;
    let etag = store.put("x", "file").await;
    store.put("x/", "folder").await;
    store.put("x/y", "inside").await;
    store.storage.delete("x/").await.unwrap();
    store.storage.delete("x/").await.unwrap();
    assert_eq!((store.text("x").await.as_str(), store.text("x/y").await.as_str()), ("file", "inside"));
    if store.embedded {
        let version = Ask::object(&store, "DELETE", "x").query("versionId", "older").send().await;
        assert_eq!(version.outcome(), "NoSuchVersion", "the only version is not an old one");
        let delete = || store.client.delete_object().bucket(store.bucket()).key("x");
        assert_eq!(code(delete().if_match("\"other\"").send().await), "PreconditionFailed");
        assert_eq!(store.text("x").await, "file");
        assert_eq!(code(delete().if_match(&etag).send().await), "accepted");
    }
    let answer = Ask::object(&store, "DELETE", "x").send().await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
}
