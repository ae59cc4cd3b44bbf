//! The mentor's side: the queue, her desk, what she sends.

mod amend_review;
mod claim_review_ticket;
mod get_review_desk;
mod list_review_tickets;
mod recuse_review;
mod release_review_ticket;
mod save_review_draft;
mod send_review;
#[cfg(test)]
mod tests;
mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weijia_core::access::{Permission, Principal};
use weijia_core::clip::Clip;
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::ids::TicketId;
use weijia_core::review::{Ticket, queue};

use crate::clip::clip_for;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_review_tickets::list_review_tickets))
        .routes(routes!(get_review_desk::get_review_desk))
        .routes(routes!(claim_review_ticket::claim_review_ticket))
        .routes(routes!(release_review_ticket::release_review_ticket))
        .routes(routes!(recuse_review::recuse_review))
        .routes(routes!(amend_review::amend_review))
        .routes(routes!(save_review_draft::save_review_draft))
        .routes(routes!(send_review::send_review))
}

/// A ticket is reached through its clip, by the mentors of its cohort.
async fn ticket_for(tx: &mut Tx, principal: &Principal, id: &TicketId) -> Result<(Ticket, Clip)> {
    let ticket = queue::get(tx, id).await?;
    let clip = clip_for(tx, principal, Permission::ReviewWrite, &ticket.clip_id).await?;
    Ok((ticket, clip))
}
