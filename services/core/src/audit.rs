//! The audit log: append-only, each event chained to the one before by its hash.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::db::Tx;
use crate::error::Result;
use crate::ids::UserId;
use crate::on;
use crate::time::At;

/// Appends an event in the caller's transaction: what happened and its record are committed together.
pub async fn append(
    tx: &mut Tx,
    now: At,
    actor: Option<&UserId>,
    action: &str,
    subject: &str,
    detail: &Value,
) -> Result<()> {
    // Updating the head first makes appenders queue on its row, so the chain never forks.
    let (seq, prev_hash): (i64, String) = on!(&mut *tx, c => sqlx::query_as(
        "update audit_head set seq = seq + 1 where id = 1 returning seq, hash").fetch_one(c).await)?;
    let detail = detail.to_string();
    let hash = link(&prev_hash, seq, now, actor, action, subject, &detail);
    on!(&mut *tx, c => sqlx::query(
        "insert into audit_events (seq, at, actor_id, action, subject, detail, prev_hash, hash) values ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(seq).bind(now).bind(actor).bind(action).bind(subject).bind(&detail).bind(&prev_hash).bind(&hash)
        .execute(c).await.map(drop))?;
    on!(&mut *tx, c => sqlx::query("update audit_head set hash = $1 where id = 1").bind(&hash).execute(c).await.map(drop))?;
    Ok(())
}

fn link(prev: &str, seq: i64, at: At, actor: Option<&UserId>, action: &str, subject: &str, detail: &str) -> String {
    // JSON text keeps the fields apart, so no two events can read as one.
    let event = serde_json::json!([prev, seq, at, actor, action, subject, detail]);
    hex::encode(Sha256::digest(event.to_string()))
}

#[derive(sqlx::FromRow)]
struct Event {
    seq: i64,
    at: At,
    actor_id: Option<UserId>,
    action: String,
    subject: String,
    detail: String,
    prev_hash: String,
    hash: String,
}

/// The first event that does not follow from the one before it, or `None` when the chain is whole.
pub async fn first_broken(tx: &mut Tx) -> Result<Option<i64>> {
    let events: Vec<Event> =
        on!(&mut *tx, c => sqlx::query_as("select * from audit_events order by seq").fetch_all(c).await)?;
    let mut prev = String::new();
    for (e, seq) in events.iter().zip(1..) {
        let expected = link(&prev, e.seq, e.at, e.actor_id.as_ref(), &e.action, &e.subject, &e.detail);
        if e.seq != seq || e.prev_hash != prev || e.hash != expected {
            return Ok(Some(e.seq));
        }
        prev.clone_from(&e.hash);
    }
    let (seq, hash): (i64, String) =
        on!(&mut *tx, c => sqlx::query_as("select seq, hash from audit_head").fetch_one(c).await)?;
    Ok((seq != events.len() as i64 || hash != prev).then_some(events.len() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use serde_json::json;

    both_databases! {
        a_changed_event_breaks_the_chain(db) {
            let mut tx = db.write().await.unwrap();
            for n in 0..3 {
                append(&mut tx, At(n), None, "clip.open", "clip_x", &json!({"n": n})).await.unwrap();
            }
            assert_eq!(first_broken(&mut tx).await.unwrap(), None);
            on!(&mut tx, c => sqlx::query("update audit_events set detail = '{}' where seq = 2").execute(c).await.map(drop)).unwrap();
            assert_eq!(first_broken(&mut tx).await.unwrap(), Some(2));
        }

        a_dropped_tail_is_seen(db) {
            let mut tx = db.write().await.unwrap();
            for n in 0..2 {
                append(&mut tx, At(n), None, "a", "b", &json!({})).await.unwrap();
            }
            on!(&mut tx, c => sqlx::query("delete from audit_events where seq = 2").execute(c).await.map(drop)).unwrap();
            assert!(first_broken(&mut tx).await.unwrap().is_some());
        }
    }
}
