//! Coaching: a submitted clip waits in a queue, one mentor at a time holds it by a lease, and what she sends hangs on
//! seconds of the clip.
//!
//! `queue` keeps the tickets and their leases, `draft` what a mentor is still writing, `sent` what the trainee gets,
//! `amend` what she puts otherwise afterwards, `fix` what becomes of it: what she says of each piece, where it lies in her next version, and whether it is fixed there.

pub mod amend;
pub mod draft;
pub mod fix;
mod priority;
pub mod promise;
pub mod queue;
pub mod rules;
pub mod sent;
pub mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::ids::{ClipId, CohortId, ItemId, ReplyId, ReviewId, TicketId, UserId, VersionId};
use crate::time::{At, Millis};

/// How long a mentor holds what she took.
pub const LEASE: Millis = Millis::hours(4);
/// Writing renews a lease this often.
pub const RENEWALS: i64 = 2;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[sqlx(type_name = "text", rename_all = "snake_case")]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant),* }
        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    )*};
}

words! {
    TicketState { Waiting "waiting", Claimed "claimed", Sent "sent", Cancelled "cancelled" }
    Outcome { Pass "pass", Return "return" }
    /// Who is told that a clip waits, one after the other: the mentors, the cohort, the county's desk, the city's.
    Step { Nudge "nudge", Lead "lead", County "county", City "city" }
    /// What a remark is: well done, better so, a question, or what has to change before anything else.
    Kind { Praise "praise", Fix "fix", Question "question", Must "must" }
    /// Hers until a mentor settles it: 听到了, 试试, 已改, or 我另有想法. Then 改好了, or 再来一次.
    ItemState {
        Draft "draft", Sent "sent", Heard "heard", Trying "trying", Fixed "fixed", Declined "declined",
        Verified "verified", Again "again",
    }
    /// Of an earlier version's item, on seeing the new one: 改好了 or 再来一次.
    Verdict { Verified "verified", Again "again" }
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Ticket {
    pub id: TicketId,
    pub clip_id: ClipId,
    pub version_id: VersionId,
    pub cohort_id: CohortId,
    pub assignment_code: String,
    pub state: TicketState,
    pub submitted_at: At,
    pub due_at: At,
    pub holder_id: Option<UserId>,
    pub lease_until: Option<At>,
    pub lease_renewals: i64,
    pub sent_at: Option<At>,
    /// The last step that was taken, and when the next one is.
    pub escalated: Option<Step>,
    pub escalates_at: Option<At>,
}

impl Ticket {
    /// Who holds it at this moment: a lease that ran out holds nothing, swept or not.
    pub fn held_by(&self, now: At) -> Option<&UserId> {
        let live = self.state == TicketState::Claimed && self.lease_until.is_some_and(|until| until > now);
        if live { self.holder_id.as_ref() } else { None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct ReviewRow {
    pub id: ReviewId,
    pub ticket_id: TicketId,
    pub version_id: VersionId,
    pub reviewer_id: UserId,
    pub rubric_version: String,
    pub state: String,
    pub outcome: Option<Outcome>,
    pub summary: String,
    pub next_step: String,
    pub scores: String,
    pub total: Option<i64>,
    pub gates: String,
    pub settled: String,
    pub draft_rev: i64,
    pub sent_at: Option<At>,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Item {
    pub id: ItemId,
    pub review_id: ReviewId,
    pub version_id: VersionId,
    pub t_start_ms: i64,
    pub t_end_ms: Option<i64>,
    pub kind: Kind,
    pub dim: Option<String>,
    pub body: String,
    pub state: ItemState,
    pub fixed_version_id: Option<VersionId>,
    pub fixed_at_ms: Option<i64>,
    pub settled_version_id: Option<VersionId>,
    pub settled_at_ms: Option<i64>,
    pub news: bool,
    pub created_at: At,
}

/// Scores by dimension, 1 to 5; null is "not scored yet", which is not zero.
pub type Scores = BTreeMap<String, Option<i64>>;
/// Gates: true passes, false fails, null is "not looked at yet".
pub type Gates = BTreeMap<String, Option<bool>>;

/// What a mentor is writing. `rev` counts what was kept; a save names the rev it was based on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Draft {
    pub review_id: ReviewId,
    pub rev: i64,
    pub items: Vec<DraftItem>,
    #[schema(value_type = BTreeMap<String, Option<i64>>)]
    pub scores: Scores,
    #[schema(value_type = BTreeMap<String, Option<bool>>)]
    pub gates: Gates,
    pub summary: String,
    pub next_step: String,
    #[schema(required)]
    pub outcome: Option<Outcome>,
    pub settled: Vec<Settled>,
}

/// The same, as she hands it in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
pub struct DraftInput {
    pub rev: i64,
    #[serde(default)]
    pub items: Vec<DraftItem>,
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Option<i64>>)]
    pub scores: Scores,
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Option<bool>>)]
    pub gates: Gates,
    #[serde(default)]
    pub summary: String,
    #[serde(default)]
    pub next_step: String,
    #[serde(default)]
    pub outcome: Option<Outcome>,
    #[serde(default)]
    pub settled: Vec<Settled>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct DraftItem {
    /// Null for one that was never kept.
    #[schema(required)]
    pub id: Option<ItemId>,
    pub kind: Kind,
    pub t_start_ms: i64,
    #[schema(required)]
    pub t_end_ms: Option<i64>,
    /// A dimension or a gate of the rubric.
    #[schema(required)]
    pub dim: Option<String>,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Settled {
    pub item_id: ItemId,
    pub verdict: Verdict,
    /// The moment of the new version that shows it; where none is named, the one that lies as far into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
}

/// A review as the trainee gets it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct SentReview {
    pub id: ReviewId,
    pub version_id: VersionId,
    pub version_n: i64,
    pub mentor: String,
    pub outcome: Outcome,
    pub summary: String,
    pub next_step: String,
    /// 0 to 100; null where a gate failed, because then nothing is scored.
    #[schema(required)]
    pub total: Option<i64>,
    #[schema(value_type = BTreeMap<String, Option<i64>>)]
    pub scores: Scores,
    pub sent_at: At,
    pub items: Vec<FeedbackItem>,
    /// What was put otherwise since, the latest first.
    pub amendments: Vec<amend::Amendment>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FeedbackItem {
    pub id: ItemId,
    pub kind: Kind,
    pub t_start_ms: i64,
    #[schema(required)]
    pub t_end_ms: Option<i64>,
    #[schema(required)]
    pub dim: Option<String>,
    pub body: String,
    pub state: ItemState,
    /// Where she says it is fixed.
    #[schema(required)]
    pub fixed: Option<Place>,
    /// Where a mentor looked whether it is.
    #[schema(required)]
    pub settled: Option<Place>,
    /// Her mentor has added something, or put it otherwise, since she last heard it.
    pub news: bool,
    pub replies: Vec<Reply>,
}

/// A moment of a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[schema(as = FeedbackPlace)]
pub struct Place {
    pub version_id: VersionId,
    pub at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Reply {
    pub id: ReplyId,
    /// The name of who wrote it.
    pub author: String,
    pub mine: bool,
    pub body: String,
    pub created_at: At,
}
