//! Pictures that need no encoder: the source's own are the top rendition, cut at key frames that are there already.

use std::path::Path;

use ffmpeg_next as ff;
use weijia_core::clip::refusal::RefusalCode;

use crate::avc;
use crate::ffi::{self, MediaError, WithoutMessages};
use crate::film;
use crate::package::{Fed, Fragments};
use crate::pipeline::{Emit, Sound};
use crate::plan::ladder::{self, Rung};
use crate::plan::pace::{self, Cuts, Pace, TICKS, milliseconds, ticks};
use crate::probe::{self, Failure, LONGEST_MS, Result, Source};
use crate::protocol::Published;

/// A source with more pictures a second is made anew with fewer.
const MOST_RATE: f64 = 30.2;
/// A picture that stands for longer would be sent again if it was encoded; so would a last one.
const LONGEST_STILL: i64 = TICKS;
const LONGEST_LAST: i64 = TICKS / 10;
/// Sound that goes on for longer than the pictures needs pictures that stand.
const LONGEST_SOUND_ALONE_US: i64 = 500_000;

/// Pictures that may be passed through.
pub struct Passed {
    pub cuts: Cuts,
    top: Rung,
}

/// So many pictures are decoded at once where somebody seeks, and nobody notices.
const LONGEST_GROUP: usize = 300;

/// So many pictures beyond what a clip may be are no broken clock.
const TOO_MANY_BEYOND: u32 = 10;

/// What an honest decoder would find of a source's pictures, from its packets alone.
pub struct Look {
    /// In ticks, in their order.
    shown: Vec<i64>,
    keys: Vec<i64>,
    /// How many pictures lean on one key frame at most.
    longest_group: usize,
    last_decoded: i64,
    bytes: u64,
    end_us: i64,
    sound_end_us: i64,
}

/// Reads all packets, and decodes none. None: its pictures are to be made anew. `source`: the same, as it is open.
pub fn look(path: &Path, cut: bool, source: &Source) -> Result<Option<Look>> {
    if cut || !could_pass(source) {
        return Ok(None);
    }
    read(&mut probe::open(path, cut)?)
}

/// Whether every phone shows its pictures as they are, as far as the heads of the streams tell.
fn could_pass(source: &Source) -> bool {
    let video = &source.video;
    let colours = &video.header.colours;
    film::may_copy(source)
        && video.orientation.is_upright()
        && video.shown == video.header.size
        && video.average <= MOST_RATE
        && !colours.is_hdr()
        && colours.wide.is_empty()
        && !colours.full_range
        && ladder::decodes_everywhere(video.shown)
        // With lengths before its units, as files have it.
        && ffi::extradata(&video.parameters).first() == Some(&1)
}

/// None where a packet is not as it has to be.
fn read(source: &mut Source) -> Result<Option<Look>> {
    let head = ffi::extradata(&source.video.parameters);
    let (picture, sound) = (source.video.index, source.audio.as_ref().map(|a| (a.index, a.time_base)));
    let (shown, keys) = (Vec::new(), Vec::new());
    let mut look = Look { shown, keys, longest_group: 0, last_decoded: i64::MIN, bytes: 0, end_us: 0, sound_end_us: 0 };
    let (mut group, mut beyond) = (0, 0);
    let quiet = WithoutMessages::new(&source.video.parameters, source.video.time_base);
    let Ok(mut quiet) = quiet else { return Ok(None) };
    let mut packet = ff::Packet::empty();
    loop {
        match packet.read(&mut source.input) {
            Ok(()) => {}
            Err(ff::Error::Eof) => break,
            Err(_) => return Ok(None),
        }
        let heard = sound.filter(|(index, _)| *index == packet.stream());
        if packet.stream() != picture && heard.is_none() {
            continue;
        }
        let Some(shown) = packet.pts().filter(|_| !packet.is_corrupt()) else { return Ok(None) };
        if let Some((_, base)) = heard {
            let end = probe::moment(shown.saturating_add(packet.duration()), base, source.origin_us);
            look.sound_end_us = look.sound_end_us.max(end);
            continue;
        }
        let is_whole = matches!(quiet.pass(packet.clone()), Ok(Some(_)));
        if !is_whole || ffi::is_cut_away(&packet) || ffi::has_new_head(&packet) {
            return Ok(None);
        }
        let moment = |at| probe::moment(at, source.video.time_base, source.origin_us);
        let decoded = packet.dts().map(|at| ticks(moment(at))).filter(|at| *at > look.last_decoded);
        let (Some(decoded), at) = (decoded, ticks(moment(shown))) else { return Ok(None) };
        if decoded > at {
            return Ok(None);
        }
        if packet.is_key() {
            if !avc::opens_fresh(&head, packet.data().unwrap_or_default()) {
                return Ok(None);
            }
            look.keys.push(at);
            group = 0;
        }
        group += 1;
        look.longest_group = look.longest_group.max(group);
        // However long it says it is. One moment alone is a broken clock.
        if at > ticks(LONGEST_MS * 1000) {
            beyond += 1;
            if beyond == TOO_MANY_BEYOND {
                return Err(Failure::Refused(RefusalCode::TooLong));
            }
            continue;
        }
        look.last_decoded = decoded;
        look.shown.push(at);
        look.bytes += packet.size() as u64;
        look.end_us = look.end_us.max(moment(shown.saturating_add(packet.duration())));
    }
    look.shown.sort_unstable();
    Ok((beyond == 0).then_some(look))
}

impl Look {
    /// Its pictures as the top rendition, if they can be cut where the others are.
    pub fn passed(&self, source: &Source) -> Option<Passed> {
        let (first, last) = (*self.shown.first()?, *self.shown.last()?);
        let steady = self.shown.windows(2).all(|two| (1..=LONGEST_STILL).contains(&(two[1] - two[0])));
        let mut pace = Pace::new(source.video.average);
        let too_many = self.shown.iter().any(|at| pace.take(milliseconds(*at) * 1000).is_none());
        let end = pace::end_of_pictures(last, self.end_us, source.duration_ms);
        let sound_alone_us = self.sound_end_us - self.end_us;
        if first != 0
            || self.keys.first() != Some(&0)
            || !steady
            || too_many
            || end - last > LONGEST_LAST
            || sound_alone_us > LONGEST_SOUND_ALONE_US
            || probe::ends_early(source.duration_ms, self.end_us.max(self.sound_end_us) / 1000)
        {
            return None;
        }
        let kbps = self.bytes as f64 * 8.0 * TICKS as f64 / 1000.0 / end as f64;
        if !ladder::may_pass(source.video.shown, kbps) {
            return None;
        }
        let size = source.video.shown;
        let top = Rung { name: size.short().to_string(), size, max_kbps: (kbps * 1.3) as u32 };
        Some(Passed { cuts: Cuts::at_keys(&self.keys, end)?, top })
    }

    /// Whether a copy of it may be all there is: any moment is shown as soon as somebody seeks it, and it ends.
    pub fn stands_alone(&self, source: &Source) -> bool {
        let end_ms = self.end_us.max(self.sound_end_us) / 1000;
        self.longest_group <= LONGEST_GROUP && !probe::ends_early(end_ms, source.duration_ms)
    }
}

/// Makes the top rendition.
pub fn run(
    source: &mut Source,
    passed: &Passed,
    sound_kbps: u32,
    scratch: &Path,
    published: &Published,
    emit: &mut Emit<'_>,
) -> Result<()> {
    if published.is_complete(&passed.top.name) {
        return Ok(());
    }
    let open = |audio| Sound::open(audio, source.origin_us, source.duration_ms, sound_kbps, false);
    let mut sound = source.audio.as_ref().map(open).transpose()?;
    let track = sound.as_ref().map(Sound::track).transpose()?;
    let track = track.as_ref().map(|(parameters, base)| (parameters, *base));
    let base = ff::Rational(1, TICKS as i32);
    let mut quiet = WithoutMessages::new(&source.video.parameters, source.video.time_base)?;
    let behind = published.rung(&passed.top.name).map_or(&[][..], |rung| &rung.segments);
    // Copying is no work: all of it goes through the same muxer.
    let mut fragments = Fragments::new(scratch, &passed.top, (&quiet.parameters()?, base), track, behind, Fed::All)?;
    let (mut last, mut end_us, mut before) = (0, 0, None);
    loop {
        let mut packet = ff::Packet::empty();
        if !probe::next_packet(&mut source.input, &mut packet) {
            break;
        }
        if packet.stream() == source.video.index {
            let moment = |at| probe::moment(at, source.video.time_base, source.origin_us);
            let (Some(shown), Some(decoded)) = (packet.pts(), packet.dts()) else {
                return Err(MediaError::Other("a picture without a moment").into());
            };
            let at = ticks(moment(shown));
            end_us = end_us.max(moment(shown.saturating_add(packet.duration())));
            packet.set_pts(Some(at));
            packet.set_dts(Some(ticks(moment(decoded))));
            packet.set_duration(ticks(probe::moment(packet.duration(), source.video.time_base, 0)));
            last = last.max(at);
            let opens = packet.is_key() && passed.cuts.opens_segment(at, before);
            before = Some(before.unwrap_or(0).max(at));
            if let Some(picture) = quiet.pass(packet)? {
                fragments.picture(picture, opens, emit)?;
            }
            if let Some(sound) = sound.as_mut() {
                sound.keep_up(last, &mut |packet| Ok(fragments.sound(packet, emit)?))?;
            }
        } else if let Some(sound) = sound.as_mut().filter(|s| s.index == packet.stream()) {
            sound.packet(&packet, &mut |packet| Ok(fragments.sound(packet, emit)?))?;
        }
    }
    let mut end = pace::end_of_pictures(last, end_us, source.duration_ms);
    if let Some(sound) = sound.as_mut() {
        end = sound.finish(end, &mut |packet| Ok(fragments.sound(packet, emit)?))?;
    }
    Ok(fragments.finish(end, emit)?)
}
