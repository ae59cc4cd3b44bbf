use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::star::{self, MyNext, rules};
use weijia_core::time::{At, Day};
use weijia_core::{Error, cohort, content};

use super::view::Award;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::state::AppState;

#[derive(Serialize, ToSchema)]
pub struct MyStar {
    level: i64,
    #[schema(required)]
    title: Option<String>,
    #[schema(required)]
    award: Option<Award>,
    /// Null once she holds the highest.
    #[schema(required)]
    next: Option<MyNext>,
    /// 离二星还差三样，先约一次彩排就少一样。
    sentence: String,
    /// When her desk last evaluated her; what is shown here is computed now.
    #[schema(required)]
    evaluated_at: Option<At>,
}

/// Her star, and what is missing for the next, by the same rules that decide it.
#[utoipa::path(
    get, path = "/stars/mine", operation_id = "getMyStar", tag = "star",
    responses((status = 200, body = MyStar), (status = 401, description = "Nobody is signed in", body = ErrorBody))
)]
pub async fn get_my_star(State(state): State<AppState>, principal: Principal) -> ApiResult<Json<MyStar>> {
    let today = Day::from(At::now().china_date());
    let mut tx = state.db.read().await?;
    let me = cohort::trainee(&mut tx, &principal.user).await?;
    require(&principal, Permission::GrowthRead, &me.resource(&principal))?;
    let users = std::slice::from_ref(&principal.user);
    let input = star::gather(&mut tx, users, today).await?.pop().ok_or(Error::NotFound)?;
    let evaluation = star::evaluate(content::star_rules(), &input);
    let award = star::current_awards(&mut tx, users, today).await?.pop();
    Ok(Json(MyStar {
        level: evaluation.current_level,
        title: (evaluation.current_level > 0).then(|| rules::title_of(evaluation.current_level)),
        award: award.map(Award::from),
        next: star::next_star(&evaluation),
        sentence: star::sentence(&evaluation),
        evaluated_at: star::newest_evaluation_at(&mut tx, &principal.user).await?,
    }))
}
