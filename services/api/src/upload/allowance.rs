use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weijia_core::Result as CoreResult;
use weijia_core::access::{self, Permission, Resource};
use weijia_core::db::Tx;
use weijia_core::ids::UserId;
use weijia_core::time::{At, Millis};
use weijia_core::upload::quota::{self, Used};

use super::{Uploads, room};
use crate::auth::Principal;
use crate::clip::view::Refusal;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::extract::Query;

#[derive(Deserialize, IntoParams)]
pub struct Asked {
    /// The file she is about to send.
    bytes: Option<u64>,
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
    /// Why the file of `bytes`, or any at all, would not be taken, in words for her; null when it would.
    #[schema(required)]
    refusal: Option<Refusal>,
}

/// How much she may send, so that the phone can say it before the first byte. Creation decides by the same rules.
#[utoipa::path(
    get, path = "/uploads/allowance", operation_id = "getUploadAllowance", tag = "uploads", params(Asked),
    responses(
        (status = 200, body = UploadAllowance), (status = 404, description = "not for her", body = ErrorBody),
        (status = 422, description = "no number of bytes", body = ErrorBody),
    )
)]
pub async fn get_upload_allowance(
    State(uploads): State<Uploads>,
    principal: Principal,
    Query(asked): Query<Asked>,
) -> ApiResult<Json<UploadAllowance>> {
    let own = Resource { owner: Some(&principal.user), ..Resource::default() };
    access::require(&principal, Permission::ClipUpload, &own)?;
    let (now, limits) = (At::now(), &uploads.limits.quota);
    let mut tx = uploads.db.read().await?;
    let left = uploads.left(&mut tx, now, &principal.user).await?;
    drop(tx);
    let Left { used, room } = left;
    let bytes = asked.bytes.map_or(1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let refusal = uploads.refusal_to_begin(&left, bytes).map(|error| error.refusal);
    Ok(Json(UploadAllowance {
        largest: limits.left(&used).min(room).max(0),
        per_file: limits.per_file,
        per_day: limits.per_day,
        used_today: used.today,
        day_ends_at: now.china_midnight() + Millis::days(1),
        per_person: limits.per_person,
        kept: used.kept,
        refusal: refusal.as_ref().map(Refusal::from),
    }))
}

/// All that decides whether an upload may be begun.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    pub used: Used,
    /// The largest file that the disk has room for.
    pub room: i64,
}

impl Left {
    /// As it was before an upload of so many bytes was begun.
    pub fn without_upload(self, bytes: i64) -> Left {
        Left { used: self.used.without_upload(bytes), room: self.room.saturating_add(bytes) }
    }
}

impl Uploads {
    pub(super) async fn left(&self, tx: &mut Tx, now: At, owner: &UserId) -> CoreResult<Left> {
        Ok(Left { used: quota::used(tx, now, owner).await?, room: self.room(tx).await? })
    }

    /// Why an upload of so many bytes may not be begun: what she is told before is what a creation decides.
    pub(super) fn refusal_to_begin(&self, left: &Left, bytes: i64) -> Option<ApiError> {
        let no_room = || (bytes > left.room).then(|| room::no_room_for_more(bytes, left.room));
        self.limits.quota.refusal_to_begin(&left.used, bytes).map(ApiError::from).or_else(no_room)
    }
}
