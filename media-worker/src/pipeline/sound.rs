//! The source's sound on its way to AAC: even pieces, laid end to end from moment zero.

use ffmpeg_next as ff;
use ffmpeg_next::Rescale;
use weijia_signals::{Peaks, SoundSecond, Waveform};

use crate::encode::{SOUND_RATE, SoundEncoder};
use crate::ffi::{self, SoundSource};
use crate::graph::Graph;
use crate::plan::filters;
use crate::plan::pace::{Clock, TICKS};
use crate::probe::{Audio, MICROSECONDS, Result};

/// Where packets of sound go.
pub type Deliver<'a> = dyn FnMut(ff::Packet) -> Result<()> + 'a;

/// Writers lay sound and pictures at most this far apart. Where pictures lead by more, there is no sound, and they do
/// not wait for it.
const LEAD: i64 = 10 * TICKS;
/// A longer gap is not left to the resampler, which would hold all of it in memory.
const GAP: i64 = SOUND_RATE as i64;
/// Silence is made in pieces of this many samples.
const STEP: i64 = SOUND_RATE as i64;

const fn samples(ticks: i64) -> i64 {
    ticks.saturating_mul(8) / 15
}

pub struct Sound {
    pub index: usize,
    time_base: ff::Rational,
    origin: i64,
    channels: u32,
    decoder: ff::decoder::Opened,
    encoder: SoundEncoder,
    graph: Option<(SoundSource, Graph)>,
    /// The names of this clip's channels are of no use.
    forget_names: bool,
    clock: Clock,
    tape: Tape,
    peak: f32,
    /// What is measured, where that is asked for.
    measured: Option<Measured>,
    /// Where the last sound that was heard ends, in samples.
    heard: i64,
}

impl Sound {
    pub fn open(audio: &Audio, origin_us: i64, duration_ms: i64, kbps: u32, measure: bool) -> Result<Sound> {
        let encoder = SoundEncoder::open(audio.channels, kbps)?;
        let voices = if audio.channels == 1 { 1 } else { 2 };
        Ok(Sound {
            index: audio.index,
            time_base: audio.time_base,
            origin: origin_us.rescale(MICROSECONDS, audio.time_base),
            channels: audio.channels,
            decoder: ffi::decoder(&audio.parameters, audio.time_base, 1)?,
            tape: Tape::new(voices, encoder.samples() as usize),
            encoder,
            graph: None,
            forget_names: false,
            clock: Clock::new(duration_ms),
            peak: 0.0,
            measured: measure.then(Measured::new),
            heard: 0,
        })
    }

    /// What a muxer has to know of it.
    pub fn track(&self) -> ffi::Result<(ff::codec::Parameters, ff::Rational)> {
        Ok((self.encoder.parameters()?, self.encoder.time_base()))
    }

    /// Below this, nobody hears anything (-60 dB).
    pub fn is_silent(&self) -> bool {
        self.peak < 0.001
    }

    /// Once it is finished: second by second, and to be drawn.
    pub fn measures(&mut self) -> Option<(Vec<SoundSecond>, Option<Waveform>)> {
        self.measured.take().map(|measured| (measured.seconds.finish(), measured.peaks.finish()))
    }

    pub fn packet(&mut self, packet: &ff::Packet, deliver: &mut Deliver<'_>) -> Result<()> {
        let _ = self.decoder.send_packet(packet);
        self.frames(deliver)
    }

    /// The pictures have come this far, in ticks: sound that is much behind is not to come.
    pub fn keep_up(&mut self, pictures: i64, deliver: &mut Deliver<'_>) -> Result<()> {
        self.silence(samples(pictures - LEAD), deliver)
    }

    fn frames(&mut self, deliver: &mut Deliver<'_>) -> Result<()> {
        let mut frame = ff::frame::Audio::empty();
        while self.decoder.receive_frame(&mut frame).is_ok() {
            let at = frame.timestamp().or(frame.pts());
            frame.set_pts(at);
            if let Some(at) = at {
                let us = at.saturating_sub(self.origin).rescale(self.time_base, MICROSECONDS);
                if !self.clock.accepts(us) {
                    continue;
                }
                let at = us.rescale(MICROSECONDS, ff::Rational(1, SOUND_RATE as i32));
                if at.saturating_sub(self.tape.end()) > GAP {
                    self.close_graph(deliver)?;
                    self.silence(at, deliver)?;
                }
            }
            self.mix(&mut frame, deliver)?;
        }
        Ok(())
    }

    fn mix(&mut self, frame: &mut ff::frame::Audio, deliver: &mut Deliver<'_>) -> Result<()> {
        let mut source = ffi::sound_source(frame, self.time_base, self.forget_names)?;
        if self.graph.as_ref().is_none_or(|(of, _)| *of != source) {
            self.close_graph(deliver)?;
            let mut graph = self.open_graph(&source);
            if graph.is_err() && !self.forget_names {
                // A layout that the resampler cannot mix down.
                self.forget_names = true;
                source = ffi::sound_source(frame, self.time_base, true)?;
                graph = self.open_graph(&source);
            }
            self.graph = Some((source, graph?));
        }
        if let Some((_, graph)) = self.graph.as_mut() {
            graph.push(frame)?;
        }
        self.collect(deliver)
    }

    fn open_graph(&self, source: &SoundSource) -> ffi::Result<Graph> {
        let text = filters::sound_graph(self.origin, source.rate, self.channels, source.unnamed, self.tape.end());
        Graph::sound(&source.text, &text)
    }

    /// What is still inside comes out; the next graph goes on behind it.
    fn close_graph(&mut self, deliver: &mut Deliver<'_>) -> Result<()> {
        if let Some((_, graph)) = self.graph.as_mut() {
            graph.end()?;
            self.collect(deliver)?;
            self.graph = None;
        }
        Ok(())
    }

    fn collect(&mut self, deliver: &mut Deliver<'_>) -> Result<()> {
        while let Some(frame) = self.graph.as_mut().and_then(|(_, graph)| graph.sound_frame()) {
            for n in 0..self.tape.voices.len() {
                self.peak = frame.plane::<f32>(n).iter().fold(self.peak, |peak, sample| peak.max(sample.abs()));
            }
            if self.tape.lay(&frame) {
                self.heard = self.tape.end();
            }
            self.encode(false, deliver)?;
        }
        Ok(())
    }

    fn silence(&mut self, until: i64, deliver: &mut Deliver<'_>) -> Result<()> {
        while self.tape.end() < until {
            self.tape.silence(until.min(self.tape.end() + STEP));
            self.encode(false, deliver)?;
        }
        Ok(())
    }

    fn encode(&mut self, rest_too: bool, deliver: &mut Deliver<'_>) -> Result<()> {
        while let Some(piece) = self.tape.piece(rest_too)? {
            if let Some(measured) = self.measured.as_mut() {
                let heard = loudest(&piece, self.tape.voices.len());
                measured.seconds.hear(&heard);
                measured.peaks.hear(&heard);
            }
            self.encoder.push(&piece)?;
            while let Some(packet) = self.encoder.packet() {
                deliver(packet)?;
            }
        }
        Ok(())
    }

    /// No packets follow. The sound is as long as the pictures at least, which end at this tick. Answers where both end:
    /// while there is sound to hear, the last picture stands.
    pub fn finish(&mut self, pictures: i64, deliver: &mut Deliver<'_>) -> Result<i64> {
        let _ = self.decoder.send_eof();
        self.frames(deliver)?;
        self.close_graph(deliver)?;
        if samples(pictures) - self.tape.end() > GAP / 4 {
            self.silence(samples(pictures), deliver)?;
        }
        self.encode(true, deliver)?;
        self.encoder.end()?;
        while let Some(packet) = self.encoder.packet() {
            deliver(packet)?;
        }
        let heard = self.heard * 15 / 8;
        // Sound is cut in coarser pieces: a little more is none.
        Ok(if heard - pictures > TICKS / 4 { heard } else { pictures })
    }
}

struct Measured {
    seconds: weijia_signals::Sound,
    peaks: Peaks,
}

impl Measured {
    fn new() -> Measured {
        Measured { seconds: weijia_signals::Sound::new(SOUND_RATE as usize), peaks: Peaks::new(SOUND_RATE) }
    }
}

/// At each moment what is louder of the channels: a voice on one side only is heard as well.
fn loudest(piece: &ff::frame::Audio, voices: usize) -> Vec<f32> {
    let first = piece.plane::<f32>(0);
    if voices < 2 {
        return first.to_vec();
    }
    let louder = |(a, b): (&f32, &f32)| if b.abs() > a.abs() { *b } else { *a };
    first.iter().zip(piece.plane::<f32>(1)).map(louder).collect()
}

/// Samples that were not yet cut into pieces, one list for each voice.
struct Tape {
    voices: Vec<Vec<f32>>,
    piece: usize,
    /// So many samples went before these.
    begun: i64,
}

impl Tape {
    fn new(voices: usize, piece: usize) -> Tape {
        Tape { voices: vec![Vec::new(); voices], piece: piece.max(1), begun: 0 }
    }

    fn end(&self) -> i64 {
        self.begun + self.voices[0].len() as i64
    }

    /// Lays a frame where it belongs. What would lie over something else comes too late; false when that is all of it.
    fn lay(&mut self, frame: &ff::frame::Audio) -> bool {
        let before = self.end();
        let late = frame.pts().map_or(0, |at| self.end().saturating_sub(at)).max(0) as usize;
        for (n, voice) in self.voices.iter_mut().enumerate() {
            voice.extend_from_slice(frame.plane::<f32>(n).get(late..).unwrap_or_default());
        }
        self.end() > before
    }

    fn silence(&mut self, until: i64) {
        let missing = (until - self.end()).max(0) as usize;
        for voice in &mut self.voices {
            voice.resize(voice.len() + missing, 0.0);
        }
    }

    fn piece(&mut self, rest_too: bool) -> ffi::Result<Option<ff::frame::Audio>> {
        let there = self.voices[0].len();
        if there == 0 || (there < self.piece && !rest_too) {
            return Ok(None);
        }
        let n = self.piece.min(there);
        let voices: Vec<&[f32]> = self.voices.iter().map(|v| &v[..n]).collect();
        let mut frame = ffi::sound_frame(&voices, SOUND_RATE)?;
        frame.set_pts(Some(self.begun));
        for voice in &mut self.voices {
            voice.drain(..n);
        }
        self.begun += n as i64;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(at: i64, values: &[f32]) -> ff::frame::Audio {
        let mut frame = ffi::sound_frame(&[values], SOUND_RATE).unwrap();
        frame.set_pts(Some(at));
        frame
    }

    #[test]
    fn a_tape_has_no_gaps_and_no_overlaps() {
        let mut tape = Tape::new(1, 4);
        assert!(tape.lay(&frame(0, &[1.0, 2.0, 3.0])));
        assert!(tape.piece(false).unwrap().is_none());
        tape.silence(6);
        tape.silence(2);
        assert!(tape.lay(&frame(4, &[9.0, 9.0, 7.0, 8.0])));
        assert!(!tape.lay(&frame(1, &[9.0])));
        let mut all = Vec::new();
        while let Some(piece) = tape.piece(true).unwrap() {
            assert_eq!(piece.pts(), Some(all.len() as i64));
            all.extend_from_slice(piece.plane::<f32>(0));
        }
        assert_eq!(all, [1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 7.0, 8.0]);
    }

    #[test]
    fn ticks_and_samples_agree() {
        assert_eq!((samples(TICKS), samples(3_000)), (48_000, 1_600));
    }
}
