//! Whole films in one file: of a rendition's pieces, or of the source's own packets.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ffmpeg_next as ff;
use ffmpeg_next::Rescale;

use crate::avc;
use crate::boxes;
use crate::ffi::{self, MediaError, Muxer, Result, Sink, WithoutMessages};
use crate::package::{PICTURES, SOUND, until};
use crate::plan::pace::TICKS;
use crate::probe::{self, MICROSECONDS, Source};

/// The whole film in one file that plays while it loads.
pub struct Film {
    muxer: Muxer,
    part: PathBuf,
    path: PathBuf,
}

impl Film {
    pub fn new(path: &Path, tracks: &[(&ff::codec::Parameters, ff::Rational)]) -> Result<Film> {
        let part = path.with_extension("part");
        let muxer = Muxer::new(Sink::File(&part), tracks, &[("movflags", "+faststart")])?;
        Ok(Film { muxer, part, path: path.to_owned() })
    }

    pub fn picture(&mut self, packet: ff::Packet) -> Result<()> {
        self.muxer.write_interleaved(PICTURES, packet)
    }

    pub fn sound(&mut self, packet: ff::Packet) -> Result<()> {
        self.muxer.write_interleaved(SOUND, packet)
    }

    pub fn finish(self) -> Result<()> {
        self.muxer.finish()?;
        Ok(fs::rename(self.part, self.path)?)
    }
}

/// Makes a film of a rendition's pieces, which are gone then. `end`: the tick behind the last picture.
pub fn of_pieces(pieces: &Path, path: &Path, end: i64) -> Result<()> {
    let mut input = ffi::open(pieces)?;
    let tracks: Vec<_> = input.streams().map(|stream| (stream.parameters(), stream.time_base())).collect();
    let base = |n: usize| tracks.get(n).filter(|(of, _)| of.medium() == ff::media::Type::Video).map(|(_, base)| *base);
    let mut film = Film::new(path, &tracks.iter().map(|(of, base)| (of, *base)).collect::<Vec<_>>())?;
    // Fragments don't say how long a picture lasts that is not shown in the order of the file.
    let (mut first, mut last) = (None, None::<ff::Packet>);
    loop {
        let mut packet = ff::Packet::empty();
        match packet.read(&mut input) {
            Ok(()) if base(packet.stream()).is_none() => film.sound(packet)?,
            Ok(()) => {
                let decoded = packet.dts().unwrap_or_default();
                first.get_or_insert(decoded);
                if let Some(before) = last.replace(packet) {
                    film.picture(until(before, decoded))?;
                }
            }
            Err(ff::Error::Eof) => break,
            Err(error) => return Err(MediaError::Call("reading", error)),
        }
    }
    if let (Some(last), Some(base), Some(first)) = (last, base(PICTURES), first) {
        film.picture(until(last, first + end.rescale(ff::Rational(1, TICKS as i32), base)))?;
    }
    film.finish()?;
    Ok(fs::remove_file(pieces)?)
}

/// Whether the source's own packets, in an MP4, play in every browser.
pub fn may_copy(source: &Source) -> bool {
    let video = &source.video;
    video.codec == "h264"
        // Baseline, Main and High; not the 10-bit, 4:2:2 and 4:4:4 ones.
        && [66, 77, 88, 100].contains(&(video.header.profile & 0xff))
        && ["yuv420p", "yuvj420p"].contains(&video.header.pixels.as_str())
        && !video.header.interlaced
        && !video.orientation.is_mirrored()
        // Pixels that are no squares may be so by the container's word alone.
        && video.sar.0 == video.sar.1
        && source.audio.as_ref().is_none_or(|a| a.codec == "aac")
}

/// Copies the packets as they are. The turn of the picture goes along as a display matrix.
pub fn copy(mut source: Source, path: &Path) -> Result<()> {
    let mut quiet = WithoutMessages::new(&source.video.parameters, source.video.time_base)?;
    let pictures = quiet.parameters()?;
    let mut tracks = vec![(&pictures, source.video.time_base)];
    if let Some(audio) = &source.audio {
        tracks.push((&audio.parameters, audio.time_base));
    }
    let mut film = Film::new(path, &tracks)?;
    let head = ffi::extradata(&source.video.parameters);
    let picture = (source.video.index, source.origin_us.rescale(MICROSECONDS, source.video.time_base));
    let sound = source.audio.as_ref().map(|a| (a.index, source.origin_us.rescale(MICROSECONDS, a.time_base)));
    let (mut end_us, mut last_decoded) = (0, i64::MIN);
    loop {
        let mut whole = ff::Packet::empty();
        match whole.read(&mut source.input) {
            Ok(()) if whole.is_corrupt() => return Err(MediaError::Other("a damaged picture or sound")),
            Ok(()) => {}
            Err(ff::Error::Eof) => break,
            // What is decoded may go on behind the damage; a copy would end there, or freeze.
            Err(error) => return Err(MediaError::Call("reading", error)),
        }
        let (is_picture, origin) = match (whole.stream(), sound) {
            (index, _) if index == picture.0 => (true, picture.1),
            (index, Some((other, origin))) if index == other => (false, origin),
            _ => continue,
        };
        if let Some(at) = whole.pts() {
            let base = if is_picture {
                source.video.time_base
            } else {
                source.audio.as_ref().map_or(MICROSECONDS, |a| a.time_base)
            };
            end_us = end_us.max(probe::moment(at.saturating_add(whole.duration()), base, source.origin_us));
        }
        let decoded = whole.dts().unwrap_or(i64::MIN);
        if is_picture && std::mem::replace(&mut last_decoded, decoded) > decoded {
            return Err(MediaError::Other("a clock that goes back"));
        }
        if is_picture && (ffi::is_cut_away(&whole) || ffi::has_new_head(&whole)) {
            return Err(MediaError::Other("pictures that are not shown, or of another head"));
        }
        if is_picture && whole.is_key() && !avc::opens_fresh(&head, whole.data().unwrap_or_default()) {
            return Err(MediaError::Other(
                "pictures lean on others across a key frame: browsers stop there after a seek",
            ));
        }
        whole.set_pts(whole.pts().map(|at| at.saturating_sub(origin)));
        whole.set_dts(whole.dts().map(|at| at.saturating_sub(origin)));
        if !is_picture {
            film.sound(whole)?;
        } else if let Some(picture) = quiet.pass(whole)? {
            film.picture(picture)?;
        }
    }
    if probe::ends_early(source.duration_ms, end_us / 1000) {
        return Err(MediaError::Other("the file ends before its film"));
    }
    if probe::ends_early(end_us / 1000, source.duration_ms) {
        return Err(MediaError::Other("a last picture or sound that would never end"));
    }
    film.finish()?;
    match source.video.matrix {
        Some(matrix) if !source.video.orientation.is_upright() => turn(path, &matrix),
        _ => Ok(()),
    }
}

/// Writes the display matrix into a finished film.
fn turn(path: &Path, matrix: &[i32; 9]) -> Result<()> {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.seek(SeekFrom::End(0))?;
    let top = boxes::top_level(&mut file, len)?;
    let moov = top.iter().find(|b| &b.kind == b"moov").ok_or(MediaError::Other("a film without an index"))?;
    let mut bytes = vec![0; (moov.end - moov.body) as usize];
    file.seek(SeekFrom::Start(moov.body))?;
    file.read_exact(&mut bytes)?;
    if !boxes::set_matrix(&mut bytes, matrix) {
        return Err(MediaError::Other("a film without pictures"));
    }
    file.seek(SeekFrom::Start(moov.body))?;
    Ok(file.write_all(&bytes)?)
}
