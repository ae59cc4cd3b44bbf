use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use weijia_core::error::Error;
use weijia_core::ids::CohortId;
use weijia_core::time::At;
use weijia_core::{access, audit, cohort};

use super::workbook;
use crate::auth::Principal;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The cohort as a workbook, as far as she may see it: where everybody stands, with phone numbers masked. Each export is in
/// the audit log.
#[utoipa::path(
    get, path = "/cohorts/{cohort}/export.xlsx", operation_id = "exportCohort", tag = "cohort",
    params(("cohort" = String, Path)),
    responses(
        (status = 200, content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", body = String),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
    )
)]
pub async fn export_cohort(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
) -> ApiResult<(HeaderMap, Vec<u8>)> {
    // Mentors follow their class on the page; a file is for those who answer for it.
    if principal.staff_paths.is_empty() {
        return Err(Error::NotFound.into());
    }
    let (now, mut tx) = (At::now(), state.db.read().await?);
    let seen = cohort::get(&mut tx, &id).await?;
    let series_no = seen.series_no;
    // Of those who live where she is staff, whatever she teaches besides.
    let desk = access::Principal { teaches: Vec::new(), ..principal.0.clone() };
    let progress = cohort::progress(&mut tx, now, &desk, seen).await?;
    let phones = cohort::phones_masked(&mut tx, &id).await?;
    drop(tx);
    let file = workbook::write(&progress, &phones, now).map_err(|error| {
        tracing::error!(%error, "a workbook could not be written");
        ApiError::fault()
    })?;
    let mut tx = state.db.write().await?;
    let detail = serde_json::json!({ "trainees": progress.trainees.len() });
    audit::append(&mut tx, now, Some(&principal.user), "cohort.exported", id.as_str(), &detail).await?;
    tx.commit().await?;
    let name = format!("attachment; filename=\"cohort-{series_no}-{}.xlsx\"", now.china_date());
    let name = HeaderValue::from_str(&name).map_err(|_| ApiError::fault())?;
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(XLSX)), (CONTENT_DISPOSITION, name)];
    Ok((HeaderMap::from_iter(headers), file))
}
