use crate::auth::Principal;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use weijia_core::Result as CoreResult;
use weijia_core::access::{self, Permission, Resource};
use weijia_core::ids::UploadId;
use weijia_core::time::At;
use weijia_core::upload::{Durable, State as UploadState, Upload, sql};

use super::protocol::{self, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET};
use super::{Uploads, patch};
use crate::error::ApiError;
use crate::extract::Id;

/// Up to where the bytes are durable. Asking is the beginning of going on: whoever was still writing stores what it has
/// and stops, so the answer stays true.
#[utoipa::path(
    head, path = "/uploads/{upload}", operation_id = "getUploadOffset", tag = "uploads",
    params(("upload" = String, Path), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses(
        (status = 200, description = "goes on at Upload-Offset; complete where that is Upload-Length", headers(
            ("Upload-Offset" = i64), ("Upload-Length" = i64), ("Upload-Metadata" = String),
        )),
        (status = 404, description = "no such upload of hers"), (status = 410, description = "refused, ended or expired"),
        (status = 503, description = "ask again in a moment"),
    )
)]
pub async fn get_upload_offset(
    State(uploads): State<Uploads>,
    principal: Principal,
    Id(upload): Id<String>,
) -> Result<Response, ApiError> {
    let id = uploads.own(&principal, &upload).await?;
    let (upload, durable) = {
        let _seat = uploads.writers.sit(&id, uploads.limits.handover).await;
        uploads.take_over(&id).await?
    };
    match upload.state {
        UploadState::Open | UploadState::Complete => {}
        UploadState::Completing => uploads.finished(&id).await?,
        UploadState::Failed | UploadState::Terminated | UploadState::Expired => return Err(patch::gone()),
    }
    let mut response = StatusCode::OK.into_response();
    protocol::set(&mut response, UPLOAD_OFFSET, durable.offset);
    protocol::set(&mut response, UPLOAD_LENGTH, upload.length);
    if !upload.metadata.is_empty() {
        protocol::set(&mut response, UPLOAD_METADATA, &upload.metadata);
    }
    Ok(response)
}

impl Uploads {
    /// The upload's id if it is hers; otherwise it does not exist.
    pub(super) async fn own(&self, principal: &Principal, id: &str) -> CoreResult<UploadId> {
        let id: UploadId = id.parse().map_err(|_| weijia_core::Error::NotFound)?;
        let mut tx = self.db.read().await?;
        let upload = sql::find(&mut tx, &id).await?;
        let resource = Resource { owner: Some(&upload.owner_id), ..Default::default() };
        access::require(principal, Permission::ClipEdit, &resource)?;
        Ok(id)
    }

    pub(super) async fn take_over(&self, id: &UploadId) -> CoreResult<(Upload, Durable)> {
        let mut tx = self.db.write().await?;
        let taken = sql::take_over(&mut tx, At::now(), id).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Up to where the bytes are durable, without disturbing anybody.
    pub(super) async fn offset(&self, id: &UploadId) -> CoreResult<i64> {
        let mut tx = self.db.read().await?;
        let upload = sql::find(&mut tx, id).await?;
        Ok(sql::durable(&mut tx, &upload).await?.offset)
    }
}
