//! What a child says is a stranger's word: it read a stranger's bytes. Nothing of it reaches a key, a playlist, a row or
//! a person before it was found to be what an honest child says. Pure.

use std::collections::HashMap;

use weijia_core::job::JobKind;
use weijia_core::{caption, text};

use crate::plan::Size;
use crate::plan::ladder;
use crate::probe::MAX_DURATION_MS;
use crate::protocol::{CaptionFile, Event, Published, PublishedRung, Task, Warning};
use crate::signals;

/// A picture's side, as far as anything here reads one.
const MAX_SIDE: u32 = 16_384;
/// The longest side of a picture that is made here.
const MAX_MADE_SIDE: u32 = 1920;
const MAX_SEGMENT_MS: i64 = 10_000;
const MAX_SEGMENTS: i64 = 400;
const MAX_BANDWIDTH: i64 = 200_000_000;
const MAX_WARNINGS: usize = 8;
/// The longest clip, and what a container may round.
const MAX_SECONDS: usize = MAX_DURATION_MS as usize / 1000 + 60;
/// Of the facts that are kept as they come, for staff.
const MAX_DETAIL: usize = 8 << 10;
/// What may be made of any source, however small.
const SMALLEST_ALLOWANCE: u64 = 64 << 20;
/// All that one job encodes of a second of film, at its caps, and the first rung's film besides: a source that is far
/// better packed may need it.
const BYTES_PER_SECOND: u64 = 5_200_000 / 8;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the child broke the rules: {0}")]
pub struct Breach(String);

type Result<T> = std::result::Result<T, Breach>;

fn breach<T>(what: impl Into<String>) -> Result<T> {
    Err(Breach(what.into()))
}

/// What one job's child has said so far.
pub struct Vet {
    source_bytes: u64,
    stored: u64,
    shown: Option<Size>,
    duration_ms: i64,
    rungs: HashMap<String, Rung>,
    warned: Vec<&'static str>,
}

#[derive(Default)]
struct Rung {
    /// This child has said that it makes it.
    told: bool,
    segments: i64,
    complete: bool,
}

impl Vet {
    /// `known`: size and duration that an earlier job of the same source was believed.
    pub fn new(source_bytes: u64, known: Option<(Size, i64)>) -> Vet {
        let (shown, duration_ms) = known.map_or((None, 0), |(size, ms)| (Some(size), ms));
        Vet { source_bytes, stored: 0, shown, duration_ms, rungs: HashMap::new(), warned: Vec::new() }
    }

    /// Of a child that goes on behind what earlier attempts have published and stored.
    pub fn behind(self, published: &Published, stored: u64) -> Vet {
        let rung = |rung: &PublishedRung| {
            (rung.name.clone(), Rung { told: false, segments: rung.segments.len() as i64, complete: rung.complete })
        };
        Vet { rungs: published.rungs.iter().map(rung).collect(), stored, ..self }
    }

    /// The event, if it can be one of an honest child, with sentences of ours in place of its warnings.
    pub fn admit(&mut self, event: Event) -> Result<Event> {
        match &event {
            Event::Facts { width, height, duration_ms, detail, measures } => {
                let (width, height, duration_ms) = (*width, *height, *duration_ms);
                let detail = self.facts(Size { width, height }, duration_ms, detail)?;
                let measures = measures.clone();
                let sound = measures.as_ref().and_then(|measures| measures.sound.as_ref());
                let longest = measures.as_ref().map_or(0, |m| m.pictures.len()).max(sound.map_or(0, Vec::len));
                if longest > MAX_SECONDS {
                    return breach(format!("measures of {longest} seconds"));
                }
                return Ok(Event::Facts { width, height, duration_ms, detail, measures });
            }
            Event::Rendition { name, width, height, bandwidth, codecs, .. } => {
                self.rendition(name, Size { width: *width, height: *height }, *bandwidth, codecs)?;
            }
            Event::Segment { name, n, duration_ms, .. } => self.segment(name, *n, *duration_ms)?,
            Event::Complete { name, bandwidth } => self.complete(name, *bandwidth)?,
            Event::Otherwise { name } if !self.rungs.contains_key(name) => {
                return breach(format!("{} otherwise than nothing", short(name)));
            }
            Event::Refused { codec: Some(codec), .. } if !is_codec(codec) => {
                return breach(format!("a codec {}", short(codec)));
            }
            Event::Progress { percent } if *percent > 100 => return breach(format!("{percent} %")),
            Event::Waveform { waveform } if !waveform.is_sound() => return breach("a waveform that is none"),
            Event::Captions { tracks } => captions(tracks)?,
            Event::Jail { .. } => return breach("a job that looks at the jail"),
            Event::Poster { .. }
            | Event::Mp4 { .. }
            | Event::Otherwise { .. }
            | Event::Storyboard { .. }
            | Event::Waveform { .. }
            | Event::Progress { .. }
            | Event::Refused { .. }
            | Event::Done { .. } => {}
        }
        Ok(event)
    }

    /// How long the clip is, as far as it was told.
    pub fn duration_ms(&self) -> i64 {
        self.duration_ms
    }

    /// What the last facts warn of.
    pub fn warned(&self) -> &[&'static str] {
        &self.warned
    }

    /// Counts what is about to be stored.
    pub fn count(&mut self, bytes: u64) -> Result<()> {
        self.stored = self.stored.saturating_add(bytes);
        let most = allowance(self.source_bytes, self.duration_ms);
        if self.stored > most { breach(format!("more than {most} bytes of {}", self.source_bytes)) } else { Ok(()) }
    }

    fn facts(&mut self, shown: Size, duration_ms: i64, detail: &serde_json::Value) -> Result<serde_json::Value> {
        let side = 1..=MAX_SIDE;
        if !side.contains(&shown.width) || !side.contains(&shown.height) {
            return breach(format!("a picture of {}x{}", shown.width, shown.height));
        }
        if !(0..=2 * MAX_DURATION_MS).contains(&duration_ms) {
            return breach(format!("a duration of {duration_ms} ms"));
        }
        if self.shown.is_some_and(|before| before != shown) && self.rungs.values().any(|rung| rung.told) {
            return breach("a picture that changed its size");
        }
        let mut detail = detail.clone();
        let Some(fields) = detail.as_object_mut() else { return breach("facts without fields") };
        let codes = fields.remove("warnings").unwrap_or_else(|| serde_json::json!([]));
        let Ok(warnings) = serde_json::from_value::<Vec<Warning>>(codes) else {
            return breach("a warning that is none of ours");
        };
        if warnings.len() > MAX_WARNINGS {
            return breach("too many warnings");
        }
        self.warned = warnings.iter().map(|warning| signals::code(*warning)).collect();
        let sentences: Vec<String> = warnings.into_iter().map(signals::sentence).collect();
        fields.insert("warnings".into(), sentences.into());
        fields.remove("hints");
        if detail.to_string().len() > MAX_DETAIL {
            return breach("too many facts");
        }
        (self.shown, self.duration_ms) = (Some(shown), duration_ms);
        Ok(detail)
    }

    fn rendition(&mut self, name: &str, size: Size, bandwidth: i64, codecs: &str) -> Result<()> {
        let Some(shown) = self.shown else { return breach("a rendition before the facts") };
        if !is_planned(name, shown) {
            return breach(format!("a rendition named {}", short(name)));
        }
        if self.rungs.get(name).is_some_and(|rung| rung.told || rung.complete) {
            return breach(format!("{name} twice"));
        }
        if !fits(size, shown) {
            let (w, h) = (size.width, size.height);
            return breach(format!("a rendition of {w}x{h} of {}x{}", shown.width, shown.height));
        }
        if !is_codecs(codecs) {
            return breach(format!("codecs {}", short(codecs)));
        }
        rate(bandwidth)?;
        self.rungs.entry(name.to_owned()).or_default().told = true;
        Ok(())
    }

    fn segment(&mut self, name: &str, n: i64, duration_ms: i64) -> Result<()> {
        let rung = self.growing(name)?;
        if !rung.told {
            return breach(format!("a segment of {name}, which did not begin"));
        }
        if n != rung.segments || n >= MAX_SEGMENTS {
            return breach(format!("segment {n} of {name} after {}", rung.segments));
        }
        if !(1..=MAX_SEGMENT_MS).contains(&duration_ms) {
            return breach(format!("a segment of {duration_ms} ms"));
        }
        rung.segments += 1;
        Ok(())
    }

    fn complete(&mut self, name: &str, bandwidth: i64) -> Result<()> {
        rate(bandwidth)?;
        let rung = self.growing(name)?;
        if rung.segments == 0 {
            return breach(format!("{name} is complete without a segment"));
        }
        rung.complete = true;
        Ok(())
    }

    fn growing(&mut self, name: &str) -> Result<&mut Rung> {
        match self.rungs.get_mut(name) {
            Some(rung) if !rung.complete => Ok(rung),
            _ => breach(format!("more of {}, which does not grow", short(name))),
        }
    }
}

/// How many bytes may be stored of a source: in proportion to it, and never less than its length in time may need.
pub fn allowance(source_bytes: u64, duration_ms: i64) -> u64 {
    let by_size = source_bytes.saturating_mul(8) / 5;
    let by_time = duration_ms.clamp(0, MAX_DURATION_MS) as u64 * BYTES_PER_SECOND / 1000;
    by_size.max(by_time).max(SMALLEST_ALLOWANCE)
}

/// The job that follows one of this kind, if what the child says is left for it can be: one after the first, and none
/// after that.
pub fn next(done: JobKind, left: Option<Task>) -> Result<Option<JobKind>> {
    let next = match (done, left) {
        (JobKind::Prepare, Some(Task::Ladder)) => Some(JobKind::Ladder),
        (JobKind::Prepare, Some(Task::OtherRungs)) => Some(JobKind::OtherRungs),
        (JobKind::Ladder | JobKind::OtherRungs, None) => None,
        _ => return breach(format!("{left:?} is left after {}", done.as_str())),
    };
    Ok(next)
}

fn captions(tracks: &[CaptionFile]) -> Result<()> {
    if tracks.len() > caption::MAX_TRACKS {
        return breach(format!("{} tracks of captions", tracks.len()));
    }
    let is_title = |title: &String| title.chars().count() <= caption::MAX_TITLE && text::one_line(title) == *title;
    match tracks.iter().filter_map(|track| track.title.as_ref()).find(|title| !is_title(title)) {
        Some(title) => breach(format!("a title {}", short(title))),
        None => Ok(()),
    }
}

/// A rung of the ladder, or the source's own.
fn is_planned(name: &str, shown: Size) -> bool {
    name.bytes().all(|b| b.is_ascii_digit())
        && (ladder::rungs(shown).iter().any(|rung| rung.name == name) || shown.short().to_string() == name)
}

/// What is encoded here has even sides within bounds; what is copied is as large as its source.
fn fits(size: Size, shown: Size) -> bool {
    let made =
        [size.width, size.height].iter().all(|side| side.is_multiple_of(2) && (2..=MAX_MADE_SIDE).contains(side));
    made || size == shown
}

/// RFC 6381's names of H.264 and AAC-LC, as they stand in a playlist.
fn is_codecs(text: &str) -> bool {
    let picture = text.strip_suffix(",mp4a.40.2").unwrap_or(text);
    let hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    picture.strip_prefix("avc1.").is_some_and(|sps| sps.len() == 6 && sps.bytes().all(hex))
}

/// A codec's name, as ffmpeg or a container has it.
fn is_codec(name: &str) -> bool {
    (1..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn rate(bandwidth: i64) -> Result<()> {
    if (1..=MAX_BANDWIDTH).contains(&bandwidth) { Ok(()) } else { breach(format!("{bandwidth} bits a second")) }
}

/// For staff to read, and for no terminal to obey.
fn short(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
#[path = "vet_tests.rs"]
mod tests;
