//! One decode of a source into renditions, and whatever else wants to see its pictures.

use std::path::Path;
use std::time::{Duration, Instant};

use ffmpeg_next as ff;
use weijia_core::clip::refusal::RefusalCode;
use weijia_signals::{Measures, Waveform};

mod line;
mod sound;

pub use sound::Sound;

use crate::ffi::{self, MediaError};
use crate::film;
use crate::graph::Graph;
use crate::joints::Joints;
use crate::plan::Size;
use crate::plan::filters::Output;
use crate::plan::ladder::Ladder;
use crate::plan::pace::{self, Clock, Cuts, Pace, TICKS, milliseconds};
use crate::probe::{self, Failure, LONGEST_MS, Result, Source, Video};
use crate::protocol::{self, Event, Published};
use crate::signals::Signals;
use crate::thumbnail::Storyboard;

use line::{Held, Line, MOST_HELD};

pub type Emit<'a> = dyn FnMut(Event) -> ffi::Result<()> + 'a;

/// What to make in one decode.
pub struct Order<'a> {
    pub scratch: &'a Path,
    /// Whether it is to be measured as well.
    pub measure: bool,
    /// Those of a ladder that this job makes, if any.
    pub ladder: &'a Ladder,
    pub cuts: &'a Cuts,
    /// Also write the one that is made first to this path, as one film.
    pub film: Option<&'a Path>,
    pub published: &'a Published,
    pub storyboard: Option<&'a mut Storyboard>,
    pub threads: u32,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Made {
    pub duration_ms: i64,
    /// How far the source has something to show or to hear. The last picture may not stand for all of that.
    pub reached_ms: i64,
    pub black: bool,
    pub silent: bool,
    /// Where the order asked for them.
    pub measures: Option<Measures>,
    /// The same, of a clip with sound.
    pub waveform: Option<Waveform>,
}

struct Run<'a, 'e> {
    order: Order<'a>,
    emit: &'e mut Emit<'e>,
    outputs: Vec<Size>,
    /// None where all of it is published.
    lines: Vec<Option<Line>>,
    /// The line of the rendition that is made first: of it the film, and by it what is measured.
    main: usize,
    /// What the other lines get once the first segment of that one is out. None: nothing is held.
    held: Option<Vec<Held>>,
    pace: Pace,
    clock: Clock,
    graph: Option<(String, Graph)>,
    interlaced: bool,
    /// The pictures that were shown last, for as long as they stand, and since when.
    last: Vec<ff::frame::Video>,
    shown: Option<i64>,
    /// The moment that the encoders had last.
    put: Option<i64>,
    /// Which segment is being made.
    segment: usize,
    signals: Signals,
    /// Where the last picture ends.
    end_us: i64,
    duration_ms: i64,
    told: Instant,
}

pub fn run(source: &mut Source, order: Order<'_>, emit: &mut Emit<'_>) -> Result<Made> {
    let video = &source.video;
    let video_is_sideways = video.shown.width > video.shown.height;
    let mut sound = source
        .audio
        .as_ref()
        .filter(|_| order.measure || !order.ladder.rungs.is_empty())
        .map(|a| Sound::open(a, source.origin_us, source.duration_ms, order.ladder.sound_kbps, order.measure))
        .transpose()?;
    let sound_track = sound.as_ref().map(Sound::track).transpose()?;
    let sound_track = sound_track.as_ref().map(|(p, base)| (p, *base));
    let main = order.ladder.first();
    let mut lines = Vec::new();
    for (n, rung) in order.ladder.rungs.iter().enumerate() {
        let pieces = order.film.filter(|_| n == main).map(|_| order.scratch.join(protocol::pieces(&rung.name)));
        lines.push(Line::open(&order, rung, sound_track, pieces.as_deref())?);
    }
    let outputs = if order.ladder.rungs.is_empty() {
        vec![video.shown.scaled_to_short(video.shown.short().min(if order.measure { 480 } else { 360 }))]
    } else {
        order.ladder.rungs.iter().map(|r| r.size).collect()
    };
    let mut decoder = ffi::decoder(&video.parameters, video.time_base, order.threads)?;
    if outputs.iter().all(|size| 2 * size.short() <= video.shown.short()) {
        // Nobody sees the edges of its blocks at half the size, and no other picture leans on these.
        decoder.skip_loop_filter(ff::Discard::NonReference);
    }
    let (order_measures, holds) = (order.measure, order.film.is_some());
    let mut run = Run {
        order,
        // A shorter life for the same reference.
        emit: &mut |event| emit(event),
        outputs,
        lines,
        main,
        held: holds.then(Vec::new),
        pace: Pace::new(video.average),
        clock: Clock::new(source.duration_ms),
        graph: None,
        interlaced: video.header.interlaced,
        last: Vec::new(),
        shown: None,
        put: None,
        segment: 0,
        signals: Signals::new(order_measures),
        end_us: 0,
        duration_ms: source.duration_ms,
        told: Instant::now(),
    };
    let origin = source.origin_us;
    let mut joints = Joints::of(source);
    while let Some(packet) = joints.next(&mut source.input) {
        if packet.stream() == source.video.index {
            // A packet that cannot be decoded costs its picture, not the film.
            let _ = decoder.send_packet(&packet);
            run.pictures(&mut decoder, &source.video, origin)?;
            if let (Some(sound), Some(at)) = (sound.as_mut(), run.pace.last()) {
                sound.keep_up(at, &mut |packet| run.sound(packet))?;
            }
        } else if let Some(sound) = sound.as_mut().filter(|s| s.index == packet.stream()) {
            sound.packet(&packet, &mut |packet| run.sound(packet))?;
        }
    }
    let _ = decoder.send_eof();
    run.pictures(&mut decoder, &source.video, origin)?;
    run.close_graph()?;
    let mut end = run.end_of_pictures()?;
    let (mut silent, mut heard) = (true, None);
    if let Some(sound) = sound.as_mut() {
        end = sound.finish(end, &mut |packet| run.sound(packet))?;
        silent = sound.is_silent();
        heard = sound.measures();
    }
    let mut made = run.end(end, silent)?;
    if let Some(measures) = made.measures.as_mut() {
        let (seconds, waveform) = heard.unzip();
        (measures.sound, measures.sideways) = (seconds, video_is_sideways);
        made.waveform = waveform.flatten();
    }
    Ok(made)
}

impl Run<'_, '_> {
    fn pictures(&mut self, decoder: &mut ff::decoder::Opened, video: &Video, origin_us: i64) -> Result<()> {
        let mut frame = ff::frame::Video::empty();
        while decoder.receive_frame(&mut frame).is_ok() {
            let us = match frame.timestamp().or(frame.pts()) {
                Some(at) => probe::moment(at, video.time_base, origin_us),
                None => self.pace.last().map_or(0, |last| milliseconds(last + TICKS / 30) * 1000),
            };
            if !self.clock.accepts(us) {
                continue;
            }
            if us > LONGEST_MS * 1000 {
                return Err(Failure::Refused(RefusalCode::TooLong));
            }
            let length = probe::moment(frame.packet().duration.max(0), video.time_base, 0);
            self.end_us = self.end_us.max(us.saturating_add(length));
            self.tell(us)?;
            let Some(at) = self.pace.take(us) else { continue };
            if self.lines.is_empty()
                && !self.order.measure
                && !self.order.storyboard.as_ref().is_some_and(|s| s.wants(milliseconds(at)))
            {
                continue;
            }
            self.upright(&mut frame, video, at)?;
        }
        Ok(())
    }

    /// Into the filters, for the sizes of all outputs.
    fn upright(&mut self, frame: &mut ff::frame::Video, video: &Video, at: i64) -> Result<()> {
        let text = ffi::picture_source(frame, ff::Rational(1, TICKS as i32));
        let colours = ffi::picture_colours(frame).or_told(&video.header.colours);
        self.interlaced |= frame.is_interlaced();
        let described = format!("{text} {colours:?} {}", self.interlaced);
        // The picture's own shape may change on the way; the outputs' may not.
        if self.graph.as_ref().is_none_or(|(of, _)| *of != described) {
            self.close_graph()?;
            let decoded = video.decoded(frame, colours, self.interlaced);
            let filters = decoded.made_upright(&self.outputs, Output::Video);
            self.graph = Some((described, Graph::pictures(&text, &filters, self.outputs.len())?));
        }
        frame.set_pts(Some(at));
        if let Some((_, graph)) = self.graph.as_mut() {
            graph.push(frame)?;
        }
        self.collect()
    }

    fn close_graph(&mut self) -> Result<()> {
        if let Some((_, graph)) = self.graph.as_mut() {
            graph.end()?;
        }
        self.collect()?;
        self.graph = None;
        Ok(())
    }

    /// Shows what the filters have ready.
    fn collect(&mut self) -> Result<()> {
        while let Some((_, graph)) = self.graph.as_mut() {
            let pictures: Vec<_> = (0..self.outputs.len()).map_while(|n| graph.picture(n)).collect();
            let Some(at) = pictures.first().and_then(|picture| picture.pts()) else { break };
            if pictures.len() != self.outputs.len() {
                return Err(MediaError::Other("a filter graph that loses pictures").into());
            }
            self.show(pictures, at)?;
        }
        Ok(())
    }

    fn show(&mut self, pictures: Vec<ff::frame::Video>, at: i64) -> Result<()> {
        self.stand(at)?;
        self.put(&pictures, at)?;
        if let Some(picture) = pictures.get(self.main) {
            self.signals.picture(picture, milliseconds(at));
        }
        if let (Some(smallest), Some(storyboard)) = (pictures.last(), self.order.storyboard.as_mut()) {
            storyboard.show(smallest, milliseconds(at));
        }
        (self.last, self.shown) = (pictures, Some(at));
        Ok(())
    }

    /// The last pictures again, wherever they have to be sent again until the next moment.
    fn stand(&mut self, next: i64) -> Result<()> {
        let last = std::mem::take(&mut self.last);
        for at in self.shown.into_iter().flat_map(|shown| self.order.cuts.repeats(shown, next)) {
            self.put(&last, at)?;
        }
        self.last = last;
        Ok(())
    }

    /// One picture for each rendition.
    fn put(&mut self, pictures: &[ff::frame::Video], at: i64) -> Result<()> {
        let is_first = self.put.is_none();
        let key = self.order.cuts.opens_segment(at, self.put.replace(at));
        self.segment += usize::from(key && !is_first);
        let segment = self.segment;
        let each = pictures.iter().map(|picture| ffi::share(picture).map(Some)).collect::<ffi::Result<_>>()?;
        let mut pictures = Held { each, at, key, segment };
        let Some(held) = self.held.as_mut() else { return self.encode(pictures) };
        let mut first = Held { each: pictures.each.iter().map(|_| None).collect(), at, key, segment };
        if let (Some(mine), Some(first)) = (pictures.each.get_mut(self.main), first.each.get_mut(self.main)) {
            *first = mine.take();
        }
        held.push(pictures);
        let held_many = held.len() >= MOST_HELD;
        self.encode(first)?;
        let main = self.lines.get(self.main).and_then(Option::as_ref);
        let is_out = main.is_none_or(|line| line.fragments.any_is_out());
        if is_out || held_many { self.let_go() } else { Ok(()) }
    }

    fn let_go(&mut self) -> Result<()> {
        self.held.take().into_iter().flatten().try_for_each(|pictures| self.encode(pictures))
    }

    /// An encoder takes the next picture only when it was relieved of what is ready.
    fn encode(&mut self, pictures: Held) -> Result<()> {
        for (line, picture) in self.lines.iter_mut().zip(pictures.each) {
            let (Some(line), Some(mut picture)) = (line, picture) else { continue };
            if pictures.segment < line.fragments.published() {
                line.fragments.skip(pictures.at, pictures.key, self.emit)?;
            } else {
                line.encoder.push(&mut picture, pictures.at, pictures.key)?;
            }
        }
        self.drain()
    }

    /// Passes on what the encoders have ready.
    fn drain(&mut self) -> Result<()> {
        for line in self.lines.iter_mut().flatten() {
            while let Some(packet) = line.encoder.packet() {
                let opens = packet.is_key();
                line.fragments.picture(packet, opens, self.emit)?;
            }
        }
        Ok(())
    }

    fn sound(&mut self, packet: ff::Packet) -> Result<()> {
        for line in self.lines.iter_mut().flatten() {
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

    fn end_of_pictures(&self) -> Result<i64> {
        let last = self.pace.last().ok_or(Failure::Refused(RefusalCode::Incomplete))?;
        Ok(pace::end_of_pictures(last, self.end_us, self.duration_ms))
    }

    fn end(mut self, end: i64, silent: bool) -> Result<Made> {
        self.stand(end)?;
        let last = std::mem::take(&mut self.last);
        for at in self.put.into_iter().flat_map(|put| self.order.cuts.closing(put, end)) {
            self.put(&last, at)?;
        }
        self.let_go()?;
        for line in self.lines.iter_mut().flatten() {
            line.fragments.end_of_sound();
            line.encoder.end(end)?;
        }
        self.drain()?;
        for line in self.lines.into_iter().flatten() {
            line.fragments.finish(end, self.emit)?;
        }
        if let (Some(film), Some(rung)) = (self.order.film, self.order.ladder.rungs.get(self.main)) {
            let pieces = self.order.scratch.join(protocol::pieces(&rung.name));
            if let Err(error) = film::of_pieces(&pieces, film, end) {
                if self.order.published.rung(&rung.name).is_some() {
                    (self.emit)(Event::Otherwise { name: rung.name.clone() })?;
                }
                return Err(error.into());
            }
        }
        let duration_ms = milliseconds(end);
        let reached_ms = duration_ms.max(self.end_us / 1000);
        let black = self.signals.is_black();
        let measures = self.signals.measures(duration_ms);
        Ok(Made { duration_ms, reached_ms, black, silent, measures, waveform: None })
    }
}
