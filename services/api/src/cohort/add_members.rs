use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::cohort::{self, Joined, Part};
use weijia_core::error::Refusal;
use weijia_core::ids::CohortId;

use super::adding::{NewLine, add};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

/// A hall of people; each new person costs a password's hashing.
const MOST: usize = 200;

#[derive(Deserialize, ToSchema)]
pub struct AddMembers {
    members: Vec<MemberLine>,
}

#[derive(Deserialize, ToSchema)]
pub struct MemberLine {
    name: String,
    phone: String,
    region_code: String,
    part: Part,
    #[serde(default)]
    group_no: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct AddedMembers {
    added: Vec<AddedMember>,
    skipped: Vec<SkippedMember>,
}

#[derive(Serialize, ToSchema)]
pub struct AddedMember {
    pub(super) name: String,
    pub(super) phone_masked: String,
    /// To hand to her once; null for somebody who has signed in before, with a password of her own.
    #[schema(required)]
    pub(super) password: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct SkippedMember {
    name: String,
    /// Why, in words.
    reason: String,
}

/// Puts people on the roster. A phone that nobody has becomes a person with a one-time password. Who cannot be added
/// is named with the reason, and does not keep the others out.
#[utoipa::path(
    post, path = "/cohorts/{cohort}/members", operation_id = "addMembers", tag = "cohort",
    params(("cohort" = String, Path)), request_body = AddMembers,
    responses(
        (status = 200, body = AddedMembers),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No such cohort, or not hers", body = ErrorBody),
        (status = 422, description = "Too many at once", body = ErrorBody),
    )
)]
pub async fn add_members(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<CohortId>,
    Body(ask): Body<AddMembers>,
) -> ApiResult<Json<AddedMembers>> {
    let mut tx = state.db.read().await?;
    let cohort = cohort::get(&mut tx, &id).await?;
    require(&principal, Permission::CohortManage, &super::resource(&cohort))?;
    if ask.members.len() > MOST {
        let message = format!("一次最多加 {MOST} 个人。");
        return Err(Refusal::new("roster_too_long", message, "把名单分成几次交。").into());
    }
    drop(tx);
    let (mut added, mut skipped, mut lines, mut places) = (vec![], vec![], vec![], vec![]);
    for (n, MemberLine { name, phone, region_code, part, group_no }) in ask.members.into_iter().enumerate() {
        match phone.parse() {
            Ok(phone) => {
                places.push(n);
                lines.push(NewLine { name, phone, region_code, part, group_no });
            }
            Err(Refusal { message: reason, .. }) => skipped.push((n, SkippedMember { name, reason })),
        }
    }
    for (n, (line, joined, password)) in places.into_iter().zip(add(&state, &principal, &id, lines).await?) {
        let name = line.name;
        match joined {
            Joined::Added { .. } => added.push(AddedMember { name, phone_masked: line.phone.masked(), password }),
            Joined::There => skipped.push((n, SkippedMember { name, reason: "已经在班里了。".into() })),
            Joined::Skipped(reason) => skipped.push((n, SkippedMember { name, reason })),
        }
    }
    skipped.sort_by_key(|(n, _)| *n);
    Ok(Json(AddedMembers { added, skipped: skipped.into_iter().map(|(_, member)| member).collect() }))
}
