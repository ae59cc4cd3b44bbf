//! From rows to a star on the wall, on both databases.

use super::input::StarInput;
use super::*;
use crate::access::Principal;
use crate::content::{self, star_rules};
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::growth::{self, Figures, NewAccount, NewSnapshot, Platform};
use crate::ids::{EvaluationId, SnapshotId, UserId};
use crate::review::Outcome;
use crate::review::testing::{Classroom, principal, reviewed};
use crate::time::{At, Day};
use crate::{both_databases, on};

/// Two passed clips and one reading: enough for a first star.
async fn graduate(db: &Db) -> Classroom {
    let room = Classroom::open(db).await;
    let mut tx = db.write().await.unwrap();
    content::publish(&mut tx, At(1)).await.unwrap();
    tx.commit().await.unwrap();
    reviewed(db, &room, "A1", 3, Outcome::Pass).await;
    reviewed(db, &room, "A4", 4, Outcome::Pass).await;
    reviewed(db, &room, "A5", 1, Outcome::Return).await;
    let figures = Figures {
        followers: Some(260),
        views: Some(6200),
        originals: Some(11),
        active_weeks: Some(9),
        service: Some(14),
        ..Figures::default()
    };
    read(db, &room, figures).await;
    room
}

fn today() -> Day {
    At::now().china_date().into()
}

async fn read(db: &Db, room: &Classroom, figures: Figures) {
    let mut tx = db.write().await.unwrap();
    let (owner, opened_on) = (&room.trainee, today().plus_days(-150));
    let new = NewAccount { owner, platform: Platform::Douyin, handle: "里耶比耳村", opened_on };
    let account = growth::add_account(&mut tx, At::now(), new).await.unwrap();
    let id = SnapshotId::new();
    let new = NewSnapshot {
        id: &id,
        account: &account.id,
        as_of_on: today(),
        window_days: 90,
        figures,
        evidence_key: "evidence/x",
        evidence_type: "image/png",
        evidence_sha256: "aa",
        entered_by: &room.staff,
    };
    growth::record(&mut tx, At::now(), new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn input(tx: &mut Tx, user: &UserId) -> StarInput {
    gather(tx, std::slice::from_ref(user), today()).await.unwrap().remove(0)
}

async fn evaluated(db: &Db, room: &Classroom) -> EvaluationRow {
    let mut tx = db.write().await.unwrap();
    let frozen = input(&mut tx, &room.trainee).await.freeze().unwrap();
    let result = evaluate(star_rules(), &frozen.input);
    let row = save(&mut tx, At::now(), &frozen, &result, &room.staff).await.unwrap();
    tx.commit().await.unwrap();
    row
}

async fn give(db: &Db, by: &Principal, user: &UserId, on: &EvaluationId, level: i64) -> crate::Result<AwardRow> {
    let mut tx = db.write().await.unwrap();
    let award = award(&mut tx, At::now(), by, user, on, level).await?;
    tx.commit().await.unwrap();
    Ok(award)
}

async fn desk(db: &Db, room: &Classroom) -> Principal {
    principal(&mut db.read().await.unwrap(), &room.staff).await
}

fn code(error: Error) -> &'static str {
    match error {
        Error::Refused(refusal) | Error::Conflict(refusal) => refusal.code,
        Error::NotFound => "not_found",
        other => panic!("{other}"),
    }
}

both_databases! {
    the_input_is_what_the_rows_say(db) {
        let room = graduate(&db).await;
        let mut tx = db.write().await.unwrap();
        let hers = input(&mut tx, &room.trainee).await;
        assert_eq!(hers.reviews.len(), 2, "what was returned is no passed clip");
        let dims = content::rubric().video.len();
        assert!(hers.reviews.iter().all(|r| r.scores.len() == dims && r.sent_on == today()));
        assert_eq!(hers.accounts[0].snapshots[0].figures.originals, Some(11));
        assert_eq!(hers.accounts[0].snapshots[0].figures.lives, None);
        assert!(hers.stars.is_empty() && hers.corrections.is_empty() && hers.musts.is_empty());
        assert_eq!((hers.mentees_graduated, hers.mentees_starred), (None, None));
        // Gathered for many at once, everybody has her own and only her own.
        let both = gather(&mut tx, &[room.stranger.clone(), room.trainee.clone()], today()).await.unwrap();
        assert_eq!(both[1], hers);
        assert!(both[0].accounts.is_empty() && both[0].reviews.is_empty());
        // A fix becomes a must: it is gathered while it is open.
        on!(&mut tx, c => sqlx::query("update feedback_items set kind = 'must' where kind = 'fix'").execute(c).await.map(drop)).unwrap();
        assert_eq!(input(&mut tx, &room.trainee).await.musts.len(), 1, "only that of the returned clip is open");
    }

    a_corrected_reading_counts_and_the_correction_is_known(db) {
        let room = graduate(&db).await;
        read(&db, &room, Figures { followers: Some(26), views: Some(6200), ..Figures::default() }).await;
        let mut tx = db.read().await.unwrap();
        let hers = input(&mut tx, &room.trainee).await;
        assert_eq!(hers.accounts[0].snapshots.len(), 1);
        assert_eq!(hers.accounts[0].snapshots[0].figures.followers, Some(26));
        assert_eq!(hers.corrections.len(), 1);
        assert_eq!(hers.corrections[0].corrected_on, today());
    }

    an_evaluation_is_kept_once_and_runs_again(db) {
        let room = graduate(&db).await;
        let (first, second) = (evaluated(&db, &room).await, evaluated(&db, &room).await);
        assert_eq!(first.id, second.id);
        let mut tx = db.write().await.unwrap();
        assert!(replay(&mut tx, &first.id).await.unwrap());
        assert!(newest_evaluation_at(&mut tx, &room.trainee).await.unwrap().is_some());
        assert_eq!(newest_evaluation_at(&mut tx, &room.stranger).await.unwrap(), None);
        assert!(matches!(evaluation(&mut tx, &EvaluationId::new()).await, Err(Error::NotFound)));
        // A kept input that somebody touched is seen.
        on!(&mut tx, c => sqlx::query("update star_evaluations set input = replace(input, '260', '960')").execute(c).await.map(drop)).unwrap();
        assert!(matches!(replay(&mut tx, &first.id).await, Err(Error::Damaged(_))));
    }

    two_desks_that_award_at_once_give_one_star(db) {
        let room = graduate(&db).await;
        let (row, desk) = (evaluated(&db, &room).await, desk(&db, &room).await);
        let given = futures_util::future::join_all((0..4).map(|_| give(&db, &desk, &room.trainee, &row.id, 1))).await;
        let numbers: std::collections::BTreeSet<String> =
            given.into_iter().map(|award| award.unwrap().certificate_number).collect();
        assert_eq!(numbers.len(), 1);
    }

    a_star_is_given_once_with_a_certificate_that_verifies(db) {
        let room = graduate(&db).await;
        let row = evaluated(&db, &room).await;
        let desk = desk(&db, &room).await;
        let given = give(&db, &desk, &room.trainee, &row.id, 1).await.unwrap();
        assert_eq!((given.level, given.awarded_by.as_str()), (1, "龙主任"));
        assert_eq!((given.valid_from, given.valid_to), (today(), today().plus_months(24)));
        assert!(given.certificate_number.starts_with(&format!("WJ-4331-{}-0000001-", today().year())));
        assert_eq!(give(&db, &desk, &room.trainee, &row.id, 1).await.unwrap(), given, "asking twice gives one");

        let mut tx = db.write().await.unwrap();
        let shown = verify(&mut tx, &given.certificate_number.to_lowercase()).await.unwrap();
        assert_eq!((shown.status(today()), shown.title.as_str(), shown.county.as_str()), ("valid", "一星网上妇女微家", "龙山县"));
        assert_eq!(shown.issuer, "龙山县妇女联合会");
        assert_eq!(shown.status(today().plus_months(24)), "expired");
        let current = current_awards(&mut tx, std::slice::from_ref(&room.trainee), today()).await.unwrap();
        assert_eq!(current, std::slice::from_ref(&given));
        assert_eq!(evaluate(star_rules(), &input(&mut tx, &room.trainee).await).current_level, 1);
        // A misread number, an unknown one, and one whose row was touched are not vouched for.
        let misread = given.certificate_number.replace("0000001", "0000010");
        assert!(matches!(verify(&mut tx, &misread).await, Err(Error::NotFound)));
        let unknown = certificate::number("4331", 2025, 77).unwrap();
        assert!(matches!(verify(&mut tx, &unknown).await, Err(Error::NotFound)));
        on!(&mut tx, c => sqlx::query("update certificates set title = '五星网上妇女微家'").execute(c).await.map(drop)).unwrap();
        assert!(matches!(verify(&mut tx, &given.certificate_number).await, Err(Error::Damaged(_))));
    }

    a_star_is_not_given_on_numbers_that_changed(db) {
        let room = graduate(&db).await;
        let row = evaluated(&db, &room).await;
        read(&db, &room, Figures { followers: Some(261), originals: Some(11), ..Figures::default() }).await;
        let desk = desk(&db, &room).await;
        assert_eq!(code(give(&db, &desk, &room.trainee, &row.id, 1).await.unwrap_err()), "evaluation_stale");
        // Nor on an evaluation of last season.
        let mut tx = db.write().await.unwrap();
        let frozen = gather(&mut tx, std::slice::from_ref(&room.trainee), today().plus_days(-31)).await.unwrap().remove(0).freeze().unwrap();
        let old = save(&mut tx, At::now(), &frozen, &evaluate(star_rules(), &frozen.input), &room.staff).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(code(give(&db, &desk, &room.trainee, &old.id, 1).await.unwrap_err()), "evaluation_stale");
    }

    who_may_give_which_star(db) {
        let room = graduate(&db).await;
        let row = evaluated(&db, &room).await;
        let county = desk(&db, &room).await;
        let her = &room.trainee;
        assert_eq!(code(give(&db, &county, her, &row.id, 2).await.unwrap_err()), "star_too_high");
        assert_eq!(code(give(&db, &county, her, &row.id, 3).await.unwrap_err()), "star_tier");
        assert_eq!(code(give(&db, &county, her, &row.id, 6).await.unwrap_err()), "star_unknown");
        assert_eq!(code(give(&db, &county, &room.stranger, &row.id, 1).await.unwrap_err()), "not_found");
        assert_eq!(code(give(&db, &county, her, &EvaluationId::new(), 1).await.unwrap_err()), "not_found");
        let township = Principal { staff_paths: vec!["43/4331/433130/433130105/".into()], ..county.clone() };
        assert_eq!(code(give(&db, &township, her, &row.id, 1).await.unwrap_err()), "star_tier");
        let city = Principal { staff_paths: vec!["43/4331/".into()], ..county.clone() };
        assert_eq!(give(&db, &city, her, &row.id, 1).await.unwrap().level, 1);
        // The same star again, on a new evaluation, is refused in words.
        let again = evaluated(&db, &room).await;
        assert_eq!(code(give(&db, &county, her, &again.id, 1).await.unwrap_err()), "star_held");
    }

    the_next_star_replaces_the_one_before(db) {
        let room = graduate(&db).await;
        let row = evaluated(&db, &room).await;
        let desk = desk(&db, &room).await;
        let first = give(&db, &desk, &room.trainee, &row.id, 1).await.unwrap();
        // Half a year goes by, and the figures of a second star come together; rehearsals have no way in yet.
        let mut tx = db.write().await.unwrap();
        let from = today().plus_months(-6).to_string();
        on!(&mut tx, c => sqlx::query("update star_awards set valid_from = $1").bind(&from).execute(c).await.map(drop)).unwrap();
        on!(&mut tx, c => sqlx::query("update review_tickets set assignment_code = 'A9' where assignment_code = 'A4'").execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        let figures = Figures {
            followers: Some(800),
            views: Some(60_000),
            originals: Some(30),
            active_weeks: Some(14),
            service: Some(60),
            ..Figures::default()
        };
        read(&db, &room, figures).await;
        let mut tx = db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query("update growth_snapshots set window_days = 120, active_weeks = 16 where superseded_by is null").execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        let row = evaluated(&db, &room).await;
        let second = give(&db, &desk, &room.trainee, &row.id, 2).await.unwrap();
        assert!(second.certificate_number.contains("-0000002-"));
        let mut tx = db.read().await.unwrap();
        assert_eq!(verify(&mut tx, &first.certificate_number).await.unwrap().status(today()), "replaced");
        assert_eq!(current_awards(&mut tx, std::slice::from_ref(&room.trainee), today()).await.unwrap(), [second]);
    }
}
