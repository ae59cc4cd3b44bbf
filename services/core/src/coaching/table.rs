//! The table of a region: what is published, with what staff have changed. The nearest region that has changed a rule
//! decides about it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rules::{Condition, Rules};
use crate::audit;
use crate::content;
use crate::db::Tx;
use crate::error::{Error, Refusal, Result};
use crate::ids::{ClipId, UserId};
use crate::on;
use crate::time::At;

/// A rule with other numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub muted: bool,
    pub seconds: i64,
    pub when: Vec<Condition>,
}

/// Nobody waits longer for a hint, and no run is shorter.
const SECONDS: std::ops::RangeInclusive<i64> = 1..=60;

/// The table that the clips of a region go by.
pub async fn of_region(tx: &mut Tx, region_path: &str) -> Result<Rules> {
    changed_down_to(tx, region_path, true).await
}

/// The table that a region goes by where it has changed nothing itself.
pub async fn above(tx: &mut Tx, region_path: &str) -> Result<Rules> {
    changed_down_to(tx, region_path, false).await
}

/// The rules that a region has set itself.
pub async fn own(tx: &mut Tx, region_path: &str) -> Result<Vec<String>> {
    Ok(on!(tx, c => sqlx::query_scalar("select code from coaching_changes where region_path = $1 order by code")
        .bind(region_path).fetch_all(c).await)?)
}

async fn changed_down_to(tx: &mut Tx, region_path: &str, itself_too: bool) -> Result<Rules> {
    let mut rules = content::coaching().clone();
    type Row = (String, bool, i64, String);
    let changes: Vec<Row> = on!(tx, c => sqlx::query_as(
            "select code, muted, seconds, conditions from coaching_changes
             where substr($1, 1, length(region_path)) = region_path and (region_path <> $1 or $2)
             order by length(region_path)")
        .bind(region_path).bind(itself_too).fetch_all(c).await)?;
    for (code, muted, seconds, conditions) in changes {
        // A rule that a newer table has no more, or whose conditions are others now, is as it is published.
        let Some(rule) = rules.rules.iter_mut().find(|rule| rule.code == code) else { continue };
        let Ok(when) = serde_json::from_str::<Vec<Condition>>(&conditions) else { continue };
        if are_alike(&rule.when, &when) {
            (rule.muted, rule.seconds, rule.when) = (muted, usize::try_from(seconds).unwrap_or(1), when);
        }
    }
    Ok(rules)
}

pub async fn of_clip(tx: &mut Tx, clip: &ClipId) -> Result<Rules> {
    let path: Option<String> = on!(&mut *tx, c => sqlx::query_scalar("select region_path from clips where id = $1")
        .bind(clip).fetch_optional(c).await)?;
    of_region(tx, &path.ok_or(Error::NotFound)?).await
}

/// For the clips of a region that are made from now on.
pub async fn change(tx: &mut Tx, now: At, by: &UserId, region_path: &str, code: &str, change: &Change) -> Result<()> {
    let rule = content::coaching().rules.iter().find(|rule| rule.code == code).ok_or(Error::NotFound)?;
    if !SECONDS.contains(&change.seconds) {
        return Err(Refusal::new("coaching_seconds", "秒数要在 1 到 60 之间。", "改一下秒数，再存一次。").into());
    }
    if !are_alike(&rule.when, &change.when) {
        let next_step = "刷新这一页，只改里面的数，再存一次。";
        return Err(Refusal::new("coaching_conditions", "这条提示看的东西对不上。", next_step).into());
    }
    if let Some(condition) = change.when.iter().find(|condition| !condition.is_possible()) {
        let range = condition.measure.range();
        let message = format!("这个数要在 {} 到 {} 之间，“高于”的要比“低于”的小。", range.start(), range.end());
        return Err(Refusal::new("coaching_limit", message, "改一下这个数，再存一次。").into());
    }
    let conditions = serde_json::to_string(&change.when).map_err(|e| Error::Damaged(e.to_string()))?;
    on!(&mut *tx, c => sqlx::query(
            "insert into coaching_changes (region_path, code, muted, seconds, conditions, changed_by, changed_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (region_path, code) do update
             set muted = excluded.muted, seconds = excluded.seconds, conditions = excluded.conditions,
                 changed_by = excluded.changed_by, changed_at = excluded.changed_at")
        .bind(region_path).bind(code).bind(change.muted).bind(change.seconds).bind(conditions).bind(by).bind(now)
        .execute(c).await.map(drop))?;
    audit::append(tx, now, Some(by), "coaching.changed", code, &json!({ "region": region_path, "to": change })).await
}

/// The rule goes by the region above again, also when that changes.
pub async fn reset(tx: &mut Tx, now: At, by: &UserId, region_path: &str, code: &str) -> Result<()> {
    let rows = on!(&mut *tx, c => sqlx::query("delete from coaching_changes where region_path = $1 and code = $2")
        .bind(region_path).bind(code).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 1 {
        audit::append(tx, now, Some(by), "coaching.reset", code, &json!({ "region": region_path })).await?;
    }
    Ok(())
}

/// The same measures, each with a limit on the same sides.
fn are_alike(one: &[Condition], other: &[Condition]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(a, b)| {
            (a.measure, a.above.is_some(), a.below.is_some()) == (b.measure, b.above.is_some(), b.below.is_some())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::review::testing::Classroom;

    both_databases! {
        staff_set_the_numbers_for_their_region(db) {
            let room = Classroom::open(&db).await;
            let mut tx = db.write().await.unwrap();
            let standard = content::coaching().clone();
            assert_eq!(of_region(&mut tx, "43/4331/433130/").await.unwrap(), standard);
            let dark = standard.rules.iter().find(|rule| rule.code == "dark").unwrap();
            let mut when = dark.when.clone();
            when[0].below = Some(80);
            let stricter = Change { muted: false, seconds: 5, when: when.clone() };
            change(&mut tx, At(1), &room.staff, "43/4331/", "dark", &stricter).await.unwrap();
            change(&mut tx, At(2), &room.staff, "43/4331/433130/", "dark", &Change { muted: true, ..stricter.clone() }).await.unwrap();
            let rule = async |tx: &mut Tx, path: &str| {
                let rules = of_region(tx, path).await.unwrap();
                rules.rules.into_iter().find(|rule| rule.code == "dark").unwrap()
            };
            let county = rule(&mut tx, "43/4331/433130/433130105/").await;
            assert_eq!((county.muted, county.seconds, &county.when), (true, 5, &when), "the nearest decides");
            assert!(!rule(&mut tx, "43/4331/433127/").await.muted);
            assert_eq!(rule(&mut tx, "43/4307/").await, *dark, "elsewhere it stays");
            for (code, bad) in [
                ("nothing", stricter.clone()),
                ("dark", Change { seconds: 0, ..stricter.clone() }),
                ("dark", Change { when: vec![], ..stricter.clone() }),
                ("shaky", stricter.clone()),
                ("dark", Change { when: vec![Condition { below: Some(300), ..when[0] }], ..stricter.clone() }),
                ("dark", Change { when: vec![Condition { above: Some(70), below: Some(70), ..when[0] }], ..stricter.clone() }),
            ] {
                assert!(change(&mut tx, At(3), &room.staff, "43/", code, &bad).await.is_err(), "{code} {bad:?}");
            }
            assert_eq!(own(&mut tx, "43/4331/433130/").await.unwrap(), ["dark"]);
            let above = above(&mut tx, "43/4331/433130/").await.unwrap();
            assert!(above.rules.iter().any(|rule| rule.code == "dark" && !rule.muted && rule.when == when));
            reset(&mut tx, At(4), &room.staff, "43/4331/433130/", "dark").await.unwrap();
            assert!(own(&mut tx, "43/4331/433130/").await.unwrap().is_empty());
            assert_eq!(rule(&mut tx, "43/4331/433130/").await.when, when, "as the region above has it");
            tx.commit().await.unwrap();
        }
    }
}
