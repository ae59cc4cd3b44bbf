//! What supervisor and child say to each other: a spec in the scratch folder, one line of JSON per event on the
//! child's standard output. Files are named relative to the scratch folder, and complete when they are named.

use serde::{Deserialize, Serialize};
use weijia_core::caption::Language;
use weijia_core::clip::refusal::RefusalCode;
use weijia_signals::{Measures, Waveform};

/// The file that holds the [`Spec`], and the bytes to work on.
pub const SPEC: &str = "spec.json";
pub const SOURCE: &str = "source";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Verdict, poster, and the first thing that plays: the source's own pictures, a copy, or else the first rendition.
    Prepare,
    /// Of what plays as it came: the renditions, if any are worth it, in one decode, and the storyboard.
    Ladder,
    /// Of what the first rendition plays: the other renditions and the storyboard.
    OtherRungs,
    /// Tries what the jail must refuse, and says what happened.
    ProbeJail,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    pub task: Task,
    pub published: Published,
    /// Threads for one decoder or encoder.
    pub threads: u32,
    /// How far it steps back for others: 0 to 19.
    pub nice: i32,
    pub limits: Limits,
}

/// What earlier attempts at the same job have published: that is not made again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub rungs: Vec<PublishedRung>,
    /// The film too. Where it is not, and is to be made of one of these rungs, [`pieces`] has that one's segments.
    pub film: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedRung {
    pub name: String,
    /// Milliseconds of each segment.
    pub segments: Vec<i64>,
    pub complete: bool,
}

impl Published {
    pub fn rung(&self, name: &str) -> Option<&PublishedRung> {
        self.rungs.iter().find(|rung| rung.name == name)
    }

    pub fn is_complete(&self, name: &str) -> bool {
        self.rung(name).is_some_and(|rung| rung.complete)
    }
}

/// The file that holds a rendition's head and its segments, one behind the other.
pub fn pieces(rung: &str) -> String {
    format!("{rung}.pieces")
}

/// What the kernel holds the child to.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Limits {
    pub address_space: u64,
    pub cpu_seconds: u64,
    pub file_size: u64,
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { address_space: 4 << 30, cpu_seconds: 4 * 3600, file_size: 4 << 30, open_files: 64 }
    }
}

/// What the facts' `warnings` may hold. The child names them only; the sentences are written outside the jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum Warning {
    /// The file ends before the clip does.
    Cut {
        kept_ms: i64,
    },
    Black,
    NoSound,
    /// There is sound that nothing here reads.
    UnreadableSound,
    Silent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptionFile {
    pub language: Language,
    pub title: Option<String>,
    pub file: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Facts {
        width: u32,
        height: u32,
        duration_ms: i64,
        detail: serde_json::Value,
        /// Once all of its pictures were decoded.
        measures: Option<Measures>,
    },
    Poster {
        file: String,
    },
    Mp4 {
        file: String,
    },
    Rendition {
        name: String,
        width: u32,
        height: u32,
        bandwidth: i64,
        codecs: String,
        file: String,
    },
    Segment {
        name: String,
        n: i64,
        duration_ms: i64,
        file: String,
    },
    Complete {
        name: String,
        bandwidth: i64,
    },
    /// What is published of this rendition is cut or coded in another way than this child does it: nothing can follow it.
    Otherwise {
        name: String,
    },
    Storyboard {
        image: String,
        vtt: String,
    },
    Waveform {
        waveform: Waveform,
    },
    /// All tracks of captions there are in the film.
    Captions {
        tracks: Vec<CaptionFile>,
    },
    /// Still alive, and this far.
    Progress {
        percent: u32,
    },
    Refused {
        code: RefusalCode,
        /// Where the code is about it: ffmpeg's name of the codec, or the container's.
        codec: Option<String>,
    },
    Jail {
        refused: Vec<String>,
        allowed: Vec<String>,
    },
    /// The job is done; this is left for another.
    Done {
        left: Option<Task>,
    },
}
