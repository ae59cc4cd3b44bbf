//! Partial uploads and the final ones that join them. A partial one that some final one still needs is never let go of;
//! afterwards it is, in the transaction that ends the final one.

use std::collections::{BTreeMap, BTreeSet};

use super::sql::{Ending, close};
use super::{EXPIRES_AFTER, State, Upload};
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Result};
use crate::ids::{UploadId, UserId};
use crate::on;
use crate::time::At;
use crate::upkeep::clock;

/// The partial uploads that somebody wants to join, in her order: her own, and complete. They are this transaction's
/// until it ends, and their time begins anew.
pub async fn partials(tx: &mut Tx, now: At, owner: &UserId, ids: &[UploadId]) -> Result<Vec<Upload>> {
    let mut found = BTreeMap::new();
    let over_by = clock::over_by(tx, now).await?;
    // In the order of the ids, whatever hers is: two that lock the same ones do not wait in a circle.
    for id in ids.iter().collect::<BTreeSet<_>>() {
        let partial: Upload = on!(tx, c => sqlx::query_as(
                "update uploads set expires_at = $4 where id = $1 and owner_id = $2 and kind = 'partial'
                 and state in ('open', 'completing', 'complete') and expires_at > $3 returning *")
            .bind(id).bind(owner).bind(over_by).bind(now + EXPIRES_AFTER).fetch_optional(c).await)
        .or_not_found()?;
        if partial.state != State::Complete {
            let (message, next_step) = ("要拼的几段还没有都传完。", "等每一段都传完，会再拼一次。");
            return Err(Error::conflict("upload_parts_missing", message, next_step));
        }
        found.insert(id, partial);
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

pub(super) async fn name_sources(tx: &mut Tx, joined: &UploadId, of: &[UploadId]) -> Result<()> {
    for (partial, n) in of.iter().zip(1_i64..) {
        on!(tx, c => sqlx::query("insert into upload_sources (final_id, n, partial_id) values ($1, $2, $3)")
            .bind(joined).bind(n).bind(partial).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// What a final upload is joined from, in order.
pub async fn sources(tx: &mut Tx, joined: &UploadId) -> Result<Vec<Upload>> {
    Ok(on!(tx, c => sqlx::query_as(
            "select p.* from upload_sources s join uploads p on p.id = s.partial_id where s.final_id = $1 order by s.n")
        .bind(joined).fetch_all(c).await)?)
}

/// Its owner may end a partial upload unless it is just being joined. Locks the row.
pub(super) async fn not_in_use(tx: &mut Tx, partial: &UploadId) -> Result<()> {
    let sql = tx.locking("select id from uploads where id = $1");
    on!(tx, c => sqlx::query(sql).bind(partial).execute(c).await.map(drop))?;
    let users: i64 = on!(tx, c => sqlx::query_scalar(
            "select count(*) from upload_sources s join uploads f on f.id = s.final_id
             where s.partial_id = $1 and f.state in ('open', 'completing')")
        .bind(partial).fetch_one(c).await)?;
    if users > 0 {
        let (message, next_step) = ("这一段正在拼进片子里。", "等片子拼好了，它会自己收走。");
        return Err(Error::conflict("upload_in_use", message, next_step));
    }
    Ok(())
}

/// A final upload has ended: lets go of the partial ones that no other still needs.
pub(super) async fn release(tx: &mut Tx, now: At, joined: &UploadId) -> Result<()> {
    let free: Vec<UploadId> = on!(tx, c => sqlx::query_scalar(
            "select distinct s.partial_id from upload_sources s where s.final_id = $1 and not exists (
                 select 1 from upload_sources o join uploads f on f.id = o.final_id
                 where o.partial_id = s.partial_id and f.id <> $1 and f.state in ('open', 'completing'))
             order by s.partial_id")
        .bind(joined).fetch_all(c).await)?;
    for id in free {
        close(tx, now, &id, Ending::Terminated).await?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "concat_tests.rs"]
mod tests;
