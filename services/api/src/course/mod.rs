//! The course, as the one who asks goes through it.

mod complete_lesson;
mod get_course;
#[cfg(test)]
mod tests;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weijia_core::access::{Permission, Principal, Resource, require};
use weijia_core::course::sql;
use weijia_core::db::Tx;
use weijia_core::error::{Error, Result};
use weijia_core::ids::CohortId;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_course::get_course)).routes(routes!(complete_lesson::complete_lesson))
}

/// The cohort she means, or the one she learns in now.
async fn cohort_for(
    tx: &mut Tx,
    principal: &Principal,
    permission: Permission,
    asked: Option<CohortId>,
) -> Result<CohortId> {
    let cohort = match asked {
        Some(cohort) => cohort,
        None => sql::current_cohort(tx, &principal.user).await?.ok_or(Error::NotFound)?,
    };
    let resource = Resource { owner: Some(&principal.user), cohort: Some(&cohort), region_path: None };
    require(principal, permission, &resource)?;
    Ok(cohort)
}
