//! Stretches that are joined to films, against a model: which are let go of and when, whatever becomes of the films that
//! need them, and that nothing is let go of that somebody still needs.

mod compare;
mod model;
mod steps;

use std::ops::Range;

use super::super::*;
use super::compare::Checked;
use super::steps::say;
use super::{Dice, NOW, first_of_slices, shortened};
use crate::access::Principal;
use crate::clip::testing::person;
use crate::db::testing::{folder, sqlite};
use crate::db::{Db, Tx};
use model::Model;
use steps::World;

/// Of one owner; uploads are known by their number, the films behind the stretches.
const STRETCHES: usize = 3;
const UPLOADS: usize = 6;

/// Something that happens. Any step can be left out of a sequence and the rest still makes sense: what speaks of a film
/// that was never begun does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A writer takes an upload over, and its next part is durable.
    Part {
        no: usize,
    },
    /// The store has joined the parts; whoever was at it says so.
    Complete {
        no: usize,
    },
    /// It is refused, by its newest writer or by one before.
    Fail {
        no: usize,
        late: bool,
    },
    Terminate {
        no: usize,
    },
    /// A film is begun from these, in this order, perhaps as a new version of the clip of another film.
    Join {
        film: usize,
        of: Vec<usize>,
        again: Option<usize>,
    },
    /// The clip of this film is taken back.
    Withdraw {
        film: usize,
    },
    /// So many days pass, and the sweep comes by.
    Days {
        days: i64,
    },
}

/// A step, and whether its transaction is lost instead of committed.
type Happening = (Step, bool);

fn roll_step(dice: &mut Dice) -> Step {
    let no = dice.roll(UPLOADS as u64) as usize;
    let film = STRETCHES + dice.roll((UPLOADS - STRETCHES) as u64) as usize;
    match dice.roll(32) {
        0..=8 => Step::Part { no },
        9..=14 => Step::Complete { no },
        15..=16 => Step::Fail { no, late: dice.roll(3) == 0 },
        17..=18 => Step::Terminate { no },
        19..=28 => {
            // Seldom a film instead of a stretch, or an upload of which nobody knows.
            let most = if dice.roll(6) == 0 { UPLOADS + 1 } else { STRETCHES };
            let of = (0..=dice.roll(3)).map(|_| dice.roll(most as u64) as usize).collect();
            let again = (dice.roll(3) == 0).then(|| STRETCHES + dice.roll((UPLOADS - STRETCHES) as u64) as usize);
            Step::Join { film, of, again }
        }
        29 => Step::Withdraw { film },
        _ => Step::Days { days: dice.roll(9) as i64 },
    }
}

/// A way to be wrong, to see that it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// A film that has ended takes its stretches with it, whoever else needs them.
    ReleasedInUse,
    /// A film that has ended keeps its stretches.
    NeverReleased,
    /// The sweep does not ask who still needs a stretch.
    ExpiredInUse,
    /// Its owner may end a stretch although a film needs it.
    EndedInUse,
    /// Completing doesn't look whether it was done.
    CompletedTwice,
    /// Stretches are joined before they are complete.
    JoinedTooEarly,
}

/// A stretch, as a sequence begins: complete already, or still to be sent.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    length: i64,
    is_sent: bool,
}

impl Beginning {
    fn roll(dice: &mut Dice) -> Beginning {
        let length = [0, 1000, 5 << 20, 5 << 20, rules::MIN_PART + 5][dice.roll(5) as usize];
        Beginning { length, is_sent: dice.roll(3) > 0 }
    }
}

/// So many sequences begin with the same stretches, which take as long to send as all that happens to them.
const BEGIN_ALIKE: usize = 10;

async fn run(tx: &mut Tx, owner: &Principal, model: &Model, steps: &[Happening], flaw: Flaw) -> Checked {
    say(tx, "savepoint sequence").await;
    let mut world = World { tx, owner, flaw, now: NOW, model: model.clone() };
    let mut result = Ok(());
    for (n, step) in steps.iter().enumerate() {
        result = world.happen(step).await.map_err(|e| format!("step {}: {e}", n + 1));
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        result = world.compare().await.map_err(|e| format!("in the end: {e}"));
    }
    say(world.tx, "rollback to savepoint sequence").await;
    say(world.tx, "release savepoint sequence").await;
    result
}

async fn first_failure(db: &Db, seeds: Range<u64>, flaw: Flaw) -> Option<String> {
    let mut tx = db.write().await.unwrap();
    let owner = person(&mut tx).await;
    for first in seeds.clone().step_by(BEGIN_ALIKE) {
        say(&mut tx, "savepoint beginning").await;
        let mut dice = Dice::new(first);
        let begin = std::array::from_fn(|_| Beginning::roll(&mut dice));
        let model = steps::begin(&mut tx, &owner, begin).await;
        for seed in first..seeds.end.min(first + BEGIN_ALIKE as u64) {
            let mut dice = Dice::new(seed + 1_000_000);
            let count = 3 + dice.roll(12);
            let steps: Vec<Happening> = (0..count).map(|_| (roll_step(&mut dice), dice.roll(8) == 0)).collect();
            let found = shortened(steps, async |steps| run(&mut tx, &owner, &model, steps, flaw).await).await;
            if let Some((why, steps)) = found {
                return Some(format!("seed {seed}, {begin:?}: {why}\n{steps:#?}"));
            }
        }
        say(&mut tx, "rollback to savepoint beginning").await;
        say(&mut tx, "release savepoint beginning").await;
    }
    None
}

crate::both_databases! {
    ten_thousand_sequences_go_as_the_model_says(db) {
        let seeds = 0..10_000;
        if let Some(failure) = first_of_slices(&db, seeds, |seeds| first_failure(&db, seeds, Flaw::None)).await {
            panic!("{failure}");
        }
    }
}

#[tokio::test]
async fn every_flaw_is_found_in_a_few_steps() {
    let folder = folder();
    let db = sqlite(folder.path()).await;
    for flaw in [
        Flaw::ReleasedInUse,
        Flaw::NeverReleased,
        Flaw::ExpiredInUse,
        Flaw::EndedInUse,
        Flaw::CompletedTwice,
        Flaw::JoinedTooEarly,
    ] {
        let failure = first_of_slices(&db, 0..2000, |seeds| first_failure(&db, seeds, flaw)).await;
        let failure = failure.unwrap_or_else(|| panic!("{flaw:?} was not seen"));
        println!("{flaw:?}: {failure}");
        let steps = failure.matches("    (\n").count();
        assert!((1..=6).contains(&steps), "{flaw:?} took {steps} steps: {failure}");
    }
}
