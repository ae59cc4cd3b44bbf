//! Signing in and out, and who one is.

mod forget_phone;
mod list_known_people;
mod me;
mod sign_in;
mod sign_out;
mod who_am_i;

pub(crate) use me::{Me, load as load_me};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sign_in::sign_in, sign_out::sign_out, who_am_i::who_am_i))
        .routes(routes!(list_known_people::list_known_people))
        .routes(routes!(forget_phone::forget_phone))
}
