use serde_json::json;

use super::*;
use crate::both_databases;
use crate::db::Db;
use crate::ids::{CaptionId, UserId};
use crate::job::Outcome;
use crate::time::Millis;

const NOW: At = At(1_000);

/// A received version whose `prepare` waits.
async fn received(db: &Db) -> VersionId {
    let (owner, clip, version) = (UserId::new(), ClipId::new(), VersionId::new());
    let mut tx = db.write().await.unwrap();
    on!(&mut tx, c => sqlx::query("insert into regions (code, level, name, kind, path) values ('43', 1, '湖南省', 'admin', '43/')")
        .execute(c).await.map(drop)).unwrap();
    on!(&mut tx, c => sqlx::query(
            "insert into users (id, display_name, phone_hash, phone_enc, phone_masked, password_hash, region_code, region_path, state, created_at)
             values ($1, '贾小娟', 'h', 'e', '138****0001', 'p', '43', '43/', 'active', 1)")
        .bind(&owner).execute(c).await.map(drop)).unwrap();
    on!(&mut tx, c => sqlx::query(
            "insert into clips (id, owner_id, title, state, region_code, region_path, created_at, updated_at)
             values ($1, $2, '打鼓', 'draft', '43', '43/', 1, 1)")
        .bind(&clip).bind(&owner).execute(c).await.map(drop))
    .unwrap();
    on!(&mut tx, c => sqlx::query(
            "insert into clip_versions (id, clip_id, n, state, filename, content_type, bytes, original_key, created_at)
             values ($1, $2, 1, 'received', 'a.mp4', 'video/mp4', 7, 'original', 1)")
        .bind(&version).bind(&clip).execute(c).await.map(drop))
    .unwrap();
    job::enqueue(&mut tx, NOW, JobKind::Prepare, version.as_str(), &owner).await.unwrap();
    tx.commit().await.unwrap();
    version
}

async fn take(db: &Db) -> Lease {
    let mut tx = db.write().await.unwrap();
    let lease = job::testing::claim(&mut tx, "here", Millis::minutes(1)).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    lease
}

async fn begin(db: &Db) -> Lease {
    let lease = take(db).await;
    let mut tx = db.write().await.unwrap();
    let source = start(&mut tx, &lease).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((source.key.as_str(), source.bytes, source.filename.as_str()), ("original", 7, "a.mp4"));
    lease
}

async fn try_again(db: &Db, lease: &Lease) -> Outcome {
    let mut tx = db.write().await.unwrap();
    let outcome = job::fail(&mut tx, lease, "x").await.unwrap();
    if outcome == Outcome::Dead {
        let dead = Dead { job: lease.job.clone(), kind: lease.kind, subject: lease.subject.clone() };
        given_up(&mut tx, NOW, &dead).await.unwrap();
    }
    on!(&mut tx, c => sqlx::query("update jobs set run_at = 1 where state = 'ready'").execute(c).await.map(drop))
        .unwrap();
    tx.commit().await.unwrap();
    outcome
}

async fn set_clips(tx: &mut Tx, state: &str) {
    on!(tx, c => sqlx::query("update clips set state = $1").bind(state).execute(c).await.map(drop)).unwrap();
}

async fn grow(db: &Db, lease: &Lease, segments: i64) -> RenditionId {
    let attempt = lease.attempt;
    let mut tx = db.write().await.unwrap();
    let new = NewRendition {
        name: "480".into(),
        width: 480,
        height: 854,
        bandwidth: 1,
        codecs: "avc1".into(),
        init_key: format!("{attempt}/init"),
        init_bytes: 9,
    };
    let id = rendition(&mut tx, lease, &new).await.unwrap();
    for n in 0..segments {
        let new = Segment { n, duration_ms: 2000, bytes: 9, key: format!("{attempt}/{n}") };
        segment(&mut tx, lease, NOW, &id, &new).await.unwrap();
    }
    tx.commit().await.unwrap();
    id
}

async fn end(db: &Db, lease: &Lease, id: &RenditionId) {
    let mut tx = db.write().await.unwrap();
    complete(&mut tx, lease, NOW, id, 900_000).await.unwrap();
    tx.commit().await.unwrap();
}

async fn row(db: &Db, version: &VersionId) -> crate::clip::Version {
    let mut tx = db.read().await.unwrap();
    on!(&mut tx, c => sqlx::query_as("select * from clip_versions where id = $1").bind(version).fetch_one(c).await)
        .unwrap()
}

async fn column(db: &Db, sql: &'static str) -> Vec<String> {
    let mut tx = db.read().await.unwrap();
    on!(&mut tx, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap()
}
const TRASH: &str = "select key from object_trash order by key";
const SEGMENTS: &str = "select key from rendition_segments order by key";

const CAPTIONS: &str = "select key from caption_tracks order by key";

fn caption(language: &str, key: &str) -> NewCaption {
    NewCaption { language: language.parse().unwrap(), title: Some("导演的话".into()), key: key.into(), bytes: 9 }
}

both_databases! {
    what_a_later_attempt_finds_takes_the_place_of_what_an_earlier_one_found(db) {
        let version = received(&db).await;
        let first = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        captions(&mut tx, &first, NOW, &[caption("zh", "1/0"), caption("zh", "1/1")]).await.unwrap();
        let of = clip::sql::version(&mut tx, &version).await.unwrap();
        let (hers, zh) = (CaptionId::new(), "zh".parse().unwrap());
        caption::sql::attach(&mut tx, NOW, &first.owner, &of, &hers, &zh, 5).await.unwrap();
        waveform(&mut tx, &first, NOW, "1/wave", 9).await.unwrap();
        tx.commit().await.unwrap();
        try_again(&db, &first).await;
        let second = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        captions(&mut tx, &second, NOW, &[caption("en", "2/0")]).await.unwrap();
        waveform(&mut tx, &second, NOW, "2/wave", 9).await.unwrap();
        assert!(captions(&mut tx, &first, NOW, &[]).await.is_err(), "it was replaced");
        let seen = caption::sql::of_version(&mut tx, &version).await.unwrap();
        assert_eq!((seen.len(), seen[1].language.as_str(), seen[1].title.as_deref()), (2, "en", Some("导演的话")));
        tx.commit().await.unwrap();
        assert_eq!(column(&db, TRASH).await, ["1/0", "1/1", "1/wave"]);
        // Of what cannot become a clip only what is hers stays.
        let mut tx = db.write().await.unwrap();
        refused(&mut tx, &second, NOW, RefusalCode::Damaged, None).await.unwrap();
        let left = caption::sql::of_version(&mut tx, &version).await.unwrap();
        assert_eq!((left.len(), left[0].origin), (1, caption::Origin::Attached));
        let clip = clip::sql::version(&mut tx, &version).await.unwrap().clip_id;
        let_go_of_all(&mut tx, NOW, &clip, &version).await.unwrap();
        assert!(caption::sql::of_version(&mut tx, &version).await.unwrap().is_empty());
        tx.commit().await.unwrap();
        let gone = column(&db, TRASH).await;
        assert!(["2/0", "2/wave"].iter().all(|key| gone.contains(&(*key).to_owned())), "{gone:?}");
        assert!(gone.iter().any(|key| key.starts_with(&keys::attached_captions(&version))), "{gone:?}");
    }

    a_clip_is_published_step_by_step(db) {
        let version = received(&db).await;
        let lease = begin(&db).await;
        assert_eq!(row(&db, &version).await.state, MediaState::Processing);
        let mut tx = db.write().await.unwrap();
        let found = Facts { width: 480, height: 854, duration_ms: 3_000, detail: json!({"warnings": ["这条没有声音。"]}) };
        facts(&mut tx, &lease, &found).await.unwrap();
        poster(&mut tx, &lease, NOW, "poster", 9).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!row(&db, &version).await.playable());
        let id = grow(&db, &lease, 2).await;
        assert!(row(&db, &version).await.playable());
        end(&db, &lease, &id).await;
        let mut tx = db.write().await.unwrap();
        mp4(&mut tx, &lease, At(5_000), "mp4", 9).await.unwrap();
        waveform(&mut tx, &lease, NOW, "wave", 9).await.unwrap();
        go_on(&mut tx, &lease, NOW, JobKind::OtherRungs).await.unwrap();
        tx.commit().await.unwrap();
        let lease = begin(&db).await;
        assert_eq!(lease.kind, JobKind::OtherRungs);
        let mut tx = db.write().await.unwrap();
        storyboard(&mut tx, &lease, NOW, ("board", 9), ("vtt", 9)).await.unwrap();
        captions(&mut tx, &lease, NOW, &[caption("zh", "words")]).await.unwrap();
        ready(&mut tx, &lease, At(9_000)).await.unwrap();
        tx.commit().await.unwrap();
        let v = row(&db, &version).await;
        assert_eq!((v.state, v.playable_at, v.ready_at), (MediaState::Ready, Some(NOW), Some(At(9_000))));
        assert_eq!((v.width, v.height, v.duration_ms), (Some(480), Some(854), Some(3_000)));
        assert_eq!(v.warnings(), ["这条没有声音。"]);
        let keys = [v.poster_key, v.mp4_key, v.storyboard_key, v.storyboard_vtt_key, v.waveform_key].map(Option::unwrap);
        assert_eq!(keys, ["poster", "mp4", "board", "vtt", "wave"]);
        assert_eq!(column(&db, CAPTIONS).await, ["words"]);
        assert!(column(&db, TRASH).await.is_empty());
        assert!(job::testing::claim(&mut db.write().await.unwrap(), "here", Millis(1)).await.unwrap().is_none());
    }

    a_later_attempt_takes_over_when_it_has_caught_up(db) {
        let version = received(&db).await;
        let first = begin(&db).await;
        let old = grow(&db, &first, 2).await;
        let mut tx = db.write().await.unwrap();
        poster(&mut tx, &first, NOW, "poster1", 9).await.unwrap();
        tx.commit().await.unwrap();
        try_again(&db, &first).await;
        let second = begin(&db).await;
        let new = grow(&db, &second, 1).await;
        assert_eq!(column(&db, SEGMENTS).await, ["1/0", "1/1", "2/0"], "what plays stays");
        let mut tx = db.write().await.unwrap();
        let more = Segment { n: 1, duration_ms: 2000, bytes: 9, key: "2/1".into() };
        segment(&mut tx, &second, NOW, &new, &more).await.unwrap();
        poster(&mut tx, &second, NOW, "poster2", 9).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(column(&db, SEGMENTS).await, ["2/0", "2/1"]);
        assert_eq!(column(&db, TRASH).await, ["1/0", "1/1", "1/init", "poster1"]);
        assert!(row(&db, &version).await.playable());
        assert_ne!(old, new);
    }

    a_copy_plays_before_the_first_rendition_and_that_before_the_others(db) {
        let version = received(&db).await;
        let lease = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        mp4(&mut tx, &lease, NOW, "mp4", 9).await.unwrap();
        go_on(&mut tx, &lease, NOW, JobKind::Ladder).await.unwrap();
        tx.commit().await.unwrap();
        assert!(row(&db, &version).await.playable());
        let lease = begin(&db).await;
        assert_eq!(lease.kind, JobKind::Ladder);
        let id = grow(&db, &lease, 1).await;
        end(&db, &lease, &id).await;
        let mut tx = db.write().await.unwrap();
        go_on(&mut tx, &lease, NOW, JobKind::OtherRungs).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(begin(&db).await.kind, JobKind::OtherRungs);
    }

    the_next_attempt_learns_what_the_last_one_published(db) {
        let version = received(&db).await;
        let first = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        assert_eq!(kept(&mut tx, &first).await.unwrap(), Kept { renditions: Vec::new(), film: false });
        tx.commit().await.unwrap();
        let id = grow(&db, &first, 2).await;
        try_again(&db, &first).await;
        let second = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        let left = kept(&mut tx, &second).await.unwrap();
        let [rendition] = &*left.renditions else { panic!("{left:?}") };
        assert_eq!((&rendition.id, rendition.init_key.as_str(), rendition.complete), (&id, "1/init", false));
        let keys: Vec<_> = rendition.segments.iter().map(|segment| segment.key.as_str()).collect();
        assert_eq!((keys, left.film), (vec!["1/0", "1/1"], false));
        // It goes on under the row that is there, with keys of its own.
        let more = Segment { n: 2, duration_ms: 2000, bytes: 9, key: "2/2".into() };
        segment(&mut tx, &second, NOW, &id, &more).await.unwrap();
        complete(&mut tx, &second, NOW, &id, 9).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(column(&db, SEGMENTS).await, ["1/0", "1/1", "2/2"]);
        let mut tx = db.write().await.unwrap();
        let all = kept(&mut tx, &second).await.unwrap();
        assert!(all.renditions.iter().all(|rendition| rendition.complete && rendition.segments.len() == 3), "{all:?}");
        mp4(&mut tx, &second, NOW, &keys::mp4(&version, second.attempt, "mp4"), 9).await.unwrap();
        assert!(!kept(&mut tx, &second).await.unwrap().film, "its own");
        let next = Lease { attempt: second.attempt + 1, ..second.clone() };
        assert!(kept(&mut tx, &next).await.unwrap().film);
        go_on(&mut tx, &second, NOW, JobKind::OtherRungs).await.unwrap();
        // Asked for anew, all of it is made anew.
        assert!(make_again(&mut tx, NOW, &version, &second.owner).await.unwrap());
        tx.commit().await.unwrap();
        let third = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        assert_eq!(kept(&mut tx, &third).await.unwrap(), Kept { renditions: Vec::new(), film: false });
        tx.commit().await.unwrap();
    }

    what_cannot_be_continued_plays_until_the_new_has_caught_up(db) {
        received(&db).await;
        let first = begin(&db).await;
        grow(&db, &first, 2).await;
        try_again(&db, &first).await;
        let second = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        job::continue_nothing(&mut tx, &second).await.unwrap();
        tx.commit().await.unwrap();
        try_again(&db, &second).await;
        let third = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        assert_eq!(kept(&mut tx, &third).await.unwrap(), Kept { renditions: Vec::new(), film: false });
        tx.commit().await.unwrap();
        grow(&db, &third, 1).await;
        assert_eq!(column(&db, SEGMENTS).await, ["1/0", "1/1", "3/0"]);
    }

    what_is_not_made_any_more_goes_when_all_else_is_made(db) {
        let version = received(&db).await;
        let first = begin(&db).await;
        let id = grow(&db, &first, 1).await;
        end(&db, &first, &id).await;
        let mut tx = db.write().await.unwrap();
        go_on(&mut tx, &first, NOW, JobKind::OtherRungs).await.unwrap();
        tx.commit().await.unwrap();
        let rest = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        ready(&mut tx, &rest, NOW).await.unwrap();
        assert!(make_again(&mut tx, NOW, &version, &rest.owner).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(column(&db, SEGMENTS).await, ["1/0"], "what was made in one life stays until the next is over");
        // Now its copy is all there is.
        let copied = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        mp4(&mut tx, &copied, NOW, &keys::mp4(&version, copied.attempt, "mp4"), 9).await.unwrap();
        go_on(&mut tx, &copied, NOW, JobKind::Ladder).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(column(&db, SEGMENTS).await, ["1/0"]);
        let last = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        ready(&mut tx, &last, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let v = row(&db, &version).await;
        assert_eq!((v.state, v.playable(), column(&db, SEGMENTS).await), (MediaState::Ready, true, vec![]));
    }

    a_version_whose_jobs_were_lost_is_made_again_under_new_numbers(db) {
        let version = received(&db).await;
        let lease = begin(&db).await;
        let id = grow(&db, &lease, 1).await;
        end(&db, &lease, &id).await;
        let mut tx = db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query("delete from jobs").execute(c).await.map(drop)).unwrap();
        assert!(make_again(&mut tx, NOW, &version, &lease.owner).await.unwrap());
        tx.commit().await.unwrap();
        let lease = begin(&db).await;
        assert_eq!(lease.attempt, 2);
        grow(&db, &lease, 1).await;
    }

    a_worker_that_was_replaced_publishes_nothing(db) {
        let version = received(&db).await;
        let first = begin(&db).await;
        try_again(&db, &first).await;
        let _second = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        let new = NewRendition { name: "480".into(), width: 2, height: 2, bandwidth: 1, codecs: "a".into(), init_key: "i".into(), init_bytes: 9 };
        assert!(rendition(&mut tx, &first, &new).await.is_err());
        assert!(mp4(&mut tx, &first, NOW, "late", 9).await.is_err());
        assert!(poster(&mut tx, &first, NOW, "late", 9).await.is_err());
        assert!(storyboard(&mut tx, &first, NOW, ("late", 9), ("late", 9)).await.is_err());
        assert!(go_on(&mut tx, &first, NOW, JobKind::Ladder).await.is_err());
        assert!(go_on(&mut tx, &first, NOW, JobKind::OtherRungs).await.is_err());
        assert!(kept(&mut tx, &first).await.is_err());
        assert!(ready(&mut tx, &first, NOW).await.is_err());
        assert!(refused(&mut tx, &first, NOW, RefusalCode::Empty, None).await.is_err());
        tx.commit().await.unwrap();
        let v = row(&db, &version).await;
        assert_eq!((v.state, v.mp4_key, v.poster_key), (MediaState::Processing, None, None));
    }

    a_refusal_leaves_nothing_behind(db) {
        let version = received(&db).await;
        let lease = begin(&db).await;
        grow(&db, &lease, 1).await;
        let mut tx = db.write().await.unwrap();
        poster(&mut tx, &lease, NOW, "poster", 9).await.unwrap();
        refused(&mut tx, &lease, NOW, RefusalCode::Incomplete, None).await.unwrap();
        tx.commit().await.unwrap();
        let v = row(&db, &version).await;
        assert_eq!((v.state, v.reason_code.as_deref(), v.playable()), (MediaState::Failed, Some("incomplete"), false));
        assert_eq!(column(&db, TRASH).await, ["1/0", "1/init", "poster"]);
    }

    a_refusal_takes_nothing_away_that_plays(db) {
        let version = received(&db).await;
        let lease = begin(&db).await;
        let id = grow(&db, &lease, 1).await;
        end(&db, &lease, &id).await;
        let mut tx = db.write().await.unwrap();
        poster(&mut tx, &lease, NOW, "poster", 1).await.unwrap();
        go_on(&mut tx, &lease, NOW, JobKind::OtherRungs).await.unwrap();
        tx.commit().await.unwrap();
        let lease = begin(&db).await;
        let mut tx = db.write().await.unwrap();
        ready(&mut tx, &lease, NOW).await.unwrap();
        assert!(make_again(&mut tx, NOW, &version, &lease.owner).await.unwrap());
        tx.commit().await.unwrap();
        // The file is damaged since.
        let lease = begin(&db).await;
        grow(&db, &lease, 0).await;
        let mut tx = db.write().await.unwrap();
        refused(&mut tx, &lease, NOW, RefusalCode::Incomplete, None).await.unwrap();
        tx.commit().await.unwrap();
        let v = row(&db, &version).await;
        assert_eq!((v.state, v.reason_code.as_deref(), v.playable()), (MediaState::Ready, None, true));
        assert_eq!((v.poster_key.as_deref(), column(&db, SEGMENTS).await), (Some("poster"), vec!["1/0".to_owned()]));
        assert_eq!(column(&db, TRASH).await, ["3/init"], "only what the refused attempt began goes");
    }

    a_poison_job_ends_in_words(db) {
        let version = received(&db).await;
        for _ in 0..job::MAX_ATTEMPTS {
            let lease = begin(&db).await;
            grow(&db, &lease, 1).await;
            try_again(&db, &lease).await;
        }
        let v = row(&db, &version).await;
        assert_eq!((v.state, v.reason_code.as_deref(), v.playable()), (MediaState::Failed, Some("processing_failed"), false));
        assert!(column(&db, SEGMENTS).await.is_empty());
    }

    what_we_did_not_get_done_can_be_made_after_all(db) {
        let version = received(&db).await;
        for _ in 0..job::MAX_ATTEMPTS {
            let lease = begin(&db).await;
            try_again(&db, &lease).await;
        }
        let v = row(&db, &version).await;
        assert_eq!((v.state, v.reason_code.as_deref()), (MediaState::Failed, Some("processing_failed")));
        let mut tx = db.write().await.unwrap();
        assert_eq!(retry(&mut tx, NOW, &v.clip_id).await.unwrap(), 1);
        assert_eq!(retry(&mut tx, NOW, &v.clip_id).await.unwrap(), 0, "it is on its way");
        tx.commit().await.unwrap();
        let lease = begin(&db).await;
        let v = row(&db, &version).await;
        assert_eq!((lease.attempt, v.state, v.reason_code), (job::MAX_ATTEMPTS + 1, MediaState::Processing, None));
        // Refused for what it is, and nobody tries that again.
        let mut tx = db.write().await.unwrap();
        refused(&mut tx, &lease, NOW, RefusalCode::Encrypted, None).await.unwrap();
        assert_eq!(retry(&mut tx, NOW, &v.clip_id).await.unwrap(), 0);
        assert!(!make_again(&mut tx, NOW, &version, &lease.owner).await.unwrap());
        tx.commit().await.unwrap();
    }

    what_plays_stays_when_the_rest_cannot_be_made(db) {
        let version = received(&db).await;
        let lease = begin(&db).await;
        let id = grow(&db, &lease, 1).await;
        end(&db, &lease, &id).await;
        let mut tx = db.write().await.unwrap();
        go_on(&mut tx, &lease, NOW, JobKind::OtherRungs).await.unwrap();
        tx.commit().await.unwrap();
        for _ in 0..job::MAX_ATTEMPTS {
            let lease = begin(&db).await;
            try_again(&db, &lease).await;
        }
        let v = row(&db, &version).await;
        assert_eq!((v.state, v.reason_code, v.playable_at), (MediaState::Ready, None, Some(NOW)));
        // Who mends what was the matter can have the rest made after all, unless she has taken it back.
        let mut tx = db.write().await.unwrap();
        set_clips(&mut tx, "withdrawn").await;
        assert_eq!(retry(&mut tx, NOW, &v.clip_id).await.unwrap(), 0);
        set_clips(&mut tx, "draft").await;
        assert_eq!(retry(&mut tx, NOW, &v.clip_id).await.unwrap(), 1);
        assert_eq!(retry(&mut tx, NOW, &v.clip_id).await.unwrap(), 0);
        tx.commit().await.unwrap();
    }

    a_version_that_was_given_up_is_skipped(db) {
        let version = received(&db).await;
        let mut tx = db.write().await.unwrap();
        set_clips(&mut tx, "withdrawn").await;
        tx.commit().await.unwrap();
        let lease = take(&db).await;
        let mut tx = db.write().await.unwrap();
        assert!(matches!(start(&mut tx, &lease).await, Err(Error::NotFound)));
        skipped(&mut tx, &lease, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(row(&db, &version).await.state, MediaState::Received);
    }
}
