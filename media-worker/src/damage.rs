//! How much of a film is damaged, told before anything is made of it: every packet by its shape, which costs only reading,
//! and some of the key frames by a decoder that forgives nothing. A refusal cannot be taken back: what may be another
//! writer's way of doing it is no damage.

use std::path::Path;

use ffmpeg_next as ff;
use ffmpeg_next::codec::Id;

use crate::avc;
use crate::ffi::{self, MediaError};
use crate::probe::{self, Result, Source};

/// Beyond this share nobody can follow it.
pub const TOO_MUCH: f64 = 0.1;
/// So many key frames are decoded of a picture of 720p, and fewer of larger ones: somebody waits. Of fewer than the
/// fewest, one damaged picture would be a tenth of the film.
const MOST_KEYS: u64 = 24;
const FEWEST_KEYS: usize = 8;
/// No phone's weigh as much in all.
const MOST_KEY_BYTES: usize = 256 << 20;
/// Key frames do not lie where one would like them.
const SPARE_KEYS: u64 = 4;
const HD: u64 = 1280 * 720;
/// So many damaged places in a row, and there is nothing behind them.
const MOST_IN_A_ROW: u32 = 1_000;

/// Of the pictures, between 0 and 1. What is missing at the end of a film that was cut off is no damage.
pub fn share(path: &Path, cut: bool, threads: u32) -> Result<f64> {
    let mut source = probe::open(path, cut)?;
    let unit = unit_size(&source);
    let size = source.video.header.size;
    let pixels = u64::from(size.width) * u64::from(size.height);
    let wanted = (MOST_KEYS * HD / pixels.max(1)).clamp(FEWEST_KEYS as u64 + SPARE_KEYS, MOST_KEYS);
    let step_us = (source.duration_ms * 1000 / wanted as i64).max(1);
    let (mut all, mut bad) = (0_u32, 0_u32);
    let mut has_one_head = true;
    let (mut keys, mut key_bytes, mut next_key_us) = (Vec::new(), 0, i64::MIN);
    let mut gaps = Gaps::default();
    let is_matroska = source.input.format().name().contains("matroska");
    let (mut packet, mut in_a_row, mut last_was_bad) = (ff::Packet::empty(), 0, false);
    loop {
        match packet.read(&mut source.input) {
            Ok(()) => in_a_row = 0,
            Err(ff::Error::InvalidData) if in_a_row < MOST_IN_A_ROW => {
                in_a_row += 1;
                (all, bad) = (all + 1, bad + 1);
                continue;
            }
            Err(_) => break,
        }
        if is_matroska {
            gaps.packet(packet.position() as i64, (packet.size() + ffi::additional_bytes(&packet)) as i64);
        }
        if packet.stream() != source.video.index {
            continue;
        }
        all += 1;
        has_one_head &= !ffi::has_new_head(&packet);
        let data = packet.data().unwrap_or_default();
        let whole = !packet.is_corrupt() && unit.is_none_or(|size| avc::is_whole(data, size));
        bad += u32::from(!whole);
        last_was_bad = !whole;
        let at = packet.pts().or(packet.dts()).unwrap_or(0);
        let at = probe::moment(at, source.video.time_base, source.origin_us);
        if packet.is_key() && at >= next_key_us && key_bytes < MOST_KEY_BYTES {
            key_bytes += packet.size();
            next_key_us = (at.div_euclid(step_us).saturating_add(1)).saturating_mul(step_us);
            keys.push(packet.clone());
        }
    }
    if cut && last_was_bad {
        bad -= 1;
    }
    if !has_one_head {
        // By themselves, key frames of joined films are not known to be of the one or the other.
        keys.clear();
    }
    let packets = f64::from(bad) / f64::from(all.max(1));
    Ok(packets.max(damaged_keys(&source, keys, threads)?).max(gaps.share()))
}

/// Of the pictures that key frames give by themselves. With all hands, as somebody waits.
fn damaged_keys(source: &Source, mut keys: Vec<ff::Packet>, threads: u32) -> Result<f64> {
    let each = keys.len().div_ceil(threads.max(1) as usize).max(1);
    let clean: Vec<bool> = std::thread::scope(|scope| {
        let mut looking = Vec::new();
        for some in keys.chunks_mut(each) {
            let mut eyes = Eyes::open(source)?;
            looking.push(scope.spawn(move || some.iter().filter_map(|key| eyes.look(key)).collect::<Vec<_>>()));
        }
        let seen = looking.into_iter().map(|each| each.join().map_err(|_| MediaError::Other("a look that broke off")));
        Ok::<_, MediaError>(seen.collect::<Result<Vec<_>, _>>()?.concat())
    })?;
    let bad = clean.iter().filter(|clean| !**clean).count();
    Ok(if clean.len() >= FEWEST_KEYS { bad as f64 / clean.len() as f64 } else { 0.0 })
}

/// What lies between the packets of a container whose reader looks for the next packet in silence where it finds none.
#[derive(Default)]
struct Gaps {
    first: Option<i64>,
    last: Option<i64>,
    end: i64,
    lost: i64,
}

impl Gaps {
    /// Heads of clusters, an index, what a reader skips: all of that is smaller.
    const HARMLESS: i64 = 16 << 10;

    fn packet(&mut self, at: i64, len: i64) {
        if at < 0 {
            return;
        }
        // Several frames in one block are told to lie where the block does.
        if self.last == Some(at) {
            self.end = self.end.saturating_add(len);
            return;
        }
        let gap = at - self.end;
        if self.first.is_some() && gap > Self::HARMLESS {
            self.lost += gap;
        }
        self.first.get_or_insert(at);
        self.last = Some(at);
        self.end = self.end.max(at.saturating_add(len));
    }

    fn share(&self) -> f64 {
        let all = self.end - self.first.unwrap_or(self.end);
        self.lost as f64 / all.max(1) as f64
    }
}

/// How long the lengths of units are, where a codec's packets consist of units with lengths.
fn unit_size(source: &Source) -> Option<usize> {
    let head = ffi::extradata(&source.video.parameters);
    let byte = match (source.video.parameters.id(), head.first()) {
        (Id::H264, Some(1)) => head.get(4),
        (Id::HEVC, Some(1)) => head.get(21),
        _ => None,
    };
    byte.map(|byte| usize::from(byte & 3) + 1)
}

/// Two decoders: one that stops at whatever is wrong, and the one that the film is made with, which has the last word.
struct Eyes {
    /// None where even the stream's head does not please it.
    strict: Option<ff::decoder::Opened>,
    usual: ff::decoder::Opened,
}

impl Eyes {
    fn open(source: &Source) -> ffi::Result<Eyes> {
        let (parameters, time_base) = (&source.video.parameters, source.video.time_base);
        let strict = ffi::strict_decoder(parameters, time_base).ok();
        Ok(Eyes { strict, usual: ffi::decoder(parameters, time_base, 1)? })
    }

    /// Whether a key frame by itself is a whole picture. None: it gives none by itself, as where pictures come in halves.
    fn look(&mut self, packet: &ff::Packet) -> Option<bool> {
        match self.strict.as_mut().map(|strict| decoded(strict, packet)) {
            Some(Seen::Clean) => Some(true),
            _ => match decoded(&mut self.usual, packet) {
                Seen::Clean => Some(true),
                Seen::Damaged => Some(false),
                Seen::Nothing => None,
            },
        }
    }
}

enum Seen {
    Clean,
    Damaged,
    Nothing,
}

fn decoded(decoder: &mut ff::decoder::Opened, packet: &ff::Packet) -> Seen {
    let mut frame = ff::frame::Video::empty();
    let sent = decoder.send_packet(packet).and_then(|()| decoder.send_eof());
    let came = sent.and_then(|()| decoder.receive_frame(&mut frame));
    decoder.flush();
    match came {
        Ok(()) if ffi::is_damaged(&frame) => Seen::Damaged,
        Ok(()) => Seen::Clean,
        Err(ff::Error::Eof) => Seen::Nothing,
        Err(_) => Seen::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_packets_is_lost() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.share(), 0.0);
        // A large cover before the first packet is no gap.
        gaps.packet(1 << 20, 50_000);
        gaps.packet((1 << 20) + 50_040, 40_000);
        gaps.packet(-1, 7);
        assert_eq!(gaps.share(), 0.0);
        gaps.packet((1 << 20) + 190_040, 4_960);
        gaps.packet((1 << 20) + 190_040, 5_000);
        assert_eq!(gaps.share(), 0.5);
    }
}
