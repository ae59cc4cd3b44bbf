use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use weijia_core::access::{Permission, Resource, require};
use weijia_core::cohort::{self, CohortSummary, NewCohort};
use weijia_core::time::{At, Day};
use weijia_core::{Error, region};

use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Body;
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
pub struct OpenCohort {
    /// 第几期
    series_no: i64,
    title: String,
    host: String,
    region_code: String,
    starts_on: Day,
    ends_on: Day,
}

/// Opens a cohort in a region of hers.
#[utoipa::path(
    post, path = "/cohorts", operation_id = "openCohort", tag = "cohort", request_body = OpenCohort,
    responses(
        (status = 201, body = CohortSummary),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such region, or not hers", body = ErrorBody),
        (status = 409, description = "This number has a cohort", body = ErrorBody),
        (status = 422, description = "A name or a date is wrong", body = ErrorBody),
    )
)]
pub async fn open_cohort(
    State(state): State<AppState>,
    principal: Principal,
    Body(ask): Body<OpenCohort>,
) -> ApiResult<(StatusCode, Json<CohortSummary>)> {
    let (now, mut tx) = (At::now(), state.db.write().await?);
    let place = region::get(&mut tx, &ask.region_code).await?;
    let there = Resource { region_path: Some(&place.path), ..Resource::default() };
    require(&principal, Permission::CohortManage, &there)?;
    let new = NewCohort {
        series_no: ask.series_no,
        title: &ask.title,
        host: &ask.host,
        region_code: &place.code,
        starts_on: ask.starts_on,
        ends_on: ask.ends_on,
    };
    let opened = cohort::open(&mut tx, now, &principal.user, new).await?;
    let summary = cohort::list(&mut tx, now, &principal, vec![opened]).await?.pop().ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(summary)))
}
