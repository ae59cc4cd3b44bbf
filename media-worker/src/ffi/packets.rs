//! What ffmpeg knows of packets, beside their bytes.

use std::ptr::{self, NonNull};

use ffmpeg_next as ff;
use ffmpeg_next::codec::packet::side_data::Type;
use ffmpeg_next::ffi::*;
use ffmpeg_next::packet::{Mut, Ref};

use super::{MediaError, Result, check};

/// To be decoded, and not to be shown: an editor cut it away.
pub fn is_cut_away(packet: &ff::Packet) -> bool {
    // SAFETY: reads a number of a structure of ours.
    unsafe { (*packet.as_ptr()).flags & AV_PKT_FLAG_DISCARD != 0 }
}

/// From here on the stream has another head: films that were joined without being encoded anew.
pub fn has_new_head(packet: &ff::Packet) -> bool {
    packet.side_data().any(|data| data.kind() == Type::NewExtraData)
}

/// How many bytes lie beside it in its block: WebM keeps there what may be seen through.
pub fn additional_bytes(packet: &ff::Packet) -> usize {
    let additional = packet.side_data().filter(|data| data.kind() == Type::MatroskaBlockAdditional);
    additional.map(|data| data.data().len()).sum()
}

/// Takes the messages out of H.264 (SEI): nothing is shown of them, and cameras write there where they are.
pub struct WithoutMessages(NonNull<AVBSFContext>);

impl WithoutMessages {
    pub fn new(parameters: &ff::codec::Parameters, time_base: ff::Rational) -> Result<WithoutMessages> {
        let mut context = ptr::null_mut();
        // SAFETY: once allocated, the context is owned by what is returned, whose drop frees it.
        unsafe {
            let filter = av_bsf_get_by_name(c"filter_units".as_ptr());
            if filter.is_null() {
                return Err(MediaError::Missing("filter_units".into()));
            }
            check("av_bsf_alloc", av_bsf_alloc(filter, &mut context))?;
            let this = WithoutMessages(NonNull::new(context).ok_or(MediaError::NoMemory)?);
            check("avcodec_parameters_copy", avcodec_parameters_copy((*context).par_in, parameters.as_ptr()))?;
            (*context).time_base_in = time_base.into();
            let set = av_opt_set((*context).priv_data, c"remove_types".as_ptr(), c"6".as_ptr(), 0);
            check("remove_types", set)?;
            check("av_bsf_init", av_bsf_init(context))?;
            Ok(this)
        }
    }

    /// What a muxer has to know of what comes out: units are parted otherwise than they were.
    pub fn parameters(&self) -> Result<ff::codec::Parameters> {
        let mut parameters = ff::codec::Parameters::new();
        // SAFETY: copies between two valid structures.
        let copied = unsafe { avcodec_parameters_copy(parameters.as_mut_ptr(), (*self.0.as_ptr()).par_out) };
        check("avcodec_parameters_copy", copied).map(|_| parameters)
    }

    /// None: there was nothing but messages in it.
    pub fn pass(&mut self, mut packet: ff::Packet) -> Result<Option<ff::Packet>> {
        let mut passed = ff::Packet::empty();
        // SAFETY: the filter takes the bytes out of the one packet and puts them into the other.
        let code = unsafe {
            check("av_bsf_send_packet", av_bsf_send_packet(self.0.as_ptr(), packet.as_mut_ptr()))?;
            av_bsf_receive_packet(self.0.as_ptr(), passed.as_mut_ptr())
        };
        if code == AVERROR(EAGAIN) {
            return Ok(None);
        }
        check("av_bsf_receive_packet", code).map(|_| Some(passed))
    }
}

impl Drop for WithoutMessages {
    fn drop(&mut self) {
        let mut context = self.0.as_ptr();
        // SAFETY: ours, and freed once.
        unsafe { av_bsf_free(&mut context) };
    }
}
