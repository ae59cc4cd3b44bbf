use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weijia_core::region;

use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Query;
use crate::state::AppState;

/// A name that recurs twelve times still fits on one page.
const MOST: i64 = 50;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    /// The code of a place: its children, or with `q` all places below it.
    parent: Option<String>,
    /// Part of a name, present or former.
    q: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Regions {
    regions: Vec<RegionRow>,
}

#[derive(Serialize, ToSchema)]
pub struct RegionRow {
    code: String,
    name: String,
    /// 1 province, 2 city, 3 county, 4 township, 5 village.
    level: i64,
    kind: String,
    #[schema(required)]
    parent_code: Option<String>,
    /// From the province down: names alone recur.
    path_names: Vec<String>,
}

/// The places under one, or those that bear a name. With neither, the provinces.
#[utoipa::path(
    get, path = "/regions", operation_id = "listRegions", tag = "region", params(Ask),
    responses(
        (status = 200, body = Regions),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such parent", body = ErrorBody),
    )
)]
pub async fn list_regions(
    State(state): State<AppState>,
    _: Principal,
    Query(ask): Query<Ask>,
) -> ApiResult<Json<Regions>> {
    let mut tx = state.db.read().await?;
    let parent = match ask.parent.as_deref().filter(|code| !code.is_empty()) {
        Some(code) => Some(region::get(&mut tx, code).await?),
        None => None,
    };
    let found = match ask.q.as_deref().filter(|q| !q.trim().is_empty()) {
        Some(q) => region::search(&mut tx, q, parent.as_ref(), MOST).await?,
        None => region::children(&mut tx, parent.as_ref().map(|p| p.code.as_str())).await?,
    };
    let names = region::names(&mut tx, found.iter().map(|r| r.path.as_str())).await?;
    let regions = found
        .into_iter()
        .map(|r| RegionRow {
            path_names: names.path(&r.path),
            code: r.code,
            name: r.name,
            level: r.level,
            kind: r.kind,
            parent_code: r.parent_code,
        })
        .collect();
    Ok(Json(Regions { regions }))
}
