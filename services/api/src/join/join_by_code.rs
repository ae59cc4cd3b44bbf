use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weijia_core::account::{self, DeviceToken};
use weijia_core::error::{Error, Refusal, Result};
use weijia_core::ids::WindowId;
use weijia_core::join::{self, Entry, Step, Who};
use weijia_core::time::At;

use super::asker::Asker;
use crate::account::{Me, load_me};
use crate::auth::session_cookie;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::extract::Body;
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
pub struct JoinByCode {
    window: WindowId,
    /// Who she is: this, or her card.
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    card: Option<String>,
    /// The six digits that she has chosen or knows, or her password. Without it she is told what to do next.
    #[serde(default)]
    secret: Option<String>,
    /// Six digits of her own, where `secret` is what was handed to her.
    #[serde(default)]
    pin: Option<String>,
    /// She was not let in, and asks once more.
    #[serde(default)]
    again: bool,
}

/// What she does next.
#[derive(Serialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum JoinStep {
    /// Nobody has come with this number before: six digits of her own.
    ChoosePin,
    /// What was handed to her in person, together with six digits of her own.
    EnterCode,
    EnterPin,
    EnterPassword,
    /// She is on no roster: somebody has to let her in. To be asked again every few seconds.
    Wait,
    Rejected {
        reason: String,
    },
    /// She is in, and signed in on this phone.
    Joined {
        me: Box<Me>,
    },
}

/// Comes in by an open door, or says what is missing. A number that is on no roster waits for staff; a number alone never
/// gives what somebody already uses.
#[utoipa::path(
    post, path = "/join", operation_id = "joinByCode", tag = "join", security(()), request_body = JoinByCode,
    responses(
        (status = 200, body = JoinStep),
        (status = 401, description = "Not her digits, or not her password", body = ErrorBody),
        (status = 404, description = "A card of another class", body = ErrorBody),
        (status = 409, description = "Somebody else came in with this number just now", body = ErrorBody),
        (status = 422, description = "The door is shut, no phone number, or digits that everybody would guess", body = ErrorBody),
        (status = 429, description = "Too many unknown numbers, or too many guesses", body = ErrorBody),
    )
)]
pub async fn join_by_code(
    State(state): State<AppState>,
    asker: Asker,
    Body(ask): Body<JoinByCode>,
) -> ApiResult<(HeaderMap, Json<JoinStep>)> {
    let mut headers = asker.headers();
    match join_or_say(&state, asker, ask, &mut headers).await {
        Ok(step) => Ok((headers, Json(step))),
        Err(error) => Err(ApiError::from(error).with_headers(headers)),
    }
}

async fn join_or_say(state: &AppState, asker: Asker, ask: JoinByCode, headers: &mut HeaderMap) -> Result<JoinStep> {
    let now = At::now();
    let who = match (ask.phone, ask.card) {
        (Some(phone), _) => Who::Number(phone.parse()?),
        (None, Some(card)) => Who::Card(card),
        (None, None) => {
            return Err(Refusal::new("who_needed", "还不知道你是谁。", "按一下手机号，或者扫你那张卡。").into());
        }
    };
    let AppState { db, keys, hasher, settings, .. } = state;
    let mut tx = db.write().await?;
    asker.tries(&mut tx, now).await?;
    let Some(secret) = ask.secret else {
        let answer = join::ask(&mut tx, keys, now, &ask.window, &who, ask.again).await?;
        // Who asks for somebody that nobody knows has tried a number; who asks again has not.
        if !answer.is_new {
            asker.was_right(&mut tx).await?;
        }
        tx.commit().await?;
        return Ok(match answer.step {
            Step::ChoosePin => JoinStep::ChoosePin,
            Step::EnterCode => JoinStep::EnterCode,
            Step::EnterPin => JoinStep::EnterPin,
            Step::EnterPassword => JoinStep::EnterPassword,
            Step::Wait => JoinStep::Wait,
            Step::Rejected => JoinStep::Rejected { reason: answer.reason.unwrap_or_default() },
        });
    };
    tx.commit().await?;
    let Asker { ref device, .. } = asker;
    let (window, pin, device) = (&ask.window, ask.pin.as_deref(), Some(DeviceToken::from_cookie(device.as_str())));
    let entered = join::enter(db, keys, hasher, now, Entry { window, who: &who, secret: &secret, pin, device }).await;
    // A guess stays counted; a shut door, or digits that anybody would guess, are none.
    if !matches!(&entered, Err(Error::Refused(r)) if matches!(r.code, "sign_in_wrong" | "sign_in_rest" | "join_waits"))
    {
        let mut tx = db.write().await?;
        asker.was_right(&mut tx).await?;
        tx.commit().await?;
    }
    let entered = entered?;
    let mut tx = db.read().await?;
    let principal = account::principal(&mut tx, now, &entered.user).await?;
    let me = Box::new(load_me(&mut tx, &principal).await?);
    headers.append(SET_COOKIE, session_cookie(settings, Some(&entered.session)));
    Ok(JoinStep::Joined { me })
}
