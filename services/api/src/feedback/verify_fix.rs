use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weijia_core::access::Permission;
use weijia_core::ids::{ItemId, VersionId};
use weijia_core::review::fix;
use weijia_core::review::{FeedbackItem, Place, Verdict, sent};

use crate::auth::Principal;
use crate::clip::clip_for;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct VerifyFix {
    /// The later version, and the moment of it that shows whether it is fixed.
    version: VersionId,
    at_ms: i64,
    verdict: Verdict,
}

/// A mentor's word on one piece of feedback, seen in a later version: fixed, or once more. Before and after are a pair from
/// then on. Whoever reviews that version says it in her review.
#[utoipa::path(
    post, path = "/feedback/{item}/verify", operation_id = "verifyFix", tag = "feedback",
    params(("item" = String, Path)), request_body = VerifyFix,
    responses(
        (status = 200, body = FeedbackItem),
        (status = 404, description = "Not there, or no clip of a class she teaches", body = ErrorBody),
        (status = 409, description = "Another mentor reviews that version", body = ErrorBody),
        (status = 422, description = "Nothing was to be changed, or no such moment in a later version", body = ErrorBody),
    )
)]
pub async fn verify_fix(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ItemId>,
    Body(ask): Body<VerifyFix>,
) -> ApiResult<Json<FeedbackItem>> {
    let mut tx = state.db.write().await?;
    let (_, clip) = sent::item(&mut tx, &id).await?;
    clip_for(&mut tx, &principal, Permission::ReviewWrite, &clip).await?;
    let place = Place { version_id: ask.version, at_ms: ask.at_ms };
    let item = fix::verify(&mut tx, &principal.user, &id, &place, ask.verdict).await?;
    tx.commit().await?;
    Ok(Json(item))
}
