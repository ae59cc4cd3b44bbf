use axum::Json;
use axum::extract::State;
use weijia_core::access::Permission;
use weijia_core::caption::{self, Language};
use weijia_core::clip::sql;
use weijia_core::ids::{ClipId, VersionId};
use weijia_core::time::At;

use super::{clip_for, view};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// Takes away the captions that she attached in that language. Again changes nothing. Those that came in the film stay.
#[utoipa::path(
    delete, path = "/clips/{clip}/versions/{version}/captions/{language}", operation_id = "removeCaption", tag = "clip",
    params(("clip" = String, Path), ("version" = String, Path), ("language" = String, Path)),
    responses((status = 200, body = view::Clip), (status = 404, description = "Not there, or not hers", body = ErrorBody))
)]
pub async fn remove_caption(
    State(state): State<AppState>,
    principal: Principal,
    Id((clip, version, language)): Id<(ClipId, VersionId, Language)>,
) -> ApiResult<Json<view::Clip>> {
    let mut tx = state.db.write().await?;
    clip_for(&mut tx, &principal, Permission::ClipEdit, &clip).await?;
    sql::lock(&mut tx, &clip).await?;
    let version = sql::version_of(&mut tx, &clip, &version).await?;
    caption::sql::remove(&mut tx, At::now(), &principal.user, &version, &language).await?;
    let shown = view::clip(&state, &mut tx, &principal, &clip).await?;
    tx.commit().await?;
    Ok(Json(shown))
}
