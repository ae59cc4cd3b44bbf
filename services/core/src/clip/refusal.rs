//! Why a file cannot become a clip, in words for the person who sent it: what is the matter, and what to do next.

use std::str::FromStr;

use crate::error::{Error, Refusal, Result};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $code:literal $message:literal $next_step:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum RefusalCode { $($(#[$doc])* $name),* }

        impl RefusalCode {
            pub const ALL: &'static [RefusalCode] = &[$(Self::$name),*];

            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message),* }
            }
            pub const fn next_step(self) -> &'static str {
                match self { $(Self::$name => $next_step),* }
            }
        }
    };
}

refusals! {
    NotAVideo "not_a_video"
        "这个文件打不开，不像是一条片子。"
        "回相册看看能不能放。能放就再选一次，不能放就换一条。";
    /// The index or the media itself is missing.
    Incomplete "incomplete"
        "这条片子没存全，缺了一截，放不出来。"
        "先在手机里点开看看。能放就再传一次，放不了就重拍一条。";
    /// A list of addresses that pretends to be a video.
    Playlist "playlist"
        "这里面是一张播放清单，没有片子。"
        "选手机里拍好的那条片子再传。";
    TooManyPixels "too_many_pixels"
        "这条画面太大，手机放不动。"
        "把相机调到 1080p 再拍，或者用剪辑软件导出 1080p 再传。";
    TooManyStreams "too_many_streams"
        "这个文件里的画面和声音太多条，认不出哪条是片子。"
        "选手机里自己拍的那条再传。";
    NoPicture "no_picture"
        "这条只有声音，没有画面。"
        "选一条看得见画面的再传。";
    UnreadableCodec "unreadable_codec"
        "这条片子的格式，我们这里还放不了。"
        "把相机设置改成“兼容性最佳”（H.264）再拍，或者用剪辑软件导出一遍再传。";
    /// More than a tenth of it.
    Damaged "damaged"
        "这条片子花得厉害，看不清。"
        "先在手机里放一遍看看。不花就再传一次，花的就重拍一条。";
    Encrypted "encrypted"
        "这条片子上了锁，别人打不开。"
        "从网上下载的片子常这样。传自己手机里拍的那条就行。";
    Empty "empty"
        "这个文件是空的，里面什么也没有。"
        "回相册再选一次。";
    TooLong "too_long"
        "这条太长了，超过 10 分钟。"
        "剪到 10 分钟以内再传。一条讲一件事，看的人更多。";
    TooBig "too_big"
        "这个文件太大了，收不下。"
        "用 1080p 导出，或者剪短一些再传。";
    /// The store has lost it.
    Lost "lost"
        "这条片子传到了，可是我们没存住，对不住。"
        "手机里还有的话，再传一次就好。点评和成绩都在。";
    /// Ours to mend, not hers.
    ProcessingFailed "processing_failed"
        "片子收到了，也没丢，只是我们这边没准备好。"
        "不用重传。告诉老师一声，我们来看。";
}

impl RefusalCode {
    /// For her, with the codec's name where that is what nobody can read.
    pub fn of_codec(self, codec: Option<&str>) -> Refusal {
        let name = codec.map(codec_name).filter(|_| self == RefusalCode::UnreadableCodec);
        let Some(name) = name else { return self.into() };
        // No camera of a phone makes these.
        let is_old = ["avi", "asf", "mpeg", "rm", "ogg"].contains(&codec.unwrap_or_default());
        let next_step = if is_old { "用剪映打开它，导出一遍再传。" } else { self.next_step() };
        Refusal::new(self.code(), format!("这条片子是 {name} 格式，我们这里还放不了。"), next_step)
    }
}

/// What shops and settings call a codec; one that they do not speak of keeps its four letters.
fn codec_name(codec: &str) -> String {
    let known = match codec {
        "vvc" | "vvc1" | "vvi1" => "H.266",
        "hevc" | "hvc1" | "hev1" => "H.265",
        "av1" | "av01" => "AV1",
        "dolby_vision" | "dvhe" | "dvh1" | "dav1" | "dva1" | "dvav" => "杜比视界",
        "rv30" | "rv40" | "rv60" => "RealVideo",
        "wmv1" | "wmv2" | "wmv3" | "vc1" | "asf" => "WMV",
        "mpeg" => "MPG",
        "cinepak" | "cvid" => "Cinepak",
        "jpeg2000" | "mjp2" => "JPEG 2000",
        "cavs" | "avs2" | "avs3" => "AVS",
        other => return other.to_ascii_uppercase(),
    };
    known.to_owned()
}

impl From<RefusalCode> for Refusal {
    fn from(code: RefusalCode) -> Self {
        Refusal::new(code.code(), code.message(), code.next_step())
    }
}

impl FromStr for RefusalCode {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().copied().find(|c| c.code() == text);
        found.ok_or_else(|| Error::Damaged(format!("refusal code {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_reads_back_and_speaks_plainly() {
        for code in RefusalCode::ALL.iter().copied() {
            assert_eq!(code.code().parse::<RefusalCode>().unwrap(), code);
            assert_eq!(serde_json::to_value(code).unwrap(), code.code());
            for text in [code.message(), code.next_step()] {
                assert!(text.ends_with('。') && text.chars().count() <= 45, "{text}");
                for word in ["错误", "失败", "您", "！", code.code()] {
                    assert!(!text.contains(word), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_codec_is_called_by_its_name() {
        let said = |codec| RefusalCode::UnreadableCodec.of_codec(codec).message;
        assert_eq!(said(Some("vvc1")), "这条片子是 H.266 格式，我们这里还放不了。");
        assert_eq!(RefusalCode::UnreadableCodec.of_codec(Some("avi")).next_step, "用剪映打开它，导出一遍再传。");
        assert!(said(Some("apv1")).contains(" APV1 "));
        assert_eq!(said(None), RefusalCode::UnreadableCodec.message());
        assert_eq!(RefusalCode::TooLong.of_codec(Some("vvc1")).message, RefusalCode::TooLong.message());
    }

    #[test]
    fn an_unknown_code_is_damage() {
        assert!("sideways".parse::<RefusalCode>().is_err());
    }
}
