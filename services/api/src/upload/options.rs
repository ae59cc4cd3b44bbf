use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Uploads;
use super::checksum::ALGORITHMS;
use super::protocol::{self, EXTENSIONS, TUS_CHECKSUM_ALGORITHM, TUS_EXTENSION, TUS_MAX_SIZE, TUS_VERSION, VERSION};

/// What this server can do; asked by clients before they sign in, and by browsers before a request from another origin.
pub async fn discover(State(uploads): State<Uploads>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    protocol::set(&mut response, TUS_VERSION, VERSION);
    protocol::set(&mut response, TUS_EXTENSION, EXTENSIONS);
    protocol::set(&mut response, TUS_CHECKSUM_ALGORITHM, ALGORITHMS);
    protocol::set(&mut response, TUS_MAX_SIZE, uploads.limits.max_length);
    response
}
