use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use weijia_core::account::device;

use crate::auth::{Principal, device_token};
use crate::error::{ApiResult, ErrorBody};
use crate::state::AppState;

/// This phone knows her no more: her six digits are good on it no longer. She stays signed in. Saying it twice does no harm.
#[utoipa::path(
    delete, path = "/session/phone", operation_id = "forgetPhone", tag = "account",
    responses((status = 204, description = "Forgotten"), (status = 401, description = "Nobody is signed in", body = ErrorBody))
)]
pub async fn forget_phone(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
) -> ApiResult<StatusCode> {
    if let Some(token) = device_token(&headers, &state.settings) {
        let mut tx = state.db.write().await?;
        device::forget(&mut tx, &token, &principal.user).await?;
        tx.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
