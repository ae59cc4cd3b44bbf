use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::ids::UserId;
use weijia_core::person::{self, Person};
use weijia_core::time::{At, Day};
use weijia_core::{cohort, growth, star};

use super::view::Account;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::star::view::Award;
use crate::state::AppState;

#[derive(Serialize, ToSchema)]
pub struct Growth {
    person: Person,
    /// The star she holds today.
    #[schema(required)]
    award: Option<Award>,
    accounts: Vec<Account>,
}

/// Her star, and her accounts with everything that was read there.
#[utoipa::path(
    get, path = "/trainees/{user}/growth", operation_id = "getGrowth", tag = "growth", params(("user" = String, Path)),
    responses(
        (status = 200, body = Growth),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "Nobody of hers", body = ErrorBody),
    )
)]
pub async fn get_growth(
    State(state): State<AppState>,
    principal: Principal,
    Id(user): Id<UserId>,
) -> ApiResult<Json<Growth>> {
    let mut tx = state.db.read().await?;
    let trainee = cohort::trainee(&mut tx, &user).await?;
    require(&principal, Permission::GrowthRead, &trainee.resource(&principal))?;
    let accounts = growth::accounts_of(&mut tx, std::slice::from_ref(&user)).await?;
    let today = Day::from(At::now().china_date());
    let award = star::current_awards(&mut tx, std::slice::from_ref(&user), today).await?.pop().map(Award::from);
    let person = person::find(&mut tx, &user).await?;
    Ok(Json(Growth { person, award, accounts: accounts.into_iter().map(Account::from).collect() }))
}
