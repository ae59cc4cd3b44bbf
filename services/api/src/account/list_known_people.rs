use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::account::device::{self, Known};

use crate::auth::device_token;
use crate::error::ApiResult;
use crate::state::AppState;

#[derive(Serialize, ToSchema)]
pub struct KnownPeople {
    people: Vec<Known>,
}

/// Who has come in on this very phone and signs in with six digits: a family shares one. A phone that is new here knows
/// nobody.
#[utoipa::path(
    get, path = "/session/people", operation_id = "listKnownPeople", tag = "account", security(()),
    responses((status = 200, body = KnownPeople))
)]
pub async fn list_known_people(State(state): State<AppState>, headers: HeaderMap) -> ApiResult<Json<KnownPeople>> {
    let people = match device_token(&headers, &state.settings) {
        Some(device) => device::people(&mut state.db.read().await?, &device).await?,
        None => Vec::new(),
    };
    Ok(Json(KnownPeople { people }))
}
