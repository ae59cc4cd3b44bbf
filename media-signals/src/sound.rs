//! Sound, second by second.

use crate::SoundSecond;
use crate::wind::Wind;

/// From here on a wave has no more room.
const FULL: f32 = 0.985;
/// So many in a row: one sample may be there by itself.
const RUN: u32 = 3;
/// What has no power at all, in decibels.
const NOTHING: i16 = -99;

/// What was heard so far of one channel.
pub struct Sound {
    rate: usize,
    done: Vec<SoundSecond>,
    samples: usize,
    power: f64,
    wind: Wind,
    run: u32,
    clipped: u32,
}

impl Sound {
    pub fn new(rate: usize) -> Sound {
        Sound { rate: rate.max(1), done: Vec::new(), samples: 0, power: 0.0, wind: Wind::new(rate), run: 0, clipped: 0 }
    }

    pub fn hear(&mut self, samples: &[f32]) {
        for sample in samples {
            let sample = if sample.is_finite() { sample.clamp(-4.0, 4.0) } else { 0.0 };
            self.wind.hear(sample);
            self.power += f64::from(sample * sample);
            self.run = if sample.abs() >= FULL { self.run + 1 } else { 0 };
            self.clipped += u32::from(self.run >= RUN);
            self.samples += 1;
            if self.samples == self.rate {
                self.end_second();
            }
        }
    }

    fn end_second(&mut self) {
        let n = self.samples.max(1) as f64;
        let level = 10.0 * (self.power / n).max(1e-10).log10();
        let wind = self.wind.take_power();
        let low = if self.power > 0.0 { 100.0 * wind / self.power } else { 0.0 };
        self.done.push(SoundSecond {
            level: (level.round() as i16).max(NOTHING),
            clipped: (f64::from(self.clipped) * 10_000.0 / n) as i16,
            low: low.min(100.0) as i16,
        });
        (self.samples, self.power, self.clipped) = (0, 0.0, 0);
    }

    pub fn finish(mut self) -> Vec<SoundSecond> {
        // Less than half a second at the end tells too little.
        if self.samples * 2 >= self.rate {
            self.end_second();
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: usize = 8_000;

    fn heard(seconds: usize, sample: impl Fn(f32) -> f32) -> Vec<SoundSecond> {
        let mut sound = Sound::new(RATE);
        let samples: Vec<f32> = (0..seconds * RATE).map(|n| sample(n as f32 / RATE as f32)).collect();
        samples.chunks(777).for_each(|piece| sound.hear(piece));
        sound.finish()
    }
    fn tone(hertz: f32, loud: f32) -> impl Fn(f32) -> f32 {
        move |t| loud * (t * hertz * std::f32::consts::TAU).sin()
    }

    #[test]
    fn level_and_clipping_are_told_apart() {
        let voice = heard(2, tone(400.0, 0.2));
        assert_eq!(voice.len(), 2);
        assert!((-18..=-16).contains(&voice[0].level) && voice[0].low < 10 && voice[0].clipped == 0, "{voice:?}");
        let engine = heard(1, tone(30.0, 0.4));
        assert_eq!(engine[0].low, 0, "it has a pitch: {engine:?}");
        let shouted = heard(1, |t| (3.0 * tone(400.0, 1.0)(t)).clamp(-1.0, 1.0));
        assert!(shouted[0].clipped > 3_000, "{shouted:?}");
        let nothing = heard(1, |_| 0.0);
        assert_eq!(nothing[0], SoundSecond { level: NOTHING, clipped: 0, low: 0 });
    }

    #[test]
    fn broken_samples_break_nothing() {
        let odd = heard(1, |t| if t < 0.5 { f32::NAN } else { f32::INFINITY });
        assert_eq!(odd[0].level, NOTHING);
        assert!(heard(0, |_| 0.0).is_empty());
    }
}
