use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weijia_core::access::Permission;
use weijia_core::course::{self, sql};
use weijia_core::ids::CohortId;

use super::cohort_for;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Query;
use crate::state::AppState;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// One of the cohorts she learns in. Without it: the current one.
    #[param(value_type = Option<String>)]
    cohort: Option<CohortId>,
}

/// Her course: modules and lessons, where each assignment stands, and what is next.
#[utoipa::path(
    get, path = "/course", operation_id = "getCourse", tag = "course", params(Which),
    responses(
        (status = 200, body = course::Course),
        (status = 404, description = "She learns in no such cohort", body = ErrorBody),
    )
)]
pub async fn get_course(
    State(state): State<AppState>,
    principal: Principal,
    Query(which): Query<Which>,
) -> ApiResult<Json<course::Course>> {
    let mut tx = state.db.read().await?;
    let cohort = cohort_for(&mut tx, &principal, Permission::CourseRead, which.cohort).await?;
    Ok(Json(sql::course(&mut tx, &principal.user, &cohort).await?))
}
