use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use weijia_core::ids::RequestId;
use weijia_core::join::{self, Approval};
use weijia_core::time::At;

use super::managed;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
pub struct ApproveJoin {
    /// Who she is, as she says herself.
    name: String,
    /// Where she lives.
    region_code: String,
    #[serde(default)]
    group_no: Option<i64>,
}

/// Lets somebody in who is on no roster: she is on it now, and chooses her digits herself. Saying it twice does no harm.
#[utoipa::path(
    post, path = "/join-requests/{request}/approve", operation_id = "approveJoin", tag = "join",
    params(("request" = String, Path)), request_body = ApproveJoin,
    responses(
        (status = 204, description = "She is in"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such request, or not hers", body = ErrorBody),
        (status = 409, description = "She asked more than a week ago", body = ErrorBody),
        (status = 422, description = "Not like this, with the reason", body = ErrorBody),
    )
)]
pub async fn approve_join(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<RequestId>,
    Body(ask): Body<ApproveJoin>,
) -> ApiResult<StatusCode> {
    let mut tx = state.db.write().await?;
    let cohort = join::cohort_of(&mut tx, &id).await?;
    managed(&mut tx, &principal, &cohort).await?;
    let as_whom = Approval { name: &ask.name, region_code: &ask.region_code, group_no: ask.group_no };
    join::approve(&mut tx, &state.keys, At::now(), &principal, &id, as_whom).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
