use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::ids::{EvaluationId, UserId};
use weijia_core::time::At;
use weijia_core::{cohort, star};

use super::view::Award;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
pub struct AwardStar {
    /// An evaluation of hers that still stands: its numbers are today's.
    evaluation_id: EvaluationId,
    level: i64,
}

/// Gives her a star with a certificate. Asking twice gives one.
#[utoipa::path(
    post, path = "/trainees/{user}/stars", operation_id = "awardStar", tag = "star",
    params(("user" = String, Path)), request_body = AwardStar,
    responses(
        (status = 200, body = Award),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "Nobody of hers, or an evaluation of somebody else", body = ErrorBody),
        (status = 409, description = "The numbers changed since: evaluate again", body = ErrorBody),
        (status = 422, description = "Not met, not the next level, or not this desk's to give", body = ErrorBody),
    )
)]
pub async fn award_star(
    State(state): State<AppState>,
    principal: Principal,
    Id(user): Id<UserId>,
    Body(ask): Body<AwardStar>,
) -> ApiResult<Json<Award>> {
    let (now, mut tx) = (At::now(), state.db.write().await?);
    let trainee = cohort::trainee(&mut tx, &user).await?;
    require(&principal, Permission::StarAward, &trainee.resource(&principal))?;
    let award = star::award(&mut tx, now, &principal, &user, &ask.evaluation_id, ask.level).await?;
    tx.commit().await?;
    Ok(Json(award.into()))
}
