use crate::auth::Principal;
use axum::extract::State;
use axum::http::StatusCode;
use weijia_core::clip::create;
use weijia_core::ids::UploadId;
use weijia_core::time::At;
use weijia_core::upload::{Kind, State as UploadState, sql};

use super::{Uploads, protocol};
use crate::error::{ApiError, ErrorBody};
use crate::extract::Id;

/// Ends an upload and lets go of its bytes; again is fine. A draft that never had any others goes with it. What is
/// complete is not an upload any more: withdraw the clip instead. A partial one may be ended unless it is being joined.
#[utoipa::path(
    delete, path = "/uploads/{upload}", operation_id = "terminateUpload", tag = "uploads",
    params(("upload" = String, Path), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses(
        (status = 204, description = "ended"), (status = 404, description = "no such upload of hers", body = ErrorBody),
        (status = 409, description = "complete already, or being joined", body = ErrorBody),
    )
)]
pub async fn terminate_upload(
    State(uploads): State<Uploads>,
    principal: Principal,
    Id(upload): Id<String>,
) -> Result<StatusCode, ApiError> {
    let id = uploads.own(&principal, &upload).await?;
    uploads.terminate(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Uploads {
    pub(super) async fn terminate(&self, id: &UploadId) -> Result<(), ApiError> {
        let now = At::now();
        let mut tx = self.db.write().await?;
        let upload = sql::find(&mut tx, id).await?;
        let complete = matches!(upload.state, UploadState::Completing | UploadState::Complete);
        if complete && upload.kind != Kind::Partial {
            let next_step = "不想要了，就到作品页把它收回。";
            return Err(protocol::refuse(StatusCode::CONFLICT, "upload_complete", "这条片子已经传完了。", next_step));
        }
        if sql::terminate(&mut tx, now, &upload).await?
            && let Some(clip) = &upload.clip_id
        {
            create::discard_if_bare(&mut tx, now, clip).await?;
        }
        tx.commit().await?;
        // Whoever still writes is told that it is over, and stores nothing more.
        drop(self.writers.sit(id, self.limits.handover).await);
        Ok(())
    }
}
