//! What a media worker makes of a version, published step by step.
//!
//! Each verb is one transaction's worth: the object is durable before the row names it, and [`job::still_held`] fences
//! the row by the worker's lease, so a worker that was replaced publishes nothing. What a later attempt makes anew
//! takes the place of the older only when it has caught up: whoever is watching keeps what plays. Keys that no row
//! names any longer go to `object_trash`.

mod again;
mod captions;

pub(crate) use again::{let_go_of_all, let_go_of_original};
pub use again::{make_again, original_found, original_lost, retry};
pub use captions::{NewCaption, captions};

use crate::caption;
use crate::clip::refusal::RefusalCode;
use crate::clip::{self, MediaState, Segment};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ids::{ClipId, RenditionId, VersionId};
use crate::job::{self, Dead, JobKind, Lease};
use crate::on;
use crate::storage::{keys, trash};
use crate::time::At;

/// What a worker needs to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub version: VersionId,
    pub clip: ClipId,
    pub key: String,
    pub bytes: i64,
    pub filename: String,
    /// Width, height and milliseconds, as an earlier job of this version found them.
    pub shown: Option<(i64, i64, i64)>,
}

/// What is known about the pictures and the sound: as they are shown, upright and with square pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub width: i64,
    pub height: i64,
    pub duration_ms: i64,
    /// Everything else, as JSON; `warnings` in it are sentences for her.
    pub detail: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRendition {
    pub name: String,
    pub width: i64,
    pub height: i64,
    pub bandwidth: i64,
    pub codecs: String,
    pub init_key: String,
    pub init_bytes: i64,
}

/// What earlier attempts at the same job have published: the next one makes the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub renditions: Vec<KeptRendition>,
    /// The film is there.
    pub film: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KeptRendition {
    pub id: RenditionId,
    pub name: String,
    pub width: i64,
    pub height: i64,
    pub codecs: String,
    pub init_key: String,
    pub init_bytes: i64,
    pub complete: bool,
    #[sqlx(skip)]
    pub segments: Vec<Segment>,
}

/// The version that this lease is about. A subject that is no version id was never written by us.
fn version(lease: &Lease) -> Result<VersionId> {
    lease.subject.parse().map_err(|_| Error::Damaged(format!("subject of {}: {}", lease.job, lease.subject)))
}

async fn fenced(tx: &mut Tx, lease: &Lease) -> Result<VersionId> {
    job::still_held(tx, lease).await?;
    version(lease)
}

/// Begins, or begins again. [`Error::NotFound`] when there is nothing left to do: the version was given up, or its
/// clip withdrawn, while the job waited.
pub async fn start(tx: &mut Tx, lease: &Lease) -> Result<Source> {
    let version = fenced(tx, lease).await?;
    type Row = (ClipId, Option<String>, i64, String, Option<i64>, Option<i64>, Option<i64>);
    let row: Option<Row> = on!(tx, c => sqlx::query_as(
            "update clip_versions set state = 'processing'
             where id = $1 and state in ('received', 'processing')
               and clip_id in (select id from clips where state <> 'withdrawn')
             returning clip_id, original_key, bytes, filename, width, height, duration_ms")
        .bind(&version).fetch_optional(c).await)?;
    let (clip, key, bytes, filename, width, height, duration_ms) = row.ok_or(Error::NotFound)?;
    let key = key.ok_or_else(|| Error::Damaged(format!("{version} was received and has no original")))?;
    let shown = width.zip(height).zip(duration_ms).map(|((width, height), ms)| (width, height, ms));
    Ok(Source { version, clip, key, bytes, filename, shown })
}

pub async fn facts(tx: &mut Tx, lease: &Lease, facts: &Facts) -> Result<()> {
    let version = fenced(tx, lease).await?;
    on!(tx, c => sqlx::query("update clip_versions set facts = $1, width = $2, height = $3, duration_ms = $4 where id = $5")
        .bind(facts.detail.to_string()).bind(facts.width).bind(facts.height).bind(facts.duration_ms).bind(&version)
        .execute(c).await.map(drop))?;
    Ok(())
}

pub async fn poster(tx: &mut Tx, lease: &Lease, now: At, key: &str, bytes: i64) -> Result<()> {
    let version = fenced(tx, lease).await?;
    let old: Option<String> = on!(tx, c => sqlx::query_scalar("select poster_key from clip_versions where id = $1")
        .bind(&version).fetch_one(c).await)?;
    on!(tx, c => sqlx::query("update clip_versions set poster_key = $1, poster_bytes = $3 where id = $2")
        .bind(key).bind(&version).bind(bytes).execute(c).await.map(drop))?;
    discard_replaced(tx, now, old, key).await
}

/// A file that plays from its beginning to its end: the clip is playable from now on.
pub async fn mp4(tx: &mut Tx, lease: &Lease, now: At, key: &str, bytes: i64) -> Result<()> {
    let version = fenced(tx, lease).await?;
    let old: Option<String> = on!(tx, c => sqlx::query_scalar("select mp4_key from clip_versions where id = $1")
        .bind(&version).fetch_one(c).await)?;
    on!(tx, c => sqlx::query(
            "update clip_versions set mp4_key = $1, mp4_bytes = $4, playable_at = coalesce(playable_at, $2) where id = $3")
        .bind(key).bind(now).bind(&version).bind(bytes).execute(c).await.map(drop))?;
    discard_replaced(tx, now, old, key).await
}

/// The picture and the text that tells where in it each moment is, with their lengths.
pub async fn storyboard(tx: &mut Tx, lease: &Lease, now: At, image: (&str, i64), vtt: (&str, i64)) -> Result<()> {
    let version = fenced(tx, lease).await?;
    let (old_image, old_vtt): (Option<String>, Option<String>) = on!(tx, c => sqlx::query_as(
            "select storyboard_key, storyboard_vtt_key from clip_versions where id = $1")
        .bind(&version).fetch_one(c).await)?;
    on!(tx, c => sqlx::query(
            "update clip_versions set storyboard_key = $1, storyboard_bytes = $2, storyboard_vtt_key = $3,
                 storyboard_vtt_bytes = $4 where id = $5")
        .bind(image.0).bind(image.1).bind(vtt.0).bind(vtt.1).bind(&version).execute(c).await.map(drop))?;
    discard_replaced(tx, now, old_image, image.0).await?;
    discard_replaced(tx, now, old_vtt, vtt.0).await
}

/// How loud the whole clip is, for the line under it.
pub async fn waveform(tx: &mut Tx, lease: &Lease, now: At, key: &str, bytes: i64) -> Result<()> {
    let version = fenced(tx, lease).await?;
    let old: Option<String> = on!(tx, c => sqlx::query_scalar("select waveform_key from clip_versions where id = $1")
        .bind(&version).fetch_one(c).await)?;
    on!(tx, c => sqlx::query("update clip_versions set waveform_key = $1, waveform_bytes = $3 where id = $2")
        .bind(key).bind(&version).bind(bytes).execute(c).await.map(drop))?;
    discard_replaced(tx, now, old, key).await
}

/// A rendition begins: its head is stored, and no segment is there yet.
pub async fn rendition(tx: &mut Tx, lease: &Lease, new: &NewRendition) -> Result<RenditionId> {
    let version = fenced(tx, lease).await?;
    let id = RenditionId::new();
    on!(tx, c => sqlx::query(
            "insert into renditions (id, version_id, attempt, name, width, height, bandwidth, codecs, init_key,
                                     init_bytes, complete)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false)")
        .bind(&id).bind(&version).bind(lease.attempt).bind(&new.name).bind(new.width).bind(new.height)
        .bind(new.bandwidth).bind(&new.codecs).bind(&new.init_key).bind(new.init_bytes).execute(c).await.map(drop))?;
    Ok(id)
}

/// What the attempts before this one left, since the job was last asked for.
pub async fn kept(tx: &mut Tx, lease: &Lease) -> Result<Kept> {
    let version = fenced(tx, lease).await?;
    let mut renditions: Vec<KeptRendition> = on!(&mut *tx, c => sqlx::query_as(
            "select id, name, width, height, codecs, init_key, init_bytes, complete from renditions r
             where version_id = $1 and attempt = (select max(n.attempt) from renditions n
                                                  where n.version_id = $1 and n.name = r.name and n.attempt < $2)
               and attempt > (select anew_after from jobs where id = $3)
             order by width desc")
        .bind(&version).bind(lease.attempt).bind(&lease.job).fetch_all(c).await)?;
    for rendition in &mut renditions {
        rendition.segments = clip::sql::segments(tx, &rendition.id).await?;
    }
    let (film, anew_after): (Option<String>, i64) = on!(tx, c => sqlx::query_as(
            "select v.mp4_key, j.anew_after from clip_versions v, jobs j where v.id = $1 and j.id = $2")
        .bind(&version).bind(&lease.job).fetch_one(c).await)?;
    let ours = |key: &String| (anew_after + 1..lease.attempt).any(|n| key.starts_with(&keys::attempt(&version, n)));
    Ok(Kept { renditions, film: film.as_ref().is_some_and(ours) })
}

/// One more segment that plays.
pub async fn segment(tx: &mut Tx, lease: &Lease, now: At, rendition: &RenditionId, new: &Segment) -> Result<()> {
    let version = fenced(tx, lease).await?;
    on!(tx, c => sqlx::query("insert into rendition_segments (rendition_id, n, duration_ms, bytes, key) values ($1, $2, $3, $4, $5)")
        .bind(rendition).bind(new.n).bind(new.duration_ms).bind(new.bytes).bind(&new.key).execute(c).await.map(drop))?;
    on!(tx, c => sqlx::query("update clip_versions set playable_at = $1 where id = $2 and playable_at is null")
        .bind(now).bind(&version).execute(c).await.map(drop))?;
    supersede(tx, now, &version, rendition, Some(new.n)).await
}

/// The rendition's last segment is out; `bandwidth` is what it really takes at its peak.
pub async fn complete(tx: &mut Tx, lease: &Lease, now: At, rendition: &RenditionId, bandwidth: i64) -> Result<()> {
    let version = fenced(tx, lease).await?;
    on!(tx, c => sqlx::query("update renditions set complete = true, bandwidth = $1 where id = $2")
        .bind(bandwidth).bind(rendition).execute(c).await.map(drop))?;
    supersede(tx, now, &version, rendition, None).await
}

/// The job is done, and what is left is put in line as a job of that kind.
pub async fn go_on(tx: &mut Tx, lease: &Lease, now: At, next: JobKind) -> Result<()> {
    let version = fenced(tx, lease).await?;
    drop_incomplete(tx, now, &version).await?;
    job::finish(tx, lease, now).await?;
    job::enqueue(tx, now, next, version.as_str(), &lease.owner).await
}

/// Everything there is to make of it is made. What was made of it when it was made the last time, and was not now, goes.
pub async fn ready(tx: &mut Tx, lease: &Lease, now: At) -> Result<()> {
    let version = fenced(tx, lease).await?;
    drop_incomplete(tx, now, &version).await?;
    drop_from_before(tx, now, &version).await?;
    settle(tx, now, &version, MediaState::Ready, None).await?;
    job::finish(tx, lease, now).await
}

/// These bytes cannot become a clip, which may be for their codec. The job did its work: it found that out. Where an earlier attempt made something
/// of them that plays, they were whole then, and that stays.
pub async fn refused(tx: &mut Tx, lease: &Lease, now: At, code: RefusalCode, codec: Option<&str>) -> Result<()> {
    let version = fenced(tx, lease).await?;
    if earlier_attempt_plays(tx, &version, lease.attempt).await? {
        settle_as_it_is(tx, now, &version, code).await?;
    } else {
        drop_all(tx, now, &version).await?;
        settle(tx, now, &version, MediaState::Failed, Some(code)).await?;
        if let Some(codec) = codec {
            on!(&mut *tx, c => sqlx::query("update clip_versions set facts = $1 where id = $2")
                .bind(serde_json::json!({ "unreadable": codec }).to_string()).bind(&version).execute(c).await.map(drop))?;
        }
    }
    job::finish(tx, lease, now).await
}

async fn earlier_attempt_plays(tx: &mut Tx, version: &VersionId, attempt: i64) -> Result<bool> {
    let complete: i64 = on!(&mut *tx, c => sqlx::query_scalar(
            "select count(*) from renditions where version_id = $1 and attempt < $2 and complete")
        .bind(version).bind(attempt).fetch_one(c).await)?;
    let mp4: Option<String> = on!(&mut *tx, c => sqlx::query_scalar("select mp4_key from clip_versions where id = $1")
        .bind(version).fetch_one(c).await)?;
    Ok(complete > 0 || mp4.is_some_and(|key| !key.starts_with(&keys::attempt(version, attempt))))
}

/// There is nothing left to do for this job: a quiet end.
pub async fn skipped(tx: &mut Tx, lease: &Lease, now: At) -> Result<()> {
    job::finish(tx, lease, now).await
}

/// A job of this version is dead. What plays stays and is all there will be; what does not play is told to her.
pub async fn given_up(tx: &mut Tx, now: At, dead: &Dead) -> Result<()> {
    let Ok(version) = dead.subject.parse::<VersionId>() else { return Ok(()) };
    settle_as_it_is(tx, now, &version, RefusalCode::ProcessingFailed).await
}

/// What plays stays and is all there will be; what does not play is told to her, with the reason.
async fn settle_as_it_is(tx: &mut Tx, now: At, version: &VersionId, why_not: RefusalCode) -> Result<()> {
    // A lone growing rendition would grow for ever: only what ends may stay.
    drop_incomplete(tx, now, version).await?;
    let plays: i64 = on!(tx, c => sqlx::query_scalar(
            "select count(*) from clip_versions v where v.id = $1 and (v.mp4_key is not null
                 or exists (select 1 from renditions r where r.version_id = v.id))")
        .bind(version).fetch_one(c).await)?;
    match plays {
        0 => settle(tx, now, version, MediaState::Failed, Some(why_not)).await,
        _ => settle(tx, now, version, MediaState::Ready, None).await,
    }
}

async fn settle(tx: &mut Tx, now: At, version: &VersionId, to: MediaState, why: Option<RefusalCode>) -> Result<()> {
    on!(tx, c => sqlx::query(
            "update clip_versions set state = $1, reason_code = $2, ready_at = case when $1 = 'ready' then $3 end,
                 failed_at = case when $1 = 'failed' then $3 end,
                 playable_at = case when $1 = 'failed' then null else playable_at end,
                 sidecar_rev = sidecar_rev + 1
             where id = $4 and state in ('received', 'processing')")
        .bind(to).bind(why.map(RefusalCode::code)).bind(now).bind(version).execute(c).await.map(drop))?;
    Ok(())
}

/// Lets the older attempts' renditions of this name go, once this one has as many segments or is complete.
async fn supersede(tx: &mut Tx, now: At, version: &VersionId, by: &RenditionId, reached: Option<i64>) -> Result<()> {
    let older: Vec<(RenditionId, i64)> = on!(tx, c => sqlx::query_as(
            "select o.id, coalesce((select max(s.n) from rendition_segments s where s.rendition_id = o.id), -1)
             from renditions o join renditions r on r.version_id = o.version_id and r.name = o.name
             where o.version_id = $1 and r.id = $2 and o.attempt < r.attempt")
        .bind(version).bind(by).fetch_all(c).await)?;
    for (id, last) in older {
        if reached.is_none_or(|n| n >= last) {
            drop_rendition(tx, now, &id).await?;
        }
    }
    Ok(())
}

/// What was there before the first of its jobs was asked for anew.
async fn drop_from_before(tx: &mut Tx, now: At, version: &VersionId) -> Result<()> {
    let ids: Vec<RenditionId> = on!(tx, c => sqlx::query_scalar(
            "select r.id from renditions r join jobs j on j.subject = r.version_id and j.kind = $2
             where r.version_id = $1 and r.attempt <= j.anew_after")
        .bind(version).bind(JobKind::Prepare.as_str()).fetch_all(c).await)?;
    for id in ids {
        drop_rendition(tx, now, &id).await?;
    }
    Ok(())
}

async fn drop_incomplete(tx: &mut Tx, now: At, version: &VersionId) -> Result<()> {
    let ids: Vec<RenditionId> = on!(tx, c => sqlx::query_scalar("select id from renditions where version_id = $1 and not complete")
        .bind(version).fetch_all(c).await)?;
    for id in ids {
        drop_rendition(tx, now, &id).await?;
    }
    Ok(())
}

async fn drop_all(tx: &mut Tx, now: At, version: &VersionId) -> Result<()> {
    let ids: Vec<RenditionId> = on!(tx, c => sqlx::query_scalar("select id from renditions where version_id = $1")
        .bind(version).fetch_all(c).await)?;
    for id in ids {
        drop_rendition(tx, now, &id).await?;
    }
    let of = clip::sql::version(tx, version).await?;
    let keys = [of.poster_key, of.mp4_key, of.storyboard_key, of.storyboard_vtt_key, of.waveform_key];
    for key in keys.into_iter().flatten() {
        trash::put(tx, now, &key, None).await?;
    }
    caption::sql::drop_all(tx, now, version, caption::Origin::Embedded).await?;
    on!(tx, c => sqlx::query(
            "update clip_versions set poster_key = null, mp4_key = null, storyboard_key = null, storyboard_vtt_key = null,
                 waveform_key = null, waveform_bytes = null, poster_bytes = null, mp4_bytes = null, storyboard_bytes = null, storyboard_vtt_bytes = null
             where id = $1")
        .bind(version).execute(c).await.map(drop))?;
    Ok(())
}

async fn drop_rendition(tx: &mut Tx, now: At, id: &RenditionId) -> Result<()> {
    on!(tx, c => sqlx::query(
            "insert into object_trash (key, since)
             select key, cast($2 as bigint) from rendition_segments where rendition_id = $1
             union select init_key, cast($2 as bigint) from renditions where id = $1
             on conflict (key, s3_upload_id) do nothing")
        .bind(id).bind(now).execute(c).await.map(drop))?;
    on!(tx, c => sqlx::query("delete from rendition_segments where rendition_id = $1").bind(id).execute(c).await.map(drop))?;
    on!(tx, c => sqlx::query("delete from renditions where id = $1").bind(id).execute(c).await.map(drop))?;
    Ok(())
}

async fn discard_replaced(tx: &mut Tx, now: At, old: Option<String>, new: &str) -> Result<()> {
    match old {
        Some(old) if old != new => trash::put(tx, now, &old, None).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
