//! What ffmpeg finds in a file that passed the gate: which streams to show, how, and for how long.

use std::path::Path;

use ffmpeg_next as ff;
use ffmpeg_next::Rescale;
use weijia_core::clip::refusal::RefusalCode;

use crate::ffi::{self, MediaError, PictureHeader};
use crate::gate;
use crate::joints::Joints;
use crate::plan::filters::Decoded;
use crate::plan::pace::Clock;
use crate::plan::{self, Colours, Orientation, Size};

/// A clip of a lesson or a report is at most this long.
pub const MAX_DURATION_MS: i64 = 10 * 60 * 1000;
/// Containers round; nobody is refused for a second or two.
pub const LONGEST_MS: i64 = MAX_DURATION_MS + 2_000;
/// Sound that begins this long before the picture belongs to something else.
const MAX_LEAD_US: i64 = 5_000_000;

/// Nobody records more voices; a decoder of as many as a damaged head claims does not open.
const MAX_CHANNELS: u32 = 64;

pub const MICROSECONDS: ff::Rational = ff::Rational(1, 1_000_000);

/// How far is looked for a stream that is promised, and is not at the beginning.
const FURTHER: &[(&str, &str)] = &[("probesize", "100000000"), ("analyzeduration", "60000000")];

/// A file, open, and what to make of it.
pub struct Source {
    pub input: ff::format::context::Input,
    pub video: Video,
    pub audio: Option<Audio>,
    /// There is sound, and nothing here that reads it.
    pub is_unheard: bool,
    /// The moment in the file that is moment zero of the clip, in microseconds.
    pub origin_us: i64,
    pub duration_ms: i64,
    /// The length of the file.
    pub bytes: u64,
}

pub struct Video {
    pub index: usize,
    pub time_base: ff::Rational,
    pub parameters: ff::codec::Parameters,
    pub codec: String,
    pub header: PictureHeader,
    pub sar: (u32, u32),
    pub matrix: Option<[i32; 9]>,
    pub orientation: Orientation,
    pub shown: Size,
    /// Pictures a second, as far as anybody knows.
    pub average: f64,
}

impl Video {
    /// One of its pictures.
    pub fn decoded(&self, frame: &ff::frame::Video, colours: Colours, interlaced: bool) -> Decoded {
        let (size, pixels) = (Size { width: frame.width(), height: frame.height() }, ffi::pixels(frame));
        Decoded { size, pixels, sar: self.sar, colours, interlaced, orientation: self.orientation }
    }
}

pub struct Audio {
    pub index: usize,
    pub time_base: ff::Rational,
    pub parameters: ff::codec::Parameters,
    pub codec: String,
    pub channels: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("refused: {}", .0.code())]
    Refused(RefusalCode),
    /// ffmpeg's name of a codec, or the container's.
    #[error("no reader for {0}")]
    Unreadable(String),
    #[error(transparent)]
    Media(#[from] MediaError),
}

impl From<gate::Refused> for Failure {
    fn from(refused: gate::Refused) -> Self {
        match refused {
            gate::Refused::For(code) => Failure::Refused(code),
            gate::Refused::Unreadable(container) => Failure::Unreadable(container.to_owned()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Media(error.into())
    }
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Opens and judges. `cut` is what the gate saw: then what cannot be opened is not strange but incomplete.
pub fn open(path: &Path, cut: bool) -> Result<Source> {
    let unreadable = if cut { RefusalCode::Incomplete } else { RefusalCode::NotAVideo };
    let mut input = match ffi::open(path) {
        Ok(input) => input,
        Err(MediaError::Call(_, _)) => return Err(Failure::Refused(unreadable)),
        Err(other) => return Err(other.into()),
    };
    let video = match best_video(&input) {
        // What is promised may begin late.
        Err(Failure::Refused(RefusalCode::Incomplete)) if !cut => {
            input = ffi::open_with(path, FURTHER)?;
            best_video(&input)?
        }
        found => found?,
    };
    let audio = best_audio(&input);
    let has_sound = input.streams().any(|stream| stream.parameters().medium() == ff::media::Type::Audio);
    let is_unheard = audio.is_none() && has_sound;
    let origin_us = origin(&input, &video, audio.as_ref());
    let bytes = std::fs::metadata(path)?.len();
    let mut source = Source { input, video, audio, is_unheard, origin_us, duration_ms: 0, bytes };
    let told = told_duration(&source);
    let frames = source.input.stream(source.video.index).map_or(0.0, |s| f64::from(s.avg_frame_rate()));
    source.duration_ms = told.unwrap_or(0);
    source.video.average = frames;
    // What a file that was cut off tells is how long it was to be; and one wrong length makes hours of a minute.
    if cut || told.is_none_or(|told_ms| told_ms > LONGEST_MS) {
        (source.duration_ms, source.video.average) = scan(&mut source);
        // Read to its end: open it afresh.
        source.input = ffi::open(path)?;
    }
    if source.duration_ms > LONGEST_MS {
        return Err(Failure::Refused(RefusalCode::TooLong));
    }
    Ok(source)
}

/// The film among the tracks: not the cover, not a still beside it, and one that can be decoded.
fn best_video(input: &ff::format::context::Input) -> Result<Video> {
    let mut refusal = Failure::Refused(RefusalCode::NoPicture);
    let mut best: Option<((bool, i64, u64), Video)> = None;
    for stream in input.streams() {
        let parameters = stream.parameters();
        if parameters.medium() != ff::media::Type::Video
            || stream.disposition().contains(ff::format::stream::Disposition::ATTACHED_PIC)
        {
            continue;
        }
        let header = ffi::picture_header(&parameters);
        if is_dolby_only(&stream) {
            refusal = Failure::Unreadable("dolby_vision".into());
            continue;
        }
        if ffi::reader(parameters.id()).is_none() {
            refusal = Failure::Unreadable(ffi::codec_name(&parameters));
            continue;
        }
        if header.size.width == 0 || header.size.height == 0 {
            // It is promised, in a codec that is read, and never comes.
            refusal = Failure::Refused(RefusalCode::Incomplete);
            continue;
        }
        let pixels = u64::from(header.size.width) * u64::from(header.size.height);
        if pixels > gate::MAX_PIXELS {
            return Err(Failure::Refused(RefusalCode::TooManyPixels));
        }
        let matrix = display_matrix(&stream);
        let orientation = matrix.as_ref().map(Orientation::from_matrix).unwrap_or_default();
        let sar = ffi::pixel_shape(&stream);
        let moving = stream.frames() != 1;
        let rank = (moving, stream.duration().max(0).rescale(stream.time_base(), ff::Rational(1, 10)), pixels);
        let video = Video {
            index: stream.index(),
            time_base: stream.time_base(),
            codec: parameters.id().name().to_owned(),
            shown: plan::shown_size(header.size, sar, orientation),
            sar,
            parameters,
            header,
            matrix,
            orientation,
            average: 30.0,
        };
        if best.as_ref().is_none_or(|(other, _)| rank > *other) {
            best = Some((rank, video));
        }
    }
    best.map(|(_, video)| video).ok_or(refusal)
}

fn display_matrix(stream: &ff::format::stream::Stream<'_>) -> Option<[i32; 9]> {
    let data = stream.side_data().find(|d| d.kind() == ff::codec::packet::side_data::Type::DisplayMatrix)?;
    let mut matrix = [0; 9];
    for (value, bytes) in matrix.iter_mut().zip(data.data().chunks_exact(4)) {
        *value = i32::from_ne_bytes(bytes.try_into().ok()?);
    }
    Some(matrix)
}

/// Dolby Vision whose pictures are in colours of its own (profile 5): shown by anything else, they are green and purple.
fn is_dolby_only(stream: &ff::format::stream::Stream<'_>) -> bool {
    let kind = ff::codec::packet::side_data::Type::DOVI_CONF;
    // Two numbers of a version, then the profile.
    stream.side_data().any(|d| d.kind() == kind && d.data().get(2) == Some(&5))
}

/// The sound that a player would choose: the one that is marked, one for two ears before one for a cinema, the longest.
fn best_audio(input: &ff::format::context::Input) -> Option<Audio> {
    let readable = |stream: &ff::format::stream::Stream<'_>| {
        let parameters = stream.parameters();
        let (rate, channels) = ffi::sound_header(&parameters);
        parameters.medium() == ff::media::Type::Audio
            && rate > 0
            && (1..=MAX_CHANNELS).contains(&channels)
            && ffi::reader(parameters.id()).is_some()
            // A head that no decoder takes costs its track, not the film.
            && ffi::decoder(&parameters, stream.time_base(), 1).is_ok()
    };
    let rank = |stream: &ff::format::stream::Stream<'_>| {
        let marked = stream.disposition().contains(ff::format::stream::Disposition::DEFAULT);
        let length = stream.duration().max(0).rescale(stream.time_base(), ff::Rational(1, 10));
        std::cmp::Reverse((marked, ffi::sound_header(&stream.parameters()).1 <= 2, length))
    };
    // Of equals, the first.
    let stream = input.streams().filter(readable).min_by_key(rank)?;
    let parameters = stream.parameters();
    Some(Audio {
        index: stream.index(),
        time_base: stream.time_base(),
        codec: parameters.id().name().to_owned(),
        channels: ffi::sound_header(&parameters).1,
        parameters,
    })
}

fn start_us(input: &ff::format::context::Input, index: usize) -> Option<i64> {
    let stream = input.stream(index)?;
    let start = stream.start_time();
    (start != ff::ffi::AV_NOPTS_VALUE).then(|| start.rescale(stream.time_base(), MICROSECONDS))
}

/// Moment zero: where the first of picture and sound begins.
fn origin(input: &ff::format::context::Input, video: &Video, audio: Option<&Audio>) -> i64 {
    let picture = start_us(input, video.index).unwrap_or(0);
    match audio.and_then(|a| start_us(input, a.index)) {
        Some(sound) if sound < picture && picture.saturating_sub(sound) <= MAX_LEAD_US => sound,
        _ => picture,
    }
}

/// How long the container says its pictures and their sound are, whichever is longer; none when it does not say, or
/// does not know its pictures' rate either. Other tracks are no part of the clip.
fn told_duration(source: &Source) -> Option<i64> {
    let stream = source.input.stream(source.video.index)?;
    let whole_us = source.input.duration();
    let end_us = |index| {
        let stream = source.input.stream(index)?;
        let length = Some(stream.duration()).filter(|n| *n > 0)?.rescale(stream.time_base(), MICROSECONDS);
        Some(start_us(&source.input, index)?.saturating_sub(source.origin_us).saturating_add(length))
    };
    let told_us = match (end_us(source.video.index), source.audio.as_ref().map(|a| end_us(a.index))) {
        (Some(pictures), None) => pictures,
        (Some(pictures), Some(Some(sound))) => pictures.max(sound),
        _ => whole_us,
    };
    (told_us >= 1000 && stream.avg_frame_rate().numerator() > 0).then_some(told_us / 1000)
}

/// A clip that is this much shorter than its container says was cut off.
pub fn ends_early(told_ms: i64, made_ms: i64) -> bool {
    told_ms.saturating_sub(made_ms) > 1_000.max(told_ms / 10)
}

/// So many damaged places in a row, and there is nothing behind them.
const MOST_DAMAGE: u32 = 100_000;

/// Reads the next packet; false at the end. A damaged place is not the end: ffmpeg goes on behind it.
pub fn next_packet(input: &mut ff::format::context::Input, packet: &mut ff::Packet) -> bool {
    for _ in 0..MOST_DAMAGE {
        match packet.read(input) {
            Ok(()) => return true,
            Err(ff::Error::InvalidData) => {}
            Err(_) => return false,
        }
    }
    false
}

/// A moment of a stream in microseconds from the start of the clip, whatever a stranger wrote there.
pub fn moment(at: i64, base: ff::Rational, origin_us: i64) -> i64 {
    at.rescale(base, MICROSECONDS).saturating_sub(origin_us)
}

/// Reads all packets without decoding any, as far as a clip may go: where the last picture ends, and how many pictures a
/// second there are. Where there is sound beyond what a clip may be, that is how long it is.
fn scan(source: &mut Source) -> (i64, f64) {
    let (mut pictures, mut last, mut first) = (0_i64, i64::MIN, i64::MAX);
    let (index, base) = (source.video.index, source.video.time_base);
    let sound_base = source.audio.as_ref().map_or(base, |audio| audio.time_base);
    // One moment that is far from all others is a broken clock.
    let (mut clock, mut sound_clock) = (Clock::new(0), Clock::new(0));
    let mut joints = Joints::of(source);
    while let Some(packet) = joints.next(&mut source.input) {
        let is_picture = packet.stream() == index;
        let (base, clock) = if is_picture { (base, &mut clock) } else { (sound_base, &mut sound_clock) };
        let at = packet.pts().or(packet.dts()).map(|at| moment(at, base, source.origin_us));
        let Some(at) = at.filter(|at| clock.accepts(*at)).map(|at| at / 1000) else { continue };
        if is_picture {
            pictures += 1;
            first = first.min(at);
        }
        if is_picture || at > LONGEST_MS {
            last = last.max(at);
        }
        if last > LONGEST_MS {
            break;
        }
    }
    if pictures == 0 {
        return (0, 30.0);
    }
    let span = last.saturating_sub(first);
    let average = if span > 0 { (pictures - 1) as f64 * 1000.0 / span as f64 } else { 30.0 };
    (last.saturating_add((1000.0 / average.max(10.0)) as i64).max(1), average)
}
