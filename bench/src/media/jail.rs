//! What the jail costs: the same clip inside and outside of it, in turn.

use super::clips::Clips;
use super::job::{self, Walls};
use crate::report::{Findings, median};
use crate::{Options, Outcome};

pub fn jail(options: &Options) -> Outcome<Findings> {
    let clips = Clips::new()?;
    let clip = clips.phone()?;
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let mut turns = [Walls::Jailed, Walls::Unjailed];
        turns.rotate_left(round % 2);
        for walls in turns {
            let wall_s = job::all(&clip, walls)?.cost.wall_s;
            eprintln!("jail, round {round}: {walls:?} {wall_s:.2} s");
            if walls == Walls::Jailed { inside.push(wall_s) } else { outside.push(wall_s) }
        }
    }
    let mut found = Findings::default();
    let ratios = inside.iter().zip(&outside).map(|(inside, outside)| inside / outside);
    found.value("jail_wall", median(ratios).ok_or("no round".into()));
    found.sample("phone clip, jailed: wall", "s", inside.into_iter());
    found.sample("phone clip, not jailed: wall", "s", outside.into_iter());
    Ok(found)
}
