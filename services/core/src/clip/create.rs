//! The first half of a version's life: made together with its upload, received when the last byte is durable, or
//! refused or abandoned before.

use super::refusal::RefusalCode;
use super::sql::TITLE_MAX;
use super::{Clip, ClipState, sidecar};
use crate::access::Principal;
use crate::content;
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{ClipId, CohortId, UserId, VersionId};
use crate::job::{self, JobKind};
use crate::on;
use crate::text::one_line;
use crate::time::At;

const FILENAME_MAX: usize = 200;

/// What she says about the file she is about to send.
#[derive(Debug, Clone, Default)]
pub struct Draft<'a> {
    pub title: Option<&'a str>,
    pub filename: &'a str,
    pub content_type: &'a str,
    /// 0 where it isn't known yet: see [`sized`].
    pub bytes: i64,
    pub assignment: Option<&'a str>,
    /// The clip that this is a new version of.
    pub clip: Option<&'a ClipId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub clip: ClipId,
    pub version: VersionId,
    pub n: i64,
    /// Where it is a version of an older clip.
    pub renamed: Option<Renamed>,
}

/// What she says a clip is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Naming {
    pub title: String,
    pub assignment_code: Option<String>,
}

/// What an older clip was called, and what it is called since it got another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    pub from: Naming,
    pub to: Naming,
}

/// A clip with its first version, or the next version of one of her own. An earlier version that is still being sent
/// stays until bytes of this one count: see `upload::giving_up`.
pub async fn create(tx: &mut Tx, now: At, owner: &Principal, draft: &Draft<'_>) -> Result<Created> {
    if let Some(code) = draft.assignment {
        let known = content::course().assignment(code).is_some_and(|a| a.is_clip());
        if !known {
            let next_step = "回到课程页，从作业那里点“拍一条”。";
            return Err(Refusal::new("no_such_assignment", "没有这份要交片子的作业。", next_step).into());
        }
    }
    let (clip, renamed) = match draft.clip {
        Some(id) => (id.clone(), Some(next_version_of(tx, now, owner, id, draft).await?)),
        None => (new_clip(tx, now, owner, draft).await?, None),
    };
    let n: i64 = on!(tx, c => sqlx::query_scalar("select coalesce(max(n), 0) + 1 from clip_versions where clip_id = $1")
        .bind(&clip).fetch_one(c).await)?;
    let version = VersionId::new();
    on!(tx, c => sqlx::query(
            "insert into clip_versions (id, clip_id, n, state, filename, content_type, bytes, created_at)
             values ($1, $2, $3, 'uploading', $4, $5, $6, $7)")
        .bind(&version).bind(&clip).bind(n).bind(clean(draft.filename, FILENAME_MAX))
        .bind(clean(draft.content_type, 100)).bind(draft.bytes).bind(now).execute(c).await.map(drop))?;
    Ok(Created { clip, version, n, renamed })
}

async fn new_clip(tx: &mut Tx, now: At, owner: &Principal, draft: &Draft<'_>) -> Result<ClipId> {
    let cohort: Option<CohortId> = on!(tx, c => sqlx::query_scalar(
            "select cohort_id from memberships where user_id = $1 and part = 'trainee' and state = 'active'
             order by joined_at desc, cohort_id desc limit 1")
        .bind(&owner.user).fetch_optional(c).await)?;
    let id = ClipId::new();
    on!(tx, c => sqlx::query(
            "insert into clips (id, owner_id, cohort_id, assignment_code, title, state, region_code, region_path,
                                created_at, updated_at)
             values ($1, $2, $3, $4, $5, 'draft', $6, $7, $8, $8)")
        .bind(&id).bind(&owner.user).bind(cohort).bind(draft.assignment).bind(title(draft))
        .bind(&owner.home_region).bind(&owner.home_path).bind(now).execute(c).await.map(drop))?;
    Ok(id)
}

/// Locks the clip, so that two versions begun at once get two numbers.
async fn next_version_of(tx: &mut Tx, now: At, owner: &Principal, id: &ClipId, draft: &Draft<'_>) -> Result<Renamed> {
    let clip: Clip = on!(tx, c => sqlx::query_as(
            "update clips set updated_at = $3 where id = $1 and owner_id = $2 and state <> 'withdrawn' returning *")
        .bind(id).bind(&owner.user).bind(now).fetch_optional(c).await)
    .or_not_found()?;
    match clip.state {
        state if state.accepts_new_version() => {}
        ClipState::Passed => {
            return Err(Error::conflict("clip_passed", "这条已经通过了，不用再交。", "想再拍，就新开一条。"));
        }
        _ => {
            return Err(Error::conflict(
                "clip_in_review",
                "老师正在看这一条，现在换不了。",
                "等老师回了话，再传改过的。",
            ));
        }
    }
    let assignment = draft.assignment.or(clip.assignment_code.as_deref());
    // What was handed in for one assignment isn't turned into an answer to another.
    let assignment = if clip.state == ClipState::Draft { assignment } else { clip.assignment_code.as_deref() };
    let title = draft.title.map(|_| title(draft)).unwrap_or_else(|| clip.title.clone());
    let to = Naming { title, assignment_code: assignment.map(str::to_owned) };
    name(tx, id, &to).await?;
    Ok(Renamed { from: Naming { title: clip.title, assignment_code: clip.assignment_code }, to })
}

async fn name(tx: &mut Tx, clip: &ClipId, naming: &Naming) -> Result<()> {
    on!(tx, c => sqlx::query("update clips set assignment_code = $2, title = $3 where id = $1")
        .bind(clip).bind(&naming.assignment_code).bind(&naming.title).execute(c).await.map(drop))?;
    sidecar::touch(tx, clip).await
}

/// Its version came to nothing: the clip, which must be locked, is called as before, unless it has got yet another name.
pub async fn name_back(tx: &mut Tx, clip: &ClipId, renamed: &Renamed) -> Result<()> {
    let now: Naming = on!(&mut *tx, c => sqlx::query_as("select title, assignment_code from clips where id = $1")
        .bind(clip).fetch_one(c).await)?;
    if now == renamed.to { name(tx, clip, &renamed.from).await } else { Ok(()) }
}

/// The object is whole and verified: the version is received, and the worker is asked for, together. `false`: the
/// version does not wait for it any more.
pub async fn received(
    tx: &mut Tx,
    now: At,
    version: &VersionId,
    owner: &UserId,
    key: &str,
    sha256: Option<&str>,
) -> Result<bool> {
    let rows = on!(tx, c => sqlx::query(
            "update clip_versions set state = 'received', received_at = $2, original_key = $3, sha256 = $4
             where id = $1 and state = 'uploading'")
        .bind(version).bind(now).bind(key).bind(sha256).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 0 {
        return Ok(false);
    }
    job::enqueue(tx, now, JobKind::Prepare, version.as_str(), owner).await?;
    Ok(true)
}

/// How long the file is, where that wasn't known when it was begun.
pub async fn sized(tx: &mut Tx, version: &VersionId, bytes: i64) -> Result<()> {
    Ok(on!(tx, c => sqlx::query("update clip_versions set bytes = $2 where id = $1 and state = 'uploading'")
        .bind(version).bind(bytes).execute(c).await.map(drop))?)
}

/// Its bytes cannot become a clip, and she is told why.
pub async fn refused(tx: &mut Tx, version: &VersionId, code: RefusalCode) -> Result<()> {
    on!(tx, c => sqlx::query(
            "update clip_versions set state = 'failed', reason_code = $2 where id = $1 and state = 'uploading'")
        .bind(version).bind(code.code()).execute(c).await.map(drop))?;
    Ok(())
}

/// Nobody will send the rest.
pub async fn abandoned(tx: &mut Tx, now: At, version: &VersionId) -> Result<()> {
    on!(tx, c => sqlx::query("update clip_versions set state = 'abandoned' where id = $1 and state = 'uploading'")
        .bind(version).execute(c).await.map(drop))?;
    on!(tx, c => sqlx::query(
            "update clips set updated_at = $2 where id = (select clip_id from clip_versions where id = $1)")
        .bind(version).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

/// She ended the upload herself: a draft that never had any other bytes goes with it.
pub async fn discard_if_bare(tx: &mut Tx, now: At, clip: &ClipId) -> Result<()> {
    on!(tx, c => sqlx::query(
            "update clips set state = 'withdrawn', updated_at = $2 where id = $1 and state = 'draft'
             and not exists (select 1 from clip_versions v where v.clip_id = clips.id and v.state <> 'abandoned')")
        .bind(clip).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

/// Her title, or the file's name without its ending.
fn title(draft: &Draft<'_>) -> String {
    let given = clean(draft.title.unwrap_or_default(), TITLE_MAX);
    if !given.is_empty() {
        return given;
    }
    let name = clean(draft.filename, TITLE_MAX);
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).trim();
    if stem.is_empty() { "没起名的片子".to_owned() } else { stem.to_owned() }
}

/// Names are shown, never made into keys or paths.
fn clean(text: &str, max: usize) -> String {
    one_line(text).chars().take(max).collect()
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
