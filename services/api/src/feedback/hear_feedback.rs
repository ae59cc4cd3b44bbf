use axum::Json;
use axum::extract::State;
use weijia_core::ids::ItemId;
use weijia_core::review::{FeedbackItem, sent};

use super::may_answer;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// She heard this piece of feedback. Again changes nothing.
#[utoipa::path(
    post, path = "/feedback/{item}/heard", operation_id = "hearFeedback", tag = "feedback",
    params(("item" = String, Path)),
    responses(
        (status = 200, body = FeedbackItem),
        (status = 404, description = "Not there, or not about her clip", body = ErrorBody),
    )
)]
pub async fn hear_feedback(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ItemId>,
) -> ApiResult<Json<FeedbackItem>> {
    let mut tx = state.db.write().await?;
    may_answer(&mut tx, &principal, &id).await?;
    let item = sent::hear(&mut tx, &id, &principal.user).await?;
    tx.commit().await?;
    Ok(Json(item))
}
