//! Joining face to face: the door of a class, those who come through it, and what is printed for them.

mod approve_join;
mod asker;
mod close_join_window;
mod find_join;
mod get_join_window;
mod join_by_code;
mod open_join_window;
mod print_join_cards;
mod qr;
mod reject_join;
mod sheet;
#[cfg(test)]
mod tests;
mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weijia_core::access::{Permission, Principal, require};
use weijia_core::cohort::{self, Cohort};
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::ids::CohortId;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            open_join_window::open_join_window,
            get_join_window::get_join_window,
            close_join_window::close_join_window
        ))
        .routes(routes!(print_join_cards::print_join_cards))
        .routes(routes!(find_join::find_join))
        .routes(routes!(join_by_code::join_by_code))
        .routes(routes!(approve_join::approve_join))
        .routes(routes!(reject_join::reject_join))
}

/// The class whose door this is, for those who may open it.
async fn managed(tx: &mut Tx, principal: &Principal, id: &CohortId) -> Result<Cohort> {
    let cohort = cohort::get(tx, id).await?;
    require(principal, Permission::CohortManage, &crate::cohort::resource(&cohort))?;
    Ok(cohort)
}
