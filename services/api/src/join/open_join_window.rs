use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;
use weijia_core::ids::CohortId;
use weijia_core::join::{self, OPEN_FOR};
use weijia_core::time::{At, Millis};

use super::managed;
use super::view::{JoinBoard, board, origin};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

#[derive(Deserialize, ToSchema, Default)]
pub struct OpenJoinWindow {
    /// Four digits; without them today's month and day, or others if a class of the same city has these.
    #[serde(default)]
    code: Option<String>,
    /// How long it stays open: 1 to 1440, and 30 unless said otherwise.
    #[serde(default)]
    minutes: Option<i64>,
}

/// Opens the door of a class, in place of one that is open.
#[utoipa::path(
    post, path = "/cohorts/{cohort}/join-window", operation_id = "openJoinWindow", tag = "join",
    params(("cohort" = String, Path)), request_body = OpenJoinWindow,
    responses(
        (status = 200, body = JoinBoard),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
        (status = 409, description = "Another class of this city has these digits", body = ErrorBody),
        (status = 422, description = "Not four digits, too long, or the class is over", body = ErrorBody),
    )
)]
pub async fn open_join_window(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
    headers: HeaderMap,
    ask: Option<Body<OpenJoinWindow>>,
) -> ApiResult<Json<JoinBoard>> {
    let OpenJoinWindow { code, minutes } = ask.map(|Body(ask)| ask).unwrap_or_default();
    let open_for = minutes.map_or(OPEN_FOR, |n| Millis(n.saturating_mul(60_000)));
    let (now, mut tx) = (At::now(), state.db.write().await?);
    let cohort = managed(&mut tx, &principal, &id).await?;
    join::open(
        &mut tx,
        now,
        &principal.user,
        &cohort,
        code.as_deref().map(str::trim).filter(|c| !c.is_empty()),
        open_for,
    )
    .await?;
    let board = board(&mut tx, now, cohort, &origin(&state.settings, &headers)).await?;
    tx.commit().await?;
    Ok(Json(board))
}
