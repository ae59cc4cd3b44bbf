//! Tickets and who holds them. Leases are granted and judged by the database's clock.

use super::{LEASE, RENEWALS, Step, Ticket, TicketState, priority, promise};
use crate::clip::sql::{advance, lock};
use crate::clip::{Clip, ClipEvent};
use crate::db::{Db, Tx};
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{ClipId, CohortId, TicketId, UserId, VersionId};
use crate::text::one_line;
use crate::time::At;
use crate::{audit, content, on};

/// A version waits for a mentor. Its promise begins now.
pub async fn open(
    tx: &mut Tx,
    now: At,
    clip: &Clip,
    version: &VersionId,
    cohort: &CohortId,
    assignment: &str,
) -> Result<()> {
    let calendar = content::work_calendar();
    let points = priority::points(priority::facts(tx, now, clip, version, cohort).await?);
    let (due_at, escalates_at) = (promise::due(calendar, now), promise::next(calendar, now, None).map(|(_, at)| at));
    // One ticket for one version, however often she taps; what she took back and hands in again waits from now on.
    on!(tx, c => sqlx::query(
            "insert into review_tickets (id, clip_id, version_id, cohort_id, assignment_code, state, submitted_at, due_at, escalates_at, priority)
             values ($1, $2, $3, $4, $5, 'waiting', $6, $7, $8, $9)
             on conflict (version_id) do update set state = 'waiting', cohort_id = excluded.cohort_id,
                 assignment_code = excluded.assignment_code, submitted_at = excluded.submitted_at, due_at = excluded.due_at,
                 escalated = null, escalates_at = excluded.escalates_at, priority = excluded.priority
             where review_tickets.state = 'cancelled'")
        .bind(TicketId::new()).bind(&clip.id).bind(version).bind(cohort).bind(assignment).bind(now).bind(due_at)
        .bind(escalates_at).bind(points).execute(c).await.map(drop))?;
    Ok(())
}

pub async fn get(tx: &mut Tx, id: &TicketId) -> Result<Ticket> {
    on!(tx, c => sqlx::query_as("select * from review_tickets where id = $1").bind(id).fetch_optional(c).await)
        .or_not_found()
}

pub async fn newest_of_clip(tx: &mut Tx, clip: &ClipId) -> Result<Option<Ticket>> {
    let sql = "select * from review_tickets where clip_id = $1 order by submitted_at desc, id desc limit 1";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(clip).fetch_optional(c).await)?)
}

/// The ticket of a version that was handed in.
pub async fn of_version(tx: &mut Tx, version: &VersionId) -> Result<Option<Ticket>> {
    let sql = "select * from review_tickets where version_id = $1";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(version).fetch_optional(c).await)?)
}

/// The name of who holds it, or of who answered it.
pub async fn mentor_of(tx: &mut Tx, ticket: &Ticket) -> Result<Option<String>> {
    let sql = "select u.display_name from users u where u.id = coalesce($1,
                 (select reviewer_id from reviews where ticket_id = $2 and state = 'sent'))";
    let holder = ticket.holder_id.as_ref().map(UserId::as_str);
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(holder).bind(&ticket.id).fetch_optional(c).await)?)
}

/// The ticket and its clip, held until the transaction ends.
pub async fn lock_both(tx: &mut Tx, id: &TicketId) -> Result<(Clip, Ticket)> {
    let seen = get(tx, id).await?;
    let clip = lock(tx, &seen.clip_id).await?;
    // Read again behind the lock: what was seen before it may have moved on.
    Ok((clip, get(tx, id).await?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    Waiting,
    Mine,
    Sent,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Counts {
    pub waiting: i64,
    pub mine: i64,
    pub sent: i64,
}

const SENT_SHOWN: i64 = 100;

/// What waits for her: clips of the cohorts she teaches, but never her own, nor what she does not judge.
const WAITING: &str = "from review_tickets t join clips c on c.id = t.clip_id
    join memberships m on m.cohort_id = t.cohort_id and m.user_id = $1 and m.part = 'mentor' and m.state <> 'withdrawn'
    where t.state = 'waiting' and c.owner_id <> $1
      and not exists (select 1 from review_recusals x join review_tickets y on y.id = x.ticket_id
        where y.clip_id = t.clip_id and x.mentor_id = $1)";

/// Her cohorts' tickets in that view: what is overdue comes before everything, the oldest promise first; then by its points
/// (see [`priority`]). What she sent, the newest first.
pub async fn list(tx: &mut Tx, mentor: &UserId, view: View) -> Result<Vec<Ticket>> {
    let now = tx.clock().await?;
    let waiting = format!(
        "select t.* {WAITING} order by case when t.due_at <= $2 then 0 else 1 end,
           case when t.due_at <= $2 then 0 else -t.priority end, t.due_at, t.id limit 100"
    );
    let sql = match view {
        View::Waiting => waiting.as_str(),
        View::Mine => {
            "select * from review_tickets where state = 'claimed' and holder_id = $1 and submitted_at <= $2 order by due_at, id"
        }
        View::Sent => {
            "select t.* from review_tickets t join reviews r on r.ticket_id = t.id and r.state = 'sent'
             join clips c on c.id = t.clip_id and c.state <> 'withdrawn'
             where r.reviewer_id = $1 and r.sent_at <= $2 order by r.sent_at desc, t.id desc limit 100"
        }
    };
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    Ok(on!(tx, c => sqlx::query_as(sql).bind(mentor).bind(now).fetch_all(c).await)?)
}

pub async fn counts(tx: &mut Tx, mentor: &UserId) -> Result<Counts> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select
               (select count(*) {WAITING}),
               (select count(*) from review_tickets where state = 'claimed' and holder_id = $1),
               (select count(*) from reviews r join review_tickets t on t.id = r.ticket_id
                join clips c on c.id = t.clip_id and c.state <> 'withdrawn'
                where r.state = 'sent' and r.reviewer_id = $1)"
    ));
    let (waiting, mine, sent): (i64, i64, i64) = on!(tx, c => sqlx::query_as(sql).bind(mentor).fetch_one(c).await)?;
    Ok(Counts { waiting, mine, sent: sent.min(SENT_SHOWN) })
}

/// Takes the ticket for four hours. Taking what she already holds changes nothing.
pub async fn claim(tx: &mut Tx, id: &TicketId, mentor: &UserId) -> Result<()> {
    let (clip, ticket) = lock_both(tx, id).await?;
    let now = tx.clock().await?;
    if is_recused(tx, id, mentor).await? {
        return Err(Error::conflict("recused", "这一条你回避了", "回队列，看下一条"));
    }
    match (ticket.state, ticket.held_by(now)) {
        (_, Some(holder)) if holder == mentor => return Ok(()),
        (_, Some(_)) => return Err(Error::conflict("ticket_taken", "别的老师正在看这一条", "回队列，看下一条")),
        (TicketState::Sent, _) => return Err(Error::conflict("ticket_sent", "这一条已经点评过了", "回队列，看下一条")),
        (TicketState::Cancelled, _) => {
            return Err(Error::conflict("ticket_cancelled", "她把这一条收回去了", "回队列，看下一条"));
        }
        (TicketState::Waiting, _) => {
            advance(tx, now, &clip, ClipEvent::Claim).await?;
        }
        // A lease that ran out: the clip is still being reviewed, only by somebody else now.
        (TicketState::Claimed, None) => {}
    }
    on!(tx, c => sqlx::query(
            "update review_tickets set state = 'claimed', holder_id = $2, lease_until = $3, lease_renewals = 0 where id = $1")
        .bind(id).bind(mentor).bind(now + LEASE).execute(c).await.map(drop))?;
    audit::append(tx, now, Some(mentor), "review.claimed", clip.id.as_str(), &serde_json::json!({ "ticket": id })).await
}

/// Puts the ticket back; her draft stays hers. Letting go of what she doesn't hold changes nothing.
pub async fn release(tx: &mut Tx, id: &TicketId, mentor: &UserId) -> Result<()> {
    let (clip, ticket) = lock_both(tx, id).await?;
    if ticket.state != TicketState::Claimed || ticket.holder_id.as_ref() != Some(mentor) {
        return Ok(());
    }
    let now = tx.clock().await?;
    back_to_waiting(tx, now, &clip, &ticket).await
}

const REASON_MAX: usize = 60;

/// She does not judge this clip, in no version of it, and says why. If she holds it, it goes back for another; what she wrote is nobody's. Saying
/// it again changes nothing.
pub async fn recuse(tx: &mut Tx, id: &TicketId, mentor: &UserId, reason: &str) -> Result<()> {
    let reason = one_line(reason);
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        let message = format!("写一句为什么回避，最多 {REASON_MAX} 个字");
        return Err(Refusal::new("bad_reason", message, "比如：她是我表妹").into());
    }
    let (clip, ticket) = lock_both(tx, id).await?;
    if ticket.state == TicketState::Sent {
        return Err(Error::conflict("ticket_sent", "这一条已经点评过了", "回队列，看下一条"));
    }
    let now = tx.clock().await?;
    let sql =
        "insert into review_recusals (ticket_id, mentor_id, reason, at) values ($1, $2, $3, $4) on conflict do nothing";
    let new = on!(&mut *tx, c => sqlx::query(sql).bind(id).bind(mentor).bind(&reason).bind(now).execute(c).await
        .map(|r| r.rows_affected()))?;
    if new == 0 {
        return Ok(());
    }
    if ticket.state == TicketState::Claimed && ticket.holder_id.as_ref() == Some(mentor) {
        back_to_waiting(tx, now, &clip, &ticket).await?;
    }
    let detail = serde_json::json!({ "ticket": id, "reason": reason });
    audit::append(tx, now, Some(mentor), "review.recused", clip.id.as_str(), &detail).await
}

pub async fn is_recused(tx: &mut Tx, id: &TicketId, mentor: &UserId) -> Result<bool> {
    let sql = "select count(*) from review_tickets t join review_tickets y on y.clip_id = t.clip_id
               join review_recusals x on x.ticket_id = y.id where t.id = $1 and x.mentor_id = $2";
    let n: i64 = on!(tx, c => sqlx::query_scalar(sql).bind(id).bind(mentor).fetch_one(c).await)?;
    Ok(n > 0)
}

/// Mentors of its cohort who may still judge it.
pub async fn mentors_left(tx: &mut Tx, id: &TicketId) -> Result<i64> {
    let sql = "select count(*) from review_tickets t join clips c on c.id = t.clip_id
               join memberships m on m.cohort_id = t.cohort_id and m.part = 'mentor' and m.state <> 'withdrawn'
               where t.id = $1 and m.user_id <> c.owner_id
                 and not exists (select 1 from review_recusals x join review_tickets y on y.id = x.ticket_id
                   where y.clip_id = t.clip_id and x.mentor_id = m.user_id)";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(id).fetch_one(c).await)?)
}

async fn back_to_waiting(tx: &mut Tx, now: At, clip: &Clip, ticket: &Ticket) -> Result<()> {
    on!(tx, c => sqlx::query(
            "update review_tickets set state = 'waiting', holder_id = null, lease_until = null where id = $1 and state = 'claimed'")
        .bind(&ticket.id).execute(c).await.map(drop))?;
    advance(tx, now, clip, ClipEvent::HandBack).await.map(drop)
}

/// Writing keeps the lease alive when it nears its end, but not for ever.
pub(super) async fn renew(tx: &mut Tx, now: At, ticket: &Ticket) -> Result<()> {
    let nearly_over = ticket.lease_until.is_some_and(|until| (until - now).0 < LEASE.0 / 4);
    if nearly_over && ticket.lease_renewals < RENEWALS {
        on!(tx, c => sqlx::query(
                "update review_tickets set lease_until = $2, lease_renewals = lease_renewals + 1 where id = $1")
            .bind(&ticket.id).bind(now + LEASE).execute(c).await.map(drop))?;
    }
    Ok(())
}

pub(crate) async fn cancel_of_clip(tx: &mut Tx, clip: &ClipId) -> Result<()> {
    on!(tx, c => sqlx::query(
            "update review_tickets set state = 'cancelled', holder_id = null, lease_until = null
             where clip_id = $1 and state in ('waiting', 'claimed')")
        .bind(clip).execute(c).await.map(drop))?;
    Ok(())
}

/// Returns what ran out to the queue, and says how many. Cheap when there is nothing to do, so every reader of the
/// queue may call it.
pub async fn sweep(db: &Db) -> Result<usize> {
    let sql =
        "select id from review_tickets where state = 'claimed' and lease_until <= $1 order by lease_until limit 100";
    let mut tx = db.read().await?;
    let now = tx.clock().await?;
    let over: Vec<TicketId> = on!(&mut tx, c => sqlx::query_scalar(sql).bind(now).fetch_all(c).await)?;
    drop(tx);
    let mut swept = 0;
    for id in over {
        let mut tx = db.write().await?;
        let (clip, ticket) = lock_both(&mut tx, &id).await?;
        let now = tx.clock().await?;
        if ticket.state == TicketState::Claimed && ticket.held_by(now).is_none() {
            back_to_waiting(&mut tx, now, &clip, &ticket).await?;
            tx.commit().await?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Takes the steps whose time has come, each once and with a line in the audit log, and says how many.
pub async fn escalate(db: &Db) -> Result<usize> {
    let sql = "select id from review_tickets where state in ('waiting', 'claimed') and escalates_at <= $1
               order by escalates_at limit 100";
    let mut tx = db.read().await?;
    let now = tx.clock().await?;
    let due: Vec<TicketId> = on!(&mut tx, c => sqlx::query_scalar(sql).bind(now).fetch_all(c).await)?;
    drop(tx);
    let mut taken = 0;
    for id in due {
        let mut tx = db.write().await?;
        taken += escalate_one(&mut tx, &id).await?;
        tx.commit().await?;
    }
    Ok(taken)
}

async fn escalate_one(tx: &mut Tx, id: &TicketId) -> Result<usize> {
    let (clip, ticket) = lock_both(tx, id).await?;
    if !matches!(ticket.state, TicketState::Waiting | TicketState::Claimed) {
        return Ok(0);
    }
    let (now, calendar) = (tx.clock().await?, content::work_calendar());
    let steps = promise::steps_due(calendar, ticket.submitted_at, ticket.escalated, now);
    for step in &steps {
        let detail = serde_json::json!({ "ticket": id, "step": step });
        audit::append(tx, now, None, "review.escalated", clip.id.as_str(), &detail).await?;
    }
    let taken: Option<Step> = steps.last().copied().or(ticket.escalated);
    let next = promise::next(calendar, ticket.submitted_at, taken).map(|(_, at)| at);
    on!(tx, c => sqlx::query("update review_tickets set escalated = $2, escalates_at = $3 where id = $1")
        .bind(id).bind(taken).bind(next).execute(c).await.map(drop))?;
    Ok(steps.len())
}
