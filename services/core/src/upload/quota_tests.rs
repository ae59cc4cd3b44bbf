use super::*;
use crate::both_databases;
use crate::clip::create::{self, Draft};
use crate::clip::testing::person;
use crate::db::Db;
use crate::error::Error;
use crate::ids::ClipId;
use crate::time::Millis;
use crate::upload::sql::{self, NewUpload, Purpose};
use crate::upload::{Part, Upload};

const MB: i64 = 1_000_000;

#[test]
fn each_limit_is_named_with_its_numbers() {
    let quota = Quota::default();
    let told =
        |used: Used, bytes| quota.refusal(&used, bytes).map(|r| (r.code, format!("{}{}", r.message, r.next_step)));
    assert_eq!(told(Used::default(), quota.per_file), None);
    let (code, words) = told(Used::default(), 3_200 * MB).unwrap();
    assert_eq!((code, words.contains("这条有 3.2 GB，一条最多 2 GB。")), ("too_big", true), "{words}");
    let used = Used { today: 4_800 * MB, ..Used::default() };
    assert_eq!(told(used, 200 * MB), None);
    let (code, words) = told(used, 201 * MB).unwrap();
    assert_eq!(
        (code, words.starts_with("今天已经传了 4.8 GB，一天最多 5 GB。明天零点以后再传")),
        ("quota_day", true),
        "{words}"
    );
    let used = Used { kept: 19_600 * MB, ..Used::default() };
    let (code, words) = told(used, 401 * MB).unwrap();
    assert_eq!((code, words.contains("一共占了 19.6 GB，一个人最多放 20 GB")), ("quota_person", true), "{words}");
    assert_eq!(told(used, 400 * MB), None);
}

#[test]
fn uploads_are_counted_too() {
    let quota = Quota::default();
    let told = |open, begun| quota.refusal_to_begin(&Used { open, begun, ..Used::default() }, MB);
    assert_eq!(told(MOST_OPEN - 1, MOST_BEGUN - 1), None);
    for (refusal, code, limit) in
        [(told(MOST_OPEN, 60), "too_many_uploads", MOST_OPEN), (told(0, MOST_BEGUN), "too_many_today", MOST_BEGUN)]
    {
        let refusal = refusal.unwrap();
        assert_eq!(
            (
                refusal.code,
                refusal.message.contains(&format!("最多同时传 {limit} 条"))
                    || refusal.message.contains(&format!("一天最多 {limit} 次"))
            ),
            (code, true),
            "{}",
            refusal.message
        );
    }
}

#[test]
fn what_is_left_is_what_every_limit_leaves() {
    let quota = Quota { per_file: 10, per_day: 20, per_person: 30 };
    for (today, kept, left) in [(0, 0, 10), (15, 0, 5), (0, 27, 3), (20, 0, 0), (25, 0, 0), (0, 31, 0)] {
        let used = Used { today, kept, ..Used::default() };
        assert_eq!(quota.left(&used), left);
        assert!(quota.refusal(&used, left).is_none() || left == 0);
        assert!(quota.refusal(&used, left + 1).is_some());
    }
}

/// 2026-03-05 14:30 in China.
const NOW: At = At(1_772_692_200_000);

async fn begin(tx: &mut Tx, owner: &crate::access::Principal, now: At, bytes: i64) -> Upload {
    let draft = Draft { filename: "a.mp4", content_type: "video/mp4", bytes, ..Default::default() };
    let made = create::create(tx, now, owner, &draft).await.unwrap();
    let purpose = Purpose::Whole { clip: &made.clip, version: &made.version };
    let (length, most) = (Some(bytes), 2 << 30);
    let new = NewUpload { owner: &owner.user, purpose, length, most, metadata: "", idempotency_key: None };
    let upload = sql::create(tx, now, new).await.unwrap();
    sql::take_over(tx, now, &upload.id).await.unwrap().0
}

async fn finish(tx: &mut Tx, upload: &Upload) {
    let part = Part { no: 1, len: upload.length.unwrap(), etag: "e".into(), sha256: "00".into() };
    let key = format!("originals/{}/1", upload.version_id.as_ref().unwrap());
    sql::set_object(tx, NOW, &upload.id, upload.epoch, &key, None).await.unwrap();
    sql::record_part(tx, NOW, upload, &part).await.unwrap();
    let now = sql::find(tx, &upload.id).await.unwrap();
    assert!(sql::complete(tx, NOW, &now, &[part]).await.unwrap());
}

async fn withdraw(tx: &mut Tx, clip: &ClipId) {
    on!(tx, c => sqlx::query("update clips set state = 'withdrawn' where id = $1").bind(clip).execute(c).await.map(drop))
        .unwrap();
}

async fn race(db: &Db, owner: &UserId, quota: Quota) -> bool {
    let mut tx = db.write().await.unwrap();
    sql::lock_owner(&mut tx, owner).await.unwrap();
    let checked = check(&mut tx, &quota, NOW, owner, 6).await;
    // Long enough for the other to be looking as well, if it could.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    if let Err(error) = checked {
        assert!(matches!(error, Error::Refused(_)), "{error}");
        return false;
    }
    let she = crate::access::Principal { user: owner.clone(), ..person(&mut tx).await };
    begin(&mut tx, &she, NOW, 6).await;
    tx.commit().await.unwrap();
    true
}

both_databases! {
    what_comes_in_and_what_is_kept_counts(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        let other = person(&mut tx).await;
        begin(&mut tx, &other, NOW, 1000).await;
        let yesterday = begin(&mut tx, &she, NOW.china_midnight() - Millis(1), 100).await;
        finish(&mut tx, &yesterday).await;
        let open = begin(&mut tx, &she, NOW, 20 * MB).await;
        let all = used(&mut tx, NOW, &she.user).await.unwrap();
        assert_eq!(all, Used { today: 20 * MB, kept: 20 * MB + 100, open: 1, begun: 1 });
        assert_eq!(all.without_upload(20 * MB), Used { today: 0, kept: 100, open: 0, begun: 0 });
        assert_eq!(still_to_come(&mut tx).await.unwrap(), 20 * MB + 1000);
        // Given up half-way: what came in was sent, and nothing is kept of it.
        let part = Part { no: 1, len: 8 << 20, etag: "e".into(), sha256: "00".into() };
        sql::record_part(&mut tx, NOW, &open, &part).await.unwrap();
        assert_eq!(still_to_come(&mut tx).await.unwrap(), 20 * MB - (8 << 20) + 1000);
        sql::terminate(&mut tx, NOW, &open).await.unwrap();
        let ended = Used { today: 8 << 20, kept: 100, open: 0, begun: 1 };
        assert_eq!(used(&mut tx, NOW, &she.user).await.unwrap(), ended);
        // Taken back, it takes up its room until the file is gone.
        withdraw(&mut tx, yesterday.clip_id.as_ref().unwrap()).await;
        assert_eq!(used(&mut tx, NOW, &she.user).await.unwrap(), ended);
        on!(&mut tx, c => sqlx::query("update clip_versions set original_key = null where id = $1")
            .bind(&yesterday.version_id).execute(c).await.map(drop)).unwrap();
        assert_eq!(used(&mut tx, NOW, &she.user).await.unwrap(), Used { kept: 0, ..ended });
        let tomorrow = NOW.china_midnight() + Millis::days(1);
        assert_eq!(used(&mut tx, tomorrow, &she.user).await.unwrap(), Used::default());
        tx.commit().await.unwrap();
    }

    a_length_that_is_said_late_counts_when_the_last_bytes_came(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        let yesterday = NOW.china_midnight() - Millis(1);
        let draft = Draft { filename: "a.mp4", content_type: "video/mp4", ..Default::default() };
        let made = create::create(&mut tx, yesterday, &she, &draft).await.unwrap();
        let purpose = Purpose::Whole { clip: &made.clip, version: &made.version };
        let new = NewUpload { owner: &she.user, purpose, length: None, most: 2 << 30, metadata: "", idempotency_key: None };
        let upload = sql::create(&mut tx, yesterday, new).await.unwrap();
        let (upload, _) = sql::take_over(&mut tx, yesterday, &upload.id).await.unwrap();
        let part = |no| Part { no, len: 8 << 20, etag: "e".into(), sha256: "00".into() };
        sql::record_part(&mut tx, yesterday, &upload, &part(1)).await.unwrap();
        assert_eq!(used(&mut tx, NOW, &she.user).await.unwrap().today, 0);
        sql::record_part(&mut tx, NOW, &upload, &part(2)).await.unwrap();
        assert_eq!(used(&mut tx, NOW, &she.user).await.unwrap().today, 16 << 20);
        let quota = Quota { per_file: 20 << 20, per_day: 20 << 20, per_person: 20 << 20 };
        check_counted(&mut tx, &quota, NOW, &she.user, 8 << 20).await.unwrap();
        let quota = Quota { per_day: (16 << 20) - 1, ..quota };
        let over = check_counted(&mut tx, &quota, NOW, &she.user, 8 << 20).await;
        assert!(matches!(over, Err(Error::Refused(refusal)) if refusal.code == "quota_day"));
        let durable = sql::durable(&mut tx, &upload).await.unwrap();
        sql::declare_length(&mut tx, NOW, upload, &durable, 17 << 20).await.unwrap();
        assert_eq!(used(&mut tx, NOW, &she.user).await.unwrap().today, 17 << 20);
        tx.commit().await.unwrap();
    }

    many_creations_at_once_stay_within_the_number_that_may_be_open(db) {
        let mut tx = db.write().await.unwrap();
        let owner = person(&mut tx).await.user;
        tx.commit().await.unwrap();
        let one = async |n: i64| {
            let mut tx = db.write().await.unwrap();
            let new = NewUpload { owner: &owner, purpose: Purpose::Partial, length: Some(n), most: 2 << 30, metadata: "",
                                  idempotency_key: None };
            sql::create(&mut tx, NOW, new).await.unwrap();
            let before = used(&mut tx, NOW, &owner).await.unwrap().without_upload(n);
            let refusal = Quota::default().refusal_to_begin(&before, n);
            if refusal.is_none() { tx.commit().await.unwrap() }
            refusal.is_none()
        };
        let all = futures_util::future::join_all((1..=60).map(one)).await;
        assert_eq!(all.into_iter().filter(|made| *made).count() as i64, MOST_OPEN);
    }

    of_two_creations_at_once_only_what_fits_passes(db) {
        let mut tx = db.write().await.unwrap();
        let she = person(&mut tx).await;
        tx.commit().await.unwrap();
        let quota = Quota { per_file: 10, per_day: 10, per_person: 10 };
        let (a, b) = tokio::join!(race(&db, &she.user, quota), race(&db, &she.user, quota));
        assert!(a ^ b, "{a} {b}");
    }
}
