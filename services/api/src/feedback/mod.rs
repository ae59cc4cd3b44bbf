//! What mentors said about a clip, and her answers.

mod hear_feedback;
mod list_feedback;
mod mark_feedback;
mod reply_feedback;
#[cfg(test)]
mod tests;
mod verify_fix;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weijia_core::access::{Permission, Principal};
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::ids::ItemId;
use weijia_core::review::sent;

use crate::clip::clip_for;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_feedback::list_feedback))
        .routes(routes!(reply_feedback::reply_feedback))
        .routes(routes!(hear_feedback::hear_feedback))
        .routes(routes!(mark_feedback::mark_feedback))
        .routes(routes!(verify_fix::verify_fix))
}

/// An item is reached through its clip: whoever may not answer there finds nothing here.
async fn may_answer(tx: &mut Tx, principal: &Principal, item: &ItemId) -> Result<()> {
    let (_, clip) = sent::item(tx, item).await?;
    clip_for(tx, principal, Permission::FeedbackReply, &clip).await.map(drop)
}
