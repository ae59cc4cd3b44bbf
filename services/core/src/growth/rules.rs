//! Which readings make sense. What is refused here could not be true; what is merely strange is for a person to check.

use super::{Figures, Platform};
use crate::error::Refusal;
use crate::ids::{AccountId, SnapshotId, UserId};
use crate::text::one_line;
use crate::time::Day;

pub struct NewAccount<'a> {
    pub owner: &'a UserId,
    pub platform: Platform,
    pub handle: &'a str,
    pub opened_on: Day,
}

pub struct NewSnapshot<'a> {
    /// Made by the caller: the screenshot is in the store, under this id, before the row says so.
    pub id: &'a SnapshotId,
    pub account: &'a AccountId,
    pub as_of_on: Day,
    pub window_days: i64,
    pub figures: Figures,
    pub evidence_key: &'a str,
    pub evidence_type: &'a str,
    pub evidence_sha256: &'a str,
    pub entered_by: &'a UserId,
}

/// Larger than any audience there is; keeps sums far from overflow.
const MOST: i64 = 100_000_000_000;
const LONGEST_WINDOW: i64 = 366;

fn refuse<T>(message: impl Into<String>, next_step: &str) -> Result<T, Refusal> {
    Err(Refusal::new("snapshot_invalid", message, next_step))
}

/// The handle as it is kept.
pub fn check_account(new: &NewAccount, today: Day) -> Result<String, Refusal> {
    let handle = new.handle.trim().trim_start_matches(['@', '＠']).to_owned();
    if handle.is_empty() || handle.chars().count() > 60 || one_line(&handle) != handle {
        return Err(Refusal::new("account_invalid", "账号名没写对。", "照着平台上的账号名写，60 个字以内。"));
    }
    if new.opened_on > today || new.opened_on.year() < 2009 {
        return Err(Refusal::new("account_invalid", "开通的日子不对。", "填账号第一条作品的日子，不能晚于今天。"));
    }
    Ok(handle)
}

pub fn check_snapshot(new: &NewSnapshot, opened_on: Day, today: Day) -> Result<(), Refusal> {
    if new.as_of_on > today {
        return refuse("截图的日子还没到。", "填截图那一天的日子。");
    }
    if new.as_of_on < opened_on {
        return refuse(format!("这个号 {opened_on} 才开通，截图的日子比它还早。"), "把日子改对再交。");
    }
    if !(1..=LONGEST_WINDOW).contains(&new.window_days) {
        return refuse("统计的天数不对。", "填 1 到 366 之间的天数，比如 30、90、365。");
    }
    let known: Vec<i64> = new.figures.all().into_iter().flatten().collect();
    if known.is_empty() {
        return refuse("一个数字都没填。", "照着截图至少填一个；没有的就空着，空着不当零。");
    }
    if known.iter().any(|n| !(0..=MOST).contains(n)) {
        return refuse("有个数字不对。", "数字不能小于零，也不会那么大，照着截图再看一遍。");
    }
    // A window of 90 days touches at most 14 calendar weeks.
    let weeks = (new.window_days + 12) / 7;
    if new.figures.active_weeks.is_some_and(|n| n > weeks) {
        return refuse(format!("{} 天里没有那么多周。", new.window_days), &format!("更新过的周数最多填 {weeks}。"));
    }
    Ok(())
}

/// Whether the newer reading says the earlier one was wrong. Filling in what was missing corrects nothing.
pub fn is_correction(earlier: &Figures, newer: &Figures) -> bool {
    earlier.all().iter().zip(newer.all()).any(|(earlier, newer)| earlier.is_some() && *earlier != newer)
}
