//! Keys are names, never paths: whatever they look like, nothing outside the store's folder is touched.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;

use weijia_store::EmbeddedStore;

use crate::support::sign::Ask;
use crate::support::*;

fn hostile() -> Vec<String> {
    let mut keys: Vec<String> = [
        "..",
        ".",
        "../other/x",
        "../../x",
        "/",
        "//",
        "//x",
        "/etc/passwd",
        "a//b",
        "a/./b",
        "a/../b",
        "%2e%2e",
        "%2e%2e/x",
        "..%2f..%2fx",
        "x",
        "x/y",
        "x/",
        "x y+z&?#=",
        "index.db",
        "blobs/0/0/x",
        "temp",
        "lock",
        "a\\b",
        "..\\..\\x",
        "C:\\x",
        "~/x",
        "$HOME",
        "`x`",
        "a\u{1}b",
        "a\nb",
        "a\tb",
        "微家/视频.mp4",
        "\u{1f600}",
        "e\u{301}",
        "é",
        "\u{202e}gpj.exe",
        "-rf",
        "*",
        "CON",
        "a.",
        " a ",
        "<a>&amp;\"'",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.push("微".repeat(341) + "x");
    keys
}

#[tokio::test]
async fn every_key_is_a_key_of_its_own() {
    let store = store().await;
    if !store.embedded {
        // Garage takes a key that begins with a slash for a bucket's address.
        return;
    }
    let keys = hostile();
    for (n, key) in keys.iter().enumerate() {
        store.storage.put(key, "text/plain", format!("body {n}")).await.unwrap_or_else(|e| panic!("{key:?}: {e}"));
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(store.text(key).await, format!("body {n}"), "{key:?}");
    }
    // Encoded, as names with control characters are no XML.
    let list = store.client.list_objects_v2().bucket(store.bucket());
    let page = list.encoding_type(aws_sdk_s3::types::EncodingType::Url).send().await.unwrap();
    let listed: Vec<String> = page.contents().iter().map(|o| plain(o.key().unwrap())).collect();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(listed, sorted, "in the order of UTF-8");

    assert_eq!(keys.iter().map(String::len).max(), Some(1024));
    let long = "微".repeat(341) + "xy";
    assert!(store.storage.put(&long, "text/plain", "").await.unwrap_err().to_string().contains("KeyTooLong"));
    for key in keys {
        store.storage.delete(&key).await.unwrap();
    }
    assert!(store.storage.list("", None).await.unwrap().objects.is_empty());
}

fn plain(text: &str) -> String {
    let mut parts = text.replace('+', " ");
    while let Some(at) = parts.find('%') {
        // Byte by byte: '%' itself comes as %25, so it is put aside until the end.
        let end = parts[at..].split_inclusive(|c: char| !c.is_ascii()).next().unwrap().len();
        let mut bytes = Vec::new();
        let mut rest = &parts[at..at + end];
        while rest.starts_with('%') && rest.len() >= 3 {
            bytes.push(u8::from_str_radix(&rest[1..3], 16).unwrap());
            rest = &rest[3..];
        }
        let text = String::from_utf8(bytes.clone()).unwrap().replace('%', "\u{e000}");
        parts.replace_range(at..at + 3 * bytes.len(), &text);
    }
    parts.replace('\u{e000}', "%")
}

/// All that lies beside the store: what it is, and what is in it.
fn outside(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            let (path, meta) = (entry.path(), entry.path().symlink_metadata().unwrap());
            if path == folder.join("store") {
                continue;
            }
            let what = if meta.is_dir() {
                folders.push(path.clone());
                "folder".into()
            } else if meta.is_symlink() {
                format!("link to {}", std::fs::read_link(&path).unwrap().display())
            } else {
                format!("{:?} {}", meta.modified().unwrap(), std::fs::read_to_string(&path).unwrap())
            };
            found.insert(path.display().to_string(), what);
        }
    }
    found
}

#[tokio::test]
async fn nothing_outside_the_folder_is_touched() {
    let parent = tempfile::tempdir().unwrap();
    for folder in ["other", "x", "etc"] {
        std::fs::create_dir(parent.path().join(folder)).unwrap();
        std::fs::write(parent.path().join(folder).join("x"), "a stranger's").unwrap();
    }
    std::fs::write(parent.path().join("passwd"), "a stranger's").unwrap();
    let before = outside(parent.path());
    let running = start(&parent.path().join("store")).await;
    let store = running.as_store();
    for (n, key) in (0..).zip(hostile()) {
        store.put(&key, "mine").await;
        if n % 3 > 0 || key.contains('\u{1}') {
            // The answer would repeat the key, and XML can't hold it.
            continue;
        }
        let id = store.storage.create_multipart(&key, "text/plain").await.unwrap();
        let tag = store.storage.upload_part(&key, &id, 1, "parts").await.unwrap();
        store.storage.complete_multipart(&key, &id, &[(1, tag)]).await.unwrap();
        let copy = store.client.copy_object().bucket(BUCKET).key(format!("{key}/copy"));
        let _ = copy.copy_source(format!("{BUCKET}/{}", sign::encode(key.as_bytes(), true))).send().await;
    }
    // As they come over the wire, past every client that would tidy them up.
    for path in [
        "/weijia/../other/x",
        "/weijia/../../../../etc/passwd",
        "/weijia/%2e%2e/%2e%2e/other/x",
        "/weijia/..%2fother%2fx",
        "/../other/x",
        "/..",
        "/%2e%2e/x",
        "//weijia/x",
        "/weijia//x",
        "/weijia/./x",
        "/weijia/%00",
        "/weijia/a%00/../x",
        "/other/x",
        "/weijia%2f..%2fother/x",
        "/weijia/%c0%ae%c0%ae/x",
        "/weijia/%ff",
        "/WEIJIA/x",
        "/we",
    ] {
        for method in ["PUT", "GET", "DELETE"] {
            let answer = Ask::new(&store, method, path).body(if method == "PUT" { "mine" } else { "" }).send().await;
            assert!(!answer.text().contains("stranger"), "{method} {path}");
            assert!((200..=404).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        }
    }
    for bucket in ["..", "../other", ".", "other/x", "/etc", "..%2fother"] {
        assert!(store.client.create_bucket().bucket(bucket).send().await.is_err(), "{bucket}");
    }
    for id in ["../../other/x", "..", "/etc/passwd", "%2e%2e"] {
        let part = Ask::object(&store, "PUT", "x").query("partNumber", "1").query("uploadId", id).body("mine");
        let answer = part.send().await;
        assert!((400..=404).contains(&answer.status), "{id}: {} {}", answer.status, answer.text());
    }
    running.stop().await;
    assert_eq!(outside(parent.path()), before);
    for path in files(&parent.path().join("store")) {
        let name = path.rsplit('/').next().unwrap();
        let blob = path.starts_with("blobs/") && name.len() == 32 && name.chars().all(|c| c.is_ascii_hexdigit());
        assert!(blob || ["index.db", "index.db-wal", "index.db-shm", "lock"].contains(&path.as_str()), "{path}");
    }
}

/// Somebody who can write into the folder still can't make the store read, write or delete elsewhere.
#[tokio::test]
async fn links_lead_nowhere() {
    let parent = tempfile::tempdir().unwrap();
    let victim = parent.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("file"), "a stranger's").unwrap();
    let before = outside(parent.path());
    let folder = parent.path().join("store");
    start(&folder).await.stop().await;

    for (name, target) in [
        ("temp", victim.clone()),
        ("blobs", victim.clone()),
        ("blobs/a", victim.clone()),
        ("blobs/a/b", victim.clone()),
        ("index.db", victim.join("file")),
        ("lock", victim.join("file")),
    ] {
        let (path, aside) = (folder.join(name), folder.join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        symlink(&target, &path).unwrap();
        let refused = EmbeddedStore::open(&folder).await.err().unwrap_or_else(|| panic!("{name} led outside"));
        assert!(refused.to_string().contains("symbolic link"), "{name}: {refused}");
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    }
    // A link among the files is swept as what it is, a file that no row names.
    symlink(victim.join("file"), folder.join("temp/draft")).unwrap();
    symlink(&victim, folder.join("blobs/a/b/ab-orphan")).unwrap();
    let running = start(&folder).await;
    assert_eq!((running.swept.drafts, running.swept.orphans), (1, 1));

    // In the place of a blob it is damage, not another file's bytes.
    running.storage.put("a", "text/plain", "mine").await.unwrap();
    let blob = files(&folder).into_iter().find(|path| path.starts_with("blobs/")).unwrap();
    std::fs::remove_file(folder.join(&blob)).unwrap();
    symlink(victim.join("file"), folder.join(&blob)).unwrap();
    assert!(running.storage.get("a").await.is_err());
    running.storage.delete("a").await.unwrap();
    settles_at(&folder, 0).await;
    running.stop().await;
    assert_eq!(outside(parent.path()), before);
}
