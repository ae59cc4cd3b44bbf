//! What handlers take out of a request, refused in the one shape of errors.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// A path segment that reads as `T`. What doesn't read as an id names nothing, so it is answered like what isn't there.
pub struct Id<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Id(id)).map_err(|_| ApiError::not_found())
    }
}

/// How long a JSON body may take to arrive: who sends a byte now and then holds nothing for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn too_slow() -> ApiError {
    let (message, next) = ("这次发来的内容，等了很久也没到齐。", "看看信号，再试一次。");
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message, next)
}

/// A body as it comes. None: it is longer than that.
pub async fn bytes_within(body: axum::body::Body, most: usize) -> Result<Option<Bytes>, ApiError> {
    let read = tokio::time::timeout(PATIENCE, Limited::new(body, most).collect()).await.map_err(|_| too_slow())?;
    match read {
        Ok(read) => Ok(Some(read.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(_) => Err(too_slow()),
    }
}

/// A JSON body that reads as `T`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let json = tokio::time::timeout(PATIENCE, <Json<T> as FromRequest<S>>::from_request(request, state));
        let json = json.await.map_err(|_| too_slow())?;
        json.map(|Json(body)| Body(body)).map_err(|rejection| {
            tracing::debug!(%rejection, "a body was refused");
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let (message, next) = ("这次发来的太大了。", "写短一点，再试一次。");
                return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message, next);
            }
            let (message, next) = ("这次发来的内容读不懂。", "刷新这一页，再试一次。");
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_request", message, next)
        })
    }
}

/// A query string that reads as `T`.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|axum::extract::Query(query)| Query(query)).map_err(|_| {
            let (message, next) = ("网址里有一处读不懂。", "回到上一页，再点一次。");
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_request", message, next)
        })
    }
}

/// `Option<Body<T>>`: no body at all is fine, a broken one isn't.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
        let empty = length == Some("0") || (length.is_none() && !request.headers().contains_key(CONTENT_TYPE));
        if empty {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}
