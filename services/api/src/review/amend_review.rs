use axum::Json;
use axum::extract::State;
use weijia_core::access::Permission;
use weijia_core::ids::ReviewId;
use weijia_core::review::SentReview;
use weijia_core::review::amend::{self, Amend};
use weijia_core::time::At;

use crate::auth::Principal;
use crate::clip::clip_for;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

/// Puts words of a review otherwise, within a day of sending it. What was decided stays, and so does, beside them, what was
/// said before. Saying it twice changes nothing.
#[utoipa::path(
    post, path = "/reviews/{review}/amend", operation_id = "amendReview", tag = "review",
    params(("review" = String, Path)), request_body = Amend,
    responses(
        (status = 200, body = SentReview),
        (status = 404, description = "Not there, or not her own", body = ErrorBody),
        (status = 409, description = "Sent more than a day ago", body = ErrorBody),
        (status = 422, description = "Empty or too long", body = ErrorBody),
    )
)]
pub async fn amend_review(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ReviewId>,
    Body(ask): Body<Amend>,
) -> ApiResult<Json<SentReview>> {
    let mut tx = state.db.write().await?;
    let clip = amend::clip_of(&mut tx, &id).await?;
    clip_for(&mut tx, &principal, Permission::ReviewWrite, &clip).await?;
    let review = amend::amend(&mut tx, At::now(), &principal.user, &id, &ask).await?;
    tx.commit().await?;
    Ok(Json(review))
}
