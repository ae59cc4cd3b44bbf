//! Frames of sound: how their channels are laid out, and making new ones.

use std::ffi::{CStr, c_char};

use ffmpeg_next as ff;
use ffmpeg_next::ffi::*;

use super::{MediaError, Result, check};

/// More channels than this that nobody named are no layout for ears but tracks side by side.
const MOST_CHANNELS: i32 = 8;

/// Rate and channels of a stream of sound.
pub fn sound_header(parameters: &ff::codec::Parameters) -> (u32, u32) {
    // SAFETY: reads plain fields.
    unsafe {
        let p = parameters.as_ptr();
        ((*p).sample_rate.max(0) as u32, (*p).ch_layout.nb_channels.max(0) as u32)
    }
}

/// What a graph of sound has to be told about the frames that come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundSource {
    /// For `[in]`.
    pub text: String,
    pub rate: u32,
    /// So many channels, of which nobody knows where they belong.
    pub unnamed: Option<u32>,
}

/// Describes a frame, and sees to it that the frame is as described: a graph refuses frames that differ. With
/// `forget` the names of its channels do not count.
pub fn sound_source(frame: &mut ff::frame::Audio, time_base: ff::Rational, forget: bool) -> Result<SoundSource> {
    // SAFETY: a frame that is ours; its layout is released before it is replaced, and the texts are ffmpeg's constants
    // or end with the zero that ffmpeg writes.
    unsafe {
        let f = frame.as_mut_ptr();
        let layout = &raw mut (*f).ch_layout;
        let channels = (*layout).nb_channels.max(0);
        let named = (*layout).order == AVChannelOrder::AV_CHANNEL_ORDER_NATIVE;
        let unnamed = forget || (!named && channels > MOST_CHANNELS);
        if unnamed || !named {
            av_channel_layout_uninit(layout);
            // The usual layout of that many channels, unless they are to stay without.
            av_channel_layout_default(layout, if unnamed { 0 } else { channels });
            (*layout).nb_channels = channels;
        }
        let place = if unnamed {
            format!("channels={channels}")
        } else {
            let mut name = [0 as c_char; 256];
            check("av_channel_layout_describe", av_channel_layout_describe(layout, name.as_mut_ptr(), name.len()))?;
            format!("channel_layout={}", CStr::from_ptr(name.as_ptr()).to_string_lossy())
        };
        let format = av_get_sample_fmt_name(std::mem::transmute::<i32, AVSampleFormat>((*f).format.clamp(-1, 11)));
        let format = if format.is_null() { "none".into() } else { CStr::from_ptr(format).to_string_lossy() };
        let rate = (*f).sample_rate.max(0) as u32;
        Ok(SoundSource {
            text: format!(
                "time_base={}/{}:sample_rate={rate}:sample_fmt={format}:{place}",
                time_base.numerator(),
                time_base.denominator()
            ),
            rate,
            unnamed: unnamed.then_some(channels as u32),
        })
    }
}

/// A frame of these samples, one list for each channel, as the AAC encoder takes them.
pub fn sound_frame(channels: &[&[f32]], rate: u32) -> Result<ff::frame::Audio> {
    let samples = channels.iter().map(|c| c.len()).min().unwrap_or(0);
    let mut frame = ff::frame::Audio::empty();
    // SAFETY: a fresh frame, whose planes ffmpeg allocates for exactly these numbers; each is as long as what is copied.
    unsafe {
        let f = frame.as_mut_ptr();
        (*f).nb_samples = samples as i32;
        (*f).sample_rate = rate as i32;
        (*f).format = AVSampleFormat::AV_SAMPLE_FMT_FLTP as i32;
        av_channel_layout_default(&raw mut (*f).ch_layout, channels.len() as i32);
        check("av_frame_get_buffer", av_frame_get_buffer(f, 0))?;
        for (n, channel) in channels.iter().enumerate().take(MOST_CHANNELS as usize) {
            let plane = (*f).data[n].cast::<f32>();
            if plane.is_null() {
                return Err(MediaError::NoMemory);
            }
            std::ptr::copy_nonoverlapping(channel.as_ptr(), plane, samples);
        }
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(order: AVChannelOrder, channels: i32, mask: u64) -> ff::frame::Audio {
        let mut frame = ff::frame::Audio::empty();
        // SAFETY: plain fields of a fresh frame.
        unsafe {
            let f = frame.as_mut_ptr();
            (*f).sample_rate = 44_100;
            (*f).format = AVSampleFormat::AV_SAMPLE_FMT_S16 as i32;
            (*f).ch_layout.order = order;
            (*f).ch_layout.nb_channels = channels;
            (*f).ch_layout.u.mask = mask;
        }
        frame
    }

    #[test]
    fn layouts_are_told_as_they_are() {
        use AVChannelOrder::{AV_CHANNEL_ORDER_NATIVE as NATIVE, AV_CHANNEL_ORDER_UNSPEC as UNSPEC};
        let told = |order, channels, mask, forget| {
            let source = sound_source(&mut laid_out(order, channels, mask), ff::Rational(1, 44_100), forget).unwrap();
            (source.text.rsplit(':').next().unwrap().to_owned(), source.unnamed)
        };
        assert_eq!(told(NATIVE, 6, 0x60f, false), ("channel_layout=5.1(side)".into(), None));
        assert_eq!(told(NATIVE, 1, 1, false).1, None);
        assert_eq!(told(UNSPEC, 2, 0, false), ("channel_layout=stereo".into(), None));
        assert_eq!(told(UNSPEC, 16, 0, false), ("channels=16".into(), Some(16)));
        assert_eq!(told(NATIVE, 2, 0x30, true), ("channels=2".into(), Some(2)));
    }
}
