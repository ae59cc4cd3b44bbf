//! The phones that somebody came in on. Six digits are good on these alone: elsewhere there is time to try them all.

use super::DeviceToken;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::UserId;
use crate::on;
use crate::time::At;

pub async fn bind(tx: &mut Tx, now: At, device: &DeviceToken, user: &UserId) -> Result<()> {
    let sql = "insert into devices (token_hash, user_id, bound_at) values ($1, $2, $3)
               on conflict (token_hash, user_id) do update set bound_at = excluded.bound_at";
    Ok(on!(tx, c => sqlx::query(sql).bind(device.hash()).bind(user).bind(now).execute(c).await.map(drop))?)
}

pub async fn knows(tx: &mut Tx, device: &DeviceToken, user: &UserId) -> Result<bool> {
    let sql = "select count(*) from devices where token_hash = $1 and user_id = $2";
    let bound: i64 = on!(tx, c => sqlx::query_scalar(sql).bind(device.hash()).bind(user).fetch_one(c).await)?;
    Ok(bound > 0)
}

/// Somebody who signs in on this phone by pressing six digits.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[schema(as = KnownPerson)]
pub struct Known {
    pub id: UserId,
    pub name: String,
}

/// Who has come in on this phone, whoever came last first.
pub async fn people(tx: &mut Tx, device: &DeviceToken) -> Result<Vec<Known>> {
    let sql = "select u.id, u.display_name as name from devices d join users u on u.id = d.user_id
               where d.token_hash = $1 and u.secret = 'pin' and u.state = 'active' order by d.bound_at desc, u.id";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(device.hash()).fetch_all(c).await)?)
}

/// This phone knows her no more.
pub async fn forget(tx: &mut Tx, device: &DeviceToken, user: &UserId) -> Result<()> {
    let sql = "delete from devices where token_hash = $1 and user_id = $2";
    Ok(on!(tx, c => sqlx::query(sql).bind(device.hash()).bind(user).execute(c).await.map(drop))?)
}

pub async fn forget_all(tx: &mut Tx, user: &UserId) -> Result<()> {
    Ok(on!(tx, c => sqlx::query("delete from devices where user_id = $1").bind(user).execute(c).await.map(drop))?)
}
