use axum::Json;
use axum::extract::State;

use super::me::{self, Me};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::state::AppState;

/// Who is signed in.
#[utoipa::path(
    get, path = "/session", operation_id = "whoAmI", tag = "account",
    responses((status = 200, body = Me), (status = 401, description = "Nobody is signed in", body = ErrorBody))
)]
pub async fn who_am_i(State(state): State<AppState>, principal: Principal) -> ApiResult<Json<Me>> {
    Ok(Json(me::load(&mut state.db.read().await?, &principal).await?))
}
