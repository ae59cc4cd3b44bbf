use crate::auth::Principal;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use weijia_core::access::{self, Permission, Resource};
use weijia_core::clip::create::{self, Draft};
use weijia_core::clip::refusal::RefusalCode;
use weijia_core::ids::ClipId;
use weijia_core::time::At;
use weijia_core::upload::sql::{self, NewUpload};
use weijia_core::{Error, Result as CoreResult};

use super::protocol::{self, Metadata, UPLOAD_LENGTH, UPLOAD_OFFSET, X_CLIP_ID, X_VERSION_ID};
use super::{Uploads, patch};
use crate::error::{ApiError, ErrorBody};

/// Begins to send a clip, or a new version of one (metadata `clip`). The bytes follow by PATCH to `Location`; a body of
/// `application/offset+octet-stream` may bring the first of them at once.
///
/// Metadata: `filename`, `filetype`, `title`, `assignment` (its code), `clip` (the id of the clip to add a version to).
#[utoipa::path(
    post, path = "/uploads", operation_id = "createUpload", tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = i64, Header, description = "bytes in the file"),
        ("Upload-Metadata" = Option<String>, Header, description = "pairs of a key and a base64 value"),
    ),
    responses(
        (status = 201, description = "created", headers(
            ("Location" = String, description = "where the bytes go"),
            ("X-Clip-Id" = String), ("X-Version-Id" = String), ("Upload-Offset" = i64),
        )),
        (status = 400, body = ErrorBody), (status = 404, description = "no such clip of hers", body = ErrorBody),
        (status = 409, description = "the clip takes no new version now", body = ErrorBody),
        (status = 412, description = "another version of tus", body = ErrorBody),
        (status = 413, description = "larger than Tus-Max-Size", body = ErrorBody),
        (status = 422, description = "refused, with the reason", body = ErrorBody),
    )
)]
pub async fn create_upload(
    State(uploads): State<Uploads>,
    principal: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let own = Resource { owner: Some(&principal.user), ..Resource::default() };
    access::require(&principal, Permission::ClipUpload, &own)?;
    let length = protocol::required(&headers, &UPLOAD_LENGTH)?;
    if length > uploads.limits.max_length {
        return Err(ApiError::refused(StatusCode::PAYLOAD_TOO_LARGE, RefusalCode::TooBig.into()));
    }
    let metadata = Metadata::read(&headers)?;
    let clip: Option<ClipId> = match metadata.get("clip") {
        Some(text) => Some(text.parse().ok()).map(|id| id.ok_or(Error::NotFound)).transpose()?,
        None => None,
    };
    let draft = Draft {
        title: metadata.get("title"),
        filename: metadata.get("filename").unwrap_or_default(),
        content_type: metadata.get("filetype").unwrap_or("application/octet-stream"),
        bytes: length,
        assignment: metadata.get("assignment"),
        clip: clip.as_ref(),
    };
    let (created, upload) = uploads.begin(&principal, &draft, &metadata.raw).await?;
    let mut offset = 0;
    if length > 0 && protocol::is_offset_stream(&headers) {
        // What did not get through can be sent again to `Location`; only a refusal is final.
        match patch::append(&uploads, upload.id.clone(), 0, &headers, body).await {
            Ok(reached) => offset = reached,
            Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => return Err(error),
            Err(_) => offset = uploads.offset(&upload.id).await?,
        }
    }
    let mut response = StatusCode::CREATED.into_response();
    protocol::set(&mut response, header::LOCATION, format!("/api/v1/uploads/{}", upload.id));
    protocol::set(&mut response, X_CLIP_ID, &created.clip);
    protocol::set(&mut response, X_VERSION_ID, &created.version);
    protocol::set(&mut response, UPLOAD_OFFSET, offset);
    Ok(response)
}

impl Uploads {
    /// Clip, version and upload, together.
    async fn begin(
        &self,
        owner: &Principal,
        draft: &Draft<'_>,
        metadata: &str,
    ) -> CoreResult<(create::Created, weijia_core::upload::Upload)> {
        let now = At::now();
        let mut tx = self.db.write().await?;
        let created = create::create(&mut tx, now, owner, draft).await?;
        let new = NewUpload {
            owner: &owner.user,
            clip: &created.clip,
            version: &created.version,
            length: draft.bytes,
            metadata,
        };
        let upload = sql::create(&mut tx, now, new).await?;
        tx.commit().await?;
        Ok((created, upload))
    }
}
