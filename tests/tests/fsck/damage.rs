//! Every damage is named, and mended without throwing anything away.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use weijia_core::clip::sidecar::Sidecar;
use weijia_core::ids::{ClipId, SnapshotId, UploadId, VersionId};
use weijia_core::storage::{Storage, keys};
use weijia_tests::tus::{About, Upload};
use weijia_tests::{Database, TestServer, User, media, sha256, until};

use crate::{ORIGINAL, at_rest, half_sent, run, sidecar_key, text};

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_mended_on_sqlite() {
    damage(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_mended_on_postgres() {
    damage(Database::Postgres).await;
}

async fn damage(database: Database) {
    let Some(mut server) = TestServer::start_on(database).await else { return };
    let storage = server.storage().await;
    let trainee = server.sign_in("trainee", 3).await;
    let file = media::portrait(2);
    let clip = trainee.upload(&file, &About::file(&file, "油菜花")).await;
    trainee.wait_ready(&clip.clip).await;
    at_rest(&server).await;
    server.fsck(&["--grace", "0"]).await.is_clean();

    left_over(&server, &storage, &clip).await;
    not_known(&server, &storage).await;
    what_plays(&server, &storage, &trainee, &clip).await;
    unfinished(&server, &storage, &trainee).await;
    originals(&server, &storage, &trainee, &clip, &std::fs::read(&file).unwrap()).await;
    without_a_server(&mut server, &trainee).await;
    server.end().await;
}

async fn left_over(server: &TestServer, storage: &Storage, clip: &Upload) {
    let version: VersionId = clip.version.parse().unwrap();
    let upload = text(server, "select id from uploads where version_id = $1", &clip.version).await.parse().unwrap();
    let crashed = [
        keys::original(&version, 99),
        keys::poster(&version, 99),
        keys::partial(&upload, 99),
        keys::sidecar(&ClipId::new(), &version),
    ];
    for key in &crashed {
        storage.put(key, "text/plain", "left behind").await.unwrap();
    }
    storage.put("a/strangers/thing", "text/plain", "not ours").await.unwrap();
    storage.create_multipart(&keys::original(&version, 98), "video/mp4").await.unwrap();
    server.fsck(&[]).await.is_clean();
    let seen = server.fsck(&["--grace", "0"]).await;
    assert_eq!((seen.code, seen.kinds().len()), (1, 5), "{}", seen.outcome);
    assert_eq!(seen.kinds().iter().filter(|kind| **kind == "orphan").count(), 4);
    assert_eq!(seen.outcome["report"]["counted"]["foreign"], 1);
    let mended = server.fsck(&["--grace", "0", "--repair"]).await;
    mended.is_clean();
    assert_eq!(mended.became(), ["let_go"; 5], "{}", mended.outcome);
    // As old as what is deleted.
    run(server, "update object_trash set since = 0 where key <> $1", "").await;
    server.fsck(&["--repair"]).await.is_clean();
    for key in &crashed {
        assert!(storage.head(key).await.unwrap().is_none(), "{key}");
    }
    assert!(storage.head("a/strangers/thing").await.unwrap().is_some(), "what is not ours is left alone");
}

/// What belongs to nothing that the database knows is the trace of a newer database, and no repair takes it away.
async fn not_known(server: &TestServer, storage: &Storage) {
    let (version, upload) = (VersionId::new(), UploadId::new());
    let newer = [
        keys::original(&version, 1),
        keys::poster(&version, 1),
        keys::sidecar(&ClipId::new(), &version),
        keys::upload_tail(&upload, 1, 0),
    ];
    let evidence = keys::evidence(&SnapshotId::new());
    for key in newer.iter().chain([&evidence]) {
        storage.put(key, "text/plain", "newer").await.unwrap();
    }
    storage.create_multipart(&keys::original(&VersionId::new(), 1), "video/mp4").await.unwrap();
    assert_eq!(server.fsck(&[]).await.kinds(), ["unknown", "unknown"]);
    let mended = server.fsck(&["--grace", "0", "--repair"]).await;
    assert_eq!((mended.code, mended.kinds()), (1, vec!["unknown", "unknown"]), "{}", mended.outcome);
    assert_eq!(mended.became(), ["by_hand", "by_hand"]);
    run(server, "update object_trash set since = 0 where key <> $1", "").await;
    server.fsck(&["--repair"]).await;
    for key in newer.iter().chain([&evidence]) {
        assert!(storage.head(key).await.unwrap().is_some(), "{key}");
        storage.delete(key).await.unwrap();
    }
    server.fsck(&["--grace", "0"]).await.is_clean();
}

async fn what_plays(server: &TestServer, storage: &Storage, trainee: &User, clip: &Upload) {
    // A segment, and the sidecar.
    let segment = text(
        server,
        "select s.key from rendition_segments s join renditions r on r.id = s.rendition_id where r.version_id = $1
         order by s.key limit 1",
        &clip.version,
    )
    .await;
    storage.delete(&segment).await.unwrap();
    storage.delete(&sidecar_key(clip)).await.unwrap();
    let poster = text(server, "select poster_key from clip_versions where id = $1", &clip.version).await;
    storage.put(&poster, "image/jpeg", "").await.unwrap();
    let seen = server.fsck(&[]).await;
    assert_eq!(seen.kinds(), ["media_missing", "sidecar_missing"], "{}", seen.outcome);
    let missing = seen.outcome["report"]["findings"][0]["seen"].as_str().unwrap();
    assert!(missing.contains("2 个"), "an empty poster is none: {missing}");
    server.fsck(&["--repair"]).await.is_clean();
    trainee.wait_ready(&clip.clip).await;
    at_rest(server).await;
    server.fsck(&[]).await.is_clean();
    let sidecar: Sidecar = serde_json::from_slice(&storage.get(&sidecar_key(clip)).await.unwrap()).unwrap();
    assert_eq!((sidecar.clip.title.as_str(), sidecar.upload.part_sha256.len()), ("油菜花", 1));

    // It tells something else than the rows: as long, or not even that.
    server.fsck(&["--repair"]).await.is_clean();
    let told = storage.get(&sidecar_key(clip)).await.unwrap();
    let other = String::from_utf8(told.to_vec()).unwrap().replace("油菜花", "油茶花");
    storage.put(&sidecar_key(clip), "application/json", other).await.unwrap();
    server.fsck(&[]).await.is_clean();
    assert_eq!(server.fsck(&["--deep"]).await.kinds(), ["sidecar_stale"]);
    storage.put(&sidecar_key(clip), "application/json", "{").await.unwrap();
    assert_eq!(server.fsck(&[]).await.kinds(), ["sidecar_stale"]);
    server.fsck(&["--repair"]).await.is_clean();
    assert_eq!(storage.get(&sidecar_key(clip)).await.unwrap(), told);

    // Received, and nobody works on it.
    run(server, "delete from jobs where subject = $1", &clip.version).await;
    let received = "update clip_versions set state = 'received', sidecar_rev = sidecar_rev + 1 where id = $1";
    run(server, received, &clip.version).await;
    assert_eq!(server.fsck(&[]).await.kinds(), ["job_missing"]);
    server.fsck(&["--repair"]).await.is_clean();
    trainee.wait_ready(&clip.clip).await;

    // The screenshot behind numbers: only a person can bring it back.
    let evidence =
        text(server, "select evidence_key from growth_snapshots where id <> $1 order by id limit 1", "").await;
    let picture = storage.get(&evidence).await.unwrap();
    storage.delete(&evidence).await.unwrap();
    let seen = server.fsck(&["--repair"]).await;
    assert_eq!((seen.code, seen.kinds()), (1, vec!["evidence_missing"]));
    storage.put(&evidence, "image/png", "").await.unwrap();
    assert_eq!(server.fsck(&[]).await.kinds(), ["evidence_missing"]);
    storage.put(&evidence, "image/png", picture[1..].to_vec()).await.unwrap();
    assert_eq!(server.fsck(&["--deep"]).await.kinds(), ["evidence_bytes"]);
    storage.put(&evidence, "image/png", picture).await.unwrap();
    at_rest(server).await;
    server.fsck(&["--grace", "0"]).await.is_clean();
}

/// What was acknowledged and is not there any more is sent again from where the bucket ends.
async fn unfinished(server: &TestServer, storage: &Storage, trainee: &User) {
    let (upload, film) = half_sent(trainee).await;
    server.fsck(&["--grace", "0"]).await.is_clean();
    let id = upload.url.rsplit('/').next().unwrap();
    let tail = text(server, "select key from upload_tails where upload_id = $1", id).await;
    storage.delete(&tail).await.unwrap();
    let seen = server.fsck(&["--repair"]).await;
    seen.is_clean();
    assert_eq!(seen.outcome["repaired"][0]["kind"], "parts_missing", "{}", seen.outcome);
    assert_eq!(trainee.upload_offset(&upload).await.unwrap(), 8 << 20);
    // And with the multipart upload everything.
    let key = text(server, "select key from uploads where id = $1", id).await;
    let multipart = text(server, "select s3_upload_id from uploads where id = $1", id).await;
    storage.abort_multipart(&key, &multipart).await.unwrap();
    assert_eq!(server.fsck(&[]).await.kinds(), ["parts_missing"]);
    server.fsck(&["--repair"]).await.is_clean();
    assert_eq!(trainee.upload_offset(&upload).await.unwrap(), 0);
    trainee.resume(&upload, &film).await;
    assert_eq!(sha256(&server.original(&upload.version).await), sha256(&film));
    until("its end", Duration::from_secs(120), || async {
        let clip = trainee.clip(&upload.clip).await;
        if clip["media_state"] == "ready" || clip["media_state"] == "failed" { Ok(()) } else { Err(clip.to_string()) }
    })
    .await;
}

/// A repair throws no original away, finds one that is there, and takes back what it said when a lost one is restored.
async fn originals(server: &TestServer, storage: &Storage, trainee: &User, clip: &Upload, film: &[u8]) {
    let key = text(server, ORIGINAL, &clip.version).await;
    damaged(server, storage, trainee, clip, film, &key).await;
    lost_by_the_disk(server, storage, clip, film).await;

    // It is there and whole, and only its row is wrong.
    for (wrong, kind) in [
        ("update clip_versions set original_key = null where id = $1", "original_unnamed"),
        ("update clip_versions set bytes = bytes + 1 where id = $1", "original_length"),
    ] {
        run(server, wrong, &clip.version).await;
        assert_eq!(server.fsck(&["--grace", "0"]).await.kinds(), [kind]);
        let mended = server.fsck(&["--grace", "0", "--repair"]).await;
        mended.is_clean();
        assert_eq!(mended.became(), ["fixed"], "{}", mended.outcome);
        assert_eq!(text(server, ORIGINAL, &clip.version).await, key);
    }

    let gone =
        "select count(*) from clip_versions where id = $1 and original_gone = 'lost' and original_key is not null";
    for missing in [false, true] {
        if missing {
            storage.delete(&key).await.unwrap();
            assert_eq!(server.fsck(&[]).await.kinds(), ["original_missing"]);
        } else {
            storage.put(&key, "video/mp4", film[1..].to_vec()).await.unwrap();
            assert_eq!(server.fsck(&[]).await.kinds(), ["original_length"]);
        }
        let lost = server.fsck(&["--repair"]).await;
        assert_eq!((lost.code, lost.became(), lost.kinds()), (1, vec!["lost"], vec![]), "{}", lost.outcome);
        // What plays goes on playing, nothing is thrown away, and it is no news the next time.
        let seen = trainee.clip(&clip.clip).await;
        assert_eq!((seen["playable"].as_bool(), seen["media_state"].as_str()), (Some(true), Some("ready")), "{seen}");
        assert_eq!(server.count(gone, &clip.version).await, 1);
        run(server, "update object_trash set since = 0 where key <> $1", "").await;
        server.fsck(&["--repair", "--deep", "--grace", "0"]).await.is_clean();
        assert_eq!(storage.head(&key).await.unwrap().is_none(), missing);
        assert!(storage.head(&sidecar_key(clip)).await.unwrap().is_some());
        restored(server, storage, clip, film, &key).await;
        assert_eq!(server.count(gone, &clip.version).await, 0);
    }

    // One that never played: she is told, and asked to send it again.
    storage.delete(&key).await.unwrap();
    let segments =
        "delete from rendition_segments where rendition_id in (select id from renditions where version_id = $1)";
    let version = "update clip_versions set state = 'received', mp4_key = null, playable_at = null where id = $1";
    for sql in [segments, "delete from renditions where version_id = $1", version] {
        run(server, sql, &clip.version).await;
    }
    let lost = server.fsck(&["--repair"]).await;
    assert_eq!(lost.became(), ["lost"], "{}", lost.outcome);
    let seen = trainee.clip(&clip.clip).await;
    assert_eq!(seen["refusal"]["code"], "lost", "{seen}");
    restored(server, storage, clip, film, &key).await;
    trainee.wait_ready(&clip.clip).await;
    at_rest(server).await;
    server.fsck(&["--deep"]).await.is_clean();
}

/// A backup of the store has brought the file back.
async fn restored(server: &TestServer, storage: &Storage, clip: &Upload, film: &[u8], key: &str) {
    storage.put(key, "video/mp4", film.to_vec()).await.unwrap();
    assert_eq!(server.fsck(&[]).await.kinds(), ["original_found"], "{}", clip.version);
    let mended = server.fsck(&["--repair"]).await;
    mended.is_clean();
    assert_eq!(mended.became(), ["fixed"]);
}

/// Other bytes of the same length are seen only by reading them. What becomes of them a person has to say, and nothing
/// is made of them meanwhile: that would end what plays.
async fn damaged(server: &TestServer, storage: &Storage, trainee: &User, clip: &Upload, film: &[u8], key: &str) {
    let mut other = film.to_vec();
    other[film.len() / 2] ^= 1;
    storage.put(key, "video/mp4", other.clone()).await.unwrap();
    server.fsck(&[]).await.is_clean();
    let deep = server.fsck(&["--deep", "--repair"]).await;
    assert_eq!(
        (deep.code, deep.kinds(), deep.became()),
        (1, vec!["original_bytes"], vec!["by_hand"]),
        "{}",
        deep.outcome
    );
    assert!(deep.outcome["report"]["counted"]["originals_read"].as_i64() > Some(1));
    assert_eq!(storage.get(key).await.unwrap(), other);

    let poster = text(server, "select poster_key from clip_versions where id = $1", &clip.version).await;
    let picture = storage.get(&poster).await.unwrap();
    storage.delete(&poster).await.unwrap();
    let left = server.fsck(&["--repair"]).await;
    assert_eq!(
        (left.code, left.kinds(), left.became()),
        (1, vec!["media_missing"], vec!["by_hand"]),
        "{}",
        left.outcome
    );
    at_rest(server).await;
    let seen = trainee.clip(&clip.clip).await;
    assert_eq!((seen["playable"].as_bool(), seen["media_state"].as_str()), (Some(true), Some("ready")), "{seen}");
    storage.put(&poster, "image/jpeg", picture).await.unwrap();
    storage.put(key, "video/mp4", film.to_vec()).await.unwrap();
    server.fsck(&["--deep"]).await.is_clean();
}

/// The files of the embedded store that hold these bytes; another store keeps its own elsewhere.
fn files_of(server: &TestServer, bytes: &[u8]) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![server.data()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).is_ok_and(|found| found == bytes) {
                files.push(path);
            }
        }
    }
    files
}

/// A disk that has lost half a film, and a picture whole: the store knows their names still.
async fn lost_by_the_disk(server: &TestServer, storage: &Storage, clip: &Upload, film: &[u8]) {
    let half = files_of(server, film);
    if half.is_empty() {
        return;
    }
    for file in &half {
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(film.len() as u64 / 2).unwrap();
    }
    let seen = server.fsck(&[]).await;
    assert_eq!(seen.code, 1, "{}", seen.log);
    assert!(seen.kinds().iter().all(|kind| *kind == "original_length"), "{}", seen.outcome);
    server.fsck(&["--repair"]).await;
    // From a backup of the disk.
    for file in &half {
        std::fs::write(file, film).unwrap();
    }
    server.fsck(&["--repair"]).await;
    at_rest(server).await;
    server.fsck(&["--deep"]).await.is_clean();

    let poster = text(server, "select poster_key from clip_versions where id = $1", &clip.version).await;
    for file in files_of(server, &storage.get(&poster).await.unwrap()) {
        std::fs::remove_file(file).unwrap();
    }
    // Other films of this test look the same.
    let seen = server.fsck(&[]).await;
    assert_eq!(seen.code, 1, "{}", seen.log);
    assert!(seen.kinds().iter().all(|kind| *kind == "media_missing"), "{}", seen.outcome);
    server.fsck(&["--repair"]).await.is_clean();
    at_rest(server).await;
    server.fsck(&["--deep"]).await.is_clean();
}

async fn without_a_server(server: &mut TestServer, trainee: &User) {
    let (upload, _) = half_sent(trainee).await;
    let id = upload.url.rsplit('/').next().unwrap().to_owned();
    server.stop();
    run(server, "update uploads set expires_at = 1 where id = $1", &id).await;
    let seen = server.fsck(&[]).await;
    assert_eq!((seen.code, seen.kinds()), (1, vec!["upload_stuck"]), "{}", seen.log);
    server.fsck(&["--repair"]).await.is_clean();
    assert_eq!(text(server, "select state from uploads where id = $1", &id).await, "expired");
    // Another bucket is not looked into: everything would seem lost.
    run(server, "update installation set value = 'elsewhere' where name = 'store' and value <> $1", "").await;
    let refused = server.fsck(&["--repair"]).await;
    assert_eq!((refused.code, refused.outcome), (2, Value::Null));
}
