use axum::Json;
use axum::extract::State;
use serde::Serialize;
use weijia_core::access::Permission;
use weijia_core::ids::ClipId;
use weijia_core::review::{SentReview, sent};

use crate::auth::Principal;
use crate::clip::clip_for;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

#[derive(Serialize, utoipa::ToSchema)]
pub struct FeedbackList {
    /// The newest first.
    reviews: Vec<SentReview>,
}

/// What was sent about a clip, each piece on its seconds. Drafts are nobody else's.
#[utoipa::path(
    get, path = "/clips/{clip}/feedback", operation_id = "listFeedback", tag = "feedback",
    params(("clip" = String, Path)),
    responses(
        (status = 200, body = FeedbackList),
        (status = 404, description = "Not there, or not hers to see", body = ErrorBody),
    )
)]
pub async fn list_feedback(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ClipId>,
) -> ApiResult<Json<FeedbackList>> {
    let mut tx = state.db.read().await?;
    clip_for(&mut tx, &principal, Permission::ClipPlay, &id).await?;
    Ok(Json(FeedbackList { reviews: sent::of_clip(&mut tx, &id, &principal.user).await? }))
}
