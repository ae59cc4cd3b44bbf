//! Making bytes durable: into the store first, into SQL second. Each step may be cut off and done again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::Rng;
use sha2::{Digest, Sha256};
use weijia_core::error::Refusal;
use weijia_core::storage::{StorageError, keys, trash};
use weijia_core::time::At;
use weijia_core::upload::{Part, TailPiece, Upload, giving_up, quota, sql, tails};
use weijia_core::{Error, Result};

use super::Uploads;

const CONTENT_TYPE: &str = "application/octet-stream";

/// Why a writer cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("a newer writer has taken over, or the upload has ended")]
    TakenOver,
    #[error("the store has lost what it said it had")]
    Lost,
    /// What was acknowledged stands.
    #[error("the disk of the store or of the database is full")]
    Full,
    /// More than its owner may send or keep, which nobody could know before.
    #[error("it is too much: {}", .0.code)]
    Over(Refusal),
    /// What was acknowledged stands.
    #[error("the store or the database does not answer as it should: {0}")]
    Unavailable(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Conflict(_) | Error::NotFound => Failure::TakenOver,
            Error::Refused(refusal) => Failure::Over(refusal),
            full if full.is_full() => Failure::Full,
            other => Failure::Unavailable(other.to_string()),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound | StorageError::NoSuchUpload => Failure::Lost,
            StorageError::Damaged(why) => {
                tracing::error!(why, "the disk of the store has lost what was acknowledged");
                Failure::Lost
            }
            StorageError::Full(why) => {
                tracing::error!(why, "the disk of the store is full");
                Failure::Full
            }
            other => Failure::Unavailable(other.to_string()),
        }
    }
}

/// A store that took so long to fail is not asked again: a phone is waiting, and it asks again itself.
const LONG: Duration = Duration::from_secs(60);

/// Asks again what may work the next time, a little later each time, never all clients at once.
pub async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, StorageError>
where
    F: Future<Output = Result<T, StorageError>>,
{
    const WAITS_MS: [u64; 3] = [150, 500, 1500];
    let began = Instant::now();
    for wait in WAITS_MS {
        match attempt().await {
            Err(StorageError::Transient(why)) if began.elapsed() < LONG => {
                tracing::warn!(why, "the store did not answer well, asking again")
            }
            answer => return answer,
        }
        let wait = rand::rng().random_range(wait / 2..wait * 3 / 2);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    attempt().await
}

/// Hashing 8 MiB takes long enough to hold up a whole runtime thread.
async fn sha256(bytes: Bytes) -> String {
    if bytes.len() < 64 * 1024 {
        return hex::encode(Sha256::digest(&bytes));
    }
    let hash = tokio::task::spawn_blocking(move || hex::encode(Sha256::digest(&bytes)));
    // The task neither panics nor is it cancelled; an empty hash would fail every later check.
    hash.await.unwrap_or_default()
}

impl Uploads {
    /// The multipart upload that the parts go into, made with the first of them.
    pub(super) async fn open_object(&self, upload: &mut Upload) -> Result<(), Failure> {
        if upload.is_single() || upload.s3_upload_id.is_some() {
            return Ok(());
        }
        let key = upload.new_key();
        let id = patiently(|| self.storage.create_multipart(&key, CONTENT_TYPE)).await?;
        let mut tx = self.db.write().await.map_err(Error::from)?;
        let set = sql::set_object(&mut tx, At::now(), &upload.id, upload.epoch, &key, Some(&id)).await;
        if let Err(error) = set {
            drop(tx);
            self.discard(&[key], Some(&id)).await;
            return Err(error.into());
        }
        tx.commit().await.map_err(Error::from)?;
        upload.key = Some(key);
        upload.s3_upload_id = Some(id);
        Ok(())
    }

    /// A whole part, in the store and not counted yet.
    pub(super) async fn put_part(&self, upload: &Upload, no: i64, bytes: Bytes) -> Result<Part, Failure> {
        let len = bytes.len() as i64;
        let single = upload.new_key();
        let put = async {
            match (&upload.key, &upload.s3_upload_id) {
                (Some(key), Some(id)) => {
                    patiently(|| self.storage.upload_part(key, id, no as i32, bytes.clone())).await
                }
                _ => patiently(|| self.storage.put(&single, CONTENT_TYPE, bytes.clone())).await,
            }
        };
        let (sha256, etag) = tokio::join!(sha256(bytes.clone()), put);
        Ok(Part { no, len, etag: etag?, sha256 })
    }

    /// A piece of the part that is still growing: a new object, not counted yet.
    pub(super) async fn put_tail(
        &self,
        upload: &Upload,
        no: i64,
        start: i64,
        bytes: Bytes,
    ) -> Result<TailPiece, Failure> {
        let key = keys::upload_tail(&upload.id, upload.epoch, (no - 1) * upload.part_size + start);
        let len = bytes.len() as i64;
        let put = patiently(|| self.storage.put(&key, CONTENT_TYPE, bytes.clone()));
        let (sha256, put) = tokio::join!(sha256(bytes.clone()), put);
        put?;
        Ok(TailPiece { part_no: no, start, len, key, sha256 })
    }

    /// Counts what the store has, and with it the length that is said now: all of it, or nothing.
    pub(super) async fn count(
        &self,
        upload: &Upload,
        length: Option<i64>,
        parts: &[Part],
        pieces: &[TailPiece],
    ) -> Result<(), Failure> {
        let now = At::now();
        let mut tx = self.db.write().await.map_err(Error::from)?;
        let begins = parts.iter().any(|part| part.no == 1) || pieces.iter().any(|p| (p.part_no, p.start) == (1, 0));
        // Its creation has counted a length that it said.
        let unsaid = length.is_some() || upload.length.is_none();
        let mut adds = parts.iter().map(|p| p.len).chain(pieces.iter().map(|p| p.len)).sum();
        let counted = async {
            if unsaid {
                sql::lock_owner(&mut tx, &upload.owner_id).await?;
            }
            if begins {
                giving_up::supersede(&mut tx, now, upload).await?;
            }
            if let Some(length) = length {
                let durable = sql::durable(&mut tx, upload).await?;
                adds = length - durable.offset;
                sql::declare_length(&mut tx, now, upload.clone(), &durable, length).await?;
            }
            if upload.is_single() && !parts.is_empty() {
                sql::set_object(&mut tx, now, &upload.id, upload.epoch, &upload.new_key(), None).await?;
            }
            for part in parts {
                sql::record_part(&mut tx, now, upload, part).await?;
            }
            for piece in pieces {
                sql::add_tail(&mut tx, now, upload, piece).await?;
            }
            if unsaid {
                quota::check_counted(&mut tx, &self.limits.quota, now, &upload.owner_id, adds).await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = counted.await {
            drop(tx);
            self.let_go(upload, parts, pieces.iter().map(|piece| piece.key.clone()).collect()).await;
            return Err(error.into());
        }
        // Whatever an error here says, they may be counted by now: they stay.
        Ok(tx.commit().await.map_err(Error::from)?)
    }

    /// Counts a piece instead of those that it is joined from.
    pub(super) async fn count_joined(&self, upload: &Upload, piece: &TailPiece) -> Result<(), Failure> {
        let mut tx = self.db.write().await.map_err(Error::from)?;
        if let Err(error) = tails::join(&mut tx, At::now(), upload, piece).await {
            drop(tx);
            self.discard(std::slice::from_ref(&piece.key), None).await;
            return Err(error.into());
        }
        Ok(tx.commit().await.map_err(Error::from)?)
    }

    /// Objects that will not be counted. A part of a multipart upload is none: the next of its number replaces it.
    pub(super) async fn let_go(&self, upload: &Upload, parts: &[Part], tails: Vec<String>) {
        let single = (upload.is_single() && !parts.is_empty()).then(|| upload.new_key());
        let keys: Vec<String> = tails.into_iter().chain(single).collect();
        if !keys.is_empty() {
            self.discard(&keys, None).await;
        }
    }

    /// A piece back from the store, exactly as it was put there.
    pub(super) async fn load_tail(&self, piece: &TailPiece) -> Result<Bytes, Failure> {
        let bytes = patiently(|| self.storage.get(&piece.key)).await?;
        if sha256(bytes.clone()).await != piece.sha256 {
            tracing::error!(key = piece.key, "a tail is not what was stored");
            return Err(Failure::Lost);
        }
        Ok(bytes)
    }

    /// What was made for nothing. Its keys carry this writer's epoch, so they are nobody else's and nobody reads them:
    /// it goes at once, for it is counted nowhere and would fill the disk. It is noted all the same: what cannot be
    /// deleted now will be, and a put that was given up on may still land behind this.
    async fn discard(&self, keys: &[String], s3_upload_id: Option<&str>) {
        let noted = async {
            let mut tx = self.db.write().await?;
            for key in keys {
                trash::put(&mut tx, At::now(), key, s3_upload_id).await?;
            }
            Ok::<_, Error>(tx.commit().await?)
        };
        if let Err(error) = noted.await {
            tracing::warn!(?keys, %error, "could not note objects to be deleted");
        }
        for key in keys {
            let deleted = match s3_upload_id {
                Some(id) => self.storage.abort_multipart(key, id).await,
                None => self.storage.delete(key).await,
            };
            if let Err(error) = deleted {
                tracing::warn!(key, %error, "could not delete an object yet");
            }
        }
    }
}
