use axum::Json;
use axum::extract::multipart::MultipartError;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use bytes::Bytes;
use utoipa::ToSchema;
use weijia_core::access::{Permission, require};
use weijia_core::error::{Error, Refusal};
use weijia_core::growth::{self, Figures, NewSnapshot, Recorded};
use weijia_core::ids::{AccountId, SnapshotId};
use weijia_core::storage::keys;
use weijia_core::time::{At, Day};
use weijia_core::{audit, cohort};

use super::evidence;
use super::view::Snapshot;
use crate::auth::Principal;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// The form, as the document shows it. A figure that is left out is missing, which is not zero.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the form")]
pub struct RecordSnapshot {
    /// The day of the screenshot.
    as_of_on: Day,
    /// The figures are sums over so many days up to that day; followers are a stand.
    window_days: i64,
    followers: Option<i64>,
    views: Option<i64>,
    originals: Option<i64>,
    active_weeks: Option<i64>,
    lives: Option<i64>,
    service: Option<i64>,
    column_episodes: Option<i64>,
    adopted_upward: Option<i64>,
    impact_points: Option<i64>,
    /// A jpeg, png or webp of at most 8 MB.
    #[schema(value_type = String, format = Binary)]
    evidence: Vec<u8>,
}

/// Records what was read of an account, with the screenshot it was read from. Reading the same day and window again
/// corrects the earlier reading, which stays; sending the very same again changes nothing.
#[utoipa::path(
    post, path = "/accounts/{account}/snapshots", operation_id = "recordSnapshot", tag = "growth",
    params(("account" = String, Path)),
    request_body(content = RecordSnapshot, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Recorded", body = Snapshot),
        (status = 200, description = "The very same was there", body = Snapshot),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No account of hers", body = ErrorBody),
        (status = 422, description = "A figure, a day or the picture is wrong", body = ErrorBody),
    )
)]
pub async fn record_snapshot(
    State(state): State<AppState>,
    principal: Principal,
    Id(account): Id<AccountId>,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> ApiResult<(StatusCode, Json<Snapshot>)> {
    // Who may not record learns nothing about the account, and no byte of hers is read.
    let mut tx = state.db.read().await?;
    let owner = growth::owner_of(&mut tx, &account).await?;
    let trainee = cohort::trainee(&mut tx, &owner).await?;
    require(&principal, Permission::GrowthRecord, &trainee.resource(&principal))?;
    drop(tx);

    let form = Form::read(form.map_err(|_| unreadable())?).await?;
    let picture = evidence::check(form.evidence).await?;
    let id = SnapshotId::new();
    let key = keys::evidence(&id);
    let new = NewSnapshot {
        id: &id,
        account: &account,
        as_of_on: form.as_of_on.ok_or_else(|| missing("截图的日子"))?,
        window_days: form.window_days.ok_or_else(|| missing("统计的天数"))?,
        figures: form.figures,
        evidence_key: &key,
        evidence_type: picture.content_type,
        evidence_sha256: &picture.sha256,
        entered_by: &principal.user,
    };
    // The picture is durable before any row speaks of it; when certainly none will, it is taken away again.
    state.storage.put(&key, picture.content_type, picture.bytes).await.map_err(Error::from)?;
    let recorded = record(&state, &principal, new).await;
    if is_certainly_unnamed(&recorded)
        && let Err(error) = state.storage.delete(&key).await
    {
        tracing::warn!(%error, key, "a picture that nothing refers to stays behind");
    }
    Ok(match recorded? {
        Recorded::New(snapshot) => (StatusCode::CREATED, Json(snapshot.into())),
        Recorded::Already(snapshot) => (StatusCode::OK, Json(snapshot.into())),
    })
}

/// Where the answer to the commit was lost, a row may name the picture all the same: that is for the sweep to find out.
fn is_certainly_unnamed(recorded: &Result<Recorded, Error>) -> bool {
    match recorded {
        Ok(Recorded::New(_)) | Err(Error::Db(_) | Error::Storage(_) | Error::Damaged(_)) => false,
        Ok(Recorded::Already(_)) | Err(Error::Refused(_) | Error::Conflict(_) | Error::NotFound) => true,
    }
}

async fn record(state: &AppState, principal: &Principal, new: NewSnapshot<'_>) -> Result<Recorded, Error> {
    let (now, mut tx) = (At::now(), state.db.write().await?);
    let detail = serde_json::json!({"account": new.account, "as_of_on": new.as_of_on, "window_days": new.window_days});
    let recorded = growth::record(&mut tx, now, new).await?;
    if let Recorded::New(snapshot) = &recorded {
        audit::append(&mut tx, now, Some(&principal.user), "growth.snapshot", snapshot.id.as_str(), &detail).await?;
    }
    tx.commit().await?;
    Ok(recorded)
}

fn unreadable() -> ApiError {
    Refusal::new("bad_request", "这次发来的内容读不懂。", "刷新这一页，再试一次。").into()
}

fn missing(what: &str) -> Error {
    Refusal::new("snapshot_invalid", format!("{what}没有填。"), "填上再交。").into()
}

#[derive(Default)]
struct Form {
    as_of_on: Option<Day>,
    window_days: Option<i64>,
    figures: Figures,
    evidence: Bytes,
}

impl Form {
    async fn read(mut form: Multipart) -> ApiResult<Form> {
        let broken = |e: MultipartError| match e.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::from(evidence::too_large()),
            _ => unreadable(),
        };
        let mut read = Form::default();
        while let Some(field) = form.next_field().await.map_err(broken)? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "evidence" {
                read.evidence = field.bytes().await.map_err(broken)?;
                continue;
            }
            let text = field.text().await.map_err(broken)?;
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            if name == "as_of_on" {
                let wrong = || Refusal::new("snapshot_invalid", "截图的日子读不懂。", "日子写成 2026-09-30 这样。");
                read.as_of_on = Some(text.parse().map_err(|_| wrong())?);
                continue;
            }
            let Some(slot) = read.slot(&name) else { continue };
            let wrong = || Refusal::new("snapshot_invalid", "有个数字读不懂。", "只填数字，不写“万”，没有的空着。");
            *slot = Some(text.parse().map_err(|_| wrong())?);
        }
        Ok(read)
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<i64>> {
        let f = &mut self.figures;
        Some(match name {
            "window_days" => &mut self.window_days,
            "followers" => &mut f.followers,
            "views" => &mut f.views,
            "originals" => &mut f.originals,
            "active_weeks" => &mut f.active_weeks,
            "lives" => &mut f.lives,
            "service" => &mut f.service,
            "column_episodes" => &mut f.column_episodes,
            "adopted_upward" => &mut f.adopted_upward,
            "impact_points" => &mut f.impact_points,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_a_row_may_name_stays() {
        let lost = weijia_core::db::DbError::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(!is_certainly_unnamed(&Err(Error::Db(lost))), "the answer to a commit was lost");
        assert!(is_certainly_unnamed(&Err(missing("截图的日子"))));
        assert!(is_certainly_unnamed(&Err(Error::NotFound)));
    }
}
