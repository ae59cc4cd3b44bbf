//! FFmpeg's own command on the same clip, for the same rungs with the same settings of x264, a poster and a storyboard.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::cost::{Cost, Running};
use super::{ffmpeg, job, threads};
use crate::Outcome;

/// A rung: what it is called, its size, and the cap of its bits in kb/s.
#[derive(Debug, Clone)]
pub struct Rung {
    pub name: String,
    pub size: (u32, u32),
    max_kbps: u32,
}

/// Where the worker has passed pictures through, others would encode them up to this.
const PASSED_MAX_KBPS: u32 = 4500;

/// The rungs that the worker made, the largest first, each with its cap: with other bits, neither quality nor cost could
/// be compared.
pub fn rungs_like(made: &job::Made) -> Outcome<Vec<Rung>> {
    let side =
        |e: &Value, key: &str| e[key].as_u64().and_then(|n| u32::try_from(n).ok()).ok_or("a rung without a size");
    let mut rungs = Vec::new();
    for rendition in made.of("rendition") {
        let name = rendition["name"].as_str().ok_or("a rung without a name")?.to_owned();
        let is_passed = made.passed() == Some(&name);
        let max_kbps = if is_passed { PASSED_MAX_KBPS } else { made.cap_kbps(&name)?.ok_or("no word of its cap")? };
        let size = (side(rendition, "width")?, side(rendition, "height")?);
        rungs.push(Rung { name, size, max_kbps });
    }
    rungs.sort_by_key(|rung| std::cmp::Reverse(rung.size));
    Ok(rungs)
}

/// The ladder of an upright clip of 1080p with all it has, as sites of videos make it: what the goal for the first segment
/// was set against.
pub fn whole_ladder() -> Vec<Rung> {
    let rung = |name: &str, size, max_kbps| Rung { name: name.into(), size, max_kbps };
    vec![rung("1080", (1080, 1920), PASSED_MAX_KBPS), rung("720", (720, 1280), 2200), rung("480", (480, 854), 1000)]
}

/// How somebody uses FFmpeg who makes a ladder with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One command, and the decoded pictures go to every rung.
    Split,
    /// One command for each rung.
    OncePerRung,
    /// One command that takes the source as it is for the top rung.
    CopiedTop,
}

pub struct Made {
    pub cost: Cost,
    /// Seconds of the processor until the first segment of the 480 rung was there, where one command makes all.
    pub first_segment_cpu_s: Option<f64>,
    folder: tempfile::TempDir,
}

impl Made {
    /// What a player reads of the `n`th rung.
    pub fn rung(&self, n: usize) -> PathBuf {
        self.folder.path().join(format!("v{n}/index.m3u8"))
    }
}

/// To its end.
pub fn all(clip: &Path, way: Way, rungs: &[Rung]) -> Outcome<Made> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (mut cost, mut first_segment_cpu_s) = (Cost::default(), None);
    for arguments in commands(way, rungs, clip, folder.path()) {
        let mut command = ffmpeg::command();
        command.args(arguments);
        let mut running = Running::start(command)?;
        let first = (way != Way::OncePerRung).then(|| first_segment(folder.path(), rungs)).flatten();
        let spent = loop {
            if first_segment_cpu_s.is_none() && first.as_ref().is_some_and(|first| first.exists()) {
                first_segment_cpu_s = Some(running.cpu_s()?);
            }
            if let Some(spent) = running.try_end()? {
                break spent;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        cost += spent;
    }
    Ok(Made { cost, first_segment_cpu_s, folder })
}

/// Seconds of the processor until the first segment of its 480 rung is there. What is left is not made.
pub fn until_first_segment(clip: &Path, rungs: &[Rung]) -> Outcome<f64> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let first = first_segment(folder.path(), rungs).ok_or("no rung of 480")?;
    let mut command = ffmpeg::command();
    command.args(commands(Way::Split, rungs, clip, folder.path()).remove(0));
    let mut running = Running::start(command)?;
    while !first.exists() {
        if running.try_end()?.is_some() {
            return Err(format!("{}: no first segment", clip.display()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    running.cpu_s()
}

fn first_segment(folder: &Path, rungs: &[Rung]) -> Option<PathBuf> {
    let n = rungs.iter().position(|rung| rung.name == "480")?;
    Some(folder.join(format!("v{n}/00000.m4s")))
}

fn commands(way: Way, rungs: &[Rung], clip: &Path, to: &Path) -> Vec<Vec<OsString>> {
    let input = |text: &str| words(&format!("-threads {} -i", threads())).chain([clip.into()]).chain(words(text));
    let file = |name: &str| OsString::from(to.join(name));
    let board = "fps=2,scale=90:160:flags=area,tile=10x10";
    let poster = || words("-map 0:v -frames:v 1 -vf scale=480:854 -update 1 -q:v 4").chain([file("poster.jpg")]);
    let scaled = |rung: &Rung| format!("scale={}:{}:flags=bicubic", rung.size.0, rung.size.1);
    match way {
        Way::Split | Way::CopiedTop => {
            let copied = usize::from(way == Way::CopiedTop);
            let encoded: Vec<(usize, &Rung)> = rungs.iter().enumerate().skip(copied).collect();
            let mut graph = format!("[0:v]split={}", encoded.len() + 1);
            encoded.iter().for_each(|(n, _)| graph += &format!("[s{n}]"));
            graph += "[s]";
            encoded.iter().for_each(|(n, rung)| graph += &format!(";[s{n}]{}[o{n}]", scaled(rung)));
            graph += &format!(";[s]{board}[board]");
            let mut one: Vec<OsString> = input("-filter_complex").chain([graph.into()]).collect();
            if way == Way::CopiedTop {
                one.extend(words("-map 0:v -c:v:0 copy"));
            }
            for (n, rung) in &encoded {
                one.extend(words(&format!("-map [o{n}] {}", x264(*n, rung))));
            }
            one.extend(words(&format!("-map 0:a {SOUND} {HLS} -var_stream_map")));
            let groups = (0..rungs.len()).map(|n| format!("v:{n},agroup:a"));
            one.push(groups.chain(["a:0,agroup:a".into()]).collect::<Vec<_>>().join(" ").into());
            one.extend(words("-hls_segment_filename").chain([file("v%v/%05d.m4s"), file("v%v/index.m3u8")]));
            one.extend(words("-map [board] -frames:v 1 -update 1 -q:v 4").chain([file("board.jpg")]));
            one.extend(poster());
            vec![one]
        }
        Way::OncePerRung => {
            let hls = |n: usize| {
                let _ = std::fs::create_dir_all(to.join(format!("v{n}")));
                words(&format!("{HLS} -hls_segment_filename"))
                    .chain([file(&format!("v{n}/%05d.m4s")), file(&format!("v{n}/index.m3u8"))])
            };
            let films = rungs.iter().enumerate().map(|(n, rung)| {
                input(&format!("-map 0:v -vf {} {}", scaled(rung), x264(0, rung))).chain(hls(n)).collect()
            });
            let sound = input(&format!("-map 0:a {SOUND}")).chain(hls(rungs.len())).collect();
            let board = input(&format!("-map 0:v -vf {board} -frames:v 1 -update 1 -q:v 4"));
            let stills = [board.chain([file("board.jpg")]).collect(), input("").chain(poster()).collect()];
            films.chain([sound]).chain(stills).collect()
        }
    }
}

const SOUND: &str = "-c:a aac -b:a 96k -ar 48000";
const HLS: &str = "-f hls -hls_time 2 -hls_playlist_type event -hls_segment_type fmp4 \
                   -hls_flags independent_segments+temp_file";

/// As `media-worker/src/encode.rs` sets it up, for the output's `n`th stream of pictures.
fn x264(n: usize, rung: &Rung) -> String {
    let (kbps, buffer, threads) = (rung.max_kbps, 2 * rung.max_kbps, threads());
    format!(
        "-c:v:{n} libx264 -preset:v:{n} veryfast -crf:v:{n} 23 -maxrate:v:{n} {kbps}k -bufsize:v:{n} {buffer}k \
         -profile:v:{n} high -forced-idr:v:{n} 1 -sc_threshold:v:{n} 0 -g:v:{n} 1000000 -bf:v:{n} 3 \
         -threads:v:{n} {threads} -pix_fmt:v:{n} yuv420p -force_key_frames:v:{n} expr:gte(t,n_forced*2)"
    )
}

fn words(text: &str) -> std::vec::IntoIter<OsString> {
    text.split_whitespace().map(OsString::from).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn texts(way: Way) -> Vec<String> {
        let commands = commands(way, &whole_ladder(), Path::new("clip"), Path::new("to"));
        commands.iter().map(|one| one.join(OsStr::new(" ")).to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn every_rung_is_encoded_once_and_a_copied_one_is_not() {
        let split = texts(Way::Split);
        assert_eq!((split.len(), split[0].matches("libx264").count()), (1, 3));
        let copied = texts(Way::CopiedTop);
        assert!(copied[0].contains("-c:v:0 copy") && !copied[0].contains("-crf:v:0"), "{copied:?}");
        assert_eq!((copied.len(), copied[0].matches("libx264").count()), (1, 2));
        let apart = texts(Way::OncePerRung);
        assert_eq!(apart.iter().filter(|one| one.matches("libx264").count() == 1).count(), 3, "{apart:?}");
        // Sound, poster and storyboard, like the others have them.
        assert_eq!(apart.len(), 6);
    }
}
