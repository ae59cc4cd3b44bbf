//! Good films to begin with, made once.

use std::sync::LazyLock;

use crate::kit;

pub fn make(ending: &str, picture: &str, codec: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("film.{ending}"));
    let text = path.to_string_lossy().into_owned();
    let mut arguments = vec!["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=sample_rate=44100"];
    if !codec.contains("-t ") {
        arguments.extend(["-t", "1"]);
    }
    if codec.contains("libx26") {
        arguments.extend(["-preset", "ultrafast"]);
    }
    if !codec.contains("-pix_fmt") && !codec.contains("-vn") {
        arguments.extend(["-pix_fmt", "yuv420p"]);
    }
    arguments.extend(codec.split_whitespace());
    arguments.push(&text);
    kit::ffmpeg(&arguments).unwrap_or_else(|why| panic!("{codec}: {why}"));
    std::fs::read(path).expect("a film")
}

/// Noise, so that there are enough bytes to damage.
pub const PICTURE: &str = "testsrc2=size=320x240:rate=30,noise=alls=12:allf=t";
const AVC: &str = "-c:v libx264 -g 15 -c:a aac";

/// H.264 and AAC in MP4, its index behind the media.
pub static MP4: LazyLock<Vec<u8>> = LazyLock::new(|| make("mp4", PICTURE, AVC));
/// Its index before the media.
pub static FASTSTART: LazyLock<Vec<u8>> =
    LazyLock::new(|| make("mp4", PICTURE, &format!("{AVC} -movflags +faststart")));
pub static FRAGMENTED: LazyLock<Vec<u8>> =
    LazyLock::new(|| make("mp4", PICTURE, &format!("{AVC} -movflags +frag_keyframe+empty_moov")));
pub static MOV: LazyLock<Vec<u8>> = LazyLock::new(|| make("mov", PICTURE, AVC));
pub static TS: LazyLock<Vec<u8>> = LazyLock::new(|| make("ts", PICTURE, AVC));
pub static FLV: LazyLock<Vec<u8>> = LazyLock::new(|| make("flv", PICTURE, AVC));
pub static WEBM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    make("webm", PICTURE, "-c:v libvpx -deadline realtime -g 15 -b:v 1M -c:a libopus -cluster_time_limit 250")
});
/// As a browser records: nothing says how long anything is.
pub static RECORDING: LazyLock<Vec<u8>> =
    LazyLock::new(|| make("webm", PICTURE, "-c:v libvpx -deadline realtime -g 15 -b:v 1M -c:a libopus -live 1"));
