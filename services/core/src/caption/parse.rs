//! Reads SRT and WebVTT as people have them: in whatever Chinese encoding, with commas or points, without numbers,
//! without empty lines between. What cannot be understood is named by its line, and nothing of the file is taken.

use super::markup::References;
use super::{Cue, CueText, MAX_BYTES, MAX_CUE_CHARS, MAX_CUES};
use crate::error::Refusal;
use crate::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    TooLarge,
    NotText,
    NoCues,
    /// Everything is said after the clip's end.
    BeyondTheEnd,
    TooManyCues,
    /// Lines count from 1, as editors show them.
    BadTime(usize),
    EndsBeforeItBegins(usize),
    NoTime(usize),
    LongCue(usize),
}

impl From<Unreadable> for Refusal {
    fn from(why: Unreadable) -> Self {
        let (code, message, next_step) = match why {
            Unreadable::TooLarge => (
                "caption_too_large",
                format!("这个字幕文件太大了，最多 {} KB。", MAX_BYTES >> 10),
                "选 .srt 或 .vtt 结尾的字幕文件。",
            ),
            Unreadable::NotText => (
                "caption_not_text",
                "这个文件里不是文字，读不了。".into(),
                "在剪辑软件里导出成 .srt 再选一次；如果能选编码，就选 UTF-8。",
            ),
            Unreadable::NoCues => {
                ("caption_empty", "这个文件里一句字幕也没有。".into(), "在剪辑软件里导出成 .srt 再选一次。")
            }
            Unreadable::BeyondTheEnd => {
                ("caption_beyond_end", "这些字幕都在片子放完以后。".into(), "看看是不是选成了别的片子的字幕。")
            }
            Unreadable::TooManyCues => {
                ("caption_too_many", format!("字幕太多了，最多 {MAX_CUES} 句。"), "看看是不是选成了别的片子的字幕。")
            }
            Unreadable::BadTime(line) => (
                "caption_time",
                format!("第 {line} 行的时间读不懂。"),
                "时间要写成 00:00:01,000 --> 00:00:03,000 这样，改好再选一次。",
            ),
            Unreadable::EndsBeforeItBegins(line) => {
                ("caption_time", format!("第 {line} 行，结束的时间比开始的还早。"), "把两个时间换过来，改好再选一次。")
            }
            Unreadable::NoTime(line) => (
                "caption_no_time",
                format!("第 {line} 行的字，不知道什么时候出来。"),
                "在它上面补一行时间，像 00:00:01,000 --> 00:00:03,000，再选一次。",
            ),
            Unreadable::LongCue(line) => (
                "caption_long_cue",
                format!("第 {line} 行起的这一句太长了，最多 {MAX_CUE_CHARS} 个字。"),
                "把它分成几句，再选一次。",
            ),
        };
        Refusal::new(code, message, next_step)
    }
}

type Result<T, E = Unreadable> = std::result::Result<T, E>;

/// What of a caption file is said within a clip of that length, in the order of time.
pub fn parse(bytes: &[u8], length_ms: i64) -> Result<Vec<Cue>> {
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let text = text::decoded(bytes).ok_or(Unreadable::NotText)?.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.lines().collect();
    let is_vtt = lines
        .first()
        .and_then(|line| line.strip_prefix("WEBVTT"))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
    let timed = if is_vtt { vtt(&lines)? } else { srt(&lines)? };
    if timed.len() > MAX_CUES {
        return Err(Unreadable::TooManyCues);
    }
    let references = if is_vtt { References::Resolved } else { References::Plain };
    let (mut cues, mut words) = (Vec::new(), false);
    for Timed { line, start_ms, end_ms, lines } in timed {
        let raw = lines.join("\n");
        if raw.chars().count() > MAX_CUE_CHARS {
            return Err(Unreadable::LongCue(line));
        }
        let text = CueText::of(&raw, references);
        words |= !text.is_empty();
        cues.extend(Cue::within(start_ms, end_ms, text, length_ms));
    }
    if cues.is_empty() {
        return Err(if words { Unreadable::BeyondTheEnd } else { Unreadable::NoCues });
    }
    cues.sort_by_key(|cue| (cue.start_ms, cue.end_ms));
    Ok(cues)
}

/// A cue with its lines as they stand in the file.
struct Timed<'a> {
    line: usize,
    start_ms: i64,
    end_ms: i64,
    lines: Vec<&'a str>,
}

impl<'a> Timed<'a> {
    fn at(line: usize, text: &str) -> Result<Timed<'a>> {
        let (start_ms, end_ms) = times(text).ok_or(Unreadable::BadTime(line))?;
        if end_ms < start_ms {
            return Err(Unreadable::EndsBeforeItBegins(line));
        }
        Ok(Timed { line, start_ms, end_ms, lines: Vec::new() })
    }
}

/// Numbers, times and text, whether empty lines part the cues or not. An empty line within a text is none.
fn srt<'a>(lines: &[&'a str]) -> Result<Vec<Timed<'a>>> {
    let mut cues: Vec<Timed> = Vec::new();
    for (n, line) in (1..).zip(lines.iter().copied()) {
        let number_above = n > 1 && is_number(lines[n - 2]);
        if line.contains("-->") {
            if number_above && let Some(before) = cues.last_mut() {
                before.lines.pop();
            }
            cues.push(Timed::at(n, line)?);
        } else if let Some(cue) = cues.last_mut() {
            if number_above && looks_like_time(line) {
                return Err(Unreadable::BadTime(n));
            }
            cue.lines.push(line);
        } else if looks_like_time(line) {
            return Err(Unreadable::BadTime(n));
        } else if !line.trim().is_empty() && !is_number(line) {
            return Err(Unreadable::NoTime(n));
        }
    }
    if let Some(last) = cues.last_mut() {
        let text = last.lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
        last.lines.truncate(text);
        // A number that waits for a cue which never came.
        if let [.., above, number] = last.lines[..]
            && above.trim().is_empty()
            && is_number(number)
        {
            last.lines.pop();
        }
    }
    Ok(cues)
}

/// Blocks parted by empty lines. One without a time is a note, a style or a region, and is dropped, as the header is.
fn vtt<'a>(lines: &[&'a str]) -> Result<Vec<Timed<'a>>> {
    let mut cues: Vec<Timed> = Vec::new();
    let mut open = false;
    let mut noted = false;
    for (n, line) in (1..).zip(lines.iter().copied()) {
        if line.trim().is_empty() {
            (open, noted) = (false, false);
        } else if !open && !noted && line.split_whitespace().next() == Some("NOTE") {
            noted = true;
        } else if line.contains("-->") && !noted {
            cues.push(Timed::at(n, line)?);
            open = true;
        } else if open && let Some(cue) = cues.last_mut() {
            cue.lines.push(line);
        }
    }
    Ok(cues)
}

fn is_number(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit())
}

/// It begins with a time and tells no other: an arrow is missing or was written otherwise.
fn looks_like_time(line: &str) -> bool {
    let first = line.split([' ', '-', '–', '—', '→', '~']).next().unwrap_or_default();
    moment(first).is_some()
}

/// `00:00:01,000 --> 00:00:03,000`, with whatever stands behind it.
fn times(line: &str) -> Option<(i64, i64)> {
    let (start, rest) = line.split_once("-->")?;
    // Where on the picture it stands is the player's to say.
    Some((moment(start)?, moment(rest.split_whitespace().next()?)?))
}

/// Hours may be missing, the fraction may be short, and Chinese keyboards write marks of their own.
fn moment(text: &str) -> Option<i64> {
    let text = text.trim().replace('：', ":").replace(['，', ','], ".");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let fields: Vec<i64> = whole.split(':').map(number).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match fields[..] {
        [hours, minutes, seconds] => (hours, minutes, seconds),
        [minutes, seconds] => (0, minutes, seconds),
        _ => return None,
    };
    if minutes > 59 || seconds > 59 || fraction.len() > 3 {
        return None;
    }
    let ms = number(&format!("{fraction:0<3}"))?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
}

fn number(digits: &str) -> Option<i64> {
    ((1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
