//! The verbs against a model in memory: random sequences of everything that writers, owners, time and crashes can do to
//! an upload. A sequence that fails is shortened as far as it still fails, and printed with its seed.
//!
//! Every sequence runs in a transaction that is rolled back in the end, so the database stays small; a commit that is
//! lost is a rollback to a savepoint.

mod compare;
mod joining;
mod model;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;

use super::rules;
use super::sql::*;
use super::*;
use crate::clip::create::{self, Draft};
use crate::clip::testing::person;
use crate::db::testing::{folder, sqlite};
use crate::db::{Db, Tx};
use compare::Checked;
use model::Model;
use steps::{Run, say};

const NOW: At = At(1_000_000_000);
const MOST: i64 = 2 << 30;
const WRITERS: usize = 3;

/// Something that happens. Numbers are chosen before it is known what they mean, so any step can be left out of a
/// sequence and the rest still makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A client asks where to go on, and this writer becomes the newest.
    TakeOver {
        writer: usize,
    },
    /// It also says how long the file is: so much more than is there.
    Declare {
        writer: usize,
        more: i64,
    },
    /// One of the parts that the writer has in flight is durable; `ahead` ones before it are not.
    Part {
        writer: usize,
        ahead: i64,
    },
    /// The answer to the last part was lost, so it is recorded again.
    PartAgain {
        writer: usize,
    },
    /// A piece of the part that is still growing, `ahead` parts too far when those before it failed.
    Tail {
        writer: usize,
        ahead: i64,
        len: i64,
    },
    /// The answer to the last piece was lost, so it is recorded again.
    TailAgain {
        writer: usize,
    },
    /// The store has joined the parts; the newest writer or the reconciler says so.
    Complete,
    /// The file is refused, by this writer.
    Fail {
        writer: usize,
    },
    Terminate,
    /// So many days pass, and the sweep comes by.
    Expire {
        days: i64,
    },
}

/// A step, and whether its transaction is lost instead of committed.
type Happening = (Step, bool);

struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn step(&mut self) -> Step {
        let writer = self.roll(WRITERS as u64) as usize;
        let ahead = [0, 0, 0, 1, 2][self.roll(5) as usize];
        match self.roll(32) {
            0..=6 => Step::TakeOver { writer },
            7..=8 => Step::Declare { writer, more: self.roll(3) as i64 * rules::MIN_PART + self.roll(2) as i64 * 77 },
            9..=18 => Step::Part { writer, ahead },
            19 => Step::PartAgain { writer },
            20..=24 => Step::Tail { writer, ahead, len: 1 + self.roll(3_000_000) as i64 },
            25 => Step::TailAgain { writer },
            26..=28 => Step::Complete,
            29 => Step::Fail { writer },
            30 => Step::Terminate,
            _ => Step::Expire { days: self.roll(9) as i64 },
        }
    }
}

/// A way to be wrong, to see that it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Nobody looks at the epoch.
    NoEpoch,
    /// The offset is the sum of what is there, gaps or not.
    SumOfParts,
    /// What a takeover finds beyond the offset stays.
    NothingForgotten,
    /// Completing doesn't look whether it was done.
    CompletedTwice,
}

/// An upload, as its sequence begins.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    kind: Kind,
    length: Option<i64>,
}

impl Beginning {
    fn roll(dice: &mut Dice) -> Beginning {
        let kind = if dice.roll(4) == 0 { Kind::Partial } else { Kind::Whole };
        let length = match dice.roll(6) {
            0 => None,
            1 => Some(1 + dice.roll(rules::MIN_PART as u64) as i64),
            n => Some((n as i64 - 1) * rules::MIN_PART + [0, 5][dice.roll(2) as usize]),
        };
        Beginning { kind, length }
    }
}

async fn run(
    tx: &mut Tx,
    owner: &UserId,
    made: &create::Created,
    begin: Beginning,
    steps: &[Happening],
    flaw: Flaw,
) -> Checked {
    say(tx, "savepoint sequence").await;
    let purpose = match begin.kind {
        Kind::Partial => Purpose::Partial,
        _ => Purpose::Whole { clip: &made.clip, version: &made.version },
    };
    let new = NewUpload { owner, purpose, length: begin.length, most: MOST, metadata: "", idempotency_key: None };
    let upload = create(tx, NOW, new).await.unwrap();
    let model = Model {
        state: State::Open,
        epoch: 0,
        length: begin.length,
        part_size: upload.part_size,
        expires_at: NOW + EXPIRES_AFTER,
        key: None,
        parts: BTreeMap::new(),
        tails: BTreeMap::new(),
        trash: BTreeSet::new(),
        told: 0,
    };
    let (id, views) = (upload.id, vec![None; WRITERS]);
    let mut run = Run { tx, flaw, id, kind: begin.kind, now: NOW, model, views, pieces_made: 0 };
    let mut result = Ok(());
    for (n, step) in steps.iter().enumerate() {
        result = run.happen(*step).await.map_err(|e| format!("step {}: {e}", n + 1));
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        result = run.compare().await.map_err(|e| format!("in the end: {e}"));
    }
    say(run.tx, "rollback to savepoint sequence").await;
    say(run.tx, "release savepoint sequence").await;
    result
}

/// The first sequence that fails, as short as it gets.
async fn first_failure(db: &Db, seeds: std::ops::Range<u64>, flaw: Flaw) -> Option<String> {
    let mut tx = db.write().await.unwrap();
    let owner = person(&mut tx).await;
    let draft = Draft { filename: "a.mp4", content_type: "video/mp4", bytes: 1, ..Default::default() };
    let made = create::create(&mut tx, NOW, &owner, &draft).await.unwrap();
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let begin = Beginning::roll(&mut dice);
        let count = 4 + dice.roll(16);
        let steps: Vec<Happening> = (0..count).map(|_| (dice.step(), dice.roll(8) == 0)).collect();
        let found = shortened(steps, async |steps| run(&mut tx, &owner.user, &made, begin, steps, flaw).await).await;
        if let Some((why, steps)) = found {
            return Some(format!("seed {seed}, {begin:?}: {why}\n{steps:#?}"));
        }
    }
    None
}

/// Why a sequence fails, and what is left of it without the steps that it fails without.
async fn shortened<S: Clone>(mut steps: Vec<S>, mut run: impl AsyncFnMut(&[S]) -> Checked) -> Option<(String, Vec<S>)> {
    let mut why = run(&steps).await.err()?;
    let mut at = 0;
    while at < steps.len() {
        let mut shorter = steps.clone();
        shorter.remove(at);
        match run(&shorter).await {
            Err(still) => (steps, why) = (shorter, still),
            Ok(()) => at += 1,
        }
    }
    Some((why, steps))
}

/// The seeds in as many transactions, some at once where the database lets them.
async fn first_of_slices<F: Future<Output = Option<String>>>(
    db: &Db,
    seeds: std::ops::Range<u64>,
    first_failure: impl Fn(std::ops::Range<u64>) -> F,
) -> Option<String> {
    // What all people share is there before, else who makes it keeps the others waiting to the end.
    let mut tx = db.write().await.unwrap();
    person(&mut tx).await;
    tx.commit().await.unwrap();
    let slices = seeds.clone().step_by(250).map(|from| first_failure(from..seeds.end.min(from + 250)));
    // SQLite has one writer, and who waits for it gives up after a while.
    let at_once = if matches!(db, Db::Sqlite { .. }) { 1 } else { 4 };
    let mut found = futures_util::stream::iter(slices).buffer_unordered(at_once);
    while let Some(failure) = found.next().await {
        if failure.is_some() {
            return failure;
        }
    }
    None
}

crate::both_databases! {
    ten_thousand_sequences_go_as_the_model_says(db) {
        if let Some(failure) = first_of_slices(&db, 0..10_000, |seeds| first_failure(&db, seeds, Flaw::None)).await {
            panic!("{failure}");
        }
    }
}

/// The model would see it: each of these has been a real fault of a real server.
#[tokio::test]
async fn every_flaw_is_found_in_a_few_steps() {
    let folder = folder();
    let db = sqlite(folder.path()).await;
    for flaw in [Flaw::NoEpoch, Flaw::SumOfParts, Flaw::NothingForgotten, Flaw::CompletedTwice] {
        let failure = first_of_slices(&db, 0..2000, |seeds| first_failure(&db, seeds, flaw)).await;
        let failure = failure.unwrap_or_else(|| panic!("{flaw:?} was not seen"));
        println!("{flaw:?}: {failure}");
        let steps = failure.matches("    (\n").count();
        assert!((1..=8).contains(&steps), "{flaw:?} took {steps} steps: {failure}");
    }
}
