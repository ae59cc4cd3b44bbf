//! Puts people on a roster, whichever way it came.

use futures_util::future::try_join_all;
use weijia_core::account::{Phone, has_password, one_time_password};
use weijia_core::cohort::{self, Joined, NewMember, Part};
use weijia_core::error::Result;
use weijia_core::ids::CohortId;
use weijia_core::time::At;

use crate::auth::Principal;
use crate::state::AppState;

/// One person who is to be in.
pub struct NewLine {
    pub name: String,
    pub phone: Phone,
    pub region_code: String,
    pub part: Part,
    pub group_no: Option<i64>,
}

/// What became of each, in their order: all that can be added are, at once. Who could not sign in before has a password
/// now, to be handed to her.
pub async fn add(
    state: &AppState,
    by: &Principal,
    cohort: &CohortId,
    lines: Vec<NewLine>,
) -> Result<Vec<(NewLine, Joined, Option<String>)>> {
    let mut tx = state.db.read().await?;
    let mut unknown = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        if !has_password(&mut tx, &state.keys, &line.phone).await? {
            unknown.push(n);
        }
    }
    drop(tx);
    // Hashing takes its time on purpose, so it is done before the one writer is taken.
    let mut passwords: Vec<Option<(String, String)>> = vec![None; lines.len()];
    let hashed = try_join_all(unknown.into_iter().map(|n| async move {
        let password = one_time_password();
        let hash = state.hasher.hash(&password).await?;
        Ok::<_, weijia_core::Error>((n, password, hash))
    }))
    .await?;
    for (n, password, hash) in hashed {
        passwords[n] = Some((password, hash));
    }

    let (now, mut tx) = (At::now(), state.db.write().await?);
    let mut all = Vec::new();
    for (line, password) in lines.into_iter().zip(passwords) {
        let NewLine { name, phone, region_code, part, group_no } = &line;
        let new = NewMember { name, phone, region_code, part: *part, group_no: *group_no };
        let hash = password.as_ref().map(|(_, hash)| hash.as_str());
        let joined = cohort::add_member(&mut tx, &state.keys, now, by, cohort, new, hash).await?;
        let is_new = matches!(joined, Joined::Added { new: true, .. });
        all.push((line, joined, password.filter(|_| is_new).map(|(password, _)| password)));
    }
    tx.commit().await?;
    Ok(all)
}
