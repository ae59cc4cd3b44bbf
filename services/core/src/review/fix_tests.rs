use super::*;
use crate::both_databases;
use crate::clip::ClipState;
use crate::db::Db;
use crate::ids::ClipId;
use crate::review::testing::{Classroom, clip, events, reviewed, version};
use crate::review::{Outcome, sent};

const STATES: [ItemState; 8] = [
    ItemState::Draft,
    ItemState::Sent,
    ItemState::Heard,
    ItemState::Trying,
    ItemState::Fixed,
    ItemState::Declined,
    ItemState::Verified,
    ItemState::Again,
];
const HERS: [ItemState; 4] = [ItemState::Heard, ItemState::Trying, ItemState::Fixed, ItemState::Declined];

/// Every kind, every state, every mark.
#[test]
fn what_she_says_leads_where_it_may() {
    for kind in [Kind::Praise, Kind::Fix, Kind::Question, Kind::Must] {
        for from in STATES {
            for to in STATES {
                let asks_for_change = matches!(kind, Kind::Fix | Kind::Must);
                let hers = HERS.contains(&to) && (to == ItemState::Heard || asks_for_change);
                let open = !matches!(from, ItemState::Draft | ItemState::Verified);
                let expected = match (open && hers, from, to) {
                    (false, ..) => None,
                    (true, ItemState::Again, ItemState::Heard) => Some(ItemState::Again),
                    (true, _, to) => Some(to),
                };
                assert_eq!(marked(kind, from, to).ok(), expected, "{kind:?} {from:?} {to:?}");
            }
        }
    }
}

#[test]
fn a_moment_lies_as_far_into_the_next_version() {
    for (at, from, to, expected) in [
        (12_000, Some(30_000), Some(30_000), 12_000),
        (12_000, Some(30_000), Some(60_000), 24_000),
        (12_000, Some(30_000), Some(15_000), 6_000),
        (40_000, Some(30_000), Some(15_000), 15_000),
        (12_000, Some(0), Some(15_000), 12_000),
        (12_000, None, Some(15_000), 12_000),
        (12_000, Some(30_000), None, 12_000),
        (i64::MAX, Some(1), Some(5), 5),
    ] {
        assert_eq!(carried(at, from, to), expected, "{at} {from:?} {to:?}");
    }
}

async fn fix_of(db: &Db, room: &Classroom, clip: &ClipId) -> FeedbackItem {
    let mut tx = db.read().await.unwrap();
    let reviews = sent::of_clip(&mut tx, clip, &room.trainee).await.unwrap();
    reviews[0].items.iter().find(|i| i.kind == Kind::Fix).unwrap().clone()
}

async fn say(db: &Db, room: &Classroom, item: &ItemId, says: Mark) -> Result<FeedbackItem> {
    let mut tx = db.write().await.unwrap();
    let item = mark(&mut tx, item, &room.trainee, &says).await?;
    tx.commit().await.unwrap();
    Ok(item)
}

fn code<T>(result: Result<T>) -> &'static str {
    match result.err() {
        Some(Error::Refused(r) | Error::Conflict(r)) => r.code,
        Some(Error::NotFound) => "not_found",
        Some(other) => panic!("{other}"),
        None => "ok",
    }
}

both_databases! {
    she_says_what_she_does_with_it_and_a_mentor_sees_it_fixed(db) {
        let room = Classroom::open(&db).await;
        let of = reviewed(&db, &room, "A1", 4, Outcome::Return).await;
        let item = fix_of(&db, &room, &of).await.id;
        assert_eq!(say(&db, &room, &item, Mark::Trying).await.unwrap().state, ItemState::Trying);
        let mut tx = db.write().await.unwrap();
        let second = version(&mut tx, &of, 2).await;
        let first = clips::versions(&mut tx, &of).await.unwrap().pop().unwrap().id;
        let (elsewhere, other) = clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A4")).await;
        tx.commit().await.unwrap();
        let at = |version_id: &VersionId, at_ms| Place { version_id: version_id.clone(), at_ms };
        assert_eq!(code(say(&db, &room, &item, Mark::Fixed(at(&first, 5))).await), "no_later_version");
        assert_eq!(code(say(&db, &room, &item, Mark::Fixed(at(&other, 5))).await), "not_found");
        for outside in [-1, 31_001] {
            assert_eq!(code(say(&db, &room, &item, Mark::Fixed(at(&second, outside))).await), "not_in_version");
        }
        let fixed = say(&db, &room, &item, Mark::Fixed(at(&second, 14_000))).await.unwrap();
        assert_eq!((fixed.state, fixed.fixed.as_ref()), (ItemState::Fixed, Some(&at(&second, 14_000))));
        // A slip of the finger is taken back.
        let heard = say(&db, &room, &item, Mark::Heard).await.unwrap();
        assert_eq!((heard.state, heard.fixed), (ItemState::Heard, None));
        say(&db, &room, &item, Mark::Fixed(at(&second, 14_000))).await.unwrap();

        let mut tx = db.write().await.unwrap();
        let whole = clips::get(&mut tx, &of).await.unwrap();
        assert_eq!(whole.state, ClipState::Returned);
        let compared = compare(&mut tx, &whole, &first, &second, &room.mentor).await.unwrap();
        let point = compared.points.iter().find(|p| p.item.id == item).unwrap();
        assert_eq!((point.before_ms, point.after_ms, point.guessed), (1_000, 14_000, false));
        assert!(compared.points.iter().any(|p| p.item.kind == Kind::Praise && p.guessed), "all that was said");
        assert_eq!(code(compare(&mut tx, &whole, &second, &first, &room.mentor).await), "not_in_order");
        assert_eq!(code(compare(&mut tx, &whole, &first, &other, &room.mentor).await), "not_found");
        let away = clips::get(&mut tx, &elsewhere).await.unwrap();
        assert_eq!(code(compare(&mut tx, &away, &first, &second, &room.mentor).await), "not_found");

        for _ in 0..2 {
            let seen = verify(&mut tx, &room.mentor, &item, &at(&second, 14_500), Verdict::Verified).await.unwrap();
            assert_eq!((seen.state, seen.settled), (ItemState::Verified, Some(at(&second, 14_500))));
        }
        assert_eq!(events(&mut tx, "feedback.settled", of.as_str()).await, 1, "said twice is said once");
        assert_eq!(code(verify(&mut tx, &room.mentor, &item, &at(&second, 1), Verdict::Again).await), "verified_already");
        let compared = compare(&mut tx, &whole, &first, &second, &room.trainee).await.unwrap();
        assert_eq!(compared.points.iter().find(|p| p.item.id == item).unwrap().after_ms, 14_500);
        tx.commit().await.unwrap();
        assert_eq!(code(say(&db, &room, &item, Mark::Trying).await), "cannot_mark");
    }

    what_is_to_be_done_again_is_hers_again(db) {
        let room = Classroom::open(&db).await;
        let of = reviewed(&db, &room, "A1", 4, Outcome::Return).await;
        let item = fix_of(&db, &room, &of).await.id;
        let mut tx = db.write().await.unwrap();
        let second = version(&mut tx, &of, 2).await;
        let place = Place { version_id: second, at_ms: 1_000 };
        verify(&mut tx, &room.mentor, &item, &place, Verdict::Again).await.unwrap();
        let praise = sent::of_clip(&mut tx, &of, &room.trainee).await.unwrap()[0].items.iter().find(|i| i.kind == Kind::Praise).unwrap().id.clone();
        assert_eq!(code(verify(&mut tx, &room.mentor, &praise, &place, Verdict::Verified).await), "nothing_to_verify");
        tx.commit().await.unwrap();
        assert_eq!(say(&db, &room, &item, Mark::Heard).await.unwrap().state, ItemState::Again, "heard, and still to be done");
        assert_eq!(say(&db, &room, &item, Mark::Declined).await.unwrap().state, ItemState::Declined);
        assert_eq!(say(&db, &room, &item, Mark::Trying).await.unwrap().state, ItemState::Trying);
        assert_eq!(say(&db, &room, &item, Mark::Heard).await.unwrap().state, ItemState::Again, "taken back, and still to be done");
        assert_eq!(code(say(&db, &room, &praise, Mark::Trying).await), "cannot_mark");
        assert_eq!(code(say(&db, &room, &ItemId::new(), Mark::Heard).await), "not_found");
    }

    who_reviews_the_version_has_the_word_on_it(db) {
        let room = Classroom::open(&db).await;
        let of = reviewed(&db, &room, "A1", 4, Outcome::Return).await;
        let item = fix_of(&db, &room, &of).await.id;
        let mut tx = db.write().await.unwrap();
        let second = version(&mut tx, &of, 2).await;
        clips::submit(&mut tx, At::now(), &of, None, None).await.unwrap();
        let ticket = queue::newest_of_clip(&mut tx, &of).await.unwrap().unwrap().id;
        queue::claim(&mut tx, &ticket, &room.second_mentor).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.write().await.unwrap();
        let place = Place { version_id: second, at_ms: 1_000 };
        assert_eq!(code(verify(&mut tx, &room.mentor, &item, &place, Verdict::Verified).await), "being_reviewed");
        queue::recuse(&mut tx, &ticket, &room.second_mentor, "是我表妹").await.unwrap();
        assert_eq!(code(verify(&mut tx, &room.second_mentor, &item, &place, Verdict::Verified).await), "recused");
        verify(&mut tx, &room.mentor, &item, &place, Verdict::Verified).await.unwrap();
    }
}
