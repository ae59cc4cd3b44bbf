use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weijia_core::access::{self, Permission, Resource};
use weijia_core::time::{At, Millis};
use weijia_core::upload::quota;

use super::{Uploads, room};
use crate::auth::Principal;
use crate::clip::view::Refusal;
use crate::error::{ApiResult, ErrorBody};

#[derive(Deserialize, IntoParams)]
pub struct Asked {
    /// The file she is about to send.
    bytes: Option<i64>,
}

/// All in bytes.
#[derive(Serialize, ToSchema)]
pub struct UploadAllowance {
    /// The largest file that would be taken now.
    largest: i64,
    per_file: i64,
    per_day: i64,
    /// Begun since midnight in China.
    used_today: i64,
    /// When the day ends.
    day_ends_at: At,
    per_person: i64,
    /// Kept of her, and still coming in.
    kept: i64,
    /// Why the file of `bytes` would not be taken, in words for her; null when it would.
    #[schema(required)]
    refusal: Option<Refusal>,
}

/// How much she may send, so that the phone can say it before the first byte. Creation decides by the same rules.
#[utoipa::path(
    get, path = "/uploads/allowance", operation_id = "getUploadAllowance", tag = "uploads", params(Asked),
    responses((status = 200, body = UploadAllowance), (status = 404, description = "Not for her", body = ErrorBody))
)]
pub async fn get_upload_allowance(
    State(uploads): State<Uploads>,
    principal: Principal,
    Query(asked): Query<Asked>,
) -> ApiResult<Json<UploadAllowance>> {
    let own = Resource { owner: Some(&principal.user), ..Resource::default() };
    access::require(&principal, Permission::ClipUpload, &own)?;
    let (now, limits, room) = (At::now(), &uploads.limits.quota, uploads.room());
    let mut tx = uploads.db.read().await?;
    let used = quota::used(&mut tx, now, &principal.user).await?;
    drop(tx);
    let refusal = asked.bytes.and_then(|bytes| {
        let no_room = || (bytes > room).then(|| room::no_room_for_more().refusal);
        limits.refusal(&used, bytes).or_else(no_room)
    });
    Ok(Json(UploadAllowance {
        largest: limits.left(&used).min(room),
        per_file: limits.per_file,
        per_day: limits.per_day,
        used_today: used.today,
        day_ends_at: now.china_midnight() + Millis::days(1),
        per_person: limits.per_person,
        kept: used.kept,
        refusal: refusal.as_ref().map(Refusal::from),
    }))
}
