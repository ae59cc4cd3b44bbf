use axum::extract::State;
use axum::http::StatusCode;
use weijia_core::ids::TicketId;
use weijia_core::review::queue;

use super::ticket_for;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// Puts a ticket back into the queue; her draft is kept for her.
#[utoipa::path(
    post, path = "/review/tickets/{ticket}/release", operation_id = "releaseReviewTicket", tag = "review",
    params(("ticket" = String, Path)),
    responses(
        (status = 204, description = "She doesn't hold it"),
        (status = 404, description = "Not there, or not of her cohorts", body = ErrorBody),
    )
)]
pub async fn release_review_ticket(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<TicketId>,
) -> ApiResult<StatusCode> {
    let mut tx = state.db.write().await?;
    ticket_for(&mut tx, &principal, &id).await?;
    queue::release(&mut tx, &id, &principal.user).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
