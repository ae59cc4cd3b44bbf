//! What the rows say is in the bucket, page by page in the order of ids.

use std::collections::HashMap;

use crate::caption::CaptionTrack;
use crate::clip::{ClipState, MediaState, Rendition, Segment, sidecar};
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{ClipId, RenditionId, SnapshotId, VersionId};
use crate::on;
use crate::upload::Upload;

/// Versions, clips or snapshots in one page.
pub const PAGE: i64 = 100;

/// A version with everything of it that must be in the bucket.
#[derive(Debug, Clone)]
pub struct VersionBook {
    pub row: VersionRow,
    /// The complete ones, with their segments in playing order.
    pub renditions: Vec<(Rendition, Vec<Segment>)>,
    /// Of the film and of her own.
    pub captions: Vec<CaptionTrack>,
    /// A job that is waiting or at work.
    pub has_job: bool,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct VersionRow {
    pub id: VersionId,
    pub clip_id: ClipId,
    pub title: String,
    pub clip_state: ClipState,
    pub n: i64,
    pub state: MediaState,
    pub bytes: i64,
    pub sha256: Option<String>,
    pub original_key: Option<String>,
    pub original_gone: Option<String>,
    pub poster_key: Option<String>,
    pub mp4_key: Option<String>,
    pub storyboard_key: Option<String>,
    pub storyboard_vtt_key: Option<String>,
    pub waveform_key: Option<String>,
    pub poster_bytes: Option<i64>,
    pub mp4_bytes: Option<i64>,
    pub storyboard_bytes: Option<i64>,
    pub storyboard_vtt_bytes: Option<i64>,
    pub waveform_bytes: Option<i64>,
}

impl VersionRow {
    /// 《我们村的油菜花》第 2 版（ver_…）
    pub fn about(&self) -> String {
        format!("《{}》第 {} 版（{}）", self.title, self.n, self.id)
    }
}

const VERSION: &str =
    "select v.id, v.clip_id, c.title, c.state as clip_state, v.n, v.state, v.bytes, v.sha256, v.original_key,
    v.original_gone, v.poster_key, v.mp4_key, v.storyboard_key, v.storyboard_vtt_key, v.poster_bytes, v.mp4_bytes,
    v.storyboard_bytes, v.storyboard_vtt_bytes, v.waveform_key, v.waveform_bytes
    from clip_versions v join clips c on c.id = v.clip_id";

/// The versions behind `after`.
pub async fn versions(tx: &mut Tx, after: &str) -> Result<Vec<VersionBook>> {
    let sql = sqlx::AssertSqlSafe(format!("{VERSION} where v.id > $1 order by v.id limit $2"));
    let rows: Vec<VersionRow> = on!(&mut *tx, c => sqlx::query_as(sql).bind(after).bind(PAGE).fetch_all(c).await)?;
    with_media(tx, after, rows).await
}

/// One version as it is now.
pub async fn version(tx: &mut Tx, id: &VersionId) -> Result<Option<VersionBook>> {
    let sql = sqlx::AssertSqlSafe(format!("{VERSION} where v.id = $1"));
    let rows: Vec<VersionRow> = on!(&mut *tx, c => sqlx::query_as(sql).bind(id).fetch_all(c).await)?;
    // Just before it in the order of ids: the same without its last digit.
    let before = &id.as_str()[..id.as_str().len() - 1];
    Ok(with_media(tx, before, rows).await?.pop())
}

/// `rows` are all there are behind `after` up to the last of them.
async fn with_media(tx: &mut Tx, after: &str, rows: Vec<VersionRow>) -> Result<Vec<VersionBook>> {
    let Some(last) = rows.last().map(|row| row.id.clone()) else { return Ok(Vec::new()) };
    let renditions: Vec<Rendition> = on!(&mut *tx, c => sqlx::query_as(
            "select * from renditions where version_id > $1 and version_id <= $2 and complete order by id")
        .bind(after).bind(&last).fetch_all(c).await)?;
    type SegmentRow = (RenditionId, i64, i64, i64, String);
    let segments: Vec<SegmentRow> = on!(&mut *tx, c => sqlx::query_as(
            "select s.rendition_id, s.n, s.duration_ms, s.bytes, s.key from rendition_segments s
             join renditions r on r.id = s.rendition_id
             where r.version_id > $1 and r.version_id <= $2 and r.complete order by s.rendition_id, s.n")
        .bind(after).bind(&last).fetch_all(c).await)?;
    let working: Vec<String> = on!(&mut *tx, c => sqlx::query_scalar(
            "select subject from jobs where subject > $1 and subject <= $2 and state in ('ready', 'leased')")
        .bind(after).bind(&last).fetch_all(c).await)?;
    let captions: Vec<CaptionTrack> = on!(&mut *tx, c => sqlx::query_as(
            "select id, version_id, origin, language, title, key, bytes from caption_tracks
             where version_id > $1 and version_id <= $2 order by id")
        .bind(after).bind(&last).fetch_all(c).await)?;
    let mut of_rendition: HashMap<RenditionId, Vec<Segment>> = HashMap::new();
    for (rendition, n, duration_ms, bytes, key) in segments {
        of_rendition.entry(rendition).or_default().push(Segment { n, duration_ms, bytes, key });
    }
    let mut of_version: HashMap<VersionId, Vec<(Rendition, Vec<Segment>)>> = HashMap::new();
    for rendition in renditions {
        let segments = of_rendition.remove(&rendition.id).unwrap_or_default();
        of_version.entry(rendition.version_id.clone()).or_default().push((rendition, segments));
    }
    let book = |row: VersionRow| VersionBook {
        renditions: of_version.remove(&row.id).unwrap_or_default(),
        captions: captions.iter().filter(|track| track.version_id == row.id).cloned().collect(),
        has_job: working.iter().any(|subject| subject == row.id.as_str()),
        row,
    };
    Ok(rows.into_iter().map(book).collect())
}

/// Clips behind `after`, each with those of its versions that must have a sidecar.
pub async fn clips_with_sidecars(tx: &mut Tx, after: &str) -> Result<Vec<(ClipId, Vec<VersionRow>)>> {
    let clips: Vec<ClipId> = on!(&mut *tx, c => sqlx::query_scalar("select id from clips where id > $1 order by id limit $2")
        .bind(after).bind(PAGE).fetch_all(c).await)?;
    let Some(last) = clips.last().cloned() else { return Ok(Vec::new()) };
    let sql = sqlx::AssertSqlSafe(format!("{VERSION} where v.clip_id > $1 and v.clip_id <= $2 and {}", sidecar::KEPT));
    let rows: Vec<VersionRow> = on!(&mut *tx, c => sqlx::query_as(sql).bind(after).bind(&last).fetch_all(c).await)?;
    let mut found: Vec<(ClipId, Vec<VersionRow>)> = clips.into_iter().map(|clip| (clip, Vec::new())).collect();
    for row in rows {
        if let Ok(at) = found.binary_search_by(|(clip, _)| clip.cmp(&row.clip_id)) {
            found[at].1.push(row);
        }
    }
    Ok(found)
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct EvidenceRow {
    pub id: SnapshotId,
    pub evidence_key: String,
    pub evidence_sha256: String,
}

pub async fn evidence(tx: &mut Tx, after: &str) -> Result<Vec<EvidenceRow>> {
    Ok(
        on!(&mut *tx, c => sqlx::query_as("select id, evidence_key, evidence_sha256 from growth_snapshots where id > $1 order by id limit $2")
        .bind(after).bind(PAGE).fetch_all(c).await)?,
    )
}

/// Uploads that wait for bytes or for their end, behind `after`.
pub async fn uploads(tx: &mut Tx, after: &str) -> Result<Vec<Upload>> {
    Ok(on!(&mut *tx, c => sqlx::query_as(
            "select * from uploads where id > $1 and state in ('open', 'completing') order by id limit $2")
        .bind(after).bind(PAGE).fetch_all(c).await)?)
}

pub async fn counts(tx: &mut Tx) -> Result<(i64, i64)> {
    Ok(on!(&mut *tx, c => sqlx::query_as("select (select count(*) from clips), (select count(*) from object_trash)")
        .fetch_one(c).await)?)
}
