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

/// Takes back what she handed in, while no mentor has begun with it. Again changes nothing.
#[utoipa::path(
    post, path = "/clips/{clip}/retract", operation_id = "retractClip", tag = "clip", params(("clip" = String, Path)),
    responses(
        (status = 200, body = view::Clip),
        (status = 404, description = "Not there, or not hers", body = ErrorBody),
        (status = 409, description = "`being_reviewed`: a mentor has begun. `clip_moved_on`: it passed, or was withdrawn", body = ErrorBody),
    )
)]
pub async fn retract_clip(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ClipId>,
) -> ApiResult<Json<view::Clip>> {
    let mut tx = state.db.write().await?;
    clip_for(&mut tx, &principal, Permission::ClipEdit, &id).await?;
    sql::retract(&mut tx, At::now(), &principal.user, &id).await?;
    let shown = view::clip(&state, &mut tx, &principal, &id).await?;
    tx.commit().await?;
    Ok(Json(shown))
}
