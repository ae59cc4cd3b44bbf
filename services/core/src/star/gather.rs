//! Collects what the rules may look at from the rows.

use std::collections::{BTreeMap, HashMap};

use super::input::{
    AccountInput, Correction, OpenMust, RehearsalInput, ReviewInput, SnapshotInput, StarHeld, StarInput,
};
use crate::db::{Tx, marks};
use crate::error::{Error, Result};
use crate::ids::{AwardId, ClipId, ItemId, ReviewId, UserId};
use crate::time::{At, Day};
use crate::{content, growth, on};

const BATCH: usize = 500;

/// Rows of some people: the list takes the place of `{who}`.
macro_rules! rows {
    ($tx:expr, $who:expr, $row:ty, $sql:expr) => {{
        let sql = sqlx::AssertSqlSafe($sql.replace("{who}", &marks(1, $who.len())));
        on!(&mut *$tx, c => {
            let mut query = sqlx::query_as::<_, $row>(sql);
            for user in $who { query = query.bind(user); }
            query.fetch_all(c).await
        })?
    }};
}

#[derive(sqlx::FromRow)]
struct PassedClip {
    owner_id: UserId,
    id: ReviewId,
    clip_id: ClipId,
    assignment_code: String,
    sent_at: At,
    scores: String,
}

#[derive(sqlx::FromRow)]
struct Star {
    user_id: UserId,
    id: AwardId,
    level: i64,
    #[sqlx(try_from = "String")]
    valid_from: Day,
    #[sqlx(try_from = "String")]
    valid_to: Day,
    superseded: bool,
}

/// The inputs of these people as of a day, in their order. All rows are taken, also those later than the day: the
/// rules leave them out, but an evaluation that knew fewer of them is seen to be stale.
pub async fn gather(tx: &mut Tx, users: &[UserId], as_of_on: Day) -> Result<Vec<StarInput>> {
    let empty = |user: &UserId| StarInput {
        user: user.clone(),
        as_of_on,
        accounts: vec![],
        reviews: vec![],
        rehearsals: vec![],
        mentees_graduated: None,
        mentees_starred: None,
        stars: vec![],
        musts: vec![],
        corrections: vec![],
    };
    let mut inputs: HashMap<UserId, StarInput> = users.iter().map(|u| (u.clone(), empty(u))).collect();

    for account in growth::accounts_of(tx, users).await? {
        let Some(input) = inputs.get_mut(&account.owner_id) else { continue };
        let figures: HashMap<_, _> = account.snapshots.iter().map(|s| (&s.id, s)).collect();
        for old in &account.snapshots {
            let newer = old.superseded_by.as_ref().and_then(|id| figures.get(id));
            if let Some(newer) = newer
                && growth::is_correction(&old.figures, &newer.figures)
            {
                let corrected_on = newer.created_at.china_date().into();
                input.corrections.push(Correction { snapshot: old.id.clone(), corrected_on });
            }
        }
        input.accounts.push(AccountInput {
            id: account.id.clone(),
            platform: account.platform,
            handle: account.handle.clone(),
            opened_on: account.opened_on,
            snapshots: account
                .snapshots
                .iter()
                .filter(|s| s.superseded_by.is_none())
                .map(|s| SnapshotInput {
                    id: s.id.clone(),
                    as_of_on: s.as_of_on,
                    window_days: s.window_days,
                    figures: s.figures,
                })
                .collect(),
        });
    }

    for batch in users.chunks(BATCH) {
        let passed = rows!(
            tx,
            batch,
            PassedClip,
            "select c.owner_id, r.id, c.id as clip_id, t.assignment_code, r.sent_at, r.scores
             from reviews r join review_tickets t on t.id = r.ticket_id join clips c on c.id = t.clip_id
             where c.owner_id in ({who}) and c.state = 'passed' and r.state = 'sent' and r.outcome = 'pass'
               and r.sent_at is not null"
        );
        for row in passed {
            let Some(input) = inputs.get_mut(&row.owner_id) else { continue };
            let sent_on = Day::from(row.sent_at.china_date());
            let scores: BTreeMap<String, Option<i64>> =
                serde_json::from_str(&row.scores).map_err(|e| Error::Damaged(format!("scores of {}: {e}", row.id)))?;
            let scores = scores.into_iter().filter_map(|(dim, level)| Some((dim, level?))).collect();
            if content::course().assignment(&row.assignment_code).is_some_and(|a| a.is_rehearsal()) {
                let assignment = row.assignment_code.clone();
                input.rehearsals.push(RehearsalInput { clip: row.clip_id.clone(), assignment, passed_on: sent_on });
            }
            input.reviews.push(ReviewInput { id: row.id, clip: row.clip_id, sent_on, scores });
        }

        let stars = rows!(
            tx,
            batch,
            Star,
            "select user_id, id, level, valid_from, valid_to, superseded_by is not null as superseded
             from star_awards where user_id in ({who})"
        );
        for s in stars {
            let Some(input) = inputs.get_mut(&s.user_id) else { continue };
            let (award, level, superseded) = (s.id, s.level, s.superseded);
            input.stars.push(StarHeld { award, level, valid_from: s.valid_from, valid_to: s.valid_to, superseded });
        }

        let musts = rows!(
            tx,
            batch,
            (UserId, ItemId, At),
            "select c.owner_id, f.id, r.sent_at
             from feedback_items f join reviews r on r.id = f.review_id join review_tickets t on t.id = r.ticket_id
             join clips c on c.id = t.clip_id
             where c.owner_id in ({who}) and f.kind = 'must' and f.state not in ('draft', 'verified')
               and r.state = 'sent' and r.sent_at is not null and c.state not in ('passed', 'withdrawn')"
        );
        for (user, item, at) in musts {
            let Some(input) = inputs.get_mut(&user) else { continue };
            input.musts.push(OpenMust { item, sent_on: at.china_date().into() });
        }
    }
    Ok(users.iter().filter_map(|u| inputs.get(u).cloned()).collect())
}
