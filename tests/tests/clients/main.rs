//! Clients that nobody here wrote: of tus against the real server, of S3 against the store that it carries, or on the
//! cluster of `make test-scale`. Each says in a ledger what it has sent; what is kept is compared with that.

mod arrivals;
mod awscli;
mod curl;
mod rclone;
mod s3;
mod tus;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use arrivals::Arrivals;

/// tests/clients; `make test` installs there what these tests drive. Where `CI` is set its absence is a failure.
pub fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let there = ["node_modules", "python"].iter().all(|part| folder.join(part).exists());
    assert!(there || std::env::var_os("CI").is_none(), "CI needs `scripts/build.sh test`, which installs the clients");
    there.then_some(folder)
}

/// A browser's path, as `make test` names it.
pub fn chromium() -> String {
    std::env::var("WEIJIA_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned())
}

/// Everything is on this machine, whatever proxy its environment names. Some read the one name, some the other.
pub fn direct(command: &mut Command) -> &mut Command {
    command.env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost")
}

pub fn node(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=spec", script]).current_dir(folder);
    command
}

pub fn python(folder: &Path, script: &str) -> Command {
    let mut command = Command::new(folder.join("python/bin/python"));
    command
        .args(["-W", "ignore::ResourceWarning", "-m", "unittest", "-v", script])
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs it to its end, beside what this test serves it.
pub async fn succeeds(mut command: Command) {
    let shown = format!("{:?}", command.get_args().collect::<Vec<_>>());
    let status = tokio::task::spawn_blocking(move || command.status()).await.expect("it was started");
    assert!(status.expect("the client is installed").success(), "{shown} failed; its report is above");
}
