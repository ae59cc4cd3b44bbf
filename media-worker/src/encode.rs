//! The two encoders: x264 for pictures, AAC for sound.

use std::collections::{HashMap, VecDeque};

use ffmpeg_next as ff;

use crate::ffi::{self, MediaError, Result, call};
use crate::plan::ladder::Rung;
use crate::plan::pace::TICKS;

pub const SOUND_RATE: u32 = 48_000;

pub struct PictureEncoder {
    encoder: ff::encoder::video::Video,
    last: Option<i64>,
    /// How long each picture stands, once the one after it is known.
    lengths: HashMap<i64, i64>,
    /// When the next packets are decoded.
    decoded: VecDeque<i64>,
}

/// Each picture is decoded when the one is shown that comes so many before it. Before the first of a segment there are
/// none: it is as if they lay this far apart, whatever goes before. So a segment is the same from wherever in the film the
/// encoder began.
const AHEAD: i64 = TICKS / 30;

fn x264(rung: &Rung, threads: u32) -> [(&'static str, String); 10] {
    let kbps = rung.max_kbps;
    [
        ("preset", "veryfast".into()),
        ("crf", "23".into()),
        ("maxrate", format!("{kbps}k")),
        ("bufsize", format!("{}k", 2 * kbps)),
        ("profile", "high".into()),
        // Key frames come where segments are cut, and nowhere else: the same places in every rendition.
        ("forced-idr", "1".into()),
        ("sc_threshold", "0".into()),
        ("g", "1000000".into()),
        ("bf", "3".into()),
        ("threads", threads.to_string()),
    ]
}

impl PictureEncoder {
    pub fn open(rung: &Rung, threads: u32) -> Result<PictureEncoder> {
        let codec = ff::encoder::find_by_name("libx264").ok_or_else(|| MediaError::Missing("libx264".into()))?;
        let context = ff::codec::Context::new_with_codec(codec);
        let mut encoder = context.encoder().video().map_err(call("video encoder"))?;
        encoder.set_width(rung.size.width);
        encoder.set_height(rung.size.height);
        encoder.set_format(ff::format::Pixel::YUV420P);
        encoder.set_aspect_ratio((1, 1));
        encoder.set_time_base((1, TICKS as i32));
        // For the level only: bits are counted by the pictures' own moments.
        encoder.set_frame_rate(Some((30, 1)));
        encoder.set_colorspace(ff::color::Space::BT709);
        encoder.set_color_primaries(ff::color::Primaries::BT709);
        encoder.set_color_transfer_characteristic(ff::color::TransferCharacteristic::BT709);
        encoder.set_color_range(ff::color::Range::MPEG);
        encoder.set_flags(ff::codec::Flags::GLOBAL_HEADER);
        let options = x264(rung, threads);
        let options: Vec<(&str, &str)> = options.iter().map(|(k, v)| (*k, v.as_str())).collect();
        ffi::open_codec(&mut encoder, codec, &options)?;
        Ok(PictureEncoder { encoder, last: None, lengths: HashMap::new(), decoded: VecDeque::new() })
    }

    pub fn parameters(&self) -> Result<ff::codec::Parameters> {
        ffi::parameters_of(&self.encoder)
    }

    pub fn time_base(&self) -> ff::Rational {
        ff::Rational(1, TICKS as i32)
    }

    /// The picture for one moment, in ticks, each later than the one before; `key` where a segment is cut.
    pub fn push(&mut self, frame: &mut ff::frame::Video, at: i64, key: bool) -> Result<()> {
        if let Some(last) = self.last.replace(at) {
            self.lengths.insert(last, at - last);
        }
        if key {
            let ahead = ffi::decodes_ahead(&self.encoder);
            self.decoded.truncate(self.decoded.len().saturating_sub(ahead as usize));
            self.decoded.extend((1..=ahead).rev().map(|n| at - n * AHEAD));
        }
        self.decoded.push_back(at);
        frame.set_pts(Some(at));
        frame.set_kind(if key { ff::picture::Type::I } else { ff::picture::Type::None });
        self.encoder.send_frame(frame).map_err(call("x264"))
    }

    /// No pictures follow, and the last one stands until this tick.
    pub fn end(&mut self, at: i64) -> Result<()> {
        if let Some(last) = self.last {
            self.lengths.insert(last, at - last);
        }
        self.encoder.send_eof().map_err(call("x264"))
    }

    /// x264 looks ahead: a picture comes out after the next one went in.
    pub fn packet(&mut self) -> Option<ff::Packet> {
        let mut packet = ff::Packet::empty();
        self.encoder.receive_packet(&mut packet).ok()?;
        let length = packet.pts().and_then(|at| self.lengths.remove(&at));
        packet.set_duration(length.unwrap_or(TICKS / 30));
        packet.set_dts(self.decoded.pop_front());
        Some(packet)
    }
}

pub struct SoundEncoder {
    encoder: ff::encoder::audio::Audio,
}

impl SoundEncoder {
    pub fn open(channels: u32, kbps: u32) -> Result<SoundEncoder> {
        let codec = ff::encoder::find(ff::codec::Id::AAC).ok_or_else(|| MediaError::Missing("aac".into()))?;
        let context = ff::codec::Context::new_with_codec(codec);
        let mut encoder = context.encoder().audio().map_err(call("audio encoder"))?;
        encoder.set_rate(SOUND_RATE as i32);
        encoder.set_channel_layout(if channels == 1 { ff::ChannelLayout::MONO } else { ff::ChannelLayout::STEREO });
        encoder.set_format(ff::format::Sample::F32(ff::format::sample::Type::Planar));
        encoder.set_bit_rate(kbps as usize * 1000);
        encoder.set_time_base((1, SOUND_RATE as i32));
        encoder.set_flags(ff::codec::Flags::GLOBAL_HEADER);
        ffi::open_codec(&mut encoder, codec, &[("threads", "1")])?;
        Ok(SoundEncoder { encoder })
    }

    pub fn parameters(&self) -> Result<ff::codec::Parameters> {
        ffi::parameters_of(&self.encoder)
    }

    pub fn time_base(&self) -> ff::Rational {
        ff::Rational(1, SOUND_RATE as i32)
    }

    pub fn samples(&self) -> u32 {
        ffi::frame_size(&self.encoder)
    }

    pub fn push(&mut self, frame: &ff::frame::Audio) -> Result<()> {
        self.encoder.send_frame(frame).map_err(call("aac"))
    }

    pub fn end(&mut self) -> Result<()> {
        self.encoder.send_eof().map_err(call("aac"))
    }

    /// The first packet only warms the decoder up and lies before moment zero: with it the sound would come 21 ms late.
    pub fn packet(&mut self) -> Option<ff::Packet> {
        loop {
            let mut packet = ff::Packet::empty();
            self.encoder.receive_packet(&mut packet).ok()?;
            if packet.pts().is_some_and(|pts| pts >= 0) {
                return Some(packet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x264_knows_every_option_and_opens_at_every_size() {
        ffi::init();
        for (width, height) in [(720, 1280), (854, 480), (2, 2), (176, 144)] {
            let rung = Rung { name: "x".into(), size: crate::plan::Size { width, height }, max_kbps: 400 };
            let encoder = PictureEncoder::open(&rung, 2).unwrap();
            let head = ffi::extradata(&encoder.parameters().unwrap());
            assert!(crate::avc::avc_name(&head).is_some_and(|name| name.starts_with("avc1.64")), "High");
        }
    }

    #[test]
    fn aac_opens_for_one_voice_and_for_two() {
        ffi::init();
        for (channels, kbps) in [(1, 96), (2, 64), (6, 32)] {
            assert_eq!(SoundEncoder::open(channels, kbps).unwrap().samples(), 1024);
        }
    }
}
