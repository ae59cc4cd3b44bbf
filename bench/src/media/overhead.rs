//! What signals and thumbnails cost of all that a clip costs. Neither can be left out of a job, so each is measured
//! alone: signals on the very pictures and sound that the job has for them; poster and storyboard by jobs on films that
//! have nothing else to be made of.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use weijia_signals::{Luma, Peaks, Pictures, Sound};

use super::clips::Clips;
use super::cost::on_this_thread;
use super::ffmpeg;
use super::job::{self, Walls};
use crate::report::{Findings, median};
use crate::{Options, Outcome};

/// The job measures one picture in so many.
const MEASURED: usize = 2;
const RATE: u32 = 30;
const SOUND_RATE: usize = 48_000;
/// The job hears sound in pieces of as many samples as the encoder takes.
const PIECE: usize = 1024;

pub fn overhead(options: &Options) -> Outcome<Findings> {
    let clips = Clips::new()?;
    let clip = clips.phone()?;
    let (first, board) = (clips.first_picture(&clip)?, clips.storyboard_pictures(&clip)?);
    let mut found = Findings::default();
    let mut parts: [(&str, Vec<f64>); 5] =
        [("all", vec![]), ("pictures", vec![]), ("sound", vec![]), ("poster", vec![]), ("storyboard", vec![])];
    for _ in 0..options.rounds {
        // A child that does nothing: what both thumbnails' children cost before they begin.
        let nothing = job::one(&first, "probe_jail", Walls::Jailed)?.cost.cpu_s;
        let poster = job::one(&first, "prepare", Walls::Jailed)?;
        let storyboard = job::one(&board, "other_rungs", Walls::Jailed)?;
        if poster.of("poster").count() != 1 || storyboard.of("storyboard").count() != 1 {
            return Err("no poster or no storyboard was made".into());
        }
        if storyboard.of("rendition").next().is_some() {
            return Err("the storyboard's film became a rung too".into());
        }
        let all = job::all(&clip, Walls::Jailed)?.cost.cpu_s;
        let costs = [
            all,
            pictures(&clip)?,
            sound(&clip)?,
            (poster.cost.cpu_s - nothing).max(0.0),
            (storyboard.cost.cpu_s - nothing).max(0.0),
        ];
        parts.iter_mut().zip(costs).for_each(|((_, runs), cost)| runs.push(cost));
    }
    let [all, extra @ ..] = &parts;
    let shares = (0..all.1.len()).map(|n| extra.iter().map(|(_, runs)| runs[n]).sum::<f64>() / all.1[n] * 100.0);
    found.value("signals_and_thumbnails", median(shares).ok_or("no round".into()));
    for (part, runs) in parts {
        found.sample(format!("phone clip, processor time of {part}"), "ms", runs.into_iter().map(|s| s * 1000.0));
    }
    Ok(found)
}

/// Seconds for the pictures of the rung that is measured.
fn pictures(clip: &Path) -> Outcome<f64> {
    let (width, height) = (480, 854);
    let filters = format!("scale={width}:{height}:flags=bicubic,format=gray");
    let mut command = ffmpeg::command();
    command.arg("-i").arg(clip).args(["-an", "-vf", &filters, "-f", "rawvideo", "-"]).stdout(Stdio::piped());
    let mut decoder = command.spawn().map_err(|e| format!("ffmpeg: {e}"))?;
    let mut stdout = decoder.stdout.take().ok_or("no stdout")?;
    let (mut points, mut signals, mut spent, mut n) = (vec![0; width * height], Pictures::default(), 0.0, 0);
    while stdout.read_exact(&mut points).is_ok() {
        if n % MEASURED == 0 {
            let luma = Luma { points: &points, stride: width, width, height };
            let at_ms = n as i64 * 1000 / i64::from(RATE);
            spent += on_this_thread(|| signals.look(at_ms, luma))?.1;
        }
        n += 1;
    }
    let status = decoder.wait().map_err(|e| e.to_string())?;
    let (seen, finish) = on_this_thread(|| signals.finish(n as i64 * 1000 / i64::from(RATE)))?;
    if status.success() && !seen.is_empty() { Ok(spent + finish) } else { Err("no pictures were seen".into()) }
}

fn sound(clip: &Path) -> Outcome<f64> {
    let mut command = ffmpeg::command();
    command.arg("-i").arg(clip).args(["-vn", "-ac", "1", "-ar", "48000", "-f", "f32le", "-"]);
    let bytes = ffmpeg::output(command)?;
    let samples: Vec<f32> = bytes.as_chunks().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect();
    let (heard, spent) = on_this_thread(|| {
        let (mut signals, mut peaks) = (Sound::new(SOUND_RATE), Peaks::new(SOUND_RATE as u32));
        samples.chunks(PIECE).for_each(|piece| {
            signals.hear(piece);
            peaks.hear(piece);
        });
        (signals.finish(), peaks.finish())
    })?;
    if heard.0.is_empty() || heard.1.is_none() { Err("no sound was heard".into()) } else { Ok(spent) }
}
