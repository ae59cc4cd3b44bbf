use super::super::sql::{self, NewUpload, Purpose};
use super::super::{Part, rules};
use super::*;
use crate::access::Principal;
use crate::both_databases;
use crate::clip::create::{self, Draft};
use crate::clip::sql::withdraw;
use crate::clip::testing::person;
use crate::time::At;

const NOW: At = At(1_000_000);

fn parts() -> [Part; 1] {
    [Part { no: 1, len: 9, etag: "\"1\"".into(), sha256: hex::encode([7; 32]) }]
}

async fn complete(tx: &mut Tx, owner: &Principal) -> Upload {
    let draft = Draft { filename: "村口.mp4", content_type: "video/mp4", bytes: 9, ..Default::default() };
    let made = create::create(tx, NOW, owner, &draft).await.unwrap();
    let purpose = Purpose::Whole { clip: &made.clip, version: &made.version };
    let (metadata, idempotency_key) = ("", None);
    let new = NewUpload { owner: &owner.user, purpose, length: Some(9), most: 99, metadata, idempotency_key };
    let upload = sql::create(tx, NOW, new).await.unwrap();
    let (upload, _) = sql::take_over(tx, NOW, &upload.id).await.unwrap();
    sql::set_object(tx, NOW, &upload.id, upload.epoch, &upload.new_key(), None).await.unwrap();
    sql::record_part(tx, NOW, &upload, &parts()[0]).await.unwrap();
    let upload = sql::find(tx, &upload.id).await.unwrap();
    assert!(sql::complete(tx, NOW, &upload, &parts()).await.unwrap());
    upload
}

both_databases! {
    only_her_own_complete_originals_count(db) {
        let root = rules::root(&parts());
        let mut tx = db.write().await.unwrap();
        let (she, other) = (person(&mut tx).await, person(&mut tx).await);
        assert!(!has_length(&mut tx, &she.user, 9).await.unwrap());
        let made = complete(&mut tx, &she).await;
        assert_eq!(original(&mut tx, &she.user, 9, &root).await.unwrap().map(|u| u.id), Some(made.id.clone()));
        assert!(has_length(&mut tx, &she.user, 9).await.unwrap());
        assert!(!has_length(&mut tx, &she.user, 8).await.unwrap());
        for (owner, bytes, root) in [(&other, 9, root.as_str()), (&she, 8, &root), (&she, 9, "00")] {
            assert_eq!(original(&mut tx, &owner.user, bytes, root).await.unwrap(), None);
        }
        withdraw(&mut tx, NOW, &she.user, made.clip_id.as_ref().unwrap()).await.unwrap();
        assert_eq!(original(&mut tx, &she.user, 9, &root).await.unwrap(), None, "taken back");
        assert!(!has_length(&mut tx, &she.user, 9).await.unwrap());
    }

    what_was_refused_is_sent_again(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        let made = complete(&mut tx, &she).await;
        on!(&mut tx, c => sqlx::query("update clip_versions set state = 'failed' where id = $1")
            .bind(&made.version_id).execute(c).await.map(drop)).unwrap();
        assert_eq!(original(&mut tx, &she.user, 9, &rules::root(&parts())).await.unwrap(), None);
    }
}
