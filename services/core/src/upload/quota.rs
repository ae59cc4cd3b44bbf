//! How much one person may send: in one file, on one day, and in all that is kept of her. Decided before the first byte
//! where the length is known, and told with the real numbers.
//!
//! A day is a calendar day in China: it begins at midnight for everybody, which is what a person understands by
//! "tomorrow". What was begun today counts with its whole length while it may still come in, and with what came in once
//! it ended in vain; what says its length late counts with what came, on the day when the last of it came. A stretch
//! counts until something is joined from it, and that counts with its whole length: a film in stretches costs its bytes
//! once, and one that is joined again costs them again.

use crate::db::Tx;
use crate::error::{Refusal, Result};
use crate::ids::UserId;
use crate::on;
use crate::size::{apart, words as size};
use crate::time::At;
use crate::upkeep::retention::AFTER_TAKEN_BACK_DAYS;

/// Uploads one person may have begun and not ended; partial ones end when they are joined.
pub const MOST_OPEN: i64 = 50;
/// How often one person may begin an upload on one day. A class's practice is a dozen clips, in four stretches each.
pub const MOST_BEGUN: i64 = 1000;
/// Less than this is nothing: no film is so short.
pub const LITTLE: i64 = 1_000_000;
const GB: i64 = 1_000_000_000;

/// In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub per_file: i64,
    pub per_day: i64,
    /// Everything that is kept of her and still comes in, and what she took back as long as its file is there.
    pub per_person: i64,
}

impl Default for Quota {
    fn default() -> Self {
        // Ten minutes at the best quality of a phone; a class's practice of a day; a hundred clips as they usually are.
        Self { per_file: 2 * GB, per_day: 5 * GB, per_person: 20 * GB }
    }
}

/// What of it she has used, in bytes, and how many uploads that is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Used {
    pub today: i64,
    pub kept: i64,
    /// Begun and not ended.
    pub open: i64,
    /// Begun today, whatever became of them.
    pub begun: i64,
}

impl Used {
    /// The same before these bytes were counted.
    pub fn without(self, bytes: i64) -> Used {
        Used { today: self.today - bytes, kept: self.kept - bytes, ..self }
    }

    /// The same before an upload of so many bytes was begun.
    pub fn without_upload(self, bytes: i64) -> Used {
        Used { open: self.open - 1, begun: self.begun - 1, ..self.without(bytes) }
    }
}

impl Quota {
    /// The largest file that she may send now.
    pub fn left(&self, used: &Used) -> i64 {
        self.per_file.min(self.per_day - used.today).min(self.per_person - used.kept).max(0)
    }

    /// Why she may not go on with one that has not said how long it is, where her day or her room is over.
    pub fn more(&self, used: &Used) -> Option<Refusal> {
        self.refusal(used, LITTLE.min(self.per_file))
    }

    /// Why she may not begin to send a file of so many bytes, or None when she may.
    pub fn refusal_to_begin(&self, used: &Used, bytes: i64) -> Option<Refusal> {
        self.refusal(used, bytes).or_else(|| {
            if used.open >= MOST_OPEN {
                let message = format!("有 {} 条片子都还没传完，最多同时传 {MOST_OPEN} 条。", used.open);
                return Some(Refusal::new("too_many_uploads", message, "到作品页，先把要的传完，不要的收回。"));
            }
            (used.begun >= MOST_BEGUN).then(|| {
                let message = format!("今天已经开始传了 {} 次，一天最多 {MOST_BEGUN} 次。", used.begun);
                Refusal::new("too_many_today", message, "明天零点以后再传。片子留在手机里，不会丢。")
            })
        })
    }

    /// Why so many bytes are not taken, or None when they are.
    pub fn refusal(&self, used: &Used, bytes: i64) -> Option<Refusal> {
        if bytes > self.per_file {
            return Some(too_big(Some(bytes), self.per_file));
        }
        if bytes > self.per_person - used.kept {
            let kept = size(used.kept);
            let message = format!("你的片子一共占了 {kept}，一个人最多放 {}，这条放不下了。", size(self.per_person));
            let next_step =
                format!("到作品页，把不要的收回，{AFTER_TAKEN_BACK_DAYS} 天后就腾出来了。等不及，就告诉县里的老师。");
            return Some(Refusal::new("quota_person", message, next_step));
        }
        if bytes > self.per_day - used.today {
            let message = format!("今天已经传了 {}，一天最多 {}。", size(used.today), size(self.per_day));
            let next_step = "明天零点以后再传，或者先传短一点的。片子留在手机里，不会丢。";
            return Some(Refusal::new("quota_day", message, next_step));
        }
        None
    }
}

/// Longer than any file may be; how long, if that is known.
pub fn too_big(bytes: Option<i64>, most: i64) -> Refusal {
    let message = match bytes {
        Some(bytes) => {
            let (bytes, most) = apart(bytes, most);
            format!("这条有 {bytes}，一条最多 {most}。")
        }
        None => format!("这个文件太大了，一条最多 {}。", size(most)),
    };
    Refusal::new("too_big", message, "用 1080p 导出，或者剪短一些再传。")
}

// What came in of an upload: its parts and the pieces of its tail.
const CAME: &str = "((select coalesce(sum(p.len), 0) from upload_parts p where p.upload_id = u.id)
                   + (select coalesce(sum(t.len), 0) from upload_tails t where t.upload_id = u.id))";

/// What she has used at this moment.
pub async fn used(tx: &mut Tx, now: At, owner: &UserId) -> Result<Used> {
    // Not a stretch that lives on in what is joined from it.
    const COUNTS: &str = "u.owner_id = $1 and not (u.kind = 'partial' and exists (
                              select 1 from upload_sources s join uploads f on f.id = s.final_id
                              where s.partial_id = u.id and f.state in ('open', 'completing', 'complete')))";
    const OPEN: &str = "(u.state in ('open', 'completing') or u.kind = 'partial' and u.state = 'complete')";
    let sql = sqlx::AssertSqlSafe(format!(
        "select cast((select coalesce(sum(v.bytes), 0) from clip_versions v join clips c on c.id = v.clip_id
                      where c.owner_id = $1 and v.original_key is not null and v.original_gone is null)
                   + (select coalesce(sum(coalesce(u.length, {CAME})), 0) from uploads u
                      where {COUNTS} and {OPEN}) as bigint) as kept,
                cast((select coalesce(sum(case when u.state in ('open', 'completing', 'complete') and u.length is not null
                                                    then u.length
                                               when u.kind = 'final' then 0 else {CAME} end), 0)
                      from uploads u where {COUNTS} and u.counts_at >= $2) as bigint) as today,
                (select count(*) from uploads u where {COUNTS} and {OPEN}) as open,
                (select count(*) from uploads u where u.owner_id = $1 and u.created_at >= $2) as begun"
    ));
    Ok(on!(tx, c => sqlx::query_as(sql).bind(owner).bind(now.china_midnight()).fetch_one(c).await)?)
}

/// What all open uploads together still have to bring.
pub async fn still_to_come(tx: &mut Tx) -> Result<i64> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select cast(coalesce(sum(u.length - {CAME}), 0) as bigint) from uploads u
         where u.state = 'open' and u.length is not null"
    ));
    Ok(on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await)?)
}

/// Refuses bytes that do not fit. Before this, in the same transaction, [`super::sql::lock_owner`]: of two at once the
/// second counts the first.
pub async fn check(tx: &mut Tx, quota: &Quota, now: At, owner: &UserId, bytes: i64) -> Result<()> {
    fits(quota.refusal(&used(tx, now, owner).await?, bytes))
}

/// The same for bytes that this transaction has counted already.
pub async fn check_counted(tx: &mut Tx, quota: &Quota, now: At, owner: &UserId, bytes: i64) -> Result<()> {
    fits(quota.refusal(&used(tx, now, owner).await?.without(bytes), bytes))
}

fn fits(refusal: Option<Refusal>) -> Result<()> {
    refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
