use super::rules::*;
use super::*;
use crate::db::Db;
use crate::error::Error;
use crate::review::testing::Classroom;
use crate::{both_databases, on};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

struct Reading {
    id: SnapshotId,
    as_of_on: Day,
    window_days: i64,
    figures: Figures,
    sha256: &'static str,
}

impl Reading {
    fn of(figures: Figures) -> Self {
        Self { id: SnapshotId::new(), as_of_on: day("2026-11-18"), window_days: 90, figures, sha256: "aa" }
    }

    fn taken<'a>(&'a self, account: &'a AccountId, by: &'a UserId) -> NewSnapshot<'a> {
        NewSnapshot {
            id: &self.id,
            account,
            as_of_on: self.as_of_on,
            window_days: self.window_days,
            figures: self.figures,
            evidence_key: "evidence/x",
            evidence_type: "image/png",
            evidence_sha256: self.sha256,
            entered_by: by,
        }
    }
}

#[test]
fn a_reading_must_be_possible() {
    let (account, by) = (AccountId::new(), UserId::new());
    let figures = Figures { originals: Some(3), ..Figures::default() };
    let check = |reading: Reading| check_snapshot(&reading.taken(&account, &by), day("2026-06-16"), day("2026-11-20"));
    assert!(check(Reading::of(figures)).is_ok());
    assert!(check(Reading { as_of_on: day("2026-11-20"), ..Reading::of(figures) }).is_ok());
    for bad in [
        Reading { as_of_on: day("2026-11-21"), ..Reading::of(figures) },
        Reading { as_of_on: day("2026-06-15"), ..Reading::of(figures) },
        Reading { window_days: 0, ..Reading::of(figures) },
        Reading { window_days: 400, ..Reading::of(figures) },
        Reading::of(Figures::default()),
        Reading::of(Figures { views: Some(-1), ..figures }),
        Reading::of(Figures { views: Some(i64::MAX), ..figures }),
        Reading::of(Figures { active_weeks: Some(15), ..figures }),
    ] {
        let refusal = check(bad).unwrap_err();
        assert!(refusal.code == "snapshot_invalid" && !refusal.next_step.is_empty());
    }
    assert!(check(Reading::of(Figures { active_weeks: Some(14), ..figures })).is_ok());
    // Every single figure is enough, and a zero that was read is a figure.
    assert!(check(Reading::of(Figures { lives: Some(0), ..Figures::default() })).is_ok());
}

#[test]
fn filling_a_gap_is_no_correction() {
    let had = Figures { followers: Some(10), ..Figures::default() };
    assert!(!is_correction(&had, &Figures { views: Some(5), ..had }));
    assert!(is_correction(&had, &Figures { followers: Some(11), ..had }));
    assert!(is_correction(&had, &Figures::default()));
}

async fn account(db: &Db, owner: &UserId) -> Account {
    let mut tx = db.write().await.unwrap();
    let new =
        NewAccount { owner, platform: Platform::Douyin, handle: " @里耶比耳村 ", opened_on: day("2026-06-16") };
    let account = add_account(&mut tx, At::now(), new).await.unwrap();
    tx.commit().await.unwrap();
    account
}

both_databases! {
    an_account_is_one_persons(db) {
        let room = Classroom::open(&db).await;
        let first = account(&db, &room.trainee).await;
        assert_eq!(first.handle, "里耶比耳村");
        assert_eq!(account(&db, &room.trainee).await.id, first.id, "asking twice makes one");
        let mut tx = db.write().await.unwrap();
        let new = |opened_on| NewAccount { owner: &room.stranger, platform: Platform::Douyin, handle: "里耶比耳村", opened_on };
        let taken = add_account(&mut tx, At::now(), new(day("2026-06-16"))).await.unwrap_err();
        assert!(matches!(taken, Error::Conflict(r) if r.code == "account_taken"));
        let tomorrow = Day::from(At::now().china_date()).plus_days(1);
        assert!(matches!(add_account(&mut tx, At::now(), new(tomorrow)).await, Err(Error::Refused(_))));
        assert_eq!(owner_of(&mut tx, &first.id).await.unwrap(), room.trainee);
        assert!(matches!(owner_of(&mut tx, &AccountId::new()).await, Err(Error::NotFound)));
    }

    a_reading_keeps_what_is_missing_missing(db) {
        let room = Classroom::open(&db).await;
        let account = account(&db, &room.trainee).await;
        let reading = Reading::of(Figures { followers: Some(260), lives: Some(0), ..Figures::default() });
        let mut tx = db.write().await.unwrap();
        let Recorded::New(kept) = record(&mut tx, At::now(), reading.taken(&account.id, &room.staff)).await.unwrap() else { panic!() };
        assert_eq!((kept.figures, kept.entered_by.as_str()), (reading.figures, "龙主任"));
        tx.commit().await.unwrap();
        let mut tx = db.read().await.unwrap();
        let all = accounts_of(&mut tx, &[room.trainee.clone(), room.stranger.clone()]).await.unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].snapshots, std::slice::from_ref(&kept));
        assert_eq!(evidence(&mut tx, &kept.id).await.unwrap().owner_id, room.trainee);
        assert!(matches!(evidence(&mut tx, &SnapshotId::new()).await, Err(Error::NotFound)));
    }

    a_correction_supersedes_and_overwrites_nothing(db) {
        let room = Classroom::open(&db).await;
        let account = account(&db, &room.trainee).await;
        let wrong = Reading::of(Figures { followers: Some(2600), ..Figures::default() });
        let right = Reading::of(Figures { followers: Some(260), ..Figures::default() });
        let other_window = Reading { window_days: 30, ..Reading::of(right.figures) };
        let mut tx = db.write().await.unwrap();
        for reading in [&wrong, &right, &other_window] {
            assert!(matches!(record(&mut tx, At::now(), reading.taken(&account.id, &room.staff)).await.unwrap(), Recorded::New(_)));
        }
        // The request sent twice, with an id of its own, adds nothing.
        let again = Reading { id: SnapshotId::new(), ..Reading::of(right.figures) };
        let Recorded::Already(there) = record(&mut tx, At::now(), again.taken(&account.id, &room.staff)).await.unwrap() else { panic!() };
        assert_eq!(there.id, right.id);
        let all = accounts_of(&mut tx, std::slice::from_ref(&room.trainee)).await.unwrap().remove(0).snapshots;
        assert_eq!(all.len(), 3);
        let of = |id: &SnapshotId| all.iter().find(|s| s.id == *id).unwrap();
        assert_eq!(of(&wrong.id).superseded_by.as_ref(), Some(&right.id));
        assert_eq!(of(&wrong.id).figures.followers, Some(2600), "what was read first is still there");
        assert_eq!((&of(&right.id).superseded_by, &of(&other_window.id).superseded_by), (&None, &None));
        // What cannot be is refused, and the schema would refuse it too.
        let bad = Reading { as_of_on: day("2026-06-01"), ..Reading::of(right.figures) };
        assert!(matches!(record(&mut tx, At::now(), bad.taken(&account.id, &room.staff)).await, Err(Error::Refused(_))));
        let nobody = AccountId::new();
        assert!(matches!(record(&mut tx, At::now(), bad.taken(&nobody, &room.staff)).await, Err(Error::NotFound)));
        let update = on!(&mut tx, c => sqlx::query("update growth_snapshots set views = -1").execute(c).await.map(drop));
        assert!(update.is_err());
    }
}
