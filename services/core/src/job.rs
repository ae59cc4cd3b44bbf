//! The queue of leased jobs.
//!
//! A job is enqueued in the transaction that makes it true, and claimed with a lease on the database's clock. Every
//! lease has a token of its own; each later update names it, so a worker whose lease was lost changes nothing.
//! Claiming counts as an attempt, so a job that kills its worker ends as dead and not in a circle; what is wrong outside
//! the job (a store or a database that is away) does not count. Every attempt's end is kept. Owners take turns
//! (start-time fair queueing): a job's `turn` is fixed when it is enqueued, so one person's 500 clips stand behind
//! another person's first.

mod attempts;
mod claim;

pub use claim::{AFTER_A_LOSS, Lane, claim, is_due, reclaim};

use std::str::FromStr;

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ids::{JobId, UserId};
use crate::on;
use crate::time::{At, Millis};

/// How many times a job is tried before it is dead.
pub const MAX_ATTEMPTS: i64 = 5;
/// How long a job waits for a store or a database that is away before it is given up.
pub const PATIENCE: Millis = Millis::hours(24);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// From the received bytes to the first thing that plays. Subject: a clip version.
    Prepare,
    /// Of a version that plays as it came: the renditions, in one decode, and the storyboard. Subject: a clip version.
    Ladder,
    /// Of a version whose first rendition had to be made before anything played: the other renditions and the
    /// storyboard. Subject: a clip version.
    OtherRungs,
}

impl JobKind {
    pub const ALL: [JobKind; 3] = [JobKind::Prepare, JobKind::Ladder, JobKind::OtherRungs];

    pub const fn as_str(self) -> &'static str {
        match self {
            JobKind::Prepare => "prepare",
            JobKind::Ladder => "ladder",
            JobKind::OtherRungs => "other_rungs",
        }
    }

    /// The smaller goes first: what a person waits for outranks what makes it nicer.
    pub const fn priority(self) -> i64 {
        match self {
            JobKind::Prepare => 10,
            JobKind::Ladder | JobKind::OtherRungs => 20,
        }
    }
}

impl FromStr for JobKind {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text).ok_or_else(|| Error::Damaged(format!("job kind {text}")))
    }
}

/// The right to work on a job until it is lost. `attempt` never repeats for a subject, so it can name what was made.
#[derive(Debug, Clone)]
pub struct Lease {
    pub job: JobId,
    pub kind: JobKind,
    pub attempt: i64,
    pub token: String,
    pub subject: String,
    pub owner: UserId,
}

/// What became of a job whose attempt did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    RetryAt(At),
    Dead,
}

/// A job that nobody will try again. Whoever finds it settles its subject in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    pub job: JobId,
    pub kind: JobKind,
    pub subject: String,
}

/// 2, 8, 32, 128 seconds: long enough for what may pass, short enough for somebody who waits.
fn backoff(attempt: i64) -> Millis {
    Millis::seconds(2 * 4_i64.pow(attempt.clamp(1, 5) as u32 - 1))
}

/// As long as the trouble has lasted so far, between two seconds and a minute: so it doubles.
fn pause(lasted: Millis) -> Millis {
    Millis(lasted.0.clamp(2_000, 60_000))
}

fn lost() -> Error {
    Error::conflict("lease_lost", "这件活已经交给别的机器了。", "不用做什么，别处会接着做。")
}

/// Zero rows changed means that the lease is somebody else's by now.
fn held(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(lost()) }
}

/// A subject gets one job of a kind, whatever became of it: asking again changes nothing, unless it was called off.
/// Its attempts are counted on from those of the subject's other jobs, and from those that made what there is of it: its
/// jobs may have been lost.
pub async fn enqueue(tx: &mut Tx, now: At, kind: JobKind, subject: &str, owner: &UserId) -> Result<()> {
    // The turn that is being served is the smallest one waiting; an owner's next job stands one turn behind her last.
    let (serving, last): (i64, i64) = on!(tx, c => sqlx::query_as(
            "select coalesce(min(turn), 0), coalesce(max(turn) filter (where owner_id = $2), 0)
             from jobs where priority = $1 and state in ('ready', 'leased')")
        .bind(kind.priority()).bind(owner).fetch_one(c).await)?;
    let behind: i64 = on!(tx, c => sqlx::query_scalar(
            "select coalesce(max(attempt), 0) from (select attempt from jobs where subject = $1
                                                     union all select attempt from renditions where version_id = $1) as all_of_it")
        .bind(subject).fetch_one(c).await)?;
    on!(tx, c => sqlx::query(
            "insert into jobs (id, kind, subject, owner_id, priority, turn, state, attempt, max_attempts, anew_after,
                               run_at, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, 'ready', $7, $8, $7, 0, $9, $9)
             on conflict (subject, kind) do update
             set state = 'ready', attempt = excluded.attempt, max_attempts = excluded.max_attempts,
                 anew_after = excluded.attempt, run_at = 0, reason = null, created_at = excluded.created_at,
                 updated_at = excluded.updated_at
             where jobs.state = 'cancelled'")
        .bind(JobId::new()).bind(kind.as_str()).bind(subject).bind(owner).bind(kind.priority())
        .bind(serving.max(last + 1)).bind(behind).bind(behind + MAX_ATTEMPTS).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

/// Does a job of a subject once more, and all that follow from it, though they are done, given up or under way. Its
/// attempts are counted on, so what it makes gets keys of its own.
pub async fn again(tx: &mut Tx, now: At, kind: JobKind, subject: &str, owner: &UserId) -> Result<()> {
    cancel(tx, now, subject).await?;
    on!(tx, c => sqlx::query(
            "update jobs set state = 'cancelled', updated_at = $2 where subject = $1 and state in ('done', 'dead')")
        .bind(subject).bind(now).execute(c).await.map(drop))?;
    enqueue(tx, now, kind, subject, owner).await
}

/// Counts a new subject's attempts on from those of another life of it, which a lost database knew.
pub async fn begin_behind(tx: &mut Tx, subject: &str, attempts: i64) -> Result<()> {
    on!(tx, c => sqlx::query(
            "update jobs set attempt = attempt + $2, max_attempts = max_attempts + $2, anew_after = $2
             where subject = $1 and state = 'ready' and attempt = 0")
        .bind(subject).bind(attempts).execute(c).await.map(drop))?;
    Ok(())
}

/// What the attempts before this one left is not what the next ones make: they begin anew.
pub async fn continue_nothing(tx: &mut Tx, lease: &Lease) -> Result<()> {
    held(
        on!(tx, c => sqlx::query("update jobs set anew_after = attempt where id = $1 and token = $2 and state = 'leased'")
        .bind(&lease.job).bind(&lease.token).execute(c).await.map(|r| r.rows_affected()))?,
    )
}

fn outcome(attempt: i64, max_attempts: i64, next: At) -> Outcome {
    if attempt >= max_attempts { Outcome::Dead } else { Outcome::RetryAt(next) }
}

/// Prolongs the lease. A lease that ran out but that nobody took is still this worker's.
pub async fn renew(tx: &mut Tx, held_lease: &Lease, lease: Millis) -> Result<()> {
    let until = tx.clock().await? + lease;
    held(on!(tx, c => sqlx::query("update jobs set lease_until = $1 where id = $2 and token = $3 and state = 'leased'")
        .bind(until).bind(&held_lease.job).bind(&held_lease.token).execute(c).await.map(|r| r.rows_affected()))?)
}

/// Says in words how far it is.
pub async fn progress(tx: &mut Tx, lease: &Lease, now: At, words: &str) -> Result<()> {
    held(on!(tx, c => sqlx::query(
            "update jobs set progress = $1, updated_at = $2 where id = $3 and token = $4 and state = 'leased'")
        .bind(words).bind(now).bind(&lease.job).bind(&lease.token).execute(c).await.map(|r| r.rows_affected()))?)
}

/// Call inside every transaction that publishes: it fails when the lease was lost, and until the commit nobody else
/// can take the job (the update locks its row).
pub async fn still_held(tx: &mut Tx, lease: &Lease) -> Result<()> {
    held(on!(tx, c => sqlx::query("update jobs set token = token where id = $1 and token = $2 and state = 'leased'")
        .bind(&lease.job).bind(&lease.token).execute(c).await.map(|r| r.rows_affected()))?)
}

pub async fn finish(tx: &mut Tx, lease: &Lease, now: At) -> Result<()> {
    held(on!(&mut *tx, c => sqlx::query(
            "update jobs set state = 'done', token = null, lease_until = null, progress = null, reason = null,
                 updated_at = $1 where id = $2 and token = $3 and state = 'leased'")
        .bind(now).bind(&lease.job).bind(&lease.token).execute(c).await.map(|r| r.rows_affected()))?)?;
    attempts::end(tx, &lease.job, lease.attempt, now, "done", None).await
}

/// This attempt did not work out, for a reason that may pass. The caller settles the subject when the answer is
/// [`Outcome::Dead`].
pub async fn fail(tx: &mut Tx, lease: &Lease, reason: &str) -> Result<Outcome> {
    let (outcome, now) = after_failure(tx, lease).await?;
    give_up_lease(tx, lease, now, outcome, "failed", reason).await
}

/// What worked on it died on it, with these last words. Who dies twice with the same words will die so again: they tell
/// how far it came.
pub async fn died(tx: &mut Tx, lease: &Lease, words: &str) -> Result<Outcome> {
    let (outcome, now) = after_failure(tx, lease).await?;
    let outcome = if attempts::died_before(tx, lease, words).await? { Outcome::Dead } else { outcome };
    give_up_lease(tx, lease, now, outcome, "died", words).await
}

async fn after_failure(tx: &mut Tx, lease: &Lease) -> Result<(Outcome, At)> {
    still_held(tx, lease).await?;
    let now = tx.clock().await?;
    let (attempt, max): (i64, i64) = on!(tx, c => sqlx::query_as("select attempt, max_attempts from jobs where id = $1")
        .bind(&lease.job).fetch_one(c).await)?;
    // Of all that begun, those that count: neither another job's of this subject, nor what was handed back or postponed.
    let tries = attempt - (max - MAX_ATTEMPTS);
    Ok((outcome(attempt, max, now + backoff(tries)), now))
}

/// Something outside the job is away or full, and the job waits for it. That does not count against the job, but it is
/// given up, as by [`fail`], when nothing has come back for [`PATIENCE`].
pub async fn postpone(tx: &mut Tx, lease: &Lease, reason: &str) -> Result<Outcome> {
    still_held(tx, lease).await?;
    let now = tx.clock().await?;
    let lasted = Millis(now.0 - attempts::waiting_since(tx, lease).await?.0);
    let outcome = if lasted >= PATIENCE { Outcome::Dead } else { Outcome::RetryAt(now + pause(lasted)) };
    on!(&mut *tx, c => sqlx::query("update jobs set max_attempts = max_attempts + 1 where id = $1")
        .bind(&lease.job).execute(c).await.map(drop))?;
    give_up_lease(tx, lease, now, outcome, "postponed", reason).await
}

/// A worker that is told to stop gives the job back at once. That does not count against the job.
pub async fn hand_back(tx: &mut Tx, lease: &Lease) -> Result<()> {
    still_held(tx, lease).await?;
    let now = tx.clock().await?;
    on!(&mut *tx, c => sqlx::query("update jobs set max_attempts = max_attempts + 1, progress = null where id = $1")
        .bind(&lease.job).execute(c).await.map(drop))?;
    give_up_lease(tx, lease, now, Outcome::RetryAt(now), "handed_back", "handed back").await.map(drop)
}

/// Notes the end of an attempt on the job and among its attempts. The caller holds the lease.
async fn give_up_lease(
    tx: &mut Tx,
    lease: &Lease,
    now: At,
    outcome: Outcome,
    ended: &str,
    reason: &str,
) -> Result<Outcome> {
    let (state, run_at) = match outcome {
        Outcome::RetryAt(at) => ("ready", at),
        Outcome::Dead => ("dead", now),
    };
    on!(&mut *tx, c => sqlx::query(
            "update jobs set state = $1, run_at = $2, reason = $3, token = null, lease_until = null, updated_at = $4
             where id = $5")
        .bind(state).bind(run_at).bind(reason).bind(now).bind(&lease.job).execute(c).await.map(drop))?;
    attempts::end(tx, &lease.job, lease.attempt, now, ended, Some(reason)).await?;
    Ok(outcome)
}

/// Calls off what is still to be done for a subject; a worker on it loses its lease.
pub async fn cancel(tx: &mut Tx, now: At, subject: &str) -> Result<()> {
    attempts::cancel(tx, now, subject).await?;
    on!(tx, c => sqlx::query(
            "update jobs set state = 'cancelled', token = null, lease_until = null, updated_at = $1
             where subject = $2 and state in ('ready', 'leased')")
        .bind(now).bind(subject).execute(c).await.map(drop))?;
    Ok(())
}

/// Claims for tests of this and the other crates.
pub mod testing {
    use super::*;

    /// Takes the next job, of whatever lane.
    pub async fn claim(tx: &mut Tx, worker: &str, lease: Millis) -> Result<Option<Lease>> {
        for lane in Lane::ALL {
            if let Some(lease) = super::claim(tx, lane, worker, lease).await? {
                return Ok(Some(lease));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
