//! Who gets which job next, and what becomes of leases that ran out.

use std::fmt::Write as _;

use super::{Dead, Lease, Outcome, attempts, outcome};
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{JobId, UserId};
use crate::on;
use crate::time::Millis;

/// The job of a worker that went away has waited for its whole lease already.
pub const AFTER_A_LOSS: Millis = Millis::seconds(1);

/// Which jobs one of a worker's loops takes. What only makes a clip nicer takes minutes: if it had all hands, whoever
/// waits for her clip to play at all would wait for it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// What makes a clip play.
    First,
    /// What makes it nicer.
    Rest,
}

impl Lane {
    pub const ALL: [Lane; 2] = [Lane::First, Lane::Rest];
}

// The kinds are spelled out: a job of a kind that this build does not know stays for a worker that does. The priorities
// keep a lane from reading through what waits in the other.
macro_rules! kinds {
    (First) => {
        "priority <= 10 and kind in ('prepare')"
    };
    (Rest) => {
        "priority > 10 and kind in ('ladder', 'other_rungs')"
    };
    (Any) => {
        "kind in ('prepare', 'ladder', 'other_rungs')"
    };
}

macro_rules! due {
    ($lane:ident) => {
        concat!(
            "select count(*) from (select 1 as one from jobs
             where (state = 'ready' and run_at <= $1 and ",
            kinds!($lane),
            ") or (state = 'leased' and lease_until < $1 and ",
            kinds!(Any),
            ") limit 1) as due"
        )
    };
}

/// Whether it is worth opening a writing transaction: something is due in that lane, or a lease has run out.
pub async fn is_due(tx: &mut Tx, lane: Lane) -> Result<bool> {
    let now = tx.clock().await?;
    let sql = match lane {
        Lane::First => due!(First),
        Lane::Rest => due!(Rest),
    };
    let n: i64 = on!(tx, c => sqlx::query_scalar(sql).bind(now).fetch_one(c).await)?;
    Ok(n > 0)
}

macro_rules! next {
    ($lane:ident, $lock:literal) => {
        concat!(
            "update jobs set state = 'leased', attempt = attempt + 1, token = $1, lease_until = $2, worker = $3,
                 progress = null, updated_at = $4
             where id = (select id from jobs where state = 'ready' and run_at <= $4 and ",
            kinds!($lane),
            " order by priority, turn, id limit 1 ",
            $lock,
            ") returning id, kind, attempt, subject, owner_id"
        )
    };
}

type JobRow = (JobId, String, i64, String, UserId);

/// Takes the next job of a lane for `lease` long.
pub async fn claim(tx: &mut Tx, lane: Lane, worker: &str, lease: Millis) -> Result<Option<Lease>> {
    let now = tx.clock().await?;
    let token = new_token();
    let sql = match lane {
        Lane::First => tx.pick(next!(First, ""), next!(First, "for update skip locked")),
        Lane::Rest => tx.pick(next!(Rest, ""), next!(Rest, "for update skip locked")),
    };
    let row: Option<JobRow> = on!(tx, c => sqlx::query_as(sql)
        .bind(&token).bind(now + lease).bind(worker).bind(now).fetch_optional(c).await)?;
    let Some((job, kind, attempt, subject, owner)) = row else { return Ok(None) };
    let lease = Lease { job, kind: kind.parse()?, attempt, token, subject, owner };
    attempts::begin(tx, &lease, worker, now).await?;
    Ok(Some(lease))
}

macro_rules! expired {
    ($lock:literal) => {
        concat!(
            "select id, kind, attempt, max_attempts, subject, token from jobs
             where state = 'leased' and lease_until < $1 and ",
            kinds!(Any),
            " order by lease_until limit 20 ",
            $lock
        )
    };
}

/// Takes back the leases that ran out: back to the queue, or dead when that was the last attempt.
/// Answers the dead.
pub async fn reclaim(tx: &mut Tx) -> Result<Vec<Dead>> {
    let now = tx.clock().await?;
    // One whose worker is still at its last commit is not waited for, nor is another worker that takes it back.
    let sql = tx.pick(expired!(""), expired!("for update skip locked"));
    let expired: Vec<(JobId, String, i64, i64, String, String)> =
        on!(tx, c => sqlx::query_as(sql).bind(now).fetch_all(c).await)?;
    let mut dead = Vec::new();
    for (job, kind, attempt, max, subject, token) in expired {
        let outcome = outcome(attempt, max, now + AFTER_A_LOSS);
        let reason = "the worker went away";
        // Its worker may have renewed or finished since: then the row no longer matches, and is left alone.
        let rows = match outcome {
            Outcome::RetryAt(at) => on!(tx, c => sqlx::query(
                    "update jobs set state = 'ready', token = null, lease_until = null, run_at = $1, reason = $2,
                         updated_at = $3 where id = $4 and token = $5 and state = 'leased' and lease_until < $3")
                .bind(at).bind(reason).bind(now).bind(&job).bind(&token).execute(c).await.map(|r| r.rows_affected()))?,
            Outcome::Dead => on!(tx, c => sqlx::query(
                    "update jobs set state = 'dead', token = null, lease_until = null, reason = $1,
                         updated_at = $2 where id = $3 and token = $4 and state = 'leased' and lease_until < $2")
                .bind(reason).bind(now).bind(&job).bind(&token).execute(c).await.map(|r| r.rows_affected()))?,
        };
        if rows == 1 {
            attempts::end(tx, &job, attempt, now, "gone", None).await?;
        }
        if rows == 1 && outcome == Outcome::Dead {
            dead.push(Dead { job, kind: kind.parse()?, subject });
        }
    }
    Ok(dead)
}

fn new_token() -> String {
    rand::random::<[u8; 16]>().iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobKind;

    /// Workers ask several times a second, and what is done stays in the table.
    #[tokio::test]
    async fn asking_the_queue_reads_no_more_than_what_waits() {
        let folder = crate::db::testing::folder();
        let db = crate::db::testing::sqlite(folder.path()).await;
        let mut tx = db.read().await.unwrap();
        for (sql, bound) in [
            (next!(First, ""), "(state=? AND priority<?)"),
            (next!(Rest, ""), "(state=? AND priority>?)"),
            (due!(First), "(state=? AND priority<?)"),
            (due!(Rest), "(state=? AND priority>?)"),
        ] {
            let sql = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
            let plan: Vec<(i64, i64, i64, String)> = on!(&mut tx, c => sqlx::query_as(sql).fetch_all(c).await).unwrap();
            let plan: Vec<String> = plan.into_iter().map(|row| row.3).collect();
            assert!(plan.iter().any(|step| step.contains("jobs_queue ") && step.contains(bound)), "{plan:?}");
            assert!(plan.iter().all(|step| !step.contains("SCAN jobs") && !step.contains("TEMP B-TREE")), "{plan:?}");
        }
    }

    #[test]
    fn every_kind_has_one_lane() {
        let list = JobKind::ALL.map(|k| format!("'{}'", k.as_str())).join(", ");
        assert_eq!(kinds!(Any), format!("kind in ({list})"));
        for kind in JobKind::ALL {
            let name = format!("'{}'", kind.as_str());
            assert!(kinds!(First).contains(&name) != kinds!(Rest).contains(&name), "{name}");
            assert_eq!(kinds!(First).contains(&name), kind.priority() <= 10, "{name}");
        }
    }
}
