use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weijia_core::access::Permission;
use weijia_core::clip::sql;
use weijia_core::course::sql::current_cohort;
use weijia_core::ids::ClipId;
use weijia_core::time::At;

use super::{clip_for, view};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Default, Deserialize, utoipa::ToSchema)]
pub struct Submit {
    /// The assignment it answers, where the clip doesn't know yet.
    #[serde(default)]
    assignment: Option<String>,
}

/// Hands the newest version in to her mentors. Again while it waits changes nothing.
#[utoipa::path(
    post, path = "/clips/{clip}/submit", operation_id = "submitClip", tag = "clip", params(("clip" = String, Path)),
    request_body = Option<Submit>,
    responses(
        (status = 200, body = view::Clip),
        (status = 404, description = "Not there, or not hers", body = ErrorBody),
        (status = 409, description = "It moved on meanwhile", body = ErrorBody),
        (status = 422, description = "It cannot be handed in yet, and why", body = ErrorBody),
    )
)]
pub async fn submit_clip(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<ClipId>,
    body: Option<Body<Submit>>,
) -> ApiResult<Json<view::Clip>> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    let mut tx = state.db.write().await?;
    clip_for(&mut tx, &principal, Permission::ClipEdit, &id).await?;
    let cohort = current_cohort(&mut tx, &principal.user).await?;
    sql::submit(&mut tx, At::now(), &id, request.assignment.as_deref(), cohort.as_ref()).await?;
    let shown = view::clip(&state, &mut tx, &principal, &id).await?;
    tx.commit().await?;
    Ok(Json(shown))
}
