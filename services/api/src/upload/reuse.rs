use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weijia_core::access::{self, Permission, Resource};
use weijia_core::ids::{ClipId, UploadId, VersionId};
use weijia_core::text::one_line;
use weijia_core::upload::{State as UploadState, Upload, reuse};
use weijia_core::{Error, Result as CoreResult};

use super::concatenate::is_lost;
use super::creation::Creation;
use super::patch::{self, Reached};
use super::protocol::{IDEMPOTENCY_KEY, UPLOAD_LENGTH, UPLOAD_METADATA};
use super::{Uploads, parts};
use crate::auth::Principal;
use crate::error::{ApiError, ErrorBody};
use crate::extract;

/// A file that she may have sent before, and what a creation would say about it.
#[derive(Deserialize, ToSchema)]
pub struct Reuse {
    bytes: i64,
    /// SHA-256, in hex, over the SHA-256 of every 8 MiB.
    root_sha256: String,
    filename: String,
    content_type: String,
    title: Option<String>,
    /// Its code.
    assignment: Option<String>,
    /// The clip to add a version to.
    clip: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Reused {
    clip: ClipId,
    version: VersionId,
}

/// A clip, or a new version of one, from bytes that she has sent before: they are copied inside the store, checked
/// against their hashes on the way, and the version is received as if they had been sent again. Only an own original is
/// looked for; without one the bytes have to be sent. Asked again with the same `Idempotency-Key` it goes on, and makes no
/// second clip.
#[utoipa::path(
    post, path = "/uploads/same", operation_id = "reuseUpload", tag = "uploads", request_body = Reuse,
    params(("Idempotency-Key" = Option<String>, Header, description = "as for a creation")),
    responses(
        (status = 201, description = "received", body = Reused),
        (status = 400, description = "an Idempotency-Key that cannot be kept", body = ErrorBody),
        (status = 404, description = "none of hers has these bytes, or not all of them any more", body = ErrorBody),
        (status = 409, description = "the clip takes no new version now", body = ErrorBody),
        (status = 410, description = "its clip was taken back", body = ErrorBody),
        (status = 413, description = "larger than a file may be", body = ErrorBody),
        (status = 422, description = "refused, with the reason", body = ErrorBody),
        (status = 503, description = "ask again in a moment", body = ErrorBody),
        (status = 507, description = "the disk has no room for it now", body = ErrorBody),
    )
)]
pub async fn reuse_upload(
    State(uploads): State<Uploads>,
    principal: Principal,
    headers: HeaderMap,
    extract::Body(asked): extract::Body<Reuse>,
) -> Result<(StatusCode, Json<Reused>), ApiError> {
    let own = Resource { owner: Some(&principal.user), ..Resource::default() };
    access::require(&principal, Permission::ClipUpload, &own)?;
    let source = uploads.source(&principal, &asked).await?.ok_or(Error::NotFound)?;
    let creation = Creation::read(&as_creation(&asked, &headers)?, uploads.limits.max_length)?;
    let upload = uploads.begin(&principal, &creation).await?.upload;
    let (Some(clip), Some(version)) = (upload.clip_id.clone(), upload.version_id.clone()) else {
        return Err(Error::NotFound.into());
    };
    if upload.state != UploadState::Complete {
        // Goes on although her phone may hang up: what it asks for next is how far this came.
        let (task, id) = (uploads.clone(), upload.id.clone());
        let copied = uploads.tasks.spawn(async move { task.copy(&id, source).await });
        copied.await.map_err(|error| Error::Damaged(error.to_string()))??;
    }
    Ok((StatusCode::CREATED, Json(Reused { clip, version })))
}

impl Uploads {
    /// Her original with these bytes, if the store has it too.
    async fn source(&self, owner: &Principal, asked: &Reuse) -> CoreResult<Option<Upload>> {
        let mut tx = self.db.read().await?;
        let found = reuse::original(&mut tx, &owner.user, asked.bytes, &asked.root_sha256).await?;
        drop(tx);
        let Some(source) = found else { return Ok(None) };
        let key = source.key.as_deref().unwrap_or_default();
        let there = parts::patiently(|| self.storage.head(key)).await?;
        Ok(there.is_some_and(|object| object.len == asked.bytes as u64).then_some(source))
    }

    /// Through the same writer as bytes that come in: cut off anywhere, the next one to ask goes on from what is durable.
    async fn copy(&self, id: &UploadId, source: Upload) -> Result<Reached, ApiError> {
        let seat = self.writers.sit(id, self.limits.handover).await;
        let (upload, durable) = self.take_over(id).await?;
        let (mut body, lost) = hiding_loss(self.read_back(&[source], durable.offset).await?);
        let written = self.write(upload, durable, seat, None, &mut body).await;
        if lost.load(Ordering::Relaxed) {
            tracing::error!(upload = %id, "an original of hers is damaged; she sends it once more");
            return Err(Error::NotFound.into());
        }
        let reached = written?;
        let mut tx = self.db.read().await?;
        let whole = weijia_core::upload::sql::find(&mut tx, id).await?.state == UploadState::Complete;
        if whole { Ok(reached) } else { Err(patch::unavailable()) }
    }
}

/// Bytes that the store has lost end the upload that they are the only source of. Here her phone has them all: the upload
/// stays as it is, and it sends the rest.
fn hiding_loss(body: Body) -> (Body, Arc<AtomicBool>) {
    let lost = Arc::new(AtomicBool::new(false));
    let seen = lost.clone();
    let bytes = body.into_data_stream().map_err(move |error| {
        seen.fetch_or(is_lost(&error), Ordering::Relaxed);
        io::Error::other("the original cannot be read back")
    });
    (Body::from_stream(bytes), lost)
}

fn short(text: &str) -> String {
    one_line(text).chars().take(WORDS_MAX).collect()
}

/// More than is kept of any of its words: as headers they have to be short.
const WORDS_MAX: usize = 200;

/// The same in the words of tus, so that it is judged by the same rules.
fn as_creation(asked: &Reuse, headers: &HeaderMap) -> Result<HeaderMap, ApiError> {
    let said = [
        ("filename", Some(&asked.filename)),
        ("filetype", Some(&asked.content_type)),
        ("title", asked.title.as_ref()),
        ("assignment", asked.assignment.as_ref()),
        ("clip", asked.clip.as_ref()),
    ];
    let pairs = said.into_iter().filter_map(|(key, value)| Some(format!("{key} {}", STANDARD.encode(short(value?)))));
    let metadata = pairs.collect::<Vec<_>>().join(",");
    let metadata = HeaderValue::from_str(&metadata).map_err(|_| Error::NotFound)?;
    let mut creation =
        HeaderMap::from_iter([(UPLOAD_LENGTH, HeaderValue::from(asked.bytes)), (UPLOAD_METADATA, metadata)]);
    creation.extend(headers.get(IDEMPOTENCY_KEY).map(|key| (IDEMPOTENCY_KEY, key.clone())));
    Ok(creation)
}
