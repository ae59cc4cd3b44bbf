//! Weijia over HTTP, and nothing else: requests come in, verbs of `weijia-core` are called, answers go out.
//!
//! Each area is a folder with one endpoint per file. `openapi()` is generated from these same routes.

#[cfg(test)]
mod access_matrix;
mod account;
mod address;
pub mod auth;
pub mod background;
mod certificate;
mod clip;
mod coaching;
mod cohort;
mod course;
#[cfg(test)]
mod edge_tests;
pub mod error;
mod extract;
mod feedback;
mod growth;
mod join;
mod media;
mod region;
mod request_id;
mod review;
mod star;
mod state;
#[cfg(test)]
mod testing;
mod upkeep;
pub mod upload;
mod web;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::{Json, Router, middleware};
use tower::ServiceExt;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use state::{AppState, Settings};

/// Where the API lives.
pub const BASE: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "微家 API",
        description = "Weijia's API. Times are UTC milliseconds (`*_at`), dates are days in Asia/Shanghai (`*_on`). Errors have one shape: `ErrorBody`."
    ),
    components(schemas(error::ErrorBody))
)]
struct Document;

fn api() -> OpenApiRouter<AppState> {
    let areas = OpenApiRouter::new()
        .merge(account::router())
        .merge(certificate::router())
        .merge(clip::router())
        .merge(coaching::router())
        .merge(cohort::router())
        .merge(course::router())
        .merge(feedback::router())
        .merge(growth::router())
        .merge(join::router())
        .merge(region::router())
        .merge(review::router())
        .merge(star::router())
        .merge(upload::router());
    OpenApiRouter::with_openapi(Document::openapi()).nest(BASE, areas).merge(media::router())
}

/// The OpenAPI document of every route there is.
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().split_for_parts().1
}

/// The whole server as one service.
pub fn app(state: AppState) -> Router {
    let (routes, document) = api().split_for_parts();
    let routes = routes
        .route(&format!("{BASE}/openapi.json"), axum::routing::get(|| async move { Json(document) }))
        .route(&format!("{BASE}/health"), axum::routing::get(|| async { Json(serde_json::json!({"ok": true})) }))
        .fallback(web::serve)
        .method_not_allowed_fallback(|| async { error::ApiError::method_not_allowed() })
        .layer(middleware::from_fn(error::caught))
        .layer(middleware::from_fn_with_state(state.clone(), auth::same_origin))
        .layer(middleware::from_fn_with_state(state.clone(), upload::cross_origin))
        .layer(middleware::from_fn_with_state(state.clone(), upload::leftover))
        .layer(middleware::from_fn(request_id::layer))
        // What is about a person is in no cache but where the answer says so.
        .layer(header("cache-control", "no-store"))
        .layer(header("x-content-type-options", "nosniff"))
        .layer(header("referrer-policy", "same-origin"))
        .layer(header("x-frame-options", "DENY"))
        .layer(header(
            "content-security-policy",
            "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
             worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
        ))
        .with_state(state);
    // The method decides which route it is, so it is changed outside of them all.
    Router::new().fallback_service(ServiceExt::<Request>::map_request(routes, upload::overridden))
}

fn header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}

#[cfg(test)]
mod tests {
    /// The web's client is generated from this file; a changed API shows as a changed file and a failed type check.
    #[test]
    fn the_checked_in_document_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/openapi.json");
        let written = std::fs::read_to_string(path).unwrap();
        let generated = super::openapi().to_pretty_json().unwrap();
        // Not `assert_eq!`: two documents of this size in a log help nobody.
        assert!(written.trim() == generated, "it changed; run: cargo run -p weijia -- openapi > web/openapi.json");
    }
}
