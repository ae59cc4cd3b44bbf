//! The media worker: takes jobs, opens strangers' films in a jail, and publishes what it makes of them.
//!
//! One program, two lives. As the worker it speaks to database and store and touches no film; as the child
//! (`job`) it touches one film and can speak to nobody. See `protocol` for what passes between the two.

mod avc;
mod boxes;
mod captions;
mod check;
mod child;
mod damage;
mod encode;
mod ffi;
mod film;
mod flv;
mod gate;
mod graph;
mod jail;
mod joints;
mod matroska;
mod package;
mod passthrough;
mod pipeline;
mod plan;
mod press;
mod probe;
mod protocol;
mod sample;
mod scratch;
mod settings;
mod signals;
mod supervise;
mod thumbnail;
mod vet;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use weijia_core::db::Db;
use weijia_core::job::Lane;
use weijia_core::storage::Storage;

use scratch::Scratch;
use settings::{Command, Settings};
use supervise::Supervisor;
use worker::Worker;

/// From the signal to the end, at most.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let settings = Settings::parse();
    match &settings.command {
        // The jail must be closed before there is a second thread, so no runtime here.
        Some(Command::Job { spec, unjailed }) => return child::main(spec, *unjailed),
        Some(Command::Sample { file }) => {
            return match sample::write(file) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => complain(&error.to_string()),
            };
        }
        None => {}
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.to_string()),
    };
    // The loops stay on this thread; leases are renewed on the runtime's own.
    let local = tokio::task::LocalSet::new();
    let life = async { if settings.check { check(&settings).await } else { serve(&settings).await } };
    let outcome = runtime.block_on(local.run_until(life));
    // A download or an upload that hangs may not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => complain(&words),
    }
}

fn complain(words: &str) -> ExitCode {
    eprintln!("weijia-media: {words}");
    ExitCode::FAILURE
}

fn supervisor(settings: &Settings) -> Result<Supervisor, String> {
    let program = std::env::current_exe().map_err(|e| format!("找不到自己这个程序：{e}"))?;
    Ok(Supervisor::new(program, settings.unjailed, settings.threads()))
}

async fn check(settings: &Settings) -> Result<(), String> {
    let scratch = own_scratch(settings)?;
    let folder = scratch.for_job("check", 0).map_err(|e| e.to_string())?;
    println!("{}", check::report(&supervisor(settings)?, &folder).await);
    Ok(())
}

fn own_scratch(settings: &Settings) -> Result<Scratch, String> {
    let root = settings.scratch_folder();
    Scratch::take(&root)
        .map_err(|e| format!("临时文件夹 {} 用不了：{e}。换一个（--scratch），或看看权限和磁盘。", root.display()))
}

async fn serve(settings: &Settings) -> Result<(), String> {
    settings.log();
    let stopping = CancellationToken::new();
    stop_on_signals(&stopping).map_err(|e| e.to_string())?;
    if settings.parent_watch {
        stop_with_parent(stopping.clone());
    }
    let url = settings.database_url()?;
    let db =
        Db::connect(url).await.map_err(|e| format!("DATABASE_URL 指的数据库连不上：{e}。看看地址，或它开着没有。"))?;
    let storage = Storage::connect(&settings.store()?);
    let name = format!("{}/{}", hostname(), std::process::id());
    let worker =
        Worker { db: db.clone(), storage, supervisor: supervisor(settings)?, scratch: own_scratch(settings)?, name };
    let worker = Arc::new(worker);
    if settings.unjailed {
        tracing::warn!("--unjailed: strangers' films are opened without a jail");
    } else {
        look_at_the_jail(&worker).await?;
    }
    tracing::info!(worker = %worker.name, jobs = settings.concurrency, "ready");
    let loops: Vec<_> = (0..settings.concurrency.max(1))
        .flat_map(|_| Lane::ALL)
        .map(|lane| tokio::task::spawn_local(worker.clone().run(lane, stopping.clone())))
        .collect();
    stopping.cancelled().await;
    tracing::info!("ending: jobs are handed back");
    let all = async {
        for one in loops {
            let _ = one.await;
        }
    };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("a job was not handed back in time; its lease will run out");
    }
    db.close().await;
    Ok(())
}

/// Without a jail that holds, every child would refuse its film, and good clips would be given up for that.
async fn look_at_the_jail(worker: &Worker) -> Result<(), String> {
    let folder = worker.scratch.for_job("jail", 0).map_err(|e| format!("临时文件夹里写不了东西：{e}。看看磁盘。"))?;
    let report = check::report(&worker.supervisor, &folder).await;
    let _ = std::fs::remove_dir_all(&folder);
    holds(report["jail"].as_object().unwrap_or(&serde_json::Map::new()))
}

fn holds(found: &serde_json::Map<String, serde_json::Value>) -> Result<(), String> {
    let open: Vec<&str> = found.iter().filter(|(_, refused)| *refused != true).map(|(name, _)| name.as_str()).collect();
    if !found.is_empty() && open.is_empty() {
        return Ok(());
    }
    Err(format!(
        "这台机器上的隔离不牢靠，所以不开工（{}）。内核要 5.13 以上，并打开 landlock 和 seccomp；片子都信得过的话，可以加 --unjailed。",
        if open.is_empty() { "自检没有结果".to_owned() } else { open.join("；") }
    ))
}

fn stop_on_signals(stopping: &CancellationToken) -> std::io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let stopping = stopping.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stopping.cancel();
        });
    }
    Ok(())
}

/// Standard input is a pipe that the parent holds: it closes when the parent is gone, however it went.
fn stop_with_parent(stopping: CancellationToken) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        stopping.cancel();
    });
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "worker".into(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_work_begins_where_the_jail_does_not_hold() {
        let found = |of: &[(&str, bool)]| of.iter().map(|(name, held)| ((*name).to_owned(), (*held).into())).collect();
        assert!(super::holds(&found(&[("connect", true), ("fork", true)])).is_ok());
        assert!(super::holds(&found(&[])).is_err());
        let words = super::holds(&found(&[("connect", true), ("fork", false)])).unwrap_err();
        assert!(words.contains("（fork）") && words.contains("--unjailed"), "{words}");
    }
}
