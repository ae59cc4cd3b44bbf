//! A plucked tune on the five notes 宫商角徵羽.

use std::f32::consts::TAU;

/// Hertz of each half second's note.
const NOTES: [f32; 12] = [392.0, 440.0, 523.3, 587.3, 523.3, 440.0, 392.0, 329.6, 392.0, 523.3, 440.0, 392.0];
const BEAT: f32 = 0.5;

/// The sound at a moment, within -1..1: a string's fundamental and two overtones, each dying away.
pub fn at(seconds: f32) -> f32 {
    let beat = (seconds / BEAT) as usize;
    // The string before still rings a little.
    (0..2).filter_map(|back| pluck(beat.checked_sub(back)?, seconds)).sum::<f32>() * 0.28
}

fn pluck(beat: usize, seconds: f32) -> Option<f32> {
    let note = NOTES.get(beat)?;
    let since = seconds - beat as f32 * BEAT;
    let attack = (since * 200.0).min(1.0);
    let tone = |overtone: f32, decay: f32| (TAU * note * overtone * since).sin() * (-since * decay).exp() / overtone;
    Some(attack * (tone(1.0, 3.0) + 0.5 * tone(2.0, 5.0) + 0.3 * tone(3.0, 8.0)))
}
