use crate::auth::Principal;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::protocol::{self, METHOD_OVERRIDE};
use super::{Uploads, head, patch, terminate};
use crate::error::ApiError;
use crate::extract::Id;

/// For clients behind something that lets only GET and POST through: the method is in X-HTTP-Method-Override.
pub async fn overridden(
    state: State<Uploads>,
    principal: Principal,
    path: Id<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let method = headers.get(METHOD_OVERRIDE).and_then(|v| Method::from_bytes(v.as_bytes()).ok());
    match method {
        Some(Method::PATCH) => patch::append_upload(state, principal, path, headers, body).await,
        Some(Method::HEAD) => head::get_upload_offset(state, principal, path).await,
        Some(Method::DELETE) => Ok(terminate::terminate_upload(state, principal, path).await?.into_response()),
        _ => {
            let (message, next_step) = ("这里不能这样传。", "刷新页面，再传一次。");
            Err(protocol::refuse(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, next_step))
        }
    }
}
