//! Whether the database and the bucket still tell the same story, and what can be done where they don't.
//!
//! `survey` walks both ways: what the rows name must be in the bucket as they say, and what is in the bucket must be
//! needed by a row. Both go on changing meanwhile. Rows are read before the bucket is listed and an object is put before
//! a row names it, so what is found missing is asked for once more, and only then reported. An object without a row may
//! be about to get one, so it counts only when it is old enough and nobody is at work on what it belongs to.
//!
//! `needed` says what rows need, `judge` decides (pure), `mend` repairs, `orphans` finds what is left over, and `rebuild`
//! brings clips back where the bucket is all there is. `retention` says how long originals are kept, and
//! `clock` when the time is not to be believed.

pub mod books;
pub mod clock;
pub mod judge;
pub mod mend;
pub mod needed;
pub mod orphans;
pub mod rebuild;
pub mod retention;
pub mod survey;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::{ClipId, UploadId, VersionId};
use crate::storage::OpenMultipart;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    pub subject: Subject,
    /// Which one, in words.
    pub about: String,
    /// What was seen.
    pub seen: String,
}

/// What it is about, as far as a repair has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Version { clip: ClipId, version: VersionId },
    Upload(UploadId),
    Object(String),
    Multipart { key: String, upload_id: String },
}

impl From<&OpenMultipart> for Subject {
    fn from(open: &OpenMultipart) -> Self {
        Subject::Multipart { key: open.key.clone(), upload_id: open.upload_id.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The file she sent is not there.
    OriginalMissing,
    /// It is there with another length.
    OriginalLength,
    /// It is there with other bytes.
    OriginalBytes,
    /// The store has it and does not give it out to its end.
    OriginalUnreadable,
    /// A received version that names no file, though nobody let go of it.
    OriginalUnnamed,
    /// A picture, a film or a segment that is to be played is not there as its row says.
    MediaMissing,
    /// Captions that she attached are not there as their row says: nobody can make them again.
    CaptionMissing,
    /// It was lost, and is there again.
    OriginalFound,
    /// What the bucket would need to bring a clip back without the database is not there.
    SidecarMissing,
    /// It tells something else than the rows, or nothing.
    SidecarStale,
    /// It cannot be read, and no row tells what it should say: its clip does not come back by itself.
    SidecarUnreadable,
    /// The screenshot behind numbers is not there.
    EvidenceMissing,
    /// It is there with other bytes.
    EvidenceBytes,
    /// What was acknowledged of an unfinished upload is not there.
    PartsMissing,
    /// An upload that should have come to its end long ago.
    UploadStuck,
    /// Nobody is going to work on a received version.
    JobMissing,
    /// Objects of a version or an upload that the database does not know: it is not the newest one.
    Unknown,
    /// An object that no row needs.
    Orphan,
    /// A multipart upload that no row knows.
    OrphanMultipart,
}

impl Kind {
    /// It says that something may be wrong with the file she sent, from which everything else is made.
    pub fn is_about_original(self) -> bool {
        use Kind::*;
        matches!(
            self,
            OriginalMissing | OriginalLength | OriginalBytes | OriginalUnreadable | OriginalUnnamed | OriginalFound
        )
    }
}

/// What was looked at and what was found.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Report {
    pub counted: Counted,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    pub clips: u64,
    pub versions: u64,
    /// That are to be there.
    pub originals: u64,
    pub uploads_open: u64,
    pub objects: u64,
    /// Bytes in all objects.
    pub bytes: u64,
    pub multiparts_open: u64,
    /// Originals whose every byte was read and compared.
    pub originals_read: u64,
    /// Let go of, and to be deleted by the next sweep.
    pub in_trash: u64,
    /// Not ours, and left alone.
    pub foreign: u64,
}

impl Report {
    pub fn by_kind(&self) -> BTreeMap<Kind, usize> {
        let mut counts = BTreeMap::new();
        for finding in &self.findings {
            *counts.entry(finding.kind).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod rebuild_tests;
#[cfg(test)]
mod tests;
