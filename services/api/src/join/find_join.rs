use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weijia_core::error::{Error, Result};
use weijia_core::ids::WindowId;
use weijia_core::join::{self, Found, Way};
use weijia_core::time::{At, Day};
use weijia_core::{person, region};

use super::asker::Asker;
use crate::error::{ApiError, ApiResult, ErrorBody};
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
    match look(&state, &asker, &ask).await {
        Ok(found) => Ok((asker.headers(), Json(found))),
        Err(error) => Err(ApiError::from(error).with_headers(asker.headers())),
    }
}

/// In one transaction: who hangs up half-way has tried nothing.
async fn look(state: &AppState, asker: &Asker, ask: &FindJoin) -> Result<FoundJoin> {
    let (now, mut tx) = (At::now(), state.db.write().await?);
    asker.tries(&mut tx, now).await?;
    let way = match ask {
        FindJoin::Code(code) => Way::Code(code),
        FindJoin::Wall(token) => Way::Wall(token),
        FindJoin::Card(token) => Way::Card(token),
    };
    let found = match join::find(&mut tx, now, way).await {
        Ok(found) => found,
        Err(Error::Refused(refusal)) => {
            if refusal.code != "code_unknown" {
                asker.was_right(&mut tx).await?;
            }
            tx.commit().await?;
            return Err(refusal.into());
        }
        Err(other) => return Err(other),
    };
    asker.was_right(&mut tx).await?;
    let mut windows = Vec::new();
    for Found { window, cohort, arrived, person } in found {
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
    tx.commit().await?;
    Ok(FoundJoin { windows })
}
