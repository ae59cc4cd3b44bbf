use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use serde::Deserialize;
use weijia_core::account;
use weijia_core::ids::UserId;
use weijia_core::time::At;

use super::me::{self, Me};
use crate::auth::{device_cookie, device_token, session_cookie};
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Body;
use crate::state::AppState;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct SignIn {
    /// A mobile number; spaces and +86 do no harm.
    #[serde(default)]
    phone: Option<String>,
    /// In place of it, one of those whom this phone knows.
    #[serde(default)]
    person: Option<UserId>,
    /// Or the six digits that she chose when she joined, on a phone that she has come in on before.
    password: String,
}

/// Signs in and sets the session cookie.
#[utoipa::path(
    post, path = "/session", operation_id = "signIn", tag = "account",
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in", body = Me),
        (status = 401, description = "Phone or password is wrong; both read the same", body = ErrorBody),
        (status = 422, description = "Not a phone number", body = ErrorBody),
        (status = 429, description = "This account rests after ten guesses in fifteen minutes", body = ErrorBody),
    )
)]
pub async fn sign_in(
    State(state): State<AppState>,
    headers: HeaderMap,
    Body(request): Body<SignIn>,
) -> ApiResult<(HeaderMap, Json<Me>)> {
    let AppState { db, keys, hasher, settings, .. } = &state;
    let device = device_token(&headers, settings);
    let (now, password) = (At::now(), request.password.as_str());
    let session = match &request.person {
        Some(person) => account::sign_in_known(db, hasher, now, person, password, device.as_ref()).await?,
        None => {
            let phone = request.phone.as_deref().unwrap_or_default();
            account::sign_in(db, keys, hasher, now, phone, password, device.as_ref()).await?
        }
    };
    let me = me::load(&mut state.db.read().await?, &session.principal).await?;
    let mut headers = HeaderMap::from_iter([(SET_COOKIE, session_cookie(settings, Some(&session.token)))]);
    // A phone that is used does not become a stranger.
    if let Some(device) = &device {
        headers.append(SET_COOKIE, device_cookie(settings, device));
    }
    Ok((headers, Json(me)))
}
