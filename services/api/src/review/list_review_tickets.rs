use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use weijia_core::review::queue::{self, Counts, View};

use super::view::{self, Ticket};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Query;
use crate::state::AppState;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Without it: what waits.
    #[param(inline)]
    view: Option<View>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TicketList {
    tickets: Vec<Ticket>,
    counts: Counts,
}

/// What waits in the cohorts she mentors, the oldest promise first; what she holds; or what she sent. Of other cohorts
/// it holds nothing, so whoever mentors none gets an empty list.
#[utoipa::path(
    get, path = "/review/tickets", operation_id = "listReviewTickets", tag = "review", params(Which),
    responses((status = 200, body = TicketList), (status = 401, description = "Not signed in", body = ErrorBody))
)]
pub async fn list_review_tickets(
    State(state): State<AppState>,
    principal: Principal,
    Query(which): Query<Which>,
) -> ApiResult<Json<TicketList>> {
    // Whatever lease ran out is back in the queue before anybody reads it.
    queue::sweep(&state.db).await?;
    let mut tx = state.db.read().await?;
    let found = queue::list(&mut tx, &principal.user, which.view.unwrap_or(View::Waiting)).await?;
    let mut tickets = Vec::with_capacity(found.len());
    for ticket in found {
        tickets.push(view::ticket(&state, &mut tx, &principal, ticket).await?);
    }
    let counts = queue::counts(&mut tx, &principal.user).await?;
    Ok(Json(TicketList { tickets, counts }))
}
