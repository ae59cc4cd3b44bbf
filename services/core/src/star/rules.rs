//! The decision: rules and input in, an explained evaluation out. No clock, no database.

use super::input::{AccountInput, ReviewInput, SnapshotInput, StarInput};
use super::{Criterion, Evaluation, LevelResult, score};
use crate::content::{StarLevel, StarRules};
use crate::error::Refusal;
use crate::growth::Figures;
use crate::time::Day;

/// How long ago a window may have ended: numbers are read once a month.
pub const GRACE_DAYS: i64 = 31;
/// How many of the newest passing reviews make the average.
pub const LAST_REVIEWS: usize = 6;

pub fn evaluate(rules: &StarRules, input: &StarInput) -> Evaluation {
    let current = current_level(input);
    let score = score::score(rules, input);
    let known = score.blocks.iter().any(|b| b.value.is_some());
    let total = known.then_some(score.total);
    let levels: Vec<LevelResult> = rules
        .levels
        .iter()
        .map(|level| {
            let criteria = criteria(rules, level, input, total);
            LevelResult {
                level: level.level,
                title: level.title.clone(),
                met: criteria.iter().all(|c| c.met),
                criteria,
            }
        })
        .collect();
    let next_is_met = levels.iter().any(|l| l.level == current + 1 && l.met);
    Evaluation {
        rule_version: rules.version.clone(),
        current_level: current,
        reachable_level: if next_is_met { current + 1 } else { current },
        levels,
        score,
    }
}

/// The star that is valid on the input's day.
pub fn current_level(input: &StarInput) -> i64 {
    let today = input.as_of_on;
    let valid = input.stars.iter().filter(|s| !s.superseded && s.valid_from <= today && today < s.valid_to);
    valid.map(|s| s.level).max().unwrap_or(0)
}

/// Whether this star may be given on this evaluation.
pub fn award_allowed(evaluation: &Evaluation, level: i64) -> Result<(), Refusal> {
    let title = || title_of(level);
    let Some(result) = evaluation.level(level) else {
        return Err(Refusal::new("star_unknown", "没有这一级星。", "从一星到五星里选。"));
    };
    if level <= evaluation.current_level {
        return Err(Refusal::new("star_held", format!("她已经有{}了。", title()), "看一看离下一星还差什么。"));
    }
    if level > evaluation.current_level + 1 {
        let next = title_of(evaluation.current_level + 1);
        return Err(Refusal::new("star_too_high", "星要一级一级来。", format!("先评{next}。")));
    }
    if !result.met {
        let missing: Vec<&str> = result.criteria.iter().filter(|c| !c.met).map(|c| c.title.as_str()).collect();
        return Err(Refusal::new(
            "star_not_met",
            format!("离{}还差：{}。", title(), missing.join("、")),
            "把差的补上，重新评一次。",
        ));
    }
    Ok(())
}

pub fn title_of(level: i64) -> String {
    let digit = usize::try_from(level).ok().and_then(|i| ["零", "一", "二", "三", "四", "五"].get(i).copied());
    format!("{}星", digit.unwrap_or("?"))
}

/// A figure and the row that it stands in.
pub(super) struct Found {
    pub value: f64,
    pub source: String,
}

pub(super) type Pick = fn(&Figures) -> Option<i64>;

fn criteria(rules: &StarRules, level: &StarLevel, input: &StarInput, total: Option<f64>) -> Vec<Criterion> {
    let days = level.window_days;
    let flow = |code: &str, title: String, needed: i64, unit: &str, window: i64, pick: Pick| {
        (needed > 0).then(|| {
            let found = best_in_window(input, window, pick);
            let missing = || why_missing(input, window, pick);
            criterion(code, title, needed as f64, unit, found, missing)
        })
    };
    let mut list = Vec::new();
    list.push((level.account_days > 0).then(|| {
        let found = account_days(input);
        criterion("account_days", "账号开通".into(), level.account_days as f64, "天", found, || {
            "还没有登记账号".into()
        })
    }));
    list.push((level.level > 1).then(|| hold(level, input)));
    list.push(flow("originals", format!("{days} 天内的原创作品"), level.originals, "条", days, |f| {
        f.originals
    }));
    let weeks = level.weeks_window;
    list.push(flow(
        "active_weeks",
        format!("{weeks} 周里更新过的周"),
        level.active_weeks,
        "周",
        weeks * 7,
        |f| f.active_weeks,
    ));
    list.push((level.avg_review > 0.0).then(|| {
        let found = average_of_reviews(input, days);
        let mut c = criterion("avg_review", "老师点评平均".into(), level.avg_review, "分", found, || {
            format!("{days} 天内还没有通过的作品")
        });
        if c.have.is_none() {
            c.words = "还没有通过的作品，交一条就算".into();
        }
        c
    }));
    list.push(flow("lives", format!("{days} 天内的直播"), level.lives, "场", days, |f| f.lives));
    list.push((level.rehearsals > 0).then(|| rehearsals(level, input)));
    list.push(reach(rules, level, input));
    list.push(flow("column_episodes", format!("{days} 天内的栏目"), level.column_episodes, "期", days, |f| {
        f.column_episodes
    }));
    let register = |code: &str, title: &str, needed: i64, have: Option<i64>| {
        (needed > 0).then(|| {
            let found = have.map(|n| Found { value: n as f64, source: "带徒登记".into() });
            criterion(code, title.into(), needed as f64, "位", found, || "还没有带徒登记".into())
        })
    };
    list.push(register("mentees_graduated", "带出结业的姐妹", level.mentees_graduated, input.mentees_graduated));
    list.push(register("mentees_starred", "带出有星的姐妹", level.mentees_starred, input.mentees_starred));
    list.push(flow("adopted_upward", format!("{days} 天内上级采用"), level.adopted_upward, "条", days, |f| {
        f.adopted_upward
    }));
    list.push((level.min_score > 0.0).then(|| {
        let found = total.map(|value| Found { value, source: "六项得分减扣分".into() });
        criterion("min_score", "综合分".into(), level.min_score, "分", found, || "六项都还没有数字".into())
    }));
    list.into_iter().flatten().collect()
}

fn criterion(
    code: &str,
    title: String,
    needed: f64,
    unit: &str,
    found: Option<Found>,
    missing: impl FnOnce() -> String,
) -> Criterion {
    let have = found.as_ref().map(|f| f.value);
    // Missing is not zero: it never passes, whatever is needed.
    let met = have.is_some_and(|have| have >= needed);
    let words = match have {
        None => "还没登记，补上就算".into(),
        Some(_) if met => "够了".into(),
        Some(have) => format!("差 {} {unit}", number(needed - have)),
    };
    Criterion {
        code: code.into(),
        title,
        needed,
        unit: unit.into(),
        have,
        met,
        words,
        source: found.map_or_else(missing, |f| f.source),
    }
}

/// 5, 2.6, 0.25
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn account_days(input: &StarInput) -> Option<Found> {
    let oldest =
        input.accounts.iter().filter(|a| a.opened_on <= input.as_of_on).min_by_key(|a| (a.opened_on, &a.id))?;
    let value = input.as_of_on.days_since(oldest.opened_on) as f64;
    Some(Found { value, source: format!("{}，{} 开通", account_name(oldest), oldest.opened_on) })
}

/// Months since she has held the star before this one, or a higher one, without a break.
fn hold(level: &StarLevel, input: &StarInput) -> Criterion {
    let today = input.as_of_on;
    let before = title_of(level.level - 1);
    let held = input
        .stars
        .iter()
        .filter(|s| s.level >= level.level - 1 && s.valid_from <= today && today < s.valid_to)
        .min_by_key(|s| (s.valid_from, &s.award));
    let months = held.map_or(0, |s| (0..1200).take_while(|m| s.valid_from.plus_months(m + 1) <= today).count());
    let source =
        held.map_or_else(|| format!("还没有{before}"), |s| format!("{before}，{} 起（{}）", s.valid_from, s.award));
    let found = Some(Found { value: months as f64, source });
    let title = format!("拿到{before}满 {} 个月", level.hold_months);
    let mut c = criterion("hold_months", title, level.hold_months as f64, "个月", found, String::new);
    if held.is_none() {
        // Even a rule that asks for no months asks for the star.
        c.met = false;
        c.words = format!("先拿到{before}");
    }
    c
}

fn rehearsals(level: &StarLevel, input: &StarInput) -> Criterion {
    // The platform itself keeps rehearsals, so none is a known zero.
    let mut passed: Vec<_> = input.rehearsals.iter().filter(|r| r.passed_on <= input.as_of_on).collect();
    passed.sort_by_key(|r| (r.passed_on, &r.clip));
    let source = match passed.as_slice() {
        [] => "还没有通过的彩排".into(),
        some => some.iter().map(|r| format!("{} {} 通过", r.assignment, r.passed_on)).collect::<Vec<_>>().join("，"),
    };
    let found = Some(Found { value: passed.len() as f64, source });
    criterion("rehearsals", "通过的彩排".into(), level.rehearsals as f64, "次", found, String::new)
}

/// Three ways, one is enough: shown is the one that is met, or else the one that is nearest.
fn reach(rules: &StarRules, level: &StarLevel, input: &StarInput) -> Option<Criterion> {
    let (need, days) = (&level.reach, level.window_days);
    let ways: [(i64, &str, Option<Found>); 3] = [
        (need.followers, "个粉丝", newest_followers(input, days)),
        (need.views, "次播放", best_in_window(input, days, |f| f.views)),
        (need.service, "次服务", best_in_window(input, days, |f| f.service)),
    ];
    if ways.iter().all(|(needed, ..)| *needed <= 0) {
        return None;
    }
    let named: Vec<String> =
        ways.iter().filter(|(needed, ..)| *needed > 0).map(|(needed, unit, _)| format!("{needed} {unit}")).collect();
    let title = format!("传得开（{}，一样够就行）", named.join("、"));
    let share = |needed: i64, found: &Option<Found>| found.as_ref().map_or(-1.0, |f| f.value / needed as f64);
    let mut ways: Vec<_> = ways.into_iter().filter(|(needed, ..)| *needed > 0).collect();
    // Stable, so the first named wins a tie.
    ways.sort_by(|(a, _, x), (b, _, y)| share(*b, y).min(1.0).total_cmp(&share(*a, x).min(1.0)));
    let (needed, unit, found) = ways.into_iter().next()?;
    let mut c = criterion("reach", title, needed as f64, unit, found, || why_missing(input, days, |f| f.views));
    c.source = format!("规则 {}：粉丝、播放、服务三样够一样就行。{}", rules.version, c.source);
    Some(c)
}

fn fits(snapshot: &SnapshotInput, today: Day, window: i64) -> bool {
    snapshot.as_of_on <= today
        && snapshot.window_days <= window
        && today.days_since(snapshot.as_of_on) + snapshot.window_days <= window + GRACE_DAYS
}

fn snapshots(input: &StarInput) -> impl Iterator<Item = (&AccountInput, &SnapshotInput)> {
    input.accounts.iter().flat_map(|a| a.snapshots.iter().map(move |s| (a, s)))
}

/// The most that one account's snapshot shows for a window.
pub(super) fn best_in_window(input: &StarInput, window: i64, pick: Pick) -> Option<Found> {
    snapshots(input)
        .filter(|(_, s)| fits(s, input.as_of_on, window))
        .filter_map(|(a, s)| Some((pick(&s.figures)?, a, s)))
        .max_by_key(|(value, _, s)| (*value, s.as_of_on, &s.id))
        .map(|(value, a, s)| Found { value: value as f64, source: snapshot_name(a, s) })
}

/// Followers are a stand, not a sum: each account's newest counts, whatever its window.
pub(super) fn newest_followers(input: &StarInput, window: i64) -> Option<Found> {
    let newest = |account: &AccountInput| {
        let mut known: Vec<_> = account
            .snapshots
            .iter()
            .filter(|s| s.as_of_on <= input.as_of_on && input.as_of_on.days_since(s.as_of_on) <= window + GRACE_DAYS)
            .filter_map(|s| Some((s.as_of_on, s.id.clone(), s.figures.followers?, snapshot_name(account, s))))
            .collect();
        known.sort();
        known.pop()
    };
    let best = input.accounts.iter().filter_map(newest).max_by_key(|(on, id, n, _)| (*n, *on, id.clone()))?;
    Some(Found { value: best.2 as f64, source: best.3 })
}

/// Why a figure is missing: nothing was registered, or what was does not speak for this window.
fn why_missing(input: &StarInput, window: i64, pick: Pick) -> String {
    let newest = snapshots(input)
        .filter(|(_, s)| pick(&s.figures).is_some() && s.as_of_on <= input.as_of_on)
        .max_by_key(|(_, s)| (s.as_of_on, &s.id));
    match newest {
        None => "还没有登记".into(),
        Some((a, s)) if s.window_days > window => {
            format!("{}：要看 {window} 天内的，这份的天数更长，不能算", snapshot_name(a, s))
        }
        Some((a, s)) => format!("{}：太早了，不在最近 {window} 天里", snapshot_name(a, s)),
    }
}

/// The newest passing reviews in the window; the average of their averages, cut (not rounded) to hundredths.
pub(super) fn average_of_reviews(input: &StarInput, window: i64) -> Option<Found> {
    let mut reviews: Vec<(&ReviewInput, i64)> = input
        .reviews
        .iter()
        .filter(|r| r.sent_on <= input.as_of_on && input.as_of_on.days_since(r.sent_on) <= window)
        .filter_map(|r| {
            Some((r, r.scores.values().sum::<i64>() * 1000 / i64::try_from(r.scores.len()).ok().filter(|n| *n > 0)?))
        })
        .collect();
    reviews.sort_by_key(|(r, _)| std::cmp::Reverse((r.sent_on, &r.id)));
    reviews.truncate(LAST_REVIEWS);
    let n = i64::try_from(reviews.len()).ok().filter(|n| *n > 0)?;
    let hundredths = reviews.iter().map(|(_, level)| level).sum::<i64>() / n / 10;
    let named: Vec<String> = reviews.iter().map(|(r, _)| format!("{}（{}）", r.sent_on, r.id)).collect();
    Some(Found { value: hundredths as f64 / 100.0, source: format!("最近 {n} 次点评：{}", named.join("，")) })
}

fn account_name(account: &AccountInput) -> String {
    format!("{} {}", account.platform.title(), account.handle)
}

fn snapshot_name(account: &AccountInput, s: &SnapshotInput) -> String {
    format!("{}，{} 登记的 {} 天数字（{}）", account_name(account), s.as_of_on, s.window_days, s.id)
}
