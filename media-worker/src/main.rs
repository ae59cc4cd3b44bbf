//! The media worker: takes jobs, opens strangers' films in a jail, and publishes what it makes of them.

mod boxes;
mod child;
mod encode;
mod ffi;
mod gate;
mod graph;
mod jail;
mod matroska;
mod package;
mod pipeline;
mod plan;
mod probe;
mod protocol;
mod signals;
mod thumbnail;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// One job on one file, jailed: what the worker starts for each job.
    Job {
        #[arg(long)]
        spec: PathBuf,
        #[arg(long)]
        unjailed: bool,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Some(Command::Job { spec, unjailed }) => child::main(&spec, unjailed),
        None => ExitCode::FAILURE,
    }
}
