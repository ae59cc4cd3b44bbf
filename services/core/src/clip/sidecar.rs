//! What the bucket knows of a version without the database: a small object beside the file, put before the version is
//! received and kept as long as anything of the version is. From these alone the clips come back, and play.
//!
//! Whoever changes what a sidecar tells counts up `sidecar_rev` in the same transaction ([`touch`]); [`catch_up`] writes
//! it anew a moment later, and what nobody came to write before a crash is written after it. It names its owner and holds
//! her phone as the database does: as a keyed hash and a ciphertext, of no use without the secret.

use serde::{Deserialize, Serialize};

use super::{ClipState, Rendition, Segment, sql};
use crate::caption::{self, CaptionTrack, Origin};
use crate::db::{Db, Tx};
use crate::error::{Error, OrNotFound, Result};
use crate::ids::{ClipId, CohortId, UploadId, UserId, VersionId};
use crate::on;
use crate::storage::keys::{self, Area};
use crate::storage::{Storage, StorageError, trash};
use crate::time::At;
use crate::upload::{Part, rules};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    pub clip: About,
    pub upload: Stored,
    /// What plays, once everything is made.
    pub media: Option<Media>,
    /// The captions that she attached herself.
    pub attached: Vec<CaptionTrack>,
}

/// Whose it is and what she said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct About {
    pub clip: ClipId,
    pub version: VersionId,
    pub n: i64,
    pub title: String,
    pub state: ClipState,
    pub filename: String,
    pub content_type: String,
    pub clip_created_at: At,
    pub created_at: At,
    /// Why the file is not kept any more.
    pub original_gone: Option<String>,
    pub owner: UserId,
    pub owner_name: String,
    pub owner_region_path: String,
    pub owner_phone_hash: String,
    pub owner_phone_enc: String,
    pub cohort: Option<CohortId>,
    pub assignment: Option<String>,
    pub region_path: String,
}

/// The file as it lies in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub id: UploadId,
    pub key: String,
    pub bytes: i64,
    pub part_size: i64,
    pub root_sha256: String,
    pub part_sha256: Vec<String>,
}

/// What was made of it, as the rows name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Media {
    pub facts: Option<String>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub duration_ms: Option<i64>,
    pub poster_key: Option<String>,
    pub poster_bytes: Option<i64>,
    pub mp4_key: Option<String>,
    pub mp4_bytes: Option<i64>,
    pub storyboard_key: Option<String>,
    pub storyboard_bytes: Option<i64>,
    pub storyboard_vtt_key: Option<String>,
    pub storyboard_vtt_bytes: Option<i64>,
    pub waveform_key: Option<String>,
    pub waveform_bytes: Option<i64>,
    pub playable_at: Option<At>,
    pub ready_at: Option<At>,
    #[sqlx(skip)]
    pub rungs: Vec<Rung>,
    /// The captions that came in the film.
    #[sqlx(skip)]
    pub embedded: Vec<CaptionTrack>,
}

/// A rendition with its segments in playing order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    #[serde(flatten)]
    pub rendition: Rendition,
    pub segments: Vec<Segment>,
}

impl Stored {
    pub fn new(id: &UploadId, key: &str, part_size: i64, parts: &[Part]) -> Stored {
        Stored {
            id: id.clone(),
            key: key.to_owned(),
            bytes: parts.iter().map(|part| part.len).sum(),
            part_size,
            root_sha256: rules::root(parts),
            part_sha256: parts.iter().map(|part| part.sha256.clone()).collect(),
        }
    }

    /// What the upload recorded that a version's file came in.
    pub async fn of(tx: &mut Tx, version: &VersionId) -> Result<Option<Stored>> {
        let upload: Option<(UploadId, String, i64)> = on!(&mut *tx, c => sqlx::query_as(
                "select id, key, part_size from uploads
                 where version_id = $1 and state = 'complete' and key is not null order by id desc limit 1")
            .bind(version).fetch_optional(c).await)?;
        let Some((id, key, part_size)) = upload else { return Ok(None) };
        let parts: Vec<Part> = on!(&mut *tx, c => sqlx::query_as(
                "select no, len, etag, sha256 from upload_parts where upload_id = $1 order by no")
            .bind(&id).fetch_all(c).await)?;
        Ok((!parts.is_empty()).then(|| Stored::new(&id, &key, part_size, &parts)))
    }
}

impl Media {
    async fn of(tx: &mut Tx, version: &VersionId) -> Result<Option<Media>> {
        let media: Option<Media> = on!(&mut *tx, c => sqlx::query_as(
                "select facts, width, height, duration_ms, poster_key, poster_bytes, mp4_key, mp4_bytes, storyboard_key,
                        storyboard_bytes, storyboard_vtt_key, storyboard_vtt_bytes, waveform_key, waveform_bytes, playable_at,
                        ready_at
                 from clip_versions where id = $1 and state = 'ready'")
            .bind(version).fetch_optional(c).await)?;
        let Some(mut media) = media else { return Ok(None) };
        let renditions: Vec<Rendition> = on!(&mut *tx, c => sqlx::query_as(
                "select * from renditions where version_id = $1 and complete order by id")
            .bind(version).fetch_all(c).await)?;
        for rendition in renditions {
            let segments = sql::segments(tx, &rendition.id).await?;
            media.rungs.push(Rung { rendition, segments });
        }
        media.embedded = caption::sql::of_origin(tx, version, Origin::Embedded).await?;
        Ok(Some(media))
    }
}

impl Sidecar {
    pub async fn of(tx: &mut Tx, version: &VersionId, upload: Stored) -> Result<Sidecar> {
        let clip = on!(&mut *tx, c => sqlx::query_as(
                "select c.id as clip, v.id as version, v.n, c.title, c.state, v.filename, v.content_type,
                        c.created_at as clip_created_at, v.created_at, v.original_gone, c.owner_id as owner,
                        u.display_name as owner_name, u.region_path as owner_region_path,
                        u.phone_hash as owner_phone_hash, u.phone_enc as owner_phone_enc,
                        c.cohort_id as cohort, c.assignment_code as assignment, c.region_path
                 from clip_versions v join clips c on c.id = v.clip_id join users u on u.id = c.owner_id where v.id = $1")
            .bind(version).fetch_optional(c).await)
        .or_not_found()?;
        let media = Media::of(tx, version).await?;
        let attached = caption::sql::of_origin(tx, version, Origin::Attached).await?;
        Ok(Sidecar { clip, upload, media, attached })
    }

    pub fn to_bytes(&self) -> Result<bytes::Bytes> {
        Ok(serde_json::to_vec(self).map_err(|e| Error::Damaged(e.to_string()))?.into())
    }
}

/// What a sidecar tells of this clip has changed.
pub async fn touch(tx: &mut Tx, clip: &ClipId) -> Result<()> {
    on!(tx, c => sqlx::query("update clip_versions set sidecar_rev = sidecar_rev + 1 where clip_id = $1")
        .bind(clip).execute(c).await.map(drop))?;
    Ok(())
}

/// Which versions have a sidecar: those of which anything is kept, also one whose file came and is not named, which a
/// repair finds by its hashes. What she took back does not come back.
pub(crate) const KEPT: &str = "c.state <> 'withdrawn' and (v.original_key is not null or v.playable_at is not null
    or v.original_gone is null and v.state in ('received', 'processing', 'ready'))";

/// The sidecar that the rows want a version to have.
pub struct Wanted {
    /// It has changed and is about to be written.
    pub due: bool,
    /// None: no upload tells where its file came from.
    pub sidecar: Option<Sidecar>,
}

/// None: it is to have none.
pub async fn wanted(tx: &mut Tx, version: &VersionId) -> Result<Option<Wanted>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select v.sidecar_put < v.sidecar_rev from clip_versions v join clips c on c.id = v.clip_id
         where v.id = $1 and {KEPT}"
    ));
    let due: Option<bool> = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(version).fetch_optional(c).await)?;
    let Some(due) = due else { return Ok(None) };
    let sidecar = match Stored::of(tx, version).await? {
        Some(stored) => Some(Sidecar::of(tx, version, stored).await?),
        None => None,
    };
    Ok(Some(Wanted { due, sidecar }))
}

/// Whether the bucket says that this file came, of which the database knows only that it was being sent: then the
/// database is from before its last byte, and nothing that it says about the file may be believed.
pub async fn tells_more(db: &Db, storage: &Storage, original_key: &str) -> Result<bool> {
    let Some((Area::Originals, version)) = Area::of(original_key) else { return Ok(false) };
    let mut tx = db.read().await?;
    let row: Option<(ClipId, VersionId)> = on!(&mut tx, c => sqlx::query_as(
            "select c.id, v.id from clip_versions v join clips c on c.id = v.clip_id
             where v.id = $1 and v.received_at is null and c.state <> 'withdrawn'")
        .bind(version).fetch_optional(c).await)?;
    drop(tx);
    let Some((clip, version)) = row else { return Ok(false) };
    let told = match storage.get(&keys::sidecar(&clip, &version)).await {
        Ok(bytes) => bytes,
        Err(StorageError::NotFound) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    // One that cannot be read may be about this file.
    Ok(serde_json::from_slice::<Sidecar>(&told).map_or(true, |sidecar| sidecar.upload.key == original_key))
}

/// Writes a version's sidecar as the rows are now. `false`: they do not say enough.
pub async fn put(db: &Db, storage: &Storage, version: &VersionId) -> Result<bool> {
    let mut tx = db.read().await?;
    let sidecar = wanted(&mut tx, version).await?.and_then(|wanted| wanted.sidecar);
    let (rev, put): (i64, i64) = on!(&mut tx, c => sqlx::query_as(
            "select sidecar_rev, sidecar_put from clip_versions where id = $1")
        .bind(version).fetch_one(c).await)?;
    drop(tx);
    if let Some(sidecar) = &sidecar {
        let key = keys::sidecar(&sidecar.clip.clip, version);
        storage.put(&key, "application/json", sidecar.to_bytes()?).await?;
    }
    let mut tx = db.write().await?;
    written(&mut tx, version, rev, put).await?;
    if let Some(sidecar) = &sidecar
        && wanted(&mut tx, version).await?.is_none()
    {
        // Taken back meanwhile, perhaps before this was put.
        trash::put(&mut tx, At::now() - trash::GRACE, &keys::sidecar(&sidecar.clip.clip, version), None).await?;
    }
    tx.commit().await?;
    Ok(sidecar.is_some())
}

/// What the rows told at `rev` is in the bucket, unless somebody else has put it since `before`: nobody can know whose
/// landed last, and it is written once more.
async fn written(tx: &mut Tx, version: &VersionId, rev: i64, before: i64) -> Result<()> {
    on!(tx, c => sqlx::query(
            "update clip_versions set sidecar_put = case when sidecar_put = $3 then $2 else -1 end where id = $1")
        .bind(version).bind(rev).bind(before).execute(c).await.map(drop))?;
    Ok(())
}

/// Writes the sidecars that are not as the rows are any more. Answers how many. What cannot be written now is tried
/// again in the next round.
pub async fn catch_up(db: &Db, storage: &Storage) -> Result<usize> {
    let (mut written, mut after) = (0, String::new());
    loop {
        let mut tx = db.read().await?;
        // Of what is still being sent nothing is kept yet.
        let due: Vec<VersionId> = on!(&mut tx, c => sqlx::query_scalar(
                "select id from clip_versions where sidecar_put < sidecar_rev and id > $1 and state <> 'uploading'
                 order by id limit 100")
            .bind(&after).fetch_all(c).await)?;
        drop(tx);
        let Some(last) = due.last().map(VersionId::to_string) else { return Ok(written) };
        for version in due {
            match put(db, storage, &version).await {
                Ok(put) => written += usize::from(put),
                Err(error) => tracing::warn!(%version, %error, "its sidecar is not written yet"),
            }
        }
        after = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::review::testing::Classroom;

    both_databases! {
        of_two_who_write_at_once_the_later_is_not_believed(db) {
            let room = Classroom::open(&db).await;
            let mut tx = db.write().await.unwrap();
            let (_, version) = crate::review::testing::clip(&mut tx, &room.trainee, None, None).await;
            let put = async |tx: &mut Tx| -> i64 {
                on!(&mut *tx, c => sqlx::query_scalar("select sidecar_put from clip_versions where id = $1")
                    .bind(&version).fetch_one(c).await).unwrap()
            };
            let begun = put(&mut tx).await;
            written(&mut tx, &version, 6, begun).await.unwrap();
            assert_eq!(put(&mut tx).await, 6);
            written(&mut tx, &version, 5, begun).await.unwrap();
            assert_eq!(put(&mut tx).await, -1, "it is due again");
            tx.commit().await.unwrap();
        }
    }
}
