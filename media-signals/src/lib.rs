//! What can be measured of a clip while it is decoded: how light, how sharp and how steady its pictures are, how loud and
//! how clean its sound, second by second. Numbers only; what they mean is for `content/coaching.json` to say.
//!
//! A crate of its own because it looks at every point of a picture: it is always built at full speed, and knows neither
//! ffmpeg nor the rest.

mod grey;
mod picture;
mod sound;
mod waveform;
mod wind;

use serde::{Deserialize, Serialize};

pub use picture::{Luma, Pictures};
pub use sound::Sound;
pub use waveform::{MAX_POINTS, Peaks, Waveform};

/// One second of pictures. Written as a list, in this order: ten minutes have to fit into one line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[i16; 6]", into = "[i16; 6]")]
pub struct PictureSecond {
    /// The mean luma, 16 (black) to 235 (white).
    pub light: i16,
    /// The mean luma in the middle and below, where somebody who speaks to the camera is.
    pub middle: i16,
    /// By how much the surroundings are lighter than that.
    pub backlight: i16,
    /// Fine detail in proportion to coarse, in thousandths: of a sharp picture some hundreds.
    pub sharp: i16,
    /// How much the camera jerks from one picture to the next, in ten thousandths of the picture's longer
    /// side.
    pub shake: i16,
    /// How much changes from one picture to the next: hundredths of a step of luma, over all points.
    pub change: i16,
}

/// One second of sound. Written as a list, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[i16; 3]", into = "[i16; 3]")]
pub struct SoundSecond {
    /// Its mean power, in decibels of full scale.
    pub level: i16,
    /// How many samples in ten thousand are as loud as can be written.
    pub clipped: i16,
    /// The share of the power that is below 120 Hz and without a pitch, in hundredths.
    pub low: i16,
}

impl From<[i16; 6]> for PictureSecond {
    fn from([light, middle, backlight, sharp, shake, change]: [i16; 6]) -> Self {
        PictureSecond { light, middle, backlight, sharp, shake, change }
    }
}

impl From<PictureSecond> for [i16; 6] {
    fn from(second: PictureSecond) -> Self {
        let PictureSecond { light, middle, backlight, sharp, shake, change } = second;
        [light, middle, backlight, sharp, shake, change]
    }
}

impl From<[i16; 3]> for SoundSecond {
    fn from([level, clipped, low]: [i16; 3]) -> Self {
        SoundSecond { level, clipped, low }
    }
}

impl From<SoundSecond> for [i16; 3] {
    fn from(SoundSecond { level, clipped, low }: SoundSecond) -> Self {
        [level, clipped, low]
    }
}

/// What was measured of a whole clip: one entry for each second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    pub pictures: Vec<PictureSecond>,
    /// None for a clip without a sound track.
    pub sound: Option<Vec<SoundSecond>>,
    /// Wider than it is high.
    pub sideways: bool,
}
