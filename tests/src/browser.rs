//! Chromium, driven by the scripts in `tests/browser/`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::TestServer;

/// `WEIJIA_CHROMIUM` (which `make test` sets) names the browser; where `CI` is set its absence is a failure, not a skip.
pub fn chromium() -> Option<String> {
    let browser = std::env::var("WEIJIA_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if Path::new(&browser).exists() && folder().join("node_modules").exists() {
        return Some(browser);
    }
    assert!(std::env::var_os("CI").is_none(), "CI needs {browser} and `npm ci` in tests/browser");
    None
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}

/// Runs one of the scripts against a server; `given` is its environment besides.
pub fn run(
    browser: &str,
    script: &str,
    server: &TestServer,
    people: &Value,
    given: &[(&str, String)],
) -> JoinHandle<ExitStatus> {
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", script]).current_dir(folder());
    node.env("WEIJIA_URL", &server.base).env("WEIJIA_PEOPLE", people.to_string()).env("WEIJIA_CHROMIUM", browser);
    node.envs(given.iter().map(|(name, value)| (name, value)));
    tokio::task::spawn_blocking(move || node.status().expect("node is installed"))
}
