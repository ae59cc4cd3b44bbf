//! Still pictures: the poster, and the storyboard that a mentor scrubs through.

use std::fmt::Write as _;

use ffmpeg_next as ff;
use weijia_core::clip::refusal::RefusalCode;

use crate::ffi::{self, MediaError, call};
use crate::graph::Graph;
use crate::plan::filters::{Decoded, Output};
use crate::plan::{Colours, Size};
use crate::probe::{self, Failure, Result, Source};

const POSTER_SHORT: u32 = 480;
/// A poster is looked for in the first three seconds, at one picture in five.
const POSTER_WINDOW_US: i64 = 3_000_000;
const POSTER_EVERY: u32 = 5;

/// The first picture that is neither dark nor blank, or else the best one near the start. Proves on the way that the
/// source can be decoded at all.
pub fn poster(source: &mut Source, cut: bool, threads: u32) -> Result<Vec<u8>> {
    let video = &source.video;
    let mut decoder = ffi::decoder(&video.parameters, video.time_base, threads)?;
    let size = video.shown.scaled_to_short(video.shown.short().min(POSTER_SHORT));
    let (mut best, mut seen, mut ended): (Option<(f64, ff::frame::Video)>, u32, bool) = (None, 0, false);
    let (mut packet, mut any_came, mut unknown) = (ff::Packet::empty(), false, false);
    'reading: while !ended {
        if !probe::next_packet(&mut source.input, &mut packet) {
            ended = true;
            let _ = decoder.send_eof();
        } else if packet.stream() != video.index {
            continue;
        } else {
            any_came = true;
            unknown |= decoder.send_packet(&packet) == Err(ff::Error::PatchWelcome);
        }
        let mut frame = ff::frame::Video::empty();
        while decoder.receive_frame(&mut frame).is_ok() {
            seen += 1;
            if seen % POSTER_EVERY != 1 {
                continue;
            }
            let colours = ffi::picture_colours(&frame).or_told(&video.header.colours);
            let interlaced = frame.is_interlaced() || video.header.interlaced;
            let text = video.decoded(&frame, colours, interlaced).made_upright(&[size], Output::Jpeg);
            let mut graph = Graph::pictures(&ffi::picture_source(&frame, video.time_base), &text, 1)?;
            let at = frame.timestamp().map_or(0, |at| probe::moment(at, video.time_base, source.origin_us));
            graph.push(&frame)?;
            graph.end()?;
            let Some(picture) = graph.picture(0) else { continue };
            let score = liveliness(&picture);
            if best.as_ref().is_none_or(|(other, _)| score > *other) {
                best = Some((score, picture));
            }
            if score >= GOOD || at > POSTER_WINDOW_US {
                break 'reading;
            }
        }
    }
    match best {
        Some((_, picture)) => Ok(jpeg(&picture)?),
        // A kind of pictures that this decoder has not learnt.
        None if unknown => Err(Failure::Unreadable(video.codec.clone())),
        // All of it is there, and nobody can make a picture of it.
        None if any_came && !cut => Err(Failure::Refused(RefusalCode::Damaged)),
        None => Err(Failure::Refused(RefusalCode::Incomplete)),
    }
}

const GOOD: f64 = 18.0;

/// How much there is to see: the spread of brightness, less when most of it is very dark or very bright.
fn liveliness(frame: &ff::frame::Video) -> f64 {
    let (luma, stride) = (frame.data(0), frame.stride(0));
    let rows = (0..frame.height() as usize)
        .step_by(4)
        .filter_map(|y| luma.get(y * stride..y * stride + frame.width() as usize));
    let (mut n, mut sum, mut squares, mut extreme) = (0.0, 0.0, 0.0, 0.0);
    for value in rows.flat_map(|row| row.iter().step_by(4)) {
        let v = f64::from(*value);
        n += 1.0;
        sum += v;
        squares += v * v;
        extreme += f64::from(u8::from(*value < 24 || *value > 245));
    }
    if n == 0.0 {
        return 0.0;
    }
    let mean = sum / n;
    (squares / n - mean * mean).max(0.0).sqrt() * (1.0 - extreme / n)
}

fn jpeg(picture: &ff::frame::Video) -> ffi::Result<Vec<u8>> {
    let codec = ff::encoder::find(ff::codec::Id::MJPEG).ok_or_else(|| MediaError::Missing("mjpeg".into()))?;
    let context = ff::codec::Context::new_with_codec(codec);
    let mut encoder = context.encoder().video().map_err(call("mjpeg"))?;
    encoder.set_width(picture.width());
    encoder.set_height(picture.height());
    encoder.set_format(ff::format::Pixel::YUVJ420P);
    encoder.set_color_range(ff::color::Range::JPEG);
    encoder.set_time_base((1, 25));
    ffi::open_codec(&mut encoder, codec, &[("flags", "+qscale"), ("global_quality", "472"), ("threads", "1")])?;
    let mut picture = ffi::share(picture)?;
    picture.set_pts(Some(0));
    encoder.send_frame(&picture).map_err(call("mjpeg"))?;
    encoder.send_eof().map_err(call("mjpeg"))?;
    let mut packet = ff::Packet::empty();
    encoder.receive_packet(&mut packet).map_err(call("mjpeg"))?;
    Ok(packet.data().unwrap_or_default().to_vec())
}

const TILE_LONG: f64 = 160.0;
const COLUMNS: usize = 10;
const MOST_TILES: i64 = 100;
const LEAST_INTERVAL_MS: i64 = 500;

/// Small pictures at even distances, laid into one image, with a WebVTT file that says where each lies.
pub struct Storyboard {
    tile: Size,
    interval_ms: i64,
    tiles: Vec<(i64, [Vec<u8>; 3])>,
}

impl Storyboard {
    pub fn new(shown: Size, duration_ms: i64) -> Storyboard {
        let k = TILE_LONG / f64::from(shown.width.max(shown.height).max(1));
        let even = |side: u32| ((f64::from(side) * k / 2.0).round() as u32 * 2).max(2);
        let interval_ms = (duration_ms / MOST_TILES + 1).max(LEAST_INTERVAL_MS);
        Storyboard {
            tile: Size { width: even(shown.width), height: even(shown.height) },
            interval_ms,
            tiles: Vec::new(),
        }
    }

    pub fn wants(&self, ms: i64) -> bool {
        // A little over what was planned, should the container have told a shorter story.
        self.tiles.len() < 2 * MOST_TILES as usize
            && self.tiles.last().is_none_or(|(at, _)| ms >= at - at % self.interval_ms + self.interval_ms)
    }

    /// A picture in limited range, at least as large as a tile or nearly so.
    pub fn show(&mut self, frame: &ff::frame::Video, ms: i64) {
        if self.wants(ms) {
            let plane = |n: usize, w: u32, h: u32| {
                let from = Size { width: frame.plane_width(n), height: frame.plane_height(n) };
                shrink(frame.data(n), frame.stride(n), from, Size { width: w, height: h })
            };
            let Size { width, height } = self.tile;
            let planes = [plane(0, width, height), plane(1, width / 2, height / 2), plane(2, width / 2, height / 2)];
            self.tiles.push((ms, planes));
        }
    }

    /// The image and the WebVTT text, whose names for the image are relative.
    pub fn finish(self, duration_ms: i64, image_name: &str) -> ffi::Result<Option<(Vec<u8>, String)>> {
        if self.tiles.is_empty() {
            return Ok(None);
        }
        let columns = self.tiles.len().min(COLUMNS);
        let rows = self.tiles.len().div_ceil(COLUMNS);
        let sheet = Size { width: self.tile.width * columns as u32, height: self.tile.height * rows as u32 };
        let mut image = ff::frame::Video::new(ff::format::Pixel::YUV420P, sheet.width, sheet.height);
        for (n, black) in [(0, 16), (1, 128), (2, 128)] {
            image.data_mut(n).fill(black);
        }
        let mut vtt = String::from("WEBVTT\n");
        for (n, (at, planes)) in self.tiles.iter().enumerate() {
            let (x, y) = (self.tile.width as usize * (n % COLUMNS), self.tile.height as usize * (n / COLUMNS));
            for (p, plane) in planes.iter().enumerate() {
                let half = usize::from(p > 0) + 1;
                let (stride, width) = (image.stride(p), self.tile.width as usize / half);
                for (row, line) in plane.chunks_exact(width).enumerate() {
                    let start = (y / half + row) * stride + x / half;
                    image.data_mut(p)[start..start + width].copy_from_slice(line);
                }
            }
            let begin = if n == 0 { 0 } else { *at };
            let end = self.tiles.get(n + 1).map_or(duration_ms.max(at + 1), |(next, _)| *next);
            let _ = write!(
                vtt,
                "\n{} --> {}\n{image_name}#xywh={x},{y},{},{}\n",
                clock(begin),
                clock(end),
                self.tile.width,
                self.tile.height
            );
        }
        let colours = Colours { matrix: "bt709".into(), ..Default::default() };
        let made = Decoded { size: sheet, pixels: "yuv420p".into(), sar: (1, 1), colours, ..Decoded::default() };
        let text = made.made_upright(&[sheet], Output::Jpeg);
        let mut graph = Graph::pictures(&ffi::picture_source(&image, ff::Rational(1, 25)), &text, 1)?;
        image.set_pts(Some(0));
        graph.push(&image)?;
        let picture = graph.picture(0).ok_or(MediaError::Other("a sheet that did not come back"))?;
        Ok(Some((jpeg(&picture)?, vtt)))
    }
}

fn clock(ms: i64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// The mean of the points that fall together; a smaller source's points are repeated.
fn shrink(from: &[u8], stride: usize, size: Size, to: Size) -> Vec<u8> {
    let span = |n: u32, of: u32, full: u32| {
        let begin = (u64::from(n) * u64::from(full) / u64::from(of)) as usize;
        let end = (u64::from(n + 1) * u64::from(full) / u64::from(of)) as usize;
        begin..end.max(begin + 1).min(full.max(1) as usize)
    };
    let mut out = Vec::with_capacity((to.width * to.height) as usize);
    for y in 0..to.height {
        let rows = span(y, to.height, size.height);
        for x in 0..to.width {
            let columns = span(x, to.width, size.width);
            let (mut sum, mut n) = (0_u32, 0_u32);
            for row in rows.clone() {
                for value in from.get(row * stride + columns.start..row * stride + columns.end).unwrap_or_default() {
                    sum += u32::from(*value);
                    n += 1;
                }
            }
            out.push((sum / n.max(1)) as u8);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shrunk_plane_is_the_mean_of_what_it_was() {
        let from = [0, 100, 50, 50, 0, 100, 50, 50];
        let size = |width, height| Size { width, height };
        assert_eq!(shrink(&from, 4, size(4, 2), size(2, 1)), [50, 50]);
        assert_eq!(shrink(&[7, 9], 2, size(2, 1), size(4, 2)), [7, 7, 9, 9, 7, 7, 9, 9]);
    }

    #[test]
    fn tiles_come_at_even_distances_and_the_sheet_names_them() {
        ffi::init();
        let mut board = Storyboard::new(Size { width: 1080, height: 1920 }, 6_000);
        let frame = ff::frame::Video::new(ff::format::Pixel::YUV420P, 360, 640);
        for n in 0..180 {
            board.show(&frame, n * 1000 / 30);
        }
        assert_eq!(board.tiles.len(), 12);
        let (image, vtt) = board.finish(6_000, "storyboard.jpg").unwrap().unwrap();
        assert_eq!(&image[..3], b"\xff\xd8\xff");
        assert!(vtt.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nstoryboard.jpg#xywh=0,0,90,160\n"), "{vtt}");
        assert!(vtt.ends_with("00:00:05.500 --> 00:00:06.000\nstoryboard.jpg#xywh=90,160,90,160\n"), "{vtt}");
    }

    #[test]
    fn a_long_clip_keeps_to_a_sheet() {
        let board = Storyboard::new(Size { width: 640, height: 360 }, 600_000);
        assert!(600_000 / board.interval_ms <= MOST_TILES);
    }

    #[test]
    fn a_clock_reads_like_webvtt() {
        assert_eq!(clock(3_723_004), "01:02:03.004");
    }
}
