//! The pure decision: what it says, that it can be run again, and the properties nobody may break.

use super::input::*;
use super::rules::award_allowed;
use super::*;
use crate::content::star_rules;
use crate::growth::{Figures, Platform};
use crate::time::Day;

pub(super) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Ids that sort as they are numbered.
pub(super) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str, n: usize) -> T {
    format!("{prefix}_{n:026}").parse().unwrap()
}

pub(super) fn snapshot(n: usize, as_of: &str, window_days: i64, figures: Figures) -> SnapshotInput {
    SnapshotInput { id: id("snap", n), as_of_on: day(as_of), window_days, figures }
}

pub(super) fn review(n: usize, sent_on: &str, level: i64) -> ReviewInput {
    let scores = ["topic", "hook", "story"].map(|dim| (dim.to_owned(), level)).into();
    ReviewInput { id: id("review", n), clip: id("clip", n), sent_on: day(sent_on), scores }
}

/// A graduate with one account, one reading of ninety days and two passed clips.
pub(super) fn graduate() -> StarInput {
    let figures = Figures {
        followers: Some(260),
        views: Some(6200),
        originals: Some(11),
        active_weeks: Some(9),
        service: Some(14),
        ..Figures::default()
    };
    StarInput {
        user: id("user", 1),
        as_of_on: day("2026-11-20"),
        accounts: vec![AccountInput {
            id: id("acct", 1),
            platform: Platform::Douyin,
            handle: "里耶比耳村".into(),
            opened_on: day("2026-06-16"),
            snapshots: vec![snapshot(1, "2026-11-18", 90, figures)],
        }],
        reviews: vec![review(1, "2026-10-01", 3), review(2, "2026-11-01", 4)],
        rehearsals: vec![],
        mentees_graduated: None,
        mentees_starred: None,
        stars: vec![],
        musts: vec![],
        corrections: vec![],
    }
}

fn figures(input: &mut StarInput) -> &mut Figures {
    &mut input.accounts[0].snapshots[0].figures
}

fn find<'a>(evaluation: &'a Evaluation, level: i64, code: &str) -> &'a Criterion {
    let level = evaluation.level(level).unwrap();
    level.criteria.iter().find(|c| c.code == code).unwrap_or_else(|| panic!("no {code}"))
}

#[test]
fn one_reading_and_two_passed_clips_reach_the_first_star() {
    let evaluation = evaluate(star_rules(), &graduate());
    let first = evaluation.level(1).unwrap();
    assert!(first.met, "{first:#?}\n{:#?}", evaluation.score);
    assert_eq!((evaluation.current_level, evaluation.reachable_level), (0, 1));
    assert!(first.criteria.iter().all(|c| c.words == "够了" && !c.source.is_empty()));
    // What a rule does not ask for is not a criterion.
    let codes: Vec<_> = first.criteria.iter().map(|c| c.code.as_str()).collect();
    assert_eq!(codes, ["account_days", "originals", "active_weeks", "avg_review", "reach", "min_score"]);
    assert_eq!(find(&evaluation, 1, "avg_review").have, Some(3.5));
    assert_eq!(find(&evaluation, 1, "account_days").have, Some(157.0));
    assert!(find(&evaluation, 1, "originals").source.contains("抖音 里耶比耳村，2026-11-18 登记的 90 天数字（snap_"));
    assert!(award_allowed(&evaluation, 1).is_ok());
    assert_eq!(award_allowed(&evaluation, 2).unwrap_err().code, "star_too_high");
}

#[test]
fn it_says_how_much_is_missing() {
    let mut input = graduate();
    *figures(&mut input) = Figures { originals: Some(3), followers: Some(80), ..Figures::default() };
    input.reviews = vec![review(1, "2026-10-01", 2)];
    let evaluation = evaluate(star_rules(), &input);
    assert_eq!(find(&evaluation, 1, "originals").words, "差 5 条");
    assert_eq!(find(&evaluation, 1, "avg_review").words, "差 0.6 分");
    assert_eq!(find(&evaluation, 1, "active_weeks").words, "还没登记，补上就算");
    assert_eq!(find(&evaluation, 1, "active_weeks").have, None);
    let reach = find(&evaluation, 1, "reach");
    assert_eq!((reach.needed, reach.have, reach.words.as_str()), (100.0, Some(80.0), "差 20 个粉丝"));
    assert!(reach.source.contains("够一样就行"));
    let refusal = award_allowed(&evaluation, 1).unwrap_err();
    assert_eq!(refusal.code, "star_not_met");
    assert!(refusal.message.contains("90 天内的原创作品"));
    // The rehearsals are the platform's own rows: none is a known zero.
    assert_eq!(find(&evaluation, 2, "rehearsals").have, Some(0.0));
    assert_eq!(find(&evaluation, 2, "hold_months").words, "先拿到一星");
}

#[test]
fn one_way_of_reaching_people_is_enough() {
    for (followers, views, service, met) in [
        (Some(100), None, None, true),
        (None, Some(5000), None, true),
        (None, None, Some(10), true),
        (Some(99), Some(4999), Some(9), false),
        (None, None, None, false),
    ] {
        let mut input = graduate();
        *figures(&mut input) = Figures { followers, views, service, ..Figures::default() };
        assert_eq!(find(&evaluate(star_rules(), &input), 1, "reach").met, met);
    }
}

#[test]
fn a_window_counts_only_where_it_fits() {
    let originals = Figures { originals: Some(30), ..Figures::default() };
    let have = |as_of: &str, window: i64, level: i64| {
        let mut input = graduate();
        input.accounts[0].opened_on = day("2023-01-01");
        input.accounts[0].snapshots = vec![snapshot(1, as_of, window, originals)];
        let criterion = find(&evaluate(star_rules(), &input), level, "originals").clone();
        (criterion.have, criterion.source)
    };
    // Level 1 looks at 90 days, level 2 at 182, level 3 at 365.
    assert_eq!(have("2026-11-20", 90, 1).0, Some(30.0));
    assert_eq!(have("2026-11-20", 30, 1).0, Some(30.0));
    assert_eq!(have("2026-11-20", 90, 2).0, Some(30.0), "at least as many in more days");
    let (longer, why) = have("2026-11-20", 365, 1);
    assert_eq!(longer, None, "a year's figure says nothing about ninety days");
    assert!(why.contains("这份的天数更长"), "{why}");
    assert_eq!(
        have("2026-11-20", 110, 1).0,
        None,
        "the month of grace is for windows that ended early, not for longer ones"
    );
    assert_eq!(have("2026-11-20", 365, 3).0, Some(30.0));
    // It may have ended up to a month ago, not more; a shorter one may lie anywhere inside.
    assert_eq!(have("2026-10-20", 90, 1).0, Some(30.0));
    let (early, why) = have("2026-10-19", 90, 1);
    assert_eq!(early, None);
    assert!(why.contains("太早了"), "{why}");
    assert_eq!(have("2026-09-20", 60, 1).0, Some(30.0));
    assert_eq!(have("2026-11-21", 90, 1).0, None, "what was read after the day does not count on it");
}

#[test]
fn accounts_are_never_added_up() {
    let mut input = graduate();
    figures(&mut input).originals = Some(5);
    let mut second = input.accounts[0].clone();
    second.id = id("acct", 2);
    second.platform = Platform::Kuaishou;
    second.snapshots[0].id = id("snap", 2);
    second.snapshots[0].figures.originals = Some(6);
    input.accounts.push(second);
    let evaluation = evaluate(star_rules(), &input);
    assert_eq!(find(&evaluation, 1, "originals").have, Some(6.0));
    assert!(find(&evaluation, 1, "originals").source.starts_with("快手"));
}

#[test]
fn a_star_must_be_held_before_the_next() {
    let held = |from: &str, level: i64| StarHeld {
        award: id("award", 1),
        level,
        valid_from: day(from),
        valid_to: day(from).plus_months(24),
        superseded: false,
    };
    let hold = |stars: Vec<StarHeld>| {
        let input = StarInput { stars, ..graduate() };
        let evaluation = evaluate(star_rules(), &input);
        (find(&evaluation, 2, "hold_months").clone(), evaluation.current_level)
    };
    assert!(!hold(vec![]).0.met);
    let (young, current) = hold(vec![held("2026-08-21", 1)]);
    assert_eq!((young.have, young.met, young.words.as_str(), current), (Some(2.0), false, "差 1 个月", 1));
    assert!(hold(vec![held("2026-08-20", 1)]).0.met);
    let (expired, current) = hold(vec![held("2024-11-20", 1)]);
    assert_eq!((expired.met, current), (false, 0));
    let replaced = StarHeld { superseded: true, ..held("2026-08-20", 1) };
    let (kept, current) = hold(vec![replaced, StarHeld { award: id("award", 2), ..held("2026-11-01", 2) }]);
    assert_eq!((kept.met, current), (true, 2), "the months of the first star go on counting under the second");
}

#[test]
fn the_score_is_the_printed_formulas() {
    let printed: Vec<_> = star_rules().score_blocks.iter().map(|b| b.formula.as_str()).collect();
    assert_eq!(
        printed,
        [
            "30*clamp((avg_level_last6-2)/2.5)",
            "15*clamp(active_weeks_365/46)",
            "9*clamp(log10(1+views_365)/7)+6*clamp((followers_now-followers_then)/max(followers_then,200))",
            "20*clamp(log10(1+service_verified_365)/3)",
            "10*clamp(log10(1+impact_points_365)/3); 核实销售额每100元=1点, 核实公益实效每件=5点",
            "min(10, 1.5*mentees_graduated+3*mentees_starred+1*adopted_upward)",
        ],
        "score.rs computes what the rules print: change both"
    );
    let mut input = graduate();
    *figures(&mut input) = Figures {
        followers: Some(300),
        views: Some(9_999_999),
        active_weeks: Some(23),
        service: Some(999),
        impact_points: Some(99),
        adopted_upward: Some(2),
        ..Figures::default()
    };
    let then = Figures { followers: Some(200), ..Figures::default() };
    input.accounts[0].snapshots.push(snapshot(2, "2026-08-01", 30, then));
    input.mentees_graduated = Some(2);
    let score = evaluate(star_rules(), &input).score;
    let values: Vec<_> = score.blocks.iter().map(|b| b.value).collect();
    assert_eq!(values, [Some(18.0), Some(7.5), Some(12.0), Some(20.0), Some(6.67), Some(5.0)]);
    assert_eq!(score.total, 69.17);
}

#[test]
fn what_is_left_undone_takes_points_up_to_the_cap() {
    let must = |n: usize, on: &str| OpenMust { item: id("item", n), sent_on: day(on) };
    let mut input = graduate();
    let before = evaluate(star_rules(), &input).score.total;
    input.musts = vec![must(1, "2026-11-06"), must(2, "2026-11-05"), must(3, "2025-01-01")];
    input.corrections = vec![Correction { snapshot: id("snap", 9), corrected_on: day("2026-11-01") }];
    let score = evaluate(star_rules(), &input).score;
    let points: Vec<_> = score.deductions.iter().map(|d| (d.code.as_str(), d.points)).collect();
    assert_eq!(
        points,
        [("d_must", 2.0), ("d_fix", 3.0)],
        "a must is late after fourteen days, and forgotten after a year"
    );
    assert!((before - score.total - 5.0).abs() < 0.001);
    input.musts = (0..40).map(|n| must(n, "2026-10-01")).collect();
    let capped = evaluate(star_rules(), &input).score.total;
    assert!((before - capped - 15.0).abs() < 0.001);
}

#[test]
fn what_is_missing_never_counts_as_zero_nor_passes() {
    let nothing = StarInput { accounts: vec![], reviews: vec![], ..graduate() };
    let evaluation = evaluate(star_rules(), &nothing);
    assert_eq!(evaluation.reachable_level, 0);
    assert!(evaluation.score.blocks.iter().all(|b| b.value.is_none()));
    for level in &evaluation.levels {
        for c in &level.criteria {
            assert!(!c.met, "{}", c.code);
            let own_register = ["rehearsals", "hold_months"].contains(&c.code.as_str());
            assert_eq!(c.have.is_some(), own_register, "{}", c.code);
        }
    }
    // And a known zero is said as such.
    let mut zero = graduate();
    figures(&mut zero).originals = Some(0);
    assert_eq!(find(&evaluate(star_rules(), &zero), 1, "originals").words, "差 8 条");
}

/// An input and a rule version kept for years give the decision that was given then.
#[test]
fn a_frozen_decision_comes_out_again() {
    let rules = serde_json::from_str(include_str!("golden/rules.json")).unwrap();
    let (input, kept) = (include_str!("golden/input.json").trim_end(), include_str!("golden/evaluation.json"));
    let frozen = Frozen::thaw(input, "6018236f65f57c1ff6bb5e9988668a092daaacfce7f3c5806c4ddf71e57cad3d").unwrap();
    assert_eq!(frozen.input.clone().freeze().unwrap().json, input, "freezing again writes the same text");
    let kept: Evaluation = serde_json::from_str(kept).unwrap();
    assert_eq!(evaluate(&rules, &frozen.input), kept);
    assert!(Frozen::thaw(&input.replace("260", "261"), &frozen.sha256).is_err());
}

#[test]
fn her_star_in_words() {
    let mut input = graduate();
    assert_eq!(sentence(&evaluate(star_rules(), &input)), "一星的样样都够了，等评星的同志看过就给你。");
    figures(&mut input).originals = Some(3);
    input.as_of_on = day("2026-11-19");
    assert_eq!(sentence(&evaluate(star_rules(), &input)), "离一星还差一样，再发 5 条就少一样。");
    let nothing = StarInput { accounts: vec![], reviews: vec![], ..graduate() };
    assert_eq!(sentence(&evaluate(star_rules(), &nothing)), "离一星还差六样，先交一条作品，老师看过就少一样。");
    let next = next_star(&evaluate(star_rules(), &input)).unwrap();
    assert_eq!((next.level, next.missing_count, next.criteria[0].code.as_str()), (1, 1, "originals"));
    let five = StarHeld {
        award: id("award", 1),
        level: 5,
        valid_from: day("2026-01-01"),
        valid_to: day("2028-01-01"),
        superseded: false,
    };
    let top = evaluate(star_rules(), &StarInput { stars: vec![five], ..graduate() });
    assert!(next_star(&top).is_none());
    assert_eq!(sentence(&top), "你已经是五星了，带一带后面的姐妹。");
}
