//! How loud a clip is from its beginning to its end, to be drawn.

use serde::{Deserialize, Serialize};

/// Enough for the widest line that it is drawn on.
pub const MAX_POINTS: usize = 1_200;
/// Samples in one point of a short clip.
const FINEST: u32 = 256;

/// The waveform as audiowaveform writes it in JSON (version 2, 8 bits, one channel:
/// <https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md>), so that what draws such files draws ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waveform {
    pub version: u32,
    pub channels: u32,
    pub sample_rate: u32,
    pub samples_per_pixel: u32,
    pub bits: u32,
    /// How many points there are: two values each.
    pub length: usize,
    /// The lowest and the highest sample of each point in turn.
    pub data: Vec<i8>,
}

impl Waveform {
    /// Whether it is one of ours.
    pub fn is_sound(&self) -> bool {
        let Waveform { version, channels, bits, length, .. } = self;
        (*version, *channels, *bits) == (2, 1, 8)
            && self.sample_rate > 0
            && self.samples_per_pixel > 0
            && (1..=MAX_POINTS).contains(length)
            && self.data.len() == 2 * length
            && self.data.chunks_exact(2).all(|point| point[0] <= point[1])
    }
}

/// The points heard so far. When there are too many, two become one: whatever the length, memory stays small.
pub struct Peaks {
    rate: u32,
    samples_per_point: u32,
    points: Vec<(f32, f32)>,
    point: (f32, f32),
    samples: u32,
}

impl Peaks {
    pub fn new(rate: u32) -> Peaks {
        Peaks { rate, samples_per_point: FINEST, points: Vec::new(), point: (0.0, 0.0), samples: 0 }
    }

    pub fn hear(&mut self, samples: &[f32]) {
        for sample in samples {
            let sample = if sample.is_finite() { *sample } else { 0.0 };
            let (low, high) = if self.samples == 0 { (sample, sample) } else { self.point };
            self.point = (low.min(sample), high.max(sample));
            self.samples += 1;
            if self.samples == self.samples_per_point {
                self.end_point();
            }
        }
    }

    fn end_point(&mut self) {
        if self.points.len() == MAX_POINTS {
            let two = |two: &[(f32, f32)]| (two[0].0.min(two[1].0), two[0].1.max(two[1].1));
            self.points = self.points.chunks_exact(2).map(two).collect();
            self.samples_per_point *= 2;
            // The one that ends here is half of a point from now on.
            if self.samples < self.samples_per_point {
                return;
            }
        }
        self.points.push(self.point);
        self.samples = 0;
    }

    /// None where nothing was heard.
    pub fn finish(mut self) -> Option<Waveform> {
        if self.samples > 0 && self.points.len() < MAX_POINTS {
            self.points.push(self.point);
        }
        let eighth = |sample: f32| (sample * 128.0).round().clamp(-128.0, 127.0) as i8;
        (!self.points.is_empty()).then(|| Waveform {
            version: 2,
            channels: 1,
            sample_rate: self.rate,
            samples_per_pixel: self.samples_per_point,
            bits: 8,
            length: self.points.len(),
            data: self.points.iter().flat_map(|(low, high)| [eighth(*low), eighth(*high)]).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn heard(samples: usize, sample: impl Fn(usize) -> f32) -> Option<Waveform> {
        let mut peaks = Peaks::new(RATE);
        let all: Vec<f32> = (0..samples).map(sample).collect();
        all.chunks(1024).for_each(|piece| peaks.hear(piece));
        peaks.finish()
    }

    #[test]
    fn however_long_a_clip_is_its_points_are_few_and_cover_all_of_it() {
        for seconds in [1, 6, 7, 60, 600] {
            let samples = seconds * RATE as usize;
            // Loud in the third quarter only.
            let loud = samples / 2..samples * 3 / 4;
            let wave =
                heard(samples, |n| if loud.contains(&n) { if n % 2 == 0 { 0.5 } else { -0.25 } } else { 0.0 }).unwrap();
            assert!(wave.is_sound(), "{seconds} s");
            let covered = wave.length * wave.samples_per_pixel as usize;
            assert!(
                covered.abs_diff(samples) <= wave.samples_per_pixel as usize,
                "{seconds} s: {covered} of {samples}"
            );
            assert!(seconds < 10 || wave.length >= MAX_POINTS / 2, "{} points of {seconds} s", wave.length);
            for (n, point) in wave.data.chunks_exact(2).enumerate() {
                let at = (n as f64 + 0.5) / wave.length as f64;
                let edge = (at - 0.5).abs() < 0.02 || (at - 0.75).abs() < 0.02;
                let expected = if (0.5..0.75).contains(&at) { [-32, 64] } else { [0, 0] };
                assert!(edge || point == expected, "{seconds} s: {point:?} at {at}");
            }
        }
    }

    #[test]
    fn what_is_too_loud_or_no_number_breaks_nothing() {
        assert_eq!(heard(256, |n| if n == 7 { 9.0 } else { -9.0 }).unwrap().data, [-128, 127]);
        assert_eq!(heard(256, |_| f32::NAN).unwrap().data, [0, 0]);
        assert_eq!(heard(0, |_| 1.0), None);
    }

    #[test]
    fn what_is_not_ours_is_seen() {
        let good = heard(1_000, |_| 0.1).unwrap();
        assert!(good.is_sound());
        let odd = |change: fn(&mut Waveform)| {
            let mut odd = good.clone();
            change(&mut odd);
            odd
        };
        for bad in [
            odd(|w| w.version = 1),
            odd(|w| w.bits = 16),
            odd(|w| w.length = 0),
            odd(|w| w.data.push(1)),
            odd(|w| w.data[0] = 127),
            odd(|w| {
                w.length = MAX_POINTS + 1;
                w.data = vec![0; 2 * w.length];
            }),
        ] {
            assert!(!bad.is_sound(), "{bad:?}");
        }
    }
}
