use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weijia_core::access::Permission;
use weijia_core::course::{self, sql};
use weijia_core::ids::CohortId;
use weijia_core::time::At;

use super::cohort_for;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Default, Deserialize, utoipa::ToSchema)]
pub struct CompleteLesson {
    /// One of the cohorts she learns in. Without it: the current one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    cohort: Option<CohortId>,
}

/// She finished a lesson. The first time counts; again changes nothing.
#[utoipa::path(
    post, path = "/lessons/{lesson}/complete", operation_id = "completeLesson", tag = "course",
    params(("lesson" = String, Path, description = "The lesson's code, as in the course")),
    request_body = Option<CompleteLesson>,
    responses(
        (status = 200, body = course::Course),
        (status = 404, description = "No such lesson, or she learns in no such cohort", body = ErrorBody),
    )
)]
pub async fn complete_lesson(
    State(state): State<AppState>,
    principal: Principal,
    Id(lesson): Id<String>,
    body: Option<Body<CompleteLesson>>,
) -> ApiResult<Json<course::Course>> {
    let asked = body.and_then(|Body(request)| request.cohort);
    let mut tx = state.db.write().await?;
    let cohort = cohort_for(&mut tx, &principal, Permission::CourseRead, asked).await?;
    sql::complete_lesson(&mut tx, At::now(), &principal.user, &cohort, &lesson).await?;
    let course = sql::course(&mut tx, &principal.user, &cohort).await?;
    tx.commit().await?;
    Ok(Json(course))
}
