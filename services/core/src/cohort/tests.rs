use super::*;
use crate::access::Principal;
use crate::account::{Keys, Phone};
use crate::course::Mark;
use crate::db::Db;
use crate::error::Error;
use crate::review::testing::{Classroom, clip, end_leases, principal, reviewed};
use crate::review::{Outcome, queue};
use crate::time::{At, Millis};
use crate::{both_databases, clip as clips, on};

fn new(series_no: i64) -> NewCohort<'static> {
    NewCohort {
        series_no,
        title: "二班",
        host: "县妇联",
        region_code: "433130",
        starts_on: "2026-06-16".parse().unwrap(),
        ends_on: "2026-09-30".parse().unwrap(),
    }
}

async fn who(db: &Db, user: &UserId) -> Principal {
    principal(&mut db.read().await.unwrap(), user).await
}

async fn add(
    db: &Db,
    by: &Principal,
    room: &Classroom,
    name: &str,
    phone: &str,
    part: Part,
    hash: Option<&str>,
) -> Joined {
    let keys = Keys::from_master(&[7; 32]);
    let phone: Phone = phone.parse().unwrap();
    let member = NewMember { name, phone: &phone, region_code: "433130105201", part, group_no: Some(2) };
    let mut tx = db.write().await.unwrap();
    let joined = add_member(&mut tx, &keys, At(5), by, &room.cohort, member, hash).await.unwrap();
    tx.commit().await.unwrap();
    joined
}

both_databases! {
    a_cohort_is_opened_once_and_seen_by_its_own(db) {
        let room = Classroom::open(&db).await;
        let (staff, mentor, stranger) = (who(&db, &room.staff).await, who(&db, &room.mentor).await, who(&db, &room.stranger).await);
        let mut tx = db.write().await.unwrap();
        let opened = open(&mut tx, At(1), &room.staff, new(50)).await.unwrap();
        assert_eq!((opened.region_path.as_str(), opened.state, opened.trainees), ("43/4331/433130/", CohortState::Running, 0));
        tx.commit().await.unwrap();
        let mut tx = db.write().await.unwrap();
        let twice = open(&mut tx, At(1), &room.staff, new(50)).await.unwrap_err();
        assert!(matches!(twice, Error::Conflict(r) if r.code == "series_taken"));
        drop(tx);
        let mut tx = db.read().await.unwrap();
        let numbers = |cohorts: Vec<Cohort>| cohorts.iter().map(|c| c.series_no).collect::<Vec<_>>();
        assert_eq!(numbers(of_principal(&mut tx, &staff).await.unwrap()), [50, 49]);
        assert_eq!(numbers(of_principal(&mut tx, &mentor).await.unwrap()), [49]);
        assert_eq!(numbers(of_principal(&mut tx, &stranger).await.unwrap()), [0; 0]);
        let listed = of_principal(&mut tx, &staff).await.unwrap();
        let summaries = list(&mut tx, At(2), &staff, listed).await.unwrap();
        assert_eq!(summaries[1].region.path_names, ["湖南省", "湘西州", "龙山县"]);
        assert_eq!((summaries[1].trainees, summaries[1].mentors, summaries[1].waiting), (1, 2, 0));
        assert!(matches!(get(&mut tx, &crate::ids::CohortId::new()).await, Err(Error::NotFound)));
    }

    a_roster_takes_people_in_and_says_why_not(db) {
        let room = Classroom::open(&db).await;
        let staff = who(&db, &room.staff).await;
        let first = add(&db, &staff, &room, "彭秀英", "13812345678", Part::Trainee, Some("hash")).await;
        let Joined::Added { user, new: true } = first else { panic!("{first:?}") };
        let mut tx = db.read().await.unwrap();
        let seats: (Option<i64>, Option<i64>) = on!(&mut tx, c => sqlx::query_as("select group_no, seat_no from memberships where user_id = $1").bind(&user).fetch_one(c).await).unwrap();
        assert_eq!(seats, (Some(2), Some(1)));
        let hers = trainee(&mut tx, &user).await.unwrap();
        assert_eq!(hers.cohorts, std::slice::from_ref(&room.cohort));
        drop(tx);

        let skip = |joined: Joined| match joined { Joined::Skipped(why) => why, other => panic!("{other:?}") };
        assert_eq!(add(&db, &staff, &room, "彭秀英", "13812345678", Part::Trainee, None).await, Joined::There);
        assert!(skip(add(&db, &staff, &room, "彭秀英", "13812345678", Part::Mentor, None).await).contains("学员"));
        assert!(skip(add(&db, &staff, &room, "向大姐", "13812345678", Part::Trainee, None).await).contains("别的名字"));
        assert!(skip(add(&db, &staff, &room, "", "13912345678", Part::Trainee, Some("h")).await).contains("名字"));
        // A neighbour county's desk neither makes people here nor takes them.
        let neighbour = Principal { staff_paths: vec!["43/4331/433127/".into()], ..staff.clone() };
        assert!(skip(add(&db, &neighbour, &room, "田小妹", "13912345678", Part::Trainee, Some("h")).await).contains("不归你管"));
        assert!(skip(add(&db, &neighbour, &room, "彭秀英", "13812345678", Part::Trainee, None).await).contains("别的地方"));
        // A mentor may come from anywhere.
        assert!(matches!(add(&db, &neighbour, &room, "田老师", "13712345678", Part::Mentor, Some("h")).await, Joined::Added { new: true, .. }));
        // Who withdrew may come back, to her own seat.
        let mut tx = db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query("update memberships set state = 'withdrawn' where user_id = $1").bind(&user).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(add(&db, &staff, &room, "彭秀英", "13812345678", Part::Trainee, None).await, Joined::Added { user, new: false });
    }

    two_desks_with_one_roster_add_everybody_once(db) {
        let room = Classroom::open(&db).await;
        let staff = who(&db, &room.staff).await;
        let add = async |n: i64| add(&db, &staff, &room, "彭秀英", &format!("138000000{:02}", n % 6), Part::Trainee, Some("h")).await;
        let joined = futures_util::future::join_all((0..12).map(add)).await;
        assert_eq!(joined.iter().filter(|j| matches!(j, Joined::Added { .. })).count(), 6);
        let mut tx = db.read().await.unwrap();
        let seats: Vec<i64> = on!(&mut tx, c => sqlx::query_scalar("select seat_no from memberships where seat_no is not null order by seat_no").fetch_all(c).await).unwrap();
        assert_eq!(seats, [1, 2, 3, 4, 5, 6]);
    }

    every_number_is_the_count_of_its_rows(db) {
        let room = Classroom::open(&db).await;
        reviewed(&db, &room, "A1", 4, Outcome::Pass).await;
        reviewed(&db, &room, "A4", 2, Outcome::Return).await;
        let waiting = {
            let mut tx = db.write().await.unwrap();
            let (id, _) = clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A5")).await;
            clips::sql::submit(&mut tx, At::now(), &id, None, None).await.unwrap();
            // A draft, and a practice clip of no assignment, are nobody's numbers.
            clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A7")).await;
            clip(&mut tx, &room.trainee, Some(&room.cohort), None).await;
            tx.commit().await.unwrap();
            id
        };
        let late = At::now() + Millis::days(3);
        let staff = who(&db, &room.staff).await;
        let mut tx = db.write().await.unwrap();
        let class = get(&mut tx, &room.cohort).await.unwrap();
        for (now, expected) in [(At::now(), [1, 0, 1, 1]), (late, [1, 1, 1, 1])] {
            let cohort = get(&mut tx, &room.cohort).await.unwrap();
            let shown = progress(&mut tx, now, &staff, cohort).await.unwrap();
            let s = shown.sentence;
            assert_eq!([s.waiting, s.overdue, s.stuck, s.passed], expected);
            for (which, n) in [(Which::Waiting, s.waiting), (Which::Overdue, s.overdue), (Which::Returned, s.stuck), (Which::Passed, s.passed)] {
                let rows = super::clips(&mut tx, now, &staff, &class, which).await.unwrap();
                assert_eq!(rows.len() as i64, n, "{which:?}");
                assert!(rows.iter().all(|r| r.owner_id == room.trainee && r.poster_version.is_some()));
            }
            assert_eq!(shown.cohort.waiting, s.waiting);
        }

        let ticket = queue::newest_of_clip(&mut tx, &waiting).await.unwrap().unwrap();
        queue::claim(&mut tx, &ticket.id, &room.second_mentor).await.unwrap();
        let cohort = get(&mut tx, &room.cohort).await.unwrap();
        let shown = progress(&mut tx, At::now(), &staff, cohort).await.unwrap();
        assert_eq!(shown.trainees.len(), 1);
        let her = &shown.trainees[0];
        assert_eq!((her.person.name.as_str(), her.person.village.as_str(), her.star_level), ("向春桃", "比耳村", None));
        let state = |code: &str| her.marks[code].state;
        assert_eq!([state("A1"), state("A4"), state("A5"), state("A7"), state("A6")],
            [Mark::Passed, Mark::Returned, Mark::Reviewing, Mark::Draft, Mark::None]);
        assert_eq!(her.marks["A6"].since, None);
        let stands = her.waiting.as_ref().unwrap();
        assert_eq!((stands.what.as_str(), stands.clip_id.as_ref(), stands.since), ("等老师看", Some(&waiting), ticket.submitted_at));
        assert!(her.last_active_at.is_some());
        let mut mentors: Vec<_> = shown.mentors.iter().map(|m| (m.name.as_str(), m.sent, m.holding)).collect();
        mentors.sort();
        assert_eq!(mentors, [("彭丽", 0, 1), ("李慧", 2, 0)]);
        let row = super::clips(&mut tx, At::now(), &staff, &class, Which::Waiting).await.unwrap().remove(0);
        assert_eq!(row.holder.as_deref(), Some("彭丽"));
        tx.commit().await.unwrap();

        // A lease that ran out holds nothing; who withdrew is in no number.
        end_leases(&db).await;
        let mut tx = db.write().await.unwrap();
        assert_eq!(super::clips(&mut tx, At::now(), &staff, &class, Which::Waiting).await.unwrap()[0].holder, None);
        assert_eq!(trainees_of(&mut tx, std::slice::from_ref(&room.cohort)).await.unwrap(), std::slice::from_ref(&room.trainee));
        let home = trainee(&mut tx, &room.trainee).await.unwrap().region_path;
        assert!(trainees_within(&mut tx, &[home]).await.unwrap().contains(&room.trainee));
        assert!(trainees_within(&mut tx, &["43/4301/".into()]).await.unwrap().is_empty());
        assert!(trainees_within(&mut tx, &[]).await.unwrap().is_empty());
        on!(&mut tx, c => sqlx::query("update memberships set state = 'withdrawn' where part = 'trainee'").execute(c).await.map(drop)).unwrap();
        for which in [Which::Waiting, Which::Overdue, Which::Returned, Which::Passed] {
            assert!(super::clips(&mut tx, late, &staff, &class, which).await.unwrap().is_empty());
        }
    }

    a_desk_sees_its_own_trainees_of_a_wider_cohort(db) {
        let room = Classroom::open(&db).await;
        let county = who(&db, &room.staff).await;
        reviewed(&db, &room, "A1", 4, Outcome::Pass).await;
        // The cohort is the city's, and somebody of another county learns in it too.
        let mut tx = db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query("update cohorts set region_path = '43/4331/', region_code = '4331'").execute(c).await.map(drop)).unwrap();
        let other = crate::review::testing::person(&mut tx, "鲁水仙").await;
        on!(&mut tx, c => sqlx::query("update users set region_path = '43/4331/433127/' where id = $1").bind(&other).execute(c).await.map(drop)).unwrap();
        crate::review::testing::join(&mut tx, &room.cohort, &other, "trainee").await;
        let (hers, _) = clip(&mut tx, &other, Some(&room.cohort), Some("A1")).await;
        clips::sql::submit(&mut tx, At::now(), &hers, None, None).await.unwrap();
        tx.commit().await.unwrap();

        let city = Principal { staff_paths: vec!["43/4331/".into()], ..county.clone() };
        let far = Principal { staff_paths: vec!["43/4301/".into()], ..county.clone() };
        let mut tx = db.read().await.unwrap();
        let class = get(&mut tx, &room.cohort).await.unwrap();
        let other_county = Principal { staff_paths: vec!["43/4331/433127/".into()], ..county.clone() };
        for (reader, trainees, waiting, passed) in [(&city, 2, 1, 1), (&county, 1, 0, 1), (&other_county, 1, 1, 0)] {
            let shown = progress(&mut tx, At::now(), reader, class.clone()).await.unwrap();
            assert_eq!(shown.trainees.len(), trainees);
            let answered: i64 = shown.mentors.iter().map(|m| m.sent).sum();
            assert_eq!((shown.mentors.len(), answered), (2, passed), "mentors are counted for whom she sees");
            assert_eq!(shown.cohort.manages, std::ptr::eq(reader, &city));
            assert_eq!((shown.sentence.waiting, shown.sentence.passed), (waiting, passed));
            let listed = of_principal(&mut tx, reader).await.unwrap();
            let summary = list(&mut tx, At::now(), reader, listed).await.unwrap().remove(0);
            assert_eq!((summary.trainees, summary.waiting), (trainees as i64, waiting));
            let rows = super::clips(&mut tx, At::now(), reader, &class, Which::Waiting).await.unwrap();
            assert_eq!(rows.len() as i64, waiting);
            require_seen(&mut tx, reader, &class).await.unwrap();
        }
        assert!(matches!(progress(&mut tx, At::now(), &far, class.clone()).await, Err(Error::NotFound)));
        assert!(matches!(require_seen(&mut tx, &far, &class).await, Err(Error::NotFound)));
        assert!(of_principal(&mut tx, &far).await.unwrap().is_empty());
    }
}
