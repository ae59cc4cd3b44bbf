//! Repairs, each in one transaction that first looks whether it is still needed. Nothing that could still be of use is
//! thrown away, and every change to a clip leaves its line in the audit log.

use serde_json::json;

use super::books::VersionRow;
use super::judge::Listed;
use super::{Finding, Kind, Report, Subject, books, judge, orphans, survey};
use crate::clip::{publish, sidecar, sql as clips};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ClipId, UploadId, VersionId};
use crate::storage::{OpenMultipart, Storage, keys, trash};
use crate::time::At;
use crate::upload::{self, Upload};
use crate::{audit, on};

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mended {
    /// It is in order now, or will be once a worker has done its job.
    Fixed,
    /// Noted as lost, and told to her where nothing plays.
    Lost,
    /// Nobody needs it, and it goes with the trash.
    LetGo,
    /// It was in order already when the repair looked.
    NotNeeded,
    /// Only a person can.
    ByHand,
}

/// Findings that a repair may note as lost.
pub fn may_be_lost(kind: Kind) -> bool {
    matches!(kind, Kind::OriginalMissing | Kind::OriginalLength | Kind::OriginalUnnamed)
}

/// Disks lose a few files. Where many are missing it is more likely a bucket that is only half copied.
pub fn are_too_many_lost(report: &Report) -> bool {
    let lost = report.findings.iter().filter(|finding| may_be_lost(finding.kind)).count() as u64;
    lost > 10 && lost * 20 > report.counted.originals
}

pub async fn mend(db: &Db, storage: &Storage, now: At, finding: &Finding) -> Result<Mended> {
    let mended = |done, how| if done { how } else { Mended::NotNeeded };
    match (&finding.subject, finding.kind) {
        (Subject::Object(key), Kind::Orphan) => {
            Ok(mended(orphans::let_go(db, now, &[key]).await?.contains(&true), Mended::LetGo))
        }
        (Subject::Multipart { key, upload_id }, _) => {
            let open = OpenMultipart { key: key.clone(), upload_id: upload_id.clone(), begun_at: None };
            Ok(mended(orphans::let_go_multipart(db, now, &open).await?, Mended::LetGo))
        }
        (Subject::Upload(id), Kind::PartsMissing) => {
            Ok(mended(forget_lost(db, storage, now, id).await?, Mended::Fixed))
        }
        (Subject::Upload(id), Kind::UploadStuck) => {
            // The reconciler has been at it before; what it could not end, a person has to look at.
            let mut tx = db.read().await?;
            let upload = upload::sql::find(&mut tx, id).await?;
            let came = upload::sql::durable(&mut tx, &upload).await?.offset;
            Ok(if judge::is_stuck(&upload, came, now) { Mended::ByHand } else { Mended::Fixed })
        }
        (Subject::Version { version, .. }, Kind::SidecarMissing | Kind::SidecarStale) => {
            Ok(if sidecar::put(db, storage, version).await? { Mended::Fixed } else { Mended::ByHand })
        }
        // The store may come to itself again, or get a backup back.
        (_, Kind::OriginalUnreadable | Kind::CaptionMissing) => Ok(Mended::ByHand),
        (Subject::Version { version, .. }, kind) => mend_version(db, storage, now, version, kind).await,
        _ => Ok(Mended::ByHand),
    }
}

async fn mend_version(db: &Db, storage: &Storage, now: At, version: &VersionId, kind: Kind) -> Result<Mended> {
    let still = survey::again(db, storage, version).await?;
    // Only reading it all shows other bytes, so that is not asked for again.
    if kind != Kind::OriginalBytes && !still.iter().any(|f| f.kind == kind) {
        return Ok(Mended::NotNeeded);
    }
    let mut tx = db.read().await?;
    let Some(row) = books::version(&mut tx, version).await?.map(|book| book.row) else { return Ok(Mended::NotNeeded) };
    drop(tx);
    match kind {
        Kind::MediaMissing | Kind::JobMissing => {
            // From a file that is not there, or is damaged, nothing can be made: trying would end what still plays.
            let there = !still.iter().any(|f| f.kind.is_about_original());
            if there && is_whole(db, storage, &row).await? {
                make_again(db, now, &row.clip_id, version).await
            } else {
                Ok(Mended::ByHand)
            }
        }
        _ => mend_original(db, storage, now, &row, kind).await,
    }
}

/// Whether the original is what she sent, as far as anybody knows its hashes.
async fn is_whole(db: &Db, storage: &Storage, row: &VersionRow) -> Result<bool> {
    match (&row.original_key, survey::stored(db, storage, row).await?) {
        (Some(key), Some(wanted)) => Ok(survey::first_wrong_part(storage, key, &wanted).await?.is_none()),
        _ => Ok(true),
    }
}

/// Whatever of this version's files is whole by its hashes is her original, wherever the row says it is. Nothing is
/// thrown away: of a damaged file a person has to say what is to become of it.
async fn mend_original(db: &Db, storage: &Storage, now: At, row: &VersionRow, kind: Kind) -> Result<Mended> {
    let mut listed = Listed::new();
    survey::all(storage, &keys::originals(&row.id), &mut listed).await?;
    let wanted = survey::stored(db, storage, row).await?;
    if let Some(wanted) = &wanted {
        for (key, len) in &listed {
            if survey::first_wrong_part(storage, key, wanted).await?.is_none() {
                return adopt(db, now, row, key, *len as i64).await;
            }
        }
    }
    if let Some(key) = &row.original_key
        && !listed.contains_key(key)
        && storage.head(key).await?.is_some()
    {
        // A store that does not list what it has.
        return Ok(Mended::ByHand);
    }
    if may_be_lost(kind) && (wanted.is_some() || listed.is_empty()) {
        lose(db, now, &row.clip_id, &row.id).await
    } else {
        Ok(Mended::ByHand)
    }
}

/// Names the file that was found to be hers.
async fn adopt(db: &Db, now: At, row: &VersionRow, key: &str, bytes: i64) -> Result<Mended> {
    let (clip, version) = (&row.clip_id, &row.id);
    let mut tx = db.write().await?;
    let owner = clips::lock(&mut tx, clip).await?.owner_id;
    publish::original_found(&mut tx, now, version, &owner, key, bytes).await?;
    let detail = json!({ "version": version, "key": key });
    audit::append(&mut tx, now, None, "clip.original_found", clip.as_str(), &detail).await?;
    tx.commit().await?;
    Ok(Mended::Fixed)
}

/// The file is lost: she is asked to send it again, unless what was made of it plays.
async fn lose(db: &Db, now: At, clip: &ClipId, version: &VersionId) -> Result<Mended> {
    let mut tx = db.write().await?;
    clips::lock(&mut tx, clip).await?;
    publish::original_lost(&mut tx, now, version).await?;
    audit::append(&mut tx, now, None, "clip.original_lost", clip.as_str(), &json!({ "version": version })).await?;
    tx.commit().await?;
    Ok(Mended::Lost)
}

/// Has everything made anew from the original. What plays meanwhile goes on playing.
async fn make_again(db: &Db, now: At, clip: &ClipId, version: &VersionId) -> Result<Mended> {
    let mut tx = db.write().await?;
    let owner = clips::lock(&mut tx, clip).await?.owner_id;
    if !publish::make_again(&mut tx, now, version, &owner).await? {
        return Ok(Mended::ByHand);
    }
    audit::append(&mut tx, now, None, "clip.made_again", clip.as_str(), &json!({ "version": version })).await?;
    tx.commit().await?;
    Ok(Mended::Fixed)
}

/// An unfinished upload goes on from the last byte that is really there. Her phone still has the rest.
async fn forget_lost(db: &Db, storage: &Storage, now: At, id: &UploadId) -> Result<bool> {
    let (upload, lost) = survey::lost_from(db, storage, id).await?;
    let Some(offset) = lost else { return Ok(false) };
    let mut tx = db.write().await?;
    let forgotten = forget_from(&mut tx, now, &upload, offset).await?;
    tx.commit().await?;
    Ok(forgotten)
}

/// Forgets what an upload has from a byte on, unless somebody has gone on with it.
pub(super) async fn forget_from(tx: &mut Tx, now: At, upload: &Upload, offset: i64) -> Result<bool> {
    let rows = on!(&mut *tx, c => sqlx::query(
            "update uploads set epoch = epoch + 1 where id = $1 and epoch = $2 and updated_at = $3 and state = 'open'")
        .bind(&upload.id).bind(upload.epoch).bind(upload.updated_at).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 0 {
        return Ok(false);
    }
    on!(&mut *tx, c => sqlx::query("delete from upload_parts where upload_id = $1 and (no - 1) * $2 >= $3")
        .bind(&upload.id).bind(upload.part_size).bind(offset).execute(c).await.map(drop))?;
    let tails: Vec<String> = on!(&mut *tx, c => sqlx::query_scalar(
            "delete from upload_tails where upload_id = $1 and (part_no - 1) * $2 + start >= $3 returning key")
        .bind(&upload.id).bind(upload.part_size).bind(offset).fetch_all(c).await)?;
    for key in tails {
        trash::put(tx, now, &key, None).await?;
    }
    // With the first part the multipart upload may be gone as well: the next writer begins a new one.
    if let (0, Some(key), Some(multipart)) = (offset, &upload.key, &upload.s3_upload_id) {
        trash::put(tx, now, key, Some(multipart)).await?;
        on!(&mut *tx, c => sqlx::query("update uploads set key = null, s3_upload_id = null where id = $1")
            .bind(&upload.id).execute(c).await.map(drop))?;
    }
    Ok(true)
}
