//! What this installation is: a few named facts, written once.

use crate::db::{Db, Tx};
use crate::error::Result;
use crate::on;
use crate::time::{At, Millis};

/// Objects that the last sweep found and the database does not know.
pub const UNKNOWN: &str = "unknown_objects";
/// Objects that the last sweep left alone because they were too many.
pub const HELD_BACK: &str = "objects_held_back";

/// What the clock said the last time: see `upkeep::clock`.
pub const CLOCK: &str = "clock";

/// Writes the fact unless one of that name is there, and answers the one that holds.
pub async fn remember(db: &Db, name: &str, value: &str) -> Result<String> {
    let mut tx = db.write().await?;
    on!(&mut tx, c => sqlx::query("insert into installation (name, value) values ($1, $2) on conflict (name) do nothing")
        .bind(name).bind(value).execute(c).await.map(drop))?;
    let held = on!(&mut tx, c => sqlx::query_scalar("select value from installation where name = $1").bind(name).fetch_one(c).await)?;
    tx.commit().await?;
    Ok(held)
}

pub async fn get(tx: &mut Tx, name: &str) -> Result<Option<String>> {
    Ok(
        on!(&mut *tx, c => sqlx::query_scalar("select value from installation where name = $1").bind(name).fetch_optional(c).await)?,
    )
}

pub async fn set(tx: &mut Tx, name: &str, value: &str) -> Result<()> {
    on!(&mut *tx, c => sqlx::query(
        "insert into installation (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value")
        .bind(name).bind(value).execute(c).await.map(drop))?;
    Ok(())
}

/// Takes a task that one machine is to do `every` so often. `true`: it is the caller's now. One that was taken far in the
/// future was taken by a clock that was wrong.
pub async fn claim(tx: &mut Tx, name: &str, now: At, every: Millis) -> Result<bool> {
    let rows = on!(&mut *tx, c => sqlx::query(
            "insert into installation (name, value) values ($1, cast($2 as text))
             on conflict (name) do update set value = excluded.value
                 where cast(installation.value as bigint) <= $3 or cast(installation.value as bigint) > $4")
        .bind(name).bind(now).bind(now - every).bind(now + every).execute(c).await.map(|r| r.rows_affected()))?;
    Ok(rows == 1)
}

/// Whether there is anything in the store that this database speaks of.
pub async fn has_objects(tx: &mut Tx) -> Result<bool> {
    let objects: i64 = on!(&mut *tx, c => sqlx::query_scalar(
            "select count(*) from (select id from uploads where key is not null limit 1) as kept")
        .fetch_one(c).await)?;
    Ok(objects > 0)
}

/// Whether anybody was ever let in.
pub async fn has_people(tx: &mut Tx) -> Result<bool> {
    let people: i64 = on!(&mut *tx, c => sqlx::query_scalar("select count(*) from users").fetch_one(c).await)?;
    Ok(people > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;

    both_databases! {
        the_first_value_is_remembered(db) {
            assert_eq!(remember(&db, "secret", "a").await.unwrap(), "a");
            assert_eq!(remember(&db, "secret", "b").await.unwrap(), "a");
            let mut tx = db.write().await.unwrap();
            set(&mut tx, "demo", "people").await.unwrap();
            set(&mut tx, "demo", "done").await.unwrap();
            assert_eq!(get(&mut tx, "demo").await.unwrap().as_deref(), Some("done"));
            assert_eq!(get(&mut tx, "nothing").await.unwrap(), None);
            for (now, ours) in [(100, true), (100, false), (109, false), (110, true), (119, false), (99, true)] {
                assert_eq!(claim(&mut tx, "tidied_at", At(now), Millis(10)).await.unwrap(), ours, "{now}");
            }
            assert!(!has_people(&mut tx).await.unwrap() && !has_objects(&mut tx).await.unwrap());
        }
    }
}
