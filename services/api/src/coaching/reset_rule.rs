use axum::Json;
use axum::extract::State;
use weijia_core::coaching;
use weijia_core::time::At;

use super::{About, CoachingRules, hers, view};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Id, Query};
use crate::state::AppState;

/// Takes back what a region of hers has set: the rule is again as the region above has it.
#[utoipa::path(
    delete, path = "/coaching/rules/{rule}", operation_id = "resetCoachingRule", tag = "coaching",
    params(("rule" = String, Path, description = "The rule's code, as in the list"), About),
    responses(
        (status = 200, body = CoachingRules),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such region, or not hers", body = ErrorBody),
        (status = 422, description = "No region was named", body = ErrorBody),
    )
)]
pub async fn reset_rule(
    State(state): State<AppState>,
    principal: Principal,
    Id(rule): Id<String>,
    Query(about): Query<About>,
) -> ApiResult<Json<CoachingRules>> {
    let mut tx = state.db.write().await?;
    let region_path = hers(&mut tx, &principal, &about).await?;
    coaching::reset(&mut tx, At::now(), &principal.user, &region_path, &rule).await?;
    let rules = view(&mut tx, &region_path).await?;
    tx.commit().await?;
    Ok(Json(rules))
}
