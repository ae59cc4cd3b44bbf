//! From packets to files: renditions in fragments.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ffmpeg_next as ff;
use ffmpeg_next::Rescale;

use crate::avc;
use crate::encode::SOUND_RATE;
use crate::ffi::{self, MediaError, Muxer, Result, Sink};
use crate::pipeline::Emit;
use crate::plan::ladder::Rung;
use crate::plan::pace::{TICKS, milliseconds};
use crate::protocol::Event;

/// A file is whole when it has its name.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    Ok(fs::rename(part, path)?)
}

pub const PICTURES: usize = 0;
pub const SOUND: usize = 1;

/// Which packets of a rendition come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    All,
    /// Those of the segments that are not published. The pictures before them are told by [`Fragments::skip`].
    Rest,
}

/// A rendition in fragments: pictures and sound in one file per segment, cut at key frames. Packets of pictures count ticks.
pub struct Fragments {
    muxer: Muxer,
    folder: PathBuf,
    /// All there is of it, head first, in one file.
    pieces: Option<fs::File>,
    rung: Rung,
    /// Milliseconds of the segments that an earlier attempt has published: nothing is said of these but where they differ.
    published: Vec<i64>,
    has_head: bool,
    codecs: String,
    /// Packets of the segment that is growing and, of sound, beyond.
    pictures: Vec<ff::Packet>,
    sound: VecDeque<ff::Packet>,
    /// Sound before this sample is in segments that are published.
    sound_from: i64,
    has_sound: bool,
    sound_ended: bool,
    /// Cuts that wait for their sound: the tick at which the segment ends, and its pictures.
    waiting: VecDeque<(i64, Vec<ff::Packet>)>,
    /// How long before it is shown the first picture is decoded.
    lead: Option<i64>,
    started: i64,
    next: usize,
    peak: i64,
}

impl Fragments {
    pub fn new(
        scratch: &Path,
        rung: &Rung,
        pictures: (&ff::codec::Parameters, ff::Rational),
        sound: Option<(&ff::codec::Parameters, ff::Rational)>,
        published: &[i64],
        fed: Fed,
    ) -> Result<Fragments> {
        let folder = scratch.join(&rung.name);
        fs::create_dir_all(&folder)?;
        let mut codecs =
            avc::avc_name(&ffi::extradata(pictures.0)).ok_or(MediaError::Other("x264 gave no parameter sets"))?;
        if sound.is_some() {
            codecs += ",mp4a.40.2";
        }
        let tracks: Vec<_> = std::iter::once(pictures).chain(sound).collect();
        // The head is written late, when the first packets have told how far decoding runs ahead of showing: an edit
        // list in it lets pictures and sound of every rendition begin at moment zero.
        let flags = "+frag_custom+delay_moov+default_base_moof+skip_trailer";
        let skipped = if fed == Fed::Rest { published.len() } else { 0 };
        // As if all that goes before the first packets had gone through it.
        let flags = if skipped > 0 { format!("{flags}+frag_discont") } else { flags.to_owned() };
        let number = (skipped + 1).to_string();
        let options = [("movflags", &*flags), ("fragment_index", &*number)];
        Ok(Fragments {
            muxer: Muxer::new(Sink::Memory, &tracks, &options)?,
            folder,
            pieces: None,
            rung: rung.clone(),
            published: published.to_owned(),
            has_head: false,
            codecs,
            pictures: Vec::new(),
            sound: VecDeque::new(),
            sound_from: 0,
            has_sound: sound.is_some(),
            sound_ended: false,
            waiting: VecDeque::new(),
            lead: None,
            started: 0,
            next: 0,
            peak: 0,
        })
    }

    /// Keeps all of it in this file too, behind what is published.
    pub fn keep_pieces(&mut self, path: &Path) -> Result<()> {
        self.pieces = Some(fs::File::options().create(true).append(true).open(path)?);
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.pieces.as_mut().map_or(Ok(()), |pieces| pieces.write_all(bytes))?)
    }

    fn head(&mut self, emit: &mut Emit<'_>) -> Result<()> {
        let bytes = self.muxer.take()?;
        self.has_head = true;
        if self.published.is_empty() {
            self.keep(&bytes)?;
        }
        write_whole(&self.folder.join("init.mp4"), &bytes)?;
        let rung = &self.rung;
        emit(Event::Rendition {
            name: rung.name.clone(),
            width: rung.size.width,
            height: rung.size.height,
            bandwidth: i64::from(rung.max_kbps + 100) * 1100,
            codecs: self.codecs.clone(),
            file: format!("{}/init.mp4", rung.name),
        })
    }

    /// Whether a segment of it is out.
    pub fn any_is_out(&self) -> bool {
        self.next > 0 || !self.published.is_empty()
    }

    /// How many of its segments are published.
    pub fn published(&self) -> usize {
        self.published.len()
    }

    /// A picture of a segment that is published.
    pub fn skip(&mut self, at: i64, opens: bool, emit: &mut Emit<'_>) -> Result<()> {
        if opens && at > self.started {
            self.pass_over(at, milliseconds(at), emit)?;
        }
        self.skip_sound(at);
        Ok(())
    }

    fn skip_sound(&mut self, until: i64) {
        self.sound_from = sound_moment(until);
        while self.sound.front().is_some_and(|packet| packet.pts().unwrap_or(0) < self.sound_from) {
            self.sound.pop_front();
        }
    }

    /// A segment that is published ends there.
    fn pass_over(&mut self, end: i64, end_ms: i64, emit: &mut Emit<'_>) -> Result<()> {
        self.compare(end_ms - milliseconds(self.started), emit)?;
        (self.started, self.next) = (end, self.next + 1);
        Ok(())
    }

    /// Cut at other moments, as another build may, nothing that is made here continues what is published.
    fn compare(&self, length: i64, emit: &mut Emit<'_>) -> Result<()> {
        match self.published.get(self.next) {
            Some(published) if *published != length => self.otherwise(emit),
            _ => Ok(()),
        }
    }

    fn otherwise(&self, emit: &mut Emit<'_>) -> Result<()> {
        emit(Event::Otherwise { name: self.rung.name.clone() })?;
        Err(MediaError::Other("what is published was cut otherwise"))
    }

    /// `opens`: a segment begins with it.
    pub fn picture(&mut self, packet: ff::Packet, opens: bool, emit: &mut Emit<'_>) -> Result<()> {
        if opens && !self.pictures.is_empty() {
            self.close(packet.dts());
            let pictures = std::mem::take(&mut self.pictures);
            self.waiting.push_back((packet.pts().unwrap_or(0), pictures));
        }
        if self.lead.is_none() {
            let at = packet.pts().unwrap_or(0);
            self.lead = Some(at - packet.dts().unwrap_or(at));
            if at > self.started {
                self.pass_over(at, milliseconds(at), emit)?;
                self.skip_sound(at);
            }
        }
        self.pictures.push(packet);
        self.cut(emit)
    }

    /// The last picture of a segment is decoded until the next one's turn: there the next segment begins. Where many
    /// pictures come at once just before it, they are decoded earlier.
    fn close(&mut self, next: Option<i64>) {
        let (Some(next), Some(last)) = (next, self.pictures.pop()) else { return };
        let mut latest = next;
        self.pictures.push(until(last, next));
        for packet in self.pictures.iter_mut().rev() {
            let Some(decoded) = packet.dts().filter(|decoded| *decoded >= latest) else { break };
            latest = decoded.min(latest - 1);
            packet.set_dts(Some(latest));
        }
    }

    pub fn sound(&mut self, packet: ff::Packet, emit: &mut Emit<'_>) -> Result<()> {
        if packet.pts().is_some_and(|at| at < self.sound_from) {
            return Ok(());
        }
        self.sound.push_back(packet);
        self.cut(emit)
    }

    /// Writes the segments whose pictures and sound are all there.
    fn cut(&mut self, emit: &mut Emit<'_>) -> Result<()> {
        while let Some((end, _)) = self.waiting.front() {
            let end = *end;
            let until = sound_moment(end);
            let reached = self.sound.back().is_some_and(|p| p.pts().unwrap_or(0) >= until);
            if self.has_sound && !self.sound_ended && !reached {
                return Ok(());
            }
            let Some((_, pictures)) = self.waiting.pop_front() else { return Ok(()) };
            let here = self.sound.iter().take_while(|p| p.pts().unwrap_or(0) < until).count();
            let sound: Vec<ff::Packet> = self.sound.drain(..here).collect();
            self.segment(pictures, sound, end, false, emit)?;
        }
        Ok(())
    }

    fn segment(
        &mut self,
        pictures: Vec<ff::Packet>,
        sound: Vec<ff::Packet>,
        end: i64,
        is_last: bool,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        let last_sound = sound.last().filter(|_| is_last).map_or(0, end_of_sound);
        for mut packet in pictures {
            self.muxer.write(PICTURES, &mut packet)?;
        }
        for mut packet in sound {
            self.muxer.write(SOUND, &mut packet)?;
        }
        if !self.has_head {
            self.head(emit)?;
        }
        let bytes = self.muxer.take()?;
        let begin_ms = milliseconds(self.started);
        let duration_ms = (milliseconds(end).max(last_sound) - begin_ms).max(1);
        self.compare(duration_ms, emit)?;
        let (name, n) = (self.rung.name.clone(), self.next);
        (self.started, self.next) = (end, n + 1);
        if n < self.published.len() {
            return Ok(());
        }
        self.keep(&bytes)?;
        let file = format!("{n:05}.m4s");
        write_whole(&self.folder.join(&file), &bytes)?;
        self.peak = self.peak.max(bits_a_second(bytes.len() as i64, duration_ms));
        emit(Event::Segment { file: format!("{name}/{file}"), name, n: n as i64, duration_ms })
    }

    pub fn end_of_sound(&mut self) {
        self.sound_ended = true;
    }

    /// After the last packet. `end` is the tick behind the last picture.
    pub fn finish(mut self, end: i64, emit: &mut Emit<'_>) -> Result<()> {
        self.sound_ended = true;
        match self.lead {
            Some(lead) => {
                end_by(&mut self.pictures, end, end - lead);
                self.close(Some(end - lead));
                self.cut(emit)?;
                let pictures = std::mem::take(&mut self.pictures);
                let sound: Vec<ff::Packet> = self.sound.drain(..).collect();
                self.segment(pictures, sound, end, true, emit)?;
            }
            // All of it is published.
            None => {
                let end_ms = milliseconds(end).max(self.sound.back().map_or(0, end_of_sound));
                self.pass_over(end, end_ms, emit)?;
            }
        }
        if self.next < self.published.len() {
            return self.otherwise(emit);
        }
        emit(Event::Complete { name: self.rung.name.clone(), bandwidth: self.peak.max(1) })
    }
}

/// Milliseconds.
fn end_of_sound(packet: &ff::Packet) -> i64 {
    (packet.pts().unwrap_or(0) + packet.duration().max(1024)) / 48
}

/// A picture that is decoded until the next one's turn.
pub fn until(mut packet: ff::Packet, next: i64) -> ff::Packet {
    packet.set_duration((next - packet.dts().unwrap_or(next)).max(1));
    packet
}

/// Players take the time until the next picture is decoded for the time that this one is shown, and wait at the end of the
/// film for all of it. So who would go beyond the end by that is decoded later. `next`: when what follows would be.
fn end_by(pictures: &mut [ff::Packet], end: i64, next: i64) {
    let mut next = next;
    for packet in pictures.iter_mut().rev() {
        let (Some(shown), Some(decoded)) = (packet.pts(), packet.dts()) else { return };
        let decoded = decoded.max(next - (end - shown).max(1));
        packet.set_dts(Some(decoded));
        next = decoded;
    }
}

fn sound_moment(ticks: i64) -> i64 {
    ticks.rescale(ff::Rational(1, TICKS as i32), ff::Rational(1, SOUND_RATE as i32))
}

/// Never a bit below what a player will measure.
pub fn bits_a_second(bytes: i64, duration_ms: i64) -> i64 {
    (bytes.saturating_mul(8000) as u64).div_ceil(duration_ms.max(500) as u64) as i64
}
