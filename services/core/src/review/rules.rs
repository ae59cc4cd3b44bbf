//! What may be sent, what it adds up to, and in which order clips are looked at. Pure.

use super::{DraftInput, DraftItem, Gates, Kind, Outcome, Scores, Settled, Ticket, TicketState, Verdict};
use crate::content::{Dimension, Rubric};
use crate::error::{Error, Refusal, Result};
use crate::ids::ItemId;
use crate::time::{At, Millis};

pub const MIN_PRAISE: usize = 1;
/// More than five things to fix is nothing to fix: she would not know where to begin.
pub const MAX_FIXES: usize = 5;
const WORDS_MAX: usize = 2000;
const SETTLED_MAX: usize = 500;
/// No clip lasts longer than a day.
const LONGEST_MS: i64 = 24 * 3_600_000;
/// From here on a waiting ticket is pressing.
const NEARLY_DUE: Millis = Millis::hours(12);

/// An item of an earlier version that nobody has verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub id: ItemId,
    pub kind: Kind,
    pub body: String,
}

/// All that sending is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    pub items: &'a [DraftItem],
    pub scores: &'a Scores,
    pub gates: &'a Gates,
    pub settled: &'a [Settled],
    pub earlier: &'a [Open],
}

impl Judged<'_> {
    fn count(&self, kind: Kind) -> usize {
        self.items.iter().filter(|item| item.kind == kind).count()
    }
    fn verdict(&self, item: &ItemId) -> Option<Verdict> {
        self.settled.iter().find(|s| s.item_id == *item).map(|s| s.verdict)
    }
    pub fn gate_failed(&self) -> bool {
        self.gates.values().any(|answer| *answer == Some(false))
    }
    fn score(&self, dim: &Dimension) -> Option<i64> {
        self.scores.get(&dim.code).copied().flatten()
    }
}

/// Everything that keeps this review from being sent with that outcome, each as half a sentence. Empty: send it.
pub fn missing(judged: &Judged, rubric: &Rubric, outcome: Outcome) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    if judged.count(Kind::Praise) < MIN_PRAISE {
        missing.push("先夸一处：至少要有一条表扬".to_owned());
    }
    let fixes = judged.count(Kind::Fix);
    if fixes > MAX_FIXES {
        missing.push(format!("要改的最多 {MAX_FIXES} 条，现在有 {fixes} 条，留下最要紧的"));
    }
    for item in judged.items.iter().filter(|item| item.body.trim().is_empty()) {
        missing.push(format!("{} 那一条还没有写字", clock(item.t_start_ms)));
    }
    let unanswered = rubric.gates.iter().filter(|g| !judged.gates.get(&g.code).is_some_and(Option::is_some));
    let unanswered: Vec<&str> = unanswered.map(|g| g.title.as_str()).collect();
    if !unanswered.is_empty() {
        missing.push(format!("这几道红线还没看：{}", unanswered.join("、")));
    }
    // The rubric's own words: what crosses a red line is not scored.
    if !judged.gate_failed() {
        let unscored = rubric.video.iter().filter(|dim| judged.score(dim).is_none());
        let unscored: Vec<&str> = unscored.map(|dim| dim.title.as_str()).collect();
        if !unscored.is_empty() {
            missing.push(format!("这几项还没打分：{}", unscored.join("、")));
        }
    }
    match outcome {
        Outcome::Pass => missing.extend(why_not_pass(judged, rubric)?),
        Outcome::Return => {
            let again = judged.settled.iter().any(|s| s.verdict == Verdict::Again);
            if fixes == 0 && judged.count(Kind::Must) == 0 && !again {
                missing.push("退回去改，至少要写一条要改的，她才知道改哪里".to_owned());
            }
        }
    }
    Ok(missing)
}

fn why_not_pass(judged: &Judged, rubric: &Rubric) -> Result<Vec<String>> {
    let mut why = Vec::new();
    if judged.count(Kind::Must) > 0 {
        why.push("这一版里有“必须改”的，不能通过".to_owned());
    }
    for item in judged.earlier.iter().filter(|item| item.kind == Kind::Must) {
        if judged.verdict(&item.id) != Some(Verdict::Verified) {
            why.push(format!("上一版“必须改”的还没看到改好：{}", short(&item.body)));
        }
    }
    for clause in pass_rule(&rubric.pass_rule)? {
        match clause {
            Clause::GatesPass => {
                let failed = rubric.gates.iter().filter(|g| judged.gates.get(&g.code) == Some(&Some(false)));
                why.extend(failed.map(|g| format!("碰了红线“{}”，不能通过", g.title)));
            }
            Clause::ScoreAtLeast(bar) => {
                if let Some(total) = total(judged.scores, rubric, judged.gates)
                    && total < bar
                {
                    why.push(format!("总分 {total} 分，没到 {bar} 分"));
                }
            }
            Clause::NoDimensionAt(level) => {
                let low = rubric.video.iter().filter(|dim| judged.score(dim) == Some(level));
                why.extend(low.map(|dim| format!("“{}”只有 {level} 分", dim.title)));
            }
        }
    }
    Ok(why)
}

#[derive(Debug, PartialEq, Eq)]
enum Clause {
    GatesPass,
    ScoreAtLeast(i64),
    NoDimensionAt(i64),
}

/// Reads `gates all pass AND score>=60 AND no dimension level 1`. The bar is content, so staff can move it; a clause
/// that nobody taught us is an error, never a pass.
fn pass_rule(text: &str) -> Result<Vec<Clause>> {
    let clause = |text: &str| {
        let number = |digits: &str| digits.trim().parse().ok();
        match text {
            "gates all pass" => Some(Clause::GatesPass),
            _ => None
                .or_else(|| text.strip_prefix("score>=").and_then(number).map(Clause::ScoreAtLeast))
                .or_else(|| text.strip_prefix("no dimension level ").and_then(number).map(Clause::NoDimensionAt)),
        }
    };
    let clauses = text.split(" AND ").map(|part| clause(part.trim()));
    clauses.collect::<Option<_>>().ok_or_else(|| Error::Damaged(format!("pass rule {text:?}")))
}

/// sum(weight * level / 5), rounded down so that what shows as 60 is at least 60. None while anything is unscored, or
/// where a gate failed: then nothing is scored.
pub fn total(scores: &Scores, rubric: &Rubric, gates: &Gates) -> Option<i64> {
    if gates.values().any(|answer| *answer == Some(false)) {
        return None;
    }
    let weighted = rubric.video.iter().map(|dim| Some(dim.weight * scores.get(&dim.code).copied().flatten()?));
    weighted.sum::<Option<i64>>().map(|sum| sum / 5)
}

/// What a rubric asks, with nothing answered: opening never scores.
pub fn blank(rubric: &Rubric) -> (Scores, Gates) {
    let scores = rubric.video.iter().map(|dim| (dim.code.clone(), None)).collect();
    let gates = rubric.gates.iter().map(|gate| (gate.code.clone(), None)).collect();
    (scores, gates)
}

/// What is longer than anybody would write or read is not kept.
pub fn check_length(input: &DraftInput) -> Result<()> {
    let words = |text: &str| text.chars().count() <= WORDS_MAX;
    if input.settled.iter().filter_map(|settled| settled.at_ms).any(|at| !(0..=LONGEST_MS).contains(&at)) {
        return Err(Refusal::new("bad_draft", "有一处的时间不对", "刷新这一页再试").into());
    }
    if words(&input.summary) && words(&input.next_step) && input.settled.len() <= SETTLED_MAX {
        return Ok(());
    }
    let message = format!("总评和下一步最多各写 {WORDS_MAX} 个字");
    Err(Refusal::new("bad_draft", message, "写短一点，她才记得住").into())
}

/// Whether a draft can be kept at all: it may be unfinished, but not about something that isn't there.
pub fn check(items: &[DraftItem], scores: &Scores, gates: &Gates, rubric: &Rubric) -> Result<()> {
    let bad = |message: &str| Err(Refusal::new("bad_draft", message, "刷新这一页再试").into());
    let is_dim = |code: &String| rubric.video.iter().any(|d| d.code == *code);
    let is_gate = |code: &String| rubric.gates.iter().any(|g| g.code == *code);
    if items.len() > 200 || items.iter().any(|item| item.body.chars().count() > 1000) {
        return bad("写得太多了，存不下");
    }
    let late = |t: i64| t > LONGEST_MS;
    if items.iter().any(|item| late(item.t_start_ms) || item.t_end_ms.is_some_and(late)) {
        return bad("有一条的时间不对");
    }
    if items.iter().any(|item| item.t_start_ms < 0 || item.t_end_ms.is_some_and(|end| end < item.t_start_ms)) {
        return bad("有一条的时间不对");
    }
    if items.iter().filter_map(|item| item.dim.as_ref()).any(|code| !is_dim(code) && !is_gate(code)) {
        return bad("有一条说的项目，评分表里没有");
    }
    if !scores.iter().all(|(code, level)| is_dim(code) && level.is_none_or(|l| (1..=5).contains(&l))) {
        return bad("分数只能是 1 到 5，项目要在评分表里");
    }
    if !gates.keys().all(is_gate) {
        return bad("有一道红线，评分表里没有");
    }
    Ok(())
}

/// Why this one lies on her desk now.
pub fn why(ticket: &Ticket, version_n: i64, now: At) -> &'static str {
    let waiting = matches!(ticket.state, TicketState::Waiting | TicketState::Claimed);
    match () {
        _ if waiting && ticket.due_at <= now => "已过时限",
        _ if waiting && ticket.due_at - now < NEARLY_DUE => "快到时限",
        _ if version_n > 1 => "改过再交",
        _ => "第一次交",
    }
}

/// 1:05 of the clip.
fn clock(ms: i64) -> String {
    format!("{}:{:02}", ms / 60_000, ms / 1000 % 60)
}

fn short(text: &str) -> String {
    let head: String = text.chars().take(16).collect();
    if head.len() < text.len() { format!("“{head}…”") } else { format!("“{head}”") }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
