use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weijia_core::clip::{self, ClipState};
use weijia_core::cohort::{self, Which};
use weijia_core::course::AssignmentRef;
use weijia_core::ids::{ClipId, CohortId};
use weijia_core::person::{self, Person};
use weijia_core::time::At;

use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Id, Query};
use crate::media::Addresses;
use crate::state::AppState;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    /// The number of the cohort's sentence whose rows these are (`stuck` lists what `returned` does).
    #[param(inline)]
    which: Which,
}

#[derive(Serialize, ToSchema)]
pub struct CohortClips {
    clips: Vec<CohortClip>,
}

#[derive(Serialize, ToSchema)]
pub struct CohortClip {
    clip_id: ClipId,
    title: String,
    trainee: Person,
    #[schema(required)]
    assignment: Option<AssignmentRef>,
    state: ClipState,
    /// When it came into this state.
    since: At,
    #[schema(required)]
    due_at: Option<At>,
    /// The mentor who has it in hand.
    #[schema(required)]
    holder: Option<String>,
    #[schema(required)]
    poster: Option<String>,
}

/// The clips that one number of the cohort's sentence counts, what has been like this longest first.
#[utoipa::path(
    get, path = "/cohorts/{cohort}/clips", operation_id = "listCohortClips", tag = "cohort",
    params(("cohort" = String, Path), Ask),
    responses(
        (status = 200, body = CohortClips),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
    )
)]
pub async fn list_cohort_clips(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
    Query(ask): Query<Ask>,
) -> ApiResult<Json<CohortClips>> {
    let (now, mut tx) = (At::now(), state.db.read().await?);
    let cohort = cohort::get(&mut tx, &id).await?;
    cohort::require_seen(&mut tx, &principal, &cohort).await?;
    let rows = cohort::clips(&mut tx, now, &principal, &cohort, ask.which).await?;
    let owners: Vec<_> = rows.iter().map(|r| r.owner_id.clone()).collect();
    let people = person::find_all(&mut tx, &owners).await?;
    let addresses = Addresses { keys: &state.keys, user: &principal.user, now };
    let mut clips = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(trainee) = people.get(&row.owner_id).cloned() else { continue };
        let poster = match &row.poster_version {
            Some(version) => addresses.poster(&clip::sql::version(&mut tx, version).await?),
            None => None,
        };
        clips.push(CohortClip {
            clip_id: row.clip_id,
            title: row.title,
            trainee,
            assignment: Some(AssignmentRef::of(&row.assignment_code)),
            state: row.state,
            since: row.since,
            due_at: row.due_at,
            holder: row.holder,
            poster,
        });
    }
    Ok(Json(CohortClips { clips }))
}
