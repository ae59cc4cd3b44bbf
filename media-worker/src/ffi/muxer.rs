//! Writing MP4: into memory piece by piece, or into a file.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

use ffmpeg_next as ff;
use ffmpeg_next::ffi::*;
use ffmpeg_next::packet::Mut;

use super::{MediaError, Options, Result, check};

/// Where a muxer writes to.
pub enum Sink<'a> {
    /// Memory that is taken piece by piece.
    Memory,
    File(&'a Path),
}

/// An MP4 being written.
pub struct Muxer {
    context: NonNull<AVFormatContext>,
    in_memory: bool,
    /// Each track's time base as packets come in, and as they are written.
    bases: Vec<(ff::Rational, ff::Rational)>,
}

// SAFETY: the context is used by whoever holds the muxer, and by nobody else.
unsafe impl Send for Muxer {}

impl Muxer {
    pub fn new(
        sink: Sink<'_>,
        tracks: &[(&ff::codec::Parameters, ff::Rational)],
        options: &[(&str, &str)],
    ) -> Result<Muxer> {
        let mut context = ptr::null_mut();
        let path = match sink {
            Sink::Memory => CString::default(),
            Sink::File(path) => CString::new(path.as_os_str().as_bytes()).map_err(|_| MediaError::Other("a path"))?,
        };
        let in_memory = matches!(sink, Sink::Memory);
        // SAFETY: from here on the context is owned by the muxer, whose drop releases it.
        unsafe {
            check(
                "avformat_alloc_output_context2",
                avformat_alloc_output_context2(&mut context, ptr::null(), c"mp4".as_ptr(), path.as_ptr()),
            )?;
            let mut muxer =
                Muxer { context: NonNull::new(context).ok_or(MediaError::NoMemory)?, in_memory, bases: Vec::new() };
            for (parameters, time_base) in tracks {
                let stream = avformat_new_stream(context, ptr::null());
                let stream = NonNull::new(stream).ok_or(MediaError::NoMemory)?.as_ptr();
                check("avcodec_parameters_copy", avcodec_parameters_copy((*stream).codecpar, parameters.as_ptr()))?;
                (*(*stream).codecpar).codec_tag = 0;
                (*stream).time_base = (*time_base).into();
            }
            let opened = if in_memory {
                avio_open_dyn_buf(&mut (*context).pb)
            } else {
                avio_open(&mut (*context).pb, path.as_ptr(), AVIO_FLAG_WRITE)
            };
            check("avio_open", opened)?;
            let mut options = Options::new(options)?;
            check("avformat_write_header", avformat_write_header(context, &mut options.0))?;
            options.used_up()?;
            for (n, (_, time_base)) in tracks.iter().enumerate() {
                muxer.bases.push((*time_base, ff::Rational::from((**(*context).streams.add(n)).time_base)));
            }
            Ok(muxer)
        }
    }

    fn prepare(&self, track: usize, packet: &mut ff::Packet) {
        let (from, to) = self.bases[track];
        packet.set_stream(track);
        packet.rescale_ts(from, to);
        packet.set_position(-1);
    }

    /// Writes at once: the caller brings packets in an order that pleases the muxer.
    pub fn write(&mut self, track: usize, packet: &mut ff::Packet) -> Result<()> {
        self.prepare(track, packet);
        // SAFETY: a valid packet of ours; ffmpeg keeps no reference to it.
        check("av_write_frame", unsafe { av_write_frame(self.context.as_ptr(), packet.as_mut_ptr()) }).map(drop)
    }

    /// Leaves the order of tracks to the muxer, which keeps packets until it knows.
    pub fn write_interleaved(&mut self, track: usize, mut packet: ff::Packet) -> Result<()> {
        self.prepare(track, &mut packet);
        // SAFETY: ffmpeg takes the packet's content and leaves it empty.
        let code = unsafe { av_interleaved_write_frame(self.context.as_ptr(), packet.as_mut_ptr()) };
        check("av_interleaved_write_frame", code).map(drop)
    }

    /// Ends the fragment and takes what was written since the last time. For muxers in memory.
    pub fn take(&mut self) -> Result<Vec<u8>> {
        if !self.in_memory {
            return Err(MediaError::Other("only a muxer in memory can be emptied"));
        }
        // SAFETY: the buffer is ours once it is closed, and freed after it was copied. `pb` is never left dangling.
        unsafe {
            let context = self.context.as_ptr();
            check("av_write_frame", av_write_frame(context, ptr::null_mut()))?;
            let bytes = close_buffer(context);
            check("avio_open_dyn_buf", avio_open_dyn_buf(&mut (*context).pb))?;
            Ok(bytes)
        }
    }

    /// Writes the end. The file is complete when this answers.
    pub fn finish(self) -> Result<()> {
        // SAFETY: the header was written; the context is released by the drop that follows.
        check("av_write_trailer", unsafe { av_write_trailer(self.context.as_ptr()) })?;
        if !self.in_memory {
            // SAFETY: closes and clears; a late write error comes out here.
            check("avio_close", unsafe { avio_closep(&mut (*self.context.as_ptr()).pb) })?;
        }
        Ok(())
    }
}

/// # Safety
/// `context` has a buffer as its `pb`.
unsafe fn close_buffer(context: *mut AVFormatContext) -> Vec<u8> {
    unsafe {
        let mut bytes = ptr::null_mut();
        let len = avio_close_dyn_buf((*context).pb, &mut bytes);
        (*context).pb = ptr::null_mut();
        let copy =
            if bytes.is_null() { Vec::new() } else { std::slice::from_raw_parts(bytes, len.max(0) as usize).to_vec() };
        av_free(bytes.cast());
        copy
    }
}

impl Drop for Muxer {
    fn drop(&mut self) {
        // SAFETY: `pb` is either null or ours; the context is freed once.
        unsafe {
            let context = self.context.as_ptr();
            if !(*context).pb.is_null() {
                if self.in_memory {
                    close_buffer(context);
                } else {
                    avio_closep(&mut (*context).pb);
                }
            }
            avformat_free_context(context);
        }
    }
}
