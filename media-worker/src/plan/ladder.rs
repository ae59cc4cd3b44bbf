//! Which renditions are made of a source, and how many bits each may take.

use super::Size;

/// One rendition to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// Its short side, as text: `480`.
    pub name: String,
    pub size: Size,
    /// The cap of the picture's bits.
    pub max_kbps: u32,
}

const RUNGS: [(u32, u32); 3] = [(720, 2200), (480, 1000), (360, 550)];
const SMALL_KBPS: u32 = 400;
/// A rung that is never made, but may be passed through.
const LARGEST_PASSED: (u32, u32) = (1080, 4500);
/// Nobody sees what the source has beyond the cap by this factor, but making it anew is seen.
const PASSED_SHARE: f64 = 1.3;

/// All that is stored of a clip besides its original, against the original.
const STORED_SHARE: f64 = 1.58;
/// Of that, the poster, the storyboard and what else is no film; of a small clip at most half.
const STILLS_BYTES: f64 = 180_000.0;
/// A smaller source is weighed as if it had so many: nobody minds what is stored of it, and it is to be seen.
const SMALL_BYTES: u64 = 1 << 20;
/// What x264 may have in hand at the beginning, in seconds at the cap.
const BUFFERED_SECONDS: f64 = 2.0;
/// Pictures of fewer bits than this share of their cap are better left out.
const WORTH_MAKING: f64 = 0.25;
/// Below this nothing is to be seen.
const LEAST_KBPS: f64 = 60.0;

/// By the short side 720, 480 and 360, as far as the source reaches; a smaller source keeps its own size.
pub fn rungs(shown: Size) -> Vec<Rung> {
    let rung = |short: u32, max_kbps| Rung { name: short.to_string(), size: shown.scaled_to_short(short), max_kbps };
    let mut rungs: Vec<Rung> =
        RUNGS.iter().filter(|(short, _)| *short <= shown.short()).map(|(s, kbps)| rung(*s, *kbps)).collect();
    // A panorama's are bounded by its long side.
    rungs.dedup_by_key(|rung| rung.size);
    if rungs.is_empty() { vec![rung(shown.scaled_to_short(shown.short()).short(), SMALL_KBPS)] } else { rungs }
}

/// Of these rungs, the largest first, the one that is made first and whose film is kept: 480 plays everywhere, over a thin
/// line too.
pub fn first<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
    names.clone().position(|name| name == "480").or(names.count().checked_sub(1))
}

/// What is encoded of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// The largest first.
    pub rungs: Vec<Rung>,
    /// The bits of each one's sound.
    pub sound_kbps: u32,
}

/// What a source weighs.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    pub bytes: u64,
    pub seconds: f64,
}

impl Ladder {
    /// `weight`: unless nobody knows it. `passed`: the source's own pictures are the top rung. None: there is no room for
    /// a rung that is worth making.
    pub fn new(shown: Size, weight: Option<Weight>, has_sound: bool, passed: bool) -> Option<Ladder> {
        let mut all = rungs(shown);
        if passed {
            all.retain(|rung| rung.name != "720" && rung.size.short() < shown.short());
        }
        let Some(weight) = weight else {
            return (!all.is_empty()).then(|| Ladder { rungs: all, sound_kbps: sound_kbps(f64::MAX) });
        };
        let room = weight.room_kbps(if passed { STORED_SHARE - 1.0 } else { STORED_SHARE });
        while !all.is_empty() {
            let ladder = Ladder { sound_kbps: sound_kbps(room), rungs: all.clone() };
            let share = ladder.share_of_caps(room, weight.seconds, has_sound);
            if share >= WORTH_MAKING {
                return Some(ladder.scaled(share));
            }
            // The largest takes the most bits; beside what is passed through the smallest helps most, alone 480 does.
            all.remove(if passed || all[0].name == "720" { 0 } else { all.len() - 1 });
        }
        None
    }

    /// What is made where no rung is worth it, and nothing else can be shown.
    pub fn least(shown: Size, weight: Weight, has_sound: bool) -> Ladder {
        let mut rungs = rungs(shown);
        let n = first(rungs.iter().map(|rung| &*rung.name)).unwrap_or_default();
        let room = weight.room_kbps(STORED_SHARE);
        let ladder = Ladder { rungs: vec![rungs.swap_remove(n)], sound_kbps: sound_kbps(room) };
        let share = ladder.share_of_caps(room, weight.seconds, has_sound);
        ladder.scaled(share)
    }

    /// Where pictures are decoded only to be measured.
    pub fn nothing() -> Ladder {
        Ladder { rungs: Vec::new(), sound_kbps: sound_kbps(0.0) }
    }

    /// The rung that is made first, and whose film is kept.
    pub fn first(&self) -> usize {
        first(self.rungs.iter().map(|rung| &*rung.name)).unwrap_or_default()
    }

    /// How much of their caps the pictures may take, each rung stored once and the first one's film besides.
    fn share_of_caps(&self, room_kbps: f64, seconds: f64, has_sound: bool) -> f64 {
        let stored = self.rungs.iter().chain(&self.rungs[self.first()..=self.first()]);
        let caps: u32 = stored.clone().map(|rung| rung.max_kbps).sum();
        let caps = f64::from(caps) * (seconds + BUFFERED_SECONDS) / seconds;
        let sound = if has_sound { stored.count() as f64 * f64::from(self.sound_kbps) } else { 0.0 };
        ((room_kbps - sound) / caps).min(1.0)
    }

    fn scaled(mut self, share: f64) -> Ladder {
        for rung in &mut self.rungs {
            rung.max_kbps = (f64::from(rung.max_kbps) * share).max(LEAST_KBPS) as u32;
        }
        self
    }
}

impl Weight {
    /// What its films may take in all.
    fn room_kbps(self, share: f64) -> f64 {
        let bytes = self.bytes.max(SMALL_BYTES) as f64 * share;
        (bytes - STILLS_BYTES).max(bytes / 2.0) * 8.0 / 1000.0 / self.seconds
    }
}

/// Speech is understood at a third of what music wants.
fn sound_kbps(room: f64) -> u32 {
    match room {
        ..300.0 => 32,
        ..900.0 => 64,
        _ => 96,
    }
}

/// Whether every phone has a decoder for pictures of this size.
pub fn decodes_everywhere(shown: Size) -> bool {
    shown.short() <= LARGEST_PASSED.0 && shown.width.max(shown.height) <= 1920
}

/// Whether a source of this size may show its own pictures, which take so many bits.
pub fn may_pass(shown: Size, picture_kbps: f64) -> bool {
    let short = shown.short();
    let cap = [LARGEST_PASSED].into_iter().chain(RUNGS).find(|(rung, _)| *rung <= short).map_or(0, |(_, kbps)| kbps);
    decodes_everywhere(shown) && picture_kbps <= f64::from(cap) * PASSED_SHARE
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
