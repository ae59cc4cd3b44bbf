//! Captions that are text. ffmpeg's decoders of them all give lines of SSA.

use std::ffi::CStr;

use ffmpeg_next as ff;
use ffmpeg_next::codec::Id;
use ffmpeg_next::ffi::*;
use ffmpeg_next::packet::Mut;

use super::{MediaError, Result, check, open_codec};

/// What films carry, each with the one decoder that reads it. Captions that are pictures are not among them.
const TEXT: &[(Id, &str)] =
    &[(Id::MOV_TEXT, "mov_text"), (Id::SUBRIP, "subrip"), (Id::WEBVTT, "webvtt"), (Id::ASS, "ass")];

/// One packet's words and, where it tells, how many milliseconds they stay.
pub struct Words {
    pub lines: Vec<String>,
    pub stays_ms: Option<i64>,
}

pub struct CaptionDecoder(ff::codec::Context);

impl CaptionDecoder {
    pub fn reads(id: Id) -> bool {
        TEXT.iter().any(|(text, _)| *text == id)
    }

    pub fn open(parameters: &ff::codec::Parameters, time_base: ff::Rational) -> Result<CaptionDecoder> {
        let missing = || MediaError::Missing(format!("{:?}", parameters.id()));
        let (_, name) = TEXT.iter().find(|(id, _)| *id == parameters.id()).ok_or_else(missing)?;
        let codec = ff::decoder::find_by_name(name).ok_or_else(missing)?;
        let mut context = ff::codec::Context::new_with_codec(codec);
        // SAFETY: copies between two valid structures of ours.
        unsafe {
            check(
                "avcodec_parameters_to_context",
                avcodec_parameters_to_context(context.as_mut_ptr(), parameters.as_ptr()),
            )?;
            (*context.as_mut_ptr()).pkt_timebase = time_base.into();
        }
        open_codec(&mut context, codec, &[("codec_whitelist", name)])?;
        Ok(CaptionDecoder(context))
    }

    pub fn decode(&mut self, packet: &mut ff::Packet) -> Result<Words> {
        // SAFETY: a plain structure for which all zeros is empty. ffmpeg fills it and it is freed below, whatever it
        // holds. Each of its rectangles is valid, and a line, where there is one, ends with a zero.
        unsafe {
            let mut found: AVSubtitle = std::mem::zeroed();
            let mut got = 0;
            let code = avcodec_decode_subtitle2(self.0.as_mut_ptr(), &mut found, &mut got, packet.as_mut_ptr());
            let mut lines = Vec::new();
            if got != 0 {
                for n in 0..found.num_rects as usize {
                    let line = (**found.rects.add(n)).ass;
                    if !line.is_null() {
                        lines.push(CStr::from_ptr(line).to_string_lossy().into_owned());
                    }
                }
            }
            let stays_ms = i64::from(found.end_display_time) - i64::from(found.start_display_time);
            let told = stays_ms > 0 && found.end_display_time != u32::MAX;
            avsubtitle_free(&mut found);
            check("avcodec_decode_subtitle2", code)?;
            Ok(Words { lines, stays_ms: told.then_some(stays_ms) })
        }
    }
}

/// Leaves everything but these streams where it is in the file.
pub fn read_only(input: &mut ff::format::context::Input, wanted: &[usize]) {
    // SAFETY: writes a plain field of each stream of an open file that is ours.
    unsafe {
        let context = input.as_mut_ptr();
        for n in (0..(*context).nb_streams as usize).filter(|n| !wanted.contains(n)) {
            (**(*context).streams.add(n)).discard = AVDiscard::AVDISCARD_ALL;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decoder_of_captions_is_there_and_reads_what_it_stands_for() {
        super::super::init();
        for (id, name) in TEXT {
            assert_eq!(ff::decoder::find_by_name(name).map(|codec| codec.id()), Some(*id), "{name}");
        }
        for picture in [Id::DVD_SUBTITLE, Id::HDMV_PGS_SUBTITLE, Id::DVB_SUBTITLE, Id::EIA_608] {
            assert!(!CaptionDecoder::reads(picture));
        }
    }
}
