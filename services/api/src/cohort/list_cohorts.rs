use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::cohort::{self, CohortSummary};
use weijia_core::time::At;

use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::state::AppState;

#[derive(Serialize, ToSchema)]
pub struct Cohorts {
    cohorts: Vec<CohortSummary>,
}

/// The cohorts of her regions and those she teaches, the newest first. Of a wider cohort in which trainees of her region
/// learn she sees these trainees.
#[utoipa::path(
    get, path = "/cohorts", operation_id = "listCohorts", tag = "cohort",
    responses((status = 200, body = Cohorts), (status = 401, description = "Nobody is signed in", body = ErrorBody))
)]
pub async fn list_cohorts(State(state): State<AppState>, principal: Principal) -> ApiResult<Json<Cohorts>> {
    let mut tx = state.db.read().await?;
    let cohorts = cohort::of_principal(&mut tx, &principal).await?;
    Ok(Json(Cohorts { cohorts: cohort::list(&mut tx, At::now(), &principal, cohorts).await? }))
}
