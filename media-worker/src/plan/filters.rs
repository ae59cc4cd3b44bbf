//! The text of filter graphs.

use super::{Colours, Orientation, Size, shown_size};

/// A picture as it was decoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    pub size: Size,
    /// ffmpeg's name of the format.
    pub pixels: String,
    pub sar: (u32, u32),
    pub colours: Colours,
    pub interlaced: bool,
    pub orientation: Orientation,
}

/// What a filter graph's end has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// 4:2:0, BT.709, limited range.
    Video,
    /// What a JPEG means: BT.601, full range.
    Jpeg,
}

impl Output {
    /// The matrix, the range and the format.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Output::Video => ("bt709", "tv", "yuv420p"),
            Output::Jpeg => ("smpte170m", "pc", "yuvj420p"),
        }
    }
}

const NAMED: &str = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";

/// Half of what swscale costs, for pictures that keep their format and colours. Its cubic is swscale's.
fn resized(width: u32, height: u32) -> String {
    format!("zscale=w={width}:h={height}:f=bicubic:param_a=0:param_b=0.6")
}

impl Decoded {
    /// To one or more upright pictures, the largest first, each scaled from the one before: `[in]` to `[o0]`, `[o1]` and
    /// so on.
    pub fn made_upright(&self, outputs: &[Size], output: Output) -> String {
        let Some(first) = outputs.first() else { return "[in]nullsink".to_owned() };
        let (target, pad) = fitted(shown_size(self.size, self.sar, self.orientation), *first);
        // Each picture whole, from the lines of two moments, before anything scales them into each other. It is given
        // out when the next one is there.
        let whole = if self.interlaced { "bwdif=mode=send_frame:deint=interlaced,settb=1/90000," } else { "" };
        // Turned last: there is less to turn by then.
        let turns = self.orientation.transpose.is_some();
        let (w, h) = if turns { (target.height, target.width) } else { (target.width, target.height) };
        let mut graph = format!("[in]{whole}{}", self.scaled(w, h, output));
        graph += &self.orientation.filters();
        if pad {
            graph += &format!(",pad={}:{}:-1:-1", first.width, first.height);
        }
        graph += ",setsar=1";
        if output == Output::Video {
            graph += &format!(",{NAMED}");
        }
        for (n, size) in outputs.iter().enumerate().skip(1) {
            graph += &format!(",split[o{}][c{n}];[c{n}]{}", n - 1, resized(size.width, size.height));
        }
        graph + &format!("[o{}]", outputs.len() - 1)
    }

    fn scaled(&self, w: u32, h: u32, output: Output) -> String {
        let (matrix, out_range, pixels) = output.names();
        let in_range = if self.colours.full_range { "pc" } else { "tv" };
        let in_matrix = self.colours.matrix_or_assumed(self.size);
        // Light, not code values, is what may be compressed or brought into other primaries: to linear, to the small gamut,
        // and back. zscale has to be told what it is given.
        let to_screen = format!(
            "zscale=t=709:m=709:r=tv,format=yuv420p,scale=in_color_matrix=bt709:in_range=tv:\
             out_color_matrix={matrix}:out_range={out_range},format={pixels}"
        );
        // It takes no halved colours of an odd size.
        let whole = if self.has_even_sides() { "" } else { ",format=yuv444p10le" };
        if self.colours.is_hdr() {
            // Recorders that name only the transfer mean BT.2020 with it. Up to a bright face all is as it was filmed; what
            // is brighter is compressed.
            let transfer = &self.colours.transfer;
            return format!(
                "setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range={in_range}{whole},\
                 zscale=w={w}:h={h}:min=2020_ncl:pin=2020:tin={transfer}:rin={in_range}:t=linear:npl=203:f=bicubic,\
                 format=gbrpf32le,zscale=p=709,tonemap=tonemap=mobius:param=0.6:desat=0,{to_screen}",
            );
        }
        if !self.colours.wide.is_empty() {
            let (wide, matrix) = (&self.colours.wide, number(in_matrix));
            return format!(
                "setparams=color_primaries={wide}:color_trc=bt709:range={in_range}{whole},\
                 zscale=w={w}:h={h}:min={matrix}:pin={wide}:tin=bt709:rin={in_range}:t=linear:f=bicubic,\
                 format=gbrpf32le,zscale=p=709,{to_screen}",
            );
        }
        if output == Output::Video && self.is_as_made() {
            return format!("{NAMED},{}", resized(w, h));
        }
        format!(
            "scale={w}:{h}:flags=bicubic:in_color_matrix={in_matrix}:in_range={in_range}:\
             out_color_matrix={matrix}:out_range={out_range},format={pixels}"
        )
    }

    /// Whether its format and colours are those of [`Output::Video`].
    fn is_as_made(&self) -> bool {
        self.pixels == "yuv420p"
            && !self.colours.full_range
            && self.colours.matrix_or_assumed(self.size) == "bt709"
            && self.has_even_sides()
    }

    /// What zscale asks of a picture whose colours are halved.
    fn has_even_sides(&self) -> bool {
        self.size.width.is_multiple_of(2) && self.size.height.is_multiple_of(2)
    }
}

/// A matrix as ITU-T H.273 numbers it. ffmpeg's names for zscale are not those of its other filters.
fn number(matrix: &str) -> u8 {
    match matrix {
        "fcc" => 4,
        "bt470bg" => 5,
        "smpte170m" => 6,
        "smpte240m" => 7,
        "bt2020" => 9,
        _ => 1,
    }
}

/// A picture whose shape changed on the way (a phone that was turned) is shown whole between bars.
fn fitted(shown: Size, target: Size) -> (Size, bool) {
    let shape = |s: Size| f64::from(s.width) / f64::from(s.height.max(1));
    if (shape(shown) / shape(target) - 1.0).abs() < 0.04 || shown.short() < 64 {
        return (target, false);
    }
    let k = (f64::from(target.width) / f64::from(shown.width)).min(f64::from(target.height) / f64::from(shown.height));
    let even = |side: u32| ((f64::from(side) * k / 2.0).floor() as u32 * 2).max(2);
    (Size { width: even(shown.width), height: even(shown.height) }, true)
}

/// From decoded sound to 48 kHz, gaps filled: one voice stays one, all else becomes two. It begins at `first`, counted in
/// samples at 48 kHz, with silence if the sound begins later. Of channels that nobody named, the first two are heard.
pub fn sound_graph(origin: i64, rate: u32, channels: u32, unnamed: Option<u32>, first: i64) -> String {
    let layout = if channels == 1 { "mono" } else { "stereo" };
    let pick = match unnamed {
        None => "",
        Some(1) => "pan=mono|c0=c0,",
        Some(_) => "pan=stereo|c0=c0|c1=c1,",
    };
    // The resampler counts this in samples as they come in.
    let first = first.saturating_mul(rate.into()) / i64::from(crate::encode::SOUND_RATE);
    format!(
        "[in]{pick}asetpts=PTS-({origin}),aresample=48000:async=1000:first_pts={first},\
         aformat=sample_fmts=fltp:sample_rates=48000:channel_layouts={layout}[o0]"
    )
}

#[cfg(test)]
#[path = "filters_tests.rs"]
mod tests;
