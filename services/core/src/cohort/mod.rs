//! A cohort (期): who opened it, who is in it, and where everybody stands.
//!
//! Every number opens its rows: the count and the list are made by the same function from the same predicate
//! ([`progress::Which`]). Trainees are listed by group and seat, never ranked.

pub mod progress;
mod reset;
pub mod roster;
mod rules;
mod sql;
#[cfg(test)]
mod tests;

pub use progress::{CohortClip, Progress, Which, clips, progress};
pub use reset::reset_password;
pub use rules::{NewCohort, NewMember, check_cohort};
pub use sql::{
    Joined, Trainee, add_member, get, list, of_principal, open, phones_masked, require_seen, trainee, trainees_of,
    trainees_within,
};

use crate::ids::{CohortId, UserId};
use crate::region::RegionRef;
use crate::time::Day;

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CohortState {
    Running,
    Closed,
}

/// What somebody is in a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Trainee,
    Mentor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    Active,
    Graduated,
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Cohort {
    pub id: CohortId,
    pub series_no: i64,
    pub title: String,
    pub host: String,
    pub region_path: String,
    pub state: CohortState,
    #[sqlx(try_from = "String")]
    pub starts_on: Day,
    #[sqlx(try_from = "String")]
    pub ends_on: Day,
    pub trainees: i64,
    pub mentors: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct CohortSummary {
    pub id: CohortId,
    pub series_no: i64,
    pub title: String,
    pub host: String,
    pub region: RegionRef,
    pub state: CohortState,
    pub starts_on: Day,
    pub ends_on: Day,
    pub trainees: i64,
    pub mentors: i64,
    /// Clips that wait for a mentor.
    pub waiting: i64,
    /// The one who asks may keep its roster.
    pub manages: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Member {
    pub user_id: UserId,
    pub name: String,
    /// Where she lives.
    pub home: String,
    pub part: Part,
    pub group_no: Option<i64>,
    pub seat_no: Option<i64>,
    pub state: MemberState,
}
