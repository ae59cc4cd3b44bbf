//! What is made of both clips next to what the CLI makes of them: as good, as large, and not more than there is room for.

use std::path::Path;

use super::clips::Clips;
use super::ffmpeg;
use super::job::{self, Walls};
use super::peer::{self, Rung, Way};
use crate::Outcome;
use crate::report::Findings;

pub fn quality() -> Outcome<Findings> {
    let clips = Clips::new()?;
    let mut found = Findings::default();
    let (mut worst_ssim, mut worst_bytes, mut most_stored) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (name, clip) in [("phone clip", clips.phone()?), ("app clip", clips.app()?)] {
        let ours = job::all(&clip, Walls::Jailed)?;
        let rungs = peer::rungs_like(&ours)?;
        let theirs = peer::all(&clip, Way::Split, &rungs)?;
        let source = std::fs::metadata(&clip).map_err(|e| e.to_string())?.len() as f64;
        let stored = ours.stored()? as f64;
        most_stored = most_stored.max(stored / source);
        found.sample(format!("{name}: made, and with the original, against the original"), "x", {
            [stored / source, (stored + source) / source].into_iter()
        });
        let mut compared = 0;
        // A top rung that is the source itself has nothing to be compared with.
        for (n, rung) in rungs.iter().enumerate().filter(|(_, rung)| ours.passed() != Some(&rung.name)) {
            let (ours, theirs) =
                (Encoded::look(&ours.rung(&rung.name)?, &clip, rung)?, Encoded::look(&theirs.rung(n), &clip, rung)?);
            let rung = &rung.name;
            if ours.pictures != theirs.pictures {
                return Err(format!("{name}, {rung}: {} pictures, and {} of the CLI", ours.pictures, theirs.pictures));
            }
            let title = |what: &str| format!("{name}, {rung}: {what}, and the CLI's");
            found.sample(title("SSIM × 1000"), "", [ours.ssim * 1000.0, theirs.ssim * 1000.0].into_iter());
            found.sample(
                title("bits of pictures"),
                "kb",
                [ours.bytes, theirs.bytes].into_iter().map(|b| b * 8.0 / 1000.0),
            );
            worst_ssim = worst_ssim.max((ours.ssim - theirs.ssim).abs());
            worst_bytes = worst_bytes.max((ours.bytes / theirs.bytes - 1.0).abs() * 100.0);
            compared += 1;
        }
        if compared == 0 {
            return Err(format!("{name}: no rung that the CLI has too"));
        }
    }
    found.value("ssim_from_cli", Ok(worst_ssim));
    found.value("bytes_from_cli", Ok(worst_bytes));
    found.value("stored_vs_source", Ok(most_stored));
    Ok(found)
}

struct Encoded {
    pictures: usize,
    bytes: f64,
    /// Of all its pictures against those of the source at the same size.
    ssim: f64,
}

impl Encoded {
    fn look(film: &Path, source: &Path, rung: &Rung) -> Outcome<Encoded> {
        let sizes = ffmpeg::ask(film, "packet=size")?;
        let (width, height) = rung.size;
        // One by one: both have the same pictures, if not to the same clock.
        let counted = "settb=1/30,setpts=N";
        let graph = format!(
            "[0:v]{counted}[made];[1:v]scale={width}:{height}:flags=bicubic,format=yuv420p,{counted}[source];\
             [made][source]ssim=stats_file=-"
        );
        let mut command = ffmpeg::command();
        command.arg("-i").arg(film).arg("-i").arg(source).args(["-lavfi", &graph, "-f", "null", "-"]);
        let said = ffmpeg::output(command)?;
        let each = similarities(&String::from_utf8_lossy(&said));
        if each.len() != sizes.len() {
            return Err(format!("{}: {} of {} pictures were compared", film.display(), each.len(), sizes.len()));
        }
        let ssim = each.iter().sum::<f64>() / each.len() as f64;
        Ok(Encoded { pictures: sizes.len(), bytes: sizes.iter().sum(), ssim })
    }
}

/// `n:1 Y:0.97 U:0.98 V:0.98 All:0.975 (16.0)`, a line for each picture.
fn similarities(said: &str) -> Vec<f64> {
    let all = said.lines().filter_map(|line| line.split_whitespace().find_map(|word| word.strip_prefix("All:")));
    all.filter_map(|value| value.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_has_its_similarity() {
        let said = "n:1 Y:0.9 U:0.8 V:0.8 All:0.875 (9.0)\nn:2 Y:1.0 U:1.0 V:1.0 All:1.000 (inf)\n";
        assert_eq!(similarities(said), [0.875, 1.0]);
    }
}
