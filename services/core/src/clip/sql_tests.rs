use super::*;
use crate::both_databases;
use crate::review::testing::{self, Classroom};

both_databases! {
    her_clips_page_from_the_newest(db) {
        let room = Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(testing::clip(&mut tx, &room.trainee, None, None).await.0);
        }
        testing::clip(&mut tx, &room.stranger, None, None).await;
        ids.sort();
        ids.reverse();
        let of = |found: Vec<Clip>| found.into_iter().map(|clip| clip.id).collect::<Vec<_>>();
        assert_eq!(of(of_owner(&mut tx, &room.trainee, None, None, 2).await.unwrap()), ids[..2]);
        assert_eq!(of(of_owner(&mut tx, &room.trainee, None, Some(&ids[1]), 2).await.unwrap()), ids[2..]);
        let drafts = of_owner(&mut tx, &room.trainee, Some(ClipState::Draft), None, 9).await.unwrap();
        assert_eq!(of(drafts), ids);
        assert!(of_owner(&mut tx, &room.trainee, Some(ClipState::Passed), None, 9).await.unwrap().is_empty());
    }

    a_clip_moves_only_from_where_it_was_seen(db) {
        let room = Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let (id, _) = testing::clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A1")).await;
        let seen = lock(&mut tx, &id).await.unwrap();
        assert_eq!(advance(&mut tx, At(5), &seen, ClipEvent::Submit).await.unwrap(), ClipState::Submitted);
        assert!(matches!(advance(&mut tx, At(6), &seen, ClipEvent::Submit).await, Err(Error::Conflict(_))));
        assert!(matches!(advance(&mut tx, At(6), &seen, ClipEvent::Pass).await, Err(Error::Conflict(_))));
        rename(&mut tx, &seen, " 晒秋 ").await.unwrap();
        let now = get(&mut tx, &id).await.unwrap();
        assert_eq!((now.state, now.title.as_str(), now.updated_at), (ClipState::Submitted, "晒秋", At(5)));
        assert!(matches!(get(&mut tx, &ClipId::new()).await, Err(Error::NotFound)));
    }

    an_upload_given_up_does_not_hide_what_was_there(db) {
        let room = Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let (id, first) = testing::clip(&mut tx, &room.trainee, None, None).await;
        let second = testing::version(&mut tx, &id, 2).await;
        let clip = get(&mut tx, &id).await.unwrap();
        assert_eq!(detail(&mut tx, clip.clone()).await.unwrap().newest().unwrap().id, second);
        testing::set_media_state(&mut tx, &second, "abandoned", None).await;
        let detail = detail(&mut tx, clip).await.unwrap();
        assert_eq!((&detail.newest().unwrap().id, detail.versions.len()), (&first, 2));
        assert_eq!(detail.newest().unwrap().warnings(), ["第 8 秒有点暗"]);
        assert!(detail.why_not_submit().is_none() && detail.refused_since().is_none());
        assert!(matches!(version(&mut tx, &VersionId::new()).await, Err(Error::NotFound)));
    }

    a_version_that_was_refused_hides_only_what_was_refused_too(db) {
        let room = Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let (id, first) = testing::clip(&mut tx, &room.trainee, None, None).await;
        let second = testing::version(&mut tx, &id, 2).await;
        testing::set_media_state(&mut tx, &second, "failed", Some("not_a_video")).await;
        let clip = get(&mut tx, &id).await.unwrap();
        let seen = detail(&mut tx, clip.clone()).await.unwrap();
        assert_eq!((&seen.newest().unwrap().id, &seen.refused_since().unwrap().id), (&first, &second));
        assert!(seen.why_not_submit().is_none(), "what plays may be handed in");
        let third = testing::version(&mut tx, &id, 3).await;
        let seen = detail(&mut tx, clip.clone()).await.unwrap();
        assert_eq!((&seen.newest().unwrap().id, seen.refused_since()), (&third, None));
        testing::set_media_state(&mut tx, &third, "abandoned", None).await;
        let seen = detail(&mut tx, clip.clone()).await.unwrap();
        assert_eq!((&seen.newest().unwrap().id, &seen.refused_since().unwrap().id), (&first, &second));
        on!(&mut tx, c => sqlx::query("update clip_versions set state = 'failed', playable_at = null where id = $1")
            .bind(&first).execute(c).await.map(drop)).unwrap();
        let seen = detail(&mut tx, clip).await.unwrap();
        assert_eq!((&seen.newest().unwrap().id, seen.refused_since()), (&second, None));
    }

    what_is_taken_back_is_no_work_any_more(db) {
        let room = Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let (id, version) = testing::clip(&mut tx, &room.trainee, None, None).await;
        job::enqueue(&mut tx, At(1), job::JobKind::OtherRungs, version.as_str(), &room.trainee).await.unwrap();
        let lease = job::testing::claim(&mut tx, "here", Millis::minutes(1)).await.unwrap().unwrap();
        withdraw(&mut tx, At(2), &room.trainee, &id).await.unwrap();
        assert!(job::still_held(&mut tx, &lease).await.is_err());
        assert!(job::testing::claim(&mut tx, "there", Millis::minutes(1)).await.unwrap().is_none());
    }

    of_each_rung_the_best_is_played(db) {
        let room = Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let (_, version) = testing::clip(&mut tx, &room.trainee, None, None).await;
        let whole = testing::rendition(&mut tx, &version, 1, "480", 2, true).await;
        testing::rendition(&mut tx, &version, 2, "480", 1, false).await;
        testing::rendition(&mut tx, &version, 2, "720", 0, false).await;
        let low = testing::rendition(&mut tx, &version, 2, "360", 1, false).await;
        let found: Vec<RenditionId> = renditions(&mut tx, &version).await.unwrap().into_iter().map(|r| r.id).collect();
        assert_eq!(found, [whole.clone(), low], "a whole one before a newer half; nothing without a segment");
        assert_eq!(rendition(&mut tx, &version, 1, "480").await.unwrap().id, whole);
        assert_eq!(segments(&mut tx, &whole).await.unwrap().len(), 2);
        assert_eq!(segment(&mut tx, &whole, 1).await.unwrap().n, 1);
        assert!(matches!(segment(&mut tx, &whole, 2).await, Err(Error::NotFound)));
    }

    a_look_is_logged_once_an_hour_and_her_own_never(db) {
        let room = Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let (id, _) = testing::clip(&mut tx, &room.trainee, Some(&room.cohort), None).await;
        let clip = get(&mut tx, &id).await.unwrap();
        tx.commit().await.unwrap();
        let hour = Millis::hours(1).0;
        for (now, reader) in [(0, &room.trainee), (1, &room.mentor), (hour, &room.mentor), (hour + 2, &room.mentor)] {
            log_look(&db, At(now), reader, &clip).await.unwrap();
        }
        let mut tx = db.read().await.unwrap();
        assert_eq!(testing::events(&mut tx, "clip.looked", id.as_str()).await, 2);
    }
}
