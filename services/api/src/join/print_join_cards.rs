use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use weijia_core::ids::CohortId;
use weijia_core::time::At;
use weijia_core::{audit, join};

use super::managed;
use super::sheet::{self, Sheet};
use super::view::origin;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// What is printed before a class begins, on A4: a page for the wall, and a card for everybody on the roster.
#[utoipa::path(
    get, path = "/cohorts/{cohort}/join-cards.pdf", operation_id = "printJoinCards", tag = "join",
    params(("cohort" = String, Path)),
    responses(
        (status = 200, content_type = "application/pdf", body = String),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
    )
)]
pub async fn print_join_cards(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
    headers: HeaderMap,
) -> ApiResult<(HeaderMap, Vec<u8>)> {
    let mut tx = state.db.write().await?;
    let cohort = managed(&mut tx, &principal, &id).await?;
    let wall = join::wall_token(&mut tx, &cohort.id).await?;
    let now = At::now();
    let cards = join::cards(&mut tx, now, &cohort).await?;
    let detail = serde_json::json!({ "cards": cards.len() });
    audit::append(&mut tx, now, Some(&principal.user), "join.printed", cohort.id.as_str(), &detail).await?;
    tx.commit().await?;
    let origin = origin(&state.settings, &headers);
    let pdf = sheet::print(&Sheet { cohort: &cohort, origin: &origin, wall: &wall, cards: &cards });
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/pdf".parse().map_err(|_| crate::error::ApiError::fault())?);
    let name = format!("inline; filename=\"cohort-{}-cards.pdf\"", cohort.series_no);
    headers.insert(CONTENT_DISPOSITION, name.parse().map_err(|_| crate::error::ApiError::fault())?);
    Ok((headers, pdf))
}
