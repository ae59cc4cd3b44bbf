//! What is proven by tests and only counted here: how many of them failed.

use std::path::Path;

use tokio::process::Command;

use crate::report::Findings;
use crate::{Options, Outcome};

struct Proof<'a> {
    row: &'static str,
    test: &'static str,
    /// What follows `cargo test … --`.
    which: &'a [&'a str],
}

pub async fn proofs(options: &Options) -> Outcome<Findings> {
    let kills: &[&str] =
        if options.quick { &["acknowledged_writes"] } else { &["torture_two_hundred_kills", "--include-ignored"] };
    let proofs = [
        Proof { row: "faulty_uploads", test: "faults", which: &["two_hundred_uploads"] },
        Proof { row: "embedded_store_probe", test: "store", which: &["probe::"] },
        Proof { row: "embedded_store_race", test: "store", which: &["conditions::of_sixteen"] },
        Proof { row: "embedded_store_kills", test: "store", which: kills },
    ];
    let mut found = Findings::default();
    for proof in proofs {
        let outcome = run(&proof).await;
        let passed = outcome.as_ref().map_or(0, |(passed, _)| *passed);
        found.sample(format!("{}: tests passed", proof.row), "", [f64::from(passed)].into_iter());
        found.value(proof.row, outcome.map(|(_, failed)| f64::from(failed)));
    }
    Ok(found)
}

/// How many passed, and how many failed.
async fn run(proof: &Proof<'_>) -> Outcome<(u32, u32)> {
    let mut command = Command::new("cargo");
    command.args(["test", "--locked", "--workspace", "--no-fail-fast", "--test", proof.test, "--"]).args(proof.which);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let output = command.output().await.map_err(|e| format!("cargo: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let (mut passed, mut failed) = (0, 0);
    for line in said.lines().filter(|line| line.starts_with("test result:")) {
        let before = |word: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|w| w.trim_end_matches(';') == word)?;
            words.get(at.checked_sub(1)?)?.parse::<u32>().ok()
        };
        passed += before("passed").unwrap_or(0);
        failed += before("failed").unwrap_or(0);
    }
    if failed > 0 {
        println!("{}:\n{said}", proof.row);
    }
    if passed + failed == 0 {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("no test ran: {}", why.lines().last().unwrap_or_default()));
    }
    Ok((passed, failed))
}
