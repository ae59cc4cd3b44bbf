//! A PostgreSQL and a Garage of a test's own, to be killed and started again, and servers side by side on them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weijia_core::storage::{Addressing, StorageSettings};

use crate::TestServer;
use crate::server::{Places, children, signal};

pub struct Cluster {
    folder: tempfile::TempDir,
}

impl Cluster {
    pub fn start() -> Cluster {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // PostgreSQL runs as somebody else, who has to get in.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("an open folder");
        std::fs::write(folder.path().join("secret.key"), hex::encode([7; 32])).expect("a secret");
        let cluster = Cluster { folder };
        cluster.start_postgres();
        cluster.start_garage();
        cluster
    }

    /// One more server on them.
    pub fn serve(&self, arguments: &[&'static str]) -> TestServer {
        TestServer::start_at(self.places(), arguments)
    }

    pub fn places(&self) -> Places {
        let port = read(&self.folder("postgres").join("port"));
        Places {
            database: Some(format!("postgres://postgres@127.0.0.1:{}/postgres", port.trim())),
            store: Some(self.store()),
            secret: Some(self.folder("secret.key")),
        }
    }

    fn store(&self) -> StorageSettings {
        let text = read(&self.folder("garage").join("env"));
        let setting = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
        };
        StorageSettings {
            endpoint: setting("TEST_S3_ENDPOINT"),
            bucket: "weijia".into(),
            region: "us-east-1".into(),
            access_key: setting("TEST_S3_ACCESS_KEY"),
            secret_key: setting("TEST_S3_SECRET_KEY"),
            addressing: Addressing::Path,
        }
    }

    /// Anew, or again with what it had.
    pub fn start_garage(&self) {
        script("garage.sh", &self.folder("garage"));
    }

    pub fn start_postgres(&self) {
        script("postgres.sh", &self.folder("postgres"));
    }

    pub fn kill_garage(&self) {
        kill(&self.folder("garage").join("pid"));
    }

    /// With all its children.
    pub fn kill_postgres(&self) {
        kill(&self.folder("postgres/data").join("postmaster.pid"));
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for file in ["garage/pid", "postgres/data/postmaster.pid"] {
            if self.folder(file).exists() {
                kill(&self.folder(file));
            }
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn script(name: &str, folder: &Path) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts").join(name);
    let run = Command::new(&path).arg("start").arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = run.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(status.success(), "{name} start: {status}");
}

/// The process whose id is the file's first line, and everything below it; returns when they are gone.
fn kill(file: &Path) {
    let pid: i32 = read(file).lines().next().and_then(|line| line.trim().parse().ok()).expect("a process id");
    let mut all = children(pid, "postgres");
    all.push(pid);
    all.iter().for_each(|pid| signal(*pid, libc::SIGKILL));
    let began = Instant::now();
    while all.iter().any(|pid| alive(*pid)) {
        assert!(began.elapsed() < Duration::from_secs(60), "{all:?} do not die");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A zombie, which nobody here can wait for, is dead enough.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
