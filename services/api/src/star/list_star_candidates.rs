use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weijia_core::access::{Permission, can, require};
use weijia_core::cohort::{self, CohortState};
use weijia_core::ids::{CohortId, UserId};
use weijia_core::person::{self, Person};
use weijia_core::time::At;
use weijia_core::{content, star};

use crate::auth::Principal;
use crate::cohort::resource;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::extract::Query;
use crate::state::AppState;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    /// Only this cohort's trainees; without it those of all running cohorts she sees, and all who live in her regions.
    cohort: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct StarCandidates {
    candidates: Vec<StarCandidate>,
}

#[derive(Serialize, ToSchema)]
pub struct StarCandidate {
    person: Person,
    level: i64,
    /// Null once she holds the highest.
    #[schema(required)]
    next_level: Option<i64>,
    /// How many criteria of the next star are missing.
    #[schema(required)]
    missing: Option<i64>,
}

/// Where each trainee stands with her next star, in the order of the roster. Nobody is ranked.
#[utoipa::path(
    get, path = "/stars/candidates", operation_id = "listStarCandidates", tag = "star", params(Ask),
    responses(
        (status = 200, body = StarCandidates),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
    )
)]
pub async fn list_star_candidates(
    State(state): State<AppState>,
    principal: Principal,
    Query(ask): Query<Ask>,
) -> ApiResult<Json<StarCandidates>> {
    let mut tx = state.db.read().await?;
    let cohorts = match ask.cohort.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => {
            let id: CohortId = id.parse().map_err(|_| ApiError::not_found())?;
            let cohort = cohort::get(&mut tx, &id).await?;
            require(&principal, Permission::CohortRead, &resource(&cohort))?;
            vec![cohort]
        }
        None => {
            let mut cohorts = cohort::of_principal(&mut tx, &principal).await?;
            cohorts
                .retain(|c| c.state == CohortState::Running && can(&principal, Permission::CohortRead, &resource(c)));
            cohorts
        }
    };
    let cohorts: Vec<CohortId> = cohorts.into_iter().map(|c| c.id).collect();
    let mut users: Vec<UserId> = Vec::new();
    let mut trainees = cohort::trainees_of(&mut tx, &cohorts).await?;
    if ask.cohort.as_deref().is_none_or(str::is_empty) {
        // A county's desk keeps its trainees' growth also when the city or the province opened their cohort.
        for user in cohort::trainees_within(&mut tx, &principal.staff_paths).await? {
            if !trainees.contains(&user) {
                trainees.push(user);
            }
        }
    }
    for user in trainees {
        let trainee = cohort::trainee(&mut tx, &user).await?;
        if can(&principal, Permission::GrowthRead, &trainee.resource(&principal)) {
            users.push(user);
        }
    }
    let inputs = star::gather(&mut tx, &users, At::now().china_date().into()).await?;
    let people = person::find_all(&mut tx, &users).await?;
    let candidates = inputs
        .iter()
        .filter_map(|input| {
            let evaluation = star::evaluate(content::star_rules(), input);
            let next = star::next_star(&evaluation);
            Some(StarCandidate {
                person: people.get(&input.user)?.clone(),
                level: evaluation.current_level,
                next_level: next.as_ref().map(|n| n.level),
                missing: next.map(|n| n.missing_count),
            })
        })
        .collect();
    Ok(Json(StarCandidates { candidates }))
}
