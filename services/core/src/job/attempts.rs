//! What became of every attempt at a job: a job's own row says only what was last.

use super::Lease;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::JobId;
use crate::on;
use crate::time::At;

pub(super) async fn begin(tx: &mut Tx, lease: &Lease, worker: &str, now: At) -> Result<()> {
    on!(tx, c => sqlx::query("insert into job_attempts (job_id, attempt, worker, began_at) values ($1, $2, $3, $4)")
        .bind(&lease.job).bind(lease.attempt).bind(worker).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

pub(super) async fn end(
    tx: &mut Tx,
    job: &JobId,
    attempt: i64,
    now: At,
    outcome: &str,
    words: Option<&str>,
) -> Result<()> {
    on!(tx, c => sqlx::query("update job_attempts set ended_at = $3, outcome = $4, words = $5 where job_id = $1 and attempt = $2")
        .bind(job).bind(attempt).bind(now).bind(outcome).bind(words).execute(c).await.map(drop))?;
    Ok(())
}

/// Attempts under way at a subject's jobs end without a word of theirs.
pub(super) async fn cancel(tx: &mut Tx, now: At, subject: &str) -> Result<()> {
    on!(tx, c => sqlx::query(
            "update job_attempts set ended_at = $1, outcome = 'cancelled'
             where ended_at is null and job_id in (select id from jobs where subject = $2 and state = 'leased')")
        .bind(now).bind(subject).execute(c).await.map(drop))?;
    Ok(())
}

/// Whether an earlier attempt, since the job was last asked for, died with the same words.
pub(super) async fn died_before(tx: &mut Tx, lease: &Lease, words: &str) -> Result<bool> {
    let n: i64 = on!(tx, c => sqlx::query_scalar(
            "select count(*) from job_attempts a join jobs j on j.id = a.job_id
             where a.job_id = $1 and a.attempt < $2 and a.outcome = 'died' and a.words = $3
               and a.attempt > j.anew_after")
        .bind(&lease.job).bind(lease.attempt).bind(words).fetch_one(c).await)?;
    Ok(n > 0)
}

/// When the trouble began that this attempt is about to be postponed for. A run of postponed attempts becomes one row,
/// which begins with the first of them: a store that is away for a day would otherwise fill the table.
pub(super) async fn waiting_since(tx: &mut Tx, lease: &Lease) -> Result<At> {
    let earlier: Option<At> = on!(&mut *tx, c => sqlx::query_scalar(
            "delete from job_attempts where job_id = $1 and attempt = $2 - 1 and outcome = 'postponed' returning began_at")
        .bind(&lease.job).bind(lease.attempt).fetch_optional(c).await)?;
    let since: At = on!(tx, c => sqlx::query_scalar(
            "update job_attempts set began_at = coalesce($3, began_at) where job_id = $1 and attempt = $2 returning began_at")
        .bind(&lease.job).bind(lease.attempt).bind(earlier).fetch_one(c).await)?;
    Ok(since)
}
