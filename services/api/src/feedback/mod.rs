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
use weijia_core::error::{Error, Result};
use weijia_core::ids::ItemId;
use weijia_core::review::sent::{self, Speaker};

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

/// Who she is in the thread of an item: whose clip it is, or the mentor who wrote it and still teaches there.
async fn speaks(tx: &mut Tx, principal: &Principal, id: &ItemId) -> Result<Speaker> {
    let (item, clip) = sent::item(tx, id).await?;
    if clip_for(tx, principal, Permission::FeedbackReply, &clip).await.is_ok() {
        return Ok(Speaker::Owner);
    }
    clip_for(tx, principal, Permission::ReviewWrite, &clip).await?;
    if sent::author_of(tx, &item).await? == principal.user { Ok(Speaker::Mentor) } else { Err(Error::NotFound) }
}

/// An item is reached through its clip: whoever may not answer there finds nothing here.
async fn may_answer(tx: &mut Tx, principal: &Principal, item: &ItemId) -> Result<()> {
    let (_, clip) = sent::item(tx, item).await?;
    clip_for(tx, principal, Permission::FeedbackReply, &clip).await.map(drop)
}
