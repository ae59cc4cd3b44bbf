use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use weijia_core::ids::CohortId;
use weijia_core::time::At;

use super::managed;
use super::view::{JoinBoard, board, origin};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// The door of a class, whose seats are taken so far, and who waits to be let in. To be asked every few seconds.
#[utoipa::path(
    get, path = "/cohorts/{cohort}/join-window", operation_id = "getJoinWindow", tag = "join",
    params(("cohort" = String, Path)),
    responses(
        (status = 200, body = JoinBoard),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
    )
)]
pub async fn get_join_window(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
    headers: HeaderMap,
) -> ApiResult<Json<JoinBoard>> {
    let mut tx = state.db.read().await?;
    let cohort = managed(&mut tx, &principal, &id).await?;
    Ok(Json(board(&mut tx, At::now(), cohort, &origin(&state.settings, &headers)).await?))
}
