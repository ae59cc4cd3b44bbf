use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use weijia_core::access::{Permission, require};
use weijia_core::error::Error;
use weijia_core::ids::SnapshotId;
use weijia_core::{cohort, growth};

use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// The screenshot that a reading was typed from.
#[utoipa::path(
    get, path = "/snapshots/{snapshot}/evidence", operation_id = "getEvidence", tag = "growth",
    params(("snapshot" = String, Path)),
    responses(
        (status = 200, description = "The picture", content_type = "image/*"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "No reading of hers", body = ErrorBody),
    )
)]
pub async fn get_evidence(
    State(state): State<AppState>,
    principal: Principal,
    Id(snapshot): Id<SnapshotId>,
) -> ApiResult<Response> {
    let mut tx = state.db.read().await?;
    let evidence = growth::evidence(&mut tx, &snapshot).await?;
    let trainee = cohort::trainee(&mut tx, &evidence.owner_id).await?;
    require(&principal, Permission::GrowthRead, &trainee.resource(&principal))?;
    drop(tx);
    let picture = state.storage.get(&evidence.evidence_key).await.map_err(Error::from)?;
    let headers = [
        (CONTENT_TYPE, evidence.evidence_type),
        (CACHE_CONTROL, "private, max-age=3600".into()),
        (CONTENT_DISPOSITION, "inline".into()),
        // Somebody else's bytes: whatever they are, they run nothing here.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".into()),
    ];
    Ok((headers, picture).into_response())
}
