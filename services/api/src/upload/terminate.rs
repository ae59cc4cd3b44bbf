use crate::auth::Principal;
use axum::extract::State;
use axum::http::StatusCode;
use weijia_core::clip::create;
use weijia_core::time::At;
use weijia_core::upload::{State as UploadState, sql};

use super::{Uploads, protocol};
use crate::error::{ApiError, ErrorBody};
use crate::extract::Id;

/// Ends an upload and lets go of its bytes; again is fine. A draft that never had any others goes with it. What is
/// complete is not an upload any more: withdraw the clip instead.
#[utoipa::path(
    delete, path = "/uploads/{upload}", operation_id = "terminateUpload", tag = "uploads",
    params(("upload" = String, Path), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses(
        (status = 204, description = "ended"), (status = 404, description = "no such upload of hers", body = ErrorBody),
        (status = 409, description = "complete already", body = ErrorBody),
    )
)]
pub async fn terminate_upload(
    State(uploads): State<Uploads>,
    principal: Principal,
    Id(upload): Id<String>,
) -> Result<StatusCode, ApiError> {
    let id = uploads.own(&principal, &upload).await?;
    let _seat = uploads.writers.sit(&id, uploads.limits.handover).await;
    let now = At::now();
    let mut tx = uploads.db.write().await.map_err(weijia_core::Error::from)?;
    let upload = sql::find(&mut tx, &id).await?;
    if matches!(upload.state, UploadState::Completing | UploadState::Complete) {
        let next_step = "不想要了，就到作品页把它收回。";
        return Err(protocol::refuse(StatusCode::CONFLICT, "upload_complete", "这条片子已经传完了。", next_step));
    }
    if sql::terminate(&mut tx, now, &upload).await? {
        create::discard_if_bare(&mut tx, now, &upload.clip_id).await?;
    }
    tx.commit().await.map_err(weijia_core::Error::from)?;
    Ok(StatusCode::NO_CONTENT)
}
