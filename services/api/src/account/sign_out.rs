use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use weijia_core::account;

use crate::auth::{session_cookie, session_token};
use crate::error::ApiResult;
use crate::state::AppState;

/// Ends the session. Saying it twice does no harm.
#[utoipa::path(
    delete, path = "/session", operation_id = "signOut", tag = "account",
    responses((status = 204, description = "Signed out"))
)]
pub async fn sign_out(State(state): State<AppState>, headers: HeaderMap) -> ApiResult<(StatusCode, HeaderMap)> {
    if let Some(token) = session_token(&headers, &state.settings) {
        account::sign_out(&state.db, &token).await?;
    }
    let cookie = session_cookie(&state.settings, None);
    Ok((StatusCode::NO_CONTENT, HeaderMap::from_iter([(SET_COOKIE, cookie)])))
}
