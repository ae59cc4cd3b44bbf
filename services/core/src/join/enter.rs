//! Lets people in. Each call says the same again until she is in, so a phone may ask as often as it likes.

use super::door::{self, require_open};
use super::request::{self, Request};
use super::rules::{Asked, Standing, Step, next_step};
use crate::account::{self, DeviceToken, Keys, PasswordHasher, Phone, Place, Secret, SessionToken, device, pin};
use crate::cohort::{MemberState, Part};
use crate::db::{Db, Tx};
use crate::error::{Error, OrNotFound, Refusal, Result};
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
}

/// Somebody before an open door, as the rows know her.
struct Caller {
    cohort: CohortId,
    step: Step,
    known: Option<Known>,
    phone_hash: String,
    request: Option<Request>,
}

struct Known {
    user: UserId,
    /// What her secret is known by at this moment.
    seen_hash: String,
    phone: Option<Phone>,
}

async fn look(tx: &mut Tx, keys: &Keys, now: At, window: &WindowId, who: &Who) -> Result<Caller> {
    let cohort = require_open(tx, now, window).await?.cohort_id;
    let (user, phone_hash) = match who {
        Who::Number(phone) => (account::find_by_phone(tx, keys, phone).await?, keys.phone_hash(phone)),
        Who::Card(card) => {
            let (of, user) = door::holder(tx, card).await?;
            if of != cohort {
                return Err(Error::NotFound);
            }
            let sql = "select phone_hash from users where id = $1";
            let phone_hash = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(&user).fetch_one(c).await)?;
            (Some(user), phone_hash)
        }
    };
    let request = request::of(tx, &cohort, &phone_hash).await?.filter(|request| !request.is_old(now));
    let asked = request.as_ref().map(|request| request.state);
    let (known, standing) = match user {
        Some(user) => {
            let (known, standing) = standing(tx, keys, now, &cohort, user, asked).await?;
            (Some(known), standing)
        }
        None => (None, Standing { member: None, secret: None, has_part: false, has_more: false, request: asked }),
    };
    Ok(Caller { cohort, step: next_step(&standing), known, phone_hash, request })
}

async fn standing(
    tx: &mut Tx,
    keys: &Keys,
    now: At,
    cohort: &CohortId,
    user: UserId,
    request: Option<Asked>,
) -> Result<(Known, Standing)> {
    let sql = "select part, state from memberships where cohort_id = $1 and user_id = $2";
    let member: Option<(Part, MemberState)> =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(cohort).bind(&user).fetch_optional(c).await)?;
    let sql = "select password_hash, secret, state, phone_enc from users where id = $1";
    let (seen_hash, secret, state, phone): (String, Secret, String, String) =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(&user).fetch_optional(c).await).or_not_found()?;
    let count = async |tx: &mut Tx, sql: &'static str| -> Result<i64> {
        Ok(on!(tx, c => sqlx::query_scalar(sql).bind(&user).bind(now).fetch_one(c).await)?)
    };
    let parts = count(
        tx,
        "select (select count(*) from role_grants where user_id = $1 and (valid_to is null or valid_to > $2))
              + (select count(*) from memberships where user_id = $1 and part = 'mentor' and state <> 'withdrawn')",
    )
    .await?;
    let more = count(
        tx,
        "select (select count(*) from clips where owner_id = $1 and created_at <= $2)
              + (select count(*) from lesson_progress where user_id = $1)
              + (select count(*) from platform_accounts where owner_id = $1)
              + (select count(*) from star_awards where user_id = $1)",
    )
    .await?;
    let standing = Standing {
        member,
        secret: Some(secret).filter(|_| state == "active"),
        has_part: parts > 0,
        has_more: parts + more > 0,
        request,
    };
    let phone = keys.decrypt_phone(&phone).ok().and_then(|phone| phone.parse().ok());
    Ok((Known { user, seen_hash, phone }, standing))
}

/// Looks who it is. Whoever is on no roster is put on the list of those who ask; who was not let in is only where she asks
/// `again`.
pub async fn ask(tx: &mut Tx, keys: &Keys, now: At, window: &WindowId, who: &Who, again: bool) -> Result<Answer> {
    let Caller { cohort, step, request, .. } = look(tx, keys, now, window, who).await?;
    let asked = request.as_ref().map(|request| request.state);
    if let (Step::Wait | Step::Rejected, Who::Number(phone)) = (step, who) {
        let stands = match asked {
            Some(Asked::Pending) => true,
            Some(Asked::Rejected) => !again,
            // She was in, and is no longer.
            Some(Asked::Approved) | None => false,
        };
        if !stands {
            request::put(tx, keys, now, &cohort, phone).await?;
            return Ok(Answer { step: Step::Wait, reason: None, is_new: asked.is_none() });
        }
    }
    let reason = request.and_then(|request| request.reason).filter(|_| step == Step::Rejected);
    Ok(Answer { step, reason, is_new: false })
}

/// Somebody before a door with what she has chosen or knows.
pub struct Entry<'a> {
    pub window: &'a WindowId,
    pub who: &'a Who,
    /// Her digits, her password, or what was handed to her.
    pub secret: &'a str,
    /// Six digits of her own, in place of what was handed to her.
    pub pin: Option<&'a str>,
    /// The phone that she holds, if it has a name already.
    pub device: Option<DeviceToken>,
}

/// She is in, on this phone.
pub struct Entered {
    pub user: UserId,
    pub session: SessionToken,
    pub device: DeviceToken,
}

/// What let her in: it has to hold still when she is.
enum Key {
    Chosen { seen_hash: String, pin_hash: String },
    Proven(account::Proof),
}

/// Comes in. From then on this phone knows her.
pub async fn enter(db: &Db, keys: &Keys, hasher: &PasswordHasher, now: At, entry: Entry<'_>) -> Result<Entered> {
    let Entry { window, who, secret, pin, device } = entry;
    let mut tx = db.read().await?;
    let caller = look(&mut tx, keys, now, window, who).await?;
    drop(tx);
    let not_yet = || Refusal::new("join_waits", "老师还没让你进。", "跟老师说一声你是谁，她点一下就好。");
    let Some(known) = caller.known else { return Err(not_yet().into()) };
    let prove =
        async |secret: &str| account::prove(db, hasher, now, &caller.phone_hash, secret, Place::ClassDoor).await;
    // Hashing takes its time on purpose, so it is done before the one writer is taken.
    let key = match caller.step {
        Step::Wait | Step::Rejected => return Err(not_yet().into()),
        Step::ChoosePin => {
            pin::check(secret, known.phone.as_ref())?;
            Key::Chosen { seen_hash: known.seen_hash, pin_hash: hasher.hash_pin(secret).await? }
        }
        Step::EnterCode => {
            let pin = pin.unwrap_or_default();
            pin::check(pin, known.phone.as_ref())?;
            let proof = prove(secret).await?;
            Key::Chosen { seen_hash: proof.seen_hash().to_owned(), pin_hash: hasher.hash_pin(pin).await? }
        }
        Step::EnterPin | Step::EnterPassword => Key::Proven(prove(secret).await?),
    };

    let mut tx = db.write().await?;
    // Meanwhile the door may have closed, what was handed to her may have been given anew, and she may have been taken off
    // the roster. People come before seats, as everywhere.
    require_open(&mut tx, now, window).await?;
    match &key {
        Key::Chosen { seen_hash, pin_hash } => account::choose_pin(&mut tx, &known.user, seen_hash, pin_hash).await?,
        Key::Proven(proof) => proof.still_holds(&mut tx).await?,
    }
    let sql = "update memberships set arrived_at = coalesce(arrived_at, $3) where cohort_id = $1 and user_id = $2 and state <> 'withdrawn'";
    let seats = on!(&mut tx, c => sqlx::query(sql).bind(&caller.cohort).bind(&known.user).bind(now)
        .execute(c).await.map(|r| r.rows_affected()))?;
    if seats == 0 {
        return Err(not_yet().into());
    }
    let device = device.unwrap_or_else(DeviceToken::random);
    device::bind(&mut tx, now, &device, &known.user).await?;
    let session = account::open_session(&mut tx, now, &known.user).await?;
    let detail = serde_json::json!({"user": known.user, "new": matches!(key, Key::Chosen { .. })});
    audit::append(&mut tx, now, Some(&known.user), "join.entered", caller.cohort.as_str(), &detail).await?;
    tx.commit().await?;
    Ok(Entered { user: known.user, session, device })
}
