use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weijia_core::account::DeviceToken;
use weijia_core::error::Error;
use weijia_core::ids::WindowId;
use weijia_core::join::{self, Found, Way};
use weijia_core::time::{At, Day};
use weijia_core::{person, region};

use super::asker::Asker;
use crate::auth::device_cookie;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Body;
use crate::state::AppState;

/// One of these.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindJoin {
    /// The four digits that are read out.
    Code(String),
    /// What the code on the wall says.
    Wall(String),
    /// What the code on her card says.
    Card(String),
}

#[derive(Serialize, ToSchema)]
pub struct FoundJoin {
    /// More than one where classes of different cities have these digits: she is asked which it is.
    windows: Vec<JoinCandidate>,
}

#[derive(Serialize, ToSchema)]
pub struct JoinCandidate {
    window: WindowId,
    series_no: i64,
    title: String,
    host: String,
    /// From the city down.
    place: String,
    starts_on: Day,
    /// Who has come in so far.
    arrived: i64,
    /// Whose card it is.
    #[schema(required)]
    name: Option<String>,
}

/// Finds the open door that four digits, a code on a wall or a card lead to. Wrong tries are counted, by phone and by
/// address.
#[utoipa::path(
    post, path = "/join/find", operation_id = "findJoin", tag = "join", security(()), request_body = FindJoin,
    responses(
        (status = 200, body = FoundJoin),
        (status = 422, description = "No open door is behind it", body = ErrorBody),
        (status = 429, description = "Too many wrong tries", body = ErrorBody),
    )
)]
pub async fn find_join(
    State(state): State<AppState>,
    asker: Asker,
    Body(ask): Body<FindJoin>,
) -> ApiResult<(HeaderMap, Json<FoundJoin>)> {
    let now = At::now();
    asker.tries(&state, now).await?;
    let way = match &ask {
        FindJoin::Code(code) => Way::Code(code),
        FindJoin::Wall(token) => Way::Wall(token),
        FindJoin::Card(token) => Way::Card(token),
    };
    let mut tx = state.db.read().await?;
    let found = join::find(&mut tx, now, way).await;
    if !matches!(&found, Err(Error::Refused(refusal)) if refusal.code == "code_unknown") {
        asker.was_right(&state).await?;
    }
    let mut windows = Vec::new();
    for Found { window, cohort, arrived, person } in found? {
        let names = region::path_names(&mut tx, &cohort.region_path).await?;
        let place = names.get(1..).filter(|below| !below.is_empty()).unwrap_or(&names).concat();
        let name = match person {
            Some(user) => Some(person::find(&mut tx, &user).await?.name),
            None => None,
        };
        windows.push(JoinCandidate {
            window: window.id,
            series_no: cohort.series_no,
            title: cohort.title,
            host: cohort.host,
            place,
            starts_on: cohort.starts_on,
            arrived,
            name,
        });
    }
    // From its first question on a phone has a name, by which its tries are counted.
    let device = asker.device.unwrap_or_else(DeviceToken::random);
    let cookie = device_cookie(&state.settings, &device);
    Ok((HeaderMap::from_iter([(SET_COOKIE, cookie)]), Json(FoundJoin { windows })))
}
