//! One rendition of those that are made in one decode.

use std::path::Path;

use ffmpeg_next as ff;

use super::Order;
use crate::encode::PictureEncoder;
use crate::package::{Fed, Fragments};
use crate::plan::ladder::Rung;
use crate::probe::Result;

/// One rendition in the making.
pub struct Line {
    pub encoder: PictureEncoder,
    pub fragments: Fragments,
}

impl Line {
    /// `pieces`: the file that takes all there is of it.
    pub fn open(
        order: &Order<'_>,
        rung: &Rung,
        sound: Option<(&ff::codec::Parameters, ff::Rational)>,
        pieces: Option<&Path>,
    ) -> Result<Option<Line>> {
        if order.published.is_complete(&rung.name) {
            return Ok(None);
        }
        let encoder = PictureEncoder::open(rung, order.threads)?;
        let pictures = encoder.parameters()?;
        let pictures = (&pictures, encoder.time_base());
        let behind = order.published.rung(&rung.name).map_or(&[][..], |rung| &rung.segments);
        let mut fragments = Fragments::new(order.scratch, rung, pictures, sound, behind, Fed::Rest)?;
        if let Some(path) = pieces {
            fragments.keep_pieces(path)?;
        }
        Ok(Some(Line { encoder, fragments }))
    }
}

/// Of sound that begins late, a segment waits for seconds; the pictures don't.
pub const MOST_HELD: usize = 130;

/// One picture for each line, or none where it had its own.
pub struct Held {
    pub each: Vec<Option<ff::frame::Video>>,
    pub at: i64,
    /// They open their segment.
    pub key: bool,
    pub segment: usize,
}
