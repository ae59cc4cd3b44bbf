//! The real media worker, to be killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use weijia_core::storage::StorageSettings;

use crate::server::{program, signal};

/// A worker with so many hands that what holds some of them leaves others free.
const HANDS: &str = "5";

pub struct WorkerProgram {
    process: Option<Child>,
    folder: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl WorkerProgram {
    /// Not started yet. It keeps its scratch folders and its log in `folder`.
    pub fn new(folder: &Path, database: &str, store: &StorageSettings) -> WorkerProgram {
        let environment = vec![
            ("DATABASE_URL", database.to_owned()),
            ("S3_ENDPOINT", store.endpoint.clone()),
            ("S3_BUCKET", store.bucket.clone()),
            ("AWS_REGION", store.region.clone()),
            ("AWS_ACCESS_KEY_ID", store.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", store.secret_key.clone()),
        ];
        WorkerProgram { process: None, folder: folder.to_owned(), environment }
    }

    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join("worker.log")).expect("a log file");
        let mut command = Command::new(program("weijia-media"));
        command.args(["--concurrency", HANDS, "--threads", "1", "--scratch"]).arg(self.scratch());
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("the worker starts"));
    }

    /// As the power does: no warning, nothing finished.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a signal");
            process.wait().expect("the killed worker");
        }
    }

    /// Asks it to stop, and does not wait.
    pub fn ask_to_stop(&self) {
        self.process.iter().for_each(|process| signal(process.id() as i32, libc::SIGTERM));
    }

    /// Where its work in progress lies.
    pub fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// The end of what it said, for a failing test to show.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("worker.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for WorkerProgram {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the worker's last words ----\n{}", self.log());
        }
        self.kill();
    }
}
