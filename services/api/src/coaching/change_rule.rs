use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weijia_core::coaching::{self, Change, Condition};
use weijia_core::time::At;

use super::{About, CoachingCondition, CoachingRules, hers, view};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id, Query};
use crate::state::AppState;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct ChangeCoachingRule {
    muted: bool,
    /// 1 to 60.
    seconds: i64,
    /// The rule's own conditions, with other numbers.
    when: Vec<CoachingCondition>,
}

/// Sets a rule's numbers for the clips of a region of hers that are made from now on.
#[utoipa::path(
    put, path = "/coaching/rules/{rule}", operation_id = "changeCoachingRule", tag = "coaching",
    params(("rule" = String, Path, description = "The rule's code, as in the list"), About),
    request_body = ChangeCoachingRule,
    responses(
        (status = 200, body = CoachingRules),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such rule or region, or not hers", body = ErrorBody),
        (status = 422, description = "A number is out of bounds, or the conditions are not the rule's", body = ErrorBody),
    )
)]
pub async fn change_rule(
    State(state): State<AppState>,
    principal: Principal,
    Id(rule): Id<String>,
    Query(about): Query<About>,
    Body(ask): Body<ChangeCoachingRule>,
) -> ApiResult<Json<CoachingRules>> {
    let mut tx = state.db.write().await?;
    let region_path = hers(&mut tx, &principal, &about).await?;
    let when = ask.when.into_iter().map(|c| Condition { measure: c.measure, above: c.above, below: c.below }).collect();
    let change = Change { muted: ask.muted, seconds: ask.seconds, when };
    coaching::change(&mut tx, At::now(), &principal.user, &region_path, &rule, &change).await?;
    let rules = view(&mut tx, &region_path).await?;
    tx.commit().await?;
    Ok(Json(rules))
}
