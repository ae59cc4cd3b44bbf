//! FFmpeg's own tools, for whatever is not measured itself.

use std::path::Path;
use std::process::Command;

use crate::Outcome;

/// `ffmpeg`, silent but for errors. An argument may be a path or a word.
pub fn command() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]);
    command
}

/// What it wrote to its standard output.
pub fn output(mut command: Command) -> Outcome<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// `film -> to`, with whatever lies between.
pub fn remake(film: &Path, arguments: &[&str], to: &Path) -> Outcome<()> {
    let mut command = command();
    command.arg("-i").arg(film).args(arguments).arg(to);
    output(command).map(drop)
}

/// One field of each packet or picture: `ask(film, "packet=size")`.
pub fn ask(film: &Path, entries: &str) -> Outcome<Vec<f64>> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v:0", "-of", "csv=p=0", "-show_entries", entries]).arg(film);
    let text = output(command)?;
    let text = String::from_utf8_lossy(&text);
    let found: Vec<f64> = text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
    if found.is_empty() { Err(format!("{}: no {entries}", film.display())) } else { Ok(found) }
}
