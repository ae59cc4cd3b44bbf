use super::*;
use crate::both_databases;
use crate::clip::MediaState;
use crate::clip::create::{self, Draft};
use crate::clip::refusal::RefusalCode;
use crate::clip::testing::{self, person};
use crate::db::Db;
use crate::ids::VersionId;
use crate::storage::trash;
use crate::time::Millis;
use crate::upload::sql::*;
use crate::upload::{Kind, Part};

const NOW: At = At(1_000_000);

async fn somebody(db: &Db) -> crate::access::Principal {
    let mut tx = db.write().await.unwrap();
    let owner = person(&mut tx).await;
    tx.commit().await.unwrap();
    owner
}

/// A partial upload of `length` bytes, complete.
async fn partial(db: &Db, owner: &UserId, length: i64) -> UploadId {
    let mut tx = db.write().await.unwrap();
    let new = NewUpload {
        owner,
        purpose: Purpose::Partial,
        length: Some(length),
        most: 2 << 30,
        metadata: "",
        idempotency_key: None,
    };
    let made = create(&mut tx, NOW, new).await.unwrap();
    let (mine, _) = take_over(&mut tx, NOW, &made.id).await.unwrap();
    set_object(&mut tx, NOW, &mine.id, mine.epoch, &mine.new_key(), None).await.unwrap();
    let only = Part { no: 1, len: length, etag: "e".into(), sha256: hex::encode([1; 32]) };
    assert_eq!(record_part(&mut tx, NOW, &mine, &only).await.unwrap(), Recorded::All);
    let now = find(&mut tx, &mine.id).await.unwrap();
    assert!(complete(&mut tx, NOW, &now, &[only]).await.unwrap());
    tx.commit().await.unwrap();
    mine.id
}

async fn join(db: &Db, owner: &crate::access::Principal, of: &[UploadId]) -> Result<Upload> {
    let mut tx = db.write().await.unwrap();
    lock_owner(&mut tx, &owner.user).await?;
    let bytes = partials(&mut tx, NOW, &owner.user, of).await?.iter().filter_map(|p| p.length).sum();
    let draft = Draft { filename: "村口.mp4", content_type: "video/mp4", bytes, ..Default::default() };
    let made = create::create(&mut tx, NOW, owner, &draft).await?;
    let purpose = Purpose::Final { clip: &made.clip, version: &made.version, of, concat: "final;a b" };
    let new = NewUpload {
        owner: &owner.user,
        purpose,
        length: Some(bytes),
        most: 2 << 30,
        metadata: "",
        idempotency_key: None,
    };
    let joined = create(&mut tx, NOW, new).await?;
    tx.commit().await.unwrap();
    Ok(joined)
}

/// The joining, as a writer does it.
async fn finish(db: &Db, id: &UploadId) {
    let mut tx = db.write().await.unwrap();
    let (mine, _) = take_over(&mut tx, NOW, id).await.unwrap();
    let only = Part { no: 1, len: mine.length.unwrap(), etag: "e".into(), sha256: hex::encode([2; 32]) };
    set_object(&mut tx, NOW, &mine.id, mine.epoch, &mine.new_key(), None).await.unwrap();
    record_part(&mut tx, NOW, &mine, &only).await.unwrap();
    let now = find(&mut tx, id).await.unwrap();
    assert!(complete(&mut tx, NOW, &now, &[only]).await.unwrap());
    tx.commit().await.unwrap();
}

async fn state(db: &Db, id: &UploadId) -> State {
    find(&mut db.read().await.unwrap(), id).await.unwrap().state
}

both_databases! {
    a_partial_one_becomes_no_clip(db) {
        let owner = somebody(&db).await;
        let id = partial(&db, &owner.user, 10).await;
        let mut tx = db.read().await.unwrap();
        let there = find(&mut tx, &id).await.unwrap();
        assert_eq!((there.kind, there.state, &there.clip_id, &there.version_id), (Kind::Partial, State::Complete, &None, &None));
        assert_eq!(there.key, Some(format!("partials/{id}/1")));
        assert_eq!(testing::jobs_of(&mut tx, id.as_str()).await, 0);
    }

    joined_in_her_order_and_let_go_of_afterwards(db) {
        let owner = somebody(&db).await;
        let (a, b) = (partial(&db, &owner.user, 10).await, partial(&db, &owner.user, 20).await);
        let joined = join(&db, &owner, &[b.clone(), a.clone(), b.clone()]).await.unwrap();
        assert_eq!((joined.kind, joined.length, joined.concat.as_deref()), (Kind::Final, Some(50), Some("final;a b")));
        let mut tx = db.read().await.unwrap();
        let of: Vec<_> = sources(&mut tx, &joined.id).await.unwrap().into_iter().map(|p| p.id).collect();
        assert_eq!(of, [b.clone(), a.clone(), b.clone()]);
        assert_eq!(unsettled(&mut tx, NOW).await.unwrap(), std::slice::from_ref(&joined.id));
        assert_eq!(open_of_version(&mut tx, joined.version_id.as_ref().unwrap()).await.unwrap(), None, "nothing to send");
        drop(tx);
        finish(&db, &joined.id).await;
        assert_eq!((state(&db, &a).await, state(&db, &b).await), (State::Terminated, State::Terminated));
        let mut tx = db.read().await.unwrap();
        let keys: Vec<_> = trash::due(&mut tx, NOW, 100).await.unwrap().into_iter().map(|t| t.key).collect();
        assert!(keys.contains(&format!("partials/{a}/1")) && keys.contains(&format!("partials/{b}/1")), "{keys:?}");
        assert_eq!(unsettled(&mut tx, NOW).await.unwrap(), []);
    }

    a_partial_one_in_use_is_kept(db) {
        let owner = somebody(&db).await;
        let a = partial(&db, &owner.user, 10).await;
        let (one, two) = (join(&db, &owner, std::slice::from_ref(&a)).await.unwrap(), join(&db, &owner, std::slice::from_ref(&a)).await.unwrap());
        let mut tx = db.write().await.unwrap();
        let there = find(&mut tx, &a).await.unwrap();
        assert!(matches!(terminate(&mut tx, NOW, &there).await, Err(Error::Conflict(_))));
        assert_eq!(expire(&mut tx, NOW + EXPIRES_AFTER).await.unwrap(), 2, "the final ones");
        drop(tx);
        finish(&db, &one.id).await;
        assert_eq!(state(&db, &a).await, State::Complete, "the other still needs it");
        let mut tx = db.write().await.unwrap();
        assert!(terminate(&mut tx, NOW, &two).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(state(&db, &a).await, State::Terminated);
    }

    a_refused_file_lets_go_of_its_sources(db) {
        let owner = somebody(&db).await;
        let a = partial(&db, &owner.user, 10).await;
        let joined = join(&db, &owner, std::slice::from_ref(&a)).await.unwrap();
        let mut tx = db.write().await.unwrap();
        assert!(fail(&mut tx, NOW, &joined, RefusalCode::NotAVideo).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(state(&db, &a).await, State::Terminated);
        let version: VersionId = joined.version_id.unwrap();
        assert_eq!(testing::version(&mut db.read().await.unwrap(), &version).await.state, MediaState::Failed);
    }

    a_complete_one_is_not_failed_by_who_comes_late(db) {
        let owner = somebody(&db).await;
        let a = partial(&db, &owner.user, 10).await;
        let joined = join(&db, &owner, std::slice::from_ref(&a)).await.unwrap();
        // Two were at its last step, and the second was told by the store that there is nothing to join any more.
        let mut tx = db.write().await.unwrap();
        let late = find(&mut tx, &a).await.unwrap();
        assert!(!fail(&mut tx, NOW, &late, RefusalCode::Incomplete).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(state(&db, &a).await, State::Complete);
        finish(&db, &joined.id).await;
    }

    only_her_own_complete_ones_are_joined(db) {
        let (owner, other) = (somebody(&db).await, somebody(&db).await);
        let a = partial(&db, &owner.user, 10).await;
        assert!(matches!(join(&db, &other, std::slice::from_ref(&a)).await, Err(Error::NotFound)));
        assert!(matches!(join(&db, &owner, &[UploadId::new()]).await, Err(Error::NotFound)));
        let whole = join(&db, &owner, std::slice::from_ref(&a)).await.unwrap();
        assert!(matches!(join(&db, &owner, &[whole.id]).await, Err(Error::NotFound)), "a final one is none");
        let mut tx = db.write().await.unwrap();
        let new = NewUpload { owner: &owner.user, purpose: Purpose::Partial, length: None, most: 2 << 30, metadata: "", idempotency_key: None };
        let open = create(&mut tx, NOW, new).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(join(&db, &owner, &[a, open.id]).await, Err(Error::Conflict(_))), "not complete yet");
    }

    a_partial_one_that_nobody_joins_expires(db) {
        let owner = somebody(&db).await;
        let a = partial(&db, &owner.user, 10).await;
        let late = NOW + EXPIRES_AFTER;
        let mut tx = db.write().await.unwrap();
        assert_eq!(expire(&mut tx, late - Millis(1)).await.unwrap(), 0);
        assert_eq!(take_over(&mut tx, late, &a).await.unwrap().0.state, State::Expired);
        assert!(matches!(partials(&mut tx, late, &owner.user, std::slice::from_ref(&a)).await, Err(Error::NotFound)));
        assert_eq!(expire(&mut tx, late).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(state(&db, &a).await, State::Expired);
    }

    a_film_in_stretches_costs_its_bytes_once_and_joined_again_it_costs_them_again(db) {
        let owner = somebody(&db).await;
        let ids = [partial(&db, &owner.user, 10).await, partial(&db, &owner.user, 5).await];
        let used = async || {
            let mut tx = db.read().await.unwrap();
            let used = crate::upload::quota::used(&mut tx, NOW, &owner.user).await.unwrap();
            (used.today, used.kept, used.open)
        };
        assert_eq!(used().await, (15, 15, 2));
        let first = join(&db, &owner, &ids).await.unwrap();
        assert_eq!(used().await, (15, 15, 1), "the stretches count no longer");
        let again = join(&db, &owner, &ids).await.unwrap();
        let often = join(&db, &owner, &[ids[0].clone(), ids[0].clone(), ids[0].clone()]).await.unwrap();
        assert_eq!(used().await, (60, 60, 3));
        finish(&db, &first.id).await;
        assert_eq!(used().await, (60, 60, 2), "complete, it counts as what is kept");
        for ended in [&again, &often] {
            let mut tx = db.write().await.unwrap();
            assert!(terminate(&mut tx, NOW, ended).await.unwrap());
            tx.commit().await.unwrap();
        }
        assert_eq!(used().await, (15, 15, 0));
        let alone = partial(&db, &owner.user, 7).await;
        let joined = join(&db, &owner, std::slice::from_ref(&alone)).await.unwrap();
        let mut tx = db.write().await.unwrap();
        assert!(terminate(&mut tx, NOW, &joined).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(used().await, (22, 15, 0), "joined in vain, its stretches have been sent all the same");
    }

    nothing_joined_with_nothing_is_an_empty_file_and_refused(db) {
        let owner = somebody(&db).await;
        let mut tx = db.write().await.unwrap();
        let new = NewUpload { owner: &owner.user, purpose: Purpose::Partial, length: Some(0), most: 2 << 30, metadata: "", idempotency_key: None };
        let empty = create(&mut tx, NOW, new).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(empty.state, State::Complete);
        let joined = join(&db, &owner, std::slice::from_ref(&empty.id)).await;
        assert!(matches!(joined, Err(Error::Refused(refusal)) if refusal.code == "empty"));
        assert_eq!(state(&db, &empty.id).await, State::Complete);
    }
}
