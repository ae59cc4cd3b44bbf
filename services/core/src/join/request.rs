//! Those who stand before a door and are on no roster.

use super::rules::{ASKED_FOR, Asked};
use crate::access::Principal;
use crate::account::{Keys, Phone};
use crate::cohort::{self, Joined, NewMember, Part};
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{CohortId, RequestId, UserId};
use crate::text::one_line;
use crate::time::{At, Millis};
use crate::{audit, on};

/// So many may come before one door within an hour: a hall, and then some.
const MOST: i64 = 300;

#[derive(Debug, sqlx::FromRow)]
pub struct Request {
    pub state: Asked,
    pub reason: Option<String>,
    pub asked_at: At,
}

impl Request {
    /// What was asked long ago was never asked.
    pub fn is_old(&self, now: At) -> bool {
        now - self.asked_at > ASKED_FOR
    }
}

pub async fn of(tx: &mut Tx, cohort: &CohortId, phone_hash: &str) -> Result<Option<Request>> {
    let sql = "select state, reason, asked_at from join_requests where cohort_id = $1 and phone_hash = $2";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(cohort).bind(phone_hash).fetch_optional(c).await)?)
}

/// Writes down who asks, now.
pub async fn put(tx: &mut Tx, keys: &Keys, now: At, cohort: &CohortId, phone: &Phone) -> Result<()> {
    let sql = "select count(*) from join_requests where cohort_id = $1 and state = 'pending' and asked_at > $2";
    let waiting: i64 =
        on!(&mut *tx, c => sqlx::query_scalar(sql).bind(cohort).bind(now - Millis::hours(1)).fetch_one(c).await)?;
    if waiting >= MOST {
        return Err(Refusal::new("join_full", "门口等的人太多了。", "直接找老师，报名字和手机号。").into());
    }
    let sql = "insert into join_requests (id, cohort_id, phone_hash, phone_enc, phone_masked, state, asked_at)
               values ($1, $2, $3, $4, $5, 'pending', $6)
               on conflict (cohort_id, phone_hash) do update set state = 'pending', reason = null, asked_at = excluded.asked_at";
    let encrypted = keys.encrypt_phone(phone)?;
    Ok(on!(tx, c => sqlx::query(sql).bind(RequestId::new()).bind(cohort).bind(keys.phone_hash(phone))
        .bind(&encrypted).bind(phone.masked()).bind(now).execute(c).await.map(drop))?)
}

/// Who she is, as the one says who stands before her.
pub struct Approval<'a> {
    pub name: &'a str,
    pub region_code: &'a str,
    pub group_no: Option<i64>,
}

/// The class that somebody asked to be let into.
pub async fn cohort_of(tx: &mut Tx, id: &RequestId) -> Result<CohortId> {
    let sql = "select cohort_id from join_requests where id = $1";
    on!(tx, c => sqlx::query_scalar(sql).bind(id).fetch_optional(c).await).or_not_found()
}

/// Lets her in: she is on the roster now, and the door is open to her. Asking again changes nothing.
pub async fn approve(
    tx: &mut Tx,
    keys: &Keys,
    now: At,
    by: &Principal,
    id: &RequestId,
    as_whom: Approval<'_>,
) -> Result<UserId> {
    let sql = tx.locking("select cohort_id, phone_enc, state, asked_at from join_requests where id = $1");
    let (cohort, phone, state, asked_at): (CohortId, String, Asked, At) =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await).or_not_found()?;
    if state == Asked::Pending && now - asked_at > ASKED_FOR {
        return Err(Error::conflict("request_old", "她是一个多星期前问的，已经不算了。", "请她在门口再按一次。"));
    }
    let phone: Phone = keys.decrypt_phone(&phone)?.parse()?;
    let Approval { name, region_code, group_no } = as_whom;
    let new = NewMember { name, phone: &phone, region_code, part: Part::Trainee, group_no };
    // She chooses her six digits herself, so nothing is handed out: no password is the hash of this.
    let joined = cohort::add_member(tx, keys, now, by, &cohort, new, Some("-")).await?;
    let user = match joined {
        Joined::Added { user, .. } => user,
        Joined::There => crate::account::find_by_phone(tx, keys, &phone).await?.ok_or(Error::NotFound)?,
        Joined::Skipped(why) => return Err(Refusal::new("approve_refused", why, "改好再点一次。").into()),
    };
    decide(tx, now, &by.user, id, Asked::Approved, None).await?;
    let detail = serde_json::json!({"request": id, "user": user});
    audit::append(tx, now, Some(&by.user), "join.approved", cohort.as_str(), &detail).await?;
    Ok(user)
}

/// Does not let her in, and says why. Asking again changes nothing but the reason.
pub async fn reject(tx: &mut Tx, now: At, by: &UserId, id: &RequestId, reason: &str) -> Result<()> {
    let reason = one_line(reason);
    if reason.is_empty() || reason.chars().count() > 60 {
        return Err(Refusal::new(
            "reason_invalid",
            "写一句为什么，最多 60 个字。",
            "比如：“这是城步的班，你的班在隔壁。”",
        )
        .into());
    }
    let sql = tx.locking("select cohort_id, state from join_requests where id = $1");
    let (cohort, state): (CohortId, Asked) =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await).or_not_found()?;
    if state == Asked::Approved {
        return Err(Error::conflict("approved_already", "别的老师刚刚让她进了。", "刷新看看，她已经在名单里了。"));
    }
    decide(tx, now, by, id, Asked::Rejected, Some(&reason)).await?;
    let detail = serde_json::json!({"request": id, "reason": reason});
    audit::append(tx, now, Some(by), "join.rejected", cohort.as_str(), &detail).await
}

async fn decide(tx: &mut Tx, now: At, by: &UserId, id: &RequestId, to: Asked, reason: Option<&str>) -> Result<()> {
    let sql = "update join_requests set state = $2, reason = $3, decided_by = $4, decided_at = $5 where id = $1";
    Ok(on!(tx, c => sqlx::query(sql).bind(id).bind(to).bind(reason).bind(by).bind(now).execute(c).await.map(drop))?)
}
