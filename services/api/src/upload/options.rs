use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Uploads;
use super::protocol::{self, EXTENSIONS, TUS_EXTENSION, TUS_MAX_SIZE, TUS_VERSION, VERSION};

/// What this server can do; asked by clients before they sign in, and by browsers before a request.
pub async fn discover(State(uploads): State<Uploads>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    protocol::set(&mut response, TUS_VERSION, VERSION);
    protocol::set(&mut response, TUS_EXTENSION, EXTENSIONS);
    protocol::set(&mut response, TUS_MAX_SIZE, uploads.limits.max_length);
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("POST, HEAD, PATCH, DELETE, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "Content-Type, Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, \
             X-Requested-With, X-Request-Id",
        ),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}
