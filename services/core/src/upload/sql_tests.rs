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

const MOST: i64 = 2 << 30;

async fn upload(db: &Db, length: i64) -> Upload {
    begun(db, Some(length), None).await
}

async fn begun(db: &Db, length: Option<i64>, idempotency_key: Option<&str>) -> Upload {
    let mut tx = db.write().await.unwrap();
    let owner = person(&mut tx).await;
    let bytes = length.unwrap_or(0);
    let draft = Draft { filename: "村口.mp4", content_type: "video/mp4", bytes, ..Default::default() };
    let made = create::create(&mut tx, NOW, &owner, &draft).await.unwrap();
    let purpose = Purpose::Whole { clip: &made.clip, version: &made.version };
    let new = NewUpload { owner: &owner.user, purpose, length, most: MOST, metadata: "a YQ==", idempotency_key };
    let upload = create(&mut tx, NOW, new).await.unwrap();
    tx.commit().await.unwrap();
    upload
}

fn version_of(upload: &Upload) -> &VersionId {
    upload.version_id.as_ref().unwrap()
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
        assert_eq!(open_of_version(&mut tx, version_of(&made)).await.unwrap(), Some(made));
        assert!(matches!(find(&mut tx, &UploadId::new()).await, Err(Error::NotFound)));
    }

    an_empty_file_is_refused_and_makes_nothing(db) {
        let mut tx = db.write().await.unwrap();
        let owner = person(&mut tx).await;
        let draft = Draft { filename: "村口.mp4", content_type: "video/mp4", ..Default::default() };
        let made = create::create(&mut tx, NOW, &owner, &draft).await.unwrap();
        let purpose = Purpose::Whole { clip: &made.clip, version: &made.version };
        let length = Some(0);
        let new = NewUpload { owner: &owner.user, purpose, length, most: MOST, metadata: "", idempotency_key: None };
        match create(&mut tx, NOW, new).await {
            Err(Error::Refused(refusal)) => assert_eq!(refusal.code, "empty"),
            other => panic!("{other:?}"),
        }
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
        assert_eq!(unsettled(&mut tx, NOW).await.unwrap(), std::slice::from_ref(&mine.id));
        assert_eq!(unsettled(&mut tx, NOW - Millis(1)).await.unwrap(), []);
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
        let version = testing::version(&mut tx, version_of(&mine)).await;
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
        create::abandoned(&mut tx, NOW, version_of(&mine)).await.unwrap();
        let now = find(&mut tx, &mine.id).await.unwrap();
        assert!(complete(&mut tx, NOW, &now, &[part(1, 3)]).await.unwrap());
        assert!(trash_keys(&mut tx).await.contains(&"originals/v/1".to_owned()));
        assert_eq!(testing::jobs_of(&mut tx, version_of(&mine).as_str()).await, 0);
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
        assert!(all.contains(&Trash { key: "originals/v/1".into(), s3_upload_id: "m1".into(), since: NOW }), "{all:?}");
        assert!(all.contains(&Trash { key: keys::upload_tails(&mine.id), s3_upload_id: String::new(), since: NOW }));
        for each in &all {
            emptied(&mut tx, each).await.unwrap();
        }
        assert_eq!(trash::due(&mut tx, NOW, 100).await.unwrap(), []);
        assert_eq!(testing::version(&mut tx, version_of(&mine)).await.state, MediaState::Abandoned);
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
        let version = testing::version(&mut tx, version_of(&made)).await;
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
        assert_eq!(testing::version(&mut tx, version_of(&made)).await.state, MediaState::Abandoned);
        tx.commit().await.unwrap();
    }

    nothing_is_over_after_days_in_which_nothing_ran(db) {
        let made = upload(&db, 20).await;
        assert!(clock::is_steady(&db, NOW).await.unwrap());
        let later = NOW + EXPIRES_AFTER + Millis::days(1);
        let (mine, _) = take_over(&mut db.write().await.unwrap(), later, &made.id).await.unwrap();
        assert_eq!((mine.state, mine.expires_at), (State::Open, later + EXPIRES_AFTER));
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

    a_length_said_late_is_kept_and_said_once(db) {
        let made = begun(&db, None, None).await;
        assert_eq!((made.length, made.part_size), (None, 8 * MIB));
        let (mine, there) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        set_object(&mut tx, NOW, &mine.id, mine.epoch, "originals/v/1", Some("m1")).await.unwrap();
        assert_eq!(record_part(&mut tx, NOW, &mine, &part(1, 8 * MIB)).await.unwrap(), Recorded::More);
        add_tail(&mut tx, NOW, &mine, &piece(2, 0, 5)).await.unwrap();
        let now = declare_length(&mut tx, NOW, mine.clone(), &there, 20 * MIB).await.unwrap();
        assert_eq!((now.length, now.state), (Some(20 * MIB), State::Open));
        assert_eq!(find(&mut tx, &made.id).await.unwrap().length, Some(20 * MIB));
        assert_eq!(testing::version(&mut tx, version_of(&made)).await.bytes, 20 * MIB);
        assert_eq!(durable(&mut tx, &now).await.unwrap().offset, 8 * MIB + 5, "what came before stands");
        assert!(declare_length(&mut tx, NOW, now, &there, 20 * MIB).await.is_err(), "once");
        tx.commit().await.unwrap();
    }

    a_length_that_is_there_already_leaves_only_the_joining(db) {
        let made = begun(&db, None, None).await;
        let (mine, _) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        set_object(&mut tx, NOW, &mine.id, mine.epoch, "originals/v/1", Some("m1")).await.unwrap();
        record_part(&mut tx, NOW, &mine, &part(1, 8 * MIB)).await.unwrap();
        tx.commit().await.unwrap();
        let (mine, there) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        let now = declare_length(&mut tx, NOW, mine, &there, 8 * MIB).await.unwrap();
        assert_eq!(now.state, State::Completing);
        assert_eq!(unsettled(&mut tx, NOW).await.unwrap(), [now.id]);
        tx.commit().await.unwrap();
    }

    a_length_whose_end_lies_in_the_tail_is_settled_by_gathering_it(db) {
        let made = begun(&db, None, None).await;
        let (mine, _) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        add_tail(&mut tx, NOW, &mine, &piece(1, 0, 5)).await.unwrap();
        assert_eq!(unsettled(&mut tx, NOW).await.unwrap(), []);
        tx.commit().await.unwrap();
        let (mine, there) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        let now = declare_length(&mut tx, NOW, mine, &there, 5).await.unwrap();
        assert_eq!((now.state, now.is_single()), (State::Open, true));
        assert_eq!(unsettled(&mut tx, NOW).await.unwrap(), [now.id]);
        tx.commit().await.unwrap();
    }

    an_empty_file_may_show_late(db) {
        let made = begun(&db, None, None).await;
        let (mine, there) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        let now = declare_length(&mut tx, NOW, mine, &there, 0).await.unwrap();
        assert_eq!((now.state, now.refusal()), (State::Failed, Some(RefusalCode::Empty)));
        assert_eq!(testing::version(&mut tx, version_of(&made)).await.state, MediaState::Abandoned);
        let clip = crate::clip::sql::get(&mut tx, made.clip_id.as_ref().unwrap()).await.unwrap();
        assert_eq!(clip.state, crate::clip::ClipState::Withdrawn, "no draft of nothing stays");
        tx.commit().await.unwrap();
    }

    an_older_writer_declares_no_length(db) {
        let made = begun(&db, None, None).await;
        let (old, there) = taken(&db, &made.id).await;
        taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        assert!(matches!(declare_length(&mut tx, NOW, old, &there, 5).await, Err(Error::Conflict(_))));
    }

    a_creation_is_found_by_its_key_until_it_is_given_up(db) {
        let made = begun(&db, Some(20), Some("draft-1")).await;
        let mut tx = db.write().await.unwrap();
        let other = person(&mut tx).await.user;
        assert_eq!(of_idempotency_key(&mut tx, &made.owner_id, "draft-1").await.unwrap(), Some(made.clone()));
        assert_eq!(of_idempotency_key(&mut tx, &made.owner_id, "draft-2").await.unwrap(), None);
        assert_eq!(of_idempotency_key(&mut tx, &other, "draft-1").await.unwrap(), None);
        assert!(terminate(&mut tx, NOW, &made).await.unwrap());
        assert_eq!(of_idempotency_key(&mut tx, &made.owner_id, "draft-1").await.unwrap(), None);
        tx.commit().await.unwrap();
        let made = begun(&db, Some(20), Some("draft-1")).await;
        let (mine, _) = taken(&db, &made.id).await;
        let mut tx = db.write().await.unwrap();
        assert!(fail(&mut tx, NOW, &mine, RefusalCode::NotAVideo).await.unwrap());
        let found = of_idempotency_key(&mut tx, &made.owner_id, "draft-1").await.unwrap().unwrap();
        assert_eq!((found.id, found.state), (made.id, State::Failed), "what is refused is refused again");
        tx.commit().await.unwrap();
    }
}
