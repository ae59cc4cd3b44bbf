//! Films from generators, the child on them, and what ffmpeg's own tools say about the result.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod golden;
pub mod neighbourhood;
pub mod surgery;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
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
    /// The task that is left for another job.
    pub fn left(&self) -> Option<&str> {
        self.of("done").last().and_then(|e| e["left"].as_str())
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

/// Until the first rendition is there: with all of them, where it plays without.
pub fn prepare(source: &Path) -> Made {
    let made = run(source, "prepare");
    if made.left() == Some("ladder") { gone_on(made) } else { made }
}
/// Everything, one job after the other.
pub fn all(source: &Path) -> Made {
    gone_on(run(source, "prepare"))
}
/// With what was left for other jobs. The first rendition's film takes the place of a copy.
pub fn gone_on(mut made: Made) -> Made {
    while let Some(task) = made.left().map(str::to_owned) {
        let then = run_in(made.folder, &task, nothing_published());
        let (events, took) = ([made.events, then.events].concat(), made.took + then.took);
        made = Made { events, took, said: made.said + &then.said, folder: then.folder };
    }
    made
}

/// Runs the child as the worker does; it must end well.
pub fn run(source: &Path, task: &str) -> Made {
    run_behind(source, task, nothing_published(), None)
}

fn nothing_published() -> Value {
    json!({"rungs": [], "film": false})
}

/// As another attempt, behind what is published. `pieces`: a file's name, and what is in it.
pub fn run_behind(source: &Path, task: &str, published: Value, pieces: Option<(&str, Vec<u8>)>) -> Made {
    let folder = with(source);
    if let Some((name, bytes)) = pieces {
        std::fs::write(folder.path().join(name), bytes).expect("room");
    }
    run_in(folder, task, published)
}

/// The same, and it may come to a bad end.
pub fn try_behind(source: &Path, task: &str, published: Value) -> (ExitStatus, Made) {
    end_in(with(source), task, published)
}

fn with(source: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(source, folder.path().join("source")).expect("room");
    folder
}

fn run_in(folder: tempfile::TempDir, task: &str, published: Value) -> Made {
    let (status, made) = end_in(folder, task, published);
    assert!(status.success(), "{task}: {status}: {}", made.said);
    made
}

fn end_in(folder: tempfile::TempDir, task: &str, published: Value) -> (ExitStatus, Made) {
    let limits = json!({"address_space": 4_u64 << 30, "cpu_seconds": 600, "file_size": 1 << 30, "open_files": 64});
    let spec = folder.path().join("spec.json");
    let order = json!({"task": task, "published": published, "threads": 2, "nice": 0, "limits": limits});
    std::fs::write(&spec, order.to_string()).expect("room");
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
    let events = out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    (status, Made { events, took: began.elapsed(), said, folder })
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
        .args(["-map", "0", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"])
        .args(["-progress", "pipe:1"])
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

/// What ffmpeg writes to its standard output.
pub fn output(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(["-nostdin", "-v", "error"]).args(arguments).output().expect("ffmpeg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The moments of the pictures, in seconds.
pub fn moments(path: &Path) -> Vec<f64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time"])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect()
}

/// A picture whose sixteen columns are the bits of its own number.
pub fn counter(rate: &str) -> String {
    let bits = "geq=lum='if(mod(floor(N/pow(2,floor(X/20))),2),235,16)':cb=128:cr=128";
    format!("color=black:size=320x240:rate={rate},format=yuv420p,{bits}")
}

/// The numbers in the pictures of a film from a [`counter`].
pub fn numbers(path: &Path) -> Vec<i64> {
    let path = path.to_string_lossy();
    let small = "scale=16:1:flags=area,format=gray";
    let bytes = output(&["-i", &path, "-an", "-fps_mode", "passthrough", "-vf", small, "-f", "rawvideo", "-"]);
    let number = |row: &[u8]| row.iter().rev().fold(0, |n, bit| n << 1 | i64::from(*bit > 125));
    bytes.chunks_exact(16).map(number).collect()
}

/// How far each flash of a film is from its beep, in seconds: see [`FLASH`] and [`BEEP`].
pub fn apart(path: &Path) -> Vec<f64> {
    let text = path.to_string_lossy();
    let grey = "scale=1:1:flags=area,format=gray";
    let light = output(&["-i", &text, "-an", "-fps_mode", "passthrough", "-vf", grey, "-f", "rawvideo", "-"]);
    let (shown, sound) = (moments(path), sound(path));
    let flashes = (0..light.len()).filter(|n| light[*n] > 125 && n.checked_sub(1).is_none_or(|p| light[p] < 125));
    let beep = |at: f64| {
        let from = ((at - 0.4) * 48_000.0) as usize;
        let sample = sound[from..].iter().position(|s| s.abs() > 0.2).expect("a beep");
        sample as f64 / 48_000.0 - 0.4
    };
    flashes.map(|n| shown[n]).filter(|at| *at > 0.5).map(beep).collect()
}

/// A tenth of a second of light, and of sound, at the beginning of each second.
pub const FLASH: &str =
    "color=black:size=320x240:rate=30,format=yuv420p,geq=lum='if(lt(mod(T,1),0.1),235,16)':cb=128:cr=128";
pub const BEEP: &str = "aevalsrc='if(lt(mod(t,1),0.1),0.8*sin(2*PI*1000*t),0)':s=44100";

/// The loudest sample of the film's sound between two moments, of 1.
pub fn loudness(path: &Path, from: f64, to: f64) -> f64 {
    let samples = sound(path);
    let part = &samples[((from * 48_000.0) as usize).min(samples.len())..((to * 48_000.0) as usize).min(samples.len())];
    part.iter().fold(0.0, |peak, sample| sample.abs().max(peak))
}

/// All samples of the film's sound, mixed into one voice.
pub fn sound(path: &Path) -> Vec<f64> {
    let path = path.to_string_lossy();
    let bytes = output(&["-i", &path, "-vn", "-ac", "1", "-ar", "48000", "-f", "s16le", "-"]);
    bytes.chunks_exact(2).map(|two| f64::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0).collect()
}

/// What one of ffmpeg's tools says.
pub fn output_of(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().expect("ffmpeg's tools");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One film out of others, by whatever else ffmpeg is told.
pub fn remade(source: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = source.with_file_name(name);
    let (from, to) = (source.to_string_lossy(), path.to_string_lossy());
    let all: Vec<&str> = ["-i", &from].into_iter().chain(arguments.iter().copied()).chain([&*to]).collect();
    ffmpeg(&all).expect("a film");
    path
}

/// How many pictures look like the lines of two moments, and how many do not.
pub fn combed(path: &Path) -> (i64, i64) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "info", "-i"])
        .arg(path)
        .args(["-vf", "idet", "-an", "-f", "null", "-"])
        .output()
        .expect("ffmpeg");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().rev().find(|l| l.contains("Multi frame detection")).expect("a count");
    let numbers: Vec<i64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    (numbers[0] + numbers[1], numbers[2])
}
