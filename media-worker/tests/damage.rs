//! Films that lie damaged on a card: played as long as one can follow them.

mod kit;

use std::path::{Path, PathBuf};

use kit::{film, run};

const PICTURE: &str = "testsrc2=size=640x360:rate=15,noise=alls=12:allf=t";
const H264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-movflags", "+faststart"];
const H265: &[&str] =
    &["-c:v", "libx265", "-preset", "ultrafast", "-g", "15", "-tag:v", "hvc1", "-x265-params", "log-level=error"];
const VP8: &[&str] = &["-c:v", "libvpx", "-deadline", "realtime", "-g", "15", "-f", "webm"];

/// Every film with its name.
fn films() -> Vec<(&'static str, PathBuf)> {
    [("h264", H264), ("h265", H265), ("vp8", VP8)].map(|(name, codec)| (name, film(PICTURE, None, 12, codec))).into()
}

/// Changes the bytes of the media, and no table: of each byte it is told where it lies, from 0 to 1.
fn bent(path: &Path, change: impl Fn(f64, usize, u8) -> u8) -> PathBuf {
    let mut bytes = std::fs::read(path).unwrap();
    let begin = bytes.windows(4).position(|w| w == b"mdat").map_or(bytes.len() / 20, |at| at + 4);
    let len = bytes.len() - begin;
    for (n, byte) in bytes[begin..].iter_mut().enumerate() {
        *byte = change(n as f64 / len as f64, n, *byte);
    }
    assert!(bytes != std::fs::read(path).unwrap(), "it is as it was");
    let out = path.with_extension("bent");
    std::fs::write(&out, bytes).unwrap();
    out
}

#[test]
fn what_nobody_can_follow_is_refused_as_damaged() {
    for (name, path) in films() {
        let zeros = bent(&path, |at, _, byte| if (0.3..0.55).contains(&at) { 0 } else { byte });
        let holes = bent(&path, |at, _, byte| if (at * 20.0).fract() < 0.3 { 0x5a } else { byte });
        for (how, file) in [("a hole", zeros), ("many holes", holes)] {
            let made = run(&file, "prepare");
            assert_eq!(made.refusal(), Some("damaged"), "{name}, {how}: {:?}", made.order());
            assert_eq!(made.order(), ["refused", "done"], "{name}, {how}");
        }
    }
}

#[test]
fn a_small_scar_is_played() {
    for (name, path) in films() {
        let scar = bent(&path, |at, _, byte| if (0.5..0.52).contains(&at) { 0 } else { byte });
        let mut once = std::cell::Cell::new(false);
        let few = bent(&path, |at, _, byte| if at > 0.4 && !once.replace(true) { byte ^ 0x10 } else { byte });
        assert!(*once.get_mut());
        for file in [scar, few] {
            let made = run(&file, "prepare");
            assert_eq!(made.refusal(), None, "{name}");
            assert!(made.of("mp4").next().is_some(), "{name}");
        }
    }
}

#[test]
fn a_codec_that_nobody_reads_is_named() {
    let source = film("testsrc2=size=320x240:rate=15", None, 2, &["-c:v", "cinepak", "-pix_fmt", "rgb24", "-f", "mov"]);
    let made = run(&source, "prepare");
    let refused = made.of("refused").next().unwrap();
    assert_eq!((refused["code"].as_str(), refused["codec"].as_str()), (Some("unreadable_codec"), Some("cinepak")));
}
