use super::*;
use crate::both_databases;
use crate::clip::create::Draft;
use crate::clip::testing::{self, person};
use crate::clip::{ClipState, MediaState};
use crate::db::Db;
use crate::ids::ClipId;
use crate::upload::TailPiece;
use crate::upload::sql::{self, NewUpload, Purpose};

const NOW: At = At(1_000_000);

async fn begun(tx: &mut Tx, owner: &crate::access::Principal, clip: Option<&ClipId>) -> Upload {
    named(tx, owner, clip, None).await.0
}

async fn named(
    tx: &mut Tx,
    owner: &crate::access::Principal,
    clip: Option<&ClipId>,
    title: Option<&str>,
) -> (Upload, Option<Renamed>) {
    let draft =
        Draft { filename: "村口.mp4", content_type: "video/mp4", bytes: 20, clip, title, ..Default::default() };
    let made = create::create(tx, NOW, owner, &draft).await.unwrap();
    let purpose = Purpose::Whole { clip: &made.clip, version: &made.version };
    let (length, most) = (Some(20), 2 << 30);
    let new = NewUpload { owner: &owner.user, purpose, length, most, metadata: "", idempotency_key: None };
    let upload = sql::create(tx, NOW, new).await.unwrap();
    (sql::take_over(tx, NOW, &upload.id).await.unwrap().0, made.renamed)
}

async fn bytes(tx: &mut Tx, upload: &Upload) {
    let key = format!("tails/{}", upload.id);
    let piece = TailPiece { part_no: 1, start: 0, len: 5, key, sha256: String::new() };
    sql::add_tail(tx, NOW, upload, &piece).await.unwrap();
}

async fn states(tx: &mut Tx, upload: &Upload) -> (State, MediaState, ClipState) {
    let version = testing::version(tx, upload.version_id.as_ref().unwrap()).await.state;
    let clip = crate::clip::sql::get(tx, upload.clip_id.as_ref().unwrap()).await.unwrap().state;
    (sql::find(tx, &upload.id).await.unwrap().state, version, clip)
}

const SENDING: (State, MediaState, ClipState) = (State::Open, MediaState::Uploading, ClipState::Draft);

fn naming(title: &str) -> create::Naming {
    create::Naming { title: title.into(), assignment_code: None }
}

async fn two_versions(db: &Db) -> (Upload, Upload) {
    let mut tx = db.write().await.unwrap();
    let she = person(&mut tx).await;
    let first = begun(&mut tx, &she, None).await;
    bytes(&mut tx, &first).await;
    let second = begun(&mut tx, &she, first.clip_id.as_ref()).await;
    tx.commit().await.unwrap();
    (first, second)
}

both_databases! {
    bytes_of_a_newer_version_end_the_older_upload_and_never_the_other_way_round(db) {
        let (first, second) = two_versions(&db).await;
        let mut tx = db.write().await.unwrap();
        supersede(&mut tx, NOW, &first).await.unwrap();
        assert_eq!((states(&mut tx, &first).await, states(&mut tx, &second).await), (SENDING, SENDING));
        supersede(&mut tx, NOW, &second).await.unwrap();
        let ended = (State::Terminated, MediaState::Abandoned, ClipState::Draft);
        assert_eq!((states(&mut tx, &first).await, states(&mut tx, &second).await), (ended, SENDING));
        tx.commit().await.unwrap();
    }

    what_brought_nothing_goes_when_the_next_is_begun(db) {
        let (first, second) = two_versions(&db).await;
        let mut tx = db.write().await.unwrap();
        let clip = first.clip_id.clone().unwrap();
        clear_bare(&mut tx, NOW + SILENT - Millis(1), &clip).await.unwrap();
        assert_eq!((states(&mut tx, &first).await, states(&mut tx, &second).await), (SENDING, SENDING));
        clear_bare(&mut tx, NOW + SILENT, &clip).await.unwrap();
        let ended = (State::Terminated, MediaState::Abandoned, ClipState::Draft);
        assert_eq!((states(&mut tx, &first).await, states(&mut tx, &second).await), (SENDING, ended), "one has bytes");
        tx.commit().await.unwrap();
    }

    a_creation_that_is_undone_takes_only_what_it_made(db) {
        let (first, second) = two_versions(&db).await;
        let mut tx = db.write().await.unwrap();
        let renamed = Renamed { from: naming("村口"), to: naming("村口") };
        undo(&mut tx, NOW, &second, Some(&renamed)).await.unwrap();
        assert_eq!(states(&mut tx, &second).await, (State::Terminated, MediaState::Abandoned, ClipState::Draft));
        assert!(!undo(&mut tx, NOW, &first, None).await.unwrap());
        assert_eq!(states(&mut tx, &first).await, SENDING, "it has bytes");
        // A draft that was there before stays, even with nothing in it.
        sql::terminate(&mut tx, NOW, &first).await.unwrap();
        let she = crate::access::Principal { user: first.owner_id.clone(), ..person(&mut tx).await };
        let clip = first.clip_id.clone().unwrap();
        let title = async |tx: &mut Tx| crate::clip::sql::get(tx, &clip).await.unwrap().title;
        for (since, after) in [(None, "村口"), (Some("晒秋"), "晒秋")] {
            let (third, renamed) = named(&mut tx, &she, Some(&clip), Some("改过的")).await;
            assert_eq!(title(&mut tx).await, "改过的");
            if let Some(since) = since {
                let now = crate::clip::sql::get(&mut tx, &clip).await.unwrap();
                crate::clip::sql::rename(&mut tx, &now, since).await.unwrap();
            }
            undo(&mut tx, NOW, &third, renamed.as_ref()).await.unwrap();
            assert_eq!(states(&mut tx, &third).await.2, ClipState::Draft);
            assert_eq!(title(&mut tx).await, after);
        }
        let alone = begun(&mut tx, &she, None).await;
        assert!(undo(&mut tx, NOW, &alone, None).await.unwrap());
        assert_eq!(states(&mut tx, &alone).await, (State::Terminated, MediaState::Abandoned, ClipState::Withdrawn));
        tx.commit().await.unwrap();
    }
}
