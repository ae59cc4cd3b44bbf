use axum::Json;
use axum::extract::State;
use weijia_core::access::Permission;
use weijia_core::clip::sql;
use weijia_core::ids::ClipId;
use weijia_core::time::At;

use super::{clip_for, view};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// One clip: where it stands, why, what comes next, and where to play it. That somebody else looked is logged.
#[utoipa::path(
    get, path = "/clips/{clip}", operation_id = "getClip", tag = "clip", params(("clip" = String, Path)),
    responses((status = 200, body = view::Clip), (status = 404, description = "Not there, or not hers to see", body = ErrorBody))
)]
pub async fn get_clip(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ClipId>,
) -> ApiResult<Json<view::Clip>> {
    let mut tx = state.db.read().await?;
    let clip = clip_for(&mut tx, &principal, Permission::ClipPlay, &id).await?;
    let shown = view::clip(&state, &mut tx, &principal, &id).await?;
    drop(tx);
    sql::log_look(&state.db, At::now(), &principal.user, &clip).await?;
    Ok(Json(shown))
}
