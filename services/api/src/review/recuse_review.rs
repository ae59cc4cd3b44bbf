use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weijia_core::ids::TicketId;
use weijia_core::review::queue;

use super::ticket_for;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
pub struct RecuseReview {
    /// Why she does not judge this one: a relative, her own village, her own hand in it.
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub struct Recused {
    /// Mentors of the class who may still judge it. None left: staff have to add one.
    mentors_left: i64,
}

/// She does not judge this clip: it goes to another mentor, and she sees it in her queue no more. Saying it twice does no harm.
#[utoipa::path(
    post, path = "/review/tickets/{ticket}/recuse", operation_id = "recuseReview", tag = "review",
    params(("ticket" = String, Path)), request_body = RecuseReview,
    responses(
        (status = 200, body = Recused),
        (status = 404, description = "Not there, or not of her cohorts", body = ErrorBody),
        (status = 409, description = "It was sent", body = ErrorBody),
        (status = 422, description = "No reason", body = ErrorBody),
    )
)]
pub async fn recuse_review(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<TicketId>,
    Body(ask): Body<RecuseReview>,
) -> ApiResult<Json<Recused>> {
    let mut tx = state.db.write().await?;
    ticket_for(&mut tx, &principal, &id).await?;
    queue::recuse(&mut tx, &id, &principal.user, &ask.reason).await?;
    let mentors_left = queue::mentors_left(&mut tx, &id).await?;
    tx.commit().await?;
    Ok(Json(Recused { mentors_left }))
}
