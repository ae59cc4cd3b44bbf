//! Films laid end to end in one file, as recordings that were stopped and begun again are: the clock of each begins anew.
//! Here each goes on where the one before has ended.

use std::collections::VecDeque;

use ffmpeg_next as ff;
use ffmpeg_next::Rescale;

use crate::probe::{MICROSECONDS, Source, next_packet};

/// A clock that goes back by less is a sloppy one.
const BACK_US: i64 = 1_000_000;
/// So many packets of one track that agree about it are another film, and fewer a broken clock.
const AGREE: usize = 3;
const NEAR_US: i64 = 10_000_000;
/// How far is read to find out: a few seconds of any clip.
const MOST_AHEAD: usize = 1_000;
const MOST_AHEAD_BYTES: usize = 16 << 20;
/// A clock that goes forward by more is not believed at once.
const FORWARD_US: i64 = 60_000_000;
/// How long a picture lasts that does not say so.
const PICTURE_US: i64 = 33_333;

/// One track's packets, by the clock of all the films together, in microseconds.
struct Track {
    index: usize,
    base: ff::Rational,
    /// When the last one is decoded.
    last_us: Option<i64>,
    /// A moment far ahead of that, which the next packet may agree about.
    ahead_us: Option<i64>,
    /// It is in the film that is being read. Another may still lag behind, in the one before.
    is_over: bool,
}

/// Reads a source's pictures and sound, by one clock.
pub struct Joints {
    tracks: Vec<Track>,
    /// By how much the film that is being read is late, and the one before it.
    shift_us: i64,
    shift_before_us: i64,
    end_us: i64,
    /// Packets that were read already, and whether they were judged.
    ahead: VecDeque<(ff::Packet, bool)>,
}

impl Joints {
    pub fn of(source: &Source) -> Joints {
        let picture = (source.video.index, source.video.time_base);
        let sound = source.audio.as_ref().map(|audio| (audio.index, audio.time_base));
        let track = |(index, base)| Track { index, base, last_us: None, ahead_us: None, is_over: true };
        Joints {
            tracks: std::iter::once(picture).chain(sound).map(track).collect(),
            shift_us: 0,
            shift_before_us: 0,
            end_us: i64::MIN,
            ahead: VecDeque::new(),
        }
    }

    /// The next packet of these tracks; none at the end of the file.
    pub fn next(&mut self, input: &mut ff::format::context::Input) -> Option<ff::Packet> {
        loop {
            let (packet, judged) = match self.ahead.pop_front() {
                Some(known) => known,
                None => (read(input)?, false),
            };
            let Some(n) = self.tracks.iter().position(|track| track.index == packet.stream()) else { continue };
            let Some(at) = self.moment(n, &packet) else { return Some(packet) };
            if !judged && self.is_back(n, at) {
                self.ahead.push_front((packet, true));
                if self.is_another(n, at, input)
                    && let Some((first, _)) = self.ahead.front()
                {
                    let begins = first.pts().map_or(at, |at| at.rescale(self.tracks[n].base, MICROSECONDS));
                    self.shift_before_us = self.shift_us;
                    self.shift_us = self.end_us.saturating_sub(begins);
                    for (other, track) in self.tracks.iter_mut().enumerate() {
                        track.is_over = other == n;
                    }
                }
                continue;
            }
            return Some(self.shifted(n, packet, at));
        }
    }

    /// When it is decoded, by its own film's clock.
    fn moment(&self, n: usize, packet: &ff::Packet) -> Option<i64> {
        Some(packet.dts().or(packet.pts())?.rescale(self.tracks[n].base, MICROSECONDS))
    }

    fn is_back(&self, n: usize, at: i64) -> bool {
        self.tracks[n].last_us.is_some_and(|last| at.saturating_add(self.shift_us) < last.saturating_sub(BACK_US))
    }

    /// Reads on until it is clear whether this track's clock began anew at that moment.
    fn is_another(&mut self, n: usize, at: i64, input: &mut ff::format::context::Input) -> bool {
        let mut agree = 1;
        let mut seen = 1;
        loop {
            while seen < self.ahead.len() {
                let (packet, _) = &self.ahead[seen];
                seen += 1;
                if packet.stream() != self.tracks[n].index {
                    continue;
                }
                match self.moment(n, packet) {
                    Some(next)
                        if (at.saturating_sub(BACK_US)..at.saturating_add(NEAR_US)).contains(&next)
                            && self.is_back(n, next) =>
                    {
                        agree += 1;
                    }
                    _ => return false,
                }
                if agree == AGREE {
                    return true;
                }
            }
            let bytes: usize = self.ahead.iter().map(|(packet, _)| packet.size()).sum();
            if self.ahead.len() > MOST_AHEAD || bytes > MOST_AHEAD_BYTES {
                return false;
            }
            let Some(packet) = read(input) else { return false };
            self.ahead.push_back((packet, false));
        }
    }

    fn shifted(&mut self, n: usize, mut packet: ff::Packet, at: i64) -> ff::Packet {
        let last = self.tracks[n].last_us;
        let far = |shift: i64| last.map_or(0, |last| at.saturating_add(shift).abs_diff(last));
        let lags = far(self.shift_us) > BACK_US as u64 && far(self.shift_before_us) < BACK_US as u64;
        self.tracks[n].is_over |= !lags;
        let shift_us = if self.tracks[n].is_over { self.shift_us } else { self.shift_before_us };
        let base = self.tracks[n].base;
        let shift = shift_us.rescale(MICROSECONDS, base);
        packet.set_pts(packet.pts().map(|at| at.saturating_add(shift)));
        packet.set_dts(packet.dts().map(|at| at.saturating_add(shift)));
        let decoded = at.saturating_add(shift_us);
        let is_far = last.is_some_and(|last| decoded.saturating_sub(last) > FORWARD_US);
        let agrees = self.tracks[n].ahead_us.is_some_and(|ahead| decoded.abs_diff(ahead) <= NEAR_US as u64);
        if is_far && !agrees {
            self.tracks[n].ahead_us = Some(decoded);
            return packet;
        }
        self.tracks[n].ahead_us = None;
        self.tracks[n].last_us = Some(last.map_or(decoded, |last| last.max(decoded)));
        let shown = packet.pts().map_or(decoded, |at| at.rescale(base, MICROSECONDS));
        let length = match packet.duration().rescale(base, MICROSECONDS) {
            ..=0 if n == 0 => PICTURE_US,
            told => told.clamp(0, NEAR_US),
        };
        self.end_us = self.end_us.max(shown.saturating_add(length));
        packet
    }
}

fn read(input: &mut ff::format::context::Input) -> Option<ff::Packet> {
    let mut packet = ff::Packet::empty();
    next_packet(input, &mut packet).then_some(packet)
}
