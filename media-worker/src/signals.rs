//! What can be told about a clip from its pictures on the way, and the sentences for her.

use ffmpeg_next as ff;
use weijia_signals::{Luma, Measures, Pictures};

use crate::probe::Source;
use crate::protocol::Warning;

/// Looks at one picture in so many.
const EVERY: u64 = 10;
/// Luma of black in limited range, with room for the noise of a sensor in the dark.
const BLACK: u64 = 24;

/// Measures one picture in so many: movement is seen between two that lie close together.
const MEASURED: u64 = 2;

#[derive(Default)]
pub struct Signals {
    seen: u64,
    looked_at: u64,
    black: u64,
    pictures: Option<Pictures>,
}

impl Signals {
    pub fn new(measure: bool) -> Signals {
        Signals { pictures: measure.then(Pictures::default), ..Signals::default() }
    }

    /// A picture in limited range.
    pub fn picture(&mut self, frame: &ff::frame::Video, at_ms: i64) {
        if let Some(pictures) = self.pictures.as_mut().filter(|_| self.seen.is_multiple_of(MEASURED)) {
            let (width, height) = (frame.width() as usize, frame.height() as usize);
            pictures.look(at_ms, Luma { points: frame.data(0), stride: frame.stride(0), width, height });
        }
        if self.seen.is_multiple_of(EVERY) {
            self.looked_at += 1;
            self.black += u64::from(is_black(frame.data(0), frame.stride(0), frame.width(), frame.height()));
        }
        self.seen += 1;
    }

    pub fn is_black(&self) -> bool {
        self.looked_at > 0 && self.black == self.looked_at
    }

    /// What was measured of the pictures, if that was asked for.
    pub fn measures(self, duration_ms: i64) -> Option<Measures> {
        let pictures = self.pictures?.finish(duration_ms);
        Some(Measures { pictures, ..Measures::default() })
    }
}

fn is_black(luma: &[u8], stride: usize, width: u32, height: u32) -> bool {
    let rows = (0..height as usize).step_by(8).filter_map(|y| luma.get(y * stride..y * stride + width as usize));
    let (mut dark, mut all) = (0_u64, 0_u64);
    for value in rows.flat_map(|row| row.iter().step_by(8)) {
        all += 1;
        dark += u64::from(u64::from(*value) <= BLACK);
    }
    // Nearly every point: a white word on black is a picture.
    dark * 1000 >= all * 998
}

/// What there is to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    None,
    Unreadable,
    Silent,
    Heard,
}

impl Sound {
    /// `silent`: what was heard of it was nothing.
    pub fn of(source: &Source, silent: bool) -> Sound {
        match &source.audio {
            None if source.is_unheard => Sound::Unreadable,
            None => Sound::None,
            Some(_) if silent => Sound::Silent,
            Some(_) => Sound::Heard,
        }
    }
}

/// What to tell her about a clip that plays and still is not as she meant it.
pub fn warnings(sound: Sound, black: bool, cut_at_ms: Option<i64>) -> Vec<Warning> {
    let sound = match sound {
        Sound::None => Some(Warning::NoSound),
        Sound::Unreadable => Some(Warning::UnreadableSound),
        Sound::Silent => Some(Warning::Silent),
        Sound::Heard => None,
    };
    let cut = cut_at_ms.map(|kept_ms| Warning::Cut { kept_ms });
    cut.into_iter().chain(black.then_some(Warning::Black)).chain(sound).collect()
}

/// A rule of coaching that says of a part of a clip what this says of the whole has the same name.
pub fn code(warning: Warning) -> &'static str {
    match warning {
        Warning::Cut { .. } => "cut",
        Warning::Black => "black",
        Warning::NoSound => "no_sound",
        Warning::UnreadableSound => "unreadable_sound",
        Warning::Silent => "silent",
    }
}

/// In her words, with what to do about it.
pub fn sentence(warning: Warning) -> String {
    match warning {
        Warning::Cut { kept_ms } => {
            let seconds = (kept_ms.saturating_add(500) / 1000).max(1);
            format!("这条没传全，只有前面 {seconds} 秒。手机里那条要是完整的，再传一次。")
        }
        Warning::Black => "这条画面一直是黑的。看看镜头是不是挡住了，再拍一条。".into(),
        Warning::NoSound => "这条没有声音。要是该有人声，打开麦克风再录一遍。".into(),
        Warning::UnreadableSound => {
            "这条的声音放不出来，只看得到画面。用手机自带的相机录，或者导出时把声音选成 AAC，再传一次。".into()
        }
        Warning::Silent => "这条听不到声音。手机离近一尺，再说一遍试试。".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_is_black_all_over() {
        let mut luma = vec![16_u8; 64 * 64];
        assert!(is_black(&luma, 64, 64, 64));
        for y in 20..40 {
            luma[y * 64 + 16..y * 64 + 48].fill(200);
        }
        assert!(!is_black(&luma, 64, 64, 64));
        assert!(is_black(&[], 64, 64, 64), "nothing to see");
    }

    #[test]
    fn warnings_say_what_to_do() {
        assert!(warnings(Sound::Heard, false, None).is_empty());
        let all: Vec<String> = warnings(Sound::None, true, Some(1_960)).into_iter().map(sentence).collect();
        assert_eq!(all.len(), 3);
        assert!(all[0].contains("前面 2 秒") && all.iter().all(|s| s.ends_with('。')));
    }
}
