//! What the product teaches and judges by: course, rubric, phrases, star rules and rules of coaching, as they were
//! published.
//!
//! The files in `content/` are compiled in and published into `content_versions` at start. A published version is
//! immutable: the same version with another body is refused, so that what was decided under it stays explainable.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::on;
use crate::time::At;

const COURSE: &str = include_str!("../../../content/course.json");
const RUBRIC: &str = include_str!("../../../content/rubric.json");
const PHRASES: &str = include_str!("../../../content/phrases.json");
const STAR_RULES: &str = include_str!("../../../content/star_rules.json");
const COACHING: &str = include_str!("../../../content/coaching.json");
const WORK_CALENDAR: &str = include_str!("../../../content/work_calendar.json");

#[derive(Debug, Clone, Deserialize)]
pub struct Course {
    pub version: String,
    pub title: String,
    pub format: String,
    pub modules: Vec<Module>,
    pub assignments: Vec<Assignment>,
    pub graduation: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Module {
    pub code: String,
    pub title: String,
    pub required: bool,
    pub lessons: Vec<Lesson>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Lesson {
    pub code: String,
    pub title: String,
    pub minutes: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Assignment {
    pub code: String,
    pub title: String,
    pub module: String,
    pub kind: String,
}

impl Course {
    pub fn assignment(&self, code: &str) -> Option<&Assignment> {
        self.assignments.iter().find(|a| a.code == code)
    }
    pub fn lesson(&self, code: &str) -> Option<&Lesson> {
        self.modules.iter().flat_map(|m| &m.lessons).find(|l| l.code == code)
    }
    pub fn lessons_total(&self) -> usize {
        self.modules.iter().map(|m| m.lessons.len()).sum()
    }
}

impl Assignment {
    /// Whether a clip answers it; the others are texts, forms and live rehearsals.
    pub fn is_clip(&self) -> bool {
        self.kind.contains("短视频")
    }
    pub fn is_rehearsal(&self) -> bool {
        self.kind.contains("彩排")
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Rubric {
    pub version: String,
    pub pass_rule: String,
    pub video: Vec<Dimension>,
    pub live: Vec<Dimension>,
    pub gates: Vec<Gate>,
}

#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RubricDim)]
pub struct Dimension {
    pub code: String,
    pub title: String,
    /// Weights of one rubric add up to 100.
    pub weight: i64,
    /// What each level 1..=5 looks like.
    pub levels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RubricGate)]
pub struct Gate {
    pub code: String,
    pub title: String,
    pub text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Phrase {
    pub kind: String,
    pub dim: Option<String>,
    pub text: String,
}

/// Rules of the star of a 网上妇女微家, as in `content/star_rules.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct StarRules {
    pub version: String,
    pub levels: Vec<StarLevel>,
    pub score_blocks: Vec<ScoreBlock>,
    pub deductions: Vec<Deduction>,
    pub deduction_cap: i64,
    pub validity_months: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct StarLevel {
    pub level: i64,
    pub title: String,
    pub account_days: i64,
    pub window_days: i64,
    pub originals: i64,
    pub active_weeks: i64,
    pub weeks_window: i64,
    pub avg_review: f64,
    pub lives: i64,
    pub rehearsals: i64,
    pub reach: Reach,
    pub column_episodes: i64,
    pub mentees_graduated: i64,
    pub mentees_starred: i64,
    pub adopted_upward: i64,
    pub min_score: f64,
    /// Who approves it, in words: 县级, 市级评审、省级备案, ...
    pub approve: String,
    pub hold_months: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Reach {
    pub followers: i64,
    pub views: i64,
    pub service: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ScoreBlock {
    pub code: String,
    pub title: String,
    pub max: f64,
    pub formula: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Deduction {
    pub code: String,
    pub text: String,
    pub points: i64,
    pub per: String,
}

/// Compiled-in content is checked by a test, so reading it cannot fail in a build that passed.
macro_rules! compiled_in {
    ($($name:ident: $type:ty = $text:ident;)*) => {$(
        pub fn $name() -> &'static $type {
            static PARSED: LazyLock<$type> =
                LazyLock::new(|| serde_json::from_str($text).expect(concat!(stringify!($name), " is well-formed")));
            &PARSED
        }
    )*};
}

compiled_in! {
    course: Course = COURSE;
    rubric: Rubric = RUBRIC;
    phrases: Vec<Phrase> = PHRASES;
    star_rules: StarRules = STAR_RULES;
    coaching: crate::coaching::Rules = COACHING;
    work_calendar: crate::work_calendar::WorkCalendar = WORK_CALENDAR;
}

/// Publishes what is compiled in. Does nothing for versions that are there already.
pub async fn publish(tx: &mut Tx, now: At) -> Result<()> {
    // The phrases have no version of their own: they travel with the rubric whose dimensions they name.
    for (kind, version, body) in [
        ("course", &course().version, COURSE),
        ("rubric", &rubric().version, RUBRIC),
        ("phrases", &rubric().version, PHRASES),
        ("star_rules", &star_rules().version, STAR_RULES),
        ("coaching", &coaching().version, COACHING),
    ] {
        let sha256 = hex::encode(Sha256::digest(body));
        on!(&mut *tx, c => sqlx::query(
            "insert into content_versions (kind, version, body, sha256, published_at) values ($1, $2, $3, $4, $5)
             on conflict (kind, version) do nothing")
            .bind(kind).bind(version).bind(body).bind(&sha256).bind(now).execute(c).await.map(drop))?;
        let stored: String = on!(&mut *tx, c => sqlx::query_scalar(
            "select sha256 from content_versions where kind = $1 and version = $2")
            .bind(kind).bind(version).fetch_one(c).await)?;
        if stored != sha256 {
            return Err(Error::Damaged(format!(
                "{kind} {version} was published with another text: give the new text a new version"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;

    #[test]
    fn the_compiled_in_content_is_whole() {
        assert_eq!(course().lessons_total(), 54);
        assert_eq!(course().assignments.len(), 12);
        for assignment in &course().assignments {
            let known = course().modules.iter().any(|m| m.code == assignment.module);
            assert!(known || assignment.module == "全程", "{}", assignment.code);
        }
        for dims in [&rubric().video, &rubric().live] {
            assert_eq!(dims.iter().map(|d| d.weight).sum::<i64>(), 100);
            assert!(dims.iter().all(|d| d.levels.keys().eq(["1", "2", "3", "4", "5"].iter())));
        }
        assert_eq!(star_rules().levels.iter().map(|l| l.level).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert!(phrases().iter().all(|p| ["praise", "fix", "question", "must", "demo"].contains(&p.kind.as_str())));
    }

    both_databases! {
        publishing_twice_changes_nothing(db) {
            for now in [At(1), At(2)] {
                let mut tx = db.write().await.unwrap();
                publish(&mut tx, now).await.unwrap();
                tx.commit().await.unwrap();
            }
            let mut tx = db.read().await.unwrap();
            let rows: Vec<i64> = on!(&mut tx, c => sqlx::query_scalar("select published_at from content_versions").fetch_all(c).await).unwrap();
            assert_eq!(rows, [1, 1, 1, 1, 1]);
        }

        a_published_text_cannot_be_swapped(db) {
            let mut tx = db.write().await.unwrap();
            publish(&mut tx, At(1)).await.unwrap();
            on!(&mut tx, c => sqlx::query("update content_versions set sha256 = 'x' where kind = 'course'").execute(c).await.map(drop)).unwrap();
            assert!(publish(&mut tx, At(2)).await.is_err());
        }
    }
}
