//! From packets to files: renditions in fragments, and whole films.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ffmpeg_next as ff;
use ffmpeg_next::Rescale;

use crate::avc;
use crate::boxes;
use crate::encode::SOUND_RATE;
use crate::ffi::{self, MediaError, Muxer, Result, Sink, WithoutMessages};
use crate::plan::ladder::Rung;
use crate::plan::pace::{TICKS, milliseconds};
use crate::probe::{self, MICROSECONDS, Source};
use crate::protocol::Event;

/// A file is whole when it has its name.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    Ok(fs::rename(part, path)?)
}

const PICTURES: usize = 0;
const SOUND: usize = 1;

/// Where a rendition's packets begin, and what of it is published.
#[derive(Debug, Clone, Copy, Default)]
pub struct Begin {
    /// The first packets that come are those of this segment.
    pub at: usize,
    /// So many segments are published: of these nothing is said.
    pub behind: usize,
}

/// A rendition in fragments: pictures and sound in one file per segment, cut at key frames. Packets of pictures count ticks.
pub struct Fragments {
    muxer: Muxer,
    folder: PathBuf,
    /// All there is of it, head first, in one file.
    pieces: Option<fs::File>,
    rung: Rung,
    begin: Begin,
    has_head: bool,
    codecs: String,
    /// Packets of the segment that is growing and, of sound, beyond.
    pictures: Vec<ff::Packet>,
    sound: VecDeque<ff::Packet>,
    has_sound: bool,
    sound_ended: bool,
    /// Cuts that wait for their sound: the tick at which the segment ends, and its pictures.
    waiting: VecDeque<(i64, Vec<ff::Packet>)>,
    /// How long before it is shown the first picture is decoded.
    lead: Option<i64>,
    started: i64,
    next: usize,
    peak: i64,
}

impl Fragments {
    pub fn new(
        scratch: &Path,
        rung: &Rung,
        pictures: (&ff::codec::Parameters, ff::Rational),
        sound: Option<(&ff::codec::Parameters, ff::Rational)>,
        begin: Begin,
    ) -> Result<Fragments> {
        let folder = scratch.join(&rung.name);
        fs::create_dir_all(&folder)?;
        let mut codecs =
            avc::avc_name(&ffi::extradata(pictures.0)).ok_or(MediaError::Other("x264 gave no parameter sets"))?;
        if sound.is_some() {
            codecs += ",mp4a.40.2";
        }
        let tracks: Vec<_> = std::iter::once(pictures).chain(sound).collect();
        // The head is written late, when the first packets have told how far decoding runs ahead of showing: an edit
        // list in it lets pictures and sound of every rendition begin at moment zero.
        let flags = "+frag_custom+delay_moov+default_base_moof+skip_trailer";
        // As if all that goes before the first packets had gone through it.
        let flags = if begin.at > 0 { format!("{flags}+frag_discont") } else { flags.to_owned() };
        let number = (begin.at + 1).to_string();
        let options = [("movflags", &*flags), ("fragment_index", &*number)];
        Ok(Fragments {
            muxer: Muxer::new(Sink::Memory, &tracks, &options)?,
            folder,
            pieces: None,
            rung: rung.clone(),
            begin,
            has_head: false,
            codecs,
            pictures: Vec::new(),
            sound: VecDeque::new(),
            has_sound: sound.is_some(),
            sound_ended: false,
            waiting: VecDeque::new(),
            lead: None,
            started: 0,
            next: begin.at,
            peak: 0,
        })
    }

    /// Keeps all of it in this file too, behind what is published.
    pub fn keep_pieces(&mut self, path: &Path) -> Result<()> {
        self.pieces = Some(fs::File::options().create(true).append(true).open(path)?);
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.pieces.as_mut().map_or(Ok(()), |pieces| pieces.write_all(bytes))?)
    }

    fn head(&mut self, emit: &mut dyn FnMut(Event) -> Result<()>) -> Result<()> {
        let bytes = self.muxer.take()?;
        self.has_head = true;
        if self.begin.behind == 0 {
            self.keep(&bytes)?;
        }
        write_whole(&self.folder.join("init.mp4"), &bytes)?;
        let rung = &self.rung;
        emit(Event::Rendition {
            name: rung.name.clone(),
            width: rung.size.width,
            height: rung.size.height,
            bandwidth: i64::from(rung.max_kbps + 100) * 1100,
            codecs: self.codecs.clone(),
            file: format!("{}/init.mp4", rung.name),
        })
    }

    /// Whether a segment of it is out.
    pub fn any_is_out(&self) -> bool {
        self.next > 0 || self.begin.behind > 0
    }

    /// A picture of that tick belongs to a segment that is published, and all earlier sound too.
    pub fn skip(&mut self, at: i64) {
        let until = sound_moment(at);
        while self.sound.front().is_some_and(|p| p.pts().unwrap_or(0) < until) {
            self.sound.pop_front();
        }
    }

    /// `opens`: a segment begins with it.
    pub fn picture(
        &mut self,
        packet: ff::Packet,
        opens: bool,
        emit: &mut dyn FnMut(Event) -> Result<()>,
    ) -> Result<()> {
        if opens && !self.pictures.is_empty() {
            self.close(packet.dts());
            let pictures = std::mem::take(&mut self.pictures);
            self.waiting.push_back((packet.pts().unwrap_or(0), pictures));
        }
        if self.lead.is_none() {
            let at = packet.pts().unwrap_or(0);
            self.lead = Some(at - packet.dts().unwrap_or(at));
            if self.begin.at > 0 {
                self.skip(at);
                self.started = at;
            }
        }
        self.pictures.push(packet);
        self.cut(emit)
    }

    /// The last picture of a segment is decoded until the next one's turn: there the next segment begins.
    fn close(&mut self, next: Option<i64>) {
        if let Some(next) = next
            && let Some(last) = self.pictures.pop()
        {
            self.pictures.push(until(last, next));
        }
    }

    pub fn sound(&mut self, packet: ff::Packet, emit: &mut dyn FnMut(Event) -> Result<()>) -> Result<()> {
        self.sound.push_back(packet);
        self.cut(emit)
    }

    /// Writes the segments whose pictures and sound are all there.
    fn cut(&mut self, emit: &mut dyn FnMut(Event) -> Result<()>) -> Result<()> {
        while let Some((end, _)) = self.waiting.front() {
            let end = *end;
            let until = sound_moment(end);
            let reached = self.sound.back().is_some_and(|p| p.pts().unwrap_or(0) >= until);
            if self.has_sound && !self.sound_ended && !reached {
                return Ok(());
            }
            let Some((_, pictures)) = self.waiting.pop_front() else { return Ok(()) };
            let here = self.sound.iter().take_while(|p| p.pts().unwrap_or(0) < until).count();
            let sound: Vec<ff::Packet> = self.sound.drain(..here).collect();
            self.segment(pictures, sound, end, emit)?;
        }
        Ok(())
    }

    fn segment(
        &mut self,
        pictures: Vec<ff::Packet>,
        sound: Vec<ff::Packet>,
        end: i64,
        emit: &mut dyn FnMut(Event) -> Result<()>,
    ) -> Result<()> {
        let last_sound = sound.last().map_or(0, |p| (p.pts().unwrap_or(0) + p.duration().max(1024)) / 48);
        for mut packet in pictures {
            self.muxer.write(PICTURES, &mut packet)?;
        }
        for mut packet in sound {
            self.muxer.write(SOUND, &mut packet)?;
        }
        if !self.has_head {
            self.head(emit)?;
        }
        let bytes = self.muxer.take()?;
        let begin_ms = milliseconds(self.started);
        let end_ms = milliseconds(end).max(if self.sound_ended && self.waiting.is_empty() { last_sound } else { 0 });
        let duration_ms = (end_ms - begin_ms).max(1);
        let (name, n) = (self.rung.name.clone(), self.next);
        self.started = end;
        self.next += 1;
        if n < self.begin.behind {
            return Ok(());
        }
        self.keep(&bytes)?;
        let file = format!("{n:05}.m4s");
        write_whole(&self.folder.join(&file), &bytes)?;
        self.peak = self.peak.max(bits_a_second(bytes.len() as i64, duration_ms));
        emit(Event::Segment { file: format!("{name}/{file}"), name, n: n as i64, duration_ms })
    }

    pub fn end_of_sound(&mut self) {
        self.sound_ended = true;
    }

    /// After the last packet. `end` is the tick behind the last picture.
    pub fn finish(mut self, end: i64, emit: &mut dyn FnMut(Event) -> Result<()>) -> Result<()> {
        self.sound_ended = true;
        self.close(self.lead.map(|lead| end - lead));
        self.cut(emit)?;
        let mut pictures = std::mem::take(&mut self.pictures);
        end_by(&mut pictures, end);
        let sound: Vec<ff::Packet> = self.sound.drain(..).collect();
        // Without pictures, all of it was published.
        if self.lead.is_some() && (!pictures.is_empty() || !sound.is_empty()) {
            self.segment(pictures, sound, end, emit)?;
        }
        emit(Event::Complete { name: self.rung.name.clone(), bandwidth: self.peak.max(1) })
    }
}

/// Players take the time until the next picture is decoded for the time that this one is shown, and wait at the end of the
/// film for all of the last one's. So that one gives way to the next before it would go beyond the end: the next is
/// decoded earlier.
fn end_by(pictures: &mut [ff::Packet], end: i64) {
    let shown = |packet: &ff::Packet| packet.pts().unwrap_or(i64::MIN);
    let Some(last) = (0..pictures.len()).max_by_key(|n| shown(&pictures[*n])) else { return };
    let latest = pictures[last].dts().map(|decoded| decoded + (end - shown(&pictures[last])).max(1));
    if let Some(next) = pictures.get_mut(last + 1) {
        next.set_dts(next.dts().min(latest));
    }
}

fn sound_moment(ticks: i64) -> i64 {
    ticks.rescale(ff::Rational(1, TICKS as i32), ff::Rational(1, SOUND_RATE as i32))
}

/// Never a bit below what a player will measure.
pub fn bits_a_second(bytes: i64, duration_ms: i64) -> i64 {
    (bytes.saturating_mul(8000) as u64).div_ceil(duration_ms.max(500) as u64) as i64
}

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
pub fn film(pieces: &Path, path: &Path, end: i64) -> Result<()> {
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

/// A picture that is decoded until the next one's turn.
fn until(mut packet: ff::Packet, next: i64) -> ff::Packet {
    packet.set_duration((next - packet.dts().unwrap_or(next)).max(1));
    packet
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
