//! Lets people in. Each call says the same again until she is in, so a phone may ask as often as it likes.

use super::door::{self, require_open};
use super::request;
use super::rules::{Asked, Standing, Step, next_step};
use crate::account::{self, DeviceToken, Keys, PasswordHasher, Phone, Place, Secret, SessionToken, device, pin};
use crate::cohort::{MemberState, Part};
use crate::db::{Db, Tx};
use crate::error::{Error, Refusal, Result};
use crate::ids::{CohortId, UserId, WindowId};
use crate::time::At;
use crate::{audit, on};

/// Who says that she is before the door.
#[derive(Debug, Clone)]
pub enum Who {
    Number(Phone),
    Card(String),
}

/// What the one before the door does next.
#[derive(Debug)]
pub struct Answer {
    pub step: Step,
    /// Why she was not let in.
    pub reason: Option<String>,
    /// She is on no roster, and this is the first time that she asked.
    pub is_new: bool,
    cohort: CohortId,
    user: Option<UserId>,
    phone_hash: String,
}

/// She is in, on this phone.
pub struct Entered {
    pub user: UserId,
    pub session: SessionToken,
    pub device: DeviceToken,
}

/// Looks who it is. Whoever is on no roster is put on the list of those who ask; who was not let in is only where she asks
/// `again`.
pub async fn ask(tx: &mut Tx, keys: &Keys, now: At, window: &WindowId, who: &Who, again: bool) -> Result<Answer> {
    let window = require_open(tx, now, window).await?;
    let (user, phone_hash) = match who {
        Who::Number(phone) => (account::find_by_phone(tx, keys, phone).await?, keys.phone_hash(phone)),
        Who::Card(card) => {
            let (cohort, user) = door::holder(tx, card).await?;
            if cohort != window.cohort_id {
                return Err(Error::NotFound);
            }
            let sql = "select phone_hash from users where id = $1";
            let phone_hash = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(&user).fetch_one(c).await)?;
            (Some(user), phone_hash)
        }
    };
    let asked = request::of(tx, &window.cohort_id, &phone_hash).await?.filter(|request| !request.is_old(now));
    let standing = standing(tx, now, &window.cohort_id, user.as_ref(), asked.as_ref().map(|a| a.state)).await?;
    let mut step = next_step(&standing);
    let mut is_new = false;
    if let (Step::Wait | Step::Rejected, Who::Number(phone)) = (step, who) {
        let stands = match asked.as_ref().map(|a| a.state) {
            Some(Asked::Pending) => true,
            Some(Asked::Rejected) => !again,
            // She was in, and is no longer.
            Some(Asked::Approved) | None => false,
        };
        if !stands {
            request::put(tx, keys, now, &window.cohort_id, phone).await?;
            is_new = asked.is_none();
            step = Step::Wait;
        }
    }
    let reason = asked.and_then(|a| a.reason).filter(|_| step == Step::Rejected);
    Ok(Answer { step, reason, is_new, cohort: window.cohort_id, user, phone_hash })
}

async fn standing(
    tx: &mut Tx,
    now: At,
    cohort: &CohortId,
    user: Option<&UserId>,
    request: Option<Asked>,
) -> Result<Standing> {
    let Some(user) = user else { return Ok(Standing { member: None, secret: None, has_more: false, request }) };
    let sql = "select part, state from memberships where cohort_id = $1 and user_id = $2";
    let member: Option<(Part, MemberState)> =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(cohort).bind(user).fetch_optional(c).await)?;
    let secret: Option<Secret> = on!(&mut *tx, c => sqlx::query_scalar("select secret from users where id = $1 and state = 'active'")
        .bind(user).fetch_optional(c).await)?;
    let sql = "select (select count(*) from clips where owner_id = $1)
                    + (select count(*) from role_grants where user_id = $1 and (valid_to is null or valid_to > $2))
                    + (select count(*) from memberships where user_id = $1 and part = 'mentor' and state <> 'withdrawn')";
    let more: i64 = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(user).bind(now).fetch_one(c).await)?;
    Ok(Standing { member, secret, has_more: more > 0, request })
}

/// Somebody before a door with what she has chosen or knows.
pub struct Entry<'a> {
    pub window: &'a WindowId,
    pub who: &'a Who,
    pub secret: &'a str,
    /// The phone that she holds, if it has a name already.
    pub device: Option<DeviceToken>,
}

/// Comes in. From then on this phone knows her.
pub async fn enter(db: &Db, keys: &Keys, hasher: &PasswordHasher, now: At, entry: Entry<'_>) -> Result<Entered> {
    let Entry { window, who, secret, device } = entry;
    let mut tx = db.write().await?;
    let answer = ask(&mut tx, keys, now, window, who, false).await?;
    tx.commit().await?;
    let not_yet = || Refusal::new("join_waits", "老师还没让你进。", "跟老师说一声你是谁，她点一下就好。");
    let user = answer.user.ok_or_else(not_yet)?;
    // Hashing takes its time on purpose, so it is done before the one writer is taken.
    let pin_hash = match answer.step {
        Step::Wait | Step::Rejected => return Err(not_yet().into()),
        Step::ChoosePin => {
            let phone = match who {
                Who::Number(phone) => Some(phone),
                Who::Card(_) => None,
            };
            pin::check(secret, phone)?;
            Some(hasher.hash_pin(secret).await?)
        }
        Step::EnterPin | Step::EnterPassword => {
            account::prove(db, hasher, now, &answer.phone_hash, secret, Place::ClassDoor).await?;
            None
        }
    };

    let mut tx = db.write().await?;
    // The door may have closed, and she may have been taken off the roster, while the digits were hashed.
    require_open(&mut tx, now, window).await?;
    let sql = "update memberships set arrived_at = coalesce(arrived_at, $3) where cohort_id = $1 and user_id = $2 and state <> 'withdrawn'";
    let seats = on!(&mut tx, c => sqlx::query(sql).bind(&answer.cohort).bind(&user).bind(now)
        .execute(c).await.map(|r| r.rows_affected()))?;
    if seats == 0 {
        return Err(not_yet().into());
    }
    if let Some(hash) = &pin_hash {
        account::claim(&mut tx, &user, hash).await?;
    }
    let device = device.unwrap_or_else(DeviceToken::random);
    device::bind(&mut tx, now, &device, &user).await?;
    let session = account::open_session(&mut tx, now, &user).await?;
    let detail = serde_json::json!({"user": user, "new": pin_hash.is_some()});
    audit::append(&mut tx, now, Some(&user), "join.entered", answer.cohort.as_str(), &detail).await?;
    tx.commit().await?;
    Ok(Entered { user, session, device })
}
