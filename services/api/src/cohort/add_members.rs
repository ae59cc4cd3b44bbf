use axum::Json;
use axum::extract::State;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::account::{Phone, has_password, one_time_password};
use weijia_core::cohort::{self, Joined, NewMember, Part};
use weijia_core::error::Refusal;
use weijia_core::ids::CohortId;
use weijia_core::time::At;

use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

/// A hall of people is two rosters; each new person costs a password's hashing.
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
    name: String,
    phone_masked: String,
    /// To hand to her once; null for somebody who has signed in before, with a password of her own.
    #[schema(required)]
    password: Option<String>,
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
    let mut unknown = Vec::new();
    for (i, line) in ask.members.iter().enumerate() {
        if let Ok(phone) = line.phone.parse::<Phone>()
            && !has_password(&mut tx, &state.keys, &phone).await?
        {
            unknown.push(i);
        }
    }
    drop(tx);
    // Hashing takes its time on purpose, so it is done before the one writer is taken.
    let mut passwords: Vec<Option<(String, String)>> = vec![None; ask.members.len()];
    let hashed = try_join_all(unknown.into_iter().map(|i| {
        let hasher = &state.hasher;
        async move {
            let password = one_time_password();
            let hash = hasher.hash(&password).await?;
            Ok::<_, weijia_core::Error>((i, password, hash))
        }
    }))
    .await?;
    for (i, password, hash) in hashed {
        passwords[i] = Some((password, hash));
    }

    let (now, mut tx) = (At::now(), state.db.write().await?);
    let mut answer = AddedMembers { added: vec![], skipped: vec![] };
    for (line, password) in ask.members.into_iter().zip(passwords) {
        let phone: Phone = match line.phone.parse() {
            Ok(phone) => phone,
            Err(refusal) => {
                let Refusal { message, .. } = refusal;
                answer.skipped.push(SkippedMember { name: line.name, reason: message });
                continue;
            }
        };
        let (name, region_code) = (line.name.as_str(), line.region_code.as_str());
        let new = NewMember { name, phone: &phone, region_code, part: line.part, group_no: line.group_no };
        let hash = password.as_ref().map(|(_, hash)| hash.as_str());
        match cohort::add_member(&mut tx, &state.keys, now, &principal, &id, new, hash).await? {
            Joined::Added { new, .. } => answer.added.push(AddedMember {
                name: line.name,
                phone_masked: phone.masked(),
                password: password.filter(|_| new).map(|(password, _)| password),
            }),
            Joined::Skipped(reason) => answer.skipped.push(SkippedMember { name: line.name, reason }),
        }
    }
    tx.commit().await?;
    Ok(Json(answer))
}
