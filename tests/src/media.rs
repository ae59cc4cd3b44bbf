//! Clips made on the spot by ffmpeg's own generators, kept for the tests of one run.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// Upright, with a tone, `seconds` long: what a phone's editing app exports.
pub fn portrait(seconds: u32) -> PathBuf {
    make(
        &format!("portrait-{seconds}.mp4"),
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=540x960:rate=30",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=44100",
        ],
        seconds,
        &["-c:v", "libx264", "-preset", "ultrafast", "-crf", "23", "-g", "60", "-c:a", "aac", "-b:a", "96k"],
    )
}

/// As [`portrait`], with captions in Chinese: 第一句 from second 1 to 2, 第二句 from 2 to 3.
pub fn captioned(seconds: u32) -> PathBuf {
    let words = std::env::temp_dir().join(format!("weijia-words-{}.srt", std::process::id()));
    let srt = "1\n00:00:01,000 --> 00:00:02,000\n第一句\n\n2\n00:00:02,000 --> 00:00:03,000\n第二句\n";
    std::fs::write(&words, srt).expect("room for a text");
    let film = portrait(seconds);
    make(
        &format!("captioned-{seconds}.mp4"),
        &["-i", &film.to_string_lossy(), "-i", &words.to_string_lossy()],
        seconds,
        &["-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text", "-metadata:s:s:0", "language=chi"],
    )
}

/// Upright, in a codec that browsers don't play: must be re-encoded, and takes its time.
pub fn foreign(seconds: u32) -> PathBuf {
    make(
        &format!("foreign-{seconds}.mp4"),
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=720x1280:rate=30",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=330:sample_rate=44100",
        ],
        seconds,
        &["-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac"],
    )
}

/// As phones film by themselves: HEVC of ten bits, in light that is brighter than a screen.
pub fn hlg(seconds: u32) -> PathBuf {
    let colours = "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc";
    let told = "log-level=error:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc";
    make(
        &format!("hlg-{seconds}.mp4"),
        &["-f", "lavfi", "-i", "testsrc2=size=540x960:rate=30", "-f", "lavfi", "-i", "sine=frequency=330"],
        seconds,
        &[
            "-vf",
            colours,
            "-pix_fmt",
            "yuv420p10le",
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-x265-params",
            told,
            "-tag:v",
            "hvc1",
            "-c:a",
            "aac",
        ],
    )
}

/// As a browser records: VP8 and Opus, with no word about how long it is.
pub fn recorded(seconds: u32) -> PathBuf {
    make(
        &format!("recorded-{seconds}.webm"),
        &["-f", "lavfi", "-i", "testsrc2=size=360x640:rate=24", "-f", "lavfi", "-i", "sine=frequency=330"],
        seconds,
        &["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus", "-f", "webm", "-live", "1"],
    )
}

/// Pictures that stand, and a voice: of so few bits that no rendition of it would be smaller.
pub fn slides() -> PathBuf {
    make(
        "slides.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=480x854:rate=15,fps=1/8,fps=15",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440",
        ],
        32,
        &["-c:v", "libx264", "-preset", "veryfast", "-crf", "30", "-g", "150", "-c:a", "aac", "-b:a", "32k"],
    )
}

/// Upright and heavy: noise does not compress, so a few seconds are many bytes.
pub fn heavy(seconds: u32) -> PathBuf {
    make(
        &format!("heavy-{seconds}.mp4"),
        &["-f", "lavfi", "-i", "testsrc2=size=360x640:rate=30,noise=alls=60:allf=t"],
        seconds,
        &["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "24M", "-minrate", "24M", "-g", "60"],
    )
}

/// Copied as it is, but for its range no rendition itself; a rung of 480 and one of 360 come of it, of three segments
/// each, at next to no cost.
pub fn steps() -> PathBuf {
    make(
        "steps.mp4",
        &["-f", "lavfi", "-i", "testsrc2=size=480x854:rate=5", "-f", "lavfi", "-i", "sine=frequency=440"],
        5,
        &["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuvj420p", "-c:a", "aac", "-b:a", "64k"],
    )
}

/// The same, in a codec that no browser plays.
pub fn foreign_steps() -> PathBuf {
    make(
        "foreign-steps.mp4",
        &["-f", "lavfi", "-i", "testsrc2=size=480x854:rate=5", "-f", "lavfi", "-i", "sine=frequency=440"],
        5,
        &["-c:v", "mpeg4", "-q:v", "4", "-g", "10", "-c:a", "aac", "-b:a", "64k"],
    )
}

/// No picture at all.
pub fn sound_only() -> PathBuf {
    make("sound.mp4", &["-f", "lavfi", "-i", "sine=frequency=440"], 2, &["-c:a", "aac"])
}

/// Two dozen seconds, upright, with a tone: nothing to say about it. And the same with one thing the matter each.
pub fn films() -> [(&'static str, PathBuf); 6] {
    const UPRIGHT: &str = "testsrc2=size=180x320:rate=10";
    const TONE: &str = "sine=frequency=440:sample_rate=44100";
    let film = |name: &str, picture: &str, sound: Option<&str>, seconds: u32| {
        let mut inputs = vec!["-f", "lavfi", "-i", picture];
        inputs.extend(sound.iter().flat_map(|sound| ["-f", "lavfi", "-i", sound]));
        let codec = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "20", "-c:a", "aac", "-b:a", "64k"];
        make(&format!("film-{name}.mp4"), &inputs, seconds, &codec)
    };
    [
        ("good", film("good", UPRIGHT, Some(TONE), 24)),
        (
            "dark",
            film("dark", "testsrc2=size=180x320:rate=10,lutyuv=y=16+val/12:u=112+val/8:v=112+val/8", Some(TONE), 24),
        ),
        ("mute", film("mute", UPRIGHT, None, 24)),
        ("silent", film("silent", UPRIGHT, Some("anullsrc=sample_rate=44100:channel_layout=mono"), 24)),
        ("sideways", film("sideways", "testsrc2=size=320x180:rate=10", Some(TONE), 24)),
        ("short", film("short", UPRIGHT, Some(TONE), 5)),
    ]
}

/// A phone's screenshot: the evidence for numbers.
pub fn screenshot() -> PathBuf {
    make(
        "screenshot.png",
        &["-f", "lavfi", "-i", "testsrc2=size=720x1280"],
        1,
        &["-pix_fmt", "rgb24", "-frames:v", "1"],
    )
}

fn make(name: &str, inputs: &[&str], seconds: u32, codec: &[&str]) -> PathBuf {
    // Within one process the second test to want a clip waits for the first to make it; processes of one run may make it
    // twice, and never show each other half of it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let process = std::process::id();
    let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| process.to_string());
    let folder = std::env::temp_dir().join(format!("weijia-media-{run}"));
    std::fs::create_dir_all(&folder).expect("a folder for clips");
    let path = folder.join(name);
    if !path.exists() {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y"]).args(inputs).args([
            "-t",
            &seconds.to_string(),
            "-pix_fmt",
            "yuv420p",
        ]);
        if name.ends_with(".mp4") {
            command.args(["-movflags", "+faststart"]);
        }
        // Half a clip must not pass for one, whatever ends this.
        let new = folder.join(format!("new-{process}-{name}"));
        let status = command.args(codec).arg(&new).status();
        assert!(status.expect("ffmpeg is installed").success(), "ffmpeg could not make {name}");
        std::fs::rename(new, &path).expect("a clip");
    }
    path
}

/// How many pictures a film has for a decoder that forgives nothing.
pub fn pictures(film: &[u8]) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, film).expect("room");
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames"]);
    let output = command.args(["-of", "csv=p=0"]).arg(&path).output().expect("ffprobe");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}
