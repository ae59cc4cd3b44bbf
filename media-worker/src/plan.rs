//! What to make of a picture: pure decisions, from facts to sizes, moments and the text of filters.

pub mod filters;
pub mod ladder;
pub mod pace;

/// How the decoded picture must be turned to stand upright: first transposed, then mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    pub transpose: Option<Transpose>,
    pub hflip: bool,
    pub vflip: bool,
}

/// Named as the `transpose` filter names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transpose {
    Clock,
    Cclock,
    ClockFlip,
    CclockFlip,
}

impl Orientation {
    /// From a display matrix, by the signs of its four turning elements: phones turn by quarters.
    pub fn from_matrix(m: &[i32; 9]) -> Orientation {
        let (a, b, c, d) = (i64::from(m[0]), i64::from(m[1]), i64::from(m[3]), i64::from(m[4]));
        if b.abs() + c.abs() > a.abs() + d.abs() {
            let transpose = match (b > 0, c > 0) {
                (true, false) => Transpose::Clock,
                (true, true) => Transpose::CclockFlip,
                (false, true) => Transpose::Cclock,
                (false, false) => Transpose::ClockFlip,
            };
            return Orientation { transpose: Some(transpose), ..Default::default() };
        }
        Orientation { transpose: None, hflip: a < 0, vflip: d < 0 }
    }

    /// Whether the picture is seen as in a mirror: not every player undoes that.
    pub fn is_mirrored(self) -> bool {
        matches!(self.transpose, Some(Transpose::ClockFlip | Transpose::CclockFlip)) || self.hflip != self.vflip
    }

    pub fn is_upright(self) -> bool {
        self == Orientation::default()
    }

    /// As filters, each behind a comma.
    fn filters(self) -> String {
        let mut text = String::new();
        if let Some(transpose) = self.transpose {
            let name = match transpose {
                Transpose::Clock => "clock",
                Transpose::Cclock => "cclock",
                Transpose::ClockFlip => "clock_flip",
                Transpose::CclockFlip => "cclock_flip",
            };
            text += &format!(",transpose={name}");
        }
        text += match (self.hflip, self.vflip) {
            (false, false) => "",
            (true, false) => ",hflip",
            (true, true) => ",transpose=clock,transpose=clock",
            // Not `vflip`: it gives pictures whose lines lie backwards in memory.
            (false, true) => ",transpose=clock,transpose=cclock_flip",
        };
        text
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl Size {
    pub fn short(self) -> u32 {
        self.width.min(self.height)
    }

    /// This picture made as small as fits, with sides that 4:2:0 can halve. Never larger than it is.
    pub fn scaled_to_short(self, short: u32) -> Size {
        let k = (f64::from(short) / f64::from(self.short().max(1))).min(1.0);
        let long = f64::from(self.width.max(self.height)) * k;
        let k = if long > MAX_LONG { k * MAX_LONG / long } else { k };
        let even = |side: u32| {
            let scaled = f64::from(side) * k;
            // Rounding up is an enlargement only where nothing is scaled.
            let even = if k < 1.0 { (scaled / 2.0).round() * 2.0 } else { (scaled / 2.0).floor() * 2.0 };
            (even as u32).max(2)
        };
        Size { width: even(self.width), height: even(self.height) }
    }
}

/// A panorama's long side would otherwise have no end.
const MAX_LONG: f64 = 1920.0;

/// The size as it is shown: upright, with square pixels.
pub fn shown_size(coded: Size, sar: (u32, u32), orientation: Orientation) -> Size {
    let (mut width, mut height) = (coded.width, coded.height);
    let ratio = if sar.0 > 0 && sar.1 > 0 { f64::from(sar.0) / f64::from(sar.1) } else { 1.0 };
    // Beyond this it is not a shape of pixels but a broken header.
    if (0.1..=10.0).contains(&ratio) {
        if ratio > 1.0 {
            width = (f64::from(width) * ratio).round() as u32;
        } else {
            height = (f64::from(height) / ratio).round() as u32;
        }
    }
    if orientation.transpose.is_some() { Size { width: height, height: width } } else { Size { width, height } }
}

/// What ffmpeg knows about a picture's colours, by ffmpeg's names; empty where the source is silent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Colours {
    /// Primaries that reach further than those of BT.709.
    pub wide: String,
    pub matrix: String,
    pub transfer: String,
    pub full_range: bool,
}

impl Colours {
    pub fn is_hdr(&self) -> bool {
        ["smpte2084", "arib-std-b67"].contains(&self.transfer.as_str())
    }

    /// Pictures without a word about their colours are as the container says.
    pub fn or_told(mut self, told: &Colours) -> Colours {
        if self.wide.is_empty() {
            self.wide.clone_from(&told.wide);
        }
        if self.matrix.is_empty() {
            self.matrix.clone_from(&told.matrix);
        }
        if self.transfer.is_empty() {
            self.transfer.clone_from(&told.transfer);
        }
        self
    }

    /// The matrix, or what players assume where none is named.
    fn matrix_or_assumed(&self, coded: Size) -> &str {
        match self.matrix.as_str() {
            known @ ("bt709" | "smpte170m" | "bt470bg" | "fcc" | "smpte240m") => known,
            "bt2020nc" | "bt2020c" => "bt2020",
            _ if self.is_hdr() => "bt2020",
            _ if coded.short() >= 720 => "bt709",
            _ => "smpte170m",
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
