//! The tracks of captions that come in a film, as WebVTT on the clip's own time. What is odd about one never matters to
//! the film: it is left out.

use std::path::Path;

use ffmpeg_next as ff;
use weijia_core::caption::{self, Cue, CueText, Language, MAX_BYTES, MAX_CUE_CHARS, MAX_CUES, MAX_TITLE, MAX_TRACKS};
use weijia_core::text;

use crate::ffi::{self, CaptionDecoder};
use crate::probe::{self, Source};

/// How long words stay of which nobody says it.
const STAYS_MS: i64 = 4_000;

pub struct Captions {
    pub language: Language,
    pub title: Option<String>,
    pub vtt: String,
}

struct Track {
    index: usize,
    time_base: ff::Rational,
    decoder: CaptionDecoder,
    language: Language,
    title: Option<String>,
    cues: Vec<Cue>,
    bytes: usize,
}

/// A pass of its own over a film that has any: it reads nothing but them.
pub fn read(path: &Path, source: &Source, length_ms: i64) -> ffi::Result<Vec<Captions>> {
    let mut tracks = tracks(&source.input);
    if tracks.is_empty() {
        return Ok(Vec::new());
    }
    // Where an edit list begins in the middle of a text, ffmpeg puts all that follow at a wrong moment, unless it takes
    // the list for a mere shift.
    let is_mov = source.input.format().name().split(',').any(|name| name == "mov");
    let mut input = ffi::open_with(path, if is_mov { &[("advanced_editlist", "0")] } else { &[] })?;
    ffi::read_only(&mut input, &tracks.iter().map(|track| track.index).collect::<Vec<_>>());
    let mut packet = ff::Packet::empty();
    while probe::next_packet(&mut input, &mut packet) {
        if let Some(track) = tracks.iter_mut().find(|track| track.index == packet.stream()) {
            track.take(&mut packet, source.origin_us, length_ms);
        }
    }
    Ok(tracks.into_iter().filter(|track| !track.cues.is_empty()).map(Track::finish).collect())
}

fn tracks(input: &ff::format::context::Input) -> Vec<Track> {
    let texts = input.streams().filter(|stream| CaptionDecoder::reads(stream.parameters().id()));
    let track = |stream: ff::format::stream::Stream<'_>| {
        let said = stream.metadata();
        let title = said.get("title").map(|title| text::one_line(title).chars().take(MAX_TITLE).collect::<String>());
        let title = title.map(|title| text::one_line(&title));
        Some(Track {
            index: stream.index(),
            time_base: stream.time_base(),
            decoder: CaptionDecoder::open(&stream.parameters(), stream.time_base()).ok()?,
            language: Language::of_track(said.get("language")),
            title: title.filter(|title| !title.is_empty()),
            cues: Vec::new(),
            bytes: 0,
        })
    };
    texts.filter_map(track).take(MAX_TRACKS).collect()
}

impl Track {
    fn take(&mut self, packet: &mut ff::Packet, origin_us: i64, length_ms: i64) {
        let Some(at) = packet.pts().or(packet.dts()) else { return };
        if self.cues.len() >= MAX_CUES || self.bytes >= MAX_BYTES || packet.size() > MAX_BYTES {
            return;
        }
        let Ok(words) = self.decoder.decode(packet) else { return };
        let start_ms = (probe::moment(at, self.time_base, origin_us) + 500).div_euclid(1000);
        let end_ms = start_ms.saturating_add(words.stays_ms.unwrap_or(STAYS_MS));
        for line in words.lines {
            let text = CueText::of_ass(&line);
            let length = text.as_str().chars().count();
            if length <= MAX_CUE_CHARS && self.cues.len() < MAX_CUES {
                // With its times.
                self.bytes += text.as_str().len() + 40;
                self.cues.extend(Cue::within(start_ms, end_ms, text, length_ms));
            }
        }
    }

    fn finish(mut self) -> Captions {
        // One cue may have gone over.
        if self.bytes > MAX_BYTES {
            self.cues.pop();
        }
        Captions { language: self.language, title: self.title, vtt: caption::write(&self.cues) }
    }
}
