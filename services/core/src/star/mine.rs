//! Her star in words: what she has, and what is missing for the next.

use super::{Criterion, Evaluation, rules};

/// The next star and how far it is.
#[derive(Debug, Clone, PartialEq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = NextStar)]
pub struct MyNext {
    pub level: i64,
    pub title: String,
    pub missing_count: i64,
    /// What is missing comes first.
    pub criteria: Vec<Criterion>,
}

/// `None` once she holds the highest.
pub fn next_star(evaluation: &Evaluation) -> Option<MyNext> {
    let next = evaluation.level(evaluation.current_level + 1)?;
    let mut criteria = next.criteria.clone();
    criteria.sort_by_key(|c| c.met);
    let missing_count = criteria.iter().filter(|c| !c.met).count() as i64;
    Some(MyNext { level: next.level, title: next.title.clone(), missing_count, criteria })
}

/// 离二星还差三样，先约一次彩排就少一样。
pub fn sentence(evaluation: &Evaluation) -> String {
    let Some(next) = next_star(evaluation) else {
        return format!("你已经是{}了，带一带后面的姐妹。", rules::title_of(evaluation.current_level));
    };
    match next.missing_count {
        0 => format!("{}的样样都够了，等评星的同志看过就给你。", next.title),
        n => {
            let first = next.criteria.iter().filter(|c| !c.met).min_by_key(|c| effort(c)).map(first_step);
            format!("离{}还差{}，{}。", next.title, count(n), first.unwrap_or_default())
        }
    }
}

fn count(n: i64) -> String {
    let digit = ["", "一样", "两样", "三样", "四样", "五样", "六样", "七样", "八样", "九样", "十样"];
    usize::try_from(n).ok().and_then(|i| digit.get(i)).map_or_else(|| format!("{n} 样"), |d| (*d).into())
}

/// What she can do soonest comes first; what only time brings comes last.
fn effort(c: &Criterion) -> i64 {
    match (c.code.as_str(), c.have) {
        ("rehearsals", _) => 0,
        ("avg_review", None) => 1,
        (_, None) => 2,
        ("originals" | "lives" | "column_episodes", _) => 3,
        ("avg_review" | "reach" | "adopted_upward", _) => 4,
        ("active_weeks" | "min_score", _) => 5,
        _ => 9,
    }
}

fn first_step(c: &Criterion) -> String {
    let short = rules::number(c.needed - c.have.unwrap_or(0.0));
    let unit = &c.unit;
    match (c.code.as_str(), c.have) {
        ("rehearsals", _) => "先约一次彩排就少一样".into(),
        ("avg_review", None) => "先交一条作品，老师看过就少一样".into(),
        ("account_days", None) => "先请县里把你的账号登记上".into(),
        (_, None) => "先请县里把账号的数字登记上".into(),
        ("originals", _) => format!("再发 {short} {unit}就少一样"),
        ("lives" | "column_episodes", _) => format!("再做 {short} {unit}就少一样"),
        ("avg_review", _) => "照着老师的点评再拍一条".into(),
        ("active_weeks", _) => "每周发一条，慢慢就够".into(),
        ("account_days" | "hold_months", _) => "日子到了就有，接着拍".into(),
        _ => "接着拍，一条一条来".into(),
    }
}
