use axum::Json;
use axum::extract::State;
use weijia_core::clip::sql::log_look;
use weijia_core::error::Error;
use weijia_core::ids::TicketId;
use weijia_core::review::draft;
use weijia_core::time::At;

use super::ticket_for;
use super::view::{self, Desk};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// The desk of a ticket she holds, or of one she has answered.
#[utoipa::path(
    get, path = "/review/tickets/{ticket}", operation_id = "getReviewDesk", tag = "review",
    params(("ticket" = String, Path)),
    responses(
        (status = 200, body = Desk),
        (status = 404, description = "Not there, or neither held nor answered by her", body = ErrorBody),
    )
)]
pub async fn get_review_desk(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<TicketId>,
) -> ApiResult<Json<Desk>> {
    let mut tx = state.db.read().await?;
    let (ticket, clip) = ticket_for(&mut tx, &principal, &id).await?;
    let now = tx.clock().await?;
    if !draft::may_open(&mut tx, &ticket, &principal.user, now).await? {
        return Err(Error::NotFound.into());
    }
    let desk = view::desk(&state, &mut tx, &principal, ticket).await?;
    drop(tx);
    log_look(&state.db, At::now(), &principal.user, &clip).await?;
    Ok(Json(desk))
}
