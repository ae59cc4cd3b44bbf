use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weijia_core::access::{self, Permission, Resource};
use weijia_core::upload::reuse;

use super::Uploads;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Query;

#[derive(Deserialize, IntoParams)]
pub struct Asked {
    /// Of the file that she is about to send.
    bytes: i64,
}

#[derive(Serialize, ToSchema)]
pub struct SameLength {
    /// One of hers is exactly as long.
    known: bool,
}

/// Whether it is worth hashing a file before sending it: whether one of hers that is still kept is exactly as long.
#[utoipa::path(
    get, path = "/uploads/same", operation_id = "mayReuseUpload", tag = "uploads", params(Asked),
    responses((status = 200, body = SameLength), (status = 404, description = "not for her", body = ErrorBody))
)]
pub async fn may_reuse_upload(
    State(uploads): State<Uploads>,
    principal: Principal,
    Query(asked): Query<Asked>,
) -> ApiResult<Json<SameLength>> {
    let own = Resource { owner: Some(&principal.user), ..Resource::default() };
    access::require(&principal, Permission::ClipUpload, &own)?;
    let mut tx = uploads.db.read().await?;
    Ok(Json(SameLength { known: reuse::has_length(&mut tx, &principal.user, asked.bytes).await? }))
}
