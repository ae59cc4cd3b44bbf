//! What is there already need not be sent again: a person's own complete originals, found by their bytes. Nobody else's
//! are looked at, so that an answer tells nothing about other people's films.

use super::Upload;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::UserId;
use crate::on;

/// Complete, still kept, and not taken back: `original` has to look at the bytes themselves.
macro_rules! kept {
    ($select:literal, $and:literal) => {
        concat!(
            "select ",
            $select,
            " from uploads u join clip_versions v on v.id = u.version_id join clips c on c.id = v.clip_id
             where u.owner_id = $1 and u.length = $2 and u.state = 'complete' and v.original_key = u.key
             and v.original_gone is null and v.state in ('received', 'processing', 'ready') and c.state <> 'withdrawn'",
            $and
        )
    };
}

/// Whether one of hers is as long: only then are bytes worth hashing on a phone.
pub async fn has_length(tx: &mut Tx, owner: &UserId, bytes: i64) -> Result<bool> {
    let n: i64 = on!(tx, c => sqlx::query_scalar(kept!("count(*)", ""))
        .bind(owner).bind(bytes).fetch_one(c).await)?;
    Ok(n > 0)
}

/// Her newest original with these bytes.
pub async fn original(tx: &mut Tx, owner: &UserId, bytes: i64, root_sha256: &str) -> Result<Option<Upload>> {
    Ok(
        on!(tx, c => sqlx::query_as(kept!("u.*", " and u.root_sha256 = $3 order by u.updated_at desc, u.id desc limit 1"))
        .bind(owner).bind(bytes).bind(root_sha256).fetch_optional(c).await)?,
    )
}

#[cfg(test)]
#[path = "reuse_tests.rs"]
mod tests;
