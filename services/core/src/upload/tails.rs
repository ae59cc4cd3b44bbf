//! The pieces of the part that is still growing.

use super::{TailPiece, Upload, sql};
use crate::db::Tx;
use crate::error::Result;
use crate::ids::UploadId;
use crate::on;
use crate::storage::trash;
use crate::time::At;

/// Keeps the pieces of this part that begin before `until`, and lets go of all others.
pub(super) async fn keep(tx: &mut Tx, now: At, id: &UploadId, part_no: i64, until: i64) -> Result<()> {
    let keys: Vec<String> = on!(tx, c => sqlx::query_scalar(
            "delete from upload_tails where upload_id = $1 and (part_no <> $2 or start >= $3) returning key")
        .bind(id).bind(part_no).bind(until).fetch_all(c).await)?;
    for key in keys {
        trash::put(tx, now, &key, None).await?;
    }
    Ok(())
}

/// One piece in place of those that it is joined from: it is as durable as they were, and they are let go of.
pub async fn join(tx: &mut Tx, now: At, upload: &Upload, piece: &TailPiece) -> Result<()> {
    sql::hold(tx, now, &upload.id, upload.epoch).await?;
    let keys: Vec<String> = on!(tx, c => sqlx::query_scalar(
            "delete from upload_tails where upload_id = $1 and part_no = $2 and start >= $3 and start < $4 returning key")
        .bind(&upload.id).bind(piece.part_no).bind(piece.start).bind(piece.start + piece.len).fetch_all(c).await)?;
    for key in keys {
        trash::put(tx, now, &key, None).await?;
    }
    sql::add_tail(tx, now, upload, piece).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::clip::testing::person;
    use crate::error::Error;
    use crate::upload::sql::{NewUpload, Purpose, add_tail, create, durable, take_over};

    fn piece(start: i64, len: i64) -> TailPiece {
        TailPiece { part_no: 1, start, len, key: format!("tails/{start}+{len}"), sha256: String::new() }
    }

    both_databases! {
        a_joined_piece_takes_the_place_of_those_it_is_made_of(db) {
            let now = At(1_000_000);
            let mut tx = db.write().await.unwrap();
            let owner = person(&mut tx).await;
            let (purpose, metadata) = (Purpose::Partial, "");
            let (owner, length) = (&owner.user, Some(100));
            let new = NewUpload { owner, purpose, length, most: 100, metadata, idempotency_key: None };
            let made = create(&mut tx, now, new).await.unwrap();
            let (old, _) = take_over(&mut tx, now, &made.id).await.unwrap();
            for start in [0, 10, 20] {
                add_tail(&mut tx, now, &old, &piece(start, 10)).await.unwrap();
            }
            let (new, _) = take_over(&mut tx, now, &made.id).await.unwrap();
            tx.commit().await.unwrap();

            let mut tx = db.write().await.unwrap();
            let late = join(&mut tx, now, &old, &piece(10, 20)).await;
            assert!(matches!(late, Err(Error::Conflict(_))), "a newer writer is there");
            drop(tx);
            let mut tx = db.write().await.unwrap();
            join(&mut tx, now, &new, &piece(10, 20)).await.unwrap();
            let there = durable(&mut tx, &new).await.unwrap();
            assert_eq!((there.offset, there.tail), (30, vec![piece(0, 10), piece(10, 20)]));
            let due = trash::due(&mut tx, now, 10).await.unwrap();
            let mut keys: Vec<_> = due.into_iter().map(|trash| trash.key).collect();
            keys.sort();
            assert_eq!(keys, ["tails/10+10", "tails/20+10"]);
        }
    }
}
