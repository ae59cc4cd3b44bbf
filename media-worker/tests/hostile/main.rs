//! Files that are no films, that are broken, or that were made to do harm: each is refused for what it is, within five
//! seconds of a processor, in the jail, and touches nothing that is not its own.

mod broken;
mod disguised;
mod films;
#[path = "../kit/mod.rs"]
mod kit;
mod lying;
mod unfit;

use kit::neighbourhood::{Ended, Neighbourhood};

/// What must become of a file.
enum Fate {
    Refused(&'static str),
    /// None of it can be shown: incomplete or damaged.
    Lost,
    Plays,
    /// What of it there is may be shown, or it is refused; it may be no more than that.
    Either,
}

use Fate::{Either, Lost, Plays, Refused};

type Case = (&'static str, Vec<u8>, Fate);

/// All of them one after the other; those that end otherwise than they must are told together.
fn meet(cases: Vec<Case>) {
    let here = Neighbourhood::new();
    let mut wrong = Vec::new();
    for (name, bytes, fate) in &cases {
        let ended = here.judges(name, bytes);
        let right = match (fate, &ended) {
            (Refused(code), Ended::Refused(why)) => code == why,
            (Lost, Ended::Refused(why)) => ["incomplete", "damaged"].contains(&why.as_str()),
            (Plays, Ended::Plays) | (Either, Ended::Plays | Ended::Refused(_)) => true,
            _ => false,
        };
        if !right {
            wrong.push(format!("{name}: {ended:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
