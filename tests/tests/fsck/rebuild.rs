//! Where the database is lost, the bucket alone brings the clips back.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use weijia_core::ids::{ClipId, VersionId};
use weijia_core::storage::keys;
use weijia_tests::fsck::Fsck;
use weijia_tests::tus::About;
use weijia_tests::{Database, TestServer, media, sha256, until};

use crate::{ORIGINAL, at_rest, half_sent, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn clips_come_back_from_the_bucket_alone() {
    let mut server = TestServer::start_on(Database::Sqlite).await.expect("SQLite is always there");
    let trainee = server.sign_in("trainee", 5).await;
    let file = media::portrait(2);
    let film = std::fs::read(&file).unwrap();
    let kept = trainee.upload(&file, &About::file(&file, "我的村")).await;
    let released = trainee.upload(&file, &About::file(&file, "只剩能放的")).await;
    let taken_back = trainee.upload(&file, &About::file(&file, "收回的")).await;
    trainee.wait_ready(&kept.clip).await;
    trainee.wait_ready(&released.clip).await;
    for upload in [&kept, &released, &taken_back] {
        trainee.wait_playable(&upload.clip).await;
        let words = "00:00:00,500 --> 00:00:01,500\n我是谁".into();
        let (status, seen) = trainee.attach(&upload.clip, &upload.version, "zh", words).await;
        assert!(status.is_success(), "{status} {seen}");
    }
    let (status, _) = trainee.try_call(Method::DELETE, &format!("/clips/{}", taken_back.clip), None).await.unwrap();
    assert!(status.is_success(), "{status}");
    let storage = server.storage().await;
    storage.delete(&text(&server, ORIGINAL, &released.version).await).await.unwrap();
    let gone = "update clip_versions set original_key = null, original_gone = 'released', sidecar_rev = sidecar_rev + 1
                where id = $1";
    run(&server, gone, &released.version).await;
    let before = server.count("select count(*) from clips where id <> $1 and state <> 'withdrawn'", "").await;
    at_rest(&server).await;
    // What is due in the trash goes with it: what she took back, and copies whose place a film has taken.
    run(&server, "update object_trash set since = 1 where key <> $1", "").await;
    server.fsck(&["--repair"]).await.is_clean();
    let phone = text(&server, "select phone_hash from users where id = $1", trainee.id()).await;
    // One that nobody can read.
    let (clip, version) = (ClipId::new(), VersionId::new());
    storage.put(&keys::sidecar(&clip, &version), "application/json", "").await.unwrap();
    server.stop();
    lose_database(&server);
    let seen = server.fsck(&["--repair"]).await;
    assert_eq!(seen.code, 2, "there is nothing to compare with");
    assert!(seen.log.contains("备份") && seen.log.contains("fsck --rebuild"), "{}", seen.log);
    assert!(!server.data().join("weijia.db").exists(), "who only mends makes no database");
    // With an empty one nothing is taken away.
    assert!(server.command(&["migrate"]).output().unwrap().status.success());
    let seen = server.fsck(&["--repair", "--grace", "0"]).await;
    assert_eq!(seen.code, 1, "{}", seen.log);
    assert!(!seen.kinds().is_empty() && seen.kinds().iter().all(|kind| *kind == "unknown"), "{}", seen.outcome);
    assert_eq!(seen.outcome["report"]["counted"]["in_trash"], 0);
    lose_database(&server);
    let rebuilt = server.fsck(&["--rebuild"]).await;
    let seen = &rebuilt.outcome["rebuilt"];
    assert_eq!(seen["back"], before, "{} {}", rebuilt.outcome, rebuilt.log);
    assert_eq!(seen["strangers"].as_array().map(Vec::len), Some(0));
    assert_eq!(rebuilt.code, 1, "{}", rebuilt.log);
    assert!(rebuilt.kinds().contains(&"sidecar_unreadable"), "{}", rebuilt.outcome);
    assert!(rebuilt.kinds().iter().all(|kind| ["sidecar_unreadable", "unknown"].contains(kind)), "{}", rebuilt.outcome);
    let plays = "select count(*) from clip_versions where id = $1 and state = 'ready' and playable_at is not null";
    for version in [&kept.version, &released.version] {
        assert_eq!(server.count(plays, version).await, 1, "it plays at once");
        let captions = "select count(*) from caption_tracks where version_id = $1 and origin = 'attached'";
        assert_eq!(server.count(captions, version).await, 1, "with the words that she added");
    }
    assert_eq!(text(&server, "select phone_hash from users where id = $1", trainee.id()).await, phone);
    // However old everything is: nothing of a clip that came back is left over.
    let aged = server.fsck(&["--grace", "0"]).await;
    for finding in aged.outcome["report"]["findings"].as_array().unwrap() {
        let about = finding["about"].as_str().unwrap();
        // Numbers, with the screenshots behind them, come from a backup only; what she took back does not come at all.
        let not_back = [version.as_str(), taken_back.version.as_str()].iter().any(|version| about.contains(version));
        assert!(about.starts_with("evidence/") || not_back, "{finding}");
    }
    let again = server.fsck(&["--rebuild"]).await;
    assert_eq!(
        (&again.outcome["rebuilt"]["back"], &again.outcome["rebuilt"]["known"]),
        (&Value::from(0), &seen["back"])
    );

    server.restart();
    at_rest(&server).await;
    assert_eq!(server.count(plays, &kept.version).await, 1);
    let storage = server.storage().await;
    storage.delete(&keys::sidecar(&clip, &version)).await.unwrap();
    assert_eq!(sha256(&server.original(&kept.version).await), sha256(&film));
    let facts = "select c.title || ' ' || u.display_name || ' ' || c.owner_id from clips c join users u on u.id = c.owner_id where c.id = $1";
    assert_eq!(text(&server, facts, &kept.clip).await, format!("我的村 {} {}", trainee.name(), trainee.id()));
    assert_eq!(server.count("select count(*) from clips where id = $1", &taken_back.clip).await, 0);
    only_unknown(&server.fsck(&["--deep"]).await);
    server.end().await;
}

/// The backup is from before the last byte came: what it says about the film may not cost it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_older_than_a_film_does_not_cost_it() {
    let mut server = TestServer::start_on(Database::Sqlite).await.expect("SQLite is always there");
    let trainee = server.sign_in("trainee", 5).await;
    let (upload, film) = half_sent(&trainee).await;
    at_rest(&server).await;
    server.stop();
    let (db, backup) = (server.data().join("weijia.db"), server.data().join("backup.db"));
    std::fs::copy(&db, &backup).unwrap();
    server.restart();
    let trainee = server.sign_in("trainee", 5).await;
    trainee.resume(&upload, &film).await;
    trainee.wait_ready(&upload.clip).await;
    at_rest(&server).await;
    let key = text(&server, ORIGINAL, &upload.version).await;
    server.stop();
    lose_database(&server);
    std::fs::rename(&backup, &db).unwrap();

    // Nobody comes for a week, and then what was let go of is deleted.
    run(&server, "update uploads set expires_at = 1 where id = $1", upload.id()).await;
    server.restart();
    none_left(&server, "select count(*) from uploads where state = 'open' and id = $1", upload.id()).await;
    server.stop();
    run(&server, "update object_trash set since = 1 where key <> $1", "").await;
    server.restart();
    none_left(&server, "select count(*) from object_trash where since = 1 and key <> $1", "").await;
    let storage = server.storage().await;
    assert!(storage.head(&key).await.unwrap().is_some(), "the bucket says that it came");
    let seen = server.fsck(&["--repair", "--grace", "0"]).await;
    assert_eq!(seen.kinds(), ["unknown"], "{}", seen.outcome);
    server.stop();
    let rebuilt = server.fsck(&["--rebuild"]).await;
    assert_eq!(rebuilt.outcome["rebuilt"]["back"], 1, "{}", rebuilt.outcome);
    server.restart();
    at_rest(&server).await;
    assert_eq!(sha256(&server.original(&upload.version).await), sha256(&film));
    server.fsck(&["--deep"]).await.is_clean();
    server.end().await;
}

async fn none_left(server: &TestServer, count: &str, bound: &str) {
    until(count, Duration::from_secs(60), || async {
        match server.count(count, bound).await {
            0 => Ok(()),
            n => Err(format!("{n} left")),
        }
    })
    .await;
}

fn lose_database(server: &TestServer) {
    for file in ["weijia.db", "weijia.db-wal", "weijia.db-shm"] {
        let _ = std::fs::remove_file(server.data().join(file));
    }
}

/// What was taken back or never came to its end has no sidecar, and stays where it is.
#[track_caller]
fn only_unknown(seen: &Fsck) {
    assert!(seen.kinds().iter().all(|kind| *kind == "unknown"), "{}", seen.outcome);
}
