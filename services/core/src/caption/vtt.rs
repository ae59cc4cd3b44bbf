use std::fmt::Write as _;

use super::Cue;

/// The cues as WebVTT, without anything that a file may hold beside them. Read again, it is the same.
pub fn write(cues: &[Cue]) -> String {
    let mut text = "WEBVTT\n".to_owned();
    for Cue { start_ms, end_ms, text: words } in cues {
        let _ = write!(text, "\n{} --> {}\n{}\n", moment(*start_ms), moment(*end_ms), words.as_str());
    }
    text
}

fn moment(ms: i64) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
