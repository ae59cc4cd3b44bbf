use axum::Json;
use axum::extract::State;
use weijia_core::account::{one_time_code, phone_masked};
use weijia_core::ids::{CohortId, UserId};
use weijia_core::time::At;
use weijia_core::{cohort, person};

use super::add_members::AddedMember;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// Gives a trainee eight digits, to be read out to her in person, in place of all she had; wherever she was signed in, she is
/// no longer. Before a door she chooses six digits of her own with them.
#[utoipa::path(
    post, path = "/cohorts/{cohort}/members/{user}/password", operation_id = "resetMemberPassword", tag = "cohort",
    params(("cohort" = String, Path), ("user" = String, Path)),
    responses(
        (status = 200, body = AddedMember),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such trainee, or not hers", body = ErrorBody),
        (status = 422, description = "She is more than a trainee", body = ErrorBody),
    )
)]
pub async fn reset_member_password(
    State(state): State<AppState>,
    principal: Principal,
    Id((id, user)): Id<(CohortId, UserId)>,
) -> ApiResult<Json<AddedMember>> {
    let password = one_time_code();
    // Hashing takes its time on purpose, so it is done before the one writer is taken.
    let hash = state.hasher.hash(&password).await?;
    let mut tx = state.db.write().await?;
    let cohort = cohort::get(&mut tx, &id).await?;
    cohort::reset_password(&mut tx, At::now(), &principal, &cohort, &user, &hash).await?;
    let name = person::find(&mut tx, &user).await?.name;
    let phone_masked = phone_masked(&mut tx, &user).await?;
    tx.commit().await?;
    Ok(Json(AddedMember { name, phone_masked, password: Some(password) }))
}
