//! How near the pictures of a film are to those that ffmpeg's own command makes of its source.

use std::path::Path;
use std::process::Command;

use super::{moments, output, streams};

/// What ffmpeg's command makes of a decoded picture so that it is upright, BT.709 and in limited range.
pub const UPRIGHT: &str =
    "scale=in_color_matrix=auto:out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams=colorspace=bt709:range=tv";

/// The likeness of all pictures, from 0 to 1: each with every `step`th of the source, in order.
pub fn likeness(source: &Path, made: &Path, reference: &str, step: i64) -> f64 {
    let (w, h) = streams(made)[0].size;
    let graph = format!(
        "[0:V:0]select='not(mod(n\\,{step}))',{reference},scale={w}:{h}:flags=bicubic,setsar=1,settb=1/30,setpts=N[a];\
         [1:v:0]setsar=1,settb=1/30,setpts=N[b];[b][a]ssim=shortest=1"
    );
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "info", "-i"])
        .arg(source)
        .arg("-i")
        .arg(made)
        .args(["-filter_complex", &graph, "-fps_mode", "passthrough", "-f", "null", "-"])
        .output()
        .expect("ffmpeg");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let all = said.lines().rev().filter(|line| line.contains("SSIM")).find_map(|line| {
        let (_, rest) = line.split_once("All:")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    all.unwrap_or_else(|| {
        let end: Vec<&str> = said.lines().rev().take(4).collect();
        panic!("no likeness of {}: {end:?}", made.display())
    })
}

/// The first picture in eight times eight colours: a wrong matrix, range, turn or mirror shows there.
fn colours(film: &Path, filters: &str) -> Vec<u8> {
    let filters = format!("{filters},scale=8:8:flags=area+accurate_rnd+full_chroma_int,format=rgb24");
    let film = film.to_string_lossy();
    output(&["-i", &film, "-map", "0:V:0", "-frames:v", "1", "-vf", &filters, "-f", "rawvideo", "-"])
}

/// How far the colours of the first picture are off at most, of 255.
pub fn off_colour(source: &Path, made: &Path, reference: &str) -> u8 {
    // In two steps: swscale forgets the matrix on the way from 4K to next to nothing.
    let (w, h) = streams(made)[0].size;
    let (is, should) = (colours(made, "null"), colours(source, &format!("{reference},scale={w}:{h}")));
    assert_eq!((is.len(), should.len()), (192, 192), "{}", made.display());
    is.iter().zip(&should).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or_default()
}

/// How many of the source's pictures come one after the other, when every `step`th is taken.
pub fn pictures(source: &Path, step: i64) -> i64 {
    (moments(source).len() as i64 + step - 1) / step
}
