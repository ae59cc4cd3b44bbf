use axum::Json;
use axum::extract::State;
use weijia_core::ids::TicketId;
use weijia_core::review::{draft, queue};
use weijia_core::time::At;

use super::ticket_for;
use super::view::{self, Desk};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// Takes a ticket for four hours, and opens its desk: her own draft as she left it, or a blank one. Nothing is scored
/// by opening. Taking what she holds changes nothing.
#[utoipa::path(
    post, path = "/review/tickets/{ticket}/claim", operation_id = "claimReviewTicket", tag = "review",
    params(("ticket" = String, Path)),
    responses(
        (status = 200, body = Desk),
        (status = 404, description = "Not there, or not of her cohorts", body = ErrorBody),
        (status = 409, description = "Somebody else holds it, or it is answered or taken back", body = ErrorBody),
    )
)]
pub async fn claim_review_ticket(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<TicketId>,
) -> ApiResult<Json<Desk>> {
    let mut tx = state.db.write().await?;
    ticket_for(&mut tx, &principal, &id).await?;
    queue::claim(&mut tx, &id, &principal.user).await?;
    let held = queue::get(&mut tx, &id).await?;
    draft::begin(&mut tx, At::now(), &held, &principal.user).await?;
    let desk = view::desk(&state, &mut tx, &principal, held).await?;
    tx.commit().await?;
    Ok(Json(desk))
}
