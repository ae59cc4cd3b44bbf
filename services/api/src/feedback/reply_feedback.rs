use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weijia_core::ids::ItemId;
use weijia_core::review::{FeedbackItem, sent};
use weijia_core::time::At;

use super::speaks;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct NewReply {
    body: String,
}

/// An answer to one piece of feedback, of her whose clip it is or of the mentor who wrote it. The same words sent twice are one
/// answer.
#[utoipa::path(
    post, path = "/feedback/{item}/replies", operation_id = "replyFeedback", tag = "feedback",
    params(("item" = String, Path)), request_body = NewReply,
    responses(
        (status = 200, body = FeedbackItem),
        (status = 404, description = "Not there, or neither about her clip nor written by her", body = ErrorBody),
        (status = 422, description = "Empty or too long", body = ErrorBody),
    )
)]
pub async fn reply_feedback(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ItemId>,
    Body(request): Body<NewReply>,
) -> ApiResult<Json<FeedbackItem>> {
    let mut tx = state.db.write().await?;
    let speaker = speaks(&mut tx, &principal, &id).await?;
    let item = sent::reply(&mut tx, At::now(), &id, &principal.user, speaker, &request.body).await?;
    tx.commit().await?;
    Ok(Json(item))
}
