//! A resumable upload. SQL is the truth about what is durable: whole parts of an S3 multipart upload, and behind them
//! the tail, pieces of the part that is still growing. The offset a client may rely on is their sum, never what the
//! store happens to list.
//!
//! Only the newest writer may record anything: each takes the upload over by counting up its epoch, and what an older
//! one still tries to write fails on it, on whichever machine it runs.

pub mod concat;
pub mod giving_up;
#[cfg(test)]
mod model_tests;
pub mod quota;
pub mod reuse;
pub mod rules;
pub mod sniff;
pub mod sql;
pub mod tails;

use crate::clip::refusal::RefusalCode;
use crate::ids::{ClipId, UploadId, UserId, VersionId};
use crate::storage::keys;
use crate::time::{At, Millis};

/// An upload that nobody touches for so long is given up.
pub const EXPIRES_AFTER: Millis = Millis::days(7);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// Its client sends a file.
    Whole,
    /// Its client sends a stretch of a file, of which there is no clip yet.
    Partial,
    /// We join partial ones to a file.
    Final,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// Waits for bytes.
    Open,
    /// Every byte is durable; the store is to join the parts.
    Completing,
    /// The object is there, whole, and its version received.
    Complete,
    /// Refused, or lost by the store.
    Failed,
    /// Ended by its owner, or joined to a file.
    Terminated,
    Expired,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Completing => "completing",
            State::Complete => "complete",
            State::Failed => "failed",
            State::Terminated => "terminated",
            State::Expired => "expired",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Upload {
    pub id: UploadId,
    pub owner_id: UserId,
    pub kind: Kind,
    /// What it is to become; a partial one becomes nothing by itself.
    pub clip_id: Option<ClipId>,
    pub version_id: Option<VersionId>,
    /// Unknown until its client has said it.
    pub length: Option<i64>,
    pub part_size: i64,
    pub state: State,
    pub epoch: i64,
    pub metadata: String,
    pub concat: Option<String>,
    pub idempotency_key: Option<String>,
    pub key: Option<String>,
    pub s3_upload_id: Option<String>,
    pub root_sha256: Option<String>,
    pub reason_code: Option<String>,
    pub created_at: At,
    pub updated_at: At,
    pub expires_at: At,
}

impl Upload {
    /// Why it failed, where a person is to read it.
    pub fn refusal(&self) -> Option<RefusalCode> {
        self.reason_code.as_deref().and_then(|code| code.parse().ok())
    }

    /// A file of at most one part is one object, put at once. One whose length became known late may have been begun
    /// in parts already.
    pub fn is_single(&self) -> bool {
        self.s3_upload_id.is_none() && self.length.is_some_and(|length| length <= self.part_size)
    }

    /// Where this writer makes the object. The key carries its epoch, so it is nobody else's.
    pub fn new_key(&self) -> String {
        match &self.version_id {
            Some(version) => keys::original(version, self.epoch),
            None => keys::partial(&self.id, self.epoch),
        }
    }

    /// As long as it may still become, where no file may be longer than `most`.
    pub fn most(&self, most: i64) -> i64 {
        self.length.unwrap_or(most.min(self.part_size * rules::MAX_PARTS))
    }

    /// Whether `offset` is its end.
    pub fn ends_at(&self, offset: i64) -> bool {
        self.length == Some(offset)
    }

    /// When it is given up unless something happens to it. A partial one waits to be joined even when it is complete.
    pub fn expires(&self) -> Option<At> {
        let waits = self.state == State::Open || (self.kind == Kind::Partial && self.state == State::Complete);
        waits.then_some(self.expires_at)
    }
}

/// A durable part of the object.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Part {
    pub no: i64,
    pub len: i64,
    pub etag: String,
    pub sha256: String,
}

/// A durable piece of the part that is still growing.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TailPiece {
    pub part_no: i64,
    pub start: i64,
    pub len: i64,
    pub key: String,
    pub sha256: String,
}

/// All that is durable of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    /// The parts that follow one another from the first.
    pub parts: Vec<Part>,
    /// The pieces of the next part that follow one another from its start.
    pub tail: Vec<TailPiece>,
    pub offset: i64,
}

impl Durable {
    pub fn tail_len(&self) -> i64 {
        self.tail.iter().map(|piece| piece.len).sum()
    }
}
