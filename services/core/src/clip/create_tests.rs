use super::super::testing::{cohort, join, person, version};
use super::*;
use crate::both_databases;
use crate::clip::MediaState;
use crate::clip::sidecar::{Sidecar, Stored};
use crate::ids::UploadId;
use crate::upload::State;
use crate::upload::sql::{NewUpload, Purpose, find};

const NOW: At = At(1_000);

fn draft<'a>() -> Draft<'a> {
    Draft { filename: "村口的早晨.mp4", content_type: "video/mp4", bytes: 5, ..Default::default() }
}

async fn clip(tx: &mut Tx, id: &ClipId) -> Clip {
    on!(tx, c => sqlx::query_as("select * from clips where id = $1").bind(id).fetch_one(c).await).unwrap()
}

async fn put_state(tx: &mut Tx, id: &ClipId, state: ClipState) {
    on!(tx, c => sqlx::query("update clips set state = $2 where id = $1").bind(id).bind(state).execute(c).await.map(drop))
        .unwrap();
}

both_databases! {
    versions_begun_at_once_follow_one_another(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        let clip = create(&mut tx, NOW, &she, &draft()).await.unwrap().clip;
        tx.commit().await.unwrap();
        let begin = async || {
            let mut tx = db.write().await.unwrap();
            let made = create(&mut tx, NOW, &she, &Draft { clip: Some(&clip), ..draft() }).await.unwrap();
            tx.commit().await.unwrap();
            made.n
        };
        let mut numbers = futures_util::future::join_all((0..6).map(|_| begin())).await;
        numbers.sort_unstable();
        assert_eq!(numbers, [2, 3, 4, 5, 6, 7]);
    }

    a_clip_belongs_to_the_cohort_she_learns_in_now(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        for (series, part, state) in [(1, "trainee", "graduated"), (2, "trainee", "active"), (3, "mentor", "active")] {
            let cohort = cohort(&mut tx, series, &she.user).await;
            join(&mut tx, &cohort, &she.user, part, state).await;
        }
        let made = create(&mut tx, NOW, &she, &Draft { title: Some(" 我们村 \n"), assignment: Some("A1"), ..draft() }).await.unwrap();
        let clip = clip(&mut tx, &made.clip).await;
        let series: i64 = on!(&mut tx, c => sqlx::query_scalar("select series_no from cohorts where id = $1")
            .bind(clip.cohort_id).fetch_one(c).await).unwrap();
        assert_eq!((series, made.n, clip.title.as_str(), clip.assignment_code.as_deref()), (2, 1, "我们村", Some("A1")));
        assert_eq!((clip.state, clip.region_path.as_str()), (ClipState::Draft, "43/"));
        assert_eq!(version(&mut tx, &made.version).await.state, MediaState::Uploading);
        let stored = Stored::new(&UploadId::new(), "originals/v/1", 8, &[]);
        let sidecar = Sidecar::of(&mut tx, &made.version, stored).await.unwrap();
        assert_eq!((sidecar.clip.owner_name.as_str(), sidecar.clip.filename.as_str()), ("贾丽娟", "村口的早晨.mp4"));
        let written = sidecar.to_bytes().unwrap();
        assert!(!String::from_utf8_lossy(&written).contains("138"), "a phone never leaves the database");
        assert_eq!(serde_json::from_slice::<Sidecar>(&written).unwrap(), sidecar);
        tx.commit().await.unwrap();
    }

    without_a_title_the_file_gives_one(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        for (filename, title) in [("村口的早晨.mp4", "村口的早晨"), ("", "没起名的片子"), (".mp4", "没起名的片子")] {
            let made = create(&mut tx, NOW, &she, &Draft { filename, ..draft() }).await.unwrap();
            assert_eq!(clip(&mut tx, &made.clip).await.title, title);
        }
        tx.commit().await.unwrap();
    }

    an_assignment_that_no_clip_answers_is_refused(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        for code in ["A2", "A99"] {
            let made = create(&mut tx, NOW, &she, &Draft { assignment: Some(code), ..draft() }).await;
            assert!(matches!(made, Err(Error::Refused(_))), "{code}");
        }
    }

    a_new_version_leaves_the_upload_of_the_one_before_until_its_own_bytes_come(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        let first = create(&mut tx, NOW, &she, &draft()).await.unwrap();
        let purpose = Purpose::Whole { clip: &first.clip, version: &first.version };
        let (length, most) = (Some(5), 2 << 30);
        let new = NewUpload { owner: &she.user, purpose, length, most, metadata: "", idempotency_key: None };
        let open = crate::upload::sql::create(&mut tx, NOW, new).await.unwrap();
        let second = create(&mut tx, NOW, &she, &Draft { clip: Some(&first.clip), ..draft() }).await.unwrap();
        assert_eq!((second.clip.clone(), second.n), (first.clip.clone(), 2));
        assert_eq!(find(&mut tx, &open.id).await.unwrap().state, State::Open);
        assert_eq!(version(&mut tx, &first.version).await.state, MediaState::Uploading);
        assert_eq!(clip(&mut tx, &first.clip).await.title, "村口的早晨", "the title stays");
        tx.commit().await.unwrap();
    }

    only_the_owner_adds_versions_and_never_during_a_review(db) {
        let mut tx = db.write().await.unwrap();
        let (she, other) = (person(&mut tx).await, person(&mut tx).await);
        let made = create(&mut tx, NOW, &she, &draft()).await.unwrap();
        let next = Draft { clip: Some(&made.clip), ..draft() };
        assert!(matches!(create(&mut tx, NOW, &other, &next).await, Err(Error::NotFound)));
        for state in ClipState::ALL {
            put_state(&mut tx, &made.clip, state).await;
            let answer = create(&mut tx, NOW, &she, &next).await;
            match state {
                ClipState::Draft | ClipState::Returned => assert!(answer.is_ok(), "{state:?}"),
                ClipState::Withdrawn => assert!(matches!(answer, Err(Error::NotFound))),
                _ => assert!(matches!(answer, Err(Error::Conflict(_))), "{state:?}"),
            }
        }
    }

    a_bare_draft_goes_with_its_upload(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        let (bare, other) = (create(&mut tx, NOW, &she, &draft()).await.unwrap(), create(&mut tx, NOW, &she, &draft()).await.unwrap());
        abandoned(&mut tx, NOW, &bare.version).await.unwrap();
        for made in [&bare, &other] {
            discard_if_bare(&mut tx, NOW, &made.clip).await.unwrap();
        }
        assert_eq!(clip(&mut tx, &bare.clip).await.state, ClipState::Withdrawn);
        assert_eq!(clip(&mut tx, &other.clip).await.state, ClipState::Draft);
    }
}
