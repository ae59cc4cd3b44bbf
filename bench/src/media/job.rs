//! The worker's child on one clip, as its supervisor runs it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use weijia_tests::server::program;

use super::cost::{Cost, Running};
use super::threads;
use crate::Outcome;

/// What came of one clip.
pub struct Made {
    pub cost: Cost,
    /// Seconds of the processor until the first segment of the 480 rung was there, of the task that made it.
    pub first_segment_cpu_s: Option<f64>,
    /// What the child said. Files are named by their whole paths.
    events: Vec<Value>,
    folders: Vec<tempfile::TempDir>,
}

impl Made {
    pub fn of(&self, event: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |e| e["event"] == event)
    }

    /// The rungs by their names, the largest first, each laid end to end as a player reads it.
    pub fn rungs(&self) -> Outcome<Vec<(String, PathBuf)>> {
        let mut rungs: Vec<(u64, String)> = self
            .of("rendition")
            .filter_map(|e| Some((e["height"].as_u64()?, e["name"].as_str()?.to_owned())))
            .collect();
        rungs.sort();
        rungs.into_iter().rev().map(|(_, name)| self.rung(&name).map(|path| (name, path))).collect()
    }

    /// Laid end to end, as a player reads it.
    pub fn rung(&self, name: &str) -> Outcome<PathBuf> {
        let pieces = self.of("rendition").chain(self.of("segment")).filter(|e| e["name"] == name);
        let folder = self.folders.first().ok_or("no folder")?.path();
        let path = folder.join(format!("{name}.mp4"));
        let mut whole = File::create(&path).map_err(|e| e.to_string())?;
        for piece in pieces.filter_map(|e| e["file"].as_str()) {
            let mut piece = File::open(piece).map_err(|e| format!("{piece}: {e}"))?;
            std::io::copy(&mut piece, &mut whole).map_err(|e| e.to_string())?;
        }
        Ok(path)
    }

    /// The rung that is the source's own pictures.
    pub fn passed(&self) -> Option<&str> {
        let first: Vec<&Value> = self.events.iter().take_while(|e| e["event"] != "done").collect();
        let is_film = first.iter().any(|e| e["event"] == "mp4");
        first.into_iter().filter(|_| !is_film).find(|e| e["event"] == "rendition").and_then(|e| e["name"].as_str())
    }

    /// The cap of the bits of a rung that was encoded, in kb/s: x264 writes down with what settings it worked.
    pub fn cap_kbps(&self, name: &str) -> Outcome<Option<u32>> {
        let Some(segment) = self.of("segment").find(|e| e["name"] == name) else { return Ok(None) };
        let file = segment["file"].as_str().ok_or("a segment without a file")?;
        let bytes = std::fs::read(file).map_err(|e| format!("{file}: {e}"))?;
        Ok(vbv_maxrate(&bytes))
    }

    /// The task that is left for another job.
    fn left(&self) -> Option<String> {
        self.of("done").last().and_then(|e| e["left"].as_str()).map(str::to_owned)
    }

    /// Bytes of everything that is kept: a later film takes the place of the one before.
    pub fn stored(&self) -> Outcome<u64> {
        let film = self.of("mp4").last();
        let kept = self.events.iter().filter(|e| e["event"] != "mp4").chain(film);
        let files = kept.flat_map(|e| FILES.map(|field| e[field].as_str())).flatten();
        files.map(|file| std::fs::metadata(file).map(|m| m.len()).map_err(|e| format!("{file}: {e}"))).sum()
    }

    fn then(&mut self, next: Made) {
        self.cost += next.cost;
        self.first_segment_cpu_s = self.first_segment_cpu_s.or(next.first_segment_cpu_s);
        self.events.extend(next.events);
        self.folders.extend(next.folders);
    }
}

/// The first, if there is one.
fn vbv_maxrate(bytes: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"vbv_maxrate=";
    let at = bytes.windows(NAME.len()).position(|window| window == NAME)?;
    let digits = bytes[at + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |n, digit| Some(n.unwrap_or(0) * 10 + u32::from(digit - b'0')))
}

/// Where events name files.
const FILES: [&str; 3] = ["file", "image", "vtt"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walls {
    Jailed,
    Unjailed,
}

/// Everything that is made of a clip, in the order in which the worker has it made.
pub fn all(clip: &Path, walls: Walls) -> Outcome<Made> {
    let mut made = one(clip, "prepare", walls)?;
    while let Some(task) = made.left() {
        made.then(one(clip, &task, walls)?);
    }
    Ok(made)
}

/// One task in a scratch folder of its own.
pub fn one(clip: &Path, task: &str, walls: Walls) -> Outcome<Made> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    std::fs::copy(clip, folder.path().join("source")).map_err(|e| format!("{}: {e}", clip.display()))?;
    let limits =
        json!({"address_space": 4_u64 << 30, "cpu_seconds": 4 * 3600, "file_size": 4_u64 << 30, "open_files": 64});
    let published = json!({"rungs": [], "film": false});
    let spec = json!({"task": task, "published": published, "threads": threads(), "nice": 0, "limits": limits});
    let path = folder.path().join("spec.json");
    std::fs::write(&path, spec.to_string()).map_err(|e| e.to_string())?;
    let mut command = Command::new(program("weijia-media"));
    command.args(["job", "--spec"]).arg(&path).args((walls == Walls::Unjailed).then_some("--unjailed"));
    command.current_dir(folder.path()).env_clear().env("MALLOC_ARENA_MAX", "2");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Running::start(command)?;
    // It ends when its standard input does.
    let (_stdin, stdout) = child.pipes()?;
    let (mut events, mut first_segment_cpu_s) = (Vec::new(), None);
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|e| e.to_string())?;
        let mut event: Value = serde_json::from_str(&line).map_err(|e| format!("{task}: {line}: {e}"))?;
        if first_segment_cpu_s.is_none() && event["event"] == "segment" && event["name"] == "480" {
            first_segment_cpu_s = Some(child.cpu_s()?);
        }
        for field in FILES {
            if let Some(file) = event[field].as_str() {
                event[field] = folder.path().join(file).to_string_lossy().into();
            }
        }
        events.push(event);
    }
    let cost = child.end()?;
    let made = Made { cost, first_segment_cpu_s, events, folders: vec![folder] };
    if let Some(event) = made.of("refused").next() {
        return Err(format!("{} is refused: {event}", clip.display()));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x264_says_what_it_was_told() {
        let said = b"\0crf=23.0 qcomp=0.60 vbv_maxrate=549 vbv_bufsize=1098 crf_max=0.0";
        assert_eq!((vbv_maxrate(said), vbv_maxrate(b"vbv_maxrate=x"), vbv_maxrate(b"")), (Some(549), None, None));
    }
}
