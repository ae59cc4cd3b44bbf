use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weijia_core::ids::TicketId;
use weijia_core::review::{Outcome, SentReview, draft};

use super::ticket_for;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Send {
    /// The draft she means to send.
    rev: i64,
    outcome: Outcome,
}

/// Sends the kept draft to the trainee and closes the ticket. Sending again answers the same.
#[utoipa::path(
    post, path = "/review/tickets/{ticket}/send", operation_id = "sendReview", tag = "review",
    params(("ticket" = String, Path)), request_body = Send,
    responses(
        (status = 200, body = SentReview),
        (status = 404, description = "Not there, or never begun by her", body = ErrorBody),
        (status = 409, description = "The lease is lost, the draft is not the kept one, or it was sent otherwise", body = ErrorBody),
        (status = 422, description = "`review_incomplete`: the message names what is missing", body = ErrorBody),
    )
)]
pub async fn send_review(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<TicketId>,
    Body(request): Body<Send>,
) -> ApiResult<Json<SentReview>> {
    let mut tx = state.db.write().await?;
    ticket_for(&mut tx, &principal, &id).await?;
    let review = draft::send(&mut tx, &id, &principal.user, request.rev, request.outcome).await?;
    tx.commit().await?;
    Ok(Json(review))
}
