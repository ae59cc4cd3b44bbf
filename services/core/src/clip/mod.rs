//! A clip: what she filmed, in versions. The clip's state is the story between her and her mentor; a version's state is
//! the story of its bytes. The two move apart: version 2 may still be uploading while the clip is `returned`.

pub mod create;
pub mod publish;
pub mod refusal;
pub mod rules;
pub mod sidecar;
pub mod sql;
pub mod story;
#[cfg(test)]
pub(crate) mod testing;
pub mod work;

use crate::coaching::Hint;
use crate::ids::{ClipId, CohortId, UserId, VersionId};
use crate::time::At;

/// Where a clip stands between its owner and her mentor.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ClipState {
    Draft,
    Submitted,
    Reviewing,
    Returned,
    Passed,
    Withdrawn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipEvent {
    Submit,
    /// She takes back what she handed in, and goes on with it.
    Retract {
        /// Her mentor answered an earlier version.
        answered: bool,
    },
    /// A mentor takes the ticket.
    Claim,
    /// The mentor lets go of it, or her lease ran out.
    HandBack,
    Return,
    Pass,
    Withdraw,
}

impl ClipState {
    pub const ALL: [ClipState; 6] =
        [Self::Draft, Self::Submitted, Self::Reviewing, Self::Returned, Self::Passed, Self::Withdrawn];

    /// The state after that event, or None where the event has no place.
    pub fn after(self, event: ClipEvent) -> Option<ClipState> {
        use ClipEvent::*;
        use ClipState::*;
        match (self, event) {
            (Draft | Returned, Submit) => Some(Submitted),
            (Submitted, Retract { answered: false }) => Some(Draft),
            (Submitted, Retract { answered: true }) => Some(Returned),
            (Submitted, Claim) => Some(Reviewing),
            (Reviewing, HandBack) => Some(Submitted),
            (Reviewing, Return) => Some(Returned),
            (Reviewing, Pass) => Some(Passed),
            (Withdrawn, Withdraw) => None,
            (_, Withdraw) => Some(Withdrawn),
            _ => None,
        }
    }

    /// Whether the owner may upload another version now: never under her mentor's eyes, and not once it passed.
    pub fn accepts_new_version(self) -> bool {
        matches!(self, Self::Draft | Self::Returned)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Reviewing => "reviewing",
            Self::Returned => "returned",
            Self::Passed => "passed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Where one version's bytes stand.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum MediaState {
    Uploading,
    Received,
    Processing,
    Ready,
    Failed,
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaEvent {
    /// The last byte is durable and verified.
    Receive,
    /// A worker starts, or starts again after another one was lost.
    Start,
    Finish,
    /// Refused or given up, with a reason code.
    Fail,
    /// Nobody finished the upload in time, or she ended it.
    Abandon,
}

impl MediaState {
    pub const ALL: [MediaState; 6] =
        [Self::Uploading, Self::Received, Self::Processing, Self::Ready, Self::Failed, Self::Abandoned];

    pub fn after(self, event: MediaEvent) -> Option<MediaState> {
        use MediaEvent::*;
        use MediaState::*;
        match (self, event) {
            (Uploading, Receive) => Some(Received),
            (Received | Processing, Start) => Some(Processing),
            (Processing, Finish) => Some(Ready),
            (Uploading | Received | Processing, Fail) => Some(Failed),
            (Uploading, Abandon) => Some(Abandoned),
            _ => None,
        }
    }

    /// Nothing more will happen to these bytes by themselves.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Failed | Self::Abandoned)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Clip {
    pub id: ClipId,
    pub owner_id: UserId,
    pub cohort_id: Option<CohortId>,
    pub assignment_code: Option<String>,
    pub title: String,
    pub state: ClipState,
    pub region_code: String,
    pub region_path: String,
    pub created_at: At,
    pub updated_at: At,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Version {
    pub id: VersionId,
    pub clip_id: ClipId,
    pub n: i64,
    pub state: MediaState,
    pub filename: String,
    pub content_type: String,
    pub bytes: i64,
    pub sha256: Option<String>,
    pub original_key: Option<String>,
    /// Why the file she sent is not kept any more: `released` after its time, or `lost`.
    pub original_gone: Option<String>,
    pub reason_code: Option<String>,
    pub facts: Option<String>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub duration_ms: Option<i64>,
    pub poster_key: Option<String>,
    pub mp4_key: Option<String>,
    pub storyboard_key: Option<String>,
    pub storyboard_vtt_key: Option<String>,
    pub waveform_key: Option<String>,
    pub playable_at: Option<At>,
    pub created_at: At,
    pub received_at: Option<At>,
    pub ready_at: Option<At>,
}

/// What is read of `facts`.
#[derive(Default, serde::Deserialize)]
struct Facts {
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    hints: Vec<Hint>,
    /// The codec that nobody here can read.
    unreadable: Option<String>,
}

impl Version {
    pub fn playable(&self) -> bool {
        self.playable_at.is_some()
    }

    /// What was found worth telling her, in her words: `facts.warnings`.
    pub fn warnings(&self) -> Vec<String> {
        self.facts().warnings
    }

    /// How it was filmed, as far as that can be told: `facts.hints`.
    pub fn hints(&self) -> Vec<Hint> {
        self.facts().hints
    }

    /// Why nothing can be made of it, in words for her.
    pub fn refusal(&self) -> Option<crate::error::Refusal> {
        if self.state != MediaState::Failed {
            return None;
        }
        let code = self.reason_code.as_deref().and_then(|code| code.parse().ok());
        Some(code.unwrap_or(refusal::RefusalCode::ProcessingFailed).of_codec(self.facts().unreadable.as_deref()))
    }

    fn facts(&self) -> Facts {
        self.facts.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// One rung of the ladder, as far as it is published.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Serialize, serde::Deserialize)]
pub struct Rendition {
    pub id: crate::ids::RenditionId,
    pub version_id: VersionId,
    pub attempt: i64,
    pub name: String,
    pub width: i64,
    pub height: i64,
    pub bandwidth: i64,
    pub codecs: String,
    pub init_key: String,
    pub init_bytes: i64,
    pub complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Serialize, serde::Deserialize)]
pub struct Segment {
    pub n: i64,
    pub duration_ms: i64,
    pub bytes: i64,
    pub key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_moves_only_along_its_story() {
        use ClipEvent::*;
        use ClipState::*;
        let (first, later) = (Retract { answered: false }, Retract { answered: true });
        let legal = [
            (Draft, Submit, Submitted),
            (Returned, Submit, Submitted),
            (Submitted, first, Draft),
            (Submitted, later, Returned),
            (Submitted, Claim, Reviewing),
            (Reviewing, HandBack, Submitted),
            (Reviewing, Return, Returned),
            (Reviewing, Pass, Passed),
            (Draft, Withdraw, Withdrawn),
            (Submitted, Withdraw, Withdrawn),
            (Reviewing, Withdraw, Withdrawn),
            (Returned, Withdraw, Withdrawn),
            (Passed, Withdraw, Withdrawn),
        ];
        for state in ClipState::ALL {
            for event in [Submit, first, later, Claim, HandBack, Return, Pass, Withdraw] {
                let expected = legal.iter().find(|(s, e, _)| (*s, *e) == (state, event)).map(|(_, _, to)| *to);
                assert_eq!(state.after(event), expected, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn bytes_move_only_forwards() {
        use MediaEvent::*;
        use MediaState::*;
        let legal = [
            (Uploading, Receive, Received),
            (Received, Start, Processing),
            (Processing, Start, Processing),
            (Processing, Finish, Ready),
            (Uploading, Fail, Failed),
            (Received, Fail, Failed),
            (Processing, Fail, Failed),
            (Uploading, Abandon, Abandoned),
        ];
        for state in MediaState::ALL {
            for event in [Receive, Start, Finish, Fail, Abandon] {
                let expected = legal.iter().find(|(s, e, _)| (*s, *e) == (state, event)).map(|(_, _, to)| *to);
                assert_eq!(state.after(event), expected, "{state:?} {event:?}");
                assert!(expected.is_none() || !state.is_final(), "{state:?} is final");
            }
        }
    }
}
