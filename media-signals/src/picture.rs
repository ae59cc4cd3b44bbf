//! Pictures, second by second.

use crate::PictureSecond;
use crate::grey::Grey;

/// Eight bits for each point, in limited range.
#[derive(Clone, Copy)]
pub struct Luma<'a> {
    pub points: &'a [u8],
    pub stride: usize,
    pub width: usize,
    pub height: usize,
}

/// How far the picture may have moved between two looks, in cells.
const FARTHEST: usize = 10;
/// Rows in which detail is looked for: every so many.
const ROWS: usize = 8;
/// Coarse detail is what differs over so many points.
const COARSE: usize = 8;

/// Whole steps of luma are rounded: so much difference is no detail.
const ROUNDING: u32 = 3;

/// What was seen so far. Feed it every second picture or so.
#[derive(Default)]
pub struct Pictures {
    done: Vec<PictureSecond>,
    second: Second,
    last: Option<Last>,
}

struct Last {
    grey: Grey,
    profiles: (Vec<f32>, Vec<f32>),
    /// By how much it had moved against the one before, in parts of its longer side.
    moved: Option<(f32, f32)>,
}

#[derive(Default)]
struct Second {
    looks: u32,
    light: f32,
    middle: f32,
    backlight: f32,
    sharp: f32,
    moves: u32,
    shake: f32,
    change: f32,
}

impl Pictures {
    pub fn look(&mut self, at_ms: i64, luma: Luma<'_>) {
        let second = usize::try_from(at_ms / 1000).unwrap_or(0);
        self.end_seconds(second);
        if luma.height == 0 || luma.points.len() < luma.stride * (luma.height - 1) + luma.width {
            return;
        }
        let grey = Grey::of(luma.points, luma.stride, luma.width, luma.height);
        let profiles = grey.profiles();
        let this = &mut self.second;
        this.looks += 1;
        this.light += grey.mean((0, 8), (0, 8));
        let middle = grey.mean((3, 5), (3, 7));
        this.middle += middle;
        this.backlight += around(&grey) - middle;
        this.sharp += sharpness(luma);
        let mut moved = None;
        if let Some(last) = self.last.as_ref().filter(|last| last.grey.points.len() == grey.points.len()) {
            let shift = |a: &[f32], b: &[f32]| shift(a, b) / grey.width.max(grey.height).max(1) as f32;
            let now = (shift(&last.profiles.0, &profiles.0), shift(&last.profiles.1, &profiles.1));
            if let Some(before) = last.moved {
                // Only what changes its way jerks: a camera that is led from left to right does not.
                this.shake += (now.0 - before.0).hypot(now.1 - before.1);
            }
            this.change += grey.change(&last.grey);
            this.moves += 1;
            moved = Some(now);
        }
        self.last = Some(Last { grey, profiles, moved });
    }

    /// Where nothing was to be seen, the last picture stands.
    fn end_seconds(&mut self, upto: usize) {
        while self.done.len() < upto {
            let standing = self.done.last().map(|last| PictureSecond { shake: 0, change: 0, ..*last });
            let seen = std::mem::take(&mut self.second).sum_up();
            self.done.push(seen.or(standing).unwrap_or_default());
        }
    }

    pub fn finish(mut self, duration_ms: i64) -> Vec<PictureSecond> {
        // A piece of a second at the end counts as one where something was seen in it.
        let whole = usize::try_from(duration_ms / 1000).unwrap_or(0);
        let upto = (self.done.len() + usize::from(self.second.looks > 0)).max(whole);
        self.end_seconds(upto);
        self.done
    }
}

impl Second {
    fn sum_up(self) -> Option<PictureSecond> {
        let looks = Some(self.looks).filter(|n| *n > 0)? as f32;
        let moves = self.moves.max(1) as f32;
        Some(PictureSecond {
            light: (self.light / looks) as i16,
            middle: (self.middle / looks) as i16,
            backlight: (self.backlight / looks) as i16,
            sharp: (self.sharp / looks * 1000.0) as i16,
            shake: (self.shake / moves * 10_000.0).min(10_000.0) as i16,
            change: (self.change / moves * 100.0).min(30_000.0) as i16,
        })
    }
}

/// Who speaks stands in the middle and below; what is behind her is above and beside.
fn around(grey: &Grey) -> f32 {
    (grey.mean((0, 8), (0, 2)) * 2.0 + grey.mean((0, 2), (2, 6)) + grey.mean((6, 8), (2, 6))) / 4.0
}

/// Fine detail against coarse. Blur takes the fine away and leaves the coarse; a picture without any detail is not blurred.
fn sharpness(luma: Luma<'_>) -> f32 {
    let (mut fine, mut coarse) = (0_u64, 0_u64);
    for y in (0..luma.height).step_by(ROWS) {
        let row = &luma.points[y * luma.stride..][..luma.width];
        for window in row.windows(COARSE + 1) {
            let [a, b, c] = [window[0], window[1], window[2]].map(i32::from);
            fine += u64::from((2 * b - a - c).unsigned_abs().saturating_sub(ROUNDING));
            coarse += u64::from(window[0].abs_diff(window[COARSE]).saturating_sub(ROUNDING as u8));
        }
    }
    let points = (luma.height.div_ceil(ROWS) * luma.width.saturating_sub(COARSE)).max(1) as u64;
    // Hardly a step of luma between points so far apart: there is nothing to be sharp.
    if coarse * 2 < points { 0.5 } else { fine as f32 / coarse as f32 }
}

/// By how many cells `b` lies behind `a`, to parts of one: where they differ least.
fn shift(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let farthest = FARTHEST.min(n / 4);
    if farthest == 0 {
        return 0.0;
    }
    let inner = farthest..n - farthest;
    let differs = |by: isize| -> f32 {
        inner.clone().map(|i| (a[i] - b[i.saturating_add_signed(by)]).abs()).sum::<f32>() / inner.len() as f32
    };
    let steps = -(farthest as isize)..=farthest as isize;
    let all: Vec<f32> = steps.map(differs).collect();
    let still = all[farthest];
    let (best, least) = all.iter().copied().enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((farthest, still));
    // A wall has nothing that could move, and noise moves nothing.
    if still - least < 0.3 || least > still * 0.5 {
        return 0.0;
    }
    let fraction = match (best.checked_sub(1).map(|n| all[n]), all.get(best + 1)) {
        (Some(before), Some(after)) if before + after > 2.0 * least => {
            0.5 * (before - after) / (before + after - 2.0 * least)
        }
        _ => 0.0,
    };
    best as f32 - farthest as f32 + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: usize = 160;
    const H: usize = 240;

    fn picture(point: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        (0..W * H).map(|n| point(n % W, n / W)).collect()
    }
    fn luma(points: &[u8]) -> Luma<'_> {
        Luma { points, stride: W, width: W, height: H }
    }
    /// Spots that are the same wherever they are looked at.
    fn spots(x: usize, y: usize) -> u8 {
        let cell = (x / 6).wrapping_mul(2_654_435_761) ^ (y / 6).wrapping_mul(40_503);
        60 + (cell.wrapping_mul(97) % 120) as u8
    }
    fn seen(pictures: impl IntoIterator<Item = Vec<u8>>) -> Vec<PictureSecond> {
        let mut all = Pictures::default();
        let mut at = 0;
        for points in pictures {
            all.look(at, luma(&points));
            at += 66;
        }
        all.finish(at)
    }

    #[test]
    fn light_is_measured_where_it_falls() {
        let night = seen([picture(|_, _| 30)]);
        assert_eq!((night[0].light, night[0].backlight), (30, 0));
        let window = seen([picture(|x, y| if (50..110).contains(&x) && y > 80 { 40 } else { 210 })]);
        assert!(window[0].backlight > 120, "{window:?}");
    }

    #[test]
    fn a_trembling_hand_shakes_and_a_led_camera_does_not() {
        let led = seen((0..15).map(|n| picture(move |x, y| spots(x + 2 * n, y))));
        let trembling = seen((0..15).map(|n| picture(move |x, y| spots(x + 7 * (n % 2), y + 5 * (n % 3)))));
        let still = seen((0..15).map(|_| picture(spots)));
        assert!(still[0].shake == 0 && still[0].change == 0, "{still:?}");
        assert!(led[0].shake < 60, "{led:?}");
        assert!(trembling[0].shake > 200, "{trembling:?}");
    }

    #[test]
    fn blur_takes_the_fine_detail_and_a_wall_has_none() {
        let sharp = picture(spots);
        let blurred = picture(|x, y| {
            let around = (0..12).map(|n| u32::from(spots((x + n).saturating_sub(6), y)));
            (around.sum::<u32>() / 12) as u8
        });
        let (sharp, blurred, wall) =
            (seen([sharp])[0].sharp, seen([blurred])[0].sharp, seen([picture(|_, _| 90)])[0].sharp);
        assert!(sharp > 3 * blurred, "{sharp} {blurred}");
        assert_eq!(wall, 500);
    }

    #[test]
    fn every_second_has_its_entry() {
        let mut all = Pictures::default();
        all.look(0, luma(&picture(spots)));
        all.look(4_200, luma(&picture(|_, _| 16)));
        let seen = all.finish(4_900);
        assert_eq!(seen.len(), 5);
        assert!(seen[1..4].iter().all(|second| second.light == seen[0].light && second.change == 0));
        assert_eq!(seen[4].light, 16);
        assert_eq!(Pictures::default().finish(2_500).len(), 2);
        let mut short = Pictures::default();
        short.look(-5, Luma { points: &[1; 3], stride: 160, width: 160, height: 90 });
        assert_eq!(short.finish(0), []);
    }
}
