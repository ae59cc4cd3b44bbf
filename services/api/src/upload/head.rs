use crate::auth::Principal;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use weijia_core::Result as CoreResult;
use weijia_core::access::{self, Permission, Resource};
use weijia_core::ids::UploadId;
use weijia_core::time::At;
use weijia_core::upload::{Durable, Kind, State as UploadState, Upload, sql};

use super::Uploads;
use super::patch::{self, Reached};
use super::protocol::{self, UPLOAD_CONCAT, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET};
use crate::error::ApiError;
use crate::extract::Id;

/// Up to where the bytes are durable. Asking is the beginning of going on: whoever was still writing stores what it has
/// and stops, so the answer stays true. A final upload has an offset only when all of it is joined.
#[utoipa::path(
    head, path = "/uploads/{upload}", operation_id = "getUploadOffset", tag = "uploads",
    params(("upload" = String, Path), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses(
        (status = 200, description = "goes on at Upload-Offset; complete where that is Upload-Length", headers(
            ("Upload-Offset" = i64), ("Upload-Length" = i64), ("Upload-Defer-Length" = String),
            ("Upload-Metadata" = String), ("Upload-Concat" = String), ("Upload-Expires" = String),
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
    let (upload, reached) = uploads.standing(&id).await?;
    let mut response = StatusCode::OK.into_response();
    match (upload.kind, reached) {
        (Kind::Final, Reached { expires: Some(_), .. }) => {}
        (_, Reached { offset, .. }) => protocol::set(&mut response, UPLOAD_OFFSET, offset),
    }
    match upload.length {
        Some(length) => protocol::set(&mut response, UPLOAD_LENGTH, length),
        None => protocol::set(&mut response, UPLOAD_DEFER_LENGTH, 1),
    }
    match (upload.kind, &upload.concat) {
        (Kind::Partial, _) => protocol::set(&mut response, UPLOAD_CONCAT, "partial"),
        (_, Some(concat)) => protocol::set(&mut response, UPLOAD_CONCAT, concat),
        _ => {}
    }
    protocol::set_expires(response.headers_mut(), reached.expires);
    if !upload.metadata.is_empty() {
        protocol::set(&mut response, UPLOAD_METADATA, &upload.metadata);
    }
    Ok(response)
}

impl Uploads {
    /// Where it stands. What lacks nothing but its last step is brought to its end.
    async fn standing(&self, id: &UploadId) -> Result<(Upload, Reached), ApiError> {
        let mut tx = self.db.read().await?;
        let mut upload = sql::find(&mut tx, id).await?;
        let mut durable = sql::durable(&mut tx, &upload).await?;
        drop(tx);
        let mut seat = None;
        // Who joins a final upload is not disturbed: there is nothing that the client could go on with.
        if upload.kind != Kind::Final {
            seat = Some(self.writers.sit(id, self.limits.handover).await);
            (upload, durable) = self.take_over(id).await?;
        }
        let mut reached = Reached { offset: durable.offset, expires: upload.expires() };
        match (upload.state, seat) {
            (UploadState::Open, Some(seat)) if upload.ends_at(durable.offset) => {
                reached = self.write(upload.clone(), durable, seat, None, &mut Body::empty()).await?;
            }
            (UploadState::Completing, _) => self.finished(id).await?,
            (UploadState::Open | UploadState::Complete, _) => {}
            (UploadState::Failed | UploadState::Terminated | UploadState::Expired, _) => return Err(patch::gone()),
        }
        Ok((upload, reached))
    }

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
