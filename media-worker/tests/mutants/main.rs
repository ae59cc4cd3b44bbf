//! Films with a few bytes otherwise, as cards, networks and strangers change them. Whatever the bytes, the child comes to
//! an end that has a name, within its limits. `MUTANTS=10000` makes so many, `MUTANTS_SEED=…` makes the same ones again.

#[path = "../kit/mod.rs"]
mod kit;
mod mutate;

use std::collections::BTreeMap;
use std::sync::Mutex;

use kit::neighbourhood::{Ended, Neighbourhood};
use mutate::{mutant, seeds};

/// Few enough for every day.
const FEW: u64 = 120;
const FIRST_SEED: u64 = 1;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

#[test]
fn every_mutant_comes_to_an_end_that_has_a_name() {
    meet(setting("MUTANTS_SEED").unwrap_or(FIRST_SEED), setting("MUTANTS").unwrap_or(FEW));
}

#[test]
#[ignore = "make test-scale runs it, and make torture with more"]
fn thousands_of_mutants_come_to_ends_that_have_names() {
    // Others than those of every day.
    meet(setting("MUTANTS_SEED").unwrap_or(FIRST_SEED + FEW), setting("MUTANTS").unwrap_or(2_000));
}

/// Two at a time; each is made by a seed of its own.
fn meet(first: u64, many: u64) {
    let films = seeds();
    let next = Mutex::new(first..first + many);
    let (tally, wrong) = (Mutex::new(BTreeMap::<String, u64>::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let here = Neighbourhood::new();
                loop {
                    let seed = next.lock().unwrap().next();
                    let Some(seed) = seed else { break };
                    let (how, bytes) = mutant(&films, seed);
                    let ended = here.judges(&how, &bytes);
                    let name = match &ended {
                        Ended::Plays => "playable".to_owned(),
                        Ended::Refused(code) => format!("refused: {code}"),
                        Ended::Failed(_) => "the child failed, and said why".to_owned(),
                        Ended::Killed(_) | Ended::Unclear(_) => {
                            let file = std::env::temp_dir().join(format!("mutant-{seed}"));
                            std::fs::write(&file, &bytes).unwrap();
                            let told = format!("MUTANTS_SEED={seed} MUTANTS=1 ({how}, {}): {ended:?}", file.display());
                            wrong.lock().unwrap().push(told);
                            "wrong".to_owned()
                        }
                    };
                    if let Ended::Failed(words) = &ended {
                        println!("MUTANTS_SEED={seed} MUTANTS=1 ({how}): {words}");
                    }
                    *tally.lock().unwrap().entry(name).or_default() += 1;
                }
            });
        }
    });
    let (tally, wrong) = (tally.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!("{many} mutants from MUTANTS_SEED={first}: {tally:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(many < FEW || (tally.contains_key("playable") && tally.len() > 2), "they are all alike: {tally:?}");
}

#[test]
fn the_same_seed_makes_the_same_mutant_and_another_another() {
    let films = seeds();
    assert_eq!(mutant(&films, 7), mutant(&films, 7));
    let different: std::collections::HashSet<Vec<u8>> = (0..50).map(|seed| mutant(&films, seed).1).collect();
    assert!(different.len() > 45, "{}", different.len());
}
