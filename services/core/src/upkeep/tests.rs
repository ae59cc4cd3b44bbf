//! The verbs, on both databases. The walk itself is tested on the real store, in the tests of the whole system.

use super::needed::Standing;
use super::*;
use crate::both_databases;
use crate::clip::create::{self, Draft};
use crate::clip::refusal::RefusalCode;
use crate::clip::sidecar::Stored;
use crate::clip::testing::{person, version as row};
use crate::clip::{MediaState, publish};
use crate::db::{Db, Tx};
use crate::ids::{CaptionId, SnapshotId};
use crate::job::{self, JobKind};
use crate::on;
use crate::review::testing as school;
use crate::storage::{keys, trash};
use crate::time::{At, Millis};
use crate::upload::sql::{self as uploads, NewUpload, Purpose};
use crate::upload::{Part, TailPiece, Upload};

pub(super) const NOW: At = At(1_000_000);
const MIB: i64 = 1 << 20;

async fn begun(db: &Db, length: i64) -> Upload {
    let mut tx = db.write().await.unwrap();
    let owner = person(&mut tx).await;
    let draft = Draft { filename: "村口.mp4", content_type: "video/mp4", bytes: length, ..Default::default() };
    let made = create::create(&mut tx, NOW, &owner, &draft).await.unwrap();
    let purpose = Purpose::Whole { clip: &made.clip, version: &made.version };
    let (length, most) = (Some(length), 2 << 30);
    let new = NewUpload { owner: &owner.user, purpose, length, most, metadata: "", idempotency_key: None };
    let upload = uploads::create(&mut tx, NOW, new).await.unwrap();
    let (upload, _) = uploads::take_over(&mut tx, NOW, &upload.id).await.unwrap();
    tx.commit().await.unwrap();
    upload
}

pub(super) fn version_of(upload: &Upload) -> &VersionId {
    upload.version_id.as_ref().unwrap()
}

pub(super) fn clip_of(upload: &Upload) -> &ClipId {
    upload.clip_id.as_ref().unwrap()
}

fn part(no: i64, len: i64) -> Part {
    Part { no, len, etag: format!("\"{no}\""), sha256: hex::encode([no as u8; 32]) }
}

/// An upload of three bytes that came to its end.
pub(super) async fn received(db: &Db) -> Upload {
    let upload = begun(db, 3).await;
    let key = keys::original(version_of(&upload), upload.epoch);
    let mut tx = db.write().await.unwrap();
    uploads::set_object(&mut tx, NOW, &upload.id, upload.epoch, &key, None).await.unwrap();
    uploads::record_part(&mut tx, NOW, &upload, &part(1, 3)).await.unwrap();
    let now = uploads::find(&mut tx, &upload.id).await.unwrap();
    uploads::complete(&mut tx, NOW, &now, &[part(1, 3)]).await.unwrap();
    tx.commit().await.unwrap();
    now
}

async fn standing(tx: &mut Tx, key: &str) -> Standing {
    needed::standings(tx, &[key]).await.unwrap()[0]
}

async fn unneeded(tx: &mut Tx, key: &str) -> bool {
    standing(tx, key).await == Standing::Free
}

async fn unneeded_multipart(tx: &mut Tx, open: &OpenMultipart) -> bool {
    needed::multipart_standing(tx, open).await.unwrap() == Standing::Free
}

pub(super) async fn run(tx: &mut Tx, sql: &'static str, id: &str) {
    on!(tx, c => sqlx::query(sql).bind(id).execute(c).await.map(drop)).unwrap();
}

pub(super) async fn job(tx: &mut Tx, version: &VersionId, kind: JobKind) -> Option<(String, i64, i64)> {
    on!(tx, c => sqlx::query_as("select state, attempt, max_attempts from jobs where subject = $1 and kind = $2")
        .bind(version).bind(kind.as_str()).fetch_optional(c).await)
    .unwrap()
}

#[test]
fn a_half_copied_bucket_is_not_taken_for_lost_films() {
    let report = |lost: usize, originals| {
        let finding =
            |kind| Finding { kind, subject: Subject::Object(String::new()), about: String::new(), seen: String::new() };
        let others = std::iter::repeat_n(Kind::Orphan, 50);
        let findings = std::iter::repeat_n(Kind::OriginalMissing, lost).chain(others).map(finding).collect();
        Report { counted: Counted { originals, ..Counted::default() }, findings }
    };
    for (lost, originals, too_many) in
        [(10, 10, false), (11, 11, true), (11, 219, true), (11, 220, false), (0, 0, false)]
    {
        assert_eq!(mend::are_too_many_lost(&report(lost, originals)), too_many, "{lost} of {originals}");
    }
}

both_databases! {
    what_a_row_names_is_needed_and_nothing_else(db) {
        let done = received(&db).await;
        let version = version_of(&done);
        let mut tx = db.write().await.unwrap();
        let (own, other) = (keys::original(version, done.epoch), keys::original(version, 77));
        assert!(!unneeded(&mut tx, &own).await && unneeded(&mut tx, &other).await);
        assert!(needed::is_named(&mut tx, &own).await.unwrap() && !needed::is_named(&mut tx, &other).await.unwrap());
        let sidecar = keys::sidecar(clip_of(&done), version);
        assert!(!unneeded(&mut tx, &sidecar).await);
        assert!(unneeded(&mut tx, &keys::sidecar(&ClipId::new(), version)).await);
        let caption = CaptionId::new();
        let (hers, left) = (keys::attached_caption(version, &caption), keys::attached_caption(version, &CaptionId::new()));
        let of = crate::clip::sql::version(&mut tx, version).await.unwrap();
        crate::caption::sql::attach(&mut tx, NOW, &done.owner_id, &of, &caption, &"zh".parse().unwrap(), 5).await.unwrap();
        assert!(!unneeded(&mut tx, &hers).await && unneeded(&mut tx, &left).await, "one was put and never named");
        assert!(needed::is_named(&mut tx, &hers).await.unwrap());
        run(&mut tx, "update clips set state = 'withdrawn' where id = $1", clip_of(&done).as_str()).await;
        assert!(unneeded(&mut tx, &sidecar).await, "what she took back does not come back");
        // What is in the trash is on its way, and what is not ours is left alone.
        trash::put(&mut tx, NOW, &other, None).await.unwrap();
        assert!(!unneeded(&mut tx, &other).await);
        for foreign in [keys::STORE, "backup/2026", "media/x/1/poster.jpg"] {
            assert!(!unneeded(&mut tx, foreign).await, "{foreign}");
        }
        assert!(unneeded(&mut tx, &keys::evidence(&SnapshotId::new())).await);
        tx.commit().await.unwrap();
    }

    what_belongs_to_nothing_that_is_known_is_not_left_over(db) {
        let done = received(&db).await;
        let (version, upload) = (VersionId::new(), UploadId::new());
        let unknown = [
            keys::original(&version, 1),
            keys::poster(&version, 1),
            keys::sidecar(clip_of(&done), &version),
            keys::attached_caption(&version, &CaptionId::new()),
            keys::upload_tail(&upload, 1, 0),
            keys::partial(&upload, 1),
        ];
        let mut tx = db.write().await.unwrap();
        for key in &unknown {
            assert_eq!(standing(&mut tx, key).await, Standing::Unknown, "{key}");
        }
        for key in [&unknown[0], &unknown[5]] {
            let open = OpenMultipart { key: key.clone(), upload_id: "m".into(), begun_at: None };
            assert_eq!(needed::multipart_standing(&mut tx, &open).await.unwrap(), Standing::Unknown);
        }
        tx.commit().await.unwrap();
        let free = keys::original(version_of(&done), 77);
        let keys: Vec<&str> = unknown.iter().map(String::as_str).chain([free.as_str()]).collect();
        let gone = orphans::let_go(&db, NOW, &keys).await.unwrap();
        // Of an upload that is not known no clip comes, and the walk has waited for a restored database long enough.
        assert_eq!(gone, [false, false, false, false, true, true, true]);
    }

    what_the_bucket_says_came_and_the_rows_do_not_is_not_left_over(db) {
        let (open, done) = (begun(&db, 3).await, received(&db).await);
        let sidecar = |upload: &Upload| keys::sidecar(clip_of(upload), version_of(upload));
        let mut tx = db.write().await.unwrap();
        assert_eq!(standing(&mut tx, &sidecar(&open)).await, Standing::Needed, "it may be about to come");
        uploads::terminate(&mut tx, NOW, &open).await.unwrap();
        assert_eq!(standing(&mut tx, &sidecar(&open)).await, Standing::Unknown);
        assert_eq!(standing(&mut tx, &keys::poster(version_of(&open), 1)).await, Standing::Unknown);
        assert_eq!(standing(&mut tx, &keys::original(version_of(&open), 1)).await, Standing::Free, "of a writer that died");
        run(&mut tx, "update clips set state = 'withdrawn' where id = $1", clip_of(&open).as_str()).await;
        assert_eq!(standing(&mut tx, &sidecar(&open)).await, Standing::Free);
        assert_eq!(standing(&mut tx, &sidecar(&done)).await, Standing::Needed);
        tx.commit().await.unwrap();
    }

    what_came_and_is_not_named_stays_for_a_repair(db) {
        let done = received(&db).await;
        let (key, sidecar) = (done.key.clone().unwrap(), keys::sidecar(clip_of(&done), version_of(&done)));
        let mut tx = db.write().await.unwrap();
        run(&mut tx, "update clip_versions set original_key = null where id = $1", version_of(&done).as_str()).await;
        assert_eq!(standing(&mut tx, &key).await, Standing::Needed);
        assert_eq!(standing(&mut tx, &sidecar).await, Standing::Needed);
        run(&mut tx, "update clip_versions set original_gone = 'released' where id = $1", version_of(&done).as_str()).await;
        assert!(unneeded(&mut tx, &key).await && unneeded(&mut tx, &sidecar).await, "let go of on purpose");
        tx.commit().await.unwrap();
    }

    nothing_of_what_somebody_is_at_work_on_is_left_over(db) {
        let open = begun(&db, 20 * MIB).await;
        let mut tx = db.write().await.unwrap();
        let (tail, early) = (keys::upload_tail(&open.id, 1, 0), keys::original(version_of(&open), 1));
        assert!(!unneeded(&mut tx, &tail).await && !unneeded(&mut tx, &early).await);
        let multipart = |id: &str| OpenMultipart { key: early.clone(), upload_id: id.into(), begun_at: None };
        assert!(!unneeded_multipart(&mut tx, &multipart("m1")).await, "about to be noted");
        uploads::set_object(&mut tx, NOW, &open.id, open.epoch, &early, Some("m1")).await.unwrap();
        assert!(!unneeded_multipart(&mut tx, &multipart("m1")).await);
        assert!(unneeded_multipart(&mut tx, &multipart("m0")).await, "an older writer's");
        uploads::terminate(&mut tx, NOW, &open).await.unwrap();
        assert!(!unneeded(&mut tx, &tail).await, "the trash has everything under its prefix");
        run(&mut tx, "delete from object_trash where key <> $1", "").await;
        assert!(unneeded(&mut tx, &tail).await && unneeded(&mut tx, &early).await);
        assert!(unneeded_multipart(&mut tx, &multipart("m1")).await);
        tx.commit().await.unwrap();

        // A worker may be about to name what it has put.
        let done = received(&db).await;
        let poster = keys::poster(version_of(&done), 1);
        let mut tx = db.write().await.unwrap();
        assert!(unneeded(&mut tx, &poster).await);
        let lease = job::testing::claim(&mut tx, "w", Millis::seconds(20)).await.unwrap().unwrap();
        assert!(!unneeded(&mut tx, &poster).await);
        publish::start(&mut tx, &lease).await.unwrap();
        publish::poster(&mut tx, &lease, NOW, &poster, 9).await.unwrap();
        publish::skipped(&mut tx, &lease, NOW).await.unwrap();
        assert!(!unneeded(&mut tx, &poster).await && unneeded(&mut tx, &keys::poster(version_of(&done), 2)).await);
        tx.commit().await.unwrap();
    }

    the_books_are_read_page_by_page(db) {
        let room = school::Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let mut versions = Vec::new();
        for _ in 0..books::PAGE + 3 {
            versions.push(school::clip(&mut tx, &room.trainee, None, None).await.1);
        }
        let first = &versions[0];
        school::rendition(&mut tx, first, 1, "480", 3, true).await;
        school::rendition(&mut tx, first, 1, "720", 2, false).await;
        job::enqueue(&mut tx, NOW, JobKind::OtherRungs, first.as_str(), &room.trainee).await.unwrap();
        let page = books::versions(&mut tx, "").await.unwrap();
        assert_eq!(page.len() as i64, books::PAGE);
        assert!(page.is_sorted_by_key(|book| book.row.id.clone()));
        let book = &page[0];
        assert_eq!((&book.row.id, book.renditions.len(), book.has_job), (first, 1, true));
        assert_eq!(book.renditions[0].1.iter().map(|s| s.n).collect::<Vec<_>>(), [0, 1, 2]);
        let rest = books::versions(&mut tx, page.last().unwrap().row.id.as_str()).await.unwrap();
        assert_eq!(rest.len(), 3);
        let alone = books::version(&mut tx, first).await.unwrap().unwrap();
        assert_eq!((alone.renditions.len(), alone.has_job), (1, true));
        assert!(books::version(&mut tx, &VersionId::new()).await.unwrap().is_none());
        let clips = books::clips_with_sidecars(&mut tx, "").await.unwrap();
        assert!(clips.len() as i64 == books::PAGE && clips.iter().all(|(_, rows)| rows.len() == 1), "they play");
        assert_eq!(books::counts(&mut tx).await.unwrap(), (books::PAGE + 3, 0));
        assert!(books::evidence(&mut tx, "").await.unwrap().is_empty());
        tx.commit().await.unwrap();

        let done = received(&db).await;
        let open = begun(&db, 20 * MIB).await;
        let mut tx = db.read().await.unwrap();
        let (last, _) = clips.last().unwrap();
        let rest = books::clips_with_sidecars(&mut tx, last.as_str()).await.unwrap();
        let rest: Vec<_> = rest.iter().flat_map(|(_, rows)| rows).map(|v| &v.id).collect();
        assert!(rest.len() == 4 && rest.contains(&version_of(&done)), "not what is still being sent: {rest:?}");
        let stored = Stored::of(&mut tx, version_of(&done)).await.unwrap().unwrap();
        assert_eq!(stored, Stored::new(&done.id, done.key.as_deref().unwrap(), done.part_size, &[part(1, 3)]));
        assert!(Stored::of(&mut tx, version_of(&open)).await.unwrap().is_none());
        assert_eq!(books::uploads(&mut tx, "").await.unwrap(), [open]);
    }

    an_upload_goes_on_from_the_last_byte_that_is_there(db) {
        let open = begun(&db, 30 * MIB).await;
        let mut tx = db.write().await.unwrap();
        uploads::set_object(&mut tx, NOW, &open.id, open.epoch, "originals/v/1", Some("m1")).await.unwrap();
        for no in [1, 2] {
            uploads::record_part(&mut tx, NOW, &open, &part(no, 8 * MIB)).await.unwrap();
        }
        for start in [0, 100] {
            let piece = TailPiece { part_no: 3, start, len: 100, key: format!("tails/{start}"), sha256: String::new() };
            uploads::add_tail(&mut tx, NOW, &open, &piece).await.unwrap();
        }
        let seen = uploads::find(&mut tx, &open.id).await.unwrap();
        assert!(mend::forget_from(&mut tx, NOW, &seen, 16 * MIB + 100).await.unwrap());
        assert!(!mend::forget_from(&mut tx, NOW, &seen, 0).await.unwrap(), "somebody has gone on with it");
        let seen = uploads::find(&mut tx, &open.id).await.unwrap();
        assert_eq!(uploads::durable(&mut tx, &seen).await.unwrap().offset, 16 * MIB + 100);
        assert!(uploads::record_part(&mut tx, NOW, &open, &part(3, 8 * MIB)).await.is_err(), "its writer is fenced off");
        assert!(mend::forget_from(&mut tx, NOW, &seen, 8 * MIB).await.unwrap());
        let seen = uploads::find(&mut tx, &open.id).await.unwrap();
        assert_eq!(uploads::durable(&mut tx, &seen).await.unwrap().offset, 8 * MIB);
        assert_eq!(seen.s3_upload_id.as_deref(), Some("m1"));
        assert!(mend::forget_from(&mut tx, NOW, &seen, 0).await.unwrap());
        let seen = uploads::find(&mut tx, &open.id).await.unwrap();
        assert_eq!((seen.key, seen.s3_upload_id), (None, None));
        tx.commit().await.unwrap();
    }

    a_lost_original_leaves_what_plays_and_is_told_where_nothing_does(db) {
        let (silent, plays) = (received(&db).await, received(&db).await);
        let mut tx = db.write().await.unwrap();
        run(&mut tx, "update clip_versions set mp4_key = 'm', playable_at = 1 where id = $1", version_of(&plays).as_str()).await;
        for upload in [&silent, &plays] {
            publish::original_lost(&mut tx, NOW, version_of(upload)).await.unwrap();
            let version = row(&mut tx, version_of(upload)).await;
            assert_eq!((&version.original_key, version.original_gone.as_deref()), (&upload.key, Some("lost")));
            assert_eq!(job(&mut tx, version_of(upload), JobKind::Prepare).await.unwrap().0, "cancelled");
        }
        let told = row(&mut tx, version_of(&silent)).await;
        assert_eq!((told.state, told.reason_code.as_deref()), (MediaState::Failed, Some(RefusalCode::Lost.code())));
        assert_eq!(row(&mut tx, version_of(&plays)).await.state, MediaState::Ready);
        // A backup of the store may bring the file back: nothing of it goes.
        for upload in [&silent, &plays] {
            let key = upload.key.as_deref().unwrap();
            assert!(!unneeded(&mut tx, key).await && needed::is_named(&mut tx, key).await.unwrap());
            assert!(!unneeded(&mut tx, &keys::sidecar(clip_of(upload), version_of(upload))).await);
            assert!(!trash::due(&mut tx, NOW, 100).await.unwrap().iter().any(|t| t.key == key));
            publish::original_found(&mut tx, NOW, version_of(upload), &upload.owner_id, key, 3).await.unwrap();
            assert_eq!(row(&mut tx, version_of(upload)).await.original_gone, None);
        }
        let back = row(&mut tx, version_of(&silent)).await;
        assert_eq!((back.state, back.reason_code), (MediaState::Received, None));
        assert_eq!(job(&mut tx, version_of(&silent), JobKind::Prepare).await.unwrap().0, "ready");
        assert_eq!(row(&mut tx, version_of(&plays)).await.state, MediaState::Ready, "it is made already");
        assert_eq!(job(&mut tx, version_of(&plays), JobKind::Prepare).await.unwrap().0, "cancelled");
        tx.commit().await.unwrap();
    }

    what_is_made_again_gets_attempts_of_its_own(db) {
        let done = received(&db).await;
        let version = version_of(&done);
        let mut tx = db.write().await.unwrap();
        let lease = job::testing::claim(&mut tx, "w", Millis::seconds(20)).await.unwrap().unwrap();
        publish::start(&mut tx, &lease).await.unwrap();
        publish::mp4(&mut tx, &lease, NOW, "m", 9).await.unwrap();
        publish::go_on(&mut tx, &lease, NOW, JobKind::Ladder).await.unwrap();
        let lease = job::testing::claim(&mut tx, "w", Millis::seconds(20)).await.unwrap().unwrap();
        publish::ready(&mut tx, &lease, NOW).await.unwrap();
        assert!(publish::make_again(&mut tx, NOW, version, &done.owner_id).await.unwrap());
        assert_eq!(job(&mut tx, version, JobKind::Prepare).await.unwrap(), ("ready".into(), 2, 2 + job::MAX_ATTEMPTS));
        assert_eq!(job(&mut tx, version, JobKind::Ladder).await.unwrap().0, "cancelled");
        let seen = row(&mut tx, version).await;
        assert_eq!((seen.state, seen.playable()), (MediaState::Processing, true), "what plays goes on playing");
        let lease = job::testing::claim(&mut tx, "w", Millis::seconds(20)).await.unwrap().unwrap();
        assert_eq!((lease.kind, lease.attempt), (JobKind::Prepare, 3));
        publish::start(&mut tx, &lease).await.unwrap();
        publish::go_on(&mut tx, &lease, NOW, JobKind::Ladder).await.unwrap();
        let lease = job::testing::claim(&mut tx, "w", Millis::seconds(20)).await.unwrap().unwrap();
        assert_eq!((lease.kind, lease.attempt), (JobKind::Ladder, 4));
        publish::ready(&mut tx, &lease, NOW).await.unwrap();
        assert_eq!(row(&mut tx, version).await.state, MediaState::Ready);
        // Without the file there is nothing to make it from.
        publish::original_lost(&mut tx, NOW, version).await.unwrap();
        assert!(!publish::make_again(&mut tx, NOW, version, &done.owner_id).await.unwrap());
        tx.commit().await.unwrap();
    }

    a_stretch_of_a_film_is_kept_until_it_is_joined(db) {
        let mut tx = db.write().await.unwrap();
        let owner = person(&mut tx).await.user;
        let new = NewUpload { owner: &owner, purpose: Purpose::Partial, length: Some(3), most: 2 << 30, metadata: "",
                              idempotency_key: None };
        let made = uploads::create(&mut tx, NOW, new).await.unwrap();
        let (mine, _) = uploads::take_over(&mut tx, NOW, &made.id).await.unwrap();
        let (own, other) = (mine.new_key(), keys::partial(&mine.id, 77));
        assert!(!unneeded(&mut tx, &own).await && !unneeded(&mut tx, &other).await, "somebody is at work");
        let multipart = OpenMultipart { key: own.clone(), upload_id: "m1".into(), begun_at: None };
        assert!(!unneeded_multipart(&mut tx, &multipart).await);
        uploads::set_object(&mut tx, NOW, &mine.id, mine.epoch, &own, None).await.unwrap();
        uploads::record_part(&mut tx, NOW, &mine, &part(1, 3)).await.unwrap();
        let now = uploads::find(&mut tx, &mine.id).await.unwrap();
        assert!(uploads::complete(&mut tx, NOW, &now, &[part(1, 3)]).await.unwrap());
        assert!(!unneeded(&mut tx, &own).await && unneeded(&mut tx, &other).await);
        assert!(needed::is_named(&mut tx, &own).await.unwrap());
        assert!(unneeded_multipart(&mut tx, &multipart).await);
        uploads::terminate(&mut tx, NOW, &now).await.unwrap();
        run(&mut tx, "delete from object_trash where key <> $1", "").await;
        assert!(unneeded(&mut tx, &own).await && !needed::is_named(&mut tx, &own).await.unwrap());
        tx.commit().await.unwrap();
    }
}
