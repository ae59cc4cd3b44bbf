//! Reading and moving clips. Everything that changes a clip, its tickets or its reviews first locks the clip's row, so
//! acts on one clip happen one after another, on PostgreSQL too.

use super::rules::{Standing, what_next, why_not_submit};
use super::work::{self, Work};
use super::{Clip, ClipEvent, ClipState, MediaState, Rendition, Segment, Version, sidecar};
use crate::db::{Db, Tx};
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{ClipId, CohortId, RenditionId, UserId, VersionId};
use crate::review::{self, Ticket, TicketState};
use crate::storage::{keys, trash};
use crate::time::{At, Millis};
use crate::{audit, content, job, on, text, upload};

pub const TITLE_MAX: usize = 60;

pub async fn get(tx: &mut Tx, id: &ClipId) -> Result<Clip> {
    on!(tx, c => sqlx::query_as("select * from clips where id = $1").bind(id).fetch_optional(c).await).or_not_found()
}

/// The clip, held until the transaction ends.
pub async fn lock(tx: &mut Tx, id: &ClipId) -> Result<Clip> {
    let sql = tx.locking("select * from clips where id = $1");
    on!(tx, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await).or_not_found()
}

/// The newest first.
pub async fn versions(tx: &mut Tx, clip: &ClipId) -> Result<Vec<Version>> {
    let sql = "select * from clip_versions where clip_id = $1 order by n desc";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(clip).fetch_all(c).await)?)
}

pub async fn version(tx: &mut Tx, id: &VersionId) -> Result<Version> {
    on!(tx, c => sqlx::query_as("select * from clip_versions where id = $1").bind(id).fetch_optional(c).await)
        .or_not_found()
}

/// A version of that clip, and of no other.
pub async fn version_of(tx: &mut Tx, clip: &ClipId, id: &VersionId) -> Result<Version> {
    let version = version(tx, id).await?;
    if version.clip_id == *clip { Ok(version) } else { Err(Error::NotFound) }
}

/// Her own clips, the newest first; what she took back only when she asks for it.
pub async fn of_owner(
    tx: &mut Tx,
    owner: &UserId,
    state: Option<ClipState>,
    before: Option<&ClipId>,
    limit: i64,
) -> Result<Vec<Clip>> {
    let sql = "select * from clips
               where owner_id = $1 and ((cast($2 as text) is null and state <> 'withdrawn') or state = $2)
                 and (cast($3 as text) is null or id < $3)
               order by id desc limit $4";
    let state = state.map(ClipState::as_str);
    let before = before.map(ClipId::as_str);
    Ok(on!(tx, c => sqlx::query_as(sql).bind(owner).bind(state).bind(before).bind(limit).fetch_all(c).await)?)
}

/// A clip with all that an answer about it is made of.
#[derive(Debug, Clone)]
pub struct Detail {
    pub clip: Clip,
    /// The newest first.
    pub versions: Vec<Version>,
    /// The newest ticket.
    pub ticket: Option<Ticket>,
    pub mentor: Option<String>,
    pub unheard: i64,
    /// What the newest version still waits for.
    pub work: Option<Work>,
}

pub async fn detail(tx: &mut Tx, clip: Clip) -> Result<Detail> {
    let versions = versions(tx, &clip.id).await?;
    let ticket = review::queue::newest_of_clip(tx, &clip.id).await?;
    let mentor = match &ticket {
        Some(ticket) => review::queue::mentor_of(tx, ticket).await?,
        None => None,
    };
    let unheard = review::sent::unheard_of_clip(tx, &clip.id).await?;
    let mut detail = Detail { clip, versions, ticket, mentor, unheard, work: None };
    let newest = detail.newest().ok().filter(|v| matches!(v.state, MediaState::Received | MediaState::Processing));
    if let Some(version) = newest {
        detail.work = work::of(tx, &version.id, version.playable()).await?;
    }
    Ok(detail)
}

impl Detail {
    /// The version the clip now stands for: the newest that anybody still means. Neither an upload given up half-way
    /// nor a file that nothing could be made of hides what was there before.
    pub fn newest(&self) -> Result<&Version> {
        let came = |v: &&Version| v.state != MediaState::Abandoned;
        let meant = |v: &&Version| came(v) && (v.state != MediaState::Failed || v.playable());
        let all = || self.versions.iter();
        let newest = all().find(meant).or_else(|| all().find(came)).or(self.versions.first());
        newest.ok_or_else(|| Error::Damaged(format!("{} has no version", self.clip.id)))
    }

    /// The newest version, if it is one that nothing could be made of and another one stands for the clip.
    pub fn refused_since(&self) -> Option<&Version> {
        let standing = &self.newest().ok()?.id;
        let since = self.versions.iter().take_while(|v| v.id != *standing);
        since.into_iter().find(|v| v.state == MediaState::Failed)
    }

    /// A mentor has answered the newest version.
    pub fn answered(&self) -> bool {
        let newest = self.newest().ok().map(|v| &v.id);
        self.ticket.as_ref().is_some_and(|t| t.state == TicketState::Sent && Some(&t.version_id) == newest)
    }

    pub fn since(&self) -> At {
        let Clip { state, updated_at, .. } = self.clip;
        let ticket = self.ticket.as_ref();
        let of_ticket = match state {
            ClipState::Submitted => ticket.map(|t| t.submitted_at),
            ClipState::Passed => ticket.and_then(|t| t.sent_at),
            ClipState::Returned if self.answered() => ticket.and_then(|t| t.sent_at),
            ClipState::Reviewing | ClipState::Withdrawn => Some(updated_at),
            ClipState::Draft | ClipState::Returned => None,
        };
        let of_bytes = || {
            let version = self.newest().ok()?;
            match version.state {
                MediaState::Ready => version.ready_at,
                MediaState::Received | MediaState::Processing => version.received_at,
                MediaState::Uploading | MediaState::Abandoned => Some(version.created_at),
                MediaState::Failed => None,
            }
        };
        of_ticket.or_else(of_bytes).unwrap_or(updated_at)
    }

    pub fn why_not_submit(&self) -> Option<Refusal> {
        match self.newest() {
            Ok(v) => why_not_submit(self.clip.state, v.state, v.playable(), self.answered()),
            Err(_) => Some(Refusal::new("clip_empty", "这条里面还没有片子", "重新传一条")),
        }
    }

    pub fn what_next(&self, now: At, refusal: Option<&Refusal>) -> String {
        let (media, playable) = self.newest().map_or((MediaState::Abandoned, false), |v| (v.state, v.playable()));
        let standing = Standing {
            state: self.clip.state,
            media,
            playable,
            answered: self.answered(),
            since: self.since(),
            due_at: self.ticket.as_ref().map(|t| t.due_at),
            mentor: self.mentor.as_deref(),
            unheard: self.unheard,
            has_assignment: self.clip.assignment_code.is_some(),
            refusal,
            work: self.work.as_ref(),
        };
        what_next(&standing, now)
    }
}

/// Moves the clip along, if it still stands where the caller saw it.
pub async fn advance(tx: &mut Tx, now: At, clip: &Clip, event: ClipEvent) -> Result<ClipState> {
    let to = clip.state.after(event).ok_or_else(moved_on)?;
    let rows = on!(tx, c => sqlx::query("update clips set state = $3, updated_at = $4 where id = $1 and state = $2")
        .bind(&clip.id).bind(clip.state).bind(to).bind(now).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 0 {
        return Err(moved_on());
    }
    sidecar::touch(tx, &clip.id).await?;
    Ok(to)
}

fn moved_on() -> Error {
    Error::conflict("clip_moved_on", "这条的情况刚刚变了", "刷新看看现在到哪一步")
}

/// A name is not a step: `updated_at` stays when the clip last moved.
pub async fn rename(tx: &mut Tx, clip: &Clip, title: &str) -> Result<()> {
    let title = text::one_line(title);
    if title.is_empty() || title.chars().count() > TITLE_MAX {
        let message = format!("名字要有字，最多 {TITLE_MAX} 个字");
        return Err(Refusal::new("bad_title", message, "换一个短一点的名字").into());
    }
    on!(tx, c => sqlx::query("update clips set title = $2 where id = $1")
        .bind(&clip.id).bind(title).execute(c).await.map(drop))?;
    sidecar::touch(tx, &clip.id).await
}

/// Takes the clip back, out of every queue. Asking again changes nothing.
pub async fn withdraw(tx: &mut Tx, now: At, actor: &UserId, id: &ClipId) -> Result<()> {
    let clip = lock(tx, id).await?;
    if clip.state == ClipState::Withdrawn {
        return Ok(());
    }
    advance(tx, now, &clip, ClipEvent::Withdraw).await?;
    review::queue::cancel_of_clip(tx, id).await?;
    upload::sql::terminate_of_clip(tx, now, id).await?;
    for version in versions(tx, id).await? {
        job::cancel(tx, now, version.id.as_str()).await?;
        // What she took back does not come back with the bucket. Nobody reads it meanwhile, so it is due at once.
        trash::put(tx, now - trash::GRACE, &keys::sidecar(id, &version.id), None).await?;
    }
    let detail = serde_json::json!({ "from": clip.state });
    audit::append(tx, now, Some(actor), "clip.withdrawn", id.as_str(), &detail).await
}

/// Takes back what she handed in, while no mentor has begun with it: it is hers to change again. Asking again changes
/// nothing.
pub async fn retract(tx: &mut Tx, now: At, actor: &UserId, id: &ClipId) -> Result<()> {
    let clip = lock(tx, id).await?;
    match clip.state {
        ClipState::Draft | ClipState::Returned => return Ok(()),
        ClipState::Submitted => {}
        ClipState::Reviewing => {
            return Err(Error::conflict("being_reviewed", "老师已经打开看了", "等她看完，改好再交一版"));
        }
        ClipState::Passed | ClipState::Withdrawn => return Err(moved_on()),
    }
    let answered: i64 = on!(&mut *tx, c => sqlx::query_scalar("select count(*) from review_tickets where clip_id = $1 and state = 'sent'")
        .bind(id).fetch_one(c).await)?;
    advance(tx, now, &clip, ClipEvent::Retract { answered: answered > 0 }).await?;
    review::queue::cancel_of_clip(tx, id).await?;
    audit::append(tx, now, Some(actor), "clip.retracted", id.as_str(), &serde_json::json!({})).await
}

/// Hands the newest version in for an assignment: the clip is submitted and its ticket waits. Asking again while it
/// waits changes nothing.
pub async fn submit(
    tx: &mut Tx,
    now: At,
    id: &ClipId,
    assignment: Option<&str>,
    own_cohort: Option<&CohortId>,
) -> Result<()> {
    let detail = {
        let clip = lock(tx, id).await?;
        detail(tx, clip).await?
    };
    let clip = &detail.clip;
    let assignment = match (assignment, clip.assignment_code.as_deref()) {
        // What was answered once stays the answer to the same assignment.
        (Some(asked), Some(known)) if asked != known && clip.state != ClipState::Draft => {
            return Err(Refusal::new("other_assignment", "这条已经交给另一份作业了", "新传一条，再交这份作业").into());
        }
        (asked, known) => asked.or(known),
    };
    if matches!(clip.state, ClipState::Submitted | ClipState::Reviewing) {
        return Ok(());
    }
    if let Some(refusal) = detail.why_not_submit() {
        return Err(refusal.into());
    }
    let assignment = assignment
        .and_then(|code| content::course().assignment(code))
        .filter(|a| a.is_clip())
        .ok_or_else(|| Refusal::new("assignment_needed", "还不知道这条是哪份作业", "选一份要交片子的作业，再交"))?;
    let cohort =
        clip.cohort_id.as_ref().or(own_cohort).ok_or_else(|| {
            Refusal::new("cohort_needed", "你还没有进班，交了也没有老师看", "先请县里的老师把你加进班")
        })?;
    on!(tx, c => sqlx::query("update clips set assignment_code = $2, cohort_id = $3 where id = $1")
        .bind(id).bind(&assignment.code).bind(cohort).execute(c).await.map(drop))?;
    advance(tx, now, clip, ClipEvent::Submit).await?;
    review::queue::open(tx, now, clip, &detail.newest()?.id, cohort, &assignment.code).await
}

/// The rungs that can be played, the widest picture first: of each name the whole one if there is one, and then the
/// oldest attempt. A later attempt takes its place, and its rows away, when it has caught up (see `publish`).
pub async fn renditions(tx: &mut Tx, version: &VersionId) -> Result<Vec<Rendition>> {
    let sql = "select * from renditions r where version_id = $1
                 and exists (select 1 from rendition_segments s where s.rendition_id = r.id)
               order by complete desc, attempt";
    let all: Vec<Rendition> = on!(tx, c => sqlx::query_as(sql).bind(version).fetch_all(c).await)?;
    let mut best: Vec<Rendition> = Vec::new();
    for rendition in all {
        if best.iter().all(|r| r.name != rendition.name) {
            best.push(rendition);
        }
    }
    best.sort_by_key(|r| std::cmp::Reverse((r.width * r.height, r.bandwidth)));
    Ok(best)
}

pub async fn rendition(tx: &mut Tx, version: &VersionId, attempt: i64, name: &str) -> Result<Rendition> {
    let sql = "select * from renditions where version_id = $1 and attempt = $2 and name = $3";
    on!(tx, c => sqlx::query_as(sql).bind(version).bind(attempt).bind(name).fetch_optional(c).await).or_not_found()
}

pub async fn segments(tx: &mut Tx, rendition: &RenditionId) -> Result<Vec<Segment>> {
    let sql = "select n, duration_ms, bytes, key from rendition_segments where rendition_id = $1 order by n";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(rendition).fetch_all(c).await)?)
}

pub async fn segment(tx: &mut Tx, rendition: &RenditionId, n: i64) -> Result<Segment> {
    let sql = "select n, duration_ms, bytes, key from rendition_segments where rendition_id = $1 and n = $2";
    on!(tx, c => sqlx::query_as(sql).bind(rendition).bind(n).fetch_optional(c).await).or_not_found()
}

/// Somebody's look at a clip that isn't hers stays in the audit log: once an hour, not for each time a page asks again.
pub async fn log_look(db: &Db, now: At, reader: &UserId, clip: &Clip) -> Result<()> {
    if clip.owner_id == *reader {
        return Ok(());
    }
    let sql =
        "select count(*) from audit_events where subject = $1 and action = 'clip.looked' and actor_id = $2 and at > $3";
    let mut tx = db.read().await?;
    let lately: i64 = on!(&mut tx, c => sqlx::query_scalar(sql)
        .bind(&clip.id).bind(reader).bind(now - Millis::hours(1)).fetch_one(c).await)?;
    drop(tx);
    if lately == 0 {
        let mut tx = db.write().await?;
        let detail = serde_json::json!({ "state": clip.state });
        audit::append(&mut tx, now, Some(reader), "clip.looked", clip.id.as_str(), &detail).await?;
        tx.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "sql_tests.rs"]
mod tests;
