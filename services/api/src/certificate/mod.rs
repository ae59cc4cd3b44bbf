//! The public page behind a certificate's number.

mod limit;
#[cfg(test)]
mod tests;
mod verify_certificate;

use std::sync::Arc;

use axum::Extension;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(verify_certificate::verify_certificate))
        .layer(Extension(Arc::new(limit::PerAddress::default())))
}
