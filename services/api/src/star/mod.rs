//! Stars: evaluating, awarding, and her own.

mod award_star;
mod evaluate_stars;
mod get_my_star;
mod list_star_candidates;
#[cfg(test)]
mod tests;
pub(crate) mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(evaluate_stars::evaluate_stars))
        .routes(routes!(award_star::award_star))
        .routes(routes!(list_star_candidates::list_star_candidates))
        .routes(routes!(get_my_star::get_my_star))
}
