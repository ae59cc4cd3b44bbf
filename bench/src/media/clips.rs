//! What is worked on: real clips of a phone and of an app where `../shared/media/bench` is there, else some of the same
//! kind from generators, as hard to encode as those.

use std::path::{Path, PathBuf};

use super::ffmpeg;
use crate::Outcome;

/// A texture that moves as in a hand, with the noise of a small sensor.
const HAND_HELD: &str = "noise=alls=20:allf=t+u,crop=iw-80:ih-80:x='40+30*sin(t*5)':y='40+30*cos(t*7)'";
const TONE: &str = "sine=frequency=440:sample_rate=48000";

pub struct Clips {
    folder: tempfile::TempDir,
}

/// What browsers don't play as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    Hevc,
    /// HEVC with ten bits and HLG, as phones record it by themselves.
    Hlg,
    WebM,
}

impl Foreign {
    pub const ALL: [Foreign; 3] = [Foreign::Hevc, Foreign::Hlg, Foreign::WebM];

    pub fn name(self) -> &'static str {
        match self {
            Foreign::Hevc => "HEVC",
            Foreign::Hlg => "HLG",
            Foreign::WebM => "WebM",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Foreign::Hevc => "hevc.mp4",
            Foreign::Hlg => "hlg.mp4",
            Foreign::WebM => "webm.webm",
        }
    }

    fn arguments(self) -> Vec<&'static str> {
        const HEVC: [&str; 10] =
            ["-c:v", "libx265", "-preset", "ultrafast", "-b:v", "8M", "-tag:v", "hvc1", "-c:a", "copy"];
        match self {
            Foreign::Hevc => [&HEVC[..], &["-x265-params", "log-level=error"]].concat(),
            Foreign::Hlg => [
                &HEVC[..],
                &[
                    "-vf",
                    "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc",
                    "-x265-params",
                    "log-level=error:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc",
                ],
            ]
            .concat(),
            Foreign::WebM => {
                let video = ["-vf", "scale=720:1280", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "16"];
                [&video[..], &["-threads", "2", "-b:v", "4M", "-g", "60", "-c:a", "libopus"]].concat()
            }
        }
    }
}

impl Clips {
    pub fn new() -> Outcome<Clips> {
        Ok(Clips { folder: tempfile::tempdir().map_err(|e| e.to_string())? })
    }

    /// As a phone's camera writes it: lying, with a note that it must be turned; ten seconds.
    pub fn phone(&self) -> Outcome<PathBuf> {
        self.given("phone10.mp4", |path| {
            let flat = self.folder.path().join("flat.mp4");
            let pictures = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "30", "-b:v", "16500k"];
            generate(&format!("testsrc2=size=2000x1160:rate=30,{HAND_HELD}"), &pictures, &flat)?;
            // The older way to say it is gone in newer versions.
            let mut turned = ffmpeg::command();
            turned.args(["-display_rotation", "90", "-i"]).arg(&flat).args(["-c", "copy"]).arg(path);
            ffmpeg::output(turned)
                .map(drop)
                .or_else(|_| ffmpeg::remake(&flat, &["-c", "copy", "-metadata:s:v:0", "rotate=90"], path))
        })
    }

    /// As an app exports it: upright, with B-frames and a key frame every two seconds; ten seconds.
    pub fn app(&self) -> Outcome<PathBuf> {
        self.given("app10.mp4", |path| {
            let pictures = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "60", "-keyint_min", "60"];
            let rate = ["-sc_threshold", "0", "-b:v", "4300k", "-maxrate", "4300k", "-bufsize", "8600k"];
            let picture = format!("testsrc2=size=1160x2000:rate=30,{HAND_HELD}");
            generate(&picture, &[&pictures[..], &rate].concat(), path)
        })
    }

    /// A flash and a beep in each second.
    pub fn flash(&self) -> Outcome<PathBuf> {
        self.made("flash.mp4", |path| {
            let mut command = ffmpeg::command();
            let flash = "color=black:size=1080x1920:rate=30,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.1)'";
            let beep = "aevalsrc='if(lt(mod(t,1),0.1),0.8*sin(2*PI*1000*t),0)':s=48000";
            command.args(["-f", "lavfi", "-i", flash, "-f", "lavfi", "-i", beep, "-t", "6"]);
            command.args(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"]).arg(path);
            ffmpeg::output(command).map(drop)
        })
    }

    pub fn foreign(&self, kind: Foreign) -> Outcome<PathBuf> {
        let phone = self.phone()?;
        self.made(kind.file(), |path| ffmpeg::remake(&phone, &kind.arguments(), path))
    }

    /// A clip of ten seconds again and again, for so many seconds.
    pub fn lasting(&self, clip: &Path, seconds: u32) -> Outcome<PathBuf> {
        let name = clip.file_name().unwrap_or_default().to_string_lossy();
        self.made(&format!("{seconds}-{name}"), |path| {
            let (more, seconds) = ((seconds.div_ceil(10) - 1).to_string(), seconds.to_string());
            let mut command = ffmpeg::command();
            command.args(["-stream_loop", &more, "-i"]).arg(clip);
            // Phones write the index at the end.
            ffmpeg::output({
                command.args(["-t", &seconds, "-c", "copy"]).arg(path);
                command
            })
            .map(drop)
        })
    }

    /// Only the first picture.
    pub fn first_picture(&self, clip: &Path) -> Outcome<PathBuf> {
        self.made("first.mp4", |path| ffmpeg::remake(clip, &["-frames:v", "1", "-an", "-c", "copy"], path))
    }

    /// Only the pictures that a storyboard shows, in the smallest rung's size and a codec that costs next to nothing.
    pub fn storyboard_pictures(&self, clip: &Path) -> Outcome<PathBuf> {
        let arguments = ["-vf", "fps=2,scale=360:640", "-an", "-c:v", "mpeg4", "-q:v", "2"];
        self.made("storyboard.mp4", |path| ffmpeg::remake(clip, &arguments, path))
    }

    fn given(&self, name: &str, make: impl FnOnce(&Path) -> Outcome<()>) -> Outcome<PathBuf> {
        let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/media/bench").join(name);
        if given.exists() { Ok(given) } else { self.made(name, make) }
    }

    /// Once.
    fn made(&self, name: &str, make: impl FnOnce(&Path) -> Outcome<()>) -> Outcome<PathBuf> {
        let path = self.folder.path().join(name);
        if !path.exists() {
            make(&path)?;
        }
        Ok(path)
    }
}

fn generate(picture: &str, pictures: &[&str], to: &Path) -> Outcome<()> {
    let mut command = ffmpeg::command();
    command.args(["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", TONE, "-t", "10", "-pix_fmt", "yuv420p"]);
    command.args(pictures).args(["-c:a", "aac", "-b:a", "128k", "-ac", "2"]).arg(to);
    ffmpeg::output(command).map(drop)
}
