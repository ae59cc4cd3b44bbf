//! The score: six blocks less deductions. The formulas are those that the published rules print.

use super::input::{AccountInput, StarInput};
use super::rules::{average_of_reviews, best_in_window, number};
use super::{BlockScore, DeductionScore, Score};
use crate::content::StarRules;

const YEAR: i64 = 365;
/// How long a must may stay open: as long as the ticket that carries it.
const MUST_DAYS: i64 = 14;
/// Two readings of followers closer than this say nothing about growth.
const GROWTH_DAYS: i64 = 28;

pub(super) fn score(rules: &StarRules, input: &StarInput) -> Score {
    let blocks: Vec<BlockScore> = rules
        .score_blocks
        .iter()
        .map(|block| {
            let (value, why) = match block.code.as_str() {
                "Q" => quality(input),
                "C" => steady(input),
                "G" => growth(input),
                "V" => service(input),
                "E" => effect(input),
                "M" => mentoring(input),
                _ => (None, "这一项的算法，这个版本还不会算".into()),
            };
            let value = value.map(|v| hundredths(v.min(block.max)));
            BlockScore { code: block.code.clone(), title: block.title.clone(), max: block.max, value, why }
        })
        .collect();
    let deductions = deductions(rules, input);
    let taken = deductions.iter().map(|d| d.points).sum::<f64>().min(rules.deduction_cap as f64);
    let total = hundredths((blocks.iter().filter_map(|b| b.value).sum::<f64>() - taken).max(0.0));
    Score { total, blocks, deductions }
}

type Scored = (Option<f64>, String);

fn clamp(x: f64) -> f64 {
    x.clamp(0.0, 1.0)
}

/// Logarithms may differ in the last digit between machines; hundredths do not.
fn hundredths(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

/// `30*clamp((avg_level_last6-2)/2.5)`
fn quality(input: &StarInput) -> Scored {
    match average_of_reviews(input, YEAR) {
        Some(f) => {
            (Some(30.0 * clamp((f.value - 2.0) / 2.5)), format!("点评平均 {} 分。{}", number(f.value), f.source))
        }
        None => (None, "一年内还没有通过的作品".into()),
    }
}

/// `15*clamp(active_weeks_365/46)`
fn steady(input: &StarInput) -> Scored {
    match best_in_window(input, YEAR, |f| f.active_weeks) {
        Some(f) => (Some(15.0 * clamp(f.value / 46.0)), format!("更新过 {} 周。{}", number(f.value), f.source)),
        None => (None, "还没登记更新过几周".into()),
    }
}

/// `9*clamp(log10(1+views_365)/7)+6*clamp((followers_now-followers_then)/max(followers_then,200))`
fn growth(input: &StarInput) -> Scored {
    let views = best_in_window(input, YEAR, |f| f.views);
    let gained = input.accounts.iter().filter_map(|a| gained(input, a)).max_by(|a, b| {
        let share = |g: &Gained| (g.now - g.then) as f64 / g.then.max(200) as f64;
        share(a).total_cmp(&share(b)).then_with(|| (a.now, a.then).cmp(&(b.now, b.then)))
    });
    if views.is_none() && gained.is_none() {
        return (None, "还没登记播放，也看不出涨粉".into());
    }
    let mut value = 0.0;
    let mut why = Vec::new();
    match views {
        Some(f) => {
            value += 9.0 * clamp((1.0 + f.value).log10() / 7.0);
            why.push(format!("播放 {} 次。{}", number(f.value), f.source));
        }
        None => why.push("还没登记播放".into()),
    }
    match gained {
        Some(g) => {
            value += 6.0 * clamp((g.now - g.then) as f64 / g.then.max(200) as f64);
            why.push(format!("粉丝从 {} 到 {}", g.then, g.now));
        }
        None => why.push("粉丝只登记过一次，涨了多少还看不出来".into()),
    }
    (Some(value), why.join("；"))
}

struct Gained {
    then: i64,
    now: i64,
}

/// The first and the newest reading of one account within a year.
fn gained(input: &StarInput, account: &AccountInput) -> Option<Gained> {
    let mut read: Vec<_> = account
        .snapshots
        .iter()
        .filter(|s| s.as_of_on <= input.as_of_on && input.as_of_on.days_since(s.as_of_on) <= YEAR)
        .filter_map(|s| Some((s.as_of_on, &s.id, s.figures.followers?)))
        .collect();
    read.sort();
    let (first, newest) = (read.first()?, read.last()?);
    (newest.0.days_since(first.0) >= GROWTH_DAYS).then_some(Gained { then: first.2, now: newest.2 })
}

/// `20*clamp(log10(1+service_verified_365)/3)`; what is recorded with its screenshot counts until verification exists.
fn service(input: &StarInput) -> Scored {
    match best_in_window(input, YEAR, |f| f.service) {
        Some(f) => (Some(20.0 * log_share(f.value)), format!("服务 {} 次。{}", number(f.value), f.source)),
        None => (None, "还没登记服务".into()),
    }
}

/// `10*clamp(log10(1+impact_points_365)/3)`
fn effect(input: &StarInput) -> Scored {
    match best_in_window(input, YEAR, |f| f.impact_points) {
        Some(f) => (Some(10.0 * log_share(f.value)), format!("实效 {} 点。{}", number(f.value), f.source)),
        None => (None, "还没登记实效".into()),
    }
}

fn log_share(n: f64) -> f64 {
    clamp((1.0 + n).log10() / 3.0)
}

/// `min(10, 1.5*mentees_graduated+3*mentees_starred+1*adopted_upward)`
fn mentoring(input: &StarInput) -> Scored {
    let adopted = best_in_window(input, YEAR, |f| f.adopted_upward);
    let parts = [
        input.mentees_graduated.map(|n| (1.5 * n as f64, format!("带出结业 {n} 位"))),
        input.mentees_starred.map(|n| (3.0 * n as f64, format!("带出有星 {n} 位"))),
        adopted.map(|f| (f.value, format!("上级采用 {} 条。{}", number(f.value), f.source))),
    ];
    let known: Vec<_> = parts.into_iter().flatten().collect();
    if known.is_empty() {
        return (None, "还没登记带徒，也没登记上级采用".into());
    }
    let why = known.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join("；");
    (Some(known.iter().map(|(points, _)| points).sum::<f64>().min(10.0)), why)
}

fn deductions(rules: &StarRules, input: &StarInput) -> Vec<DeductionScore> {
    let today = input.as_of_on;
    let in_year = |day| day <= today && today.days_since(day) <= YEAR;
    let overdue = input.musts.iter().filter(|m| in_year(m.sent_on) && today.days_since(m.sent_on) > MUST_DAYS).count();
    let corrected = input.corrections.iter().filter(|c| in_year(c.corrected_on)).count();
    rules
        .deductions
        .iter()
        .filter_map(|d| {
            let n = match d.code.as_str() {
                "d_must" => overdue,
                "d_fix" => corrected,
                // Relay tasks do not exist yet, so nobody was silent about one.
                _ => 0,
            };
            let points = d.points as f64 * n as f64;
            (n > 0)
                .then(|| DeductionScore { code: d.code.clone(), text: format!("{}，{n} {}", d.text, d.per), points })
        })
        .collect()
}
