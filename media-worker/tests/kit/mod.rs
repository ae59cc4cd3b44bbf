//! Films from generators, the child on them, and what ffmpeg's own tools say about the result.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_weijia-media");

/// What a child made, in a folder that goes when this does.
pub struct Made {
    pub events: Vec<Value>,
    pub took: Duration,
    pub said: String,
    folder: tempfile::TempDir,
}

impl Made {
    pub fn order(&self) -> Vec<String> {
        let names = self.events.iter().map(|e| e["event"].as_str().unwrap_or_default().to_owned());
        names.filter(|name| name != "progress").collect()
    }
    pub fn of(&self, event: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |e| e["event"] == event)
    }
    pub fn facts(&self) -> &Value {
        self.of("facts").last().expect("facts")
    }
    pub fn refusal(&self) -> Option<&str> {
        self.of("refused").next().and_then(|e| e["code"].as_str())
    }
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
    /// The rendition's head and segments, laid end to end as a player reads them.
    pub fn rendition(&self, name: &str) -> PathBuf {
        let head = self.of("rendition").find(|e| e["name"] == name).expect("the rendition");
        let segments = self.of("segment").filter(|e| e["name"] == name);
        let files = std::iter::once(head).chain(segments).map(|e| e["file"].as_str().expect("a file"));
        let bytes: Vec<u8> = files.flat_map(|f| std::fs::read(self.path(f)).expect("a whole file")).collect();
        let path = self.path(&format!("{name}.mp4"));
        std::fs::write(&path, bytes).expect("room");
        path
    }
}

pub fn prepare(source: &Path) -> Made {
    run(source, "prepare")
}
pub fn ladder(source: &Path) -> Made {
    run(source, "ladder")
}

/// Runs the child as the worker does; it must end well.
pub fn run(source: &Path, task: &str) -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(source, folder.path().join("source")).expect("room");
    let limits = json!({"address_space": 4_u64 << 30, "cpu_seconds": 600, "file_size": 1 << 30, "open_files": 64});
    let spec = folder.path().join("spec.json");
    std::fs::write(&spec, json!({"task": task, "threads": 2, "limits": limits}).to_string()).expect("room");
    let began = Instant::now();
    let mut child = Command::new(PROGRAM)
        .args(["job", "--spec"])
        .arg(&spec)
        .env_clear()
        .env("MALLOC_ARENA_MAX", "2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the worker's program");
    let mut errors = child.stderr.take().expect("stderr");
    let listener = std::thread::spawn(move || {
        let mut said = String::new();
        let _ = errors.read_to_string(&mut said);
        said
    });
    let mut out = String::new();
    child.stdout.take().expect("stdout").read_to_string(&mut out).expect("text");
    let status = child.wait().expect("an end");
    let said = listener.join().unwrap_or_default();
    assert!(status.success(), "{}: {status}: {said}", source.display());
    let events = out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    Made { events, took: began.elapsed(), said, folder }
}

pub fn ffmpeg(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(arguments).output();
    let output = output.map_err(|e| format!("ffmpeg is needed for these tests: {e}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A film of so many seconds, in a folder that lasts as long as the tests.
pub fn film(picture: &str, sound: Option<&str>, seconds: u32, codec: &[&str]) -> PathBuf {
    static FOLDERS: Mutex<Vec<tempfile::TempDir>> = Mutex::new(Vec::new());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4");
    FOLDERS.lock().unwrap_or_else(|e| e.into_inner()).push(folder);
    let (seconds, out) = (seconds.to_string(), path.to_string_lossy().into_owned());
    let mut arguments = vec!["-f", "lavfi", "-i", picture];
    if let Some(sound) = sound {
        arguments.extend(["-f", "lavfi", "-i", sound]);
    }
    arguments.extend(["-t", &seconds]);
    if !codec.contains(&"-pix_fmt") && codec.contains(&"-c:v") {
        arguments.extend(["-pix_fmt", "yuv420p"]);
    }
    arguments.extend(codec);
    arguments.push(&out);
    ffmpeg(&arguments).expect("a film");
    path
}

#[derive(Debug)]
pub struct Track {
    pub codec: String,
    pub size: (i64, i64),
    pub pixels: String,
    pub transfer: String,
    pub start: f64,
    pub duration: f64,
}

pub fn streams(path: &Path) -> Vec<Track> {
    let output = Command::new("ffprobe").args(["-v", "error", "-of", "json", "-show_streams"]).arg(path).output();
    let report: Value = serde_json::from_slice(&output.expect("ffprobe").stdout).expect("JSON");
    let text = |s: &Value, key: &str| s[key].as_str().unwrap_or_default().to_owned();
    let streams = report["streams"].as_array().cloned().unwrap_or_default();
    let track = |s: &Value| Track {
        codec: text(s, "codec_name"),
        size: (s["width"].as_i64().unwrap_or(0), s["height"].as_i64().unwrap_or(0)),
        pixels: text(s, "pix_fmt"),
        transfer: text(s, "color_transfer"),
        start: text(s, "start_time").parse().unwrap_or(f64::NAN),
        duration: text(s, "duration").parse().unwrap_or(f64::NAN),
    };
    streams.iter().map(track).collect()
}

/// Decodes all of it, strictly, and counts the pictures.
pub fn decoded(path: &Path) -> i64 {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(path)
        .args(["-map", "0", "-fps_mode", "passthrough", "-f", "null", "-", "-progress", "pipe:1"])
        .output()
        .expect("ffmpeg");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.trim().is_empty(), "{}: {errors}", path.display());
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let frames = report.lines().rev().find_map(|l| l.strip_prefix("frame="));
    frames.and_then(|n| n.trim().parse().ok()).expect("a count")
}

/// The size after a player has turned the picture and made its points square.
pub fn shown_size(path: &Path) -> (i64, i64) {
    let still = path.with_extension("png");
    ffmpeg(&["-i", &path.to_string_lossy(), "-vf", "scale=iw*sar:ih", "-frames:v", "1", &still.to_string_lossy()])
        .expect("a still");
    streams(&still)[0].size
}
