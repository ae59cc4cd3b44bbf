//! Pictures and sound under signed paths: `/media/{token}/{version}/{file}`.
//!
//! A path binds user, version and expiry, and what that user may see is asked again on each request: a role that was
//! revoked, or a clip that was withdrawn, ends the playing of it.

pub mod address;
mod file;
mod playlist;
mod range;
#[cfg(test)]
mod tests;
mod token;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

pub use address::{Addresses, Media};

/// Lies beside the API, not in it: these paths are given out, never built by clients.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(file::get_media_file)).routes(routes!(file::get_rendition_file))
}
