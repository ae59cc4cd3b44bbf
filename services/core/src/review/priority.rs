//! Which clip is looked at before which. Whose time is over comes before all others; among the rest these points decide, and
//! at equal points the older promise.

use crate::clip::Clip;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{CohortId, VersionId};
use crate::on;
use crate::time::{At, Day, Millis};

/// What is known of a clip when it is handed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// She has never handed anything in before: the first answer decides whether there is a second clip.
    pub first_ever: bool,
    /// She did what she was asked, and waits to hear whether it is right.
    pub resubmission: bool,
    pub nearly_over: bool,
    /// How often she was answered within a week.
    pub answered_lately: i64,
}

/// A class that ends within so many days is nearly over.
const NEARLY_OVER: i64 = 7;
const LATELY: Millis = Millis::days(7);

pub fn points(facts: Facts) -> i64 {
    let Facts { first_ever, resubmission, nearly_over, answered_lately } = facts;
    40 * i64::from(first_ever) + 20 * i64::from(resubmission) + 10 * i64::from(nearly_over) - 15 * answered_lately
}

pub(super) async fn facts(tx: &mut Tx, now: At, clip: &Clip, version: &VersionId, cohort: &CohortId) -> Result<Facts> {
    let sql = "select count(*) from review_tickets t join clips k on k.id = t.clip_id
               where k.owner_id = $1 and t.version_id <> $2 and t.state <> 'cancelled'";
    let before: i64 =
        on!(&mut *tx, c => sqlx::query_scalar(sql).bind(&clip.owner_id).bind(version).fetch_one(c).await)?;
    let sql = "select count(*) from review_tickets where clip_id = $1 and state = 'sent'";
    let answered: i64 = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(&clip.id).fetch_one(c).await)?;
    let sql = "select count(*) from review_tickets t join clips k on k.id = t.clip_id
               where k.owner_id = $1 and t.state = 'sent' and t.sent_at > $2";
    let answered_lately: i64 =
        on!(&mut *tx, c => sqlx::query_scalar(sql).bind(&clip.owner_id).bind(now - LATELY).fetch_one(c).await)?;
    let sql = "select ends_on from cohorts where id = $1";
    let ends_on: String = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(cohort).fetch_one(c).await)?;
    let nearly_over = ends_on.parse::<Day>().is_ok_and(|end| end.days_since(Day::of(now)) <= NEARLY_OVER);
    Ok(Facts { first_ever: before == 0, resubmission: answered > 0, nearly_over, answered_lately })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_heard_an_answer_comes_first_and_who_heard_many_last() {
        let first = Facts { first_ever: true, ..Facts::default() };
        let again = Facts { resubmission: true, answered_lately: 1, ..Facts::default() };
        let ending = Facts { nearly_over: true, ..Facts::default() };
        let often = Facts { answered_lately: 4, ..Facts::default() };
        let mut order = [often, ending, first, Facts::default(), again];
        order.sort_by_key(|facts| -points(*facts));
        assert_eq!(order, [first, ending, again, Facts::default(), often]);
        assert_eq!(points(Facts { first_ever: true, resubmission: true, nearly_over: true, answered_lately: 2 }), 40);
    }
}
