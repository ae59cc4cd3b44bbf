use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::growth::{self, NewAccount, Platform};
use weijia_core::ids::UserId;
use weijia_core::time::{At, Day};
use weijia_core::{audit, cohort};

use super::view::Account;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
pub struct AddAccount {
    platform: Platform,
    handle: String,
    /// The day of its first post.
    opened_on: Day,
}

/// Registers an account of hers. One that is hers already is answered as it stands.
#[utoipa::path(
    post, path = "/trainees/{user}/accounts", operation_id = "addAccount", tag = "growth",
    params(("user" = String, Path)), request_body = AddAccount,
    responses(
        (status = 201, body = Account),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "Nobody of hers", body = ErrorBody),
        (status = 409, description = "Somebody else's account", body = ErrorBody),
        (status = 422, description = "The handle or the day is wrong", body = ErrorBody),
    )
)]
pub async fn add_account(
    State(state): State<AppState>,
    principal: Principal,
    Id(user): Id<UserId>,
    Body(ask): Body<AddAccount>,
) -> ApiResult<(StatusCode, Json<Account>)> {
    let (now, mut tx) = (At::now(), state.db.write().await?);
    let trainee = cohort::trainee(&mut tx, &user).await?;
    require(&principal, Permission::GrowthRecord, &trainee.resource(&principal))?;
    let new = NewAccount { owner: &user, platform: ask.platform, handle: &ask.handle, opened_on: ask.opened_on };
    let account = growth::add_account(&mut tx, now, new).await?;
    let mut all = growth::accounts_of(&mut tx, std::slice::from_ref(&user)).await?;
    all.retain(|a| a.id == account.id);
    let detail = serde_json::json!({"user": user, "platform": ask.platform});
    audit::append(&mut tx, now, Some(&principal.user), "growth.account", account.id.as_str(), &detail).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(all.pop().unwrap_or(account).into())))
}
