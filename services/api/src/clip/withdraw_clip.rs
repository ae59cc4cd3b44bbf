use axum::extract::State;
use axum::http::StatusCode;
use weijia_core::access::Permission;
use weijia_core::clip::sql;
use weijia_core::ids::ClipId;
use weijia_core::time::At;

use super::clip_for;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// Takes her clip back: out of every queue, and out of everybody else's sight.
#[utoipa::path(
    delete, path = "/clips/{clip}", operation_id = "withdrawClip", tag = "clip", params(("clip" = String, Path)),
    responses(
        (status = 204, description = "Taken back, now or before"),
        (status = 404, description = "Not there, or not hers", body = ErrorBody),
    )
)]
pub async fn withdraw_clip(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ClipId>,
) -> ApiResult<StatusCode> {
    let mut tx = state.db.write().await?;
    clip_for(&mut tx, &principal, Permission::ClipEdit, &id).await?;
    sql::withdraw(&mut tx, At::now(), &principal.user, &id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
