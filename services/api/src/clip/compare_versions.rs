use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use weijia_core::access::Permission;
use weijia_core::ids::{ClipId, VersionId};
use weijia_core::review::fix::{self, Comparison};

use super::clip_for;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Id, Query};
use crate::state::AppState;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Pair {
    /// The earlier version.
    #[param(value_type = String)]
    before: VersionId,
    /// The later one.
    #[param(value_type = String)]
    after: VersionId,
}

/// Two versions of a clip beside each other: each piece of feedback on the earlier one, and where it lies in the later one.
#[utoipa::path(
    get, path = "/clips/{clip}/compare", operation_id = "compareVersions", tag = "clip",
    params(("clip" = String, Path), Pair),
    responses(
        (status = 200, body = Comparison),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "Not there, not hers to see, or no versions of this clip", body = ErrorBody),
        (status = 422, description = "The earlier one is the later", body = ErrorBody),
    )
)]
pub async fn compare_versions(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ClipId>,
    Query(Pair { before, after }): Query<Pair>,
) -> ApiResult<Json<Comparison>> {
    let mut tx = state.db.read().await?;
    let clip = clip_for(&mut tx, &principal, Permission::ClipPlay, &id).await?;
    Ok(Json(fix::compare(&mut tx, &clip, &before, &after, &principal.user).await?))
}
