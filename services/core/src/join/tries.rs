//! Bounds on guessing codes and numbers. Only wrong tries stay counted: a hall of two hundred shares one address.

use crate::db::{Db, Tx};
use crate::error::{Refusal, Result};
use crate::on;
use crate::time::{At, Millis};

pub const WITHIN: Millis = Millis::minutes(10);
pub const WRONG_BY_PHONE: i64 = 5;
pub const WRONG_BY_ADDRESS: i64 = 300;

/// Whose tries are counted together, and how many may be wrong.
#[derive(Debug, Clone)]
pub struct Subject {
    name: String,
    most: i64,
}

impl Subject {
    /// A phone, by the hash of its token.
    pub fn phone(token_hash: &str) -> Subject {
        Subject { name: format!("phone:{token_hash}"), most: WRONG_BY_PHONE }
    }
    pub fn address(address: &str) -> Subject {
        Subject { name: format!("address:{address}"), most: WRONG_BY_ADDRESS }
    }
}

/// Counts a try before it is looked at, so that tries sent together cannot slip past the limit. Where it is one too many,
/// nothing of its transaction may be kept. See [`forgive`].
pub async fn count(tx: &mut Tx, now: At, subjects: &[Subject]) -> Result<()> {
    let mut too_many = false;
    for Subject { name, most } in subjects {
        let sql = "insert into join_tries (subject, began_at, wrong) values ($1, $2, 1)
                   on conflict (subject) do update set
                     wrong = case when join_tries.began_at <= $3 then 1 else join_tries.wrong + 1 end,
                     began_at = case when join_tries.began_at <= $3 then $2 else join_tries.began_at end
                   returning wrong";
        let wrong: i64 =
            on!(&mut *tx, c => sqlx::query_scalar(sql).bind(name).bind(now).bind(now - WITHIN).fetch_one(c).await)?;
        too_many |= wrong > *most;
    }
    if too_many {
        // Nothing of it is kept: who goes on trying is not held up for longer.
        return Err(Refusal::new("join_rest", "试的次数太多了。", "歇十分钟再试，或者请老师过来帮你。").into());
    }
    Ok(())
}

/// That try was right.
pub async fn forgive(tx: &mut Tx, subjects: &[Subject]) -> Result<()> {
    for Subject { name, .. } in subjects {
        on!(&mut *tx, c => sqlx::query("update join_tries set wrong = wrong - 1 where subject = $1 and wrong > 0")
            .bind(name).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// Lets go of what no longer counts: old tries, and those who asked a month ago.
pub async fn sweep(db: &Db, now: At) -> Result<()> {
    let mut tx = db.write().await?;
    on!(&mut tx, c => sqlx::query("delete from join_tries where began_at <= $1").bind(now - WITHIN).execute(c).await.map(drop))?;
    on!(&mut tx, c => sqlx::query("delete from join_requests where asked_at <= $1").bind(now - Millis::days(30)).execute(c).await.map(drop))?;
    tx.commit().await?;
    Ok(())
}
