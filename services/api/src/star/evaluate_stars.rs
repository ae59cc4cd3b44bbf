use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::ids::{EvaluationId, UserId};
use weijia_core::person::{self, Person};
use weijia_core::star::{self, LevelResult, Score};
use weijia_core::time::At;
use weijia_core::{Error, audit, cohort, content};

use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

#[derive(Serialize, ToSchema)]
pub struct StarEvaluation {
    id: EvaluationId,
    person: Person,
    rule_version: String,
    current_level: i64,
    /// The highest star she can be given on this.
    reachable_level: i64,
    /// Names the frozen input: the same numbers have the same hash.
    input_sha256: String,
    evaluated_at: At,
    levels: Vec<LevelResult>,
    score: Score,
}

/// Applies the published rules to what is in the database about her today, and keeps the decision with its input.
#[utoipa::path(
    post, path = "/trainees/{user}/star-evaluation", operation_id = "evaluateStars", tag = "star",
    params(("user" = String, Path)),
    responses(
        (status = 200, body = StarEvaluation),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "Nobody of hers, or herself", body = ErrorBody),
    )
)]
pub async fn evaluate_stars(
    State(state): State<AppState>,
    principal: Principal,
    Id(user): Id<UserId>,
) -> ApiResult<Json<StarEvaluation>> {
    let (now, mut tx) = (At::now(), state.db.write().await?);
    let trainee = cohort::trainee(&mut tx, &user).await?;
    require(&principal, Permission::StarAward, &trainee.resource(&principal))?;
    let input = star::gather(&mut tx, std::slice::from_ref(&user), now.china_date().into()).await?.pop();
    let frozen = input.ok_or(Error::NotFound)?.freeze()?;
    let result = star::evaluate(content::star_rules(), &frozen.input);
    let row = star::save(&mut tx, now, &frozen, &result, &principal.user).await?;
    let detail = serde_json::json!({"user": user, "input_sha256": frozen.sha256});
    audit::append(&mut tx, now, Some(&principal.user), "star.evaluate", row.id.as_str(), &detail).await?;
    let person = person::find(&mut tx, &user).await?;
    tx.commit().await?;
    Ok(Json(StarEvaluation {
        id: row.id,
        person,
        rule_version: result.rule_version,
        current_level: result.current_level,
        reachable_level: result.reachable_level,
        input_sha256: row.input_sha256,
        evaluated_at: row.evaluated_at,
        levels: result.levels,
        score: result.score,
    }))
}
