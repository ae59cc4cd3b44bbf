use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::cohort::roster::{self, Wrong};
use weijia_core::cohort::{self, Joined, Part};
use weijia_core::error::Refusal;
use weijia_core::ids::CohortId;
use weijia_core::region::{self, Found, Places};
use weijia_core::sheet;

use super::add_members::AddedMember;
use super::adding::{NewLine, add};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Id, Query, bytes_within};
use crate::state::AppState;

/// Each new person costs a password's hashing: so many take a quarter of a minute.
const MOST: usize = 500;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Who {
    /// What all of them are to be.
    part: Part,
    /// Where those live of whom the roster does not say it.
    region: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ImportedRoster {
    added: Vec<AddedMember>,
    /// So many were in already: a roster may be sent again.
    there: usize,
    /// Rows that nobody was added by.
    wrong: Vec<WrongRow>,
}

#[derive(Serialize, ToSchema)]
pub struct WrongRow {
    /// As the program shows it that the roster was made with.
    row: usize,
    name: String,
    /// What is the matter, in words.
    reason: String,
}

impl From<Wrong> for WrongRow {
    fn from(Wrong { row, name, why: reason }: Wrong) -> WrongRow {
        WrongRow { row, name, reason }
    }
}

/// Puts everybody on the roster who stands in a file, XLSX or CSV. Its columns are found by their names: 姓名 and 手机号, and
/// where there are such, 县, 乡镇, 村 and 组. A row's mistake is named and keeps nobody else out; a second import changes
/// nothing.
#[utoipa::path(
    post, path = "/cohorts/{cohort}/roster", operation_id = "importRoster", tag = "cohort",
    params(("cohort" = String, Path), Who),
    request_body(content = String, content_type = "application/octet-stream", description = "The file: XLSX, or CSV in UTF-8, UTF-16 or GB18030"),
    responses(
        (status = 200, body = ImportedRoster),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
        (status = 422, description = "No table, or none with these columns, or too long", body = ErrorBody),
    )
)]
pub async fn import_roster(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
    Query(who): Query<Who>,
    file: Body,
) -> ApiResult<Json<ImportedRoster>> {
    let mut tx = state.db.read().await?;
    let cohort = cohort::get(&mut tx, &id).await?;
    require(&principal, Permission::CohortManage, &super::resource(&cohort))?;
    drop(tx);
    let file = bytes_within(file, sheet::MAX_BYTES).await?.ok_or(Refusal::from(sheet::Unreadable::TooLarge))?;
    // Unpacking a workbook keeps a core busy for a while.
    let read = tokio::task::spawn_blocking(move || roster::read(&file)).await;
    let rows = read.map_err(|_| Refusal::from(sheet::Unreadable::NoTable))??;
    if rows.len() > MOST {
        let message = format!("这张名单有 {} 个人，一次最多 {MOST} 个。", rows.len());
        return Err(Refusal::new("roster_too_long", message, "把名单分成几张，一张一张传。").into());
    }

    let mut tx = state.db.read().await?;
    // Trainees live where she is staff, mentors come from anywhere.
    let scopes = if who.part == Part::Trainee { principal.staff_paths.clone() } else { vec![String::new()] };
    let places = region::places_within(&mut tx, &scopes).await?;
    drop(tx);
    let mut answer = ImportedRoster { added: vec![], there: 0, wrong: vec![] };
    let mut lines = Vec::new();
    let mut numbers = Vec::new();
    for row in rows {
        let placed = row.and_then(|line| {
            let region_code = place(&places, &line.place, who.region.as_deref()).map_err(|why| Wrong {
                row: line.row,
                name: line.name.clone(),
                why,
            })?;
            Ok((
                line.row,
                NewLine { name: line.name, phone: line.phone, region_code, part: who.part, group_no: line.group_no },
            ))
        });
        match placed {
            Ok((row, line)) => {
                numbers.push(row);
                lines.push(line);
            }
            Err(wrong) => answer.wrong.push(wrong.into()),
        }
    }
    for (row, (line, joined, password)) in numbers.into_iter().zip(add(&state, &principal, &id, lines).await?) {
        let name = line.name;
        match joined {
            Joined::Added { .. } => {
                answer.added.push(AddedMember { name, phone_masked: line.phone.masked(), password });
            }
            Joined::There => answer.there += 1,
            Joined::Skipped(reason) => answer.wrong.push(WrongRow { row, name, reason }),
        }
    }
    answer.wrong.sort_by_key(|wrong| wrong.row);
    Ok(Json(answer))
}

/// The code of the place that a row names, or why it is none.
fn place(places: &Places, parts: &[String], otherwise: Option<&str>) -> Result<String, String> {
    if parts.is_empty() {
        return otherwise.map(str::to_owned).ok_or_else(|| "没写是哪个村。".into());
    }
    let text = parts.concat();
    match places.find(parts) {
        Found::One(place) => Ok(place.code.clone()),
        Found::Several => Err(format!("叫“{text}”的不止一个，把乡镇也写上。")),
        Found::None => Err(format!("没找到“{text}”，写成“乡镇＋村”，比如“里耶镇捞车村”。")),
    }
}
