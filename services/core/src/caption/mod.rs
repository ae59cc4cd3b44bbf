//! Words under the picture. Whatever they come in, a track of the film or an SRT or WebVTT file that she attaches, they
//! become the same small WebVTT: times, and text that is italic, bold or underlined at most. Nothing else of what came
//! is kept or shown.

mod ass;
mod language;
mod markup;
mod parse;
pub mod rules;
pub mod sql;
mod vtt;

pub use language::Language;
pub use markup::CueText;
pub use parse::{Unreadable, parse};
pub use vtt::write;

use crate::ids::{CaptionId, VersionId};

/// Far more than anybody says in the longest clip.
pub const MAX_BYTES: usize = 512 << 10;
pub const MAX_CUES: usize = 2_000;
/// Of one cue, with its marks.
pub const MAX_CUE_CHARS: usize = 1_000;
/// Of one version, of each origin.
pub const MAX_TRACKS: usize = 8;
pub const MAX_TITLE: usize = 60;

/// A sentence and when it is shown, in milliseconds of the clip: never of no length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    start_ms: i64,
    end_ms: i64,
    text: CueText,
}

impl Cue {
    /// What of it lies within a clip of that length, if anything does.
    pub fn within(start_ms: i64, end_ms: i64, text: CueText, length_ms: i64) -> Option<Cue> {
        let (start_ms, end_ms) = (start_ms.max(0), end_ms.min(length_ms));
        (start_ms < end_ms && !text.is_empty()).then_some(Cue { start_ms, end_ms, text })
    }
}

/// Where a track is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = CaptionOrigin)]
pub enum Origin {
    /// It came in the film, and is made anew with all else that is made of it.
    Embedded,
    /// She attached it: there is no other copy.
    Attached,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Serialize, serde::Deserialize)]
pub struct CaptionTrack {
    pub id: CaptionId,
    pub version_id: VersionId,
    pub origin: Origin,
    pub language: Language,
    pub title: Option<String>,
    pub key: String,
    pub bytes: i64,
}
