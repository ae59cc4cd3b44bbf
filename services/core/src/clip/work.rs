//! What the media of a version waits for, for the person who waits.

use crate::db::Tx;
use crate::error::Result;
use crate::ids::VersionId;
use crate::job::JobKind;
use crate::on;
use crate::time::At;

/// Nobody counts further than that, neither she nor the database.
pub const MANY: i64 = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// It stands in the line, behind so many others ([`MANY`]: or more).
    Queued { ahead: i64 },
    /// A worker is at it, and says how far: `40%`.
    Begun { progress: Option<String> },
    /// It was cut off, and is tried again then.
    Again { at: At },
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    state: String,
    priority: i64,
    turn: i64,
    /// How often somebody has begun since it was last asked for.
    tries: i64,
    run_at: At,
    progress: Option<String>,
}

/// `playable`: what is still to be done makes it only nicer. None: nobody is going to do anything.
pub async fn of(tx: &mut Tx, version: &VersionId, playable: bool) -> Result<Option<Work>> {
    let row: Option<Row> = on!(&mut *tx, c => sqlx::query_as(
            "select id, state, priority, turn, attempt - anew_after as tries, run_at, progress from jobs
             where subject = $1 and state in ('ready', 'leased') and (priority > $2) = $3
             order by priority limit 1")
        .bind(version).bind(JobKind::Prepare.priority()).bind(playable).fetch_optional(c).await)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(match (row.state.as_str(), row.tries) {
        ("leased", _) => Work::Begun { progress: row.progress },
        (_, 0) => Work::Queued { ahead: ahead_of(tx, &row, playable).await? },
        _ => Work::Again { at: row.run_at },
    }))
}

/// In the order in which they are claimed, each lane for itself.
async fn ahead_of(tx: &mut Tx, row: &Row, playable: bool) -> Result<i64> {
    Ok(on!(tx, c => sqlx::query_scalar(
            "select count(*) from (select id from jobs where state = 'ready' and (priority, turn, id) < ($1, $2, $3)
                                     and (priority > $5) = $6 limit $4) as before")
        .bind(row.priority).bind(row.turn).bind(&row.id).bind(MANY).bind(JobKind::Prepare.priority()).bind(playable)
        .fetch_one(c).await)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::job;
    use crate::review::testing::{self, Classroom};
    use crate::time::Millis;

    both_databases! {
        who_waits_is_told_what_for(db) {
            let room = Classroom::open(&db).await;
            let mut tx = db.write().await.unwrap();
            let mut versions = Vec::new();
            for _ in 0..3 {
                let (_, version) = testing::clip(&mut tx, &room.trainee, None, None).await;
                job::enqueue(&mut tx, At(1), JobKind::Prepare, version.as_str(), &room.trainee).await.unwrap();
                versions.push(version);
            }
            let [first, _, last] = &versions[..] else { panic!() };
            let queued = |ahead| Some(Work::Queued { ahead });
            assert_eq!(of(&mut tx, first, false).await.unwrap(), queued(0));
            assert_eq!(of(&mut tx, last, false).await.unwrap(), queued(2));
            assert_eq!(of(&mut tx, last, true).await.unwrap(), None, "nothing makes it nicer yet");
            let lease = job::testing::claim(&mut tx, "w", Millis::seconds(20)).await.unwrap().unwrap();
            assert_eq!(of(&mut tx, first, false).await.unwrap(), Some(Work::Begun { progress: None }));
            assert_eq!(of(&mut tx, last, false).await.unwrap(), queued(1));
            job::progress(&mut tx, &lease, At(2), "40%").await.unwrap();
            assert_eq!(of(&mut tx, first, false).await.unwrap(), Some(Work::Begun { progress: Some("40%".into()) }));
            on!(&mut tx, c => sqlx::query("update jobs set state = 'ready', token = null, run_at = 77 where id = $1")
                .bind(&lease.job).execute(c).await.map(drop)).unwrap();
            assert_eq!(of(&mut tx, first, false).await.unwrap(), Some(Work::Again { at: At(77) }));
            tx.commit().await.unwrap();
        }
    }
}
