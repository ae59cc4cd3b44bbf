//! A code in person for a trainee who lost her digits, or whose place somebody else took.

use super::{Cohort, rules};
use crate::access::{Permission, Principal, Resource, can};
use crate::account::{self, Secret};
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::UserId;
use crate::time::At;
use crate::{audit, on};

/// Gives a trainee of this class a code that is read out to her, in place of all she had; wherever she was signed in, she is no longer. Only for
/// those who live where `by` is staff, and who are trainees and nothing more: nobody comes by a mentor's or a desk's place
/// like this.
pub async fn reset_password(
    tx: &mut Tx,
    now: At,
    by: &Principal,
    cohort: &Cohort,
    user: &UserId,
    code_hash: &str,
) -> Result<()> {
    let sql = tx.locking(
        "select region_path from users where id = $1 and exists (select 1 from memberships m
         where m.user_id = users.id and m.cohort_id = $2 and m.part = 'trainee' and m.state <> 'withdrawn')",
    );
    let home: String = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(user).bind(&cohort.id).fetch_optional(c).await)
        .or_not_found()?;
    let hers = Resource { owner: None, cohort: None, region_path: Some(&home) };
    if !rules::manages(by, cohort) || !can(by, Permission::CohortManage, &hers) {
        return Err(Error::NotFound);
    }
    let sql = "select (select count(*) from role_grants where user_id = $1 and (valid_to is null or valid_to > $2))
                    + (select count(*) from memberships where user_id = $1 and part = 'mentor' and state <> 'withdrawn')";
    let more: i64 = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(user).bind(now).fetch_one(c).await)?;
    if more > 0 {
        let next = "请她找给她开账号的人重设。";
        return Err(Refusal::new("not_only_trainee", "她还带着别的班，或者在管理这里，不能在班里重设。", next).into());
    }
    account::set_password(tx, user, code_hash, Secret::Reset).await?;
    on!(&mut *tx, c => sqlx::query("update memberships set arrived_at = null where cohort_id = $1 and user_id = $2")
        .bind(&cohort.id).bind(user).execute(c).await.map(drop))?;
    let detail = serde_json::json!({"user": user});
    audit::append(tx, now, Some(&by.user), "cohort.password_reset", cohort.id.as_str(), &detail).await
}
