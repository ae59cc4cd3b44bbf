//! Keeps a local `weijia-media` running: strangers' bytes and C code stay out of this process.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use weijia_core::storage::{Addressing, StorageSettings};

pub struct LocalWorker {
    pub program: PathBuf,
    pub database_url: String,
    pub store: StorageSettings,
    pub scratch: PathBuf,
    pub log_json: bool,
}

impl LocalWorker {
    /// `weijia-media` beside this program.
    pub fn program() -> Result<PathBuf, String> {
        let own = std::env::current_exe().map_err(|e| format!("找不到自己的位置：{e}"))?;
        let program = own.with_file_name("weijia-media");
        if program.is_file() {
            Ok(program)
        } else {
            Err(format!(
                "旁边没有 weijia-media（{}）。把两个程序放在一起，或加 --no-worker 让别的机器处理片子。",
                program.display()
            ))
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .arg("--parent-watch")
            .arg("--scratch")
            .arg(&self.scratch)
            .args(self.log_json.then_some("--log-json"))
            .env("DATABASE_URL", &self.database_url)
            .env("S3_ENDPOINT", &self.store.endpoint)
            .env("S3_BUCKET", &self.store.bucket)
            .env("S3_ADDRESSING", if self.store.addressing == Addressing::Virtual { "virtual" } else { "path" })
            .env("AWS_REGION", &self.store.region)
            .env("AWS_ACCESS_KEY_ID", &self.store.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.store.secret_key)
            // It ends when this pipe closes, so it never outlives us, however we die.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command.spawn()
    }

    /// Runs it, and again when it ends, until `stopping`; then asks it to hand its lease back and waits.
    pub async fn keep_running(self, stopping: CancellationToken) {
        let mut pause = Duration::from_millis(200);
        while !stopping.is_cancelled() {
            let started = std::time::Instant::now();
            match self.start() {
                Ok(mut child) => {
                    // Waiting would close it, and the worker would take that for our death.
                    let _lifeline = child.stdin.take();
                    tokio::select! {
                        status = child.wait() => tracing::warn!(?status, "weijia-media ended, starting it again"),
                        () = stopping.cancelled() => return end(child).await,
                    }
                }
                Err(error) => tracing::error!(%error, program = %self.program.display(), "weijia-media does not start"),
            }
            pause = if started.elapsed() > Duration::from_secs(30) {
                Duration::from_millis(200)
            } else {
                (pause * 2).min(Duration::from_secs(10))
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stopping.cancelled() => {}
            }
        }
    }
}

async fn end(mut child: Child) {
    if let Some(pid) = child.id() {
        let pid = rustix::process::Pid::from_raw(pid as i32);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
    if tokio::time::timeout(Duration::from_secs(6), child.wait()).await.is_err() {
        tracing::warn!("weijia-media did not end in time; its lease will run out by itself");
        let _ = child.kill().await;
    }
}
