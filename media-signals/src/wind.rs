//! Wind in a microphone: low, and without a pitch. Drums, basses and engines are low too, and have one.

/// Below this, in hertz, there is wind and hardly a voice.
const LOW: f32 = 120.0;
/// What is low needs no more samples a second.
const RATE: usize = 1_000;
/// A note lasts as long, a gust has no end of changing.
const WINDOW: usize = RATE / 4;
/// Of pitches from 30 Hz on.
const LONGEST_PERIOD: usize = RATE / 30;
/// Of 1, which a tone by itself has. Basses and drums of music have 0.75 and more, wind less than 0.35.
const PITCHED: f32 = 0.5;

pub struct Wind {
    /// Two one-pole filters behind each other.
    low: [f32; 2],
    weight: f32,
    /// So many samples become one of the window.
    step: usize,
    sum: f32,
    summed: usize,
    window: Vec<f32>,
    window_power: f64,
    power: f64,
}

impl Wind {
    pub fn new(rate: usize) -> Wind {
        let weight = 1.0 - (-std::f32::consts::TAU * LOW / rate.max(1) as f32).exp();
        Wind {
            low: [0.0; 2],
            weight,
            step: (rate / RATE).max(1),
            sum: 0.0,
            summed: 0,
            window: Vec::with_capacity(WINDOW),
            window_power: 0.0,
            power: 0.0,
        }
    }

    pub fn hear(&mut self, sample: f32) {
        self.low[0] += self.weight * (sample - self.low[0]);
        self.low[1] += self.weight * (self.low[0] - self.low[1]);
        let low = self.low[1];
        self.window_power += f64::from(low * low);
        self.sum += low;
        self.summed += 1;
        if self.summed == self.step {
            self.window.push(self.sum / self.step as f32);
            (self.sum, self.summed) = (0.0, 0);
        }
        if self.window.len() == WINDOW {
            if pitch(&self.window) < PITCHED {
                self.power += self.window_power;
            }
            self.window.clear();
            self.window_power = 0.0;
        }
    }

    /// The sum of the squares of what was wind since this was asked last.
    pub fn take_power(&mut self) -> f64 {
        std::mem::take(&mut self.power)
    }
}

/// How much of a pitch there is, from 0 to 1: how far the autocorrelation (normalised, as for finding a pitch) comes up
/// again behind its lowest point. That of noise falls, and stays.
fn pitch(window: &[f32]) -> f32 {
    let mean = window.iter().sum::<f32>() / window.len().max(1) as f32;
    let centred: Vec<f32> = window.iter().map(|sample| sample - mean).collect();
    let (mut lowest, mut best) = (1.0_f32, 0.0_f32);
    for lag in 2..=LONGEST_PERIOD.min(window.len() / 2) {
        let (head, tail) = (&centred[..centred.len() - lag], &centred[lag..]);
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let scale = (product(head, head) * product(tail, tail)).sqrt();
        let likeness = if scale > 0.0 { product(head, tail) / scale } else { 0.0 };
        lowest = lowest.min(likeness);
        best = best.max((likeness - lowest) / 2.0);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: usize = 48_000;

    /// Of the power of four seconds of this sound, the share that is wind.
    fn share(sample: impl Fn(f32) -> f32) -> f64 {
        let mut wind = Wind::new(SAMPLES);
        let sound: Vec<f32> = (0..4 * SAMPLES).map(|n| sample(n as f32 / SAMPLES as f32)).collect();
        sound.iter().for_each(|sample| wind.hear(*sample));
        wind.take_power() / sound.iter().map(|sample| f64::from(sample * sample)).sum::<f64>()
    }

    fn tone(hertz: f32, t: f32) -> f32 {
        (t * hertz * std::f32::consts::TAU).sin()
    }

    /// Noise below that frequency, in gusts.
    fn gusts(below: f32) -> impl Fn(f32) -> f32 {
        let weight = 1.0 - (-std::f32::consts::TAU * below / SAMPLES as f32).exp();
        let (mut state, mut low) = (7_u32, [0.0_f32; 2]);
        let noise: Vec<f32> = (0..4 * SAMPLES)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                low[0] += weight * (state as f32 / u32::MAX as f32 - 0.5 - low[0]);
                low[1] += weight * (low[0] - low[1]);
                low[1]
            })
            .collect();
        move |t| noise[(t * SAMPLES as f32) as usize] * (1.2 + tone(0.7, t))
    }

    #[test]
    fn wind_is_low_and_has_no_pitch() {
        assert!(share(gusts(60.0)) > 0.6, "{}", share(gusts(60.0)));
        assert!(share(gusts(90.0)) > 0.5, "{}", share(gusts(90.0)));
        assert!(share(|t| 0.3 * tone(400.0, t)) < 0.02, "a voice is not low");
    }

    #[test]
    fn basses_drums_and_engines_have_one() {
        let note = |t: f32| 55.0 * 2_f32.powf(((t * 4.0).floor() * 5.0 % 12.0) / 12.0);
        let bass = |t: f32| tone(note(t), t) + 0.4 * tone(2.0 * note(t), t);
        let drum = |t: f32| tone(50.0, t % 0.5) * (-(t % 0.5) * 8.0).exp();
        assert!(share(bass) < 0.05, "{}", share(bass));
        assert!(share(drum) < 0.05, "{}", share(drum));
        assert!(share(|t| drum(t) + 0.6 * bass(t) + 0.2 * tone(220.0, t)) < 0.1);
        assert!(share(|t| tone(40.0, t) + 0.2 * tone(81.0, t)) < 0.05, "an engine");
    }
}
