use axum::extract::State;
use axum::http::StatusCode;
use weijia_core::ids::CohortId;
use weijia_core::join;
use weijia_core::time::At;

use super::managed;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// Closes the door of a class. Saying it twice does no harm.
#[utoipa::path(
    delete, path = "/cohorts/{cohort}/join-window", operation_id = "closeJoinWindow", tag = "join",
    params(("cohort" = String, Path)),
    responses(
        (status = 204, description = "It is shut"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
    )
)]
pub async fn close_join_window(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
) -> ApiResult<StatusCode> {
    let mut tx = state.db.write().await?;
    managed(&mut tx, &principal, &id).await?;
    join::close(&mut tx, At::now(), &principal.user, &id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
