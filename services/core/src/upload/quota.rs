//! How much one person may send: in one file, on one day, and in all that is kept of her. Decided before the first byte
//! where the length is known, and told with the real numbers.
//!
//! A day is a calendar day in China: it begins at midnight for everybody, which is what a person understands by
//! "tomorrow". What was begun today counts with its whole length while it may still come in, and with what came in once
//! it ended in vain. Stretches count, and what they are joined to does not count once more.

use crate::db::Tx;
use crate::error::{Refusal, Result};
use crate::ids::UserId;
use crate::on;
use crate::size::words as size;
use crate::time::At;

/// Less than this is nothing: no film is so short.
pub const LITTLE: i64 = 1_000_000;
const GB: i64 = 1_000_000_000;

/// In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub per_file: i64,
    pub per_day: i64,
    /// Everything that is kept of her and still comes in, but not what she took back.
    pub per_person: i64,
}

impl Default for Quota {
    fn default() -> Self {
        // Ten minutes at the best quality of a phone; a class's practice of a day; a hundred clips as they usually are.
        Self { per_file: 2 * GB, per_day: 5 * GB, per_person: 20 * GB }
    }
}

/// What of it she has used, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub today: i64,
    pub kept: i64,
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

    /// Why a file of so many bytes is not taken, or None when it is.
    pub fn refusal(&self, used: &Used, bytes: i64) -> Option<Refusal> {
        if bytes > self.per_file {
            return Some(too_big(Some(bytes), self.per_file));
        }
        if bytes > self.per_person - used.kept {
            let kept = size(used.kept);
            let message = format!("你的片子一共占了 {kept}，一个人最多放 {}，这条放不下了。", size(self.per_person));
            let next_step = "到作品页，把不要的收回，再传这条。";
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
        Some(bytes) => format!("这条有 {}，一条最多 {}。", size(bytes), size(most)),
        None => format!("这个文件太大了，一条最多 {}。", size(most)),
    };
    Refusal::new("too_big", message, "用 1080p 导出，或者剪短一些再传。")
}

/// What she has used at this moment.
pub async fn used(tx: &mut Tx, now: At, owner: &UserId) -> Result<Used> {
    // What came in of an upload: its parts and the pieces of its tail.
    const CAME: &str = "(select coalesce(sum(p.len), 0) from upload_parts p where p.upload_id = u.id)
                      + (select coalesce(sum(t.len), 0) from upload_tails t where t.upload_id = u.id)";
    let kept = sqlx::AssertSqlSafe(format!(
        "select cast((select coalesce(sum(v.bytes), 0) from clip_versions v join clips c on c.id = v.clip_id
                      where c.owner_id = $1 and c.state <> 'withdrawn' and v.original_key is not null)
                   + (select coalesce(sum(coalesce(u.length, {CAME})), 0) from uploads u
                      where u.owner_id = $1 and u.kind <> 'final'
                        and (u.state in ('open', 'completing') or u.kind = 'partial' and u.state = 'complete')) as bigint)"
    ));
    let today = sqlx::AssertSqlSafe(format!(
        "select cast(coalesce(sum(case when u.state in ('open', 'completing', 'complete') and u.length is not null
                                       then u.length else {CAME} end), 0) as bigint)
         from uploads u where u.owner_id = $1 and u.kind <> 'final' and u.created_at >= $2"
    ));
    Ok(Used {
        kept: on!(&mut *tx, c => sqlx::query_scalar(kept).bind(owner).fetch_one(c).await)?,
        today: on!(&mut *tx, c => sqlx::query_scalar(today).bind(owner).bind(now.china_midnight()).fetch_one(c).await)?,
    })
}

/// Refuses a file that does not fit. Before this, in the same transaction, [`super::sql::lock_owner`]: of two creations
/// at once the second counts the first.
pub async fn check(tx: &mut Tx, quota: &Quota, now: At, owner: &UserId, bytes: i64) -> Result<()> {
    match quota.refusal(&used(tx, now, owner).await?, bytes) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
