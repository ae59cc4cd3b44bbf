use super::*;
use crate::both_databases;
use crate::db::Db;

const LEASE: Millis = Millis::seconds(30);

async fn add(db: &Db, owner: &UserId, subject: &str, kind: JobKind) {
    let mut tx = db.write().await.unwrap();
    enqueue(&mut tx, At(1), kind, subject, owner).await.unwrap();
    tx.commit().await.unwrap();
}

async fn take(db: &Db) -> Option<Lease> {
    let mut tx = db.write().await.unwrap();
    let lease = testing::claim(&mut tx, "here", LEASE).await.unwrap();
    tx.commit().await.unwrap();
    lease
}

/// Steps the job's clock back, as if its lease had run out or its waiting time were over.
async fn let_time_pass(db: &Db) {
    let mut tx = db.write().await.unwrap();
    on!(&mut tx, c => sqlx::query("update jobs set lease_until = 1 where state = 'leased'").execute(c).await.map(drop))
        .unwrap();
    on!(&mut tx, c => sqlx::query("update jobs set run_at = 1 where state = 'ready'").execute(c).await.map(drop))
        .unwrap();
    tx.commit().await.unwrap();
}

async fn sweep(db: &Db) -> Vec<Dead> {
    let mut tx = db.write().await.unwrap();
    let dead = reclaim(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    dead
}

async fn state(db: &Db, subject: &str) -> (String, Option<String>) {
    let mut tx = db.read().await.unwrap();
    on!(&mut tx, c => sqlx::query_as("select state, reason from jobs where subject = $1").bind(subject).fetch_one(c).await).unwrap()
}

async fn run_at(tx: &mut Tx, subject: &str) -> At {
    on!(tx, c => sqlx::query_scalar("select run_at from jobs where subject = $1").bind(subject).fetch_one(c).await)
        .unwrap()
}

/// Of a subject's job: number, end and last words of each attempt.
async fn attempts(db: &Db, subject: &str) -> Vec<(i64, String, Option<String>)> {
    let mut tx = db.read().await.unwrap();
    on!(&mut tx, c => sqlx::query_as(
            "select a.attempt, coalesce(a.outcome, ''), a.words from job_attempts a join jobs j on j.id = a.job_id
             where j.subject = $1 order by a.attempt")
        .bind(subject).fetch_all(c).await)
    .unwrap()
}

fn is_lost<T: std::fmt::Debug>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Conflict(r)) if r.code == "lease_lost")
}

#[test]
fn waiting_grows_and_stays_within_minutes() {
    assert_eq!([1, 2, 3, 4].map(|n| backoff(n).0), [2_000, 8_000, 32_000, 128_000]);
    assert_eq!(backoff(i64::MAX).0, backoff(5).0);
}

both_databases! {
    a_job_is_done_once(db) {
        let owner = UserId::new();
        add(&db, &owner, "a", JobKind::Prepare).await;
        add(&db, &owner, "a", JobKind::Prepare).await;
        assert!(is_due(&mut db.read().await.unwrap(), Lane::First).await.unwrap());
        let lease = take(&db).await.unwrap();
        assert_eq!((lease.attempt, lease.subject.as_str(), lease.kind), (1, "a", JobKind::Prepare));
        assert_eq!(lease.subject, "a");
        assert!(take(&db).await.is_none());
        let mut tx = db.write().await.unwrap();
        progress(&mut tx, &lease, At(2), "第 1 步").await.unwrap();
        renew(&mut tx, &lease, LEASE).await.unwrap();
        still_held(&mut tx, &lease).await.unwrap();
        finish(&mut tx, &lease, At(3)).await.unwrap();
        tx.commit().await.unwrap();
        add(&db, &owner, "a", JobKind::Prepare).await;
        assert!(take(&db).await.is_none());
        assert_eq!(state(&db, "a").await.0, "done");
        assert!(!is_due(&mut db.read().await.unwrap(), Lane::First).await.unwrap());
    }

    a_lost_lease_changes_nothing(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        let first = take(&db).await.unwrap();
        let_time_pass(&db).await;
        assert_eq!(sweep(&db).await, []);
        assert!(take(&db).await.is_none(), "it waits before it is tried again");
        let_time_pass(&db).await;
        let second = take(&db).await.unwrap();
        assert_eq!(second.attempt, 2);
        let mut tx = db.write().await.unwrap();
        assert!(is_lost(still_held(&mut tx, &first).await));
        assert!(is_lost(renew(&mut tx, &first, LEASE).await));
        assert!(is_lost(progress(&mut tx, &first, At(9), "x").await));
        assert!(is_lost(finish(&mut tx, &first, At(9)).await));
        assert!(is_lost(fail(&mut tx, &first, "x").await));
        assert!(is_lost(hand_back(&mut tx, &first).await));
        still_held(&mut tx, &second).await.unwrap();
        tx.commit().await.unwrap();
    }

    a_late_worker_whose_job_nobody_took_keeps_it(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        let lease = take(&db).await.unwrap();
        let_time_pass(&db).await;
        let mut tx = db.write().await.unwrap();
        renew(&mut tx, &lease, LEASE).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(sweep(&db).await, []);
        let mut tx = db.write().await.unwrap();
        finish(&mut tx, &lease, At(9)).await.unwrap();
        tx.commit().await.unwrap();
    }

    a_job_that_kills_its_worker_is_dead_in_the_end(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        for attempt in 1..=MAX_ATTEMPTS {
            let lease = take(&db).await.unwrap();
            assert_eq!(lease.attempt, attempt);
            let_time_pass(&db).await;
            let dead = sweep(&db).await;
            assert_eq!(dead.iter().map(|d| d.subject.as_str()).collect::<Vec<_>>(), if attempt < MAX_ATTEMPTS { vec![] } else { vec!["a"] });
            let_time_pass(&db).await;
        }
        assert!(take(&db).await.is_none());
        assert_eq!(state(&db, "a").await, ("dead".into(), Some("the worker went away".into())));
    }

    failing_waits_and_then_is_dead(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        for attempt in 1..=MAX_ATTEMPTS {
            let lease = take(&db).await.unwrap();
            let mut tx = db.write().await.unwrap();
            let outcome = fail(&mut tx, &lease, "the store did not answer").await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(outcome == Outcome::Dead, attempt == MAX_ATTEMPTS);
            assert!(take(&db).await.is_none());
            let_time_pass(&db).await;
        }
        assert_eq!(state(&db, "a").await, ("dead".into(), Some("the store did not answer".into())));
    }

    a_worker_that_is_killed_every_time_delays_a_clip_by_little_more_than_its_lease(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        for kill in 1..MAX_ATTEMPTS {
            take(&db).await.unwrap();
            let_time_pass(&db).await;
            sweep(&db).await;
            let mut tx = db.read().await.unwrap();
            let (now, run_at) = (tx.clock().await.unwrap(), run_at(&mut tx, "a").await);
            assert!(run_at.0 - now.0 <= 2_000, "kill {kill}: {} ms", run_at.0 - now.0);
            drop(tx);
            let_time_pass(&db).await;
        }
    }

    what_another_job_of_the_subject_has_spent_does_not_make_this_one_wait(db) {
        let owner = UserId::new();
        add(&db, &owner, "a", JobKind::Prepare).await;
        for _ in 1..MAX_ATTEMPTS {
            let lease = take(&db).await.unwrap();
            let mut tx = db.write().await.unwrap();
            fail(&mut tx, &lease, "x").await.unwrap();
            tx.commit().await.unwrap();
            let_time_pass(&db).await;
        }
        let lease = take(&db).await.unwrap();
        let mut tx = db.write().await.unwrap();
        finish(&mut tx, &lease, At(2)).await.unwrap();
        enqueue(&mut tx, At(2), JobKind::OtherRungs, "a", &owner).await.unwrap();
        tx.commit().await.unwrap();
        for wait in [2_000, 8_000] {
            let lease = take(&db).await.unwrap();
            assert!(lease.attempt > MAX_ATTEMPTS);
            let mut tx = db.write().await.unwrap();
            let now = tx.clock().await.unwrap();
            let outcome = fail(&mut tx, &lease, "x").await.unwrap();
            assert!(matches!(outcome, Outcome::RetryAt(at) if (at.0 - now.0 - wait).abs() < 500), "{outcome:?}");
            tx.commit().await.unwrap();
            let_time_pass(&db).await;
        }
    }

    an_outage_costs_no_attempt_and_ends_after_a_day(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        for n in 1..=4 * MAX_ATTEMPTS {
            let lease = take(&db).await.unwrap();
            assert_eq!(lease.attempt, n);
            let mut tx = db.write().await.unwrap();
            let now = tx.clock().await.unwrap();
            let outcome = postpone(&mut tx, &lease, "the store is away").await.unwrap();
            assert!(matches!(outcome, Outcome::RetryAt(at) if (2_000..=62_000).contains(&(at.0 - now.0))), "{outcome:?}");
            tx.commit().await.unwrap();
            assert!(take(&db).await.is_none());
            let_time_pass(&db).await;
        }
        assert_eq!(attempts(&db, "a").await, [(4 * MAX_ATTEMPTS, "postponed".into(), Some("the store is away".into()))]);
        // Since yesterday:
        let mut tx = db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query("update job_attempts set began_at = began_at - 86400000").execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        let lease = take(&db).await.unwrap();
        let mut tx = db.write().await.unwrap();
        assert_eq!(postpone(&mut tx, &lease, "the store is away").await.unwrap(), Outcome::Dead);
        tx.commit().await.unwrap();
        assert_eq!(state(&db, "a").await.0, "dead");
    }

    the_same_death_twice_is_the_end_and_its_words_are_kept(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        for (words, last) in [("signal 11", false), ("out of memory", false), ("signal 11", true)] {
            let lease = take(&db).await.unwrap();
            let mut tx = db.write().await.unwrap();
            assert_eq!(died(&mut tx, &lease, words).await.unwrap() == Outcome::Dead, last, "{words}");
            tx.commit().await.unwrap();
            let_time_pass(&db).await;
        }
        // Asked for anew, it is tried as if for the first time, and what was said before stays.
        let mut tx = db.write().await.unwrap();
        let now = tx.clock().await.unwrap();
        again(&mut tx, now, JobKind::Prepare, "a", &UserId::new()).await.unwrap();
        tx.commit().await.unwrap();
        let lease = take(&db).await.unwrap();
        let mut tx = db.write().await.unwrap();
        assert!(matches!(died(&mut tx, &lease, "signal 11").await.unwrap(), Outcome::RetryAt(_)));
        tx.commit().await.unwrap();
        let_time_pass(&db).await;
        let lease = take(&db).await.unwrap();
        let mut tx = db.write().await.unwrap();
        finish(&mut tx, &lease, now).await.unwrap();
        tx.commit().await.unwrap();
        let told = attempts(&db, "a").await;
        let told: Vec<_> = told.iter().map(|a| (a.0, a.1.as_str(), a.2.as_deref())).collect();
        let (segv, memory) = (Some("signal 11"), Some("out of memory"));
        assert_eq!(told, [(1, "died", segv), (2, "died", memory), (3, "died", segv), (4, "died", segv), (5, "done", None)]);
    }

    handing_back_costs_no_attempt(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        for n in 1..=2 * MAX_ATTEMPTS {
            let lease = take(&db).await.unwrap();
            assert_eq!(lease.attempt, n, "an attempt's number is never used twice");
            let mut tx = db.write().await.unwrap();
            hand_back(&mut tx, &lease).await.unwrap();
            tx.commit().await.unwrap();
        }
        for _ in 1..MAX_ATTEMPTS {
            let lease = take(&db).await.unwrap();
            let mut tx = db.write().await.unwrap();
            assert!(matches!(fail(&mut tx, &lease, "x").await.unwrap(), Outcome::RetryAt(_)));
            tx.commit().await.unwrap();
            let_time_pass(&db).await;
        }
    }

    one_persons_many_do_not_delay_anothers_one(db) {
        let (busy, quiet) = (UserId::new(), UserId::new());
        for n in 0..20 {
            add(&db, &busy, &format!("busy{n}"), JobKind::Prepare).await;
        }
        for n in 0..3 {
            assert_eq!(take(&db).await.unwrap().subject, format!("busy{n}"));
        }
        add(&db, &quiet, "quiet", JobKind::Prepare).await;
        let next = [take(&db).await.unwrap().subject, take(&db).await.unwrap().subject];
        assert!(next.contains(&"quiet".to_owned()), "{next:?}");
    }

    owners_take_turns_whatever_is_made_of_their_clips(db) {
        let (busy, quiet) = (UserId::new(), UserId::new());
        for n in 0..5 {
            add(&db, &busy, &format!("busy{n}"), JobKind::Ladder).await;
        }
        add(&db, &quiet, "quiet", JobKind::OtherRungs).await;
        let next = [take(&db).await.unwrap().subject, take(&db).await.unwrap().subject];
        assert!(next.contains(&"quiet".to_owned()), "{next:?}");
    }

    each_lane_takes_its_own_and_what_is_waited_for_first(db) {
        let owner = UserId::new();
        for kind in [JobKind::OtherRungs, JobKind::Ladder, JobKind::Prepare] {
            add(&db, &owner, kind.as_str(), kind).await;
        }
        let mut tx = db.write().await.unwrap();
        assert!(is_due(&mut tx, Lane::First).await.unwrap() && is_due(&mut tx, Lane::Rest).await.unwrap());
        // Nobody waits for either of the two: the older goes first.
        for (lane, next) in [(Lane::First, Some("prepare")), (Lane::First, None), (Lane::Rest, Some("other_rungs")), (Lane::Rest, Some("ladder"))] {
            let lease = claim(&mut tx, lane, "here", LEASE).await.unwrap();
            assert_eq!(lease.map(|lease| lease.subject).as_deref(), next);
        }
        assert!(!is_due(&mut tx, Lane::First).await.unwrap() && !is_due(&mut tx, Lane::Rest).await.unwrap());
        tx.commit().await.unwrap();
    }

    no_number_of_an_attempt_is_used_twice_for_a_subject(db) {
        let owner = UserId::new();
        for (kind, attempt) in [(JobKind::Prepare, 1), (JobKind::Ladder, 2), (JobKind::OtherRungs, 3)] {
            add(&db, &owner, "a", kind).await;
            let lease = take(&db).await.unwrap();
            assert_eq!((lease.kind, lease.attempt), (kind, attempt));
            let mut tx = db.write().await.unwrap();
            finish(&mut tx, &lease, At(3)).await.unwrap();
            tx.commit().await.unwrap();
        }
        let mut tx = db.write().await.unwrap();
        again(&mut tx, At(4), JobKind::Prepare, "a", &owner).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(take(&db).await.unwrap().attempt, 4);
    }

    calling_off_takes_the_lease_away(db) {
        add(&db, &UserId::new(), "a", JobKind::Prepare).await;
        let lease = take(&db).await.unwrap();
        let mut tx = db.write().await.unwrap();
        cancel(&mut tx, At(5), "a").await.unwrap();
        assert!(is_lost(still_held(&mut tx, &lease).await));
        tx.commit().await.unwrap();
        assert_eq!(state(&db, "a").await.0, "cancelled");
        let_time_pass(&db).await;
        assert!(take(&db).await.is_none());
    }

    a_commit_that_hangs_holds_up_no_other_job(db) {
        // SQLite has one writer at a time, who is waited for.
        let Db::Postgres(_) = &db else { return };
        let owner = UserId::new();
        for subject in ["hangs", "waits"] {
            add(&db, &owner, subject, JobKind::Prepare).await;
        }
        let hangs = take(&db).await.unwrap();
        take(&db).await.unwrap();
        let_time_pass(&db).await;
        let mut held = db.write().await.unwrap();
        progress(&mut held, &hangs, At(2), "99%").await.unwrap();
        let swept = tokio::time::timeout(std::time::Duration::from_secs(20), sweep(&db)).await;
        assert!(swept.is_ok(), "the others wait for it");
        assert_eq!((state(&db, "hangs").await.0, state(&db, "waits").await.0), ("leased".into(), "ready".into()));
        held.commit().await.unwrap();
        sweep(&db).await;
        assert_eq!(state(&db, "hangs").await.0, "ready");
    }

    many_workers_never_share_a_job(db) {
        for n in 0..12 {
            add(&db, &UserId::new(), &format!("j{n}"), JobKind::Prepare).await;
        }
        let workers = (0..4).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while let Some(lease) = take(&db).await { mine.push(lease.subject); }
                mine
            })
        }).collect::<Vec<_>>();
        let mut all = Vec::new();
        for worker in workers { all.extend(worker.await.unwrap()); }
        all.sort();
        let count = all.len();
        all.dedup();
        assert_eq!((count, all.len()), (12, 12));
    }
}
