use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use weijia_core::ids::TicketId;
use weijia_core::review::draft::{self, Saved};
use weijia_core::review::{Draft, DraftInput};

use super::ticket_for;
use crate::auth::Principal;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::extract::{Body, Id};
use crate::state::AppState;

/// Keeps the draft, if it was based on the one that is kept (`rev`). A save whose answer was lost may be sent again.
#[utoipa::path(
    put, path = "/review/tickets/{ticket}/draft", operation_id = "saveReviewDraft", tag = "review",
    params(("ticket" = String, Path)), request_body = DraftInput,
    responses(
        (status = 200, body = Draft),
        (status = 404, description = "Not there, or never begun by her; or an item of somebody else's", body = ErrorBody),
        (status = 409, description = "`draft_is_old`: kept elsewhere meanwhile, nothing changed. `lease_lost`: kept, but the ticket is another mentor's now. `review_sent`, `ticket_sent`, `ticket_cancelled`: too late", body = ErrorBody),
        (status = 422, description = "About something that isn't there", body = ErrorBody),
    )
)]
pub async fn save_review_draft(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id<TicketId>,
    Body(input): Body<DraftInput>,
) -> ApiResult<Json<Draft>> {
    let mut tx = state.db.write().await?;
    ticket_for(&mut tx, &principal, &id).await?;
    let saved = draft::save(&mut tx, &id, &principal.user, input).await?;
    tx.commit().await?;
    match saved {
        Saved::Kept(draft) => Ok(Json(draft)),
        Saved::KeptWithoutTicket => Err(ApiError::new(
            StatusCode::CONFLICT,
            "lease_lost",
            "放得太久，别的老师接着看这一条了。你写的都存着。",
            "回队列，看下一条。",
        )),
    }
}
