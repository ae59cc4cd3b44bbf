use super::*;
use crate::both_databases;
use crate::clip::MediaState;
use crate::clip::create::{self, Draft};
use crate::clip::testing::{self, person};
use crate::db::Db;
use crate::storage::trash::{self, Trash, emptied};
use crate::time::Millis;

const NOW: At = At(1_000_000);
const MIB: i64 = 1 << 20;

async fn upload(db: &Db, length: i64) -> Upload {
    let mut tx = db.write().await.unwrap();
    let owner = person(&mut tx).await;
    let draft = Draft { filename: "村口.mp4", content_type: "video/mp4", bytes: length, ..Default::default() };
    let made = create::create(&mut tx, NOW, &owner, &draft).await.unwrap();
    let new = NewUpload { owner: &owner.user, clip: &made.clip, version: &made.version, length, metadata: "a YQ==" };
    let upload = create(&mut tx, NOW, new).await.unwrap();
    tx.commit().await.unwrap();
    upload
}

fn part(no: i64, len: i64) -> Part {
    Part { no, len, etag: format!("\"{no}\""), sha256: hex::encode([no as u8; 32]) }
}

fn piece(part_no: i64, start: i64, len: i64) -> TailPiece {
    TailPiece { part_no, start, len, key: format!("tails/{part_no}-{start}"), sha256: String::new() }
}

async fn taken(db: &Db, id: &UploadId) -> (Upload, Durable) {
    let mut tx = db.write().await.unwrap();
    let taken = take_over(&mut tx, NOW, id).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

async fn trash_keys(tx: &mut Tx) -> Vec<String> {
    let mut keys: Vec<_> = trash::due(tx, NOW, 100).await.unwrap().into_iter().map(|t| t.key).collect();
    keys.sort();
    keys
}

both_databases! {
    a_new_upload_waits_at_zero(db) {
        let made = upload(&db, 20 * MIB).await;
        let mut tx = db.read().await.unwrap();
        assert_eq!(find(&mut tx, &made.id).await.unwrap(), made);
        assert_eq!((made.state, made.epoch, made.metadata.as_str()), (State::Open, 0, "a YQ=="));
        assert_eq!(durable(&mut tx, &made).await.unwrap().offset, 0);
        assert_eq!(open_of_version(&mut tx, &made.version_id).await.unwrap(), Some(made));
        assert!(matches!(find(&mut tx, &UploadId::new()).await, Err(Error::NotFound)));
    }

    an_empty_file_is_complete_and_its_version_refused(db) {
        let made = upload(&db, 0).await;
        assert_eq!(made.state, State::Complete);
        let mut tx = db.read().await.unwrap();
        let version = testing::version(&mut tx, &made.version_id).await;
        assert_eq!((version.state, version.reason_code.as_deref()), (MediaState::Failed, Some("empty")));
    }

    parts_in_any_order_and_the_last_one_completes(db) {
        let made = upload(&db, 20 * MIB).await;
        let (mine, _) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        set_object(&mut tx, NOW, &mine.id, mine.epoch, "originals/v/1", Some("m1")).await.unwrap();
        assert_eq!(record_part(&mut tx, NOW, &mine, &part(3, 4 * MIB)).await.unwrap(), Recorded::More);
        assert_eq!(durable(&mut tx, &mine).await.unwrap().offset, 0, "a part beyond a gap counts for nothing");
        assert_eq!(record_part(&mut tx, NOW, &mine, &part(1, 8 * MIB)).await.unwrap(), Recorded::More);
        assert_eq!(record_part(&mut tx, NOW, &mine, &part(1, 8 * MIB)).await.unwrap(), Recorded::More, "a retry");
        add_tail(&mut tx, NOW, &mine, &piece(2, 0, MIB)).await.unwrap();
        assert_eq!(durable(&mut tx, &mine).await.unwrap().offset, 9 * MIB);
        assert_eq!(record_part(&mut tx, NOW, &mine, &part(2, 8 * MIB)).await.unwrap(), Recorded::All);
        assert_eq!(trash_keys(&mut tx).await, ["tails/2-0"]);
        let now = find(&mut tx, &mine.id).await.unwrap();
        assert_eq!((now.state, now.s3_upload_id.as_deref()), (State::Completing, Some("m1")));
        assert_eq!(completing(&mut tx, NOW).await.unwrap(), std::slice::from_ref(&mine.id));
        assert_eq!(completing(&mut tx, NOW - Millis(1)).await.unwrap(), []);
        tx.commit().await.unwrap();
    }

    complete_happens_exactly_once_with_version_and_job(db) {
        let made = upload(&db, 3).await;
        let (mine, _) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        set_object(&mut tx, NOW, &mine.id, mine.epoch, "originals/v/1", None).await.unwrap();
        assert_eq!(record_part(&mut tx, NOW, &mine, &part(1, 3)).await.unwrap(), Recorded::All);
        tx.commit().await.unwrap();
        for expected in [true, false] {
            let mut tx = db.write().await.unwrap();
            let now = find(&mut tx, &mine.id).await.unwrap();
            assert_eq!(complete(&mut tx, NOW, &now, &[part(1, 3)]).await.unwrap(), expected);
            tx.commit().await.unwrap();
        }
        let mut tx = db.read().await.unwrap();
        let now = find(&mut tx, &mine.id).await.unwrap();
        assert_eq!((now.state, now.root_sha256.unwrap().len()), (State::Complete, 64));
        let version = testing::version(&mut tx, &mine.version_id).await;
        assert_eq!((version.state, version.original_key.as_deref()), (MediaState::Received, Some("originals/v/1")));
        assert_eq!(version.sha256, Some(part(1, 3).sha256), "one part: its hash is the file's");
        assert_eq!(testing::jobs_of(&mut tx, version.id.as_str()).await, 1);
    }

    a_version_that_nobody_waits_for_leaves_no_object_and_no_job(db) {
        let made = upload(&db, 3).await;
        let (mine, _) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        set_object(&mut tx, NOW, &mine.id, mine.epoch, "originals/v/1", None).await.unwrap();
        record_part(&mut tx, NOW, &mine, &part(1, 3)).await.unwrap();
        create::abandoned(&mut tx, NOW, &mine.version_id).await.unwrap();
        let now = find(&mut tx, &mine.id).await.unwrap();
        assert!(complete(&mut tx, NOW, &now, &[part(1, 3)]).await.unwrap());
        assert!(trash_keys(&mut tx).await.contains(&"originals/v/1".to_owned()));
        assert_eq!(testing::jobs_of(&mut tx, mine.version_id.as_str()).await, 0);
        tx.commit().await.unwrap();
    }

    the_newer_writer_wins_and_the_older_records_nothing(db) {
        let made = upload(&db, 20 * MIB).await;
        let (old, _) = taken(&db, &made.id).await;
        let (new, _) = taken(&db, &made.id).await;
        assert_eq!((old.epoch, new.epoch), (1, 2));
        let mut tx = db.write().await.unwrap();
        let lost = |r: Result<()>| assert!(matches!(r, Err(Error::Conflict(_))), "{r:?}");
        lost(record_part(&mut tx, NOW, &old, &part(1, 8 * MIB)).await.map(drop));
        lost(add_tail(&mut tx, NOW, &old, &piece(1, 0, 5)).await);
        lost(set_object(&mut tx, NOW, &old.id, old.epoch, "k", None).await);
        record_part(&mut tx, NOW, &new, &part(1, 8 * MIB)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(taken(&db, &made.id).await.1.offset, 8 * MIB);
    }

    a_takeover_forgets_what_lies_beyond_the_offset(db) {
        let made = upload(&db, 30 * MIB).await;
        let (mine, _) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        record_part(&mut tx, NOW, &mine, &part(1, 8 * MIB)).await.unwrap();
        record_part(&mut tx, NOW, &mine, &part(3, 8 * MIB)).await.unwrap();
        add_tail(&mut tx, NOW, &mine, &piece(2, 0, 100)).await.unwrap();
        add_tail(&mut tx, NOW, &mine, &piece(2, 200, 5)).await.unwrap();
        add_tail(&mut tx, NOW, &mine, &piece(4, 0, 5)).await.unwrap();
        tx.commit().await.unwrap();
        let (mine, there) = taken(&db, &made.id).await;
        assert_eq!((there.offset, there.tail_len()), (8 * MIB + 100, 100));
        let mut tx = db.write().await.unwrap();
        assert_eq!(trash_keys(&mut tx).await, ["tails/2-200", "tails/4-0"]);
        record_part(&mut tx, NOW, &mine, &part(2, 8 * MIB)).await.unwrap();
        assert_eq!(durable(&mut tx, &mine).await.unwrap().offset, 16 * MIB, "the offset does not jump over part 3");
        tx.commit().await.unwrap();
    }

    ended_uploads_take_nothing_and_let_go_of_everything(db) {
        let made = upload(&db, 20 * MIB).await;
        let (mine, _) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        set_object(&mut tx, NOW, &mine.id, mine.epoch, "originals/v/1", Some("m1")).await.unwrap();
        assert!(terminate(&mut tx, NOW, &mine).await.unwrap());
        assert!(!terminate(&mut tx, NOW, &mine).await.unwrap(), "once is enough");
        assert!(matches!(record_part(&mut tx, NOW, &mine, &part(1, 8 * MIB)).await, Err(Error::Conflict(_))));
        let all = trash::due(&mut tx, NOW, 100).await.unwrap();
        assert!(all.contains(&Trash { key: "originals/v/1".into(), s3_upload_id: "m1".into() }), "{all:?}");
        assert!(all.contains(&Trash { key: keys::upload_tails(&mine.id), s3_upload_id: String::new() }));
        for each in &all {
            emptied(&mut tx, each).await.unwrap();
        }
        assert_eq!(trash::due(&mut tx, NOW, 100).await.unwrap(), []);
        assert_eq!(testing::version(&mut tx, &mine.version_id).await.state, MediaState::Abandoned);
        tx.commit().await.unwrap();
        assert_eq!(taken(&db, &made.id).await.0.state, State::Terminated);
    }

    a_refused_file_tells_why(db) {
        let made = upload(&db, 20).await;
        let mut tx = db.write().await.unwrap();
        assert!(fail(&mut tx, NOW, &made, RefusalCode::Playlist).await.unwrap());
        assert!(!fail(&mut tx, NOW, &made, RefusalCode::NotAVideo).await.unwrap());
        let now = find(&mut tx, &made.id).await.unwrap();
        assert_eq!((now.state, now.refusal()), (State::Failed, Some(RefusalCode::Playlist)));
        let version = testing::version(&mut tx, &made.version_id).await;
        assert_eq!((version.state, version.reason_code.as_deref()), (MediaState::Failed, Some("playlist")));
        tx.commit().await.unwrap();
    }

    a_superseded_writer_does_not_say_how_it_ends(db) {
        let older = upload(&db, 20).await;
        let (newer, _) = taken(&db, &older.id).await;
        let mut tx = db.write().await.unwrap();
        assert!(!fail(&mut tx, NOW, &older, RefusalCode::Incomplete).await.unwrap());
        assert_eq!(find(&mut tx, &older.id).await.unwrap().state, State::Open);
        assert!(fail(&mut tx, NOW, &newer, RefusalCode::Incomplete).await.unwrap());
        tx.commit().await.unwrap();
    }

    only_a_complete_upload_survives_its_time(db) {
        let made = upload(&db, 20).await;
        let later = NOW + EXPIRES_AFTER;
        let mut tx = db.write().await.unwrap();
        assert_eq!(expire(&mut tx, later - Millis(1)).await.unwrap(), 0);
        let (seen, _) = take_over(&mut tx, later, &made.id).await.unwrap();
        assert_eq!((seen.state, seen.epoch), (State::Expired, 0), "not swept yet, and gone all the same");
        assert_eq!(expire(&mut tx, later).await.unwrap(), 1);
        assert_eq!(expire(&mut tx, later).await.unwrap(), 0);
        assert_eq!(testing::version(&mut tx, &made.version_id).await.state, MediaState::Abandoned);
        tx.commit().await.unwrap();
    }

    every_byte_recorded_puts_the_end_of_its_time_off(db) {
        let made = upload(&db, 20 * MIB).await;
        let later = NOW + Millis::days(6);
        let mut tx = db.write().await.unwrap();
        let (mine, _) = take_over(&mut tx, later, &made.id).await.unwrap();
        assert_eq!(expire(&mut tx, NOW + EXPIRES_AFTER).await.unwrap(), 0);
        add_tail(&mut tx, later + Millis::days(6), &mine, &piece(1, 0, 1)).await.unwrap();
        assert_eq!(expire(&mut tx, later + EXPIRES_AFTER).await.unwrap(), 0);
        tx.commit().await.unwrap();
    }
}
