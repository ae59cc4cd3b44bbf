//! Which codecs strangers' streams may be decoded with, and opening them.

use ffmpeg_next as ff;
use ffmpeg_next::codec::Id;
use ffmpeg_next::ffi::*;

use super::{MediaError, Options, Result, check};
use crate::gate::MAX_PIXELS;

/// What phones, browsers and editing apps write, each with the one decoder that reads it. Nothing else is ever opened,
/// neither to look at a stream nor to decode it.
pub const ALLOWED: &[(Id, &str)] = &[
    (Id::H264, "h264"),
    (Id::HEVC, "hevc"),
    (Id::VP8, "vp8"),
    (Id::VP9, "vp9"),
    (Id::AV1, "libdav1d"),
    (Id::MPEG4, "mpeg4"),
    (Id::H263, "h263"),
    (Id::MPEG1VIDEO, "mpeg1video"),
    (Id::MPEG2VIDEO, "mpeg2video"),
    (Id::MJPEG, "mjpeg"),
    (Id::PRORES, "prores"),
    (Id::DVVIDEO, "dvvideo"),
    (Id::AAC, "aac"),
    (Id::AAC_LATM, "aac_latm"),
    (Id::MP2, "mp2float"),
    (Id::MP3, "mp3float"),
    (Id::OPUS, "opus"),
    (Id::VORBIS, "vorbis"),
    (Id::AMR_NB, "amrnb"),
    (Id::AMR_WB, "amrwb"),
    (Id::AC3, "ac3"),
    (Id::EAC3, "eac3"),
    (Id::FLAC, "flac"),
    (Id::ALAC, "alac"),
    (Id::PCM_S16LE, "pcm_s16le"),
    (Id::PCM_S16BE, "pcm_s16be"),
    (Id::PCM_S24LE, "pcm_s24le"),
    (Id::PCM_S24BE, "pcm_s24be"),
    (Id::PCM_S32LE, "pcm_s32le"),
    (Id::PCM_F32LE, "pcm_f32le"),
    (Id::PCM_F32BE, "pcm_f32be"),
    (Id::PCM_U8, "pcm_u8"),
    (Id::PCM_MULAW, "pcm_mulaw"),
    (Id::PCM_ALAW, "pcm_alaw"),
];

pub fn whitelist() -> String {
    ALLOWED.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}

/// The decoder for a stream, if there may be one.
pub fn reader(id: Id) -> Option<ff::Codec> {
    let (_, name) = ALLOWED.iter().find(|(allowed, _)| *allowed == id)?;
    ff::decoder::find_by_name(name)
}

/// ffmpeg's name of a codec; of one that it does not know, the letters that the container has for it.
pub fn name(parameters: &ff::codec::Parameters) -> String {
    if parameters.id() != Id::None {
        return parameters.id().name().to_owned();
    }
    // SAFETY: reads a number of a structure of ours.
    let tag = unsafe { (*parameters.as_ptr()).codec_tag }.to_le_bytes();
    let letters = tag.iter().map(|byte| char::from(byte.to_ascii_lowercase()));
    letters.filter(char::is_ascii_alphanumeric).collect()
}

/// Whether a part of the picture had to be made up.
pub fn is_damaged(frame: &ff::frame::Video) -> bool {
    // SAFETY: reads a number of a structure of ours.
    frame.is_corrupt() || unsafe { (*frame.as_ptr()).decode_error_flags } != 0
}

/// A decoder that refuses pictures beyond the limit.
pub fn decoder(
    parameters: &ff::codec::Parameters,
    time_base: ff::Rational,
    threads: u32,
) -> Result<ff::decoder::Opened> {
    open_decoder(parameters, time_base, threads, "")
}

/// One that gives nothing out of which a part is made up.
pub fn strict_decoder(parameters: &ff::codec::Parameters, time_base: ff::Rational) -> Result<ff::decoder::Opened> {
    open_decoder(parameters, time_base, 1, "explode")
}

fn open_decoder(
    parameters: &ff::codec::Parameters,
    time_base: ff::Rational,
    threads: u32,
    errors: &str,
) -> Result<ff::decoder::Opened> {
    let codec = reader(parameters.id()).ok_or_else(|| MediaError::Missing(format!("{:?}", parameters.id())))?;
    let mut context = ff::codec::Context::new_with_codec(codec);
    // SAFETY: copies between two valid structures of ours.
    unsafe {
        check(
            "avcodec_parameters_to_context",
            avcodec_parameters_to_context(context.as_mut_ptr(), parameters.as_ptr()),
        )?;
        (*context.as_mut_ptr()).pkt_timebase = time_base.into();
    }
    let (pixels, threads, allowed) = (MAX_PIXELS.to_string(), threads.to_string(), whitelist());
    let mut options = vec![("max_pixels", &*pixels), ("threads", &*threads), ("codec_whitelist", &*allowed)];
    if !errors.is_empty() {
        options.push(("err_detect", errors));
    }
    open_codec(&mut context, codec, &options)?;
    Ok(ff::decoder::Opened(ff::codec::decoder::Decoder(context)))
}

/// Opens a codec with options that it must all know.
pub fn open_codec(context: &mut ff::codec::Context, codec: ff::Codec, options: &[(&str, &str)]) -> Result<()> {
    let mut options = Options::new(options)?;
    // SAFETY: a context that we own, not opened before.
    check("avcodec_open2", unsafe { avcodec_open2(context.as_mut_ptr(), codec.as_ptr(), &mut options.0) })?;
    options.used_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_decoder_is_there_and_reads_what_it_stands_for() {
        super::super::init();
        for (id, name) in ALLOWED {
            assert_eq!(reader(*id).map(|codec| codec.id()), Some(*id), "{name}");
        }
        assert!(reader(Id::CINEPAK).is_none());
    }

    #[test]
    fn an_option_nobody_knows_is_an_error() {
        super::super::init();
        let codec = ff::encoder::find(Id::AAC).unwrap();
        let mut context = ff::codec::Context::new_with_codec(codec);
        {
            let mut audio = ff::codec::Context::new_with_codec(codec).encoder().audio().unwrap();
            audio.set_rate(48_000);
            audio.set_format(ff::format::Sample::F32(ff::format::sample::Type::Planar));
            audio.set_channel_layout(ff::ChannelLayout::MONO);
            std::mem::swap(&mut context, &mut audio.0.0);
        }
        let error = open_codec(&mut context, codec, &[("max_pixls", "1")]).unwrap_err();
        assert!(matches!(error, MediaError::UnknownOption(name) if name == "max_pixls"));
    }
}
