//! `make bench`: what the platform promises in figures, measured next to what others do on the same machine.
//!
//! `weijia-bench upload` measures the bar of uploads and storage (`upload/bar.rs`), `weijia-bench media` that of the media
//! worker (`media/bar.rs`). The table goes to stdout, the same as JSON to `target/bench/upload.json` and `media.json`.

mod bar;
mod media;
mod process;
mod report;
mod upload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bar::Scenario;
use clap::{Parser, Subcommand};
use media::MediaScenario;
use report::{Findings, Report};
use upload::UploadScenario;

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
        scenarios: Vec<UploadScenario>,
    },
    /// 转码
    Media {
        /// 只测这几样；不写就全测
        scenarios: Vec<MediaScenario>,
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
    let outcome = match Cli::parse().command {
        Command::Upload { scenarios } => bench(scenarios).await,
        Command::Media { scenarios } => bench(scenarios).await,
        Command::Store { folder } => upload::embedded::serve(&folder).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("weijia-bench: {why}");
            ExitCode::FAILURE
        }
    }
}

/// All scenarios where none is named.
async fn bench<S: Scenario>(mut scenarios: Vec<S>) -> Outcome<()> {
    if scenarios.is_empty() {
        scenarios = S::value_variants().to_vec();
    }
    let quick = std::env::var("BENCH_QUICK").is_ok_and(|value| !value.is_empty() && value != "0");
    let options = Options { rounds: if quick { 1 } else { 5 }, quick };
    let mut findings = Vec::new();
    // Speed is measured alone.
    let (together, alone): (Vec<S>, Vec<S>) = scenarios.iter().partition(|scenario| scenario.is_slow_on_purpose());
    for scenario in alone {
        findings.push(measure(scenario, options).await);
    }
    findings.extend(futures_util::future::join_all(together.into_iter().map(|s| measure(s, options))).await);
    let report = Report::new(&scenarios, findings);
    report.print();
    let path = results(S::NAME);
    report.write(&path).map_err(|why| format!("{}: {why}", path.display()))?;
    // A missed goal is a result; a row without a value is a failure.
    if report.is_complete() { Ok(()) } else { Err("not every row has a value".into()) }
}

/// In a task of its own: one that fails, or panics, costs its own rows and no others.
async fn measure<S: Scenario>(scenario: S, options: Options) -> Findings {
    let measuring = tokio::spawn(scenario.measure(options));
    let outcome = measuring.await.unwrap_or_else(|e| Err(e.to_string()));
    outcome.unwrap_or_else(|why| {
        eprintln!("{scenario:?} failed: {why}");
        let rows = S::BAR.iter().filter(|row| row.from == scenario);
        Findings { values: rows.map(|row| (row.name, Err(why.clone()))).collect(), samples: Vec::new() }
    })
}

/// `target/bench/<name>.json`, beside the programs.
fn results(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).unwrap_or(Path::new("target")).join("bench").join(name).with_extension("json")
}
