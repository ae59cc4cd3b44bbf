use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weijia_core::access::Permission;
use weijia_core::clip::sql;
use weijia_core::ids::ClipId;

use super::{clip_for, view};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Rename {
    title: String,
}

/// Gives her clip another name.
#[utoipa::path(
    patch, path = "/clips/{clip}", operation_id = "renameClip", tag = "clip", params(("clip" = String, Path)),
    request_body = Rename,
    responses(
        (status = 200, body = view::Clip),
        (status = 404, description = "Not there, or not hers", body = ErrorBody),
        (status = 422, description = "Empty or too long", body = ErrorBody),
    )
)]
pub async fn rename_clip(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ClipId>,
    Body(request): Body<Rename>,
) -> ApiResult<Json<view::Clip>> {
    let mut tx = state.db.write().await?;
    let clip = clip_for(&mut tx, &principal, Permission::ClipEdit, &id).await?;
    sql::rename(&mut tx, &clip, &request.title).await?;
    let shown = view::clip(&state, &mut tx, &principal, &id).await?;
    tx.commit().await?;
    Ok(Json(shown))
}
