//! One decode of a source into renditions, and whatever else wants to see its pictures.

use std::path::Path;
use std::time::{Duration, Instant};

use ffmpeg_next as ff;
use ffmpeg_next::Rescale;
use weijia_core::clip::refusal::RefusalCode;

use crate::encode::{PictureEncoder, SoundEncoder};
use crate::ffi::{self, MediaError};
use crate::graph::Graph;
use crate::package::{Film, Fragments};
use crate::plan::{self, Beat, Clock, Colours, Output, Rung, Size};
use crate::probe::{Audio, Failure, MAX_DURATION_MS, MICROSECONDS, Result, Source, Video};
use crate::protocol::Event;
use crate::signals::Signals;
use crate::thumbnail::Storyboard;

pub type Emit<'a> = dyn FnMut(Event) -> ffi::Result<()> + 'a;

/// A last picture is not shown for longer than this many beats: beyond it, the container is wrong.
const LONGEST_STILL: i64 = 30 * 30;

/// What to make in one decode.
pub struct Order<'a> {
    pub scratch: &'a Path,
    /// The largest first.
    pub rungs: &'a [Rung],
    /// Also write the last rung as one film to this path.
    pub film: Option<&'a Path>,
    pub storyboard: Option<&'a mut Storyboard>,
    pub threads: u32,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    pub duration_ms: i64,
    pub black: bool,
    pub silent: bool,
}

/// One rendition in the making.
struct Line {
    encoder: PictureEncoder,
    fragments: Fragments,
}

struct Run<'a, 'e> {
    order: Order<'a>,
    emit: &'e mut Emit<'e>,
    outputs: Vec<Size>,
    lines: Vec<Line>,
    film: Option<Film>,
    beat: Beat,
    clock: Clock,
    graph: Option<(String, Graph)>,
    /// The pictures of the last beat, for beats that the source leaves out.
    last: Vec<ff::frame::Video>,
    signals: Signals,
    /// Where the last picture ends.
    end_us: i64,
    duration_ms: i64,
    told: Instant,
}

pub fn run(source: &mut Source, order: Order<'_>, emit: &mut Emit<'_>) -> Result<Made> {
    let video = &source.video;
    let mut sound = source
        .audio
        .as_ref()
        .filter(|_| !order.rungs.is_empty())
        .map(|a| Sound::open(a, source.origin_us))
        .transpose()?;
    let rate = video.rate;
    let (mut lines, mut film) = (Vec::new(), None);
    let sound_track = sound.as_ref().map(|s| s.encoder.parameters().map(|p| (p, s.encoder.time_base()))).transpose()?;
    let sound_track = sound_track.as_ref().map(|(p, base)| (p, *base));
    for (n, rung) in order.rungs.iter().enumerate() {
        let encoder = PictureEncoder::open(rung, rate, order.threads)?;
        let parameters = encoder.parameters()?;
        let pictures = (&parameters, encoder.time_base());
        let fragments = Fragments::new(order.scratch, rung, rate, pictures, sound_track)?;
        if n + 1 == order.rungs.len()
            && let Some(path) = order.film
        {
            let tracks: Vec<_> = std::iter::once(pictures).chain(sound_track).collect();
            film = Some(Film::new(path, &tracks)?);
        }
        lines.push(Line { encoder, fragments });
    }
    let outputs = if order.rungs.is_empty() {
        vec![video.shown.scaled_to_short(video.shown.short().min(360))]
    } else {
        order.rungs.iter().map(|r| r.size).collect()
    };
    let mut decoder = ffi::decoder(&video.parameters, video.time_base, order.threads)?;
    let mut run = Run {
        order,
        // A shorter life for the same reference.
        emit: &mut |event| emit(event),
        outputs,
        lines,
        film,
        beat: Beat::new(rate),
        clock: Clock::default(),
        graph: None,
        last: Vec::new(),
        signals: Signals::default(),
        end_us: 0,
        duration_ms: source.duration_ms,
        told: Instant::now(),
    };
    let origin = source.origin_us;
    let mut packet = ff::Packet::empty();
    loop {
        match packet.read(&mut source.input) {
            Ok(()) => {}
            // A damaged place is not the end; ffmpeg goes on behind it or ends by itself.
            Err(ff::Error::InvalidData) => continue,
            Err(_) => break,
        }
        if packet.stream() == source.video.index {
            run.expect(&packet, video, origin);
            // A packet that cannot be decoded costs its picture, not the film.
            let _ = decoder.send_packet(&packet);
            run.pictures(&mut decoder, &source.video, origin)?;
        } else if let Some(sound) = sound.as_mut().filter(|s| s.index == packet.stream()) {
            sound.packet(&packet, &mut run)?;
        }
    }
    let _ = decoder.send_eof();
    run.pictures(&mut decoder, &source.video, origin)?;
    if let Some(sound) = sound.as_mut() {
        sound.end(&mut run)?;
    }
    let silent = source.audio.is_none() || sound.as_ref().is_some_and(|s| s.is_silent());
    run.end(silent)
}

impl Run<'_, '_> {
    /// The last picture is shown for as long as its packet says.
    fn expect(&mut self, packet: &ff::Packet, video: &Video, origin_us: i64) {
        if let Some(at) = packet.pts() {
            let end = (at + packet.duration()).rescale(video.time_base, MICROSECONDS) - origin_us;
            self.end_us = self.end_us.max(end);
        }
    }

    fn pictures(&mut self, decoder: &mut ff::decoder::Opened, video: &Video, origin_us: i64) -> Result<()> {
        let mut frame = ff::frame::Video::empty();
        while decoder.receive_frame(&mut frame).is_ok() {
            let at = frame.timestamp().or(frame.pts());
            let us = match at {
                Some(at) => at.rescale(video.time_base, MICROSECONDS) - origin_us,
                None => self.beat.count() * 1_000_000 * i64::from(video.rate.1) / i64::from(video.rate.0),
            };
            if !self.clock.accepts(us) {
                continue;
            }
            if us > (MAX_DURATION_MS + 2_000) * 1000 {
                return Err(Failure::Refused(RefusalCode::TooLong));
            }
            self.tell(us)?;
            let Some(beats) = self.beat.take(us) else { continue };
            let (first, beat) = beats.into_inner();
            if self.lines.is_empty() && !self.order.storyboard.as_ref().is_some_and(|s| s.wants(beat)) {
                continue;
            }
            let pictures = self.upright(&mut frame, video, beat)?;
            // Beats without a picture show the one before; at the very start, the one after.
            for missing in first..beat {
                let fill = if self.last.is_empty() { &pictures } else { &self.last };
                let fill = fill.iter().map(ffi::share).collect::<ffi::Result<Vec<_>>>()?;
                self.put(fill, missing)?;
            }
            self.put(pictures.iter().map(ffi::share).collect::<ffi::Result<Vec<_>>>()?, beat)?;
            if let Some(smallest) = pictures.last() {
                self.signals.picture(smallest);
                if let Some(storyboard) = self.order.storyboard.as_mut() {
                    storyboard.show(smallest, beat);
                }
            }
            self.last = pictures;
        }
        Ok(())
    }

    /// Through the filters, in the sizes of all outputs.
    fn upright(&mut self, frame: &mut ff::frame::Video, video: &Video, beat: i64) -> Result<Vec<ff::frame::Video>> {
        let base = ff::Rational(video.rate.1 as i32, video.rate.0 as i32);
        let text = ffi::picture_source(frame, base);
        let colours = or_told(ffi::picture_colours(frame), &video.header.colours);
        let described = format!("{text} {colours:?}");
        // The picture's own shape may change on the way; the outputs' may not.
        if self.graph.as_ref().is_none_or(|(of, _)| *of != described) {
            let coded = Size { width: frame.width(), height: frame.height() };
            let filters =
                plan::picture_graph(coded, video.sar, &colours, video.orientation, &self.outputs, Output::Video);
            self.graph = Some((described, Graph::pictures(&text, &filters, self.outputs.len())?));
        }
        let Some((_, graph)) = self.graph.as_mut() else { return Ok(Vec::new()) };
        frame.set_pts(Some(beat));
        graph.push(frame)?;
        let pictures: Vec<_> = (0..self.outputs.len()).map_while(|n| graph.picture(n)).collect();
        if pictures.len() != self.outputs.len() {
            return Err(MediaError::Other("a filter graph that keeps pictures").into());
        }
        Ok(pictures)
    }

    /// One picture for each rendition; an encoder takes the next only when it was relieved of what is ready.
    fn put(&mut self, pictures: Vec<ff::frame::Video>, beat: i64) -> Result<()> {
        for (line, mut picture) in self.lines.iter_mut().zip(pictures) {
            line.encoder.push(&mut picture, beat)?;
        }
        self.drain()
    }

    /// Passes on what the encoders have ready.
    fn drain(&mut self) -> Result<()> {
        let last = self.lines.len().saturating_sub(1);
        for (n, line) in self.lines.iter_mut().enumerate() {
            while let Some(packet) = line.encoder.packet() {
                if let Some(film) = self.film.as_mut().filter(|_| n == last) {
                    film.picture(packet.clone())?;
                }
                line.fragments.picture(packet, self.emit)?;
            }
        }
        Ok(())
    }

    fn sound(&mut self, packet: ff::Packet) -> Result<()> {
        if let Some(film) = self.film.as_mut() {
            film.sound(packet.clone())?;
        }
        for line in &mut self.lines {
            line.fragments.sound(packet.clone(), self.emit)?;
        }
        Ok(())
    }

    /// Once a second: still alive, and how far.
    fn tell(&mut self, us: i64) -> Result<()> {
        if self.told.elapsed() >= Duration::from_secs(1) {
            self.told = Instant::now();
            let percent = (us / 10).checked_div(self.duration_ms).unwrap_or(0).clamp(0, 99) as u32;
            (self.emit)(Event::Progress { percent })?;
        }
        Ok(())
    }

    fn end(mut self, silent: bool) -> Result<Made> {
        if self.beat.count() == 0 {
            return Err(Failure::Refused(RefusalCode::Incomplete));
        }
        let last = self.beat.at(self.end_us) - 1;
        if last - self.beat.count() < LONGEST_STILL
            && let Some(beats) = self.beat.extend(last)
        {
            for beat in beats {
                self.put(self.last.iter().map(ffi::share).collect::<ffi::Result<Vec<_>>>()?, beat)?;
            }
        }
        let beats = self.beat.count();
        for line in &mut self.lines {
            line.fragments.end_of_sound();
            line.encoder.end()?;
        }
        self.drain()?;
        for line in self.lines {
            line.fragments.finish(beats, self.emit)?;
        }
        if let Some(film) = self.film {
            film.finish()?;
        }
        Ok(Made { duration_ms: self.beat.milliseconds(), black: self.signals.is_black(), silent })
    }
}

/// Pictures without a word about their colours are as the container says.
fn or_told(mut own: Colours, told: &Colours) -> Colours {
    if own.matrix.is_empty() {
        own.matrix.clone_from(&told.matrix);
    }
    if own.transfer.is_empty() {
        own.transfer.clone_from(&told.transfer);
    }
    own
}

/// The source's sound on its way to AAC.
struct Sound {
    index: usize,
    time_base: ff::Rational,
    origin: i64,
    channels: u32,
    decoder: ff::decoder::Opened,
    encoder: SoundEncoder,
    graph: Option<(String, Graph)>,
    clock: Clock,
    samples: i64,
    peak: f32,
}

impl Sound {
    fn open(audio: &Audio, origin_us: i64) -> Result<Sound> {
        Ok(Sound {
            index: audio.index,
            time_base: audio.time_base,
            origin: origin_us.rescale(MICROSECONDS, audio.time_base),
            channels: audio.channels,
            decoder: ffi::decoder(&audio.parameters, audio.time_base, 1)?,
            encoder: SoundEncoder::open(audio.channels)?,
            graph: None,
            clock: Clock::default(),
            samples: 0,
            peak: 0.0,
        })
    }

    /// Below this, nobody hears anything (-60 dB).
    fn is_silent(&self) -> bool {
        self.peak < 0.001
    }

    fn packet(&mut self, packet: &ff::Packet, run: &mut Run<'_, '_>) -> Result<()> {
        let _ = self.decoder.send_packet(packet);
        self.frames(run)
    }

    fn frames(&mut self, run: &mut Run<'_, '_>) -> Result<()> {
        let mut frame = ff::frame::Audio::empty();
        while self.decoder.receive_frame(&mut frame).is_ok() {
            let at = frame.timestamp().or(frame.pts());
            if let Some(at) = at
                && !self.clock.accepts((at - self.origin).rescale(self.time_base, MICROSECONDS))
            {
                continue;
            }
            frame.set_pts(at);
            let source = ffi::sound_source(&frame, self.time_base);
            if self.graph.as_ref().is_none_or(|(of, _)| *of != source) {
                let text = plan::sound_graph(self.origin, self.channels, self.graph.is_none());
                let mut graph = Graph::sound(&source, &text)?;
                graph.set_piece(self.encoder.samples());
                self.graph = Some((source, graph));
            }
            if let Some((_, graph)) = self.graph.as_mut() {
                graph.push(&frame)?;
            }
            self.pieces(run)?;
        }
        Ok(())
    }

    fn pieces(&mut self, run: &mut Run<'_, '_>) -> Result<()> {
        let Some((_, graph)) = self.graph.as_mut() else { return Ok(()) };
        while let Some(mut piece) = graph.piece() {
            for sample in piece.plane::<f32>(0) {
                self.peak = self.peak.max(sample.abs());
            }
            piece.set_pts(Some(self.samples));
            self.samples += piece.samples() as i64;
            self.encoder.push(&piece)?;
            while let Some(packet) = self.encoder.packet() {
                run.sound(packet)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, run: &mut Run<'_, '_>) -> Result<()> {
        let _ = self.decoder.send_eof();
        self.frames(run)?;
        if let Some((_, graph)) = self.graph.as_mut() {
            graph.end()?;
        }
        self.pieces(run)?;
        self.encoder.end()?;
        while let Some(packet) = self.encoder.packet() {
            run.sound(packet)?;
        }
        Ok(())
    }
}
