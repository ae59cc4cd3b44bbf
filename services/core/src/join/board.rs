//! What staff watch while a hall comes in, and what is printed for it before.

use super::door::random_token;
use super::rules::ASKED_FOR;
use crate::cohort::Cohort;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{CohortId, RequestId, UserId};
use crate::on;
use crate::person::{self, Person};
use crate::time::At;

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = JoinSeat)]
pub struct Seat {
    pub person: Person,
    #[schema(required)]
    pub group_no: Option<i64>,
    #[schema(required)]
    pub seat_no: Option<i64>,
    /// When she came in; null for who has yet to.
    #[schema(required)]
    pub arrived_at: Option<At>,
}

/// Somebody who is on no roster and waits to be let in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[schema(as = JoinRequest)]
pub struct PendingRequest {
    pub id: RequestId,
    pub phone_masked: String,
    pub asked_at: At,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// By group and seat.
    pub seats: Vec<Seat>,
    /// Who has waited longest comes first.
    pub requests: Vec<PendingRequest>,
}

type Row = (UserId, Option<i64>, Option<i64>, Option<At>);

pub async fn board(tx: &mut Tx, now: At, cohort: &CohortId) -> Result<Board> {
    let sql = "select user_id, group_no, seat_no, arrived_at from memberships
               where cohort_id = $1 and part = 'trainee' and state <> 'withdrawn'
               order by coalesce(group_no, 1000), coalesce(seat_no, 1000), user_id";
    let rows: Vec<Row> = on!(&mut *tx, c => sqlx::query_as(sql).bind(cohort).fetch_all(c).await)?;
    let mut people = person::find_all(tx, rows.iter().map(|row| &row.0)).await?;
    let seats = rows
        .into_iter()
        .filter_map(|(user, group_no, seat_no, arrived_at)| {
            Some(Seat { person: people.remove(&user)?, group_no, seat_no, arrived_at })
        })
        .collect();
    // Who was put on the roster since waits no more.
    let sql = "select r.id, r.phone_masked, r.asked_at from join_requests r
               where r.cohort_id = $1 and r.state = 'pending' and r.asked_at > $2
                 and not exists (select 1 from memberships m join users u on u.id = m.user_id
                   where m.cohort_id = $1 and m.state <> 'withdrawn' and u.phone_hash = r.phone_hash)
               order by r.asked_at, r.id";
    let requests = on!(tx, c => sqlx::query_as(sql).bind(cohort).bind(now - ASKED_FOR).fetch_all(c).await)?;
    Ok(Board { seats, requests })
}

/// What is printed for one trainee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub seat: Seat,
    /// What its QR code says: the same each time it is printed, until she is given a new password.
    pub token: String,
}

/// A card for everybody on the roster.
pub async fn cards(tx: &mut Tx, now: At, cohort: &Cohort) -> Result<Vec<Card>> {
    let seats = board(tx, now, &cohort.id).await?.seats;
    let mut cards = Vec::with_capacity(seats.len());
    for seat in seats {
        let sql = "update memberships set card_token = coalesce(card_token, $3) where cohort_id = $1 and user_id = $2 returning card_token";
        let token = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(&cohort.id).bind(&seat.person.id).bind(random_token())
            .fetch_one(c).await)?;
        cards.push(Card { seat, token });
    }
    Ok(cards)
}
