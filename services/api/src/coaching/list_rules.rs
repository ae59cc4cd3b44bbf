use axum::Json;
use axum::extract::State;

use super::{About, CoachingRules, hers, view};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Query;
use crate::state::AppState;

/// What the hints on how to film go by, for the clips of a region of hers.
#[utoipa::path(
    get, path = "/coaching/rules", operation_id = "listCoachingRules", tag = "coaching", params(About),
    responses(
        (status = 200, body = CoachingRules),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such region, or not hers", body = ErrorBody),
        (status = 422, description = "No region was named", body = ErrorBody),
    )
)]
pub async fn list_rules(
    State(state): State<AppState>,
    principal: Principal,
    Query(about): Query<About>,
) -> ApiResult<Json<CoachingRules>> {
    let mut tx = state.db.read().await?;
    let region_path = hers(&mut tx, &principal, &about).await?;
    Ok(Json(view(&mut tx, &region_path).await?))
}
