//! A clip with a flash and a beep in each second: whether every rung begins at the same moment, and shows the flash when
//! the beep is heard.

use std::path::Path;

use super::clips::Clips;
use super::ffmpeg;
use super::job::{self, Walls};
use crate::Outcome;
use crate::report::Findings;

const RATE: f64 = 48_000.0;
/// A beep is looked for this long before its flash and after.
const AROUND_S: f64 = 0.4;

pub fn sync() -> Outcome<Findings> {
    let clips = Clips::new()?;
    let made = job::all(&clips.flash()?, Walls::Jailed)?;
    let (mut starts, mut offsets) = (Vec::new(), Vec::new());
    for (_, film) in made.rungs()? {
        let moments = ffmpeg::ask(&film, "frame=best_effort_timestamp_time")?;
        starts.push(moments[0] * 1000.0);
        let apart = offsets_of(&moments, &light(&film)?, &sound(&film)?)?;
        offsets.push(apart.into_iter().fold(0.0, f64::max) * 1000.0);
    }
    let mut found = Findings::default();
    let (first, last) = (least(&starts)?, -least(&starts.iter().map(|at| -at).collect::<Vec<_>>())?);
    found.value("start_skew", Ok(last - first));
    found.value("sound_offset", Ok(offsets.iter().copied().fold(0.0, f64::max)));
    found.sample("flash clip: first picture of each rung", "ms", starts.into_iter());
    found.sample("flash clip: farthest beep of each rung", "ms", offsets.into_iter());
    Ok(found)
}

fn least(values: &[f64]) -> Outcome<f64> {
    values.iter().copied().reduce(f64::min).ok_or_else(|| "no rung".into())
}

/// The mean light of each picture.
fn light(film: &Path) -> Outcome<Vec<u8>> {
    let mut command = ffmpeg::command();
    command.arg("-i").arg(film).args(["-an", "-fps_mode", "passthrough", "-vf", "scale=1:1:flags=area,format=gray"]);
    command.args(["-f", "rawvideo", "-"]);
    ffmpeg::output(command)
}

fn sound(film: &Path) -> Outcome<Vec<f32>> {
    let mut command = ffmpeg::command();
    command.arg("-i").arg(film).args(["-vn", "-ac", "1", "-ar", "48000", "-f", "f32le", "-"]);
    let bytes = ffmpeg::output(command)?;
    Ok(bytes.as_chunks().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect())
}

/// How far each flash lies from its beep, in seconds. The one at the very beginning has nothing before it.
fn offsets_of(moments: &[f64], light: &[u8], sound: &[f32]) -> Outcome<Vec<f64>> {
    if moments.len() != light.len() {
        return Err(format!("{} moments of {} pictures", moments.len(), light.len()));
    }
    let flashes = (1..light.len()).filter(|n| light[*n] > 125 && light[*n - 1] <= 125).map(|n| moments[n]);
    let offsets = flashes.map(|at| {
        let from = (((at - AROUND_S) * RATE) as usize).min(sound.len());
        let until = (((at + AROUND_S) * RATE) as usize).min(sound.len());
        let beep = sound[from..until].iter().position(|sample| sample.abs() > 0.2);
        let beep = beep.ok_or_else(|| format!("no beep around {at} s"))?;
        Ok((beep as f64 / RATE - AROUND_S).abs())
    });
    let offsets: Vec<f64> = offsets.collect::<Outcome<_>>()?;
    if offsets.len() < 4 { Err(format!("only {} flashes", offsets.len())) } else { Ok(offsets) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(late: f64) -> (Vec<f64>, Vec<u8>, Vec<f32>) {
        let on = |at: f64| at.rem_euclid(1.0) < 0.1;
        let moments: Vec<f64> = (0..180).map(|n| f64::from(n) / 30.0).collect();
        let light = moments.iter().map(|at| if on(*at + 1e-6) { 235 } else { 16 }).collect();
        let sound = (0..6 * 48_000).map(|n| if on(f64::from(n) / RATE - late) { 0.8 } else { 0.0 }).collect();
        (moments, light, sound)
    }

    #[test]
    fn a_beep_that_is_late_or_missing_is_told() {
        for (late, apart) in [(0.0, 0.0), (0.05, 0.05), (-0.02, 0.02)] {
            let (moments, light, sound) = clip(late);
            let found = offsets_of(&moments, &light, &sound).unwrap();
            assert!(found.len() == 5 && found.iter().all(|o| (o - apart).abs() < 0.001), "{late}: {found:?}");
        }
        let (moments, light, sound) = clip(0.0);
        assert!(offsets_of(&moments, &light, &vec![0.0; sound.len()]).is_err());
        assert!(offsets_of(&moments, &light[1..], &sound).is_err());
    }
}
