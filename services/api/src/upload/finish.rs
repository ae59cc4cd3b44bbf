//! The last step, which may be done again by anybody at any time: join the parts, look at the object, put the sidecar,
//! and only then say that it is complete.

use weijia_core::clip::refusal::RefusalCode;
use weijia_core::clip::sidecar::{Sidecar, Stored};
use weijia_core::ids::UploadId;
use weijia_core::storage::{StorageError, keys, trash};
use weijia_core::time::At;
use weijia_core::upload::{Part, State, Upload, sql};
use weijia_core::{Error, Result};

use super::Uploads;
use super::parts::patiently;

/// What the store says about the object.
enum Object {
    Whole,
    /// It is not there and never will be, or is not what was sent.
    Lost(String),
}

impl Uploads {
    /// Brings a `completing` upload to its end. An error means that nobody knows yet: ask again later.
    pub(super) async fn finish(&self, id: &UploadId) -> Result<State> {
        let mut tx = self.db.read().await?;
        let upload = sql::find(&mut tx, id).await?;
        if upload.state != State::Completing {
            return Ok(upload.state);
        }
        let parts = sql::durable(&mut tx, &upload).await?.parts;
        drop(tx);
        match self.join(&upload, &parts).await? {
            Object::Whole => {
                self.put_sidecar(&upload, &parts).await?;
                let mut tx = self.db.write().await?;
                sql::complete(&mut tx, At::now(), &upload, &parts).await?;
                // Where somebody else was faster, what they made of it counts.
                let upload = sql::find(&mut tx, id).await?;
                tx.commit().await?;
                Ok(upload.state)
            }
            Object::Lost(why) => {
                tracing::error!(upload = %upload.id, why, "the store has lost an upload");
                let mut tx = self.db.write().await?;
                let failed = sql::fail(&mut tx, At::now(), &upload, RefusalCode::Incomplete).await?;
                if failed && let (Some(clip), Some(version)) = (&upload.clip_id, &upload.version_id) {
                    // Whoever died before this may have put it.
                    trash::put(&mut tx, At::now(), &keys::sidecar(clip, version), None).await?;
                }
                let upload = sql::find(&mut tx, id).await?;
                tx.commit().await?;
                Ok(upload.state)
            }
        }
    }

    async fn join(&self, upload: &Upload, parts: &[Part]) -> Result<Object> {
        let key = upload.key.as_deref().ok_or_else(|| Error::Damaged(format!("{} has no object", upload.id)))?;
        let mut unknown = None;
        if let Some(multipart) = &upload.s3_upload_id {
            let list: Vec<_> = parts.iter().map(|part| (part.no as i32, part.etag.clone())).collect();
            match patiently(|| self.storage.complete_multipart(key, multipart, &list)).await {
                Ok(_) => {}
                // Done before and the answer lost, or gone: the object tells which.
                Err(StorageError::NoSuchUpload | StorageError::NotFound) => {}
                Err(StorageError::Damaged(why)) => return Ok(Object::Lost(why)),
                Err(StorageError::Refused(why)) if is_final(&why) => return Ok(Object::Lost(why)),
                Err(error) => unknown = Some(error),
            }
        }
        match patiently(|| self.storage.head(key)).await {
            Ok(Some(object)) if upload.ends_at(object.len as i64) => Ok(Object::Whole),
            Ok(Some(object)) => Ok(Object::Lost(format!("{} bytes instead of {:?}", object.len, upload.length))),
            Err(StorageError::Damaged(why)) => Ok(Object::Lost(why)),
            Err(error) => Err(error.into()),
            Ok(None) => match unknown {
                Some(error) => Err(error.into()),
                None => Ok(Object::Lost("no multipart upload and no object".into())),
            },
        }
    }

    /// What the bucket must know to bring the video back without the database.
    async fn put_sidecar(&self, upload: &Upload, parts: &[Part]) -> Result<()> {
        let (Some(clip), Some(version)) = (&upload.clip_id, &upload.version_id) else { return Ok(()) };
        let object = upload.key.as_deref().unwrap_or_default();
        let stored = Stored::new(&upload.id, object, upload.part_size, parts);
        let mut tx = self.db.read().await?;
        let body = Sidecar::of(&mut tx, version, stored).await?.to_bytes()?;
        drop(tx);
        let key = keys::sidecar(clip, version);
        patiently(|| self.storage.put(&key, "application/json", body.clone())).await?;
        Ok(())
    }
}

/// The store holds other parts than the ones recorded: no later attempt will find them.
fn is_final(why: &str) -> bool {
    ["InvalidPart", "EntityTooSmall"].iter().any(|code| why.starts_with(code))
}
