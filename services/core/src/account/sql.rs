//! Verbs on people and roles.

use super::{Keys, Phone, Secret, device};
use crate::access::Principal;
use crate::db::{Tx, is_duplicate};
use crate::error::{Error, OrNotFound as _, Refusal, Result};
use crate::ids::{CohortId, GrantId, UserId};
use crate::on;
use crate::text::one_line;
use crate::time::At;

pub struct NewUser<'a> {
    pub name: &'a str,
    pub phone: &'a Phone,
    pub region_code: &'a str,
    pub password_hash: &'a str,
}

pub async fn create(tx: &mut Tx, keys: &Keys, now: At, new: NewUser<'_>) -> Result<UserId> {
    let name = one_line(new.name);
    if name.is_empty() || name.chars().count() > 30 {
        return Err(Refusal::new("name_invalid", "名字没写对。", "写一个 1 到 30 个字的名字。").into());
    }
    let path: String = on!(&mut *tx, c => sqlx::query_scalar("select path from regions where code = $1")
        .bind(new.region_code).fetch_optional(c).await)?
    .ok_or_else(|| Refusal::new("region_unknown", "没找到这个地方。", "从列表里选一个村或社区。"))?;
    let id = UserId::new();
    let encrypted = keys.encrypt_phone(new.phone)?;
    on!(&mut *tx, c => sqlx::query(
        "insert into users (id, display_name, phone_hash, phone_enc, phone_masked, password_hash, region_code, region_path, state, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'active', $9)")
        .bind(&id).bind(&name).bind(keys.phone_hash(new.phone)).bind(&encrypted).bind(new.phone.masked())
        .bind(new.password_hash).bind(new.region_code).bind(&path).bind(now)
        .execute(c).await.map(drop))
        .map_err(|e| match is_duplicate(&e) {
            true => Error::conflict("phone_taken", "这个手机号已经有人用了。", "换一个号，或者让她直接用原来的密码登录。"),
            false => e.into(),
        })?;
    Ok(id)
}

pub async fn find_by_phone(tx: &mut Tx, keys: &Keys, phone: &Phone) -> Result<Option<UserId>> {
    Ok(on!(&mut *tx, c => sqlx::query_scalar("select id from users where phone_hash = $1")
        .bind(keys.phone_hash(phone)).fetch_optional(c).await)?)
}

/// `138****5678`
pub async fn phone_masked(tx: &mut Tx, user: &UserId) -> Result<String> {
    on!(tx, c => sqlx::query_scalar("select phone_masked from users where id = $1").bind(user).fetch_optional(c).await)
        .or_not_found()
}

/// Whether whoever has this phone has a password: nobody may have it, and who came back from the bucket alone has none.
pub async fn has_password(tx: &mut Tx, keys: &Keys, phone: &Phone) -> Result<bool> {
    let known: i64 = on!(&mut *tx, c => sqlx::query_scalar(
            "select count(*) from users where phone_hash = $1 and password_hash <> ''")
        .bind(keys.phone_hash(phone)).fetch_one(c).await)?;
    Ok(known > 0)
}

/// Gives somebody a new password, to be handed to her. Where she was signed in before, she is no longer; guesses at the old
/// one are forgotten with it.
pub async fn set_password(tx: &mut Tx, user: &UserId, password_hash: &str, kind: Secret) -> Result<()> {
    on!(&mut *tx, c => sqlx::query("update users set password_hash = $1, secret = $3 where id = $2")
        .bind(password_hash).bind(user).bind(kind).execute(c).await.map(drop))?;
    let sql = "delete from sign_in_failures where phone_hash = (select phone_hash from users where id = $1)";
    on!(&mut *tx, c => sqlx::query(sql).bind(user).execute(c).await.map(drop))?;
    on!(&mut *tx, c => sqlx::query("delete from sessions where user_id = $1").bind(user).execute(c).await.map(drop))?;
    // A card that was lost with the old one leads nowhere.
    on!(&mut *tx, c => sqlx::query("update memberships set card_token = null where user_id = $1").bind(user).execute(c).await.map(drop))?;
    device::forget_all(tx, user).await
}

/// Six digits of her own in place of what was handed out, if that is still what it was when it was looked at.
pub async fn choose_pin(tx: &mut Tx, user: &UserId, seen_hash: &str, pin_hash: &str) -> Result<()> {
    let sql = "update users set password_hash = $3, secret = 'pin' where id = $1 and password_hash = $2 and secret in ('issued', 'reset')";
    let rows = on!(&mut *tx, c => sqlx::query(sql).bind(user).bind(seen_hash).bind(pin_hash).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 0 {
        return Err(Error::conflict(
            "claimed_already",
            "这个号码刚刚定过六个数字了。",
            "是你定的，就按那六个；不是你，马上叫老师。",
        ));
    }
    on!(&mut *tx, c => sqlx::query("delete from sessions where user_id = $1").bind(user).execute(c).await.map(drop))?;
    Ok(())
}

/// Makes somebody staff of a region and all below it.
pub async fn grant_staff(tx: &mut Tx, now: At, user: &UserId, region_code: &str, by: Option<&UserId>) -> Result<()> {
    let path: String = on!(&mut *tx, c => sqlx::query_scalar("select path from regions where code = $1")
        .bind(region_code).fetch_optional(c).await)
    .or_not_found()?;
    insert_grant(tx, now, user, "staff", Some(&path), by).await
}

/// Makes somebody an administrator of this installation: jobs, storage and configuration, and no one's clips.
pub async fn grant_admin(tx: &mut Tx, now: At, user: &UserId, by: Option<&UserId>) -> Result<()> {
    insert_grant(tx, now, user, "admin", None, by).await
}

async fn insert_grant(
    tx: &mut Tx,
    now: At,
    user: &UserId,
    role: &str,
    path: Option<&str>,
    by: Option<&UserId>,
) -> Result<()> {
    on!(&mut *tx, c => sqlx::query(
        "insert into role_grants (id, user_id, role, region_path, granted_by, valid_from) values ($1, $2, $3, $4, $5, $6)")
        .bind(GrantId::new()).bind(user).bind(role).bind(path).bind(by).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

/// What the database says of her now. A suspended person is nobody.
pub async fn principal(tx: &mut Tx, now: At, user: &UserId) -> Result<Principal> {
    let (name, phone_masked, home_region, home_path): (String, String, String, String) =
        on!(&mut *tx, c => sqlx::query_as(
        "select display_name, phone_masked, region_code, region_path from users where id = $1 and state = 'active'")
        .bind(user).fetch_optional(c).await)
        .or_not_found()?;
    let grants: Vec<(String, Option<String>)> = on!(&mut *tx, c => sqlx::query_as(
        "select role, region_path from role_grants where user_id = $1 and valid_from <= $2 and (valid_to is null or valid_to > $2) order by id")
        .bind(user).bind(now).fetch_all(c).await)?;
    let memberships: Vec<(CohortId, String)> = on!(&mut *tx, c => sqlx::query_as(
        "select cohort_id, part from memberships where user_id = $1 and state in ('active', 'graduated') order by cohort_id")
        .bind(user).fetch_all(c).await)?;
    let cohorts = |part: &str| memberships.iter().filter(|m| m.1 == part).map(|m| m.0.clone()).collect();
    Ok(Principal {
        user: user.clone(),
        name,
        phone_masked,
        home_region,
        home_path,
        admin: grants.iter().any(|g| g.0 == "admin"),
        teaches: cohorts("mentor"),
        studies: cohorts("trainee"),
        staff_paths: grants.into_iter().filter(|g| g.0 == "staff").filter_map(|g| g.1).collect(),
    })
}
