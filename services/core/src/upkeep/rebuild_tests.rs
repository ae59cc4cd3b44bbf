//! Versions that come back from what their sidecars tell, on both databases.

use super::rebuild::{Found, Rebuilt, bring_back};
use super::tests::{NOW, clip_of, job, received, run, version_of};
use crate::account::{self, Keys, Phone};
use crate::both_databases;
use crate::caption;
use crate::clip::Segment;
use crate::clip::create::{self, Draft};
use crate::clip::publish::{self, Facts, NewCaption, NewRendition};
use crate::clip::sidecar::{self, Sidecar, Stored};
use crate::clip::testing::version as row;
use crate::clip::{ClipEvent, ClipState, MediaState, sql as clips};
use crate::db::{Db, Tx};
use crate::ids::{CaptionId, ClipId, UploadId, UserId, VersionId};
use crate::job::{self as jobs, JobKind};
use crate::on;
use crate::storage::{keys, trash};
use crate::time::Millis;
use crate::upload::{Upload, sql as uploads};

fn secret() -> Keys {
    Keys::from_master(&[7; 32])
}

async fn sidecar_of(tx: &mut Tx, version: &VersionId) -> Sidecar {
    sidecar::wanted(tx, version).await.unwrap().expect("something is kept").sidecar.expect("its upload is known")
}

async fn is_due(tx: &mut Tx, version: &VersionId) -> bool {
    sidecar::wanted(tx, version).await.unwrap().expect("something is kept").due
}

async fn back(tx: &mut Tx, sidecar: &Sidecar, found: &Found) -> bool {
    bring_back(tx, &secret(), NOW, sidecar, found, &mut Rebuilt::default()).await.unwrap()
}

fn with_file() -> Found {
    Found { file: true, attempts: 3, ..Found::default() }
}

/// As if the database had never known the clip.
async fn forget(tx: &mut Tx, clip: &ClipId) {
    for sql in [
        "delete from rendition_segments where rendition_id in (select r.id from renditions r
             join clip_versions v on v.id = r.version_id where v.clip_id = $1)",
        "delete from caption_tracks where version_id in (select id from clip_versions where clip_id = $1)",
        "delete from renditions where version_id in (select id from clip_versions where clip_id = $1)",
        "delete from upload_parts where upload_id in (select id from uploads where clip_id = $1)",
        "delete from uploads where clip_id = $1",
        "delete from jobs where subject in (select id from clip_versions where clip_id = $1)",
        "delete from clip_versions where clip_id = $1",
        "delete from clips where id = $1",
        "delete from object_trash where key <> $1",
    ] {
        run(tx, sql, clip.as_str()).await;
    }
}

/// A version of which everything is made.
async fn made(db: &Db) -> Upload {
    let done = received(db).await;
    let mut tx = db.write().await.unwrap();
    let lease = jobs::testing::claim(&mut tx, "w", Millis::seconds(20)).await.unwrap().unwrap();
    publish::start(&mut tx, &lease).await.unwrap();
    let detail = serde_json::json!({"warnings": ["这条没有声音。"]});
    publish::facts(&mut tx, &lease, &Facts { width: 480, height: 854, duration_ms: 4_000, detail }).await.unwrap();
    publish::poster(&mut tx, &lease, NOW, "poster", 11).await.unwrap();
    let new = NewRendition {
        name: "480".into(),
        width: 480,
        height: 854,
        bandwidth: 1,
        codecs: "avc1".into(),
        init_key: "init".into(),
        init_bytes: 12,
    };
    let rendition = publish::rendition(&mut tx, &lease, &new).await.unwrap();
    for n in 0..2 {
        let segment = Segment { n, duration_ms: 2_000, bytes: 13, key: format!("s{n}") };
        publish::segment(&mut tx, &lease, NOW, &rendition, &segment).await.unwrap();
    }
    publish::complete(&mut tx, &lease, NOW, &rendition, 900_000).await.unwrap();
    publish::mp4(&mut tx, &lease, NOW, "mp4", 14).await.unwrap();
    publish::go_on(&mut tx, &lease, NOW, JobKind::Ladder).await.unwrap();
    let lease = jobs::testing::claim(&mut tx, "w", Millis::seconds(20)).await.unwrap().unwrap();
    publish::storyboard(&mut tx, &lease, NOW, ("board", 15), ("vtt", 16)).await.unwrap();
    publish::waveform(&mut tx, &lease, NOW, "wave", 17).await.unwrap();
    let zh = NewCaption { language: "zh".parse().unwrap(), title: None, key: "words".into(), bytes: 18 };
    publish::captions(&mut tx, &lease, NOW, &[zh]).await.unwrap();
    publish::ready(&mut tx, &lease, NOW).await.unwrap();
    tx.commit().await.unwrap();
    done
}

both_databases! {
    a_sidecar_brings_its_clip_back_once(db) {
        let done = received(&db).await;
        let (clip, version) = (clip_of(&done), version_of(&done));
        let mut tx = db.write().await.unwrap();
        let before = sidecar_of(&mut tx, version).await;
        forget(&mut tx, clip).await;
        run(&mut tx, "delete from users where id = $1", done.owner_id.as_str()).await;
        assert!(back(&mut tx, &before, &with_file()).await);
        assert!(!back(&mut tx, &before, &with_file()).await, "it is known now");
        let seen = clips::get(&mut tx, clip).await.unwrap();
        assert_eq!((&seen.owner_id, seen.title.as_str(), seen.state), (&done.owner_id, "村口", ClipState::Draft));
        let seen = row(&mut tx, version).await;
        assert_eq!((seen.state, seen.n, seen.bytes, seen.original_key), (MediaState::Received, 1, 3, done.key.clone()));
        assert_eq!(job(&mut tx, version, JobKind::Prepare).await.unwrap(), ("ready".into(), 3, 3 + jobs::MAX_ATTEMPTS));
        // What follows from it must not get the keys of what lies there either.
        assert_eq!(job(&mut tx, version, JobKind::OtherRungs).await.unwrap(), ("cancelled".into(), 3, 3 + jobs::MAX_ATTEMPTS));
        assert_eq!(Stored::of(&mut tx, version).await.unwrap(), Some(before.upload));
        assert!(account::principal(&mut tx, NOW, &done.owner_id).await.is_err(), "nobody signs in as her");
        tx.commit().await.unwrap();
    }

    what_plays_comes_back_though_its_original_is_long_gone(db) {
        let done = made(&db).await;
        let (clip, version) = (clip_of(&done), version_of(&done));
        let mut tx = db.write().await.unwrap();
        publish::let_go_of_original(&mut tx, NOW, clip, version, "released").await.unwrap();
        let key = keys::sidecar(clip, version);
        assert!(!trash::due(&mut tx, NOW, 100).await.unwrap().iter().any(|gone| gone.key == key), "it stays");
        assert!(crate::upkeep::needed::is_named(&mut tx, &key).await.unwrap());
        let before = sidecar_of(&mut tx, version).await;
        let read: Sidecar = serde_json::from_slice(&before.to_bytes().unwrap()).unwrap();
        assert_eq!(read, before);
        let media = before.media.clone().expect("it plays");
        assert_eq!((media.embedded.len(), media.waveform_bytes), (1, Some(17)));
        assert_eq!((media.rungs.len(), media.rungs[0].segments.len(), media.mp4_bytes), (1, 2, Some(14)));
        forget(&mut tx, clip).await;
        assert!(back(&mut tx, &before, &Found { media: Some(media), attempts: 1, ..Found::default() }).await);
        let seen = row(&mut tx, version).await;
        assert_eq!((seen.state, seen.playable(), seen.original_gone.as_deref()), (MediaState::Ready, true, Some("released")));
        assert_eq!(seen.warnings(), ["这条没有声音。"]);
        assert_eq!(clips::renditions(&mut tx, version).await.unwrap().len(), 1);
        assert_eq!(sidecar_of(&mut tx, version).await, before, "it tells the same again");
        assert_eq!(job(&mut tx, version, JobKind::Prepare).await.unwrap().0, "cancelled", "nothing is left to do");
        tx.commit().await.unwrap();
    }

    the_captions_that_she_attached_come_back_whether_it_is_made_again_or_not(db) {
        let done = made(&db).await;
        let (clip, version) = (clip_of(&done), version_of(&done));
        let id = CaptionId::new();
        let mut tx = db.write().await.unwrap();
        let of = clips::version(&mut tx, version).await.unwrap();
        caption::sql::attach(&mut tx, NOW, &done.owner_id, &of, &id, &"zh".parse().unwrap(), 19).await.unwrap();
        let before = sidecar_of(&mut tx, version).await;
        assert_eq!((before.attached.len(), before.attached[0].bytes), (1, 19));
        for media in [before.media.clone(), None] {
            forget(&mut tx, clip).await;
            let tracks = 1 + media.as_ref().map_or(0, |media| media.embedded.len());
            let found = Found { file: true, media, attached: before.attached.clone(), attempts: 1 };
            assert!(back(&mut tx, &before, &found).await);
            let seen = caption::sql::of_version(&mut tx, version).await.unwrap();
            assert_eq!((seen.len(), &seen[0]), (tracks, &before.attached[0]));
        }
        // One that is not in the bucket any more is not named.
        forget(&mut tx, clip).await;
        assert!(back(&mut tx, &before, &with_file()).await);
        assert!(caption::sql::of_version(&mut tx, version).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    }

    a_sidecar_is_due_when_what_it_tells_has_changed(db) {
        let done = made(&db).await;
        let (clip, version) = (clip_of(&done), version_of(&done));
        let mut tx = db.write().await.unwrap();
        let written = async |tx: &mut Tx| {
            run(tx, "update clip_versions set sidecar_put = sidecar_rev where id = $1", version.as_str()).await;
            assert!(!is_due(tx, version).await);
        };
        assert!(is_due(&mut tx, version).await, "what plays is told of");
        written(&mut tx).await;
        let seen = clips::get(&mut tx, clip).await.unwrap();
        clips::rename(&mut tx, &seen, "晒秋").await.unwrap();
        assert!(is_due(&mut tx, version).await);
        assert_eq!(sidecar_of(&mut tx, version).await.clip.title, "晒秋");
        written(&mut tx).await;
        clips::advance(&mut tx, NOW, &seen, ClipEvent::Submit).await.unwrap();
        assert!(is_due(&mut tx, version).await);
        written(&mut tx).await;
        publish::make_again(&mut tx, NOW, version, &done.owner_id).await.unwrap();
        assert!(is_due(&mut tx, version).await);
        written(&mut tx).await;
        publish::original_lost(&mut tx, NOW, version).await.unwrap();
        assert!(is_due(&mut tx, version).await);
        written(&mut tx).await;
        run(&mut tx, "update clips set state = 'draft' where id = $1", clip.as_str()).await;
        let owner = account::principal(&mut tx, NOW, &done.owner_id).await.unwrap();
        let draft = Draft { title: Some("又一版"), filename: "b.mp4", clip: Some(clip), ..Default::default() };
        create::create(&mut tx, NOW, &owner, &draft).await.unwrap();
        assert!(is_due(&mut tx, version).await);
        clips::withdraw(&mut tx, NOW, &done.owner_id, clip).await.unwrap();
        assert!(sidecar::wanted(&mut tx, version).await.unwrap().is_none(), "what she took back does not come back");
        tx.commit().await.unwrap();
    }

    one_whose_number_is_taken_stands_behind_the_others(db) {
        let done = received(&db).await;
        let (clip, version) = (clip_of(&done), version_of(&done));
        let mut tx = db.write().await.unwrap();
        let before = sidecar_of(&mut tx, version).await;
        forget(&mut tx, clip).await;
        // She has sent the file once more since the backup that the database is from.
        let mut again = before.clone();
        again.clip.version = VersionId::new();
        again.upload.id = UploadId::new();
        again.upload.key = keys::original(&again.clip.version, 1);
        for sidecar in [&again, &before] {
            assert!(back(&mut tx, sidecar, &with_file()).await);
        }
        assert_eq!((row(&mut tx, &again.clip.version).await.n, row(&mut tx, version).await.n), (1, 2));
        tx.commit().await.unwrap();
    }

    an_upload_that_the_backup_knows_as_unfinished_is_finished(db) {
        let done = received(&db).await;
        let (clip, version) = (clip_of(&done), version_of(&done));
        let mut tx = db.write().await.unwrap();
        let before = sidecar_of(&mut tx, version).await;
        forget(&mut tx, clip).await;
        assert!(back(&mut tx, &before, &with_file()).await);
        // And what it has made of that since.
        for since in [
            "update uploads set state = 'open' where version_id = $1",
            "update uploads set state = 'expired' where version_id = $1",
            "update clip_versions set state = 'abandoned' where id = $1",
            "update clip_versions set state = 'failed', reason_code = 'incomplete' where id = $1",
        ] {
            for sql in [
                "update clip_versions set state = 'uploading', original_key = null, received_at = null where id = $1",
                "update uploads set state = 'open', key = null where version_id = $1",
                "delete from upload_parts where upload_id in (select id from uploads where version_id = $1)",
                since,
            ] {
                run(&mut tx, sql, version.as_str()).await;
            }
            assert!(!back(&mut tx, &before, &Found { media: before.media.clone(), ..Found::default() }).await);
            assert!(back(&mut tx, &before, &with_file()).await);
            let seen = row(&mut tx, version).await;
            assert_eq!((seen.state, seen.reason_code), (MediaState::Received, None));
            assert_eq!(seen.original_key, done.key.clone());
            assert_eq!(uploads::find(&mut tx, &done.id).await.unwrap().state, crate::upload::State::Complete);
            assert_eq!(sidecar_of(&mut tx, version).await, before);
        }
        run(&mut tx, "update clips set state = 'withdrawn' where id = $1", clip.as_str()).await;
        run(&mut tx, "update clip_versions set received_at = null where id = $1", version.as_str()).await;
        assert!(!back(&mut tx, &before, &with_file()).await, "what she took back does not come back");
        tx.commit().await.unwrap();
    }

    a_place_that_is_no_more_does_not_end_it(db) {
        let done = received(&db).await;
        let mut tx = db.write().await.unwrap();
        let mut before = sidecar_of(&mut tx, version_of(&done)).await;
        for (path, placed) in [("43/4331/", ("43", "43/4331/")), ("99/9901/", ("43", "43/"))] {
            forget(&mut tx, clip_of(&done)).await;
            before.clip.region_path = path.into();
            let mut rebuilt = Rebuilt::default();
            assert!(bring_back(&mut tx, &secret(), NOW, &before, &with_file(), &mut rebuilt).await.unwrap());
            let seen = clips::get(&mut tx, clip_of(&done)).await.unwrap();
            assert_eq!((seen.region_code.as_str(), seen.region_path.as_str()), placed);
            assert_eq!(rebuilt.places.into_iter().collect::<Vec<_>>(), [path]);
        }
        tx.commit().await.unwrap();
    }

    her_phone_finds_her_again(db) {
        let done = received(&db).await;
        let (clip, version, owner) = (clip_of(&done), version_of(&done), &done.owner_id);
        let phone: Phone = "13812345678".parse().unwrap();
        let mut tx = db.write().await.unwrap();
        let (hash, sealed) = (secret().phone_hash(&phone), secret().encrypt_phone(&phone).unwrap());
        on!(&mut tx, c => sqlx::query("update users set phone_hash = $2, phone_enc = $3 where id = $1")
            .bind(owner).bind(hash).bind(sealed).execute(c).await.map(drop)).unwrap();
        let before = sidecar_of(&mut tx, version).await;
        assert!(!String::from_utf8_lossy(&before.to_bytes().unwrap()).contains(phone.as_str()));
        let lose_her = async |tx: &mut Tx, user: &UserId| {
            forget(tx, clip).await;
            run(tx, "delete from users where id = $1", user.as_str()).await;
        };
        // Nobody but the right secret finds her.
        lose_her(&mut tx, owner).await;
        let (other, mut rebuilt) = (Keys::from_master(&[8; 32]), Rebuilt::default());
        assert!(bring_back(&mut tx, &other, NOW, &before, &with_file(), &mut rebuilt).await.unwrap());
        assert_eq!(rebuilt.strangers.len(), 1);
        assert!(account::principal(&mut tx, NOW, owner).await.is_err(), "nobody signs in as her");
        // With that one, the same run once more is enough.
        assert!(!back(&mut tx, &before, &with_file()).await);
        assert_eq!(account::find_by_phone(&mut tx, &secret(), &phone).await.unwrap().as_ref(), Some(owner));
        let seen = account::principal(&mut tx, NOW, owner).await.unwrap();
        assert_eq!((seen.name.as_str(), seen.phone_masked.as_str(), seen.home_path.as_str()), ("贾丽娟", "138****5678", "43/"));
        assert!(!account::has_password(&mut tx, &secret(), &phone).await.unwrap(), "the desk gives her a new one");
        // Whoever was added anew with her phone meanwhile is her.
        lose_her(&mut tx, owner).await;
        assert!(bring_back(&mut tx, &other, NOW, &before, &with_file(), &mut rebuilt).await.unwrap());
        let new = account::NewUser { name: "贾丽娟", phone: &phone, region_code: "43", password_hash: "x" };
        let added = account::create(&mut tx, &secret(), NOW, new).await.unwrap();
        assert!(!back(&mut tx, &before, &with_file()).await);
        assert_eq!(clips::get(&mut tx, clip).await.unwrap().owner_id, added);
        forget(&mut tx, clip).await;
        assert!(back(&mut tx, &before, &with_file()).await);
        assert_eq!(clips::get(&mut tx, clip).await.unwrap().owner_id, added);
        tx.commit().await.unwrap();
    }
}
