//! `weijia-media sample FILE`: draws and encodes a short portrait clip for the demonstration, as a phone would leave it
//! (H.264 and AAC, upright 540x960). A loom weaves one row each second while a tune is plucked.

mod scene;
mod tune;

use std::path::Path;

use ff::format::{Pixel, Sample};
use ff::{Dictionary, Packet, Rational, codec, encoder, format, frame, software};
use ffmpeg_next as ff;

const WIDTH: u32 = 540;
const HEIGHT: u32 = 960;
const FPS: i64 = 25;
pub const SECONDS: i64 = 6;
const RATE: i64 = 44_100;

pub fn write(path: &Path) -> Result<(), ff::Error> {
    ff::init()?;
    ff::log::set_level(ff::log::Level::Error);
    let mut out = format::output(path)?;
    let wants_header = out.format().flags().contains(format::Flags::GLOBAL_HEADER);
    let mut video = Video::add(&mut out, wants_header)?;
    let mut audio = Audio::add(&mut out, wants_header)?;
    let mut options = Dictionary::new();
    options.set("movflags", "faststart");
    out.write_header_with(options)?;

    let mut sounded = 0;
    for n in 0..SECONDS * FPS {
        video.encode(&mut out, n)?;
        while sounded * FPS < (n + 1) * RATE {
            sounded += audio.encode(&mut out, sounded)?;
        }
    }
    video.encoder.send_eof()?;
    drain(&mut video.encoder, &mut out, 0, video.time_base)?;
    audio.encoder.send_eof()?;
    drain(&mut audio.encoder, &mut out, 1, audio.time_base)?;
    out.write_trailer()
}

struct Video {
    encoder: encoder::video::Encoder,
    time_base: Rational,
    scaler: software::scaling::Context,
}

impl Video {
    fn add(out: &mut format::context::Output, header: bool) -> Result<Self, ff::Error> {
        let codec = encoder::find_by_name("libx264").ok_or(ff::Error::EncoderNotFound)?;
        let mut stream = out.add_stream(codec)?;
        let mut settings = codec::Context::new_with_codec(codec).encoder().video()?;
        let time_base = Rational(1, FPS as i32);
        settings.set_width(WIDTH);
        settings.set_height(HEIGHT);
        settings.set_format(Pixel::YUV420P);
        settings.set_time_base(time_base);
        settings.set_frame_rate(Some(Rational(FPS as i32, 1)));
        settings.set_gop(2 * FPS as u32);
        if header {
            // setting flags drops the encoder's own closed groups, and browsers cannot jump into an open one
            settings.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::CLOSED_GOP);
        }
        let mut options = Dictionary::new();
        options.set("preset", "veryfast");
        options.set("crf", "24");
        let encoder = settings.open_with(options)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(time_base);
        let (w, h) = (scene::WIDTH as u32, scene::HEIGHT as u32);
        let scaler = software::scaling::Context::get(
            Pixel::RGB24,
            w,
            h,
            Pixel::YUV420P,
            WIDTH,
            HEIGHT,
            software::scaling::Flags::BICUBIC,
        )?;
        Ok(Self { encoder, time_base, scaler })
    }

    fn encode(&mut self, out: &mut format::context::Output, n: i64) -> Result<(), ff::Error> {
        let mut drawn = frame::Video::new(Pixel::RGB24, scene::WIDTH as u32, scene::HEIGHT as u32);
        let stride = drawn.stride(0);
        scene::draw(drawn.data_mut(0), stride, n as f32 / FPS as f32);
        let mut picture = frame::Video::empty();
        self.scaler.run(&drawn, &mut picture)?;
        picture.set_pts(Some(n));
        self.encoder.send_frame(&picture)?;
        drain(&mut self.encoder, out, 0, self.time_base)
    }
}

struct Audio {
    encoder: encoder::audio::Encoder,
    time_base: Rational,
}

impl Audio {
    fn add(out: &mut format::context::Output, header: bool) -> Result<Self, ff::Error> {
        let codec = encoder::find_by_name("aac").ok_or(ff::Error::EncoderNotFound)?;
        let mut stream = out.add_stream(codec)?;
        let mut settings = codec::Context::new_with_codec(codec).encoder().audio()?;
        let time_base = Rational(1, RATE as i32);
        settings.set_rate(RATE as i32);
        settings.set_channel_layout(ff::ChannelLayout::MONO);
        settings.set_format(Sample::F32(format::sample::Type::Planar));
        settings.set_bit_rate(96_000);
        settings.set_time_base(time_base);
        if header {
            settings.set_flags(codec::Flags::GLOBAL_HEADER);
        }
        let encoder = settings.open()?;
        stream.set_parameters(&encoder);
        stream.set_time_base(time_base);
        Ok(Self { encoder, time_base })
    }

    /// Encodes one frame of sound from sample `start` on, and answers how many samples that was.
    fn encode(&mut self, out: &mut format::context::Output, start: i64) -> Result<i64, ff::Error> {
        let samples = self.encoder.frame_size().max(1) as usize;
        let mut sound = frame::Audio::new(Sample::F32(format::sample::Type::Planar), samples, ff::ChannelLayout::MONO);
        sound.set_rate(RATE as u32);
        for (n, value) in sound.plane_mut::<f32>(0).iter_mut().enumerate() {
            *value = tune::at((start + n as i64) as f32 / RATE as f32);
        }
        sound.set_pts(Some(start));
        self.encoder.send_frame(&sound)?;
        drain(&mut self.encoder, out, 1, self.time_base)?;
        Ok(samples as i64)
    }
}

fn drain(
    encoder: &mut encoder::Encoder,
    out: &mut format::context::Output,
    stream: usize,
    time_base: Rational,
) -> Result<(), ff::Error> {
    let to = out.stream(stream).ok_or(ff::Error::StreamNotFound)?.time_base();
    let mut packet = Packet::empty();
    while encoder.receive_packet(&mut packet).is_ok() {
        packet.set_stream(stream);
        packet.rescale_ts(time_base, to);
        packet.write_interleaved(out)?;
    }
    Ok(())
}
