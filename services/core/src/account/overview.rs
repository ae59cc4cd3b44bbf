//! What a person's first page needs to know of her besides who she is.

use crate::cohort::Part;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{CohortId, UserId};
use crate::on;

#[derive(Debug, serde::Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct MyCohort {
    pub id: CohortId,
    /// The 49 of 第49期.
    pub series_no: i64,
    pub title: String,
    pub part: Part,
    pub group_no: Option<i64>,
}

/// Her cohorts, the newest first.
pub async fn cohorts_of(tx: &mut Tx, user: &UserId) -> Result<Vec<MyCohort>> {
    Ok(on!(&mut *tx, c => sqlx::query_as(
        "select c.id, c.series_no, c.title, m.part, m.group_no from memberships m join cohorts c on c.id = m.cohort_id
         where m.user_id = $1 and m.state in ('active', 'graduated') order by c.series_no desc")
        .bind(user).fetch_all(c).await)?)
}

/// Pieces of feedback on her clips that she has not heard yet.
pub async fn unheard(tx: &mut Tx, user: &UserId) -> Result<i64> {
    Ok(on!(&mut *tx, c => sqlx::query_scalar(
        "select count(*) from feedback_items i join clip_versions v on v.id = i.version_id join clips k on k.id = v.clip_id
         where k.owner_id = $1 and k.state <> 'withdrawn' and (i.state = 'sent' or i.news)")
        .bind(user).fetch_one(c).await)?)
}
