//! Objects that no row needs any more. They are noted in the transaction that lets go of them, and deleted from the store
//! some time after it, by whoever sweeps.

use crate::db::Tx;
use crate::error::Result;
use crate::on;
use crate::time::{At, Millis};

/// How long something stays after it was let go of: a reader may be in the middle of it.
pub const GRACE: Millis = Millis::minutes(10);

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Trash {
    /// An object, or all objects under a prefix where it ends in a slash.
    pub key: String,
    /// Not empty: this multipart upload of the key, and no object.
    pub s3_upload_id: String,
    pub since: At,
}

/// Lets go of an object, of all under a prefix, or of a multipart upload.
pub async fn put(tx: &mut Tx, now: At, key: &str, s3_upload_id: Option<&str>) -> Result<()> {
    on!(tx, c => sqlx::query(
            "insert into object_trash (key, s3_upload_id, since) values ($1, $2, $3)
             on conflict (key, s3_upload_id) do update set since = excluded.since")
        .bind(key).bind(s3_upload_id.unwrap_or_default()).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

/// What has been there since `before` or longer.
pub async fn due(tx: &mut Tx, before: At, limit: i64) -> Result<Vec<Trash>> {
    Ok(
        on!(tx, c => sqlx::query_as("select key, s3_upload_id, since from object_trash where since <= $1 order by since limit $2")
        .bind(before).bind(limit).fetch_all(c).await)?,
    )
}

/// It could not be deleted. It goes to the end of the line, so that what always fails does not keep the rest waiting.
/// What was let go of again meanwhile has a place of its own.
pub async fn put_off(tx: &mut Tx, since: At, trash: &Trash) -> Result<()> {
    on!(tx, c => sqlx::query("update object_trash set since = $3 where key = $1 and s3_upload_id = $2 and since = $4")
        .bind(&trash.key).bind(&trash.s3_upload_id).bind(since).bind(trash.since).execute(c).await.map(drop))?;
    Ok(())
}

/// It is deleted from the store. What was let go of again meanwhile stays: a put may have landed behind this.
pub async fn emptied(tx: &mut Tx, trash: &Trash) -> Result<()> {
    on!(tx, c => sqlx::query("delete from object_trash where key = $1 and s3_upload_id = $2 and since = $3")
        .bind(&trash.key).bind(&trash.s3_upload_id).bind(trash.since).execute(c).await.map(drop))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;

    both_databases! {
        trash_is_due_after_a_while_and_gone_when_emptied(db) {
            let mut tx = db.write().await.unwrap();
            put(&mut tx, At(5), "originals/a/1", Some("m1")).await.unwrap();
            put(&mut tx, At(5), "originals/a/1", Some("m1")).await.unwrap();
            put(&mut tx, At(6), "originals/a/1", None).await.unwrap();
            let found = due(&mut tx, At(5), 10).await.unwrap();
            assert_eq!(found, [Trash { key: "originals/a/1".into(), s3_upload_id: "m1".into(), since: At(5) }]);
            assert_eq!(due(&mut tx, At(6), 10).await.unwrap().len(), 2);
            put_off(&mut tx, At(7), &found[0]).await.unwrap();
            assert_eq!(due(&mut tx, At(6), 10).await.unwrap().len(), 1, "what fails lets the others go first");
            let last = due(&mut tx, At(7), 10).await.unwrap().pop().unwrap();
            assert_eq!(last, Trash { since: At(7), ..found[0].clone() });
            put(&mut tx, At(9), "originals/a/1", Some("m1")).await.unwrap();
            emptied(&mut tx, &last).await.unwrap();
            put_off(&mut tx, At(8), &last).await.unwrap();
            assert_eq!(due(&mut tx, At(8), 10).await.unwrap().len(), 1, "let go of again, it waits again");
            let last = due(&mut tx, At(9), 10).await.unwrap().pop().unwrap();
            emptied(&mut tx, &last).await.unwrap();
            assert_eq!(due(&mut tx, At(9), 10).await.unwrap().len(), 1);
        }
    }
}
