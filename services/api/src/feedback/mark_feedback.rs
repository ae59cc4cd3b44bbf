use axum::Json;
use axum::extract::State;
use weijia_core::ids::ItemId;
use weijia_core::review::FeedbackItem;
use weijia_core::review::fix::{self, Mark};

use super::may_answer;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

/// What she says of one piece of feedback: heard, trying, fixed at a moment of a later version, or that she sees it
/// otherwise. Saying it twice changes nothing; `heard` takes back what she said besides.
#[utoipa::path(
    post, path = "/feedback/{item}/mark", operation_id = "markFeedback", tag = "feedback",
    params(("item" = String, Path)), request_body = Mark,
    responses(
        (status = 200, body = FeedbackItem),
        (status = 404, description = "Not there, or not about her clip", body = ErrorBody),
        (status = 422, description = "Nothing is to be changed, it is settled, or no such moment", body = ErrorBody),
    )
)]
pub async fn mark_feedback(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ItemId>,
    Body(mark): Body<Mark>,
) -> ApiResult<Json<FeedbackItem>> {
    let mut tx = state.db.write().await?;
    may_answer(&mut tx, &principal, &id).await?;
    let item = fix::mark(&mut tx, &id, &principal.user, &mark).await?;
    tx.commit().await?;
    Ok(Json(item))
}
