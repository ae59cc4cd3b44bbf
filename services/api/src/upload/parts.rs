//! Making bytes durable: into the store first, into SQL second. Each step may be cut off and done again.

use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use sha2::{Digest, Sha256};
use weijia_core::storage::{StorageError, keys, trash};
use weijia_core::time::At;
use weijia_core::upload::{Part, TailPiece, Upload, sql};
use weijia_core::{Error, Result};

use super::Uploads;

const CONTENT_TYPE: &str = "application/octet-stream";

/// Why a writer cannot go on.
#[derive(Debug)]
pub enum Failure {
    /// A newer writer has taken over, or the upload has ended.
    TakenOver,
    /// The store has lost what it said it had.
    Lost,
    /// The store or the database does not answer as it should. What was acknowledged stands.
    Unavailable(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Conflict(_) | Error::NotFound => Failure::TakenOver,
            other => Failure::Unavailable(other.to_string()),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound | StorageError::NoSuchUpload => Failure::Lost,
            other => Failure::Unavailable(other.to_string()),
        }
    }
}

/// Asks again what may work the next time, a little later each time, never all clients at once.
pub async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, StorageError>
where
    F: Future<Output = Result<T, StorageError>>,
{
    const WAITS_MS: [u64; 3] = [150, 500, 1500];
    for wait in WAITS_MS {
        match attempt().await {
            Err(StorageError::Transient(why)) => tracing::warn!(why, "the store did not answer well, asking again"),
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
        let key = keys::original(&upload.version_id, upload.epoch);
        let id = patiently(|| self.storage.create_multipart(&key, CONTENT_TYPE)).await?;
        let mut tx = self.db.write().await.map_err(Error::from)?;
        let set = sql::set_object(&mut tx, At::now(), &upload.id, upload.epoch, &key, Some(&id)).await;
        if let Err(error) = set {
            drop(tx);
            self.discard(&key, Some(&id)).await;
            return Err(error.into());
        }
        tx.commit().await.map_err(Error::from)?;
        upload.key = Some(key);
        upload.s3_upload_id = Some(id);
        Ok(())
    }

    /// A whole part: the store has it, then SQL knows it.
    pub(super) async fn store_part(&self, upload: Upload, no: i64, bytes: Bytes) -> Result<(), Failure> {
        let sha256 = sha256(bytes.clone()).await;
        let len = bytes.len() as i64;
        let single = keys::original(&upload.version_id, upload.epoch);
        let etag = match (&upload.key, &upload.s3_upload_id) {
            (Some(key), Some(id)) => patiently(|| self.storage.upload_part(key, id, no as i32, bytes.clone())).await?,
            _ => patiently(|| self.storage.put(&single, CONTENT_TYPE, bytes.clone())).await?,
        };
        drop(bytes);
        let part = Part { no, len, etag, sha256 };
        let now = At::now();
        let mut tx = self.db.write().await.map_err(Error::from)?;
        let recorded = async {
            if upload.is_single() {
                sql::set_object(&mut tx, now, &upload.id, upload.epoch, &single, None).await?;
            }
            sql::record_part(&mut tx, now, &upload, &part).await
        };
        match recorded.await {
            Ok(_) => Ok(tx.commit().await.map_err(Error::from)?),
            Err(error) => {
                drop(tx);
                // The key carries this writer's epoch, so it is nobody else's object.
                if upload.is_single() && matches!(error, Error::Conflict(_)) {
                    self.discard(&single, None).await;
                }
                Err(error.into())
            }
        }
    }

    /// A piece of the part that is still growing: a new object first, then the row that counts it.
    pub(super) async fn store_tail(
        &self,
        upload: &Upload,
        no: i64,
        start: i64,
        bytes: Bytes,
    ) -> Result<TailPiece, Failure> {
        let key = keys::upload_tail(&upload.id, upload.epoch, (no - 1) * upload.part_size + start);
        let sha256 = sha256(bytes.clone()).await;
        let len = bytes.len() as i64;
        patiently(|| self.storage.put(&key, CONTENT_TYPE, bytes.clone())).await?;
        let piece = TailPiece { part_no: no, start, len, key, sha256 };
        let mut tx = self.db.write().await.map_err(Error::from)?;
        if let Err(error) = sql::add_tail(&mut tx, At::now(), upload, &piece).await {
            drop(tx);
            self.discard(&piece.key, None).await;
            return Err(error.into());
        }
        tx.commit().await.map_err(Error::from)?;
        Ok(piece)
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

    /// Something made by a writer that lost its right meanwhile.
    async fn discard(&self, key: &str, s3_upload_id: Option<&str>) {
        let noted = async {
            let mut tx = self.db.write().await?;
            trash::put(&mut tx, At::now(), key, s3_upload_id).await?;
            Ok::<_, Error>(tx.commit().await?)
        };
        if let Err(error) = noted.await {
            tracing::warn!(key, %error, "could not note an object to be deleted");
        }
    }
}
