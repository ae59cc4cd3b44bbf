use axum::Json;
use axum::extract::State;
use weijia_core::cohort::{self, Progress};
use weijia_core::ids::CohortId;
use weijia_core::time::At;

use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// Who is where, what waits and since when.
#[utoipa::path(
    get, path = "/cohorts/{cohort}/progress", operation_id = "getCohortProgress", tag = "cohort",
    params(("cohort" = String, Path)),
    responses(
        (status = 200, body = Progress),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
    )
)]
pub async fn get_cohort_progress(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
) -> ApiResult<Json<Progress>> {
    let mut tx = state.db.read().await?;
    let cohort = cohort::get(&mut tx, &id).await?;
    Ok(Json(cohort::progress(&mut tx, At::now(), &principal, cohort).await?))
}
