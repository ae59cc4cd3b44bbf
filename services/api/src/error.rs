//! Errors as the caller sees them: one shape, a stable code, a Chinese sentence, what to do next, a request id.

use std::panic::AssertUnwindSafe;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use serde::Serialize;
use weijia_core::db::DbError;
use weijia_core::error::{Error, Refusal};

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// Stable, for programs.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// What to do next, for people.
    pub next_step: String,
    /// Names this request in the server's log.
    pub request_id: String,
}

#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub refusal: Refusal,
    /// Boxed: an error travels through every `Result` of a handler.
    pub headers: Box<HeaderMap>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: &str, next_step: &str) -> Self {
        Self { status, refusal: Refusal::new(code, message, next_step), headers: Box::default() }
    }
    pub fn refused(status: StatusCode, refusal: Refusal) -> Self {
        Self { status, refusal, headers: Box::default() }
    }
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "没找到这个。", "它可能被收回了，回到上一页再看看。")
    }
    pub fn method_not_allowed() -> Self {
        let (message, next) = ("这里不能这样用。", "刷新这一页，再试一次。");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, next)
    }
    pub fn fault() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_fault",
            "我们这边出了点状况，你做的都还在。",
            "等一分钟再试一次；还不行就告诉县里的老师。",
        )
    }
    pub fn signed_out() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "signed_out",
            "还没登录，或者登录过期了。",
            "用手机号和密码登录一下，刚才填的都在。",
        )
    }
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        *self.headers = headers;
        self
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Refused(refusal) => {
                let status = match refusal.code {
                    "sign_in_wrong" => StatusCode::UNAUTHORIZED,
                    "sign_in_rest" | "join_rest" => StatusCode::TOO_MANY_REQUESTS,
                    _ => StatusCode::UNPROCESSABLE_ENTITY,
                };
                Self::refused(status, refusal)
            }
            Error::Conflict(refusal) => Self::refused(StatusCode::CONFLICT, refusal),
            full if full.is_full() => {
                tracing::error!(error = %full, "a disk is full");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "disk_full",
                    "我们这边的盘满了，这会儿存不进去。已经存好的都在。",
                    "过一会儿再试；老是这样，就告诉县里的老师。",
                )
            }
            fault @ (Error::Db(_) | Error::Storage(_) | Error::Damaged(_)) => {
                tracing::error!(error = %fault, "a request failed");
                let busy = matches!(fault, Error::Db(DbError::PoolTimedOut));
                let status = if busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
                Self { status, ..Self::fault() }
            }
        }
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        Error::Db(error).into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            code: self.refusal.code.to_owned(),
            message: self.refusal.message,
            next_step: self.refusal.next_step,
            request_id: crate::request_id::current(),
        };
        (self.status, *self.headers, Json(body)).into_response()
    }
}

/// A handler that panics answers too: its client learns that it was our fault, and everybody else notices nothing.
pub async fn caught(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        ApiError::fault().into_response()
    })
}

pub type ApiResult<T> = Result<T, ApiError>;
