//! Properties that no input may break.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::input::*;
use super::tests::{day, graduate, id, review, snapshot};
use super::*;
use crate::content::star_rules;
use crate::growth::Figures;

fn random(rng: &mut StdRng) -> StarInput {
    let today = day("2026-11-20");
    let mut input = StarInput { accounts: vec![], reviews: vec![], ..graduate() };
    let maybe = |rng: &mut StdRng, most: i64| rng.random_bool(0.7).then(|| rng.random_range(0..=most));
    let mut n = 0;
    for a in 0..rng.random_range(0..3) {
        let mut account = graduate().accounts.remove(0);
        account.id = id("acct", a);
        account.opened_on = today.plus_days(-rng.random_range(0..1500));
        account.snapshots = (0..rng.random_range(0..4))
            .map(|_| {
                n += 1;
                let figures = Figures {
                    followers: maybe(rng, 40_000),
                    views: maybe(rng, 6_000_000),
                    originals: maybe(rng, 130),
                    active_weeks: maybe(rng, 52),
                    lives: maybe(rng, 30),
                    service: maybe(rng, 1000),
                    column_episodes: maybe(rng, 30),
                    adopted_upward: maybe(rng, 3),
                    impact_points: maybe(rng, 2000),
                };
                let window = [30, 90, 182, 365][rng.random_range(0..4)];
                snapshot(n, &today.plus_days(-rng.random_range(0..400)).to_string(), window, figures)
            })
            .collect();
        input.accounts.push(account);
    }
    for r in 0..rng.random_range(0..9) {
        let on = today.plus_days(-rng.random_range(0..400)).to_string();
        input.reviews.push(review(r, &on, rng.random_range(1..=5)));
    }
    for r in 0..rng.random_range(0..3) {
        let passed_on = today.plus_days(-rng.random_range(0..400));
        input.rehearsals.push(RehearsalInput { clip: id("clip", 100 + r), assignment: "A9".into(), passed_on });
    }
    input.mentees_graduated = maybe(rng, 8);
    input.mentees_starred = maybe(rng, 4);
    let level = rng.random_range(0..=5);
    let from = today.plus_days(-rng.random_range(0..900));
    input.stars = (level > 0)
        .then(|| StarHeld {
            award: id("award", 1),
            level,
            valid_from: from,
            valid_to: from.plus_months(24),
            superseded: false,
        })
        .into_iter()
        .collect();
    input
}

#[test]
fn the_order_of_rows_decides_nothing() {
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..400 {
        let input = random(&mut rng);
        let mut shuffled = input.clone();
        shuffled.accounts.shuffle(&mut rng);
        shuffled.accounts.iter_mut().for_each(|a| a.snapshots.shuffle(&mut rng));
        shuffled.reviews.shuffle(&mut rng);
        shuffled.rehearsals.shuffle(&mut rng);
        assert_eq!(evaluate(star_rules(), &input), evaluate(star_rules(), &shuffled));
        assert_eq!(input.freeze().unwrap(), shuffled.freeze().unwrap());
    }
}

/// Raising any one thing she has (her newest followers, not an old reading of them) lowers nothing.
#[test]
fn more_never_lowers() {
    let mut rng = StdRng::seed_from_u64(11);
    for round in 0..1500 {
        let input = random(&mut rng);
        let mut more = input.clone();
        match round % 6 {
            0 => more.mentees_graduated = Some(more.mentees_graduated.unwrap_or(0) + 1),
            1 => more.rehearsals.push(RehearsalInput {
                clip: id("clip", 999),
                assignment: "A10".into(),
                passed_on: day("2026-11-20"),
            }),
            2 => more
                .reviews
                .iter_mut()
                .for_each(|r| r.scores.values_mut().for_each(|level| *level = (*level + 1).min(5))),
            3 => more.accounts.iter_mut().for_each(|a| a.opened_on = a.opened_on.plus_days(-30)),
            _ => {
                let Some(account) = more.accounts.first_mut() else { continue };
                let newest = account.snapshots.iter().filter(|s| s.figures.followers.is_some());
                let newest = newest.max_by_key(|s| (s.as_of_on, s.id.clone())).map(|s| s.id.clone());
                let Some(s) = account.snapshots.first_mut() else { continue };
                let add = |n: &mut Option<i64>| *n = Some(n.unwrap_or(0) + 1 + i64::from(round));
                let f = &mut s.figures;
                [&mut f.views, &mut f.originals, &mut f.active_weeks, &mut f.lives].into_iter().for_each(add);
                [&mut f.service, &mut f.column_episodes, &mut f.adopted_upward, &mut f.impact_points]
                    .into_iter()
                    .for_each(add);
                if newest == Some(s.id.clone()) {
                    add(&mut s.figures.followers);
                }
            }
        }
        let (before, after) = (evaluate(star_rules(), &input), evaluate(star_rules(), &more));
        assert!(after.score.total >= before.score.total, "{input:#?}\n{more:#?}");
        assert!(after.reachable_level >= before.reachable_level);
        for (a, b) in before.levels.iter().zip(&after.levels) {
            for c in a.criteria.iter().filter(|c| c.met) {
                assert!(b.criteria.iter().any(|d| d.code == c.code && d.met), "{} {}", a.level, c.code);
            }
        }
    }
}
