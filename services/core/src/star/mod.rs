//! 星级网上妇女微家: one to five stars, decided by a pure function of a rule version and frozen input.
//!
//! [`rules::evaluate`] reads nothing but its two arguments, so a decision explains itself and can be run again years
//! later: the input is stored as canonical JSON with its hash, the rules as a published version.
//!
//! How figures count, and why:
//! - A snapshot speaks for a window of days. It counts for a level when that window is not longer than the level's and
//!   lies inside the level's, which may have ended up to [`rules::GRACE_DAYS`] ago (numbers are read monthly). What
//!   came together in fewer days is at least as much in more; the other way round it would be a guess, so a year's
//!   figure never counts for ninety days.
//! - Figures of several accounts are never added: the same clip is shown on several platforms. The best account counts.
//! - `reach` names three ways of reaching people (followers, views, service), and one is enough.
//! - A corrected snapshot does not count; the correction does.
//! - What nobody registered is missing: it never counts as zero, and never passes.

pub mod award;
pub mod certificate;
mod gather;
pub mod input;
pub mod mine;
#[cfg(test)]
mod property_tests;
pub mod rules;
mod score;
mod sql;
#[cfg(test)]
mod sql_tests;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use award::award;
pub use gather::gather;
pub use input::{Frozen, StarInput};
pub use mine::{MyNext, next_star, sentence};
pub use rules::evaluate;
pub use sql::{
    AwardRow, CertificateRow, EvaluationRow, current_awards, evaluation, newest_evaluation_at, replay, save, verify,
};

/// The decision, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub rule_version: String,
    /// The star she holds on that day; 0 for none.
    pub current_level: i64,
    /// The highest star she can be given now: her own, or the next one when it is met.
    pub reachable_level: i64,
    pub levels: Vec<LevelResult>,
    pub score: Score,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = StarLevel)]
pub struct LevelResult {
    pub level: i64,
    pub title: String,
    pub met: bool,
    pub criteria: Vec<Criterion>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Criterion {
    pub code: String,
    pub title: String,
    pub needed: f64,
    pub unit: String,
    /// Null: not registered, which is not zero.
    #[schema(required)]
    pub have: Option<f64>,
    pub met: bool,
    /// 差 5 条, 够了, 还没登记，补上就算
    pub words: String,
    /// The rows and dates it was read from.
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = StarScore)]
pub struct Score {
    pub total: f64,
    pub blocks: Vec<BlockScore>,
    pub deductions: Vec<DeductionScore>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = StarBlockScore)]
pub struct BlockScore {
    pub code: String,
    pub title: String,
    pub max: f64,
    /// Null: nothing is registered that it could be computed from.
    #[schema(required)]
    pub value: Option<f64>,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = StarDeduction)]
pub struct DeductionScore {
    pub code: String,
    pub text: String,
    pub points: f64,
}

impl Evaluation {
    pub fn level(&self, level: i64) -> Option<&LevelResult> {
        self.levels.iter().find(|l| l.level == level)
    }
}
