//! Cohorts: opening them, filling them, following them.

mod add_members;
mod adding;
mod export_cohort;
mod get_cohort_progress;
mod import_roster;
mod list_cohort_clips;
mod list_cohorts;
mod open_cohort;
mod reset_member_password;
#[cfg(test)]
mod tests;
mod workbook;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weijia_core::access::Resource;
use weijia_core::cohort::Cohort;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_cohorts::list_cohorts, open_cohort::open_cohort))
        .routes(routes!(add_members::add_members))
        .routes(routes!(import_roster::import_roster))
        .routes(routes!(reset_member_password::reset_member_password))
        .routes(routes!(get_cohort_progress::get_cohort_progress))
        .routes(routes!(export_cohort::export_cohort))
        .routes(routes!(list_cohort_clips::list_cohort_clips))
}

/// The row that access to a cohort is decided on.
pub(crate) fn resource(cohort: &Cohort) -> Resource<'_> {
    Resource { owner: None, cohort: Some(&cohort.id), region_path: Some(&cohort.region_path) }
}
