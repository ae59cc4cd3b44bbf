//! `make bench`: what the platform promises in figures, measured.
//!
//! `weijia-bench upload` measures the bar of uploads and storage (`bar.rs`): our server, the reference (@tus/server with
//! @tus/s3-store) and the SDK alone, in turn, on the same Garage. What is compared is restarted for every round; the
//! value of a row is computed from medians. The table goes to stdout, the same as JSON to `target/bench/upload.json`.

mod bar;
mod embedded;
mod flaky;
mod garage;
mod paced;
mod payload;
mod process;
mod proofs;
mod report;
mod resume;
mod slow;
mod throughput;
mod tus;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bar::{BAR, Scenario};
use clap::{Parser, Subcommand, ValueEnum as _};
use report::{Findings, Report};

pub type Outcome<T> = Result<T, String>;
pub const MIB: f64 = (1 << 20) as f64;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// 上传和存储
    Upload {
        /// 只测这几样；不写就全测
        scenarios: Vec<Scenario>,
    },
    /// 自带的对象存储，单独一个进程
    #[command(hide = true)]
    Store { folder: PathBuf },
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub rounds: usize,
    pub quick: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    weijia_core::allocator::give_back_large_pieces();
    match Cli::parse().command {
        Command::Upload { scenarios } if scenarios.is_empty() => upload(Scenario::value_variants()).await,
        Command::Upload { scenarios } => upload(&scenarios).await,
        Command::Store { folder } => match embedded::serve(&folder).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("weijia-bench: {why}");
                ExitCode::FAILURE
            }
        },
    }
}

async fn upload(scenarios: &[Scenario]) -> ExitCode {
    let quick = std::env::var("BENCH_QUICK").is_ok_and(|value| !value.is_empty() && value != "0");
    let options = Options { rounds: if quick { 1 } else { 5 }, quick };
    let mut findings = Vec::new();
    // Speed is measured alone; what takes long because it is slow on purpose runs side by side.
    let (alone, together): (Vec<Scenario>, Vec<Scenario>) =
        scenarios.iter().partition(|s| !matches!(s, Scenario::Slow | Scenario::Resume | Scenario::Flaky));
    for scenario in alone {
        findings.push(measure(scenario, options).await);
    }
    findings.extend(futures_util::future::join_all(together.into_iter().map(|s| measure(s, options))).await);
    let report = Report::new(scenarios, findings);
    report.print();
    let path = results();
    if let Err(why) = report.write(&path) {
        eprintln!("weijia-bench: {}: {why}", path.display());
        return ExitCode::FAILURE;
    }
    // A missed goal is a result; a row without a value is a failure.
    if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// In a task of its own: one that fails, or panics, costs its own rows and no others.
async fn measure(scenario: Scenario, options: Options) -> Findings {
    let measuring = tokio::spawn(async move {
        match scenario {
            Scenario::Large => throughput::large(&options).await,
            Scenario::Many => throughput::many(&options).await,
            Scenario::Slow => slow::slow(&options).await,
            Scenario::Resume => resume::resume(&options).await,
            Scenario::Flaky => flaky::flaky(&options).await,
            Scenario::Embedded => embedded::embedded(&options).await,
            Scenario::Proofs => proofs::proofs(&options).await,
        }
    });
    let outcome = measuring.await.unwrap_or_else(|e| Err(e.to_string()));
    outcome.unwrap_or_else(|why| {
        eprintln!("{scenario:?} failed: {why}");
        let rows = BAR.iter().filter(|row| row.from == scenario);
        Findings { values: rows.map(|row| (row.name, Err(why.clone()))).collect(), samples: Vec::new() }
    })
}

/// `target/bench/upload.json`, beside the programs.
fn results() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).unwrap_or(Path::new("target")).join("bench/upload.json")
}
