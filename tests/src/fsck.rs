//! `weijia fsck` as a test asks it: what it says, for programs.

use serde_json::Value;

use crate::TestServer;

pub struct Fsck {
    /// 0: in order, 1: something is wrong, 2: it could not look.
    pub code: i32,
    pub outcome: Value,
    pub log: String,
}

impl TestServer {
    /// Beside the running server, or without one. `--grace 0` takes everything without a row for an orphan, however
    /// young: for a server at rest.
    pub async fn fsck(&self, arguments: &[&str]) -> Fsck {
        let mut command = self.command(&["fsck", "--json"]);
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("weijia fsck");
        let said = String::from_utf8(output.stdout).expect("text");
        Fsck {
            code: output.status.code().expect("an exit code"),
            outcome: serde_json::from_str(&said).unwrap_or(Value::Null),
            log: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Fsck {
    /// What is wrong, sorted: `["media_missing", "orphan"]`.
    pub fn kinds(&self) -> Vec<&str> {
        let findings = self.outcome["report"]["findings"].as_array().unwrap_or_else(|| panic!("{}", self.log));
        let mut kinds: Vec<&str> = findings.iter().map(|f| f["kind"].as_str().expect("a kind")).collect();
        kinds.sort_unstable();
        kinds
    }

    /// What became of each finding: `["fixed", "lost"]`.
    pub fn became(&self) -> Vec<&str> {
        let repaired = self.outcome["repaired"].as_array().unwrap_or_else(|| panic!("{}", self.log));
        repaired.iter().map(|each| each["mended"].as_str().unwrap_or("failed")).collect()
    }

    #[track_caller]
    pub fn is_clean(&self) {
        assert_eq!(self.code, 0, "{}\n{}", self.outcome, self.log);
    }
}
