//! The course as one trainee goes through it: which lessons she has done, where each assignment stands, what is next.

pub mod rules;
pub mod sql;

use crate::clip::ClipState;
use crate::content;
use crate::ids::{ClipId, CohortId};
use crate::time::At;

/// Where an assignment stands with her.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MarkState)]
pub enum Mark {
    None,
    Draft,
    Submitted,
    Reviewing,
    Returned,
    Passed,
}

/// An assignment as others refer to it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct AssignmentRef {
    pub code: String,
    pub title: String,
    pub kind: String,
    pub module: String,
}

impl From<&content::Assignment> for AssignmentRef {
    fn from(a: &content::Assignment) -> Self {
        Self { code: a.code.clone(), title: a.title.clone(), kind: a.kind.clone(), module: a.module.clone() }
    }
}

impl AssignmentRef {
    /// Of a code in a row. One that has left the course since is shown by its code.
    pub fn of(code: &str) -> Self {
        content::course().assignment(code).map(Self::from).unwrap_or_else(|| Self {
            code: code.to_owned(),
            title: code.to_owned(),
            kind: String::new(),
            module: String::new(),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct CohortRef {
    pub id: CohortId,
    pub series_no: i64,
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Course {
    pub cohort_id: CohortId,
    pub cohort: CohortRef,
    pub version: String,
    pub title: String,
    pub modules: Vec<Module>,
    pub assignments: Vec<Assignment>,
    pub lessons_done: i64,
    pub lessons_total: i64,
    pub next: Next,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = CourseModule)]
pub struct Module {
    pub code: String,
    pub title: String,
    pub required: bool,
    pub lessons: Vec<Lesson>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Lesson {
    pub code: String,
    pub title: String,
    pub minutes: i64,
    #[schema(required)]
    pub completed_at: Option<At>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Assignment {
    pub code: String,
    pub title: String,
    pub kind: String,
    pub module: String,
    /// A clip answers it.
    pub clip: bool,
    pub state: Mark,
    #[schema(required)]
    pub clip_id: Option<ClipId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextKind {
    Lesson,
    Assignment,
    /// Her mentor said something: hear it, and film again where it was returned.
    Feedback,
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Next {
    pub kind: NextKind,
    pub code: String,
    pub title: String,
    #[schema(required)]
    pub clip_id: Option<ClipId>,
}

/// One of her clips, as far as the course is concerned.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Answer {
    pub clip_id: ClipId,
    pub assignment_code: String,
    pub title: String,
    pub state: ClipState,
    pub updated_at: At,
    pub unheard: i64,
}
