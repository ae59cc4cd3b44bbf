use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use weijia_core::clip::{ClipState, sql};
use weijia_core::ids::ClipId;
use weijia_core::time::At;

use super::view::ClipSummary;
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Query;
use crate::media::Addresses;
use crate::state::AppState;

const PAGE: usize = 30;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only those in this state. Without it: all but what she took back.
    state: Option<ClipState>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<ClipId>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct ClipList {
    clips: Vec<ClipSummary>,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Her own clips, the newest first.
#[utoipa::path(
    get, path = "/clips", operation_id = "listClips", tag = "clip", params(Filter),
    responses((status = 200, body = ClipList), (status = 401, description = "Not signed in", body = ErrorBody))
)]
pub async fn list_clips(
    State(state): State<AppState>,
    principal: Principal,
    Query(filter): Query<Filter>,
) -> ApiResult<Json<ClipList>> {
    let addresses = Addresses { keys: &state.keys, user: &principal.user, now: At::now() };
    let mut tx = state.db.read().await?;
    let limit = PAGE as i64 + 1;
    let mut found = sql::of_owner(&mut tx, &principal.user, filter.state, filter.cursor.as_ref(), limit).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let next_cursor = found.last().filter(|_| more).map(|clip| clip.id.to_string());
    let mut clips = Vec::with_capacity(found.len());
    for clip in found {
        clips.push(ClipSummary::of(&sql::detail(&mut tx, clip).await?, &addresses)?);
    }
    Ok(Json(ClipList { clips, next_cursor }))
}
