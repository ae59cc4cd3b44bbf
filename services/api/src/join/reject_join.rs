use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use weijia_core::ids::RequestId;
use weijia_core::join;
use weijia_core::time::At;

use super::managed;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
pub struct RejectJoin {
    /// What she is told.
    reason: String,
}

/// Does not let somebody in, and tells her why. She may be let in later.
#[utoipa::path(
    post, path = "/join-requests/{request}/reject", operation_id = "rejectJoin", tag = "join",
    params(("request" = String, Path)), request_body = RejectJoin,
    responses(
        (status = 204, description = "She is told"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such request, or not hers", body = ErrorBody),
        (status = 422, description = "No reason", body = ErrorBody),
    )
)]
pub async fn reject_join(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<RequestId>,
    Body(ask): Body<RejectJoin>,
) -> ApiResult<StatusCode> {
    let mut tx = state.db.write().await?;
    let cohort = join::cohort_of(&mut tx, &id).await?;
    managed(&mut tx, &principal, &cohort).await?;
    join::reject(&mut tx, At::now(), &principal.user, &id, &ask.reason).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
