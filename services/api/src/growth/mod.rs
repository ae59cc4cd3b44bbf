//! Her accounts on the platforms and what was read there.

mod add_account;
mod evidence;
mod get_evidence;
mod get_growth;
mod record_snapshot;
#[cfg(test)]
mod tests;
mod view;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    let with_picture = OpenApiRouter::new()
        .routes(routes!(record_snapshot::record_snapshot))
        // The picture, and some room for the fields around it.
        .layer(DefaultBodyLimit::max(evidence::MOST_BYTES + (64 << 10)));
    OpenApiRouter::new()
        .routes(routes!(get_growth::get_growth))
        .routes(routes!(add_account::add_account))
        .routes(routes!(get_evidence::get_evidence))
        .merge(with_picture)
}
