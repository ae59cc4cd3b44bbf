use super::*;
use crate::access::Principal;
use crate::account::{self, Keys, NewUser, PasswordHasher, Phone};
use crate::cohort::{self, Cohort};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::ids::{RequestId, UserId};
use crate::review::testing::{self, Classroom};
use crate::time::{At, Millis};
use crate::{both_databases, on};

/// 2026-03-05 14:30 in China.
const NOW: At = At(1_772_692_200_000);
const PIN: &str = "271828";

struct Hall {
    room: Classroom,
    keys: Keys,
    hasher: PasswordHasher,
    cohort: Cohort,
    staff: Principal,
}

impl Hall {
    async fn open(db: &Db) -> (Hall, Window) {
        let room = Classroom::open(db).await;
        let mut tx = db.write().await.unwrap();
        let cohort = cohort::get(&mut tx, &room.cohort).await.unwrap();
        let staff = testing::principal(&mut tx, &room.staff).await;
        let window = super::open(&mut tx, NOW, &room.staff, &cohort, None, OPEN_FOR).await.unwrap();
        tx.commit().await.unwrap();
        (Hall { room, keys: Keys::from_master(&[7; 32]), hasher: PasswordHasher::new(), cohort, staff }, window)
    }

    /// Somebody on the roster, with what was handed out to her.
    async fn rostered(&self, db: &Db, number: &str, part: &str) -> UserId {
        let mut tx = db.write().await.unwrap();
        let phone: Phone = number.parse().unwrap();
        let new = NewUser { name: "彭秀英", phone: &phone, region_code: "433130105201", password_hash: "-" };
        let user = account::create(&mut tx, &self.keys, NOW, new).await.unwrap();
        testing::join(&mut tx, &self.cohort.id, &user, part).await;
        tx.commit().await.unwrap();
        user
    }

    async fn ask(&self, db: &Db, now: At, window: &Window, who: &Who) -> Result<Answer> {
        self.ask_again(db, now, window, who, false).await
    }

    async fn ask_again(&self, db: &Db, now: At, window: &Window, who: &Who, again: bool) -> Result<Answer> {
        let mut tx = db.write().await.unwrap();
        let answer = ask(&mut tx, &self.keys, now, &window.id, who, again).await?;
        tx.commit().await.unwrap();
        Ok(answer)
    }

    async fn enter(&self, db: &Db, now: At, window: &Window, who: &Who, secret: &str) -> Result<Entered> {
        self.enter_with(db, now, window, who, secret, None).await
    }

    async fn enter_with(
        &self,
        db: &Db,
        now: At,
        window: &Window,
        who: &Who,
        secret: &str,
        pin: Option<&str>,
    ) -> Result<Entered> {
        let entry = Entry { window: &window.id, who, secret, pin, device: None };
        enter(db, &self.keys, &self.hasher, now, entry).await
    }
}

fn number(text: &str) -> Who {
    Who::Number(text.parse().unwrap())
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
    a_door_is_found_while_it_is_open(db) {
        let (hall, window) = Hall::open(&db).await;
        assert_eq!((window.code.as_str(), window.closes_at), ("0305", NOW + OPEN_FOR));
        let mut tx = db.write().await.unwrap();
        let token = wall_token(&mut tx, &hall.cohort.id).await.unwrap();
        assert_eq!((&token, token.len()), (&window.wall, 26), "the same each time");
        for way in [Way::Code("0305"), Way::Wall(&token)] {
            let found = find(&mut tx, NOW, way).await.unwrap();
            assert_eq!((found.len(), &found[0].window, found[0].arrived), (1, &window, 0));
        }
        for wrong in ["0306", "", "' or 1 = 1"] {
            assert_eq!(code(find(&mut tx, NOW, Way::Code(wrong)).await), "code_unknown");
            assert_eq!(code(find(&mut tx, NOW, Way::Wall(wrong)).await), "code_unknown");
            assert_eq!(code(find(&mut tx, NOW, Way::Card(wrong)).await), "code_unknown");
        }
        let late = window.closes_at;
        for way in [Way::Code("0305"), Way::Wall(&token)] {
            assert_eq!(code(find(&mut tx, late, way).await), "join_closed", "who comes too late is told so");
        }
        assert_eq!(code(find(&mut tx, late + LONGEST, Way::Code("0305")).await), "code_unknown");
        assert_eq!(of_cohort(&mut tx, NOW, &hall.cohort.id).await.unwrap(), Some(window));
        close(&mut tx, NOW, &hall.room.staff, &hall.cohort.id).await.unwrap();
        close(&mut tx, NOW, &hall.room.staff, &hall.cohort.id).await.unwrap();
        assert_eq!(of_cohort(&mut tx, NOW, &hall.cohort.id).await.unwrap(), None);
    }

    two_doors_of_a_city_never_have_one_code(db) {
        let (hall, first) = Hall::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let second = testing::cohort(&mut tx, 50, &hall.room.staff).await;
        let second = cohort::get(&mut tx, &second).await.unwrap();
        let taken = super::open(&mut tx, NOW, &hall.room.staff, &second, Some("0305"), OPEN_FOR).await;
        assert_eq!(code(taken), "code_taken");
        let other = super::open(&mut tx, NOW, &hall.room.staff, &second, None, OPEN_FOR).await.unwrap();
        assert_ne!(other.code, first.code);
        // Opening anew with its own code leaves it where it is, and open for longer.
        let again = super::open(&mut tx, NOW + Millis(9), &hall.room.staff, &hall.cohort, Some("0305"), OPEN_FOR).await.unwrap();
        assert_eq!((&again.id, again.closes_at), (&first.id, NOW + Millis(9) + OPEN_FOR));
        // With another code it is another door, and whoever stood before the old one stands before this.
        let moved = super::open(&mut tx, NOW, &hall.room.staff, &hall.cohort, Some("4711"), OPEN_FOR).await.unwrap();
        assert_eq!(require(&mut tx, &first).await.unwrap(), moved);
        assert_eq!(code(find(&mut tx, NOW, Way::Code("0305")).await), "join_closed");
        super::open(&mut tx, NOW, &hall.room.staff, &hall.cohort, Some("0305"), OPEN_FOR).await.unwrap();
        let other_digits = super::open(&mut tx, NOW, &hall.room.staff, &hall.cohort, None, OPEN_FOR).await.unwrap();
        assert_ne!(other_digits.code, "0305", "who opens an open door anew wants other digits");
        super::open(&mut tx, NOW, &hall.room.staff, &hall.cohort, Some("0305"), OPEN_FOR).await.unwrap();
        // Another city may have it too: then it leads to both.
        let far = Cohort { region_path: "43/4301/430102/".into(), ..second.clone() };
        let far = super::open(&mut tx, NOW, &hall.room.staff, &far, Some("0305"), OPEN_FOR).await.unwrap();
        let found = find(&mut tx, NOW, Way::Code("0305")).await.unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().any(|f| f.window == far));
        // A door whose time is over holds no code.
        let late = NOW + OPEN_FOR;
        super::open(&mut tx, late, &hall.room.staff, &second, Some("0305"), OPEN_FOR).await.unwrap();
    }

    who_is_on_the_roster_chooses_six_digits_and_is_in(db) {
        let (hall, window) = Hall::open(&db).await;
        let user = hall.rostered(&db, "13812345678", "trainee").await;
        let who = number("13812345678");
        for _ in 0..2 {
            assert_eq!(hall.ask(&db, NOW, &window, &who).await.unwrap().step, Step::ChoosePin);
        }
        assert_eq!(code(hall.enter(&db, NOW, &window, &who, "123456").await), "pin_weak");
        assert_eq!(code(hall.enter(&db, NOW, &window, &who, "345678").await), "pin_weak");
        let entered = hall.enter(&db, NOW, &window, &who, PIN).await.unwrap();
        assert_eq!(entered.user, user);
        let who_is = account::who_is(&db, NOW, &entered.session).await.unwrap().unwrap();
        assert_eq!(who_is.studies, std::slice::from_ref(&hall.cohort.id));
        let mut tx = db.read().await.unwrap();
        assert!(account::device::knows(&mut tx, &entered.device, &user).await.unwrap());
        let seats = board(&mut tx, NOW, &hall.cohort.id).await.unwrap().seats;
        let seat = |id: &UserId| seats.iter().find(|s| s.person.id == *id).unwrap().arrived_at;
        assert_eq!((seat(&user), seat(&hall.room.trainee)), (Some(NOW), None));
        drop(tx);

        // From now on her number asks for her digits, on any phone before the door.
        let later = NOW + Millis::minutes(1);
        assert_eq!(hall.ask(&db, later, &window, &who).await.unwrap().step, Step::EnterPin);
        assert_eq!(code(hall.enter(&db, later, &window, &who, "161803").await), "sign_in_wrong");
        let again = hall.enter(&db, later, &window, &who, PIN).await.unwrap();
        assert_eq!(again.user, user);
        let mut tx = db.read().await.unwrap();
        let found = find(&mut tx, later, Way::Code("0305")).await.unwrap();
        assert_eq!(found[0].arrived, 1, "coming twice is coming once");
    }

    two_phones_with_one_number_are_not_both_in(db) {
        let (hall, window) = Hall::open(&db).await;
        hall.rostered(&db, "13812345678", "trainee").await;
        let who = number("13812345678");
        let pins = ["271828", "161803", "141421", "173205"];
        let tried = futures_util::future::join_all(pins.map(|pin| hall.enter(&db, NOW, &window, &who, pin))).await;
        assert_eq!(tried.iter().filter(|t| t.is_ok()).count(), 1);
    }

    what_is_in_use_is_not_taken_over(db) {
        let (hall, window) = Hall::open(&db).await;
        hall.rostered(&db, "13812345678", "mentor").await;
        assert_eq!(hall.ask(&db, NOW, &window, &number("13812345678")).await.unwrap().step, Step::EnterPassword);
        let user = hall.rostered(&db, "13912345678", "trainee").await;
        let mut tx = db.write().await.unwrap();
        testing::clip(&mut tx, &user, None, None).await;
        tx.commit().await.unwrap();
        let who = number("13912345678");
        assert_eq!(hall.ask(&db, NOW, &window, &who).await.unwrap().step, Step::EnterPassword);
        assert_eq!(code(hall.enter(&db, NOW, &window, &who, PIN).await), "sign_in_wrong");
    }

    who_is_on_no_roster_waits_for_somebody_in_the_hall(db) {
        let (hall, window) = Hall::open(&db).await;
        let who = number("13812345678");
        let first = hall.ask(&db, NOW, &window, &who).await.unwrap();
        assert_eq!((first.step, first.is_new), (Step::Wait, true));
        let second = hall.ask(&db, NOW + Millis(5), &window, &who).await.unwrap();
        assert_eq!((second.step, second.is_new), (Step::Wait, false));
        assert_eq!(code(hall.enter(&db, NOW, &window, &who, PIN).await), "join_waits");
        let mut tx = db.write().await.unwrap();
        let requests = board(&mut tx, NOW, &hall.cohort.id).await.unwrap().requests;
        let [PendingRequest { id, phone_masked, asked_at }] = requests.try_into().unwrap();
        assert_eq!((phone_masked.as_str(), asked_at), ("138****5678", NOW));
        assert_eq!(cohort_of(&mut tx, &id).await.unwrap(), hall.cohort.id);
        assert!(matches!(cohort_of(&mut tx, &RequestId::new()).await, Err(Error::NotFound)));

        reject(&mut tx, NOW, &hall.room.staff, &id, "你的班在隔壁").await.unwrap();
        assert_eq!(code(reject(&mut tx, NOW, &hall.room.staff, &id, " ").await), "reason_invalid");
        tx.commit().await.unwrap();
        let refused = hall.ask(&db, NOW, &window, &who).await.unwrap();
        assert_eq!((refused.step, refused.reason.as_deref()), (Step::Rejected, Some("你的班在隔壁")));
        let again = hall.ask_again(&db, NOW, &window, &who, true).await.unwrap();
        assert_eq!((again.step, again.is_new), (Step::Wait, false), "she may ask once more, and nobody new has asked");
        assert_eq!(hall.ask(&db, NOW, &window, &who).await.unwrap().step, Step::Wait);

        let approval = |region_code| Approval { name: "彭秀英", region_code, group_no: Some(3) };
        let mut tx = db.write().await.unwrap();
        let elsewhere = approve(&mut tx, &hall.keys, NOW, &hall.staff, &id, approval("43")).await;
        assert_eq!(code(elsewhere), "approve_refused");
        let user = approve(&mut tx, &hall.keys, NOW, &hall.staff, &id, approval("433130105201")).await.unwrap();
        let twice = approve(&mut tx, &hall.keys, NOW, &hall.staff, &id, approval("433130105201")).await.unwrap();
        assert_eq!(twice, user);
        assert_eq!(code(reject(&mut tx, NOW, &hall.room.staff, &id, "走错了").await), "approved_already");
        tx.commit().await.unwrap();
        assert_eq!(hall.ask(&db, NOW, &window, &who).await.unwrap().step, Step::ChoosePin);
        assert_eq!(hall.enter(&db, NOW, &window, &who, PIN).await.unwrap().user, user);
        let mut tx = db.read().await.unwrap();
        assert!(board(&mut tx, NOW, &hall.cohort.id).await.unwrap().requests.is_empty());
    }

    who_asked_long_ago_asks_anew(db) {
        let (hall, window) = Hall::open(&db).await;
        let who = number("13812345678");
        hall.ask(&db, NOW, &window, &who).await.unwrap();
        let late = NOW + Millis::days(8);
        let mut tx = db.write().await.unwrap();
        let id = board(&mut tx, NOW, &hall.cohort.id).await.unwrap().requests.remove(0).id;
        assert!(board(&mut tx, late, &hall.cohort.id).await.unwrap().requests.is_empty());
        let approval = Approval { name: "彭秀英", region_code: "433130105201", group_no: None };
        assert_eq!(code(approve(&mut tx, &hall.keys, late, &hall.staff, &id, approval).await), "request_old");
        let window = super::open(&mut tx, late, &hall.room.staff, &hall.cohort, None, OPEN_FOR).await.unwrap();
        tx.commit().await.unwrap();
        assert!(hall.ask(&db, late, &window, &who).await.unwrap().is_new);
    }

    a_shut_door_lets_nobody_in(db) {
        let (hall, window) = Hall::open(&db).await;
        hall.rostered(&db, "13812345678", "trainee").await;
        let who = number("13812345678");
        let late = window.closes_at;
        assert_eq!(code(hall.ask(&db, late, &window, &who).await), "join_closed");
        assert_eq!(code(hall.enter(&db, late, &window, &who, PIN).await), "join_closed");
    }

    a_card_says_who_she_is(db) {
        let (hall, window) = Hall::open(&db).await;
        let user = hall.rostered(&db, "13812345678", "trainee").await;
        let mut tx = db.write().await.unwrap();
        let printed = cards(&mut tx, NOW, &hall.cohort).await.unwrap();
        assert_eq!(cards(&mut tx, NOW, &hall.cohort).await.unwrap(), printed, "printed again, the same");
        let token = printed.iter().find(|c| c.seat.person.id == user).unwrap().token.clone();
        let found = find(&mut tx, NOW, Way::Card(&token)).await.unwrap();
        assert_eq!(found[0].person.as_ref(), Some(&user));
        let second = testing::cohort(&mut tx, 50, &hall.room.staff).await;
        let second = cohort::get(&mut tx, &second).await.unwrap();
        let other = super::open(&mut tx, NOW, &hall.room.staff, &second, None, OPEN_FOR).await.unwrap();
        tx.commit().await.unwrap();
        let card = Who::Card(token.clone());
        assert_eq!(code(hall.ask(&db, NOW, &other, &card).await), "not_found", "of another class");
        assert_eq!(hall.enter(&db, NOW, &window, &card, PIN).await.unwrap().user, user);
        assert_eq!(hall.ask(&db, NOW, &window, &card).await.unwrap().step, Step::EnterPin);

    }

    what_was_lost_is_given_anew_in_person(db) {
        let (hall, window) = Hall::open(&db).await;
        let user = hall.rostered(&db, "13812345678", "trainee").await;
        let who = number("13812345678");
        // Somebody else came with her number.
        let stranger = hall.enter(&db, NOW, &window, &who, PIN).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let card = Who::Card(cards(&mut tx, NOW, &hall.cohort).await.unwrap().into_iter().find(|c| c.seat.person.id == user).unwrap().token);
        let hash = hall.hasher.hash("48217306").await.unwrap();
        cohort::reset_password(&mut tx, NOW, &hall.staff, &hall.cohort, &user, &hash).await.unwrap();
        tx.commit().await.unwrap();
        assert!(account::who_is(&db, NOW, &stranger.session).await.unwrap().is_none());
        assert_eq!(code(hall.ask(&db, NOW, &window, &card).await), "code_unknown", "the old card leads nowhere");
        // Her number alone is not enough any more: what was read out to her is.
        assert_eq!(hall.ask(&db, NOW, &window, &who).await.unwrap().step, Step::EnterCode);
        assert_eq!(code(hall.enter_with(&db, NOW, &window, &who, "48217306", None).await), "pin_invalid");
        assert_eq!(code(hall.enter_with(&db, NOW, &window, &who, PIN, Some("161803")).await), "sign_in_wrong");
        let hers = hall.enter_with(&db, NOW, &window, &who, "48217306", Some("161803")).await.unwrap();
        assert_eq!(hers.user, user);
        assert_eq!(hall.ask(&db, NOW, &window, &who).await.unwrap().step, Step::EnterPin);
        assert_eq!(code(hall.enter(&db, NOW, &window, &who, "48217306").await), "sign_in_wrong", "once");
    }

    who_is_put_on_the_roster_waits_no_more(db) {
        let (hall, window) = Hall::open(&db).await;
        let who = number("13812345678");
        hall.ask(&db, NOW, &window, &who).await.unwrap();
        hall.rostered(&db, "13812345678", "trainee").await;
        let mut tx = db.read().await.unwrap();
        assert!(board(&mut tx, NOW, &hall.cohort.id).await.unwrap().requests.is_empty());
        drop(tx);
        assert_eq!(hall.ask(&db, NOW, &window, &who).await.unwrap().step, Step::ChoosePin);
    }

    nobody_is_reset_by_a_desk_that_is_not_hers(db) {
        let (hall, _) = Hall::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let reset = async |tx: &mut crate::db::Tx, by: &Principal, user: &UserId| {
            code(cohort::reset_password(tx, NOW, by, &hall.cohort, user, "-").await)
        };
        let neighbour = Principal { staff_paths: vec!["43/4331/433127/".into()], ..hall.staff.clone() };
        assert_eq!(reset(&mut tx, &neighbour, &hall.room.trainee).await, "not_found");
        assert_eq!(reset(&mut tx, &hall.staff, &hall.room.mentor).await, "not_found");
        assert_eq!(reset(&mut tx, &hall.staff, &hall.room.stranger).await, "not_found");
        account::grant_staff(&mut tx, NOW, &hall.room.trainee, "43", None).await.unwrap();
        assert_eq!(reset(&mut tx, &hall.staff, &hall.room.trainee).await, "not_only_trainee");
    }

    only_wrong_tries_are_counted(db) {
        let (phone, hall) = ([tries::Subject::phone("a")], tries::Subject::address("10.0.0.1"));
        for _ in 0..20 {
            tried(&db, NOW, &phone).await.unwrap();
            let mut tx = db.write().await.unwrap();
            tries::forgive(&mut tx, &phone).await.unwrap();
            tx.commit().await.unwrap();
        }
        for _ in 0..tries::WRONG_BY_PHONE {
            tried(&db, NOW, &phone).await.unwrap();
        }
        assert_eq!(code(tried(&db, NOW, &phone).await), "join_rest");
        assert_eq!(code(tried(&db, NOW, &[tries::Subject::phone("b"), hall.clone()]).await), "ok");
        let later = NOW + tries::WITHIN;
        assert_eq!(code(tried(&db, later, &phone).await), "ok");
        tries::sweep(&db, later + tries::WITHIN).await.unwrap();
        let mut tx = db.read().await.unwrap();
        let kept: i64 = on!(&mut tx, c => sqlx::query_scalar("select count(*) from join_tries").fetch_one(c).await).unwrap();
        assert_eq!(kept, 0);
    }

    tries_sent_together_are_all_counted(db) {
        let phone = [tries::Subject::phone("a")];
        let tried = futures_util::future::join_all((0..20).map(|_| tried(&db, NOW, &phone))).await;
        assert_eq!(tried.iter().filter(|t| t.is_ok()).count() as i64, tries::WRONG_BY_PHONE);
    }
}

async fn tried(db: &Db, now: At, subjects: &[tries::Subject]) -> Result<()> {
    let mut tx = db.write().await.unwrap();
    tries::count(&mut tx, now, subjects).await?;
    tx.commit().await.unwrap();
    Ok(())
}

async fn require(tx: &mut crate::db::Tx, window: &Window) -> Result<Window> {
    super::door::require_open(tx, NOW, &window.id).await
}
