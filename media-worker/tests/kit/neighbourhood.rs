//! What lies beside a scratch folder and must not be touched, and what becomes of a file that is opened there.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::PROGRAM;

const SECRET: &[u8] = b"a neighbour's";

/// A listener that nobody may reach, and a file beside the scratch folder that nobody may touch.
pub struct Neighbourhood {
    listener: TcpListener,
    folder: tempfile::TempDir,
}

/// How a job on a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Plays,
    Refused(String),
    /// It ended by itself and says why.
    Failed(String),
    /// A signal ended it: a crash, or a limit that it ran into.
    Killed(String),
    /// It ended as if all were well, and gave no answer.
    Unclear(String),
}

impl Neighbourhood {
    pub fn new() -> Neighbourhood {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("neighbour"), SECRET).unwrap();
        Neighbourhood { listener, folder }
    }

    pub fn address(&self) -> String {
        format!("http://{}/x.ts", self.listener.local_addr().unwrap())
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("neighbour")
    }

    pub fn scratch(&self) -> PathBuf {
        let scratch = self.folder.path().join("scratch");
        let _ = std::fs::create_dir(&scratch);
        scratch
    }

    /// Runs the real child on these bytes and looks at what came of it: nothing of the neighbour's in what it made, and
    /// no call.
    pub fn survives(&self, what: &str, bytes: &[u8]) -> String {
        let scratch = self.scratch();
        std::fs::write(scratch.join("source"), bytes).unwrap();
        let mut said = String::new();
        for task in ["prepare", "ladder", "other_rungs"] {
            said += &child(&scratch, task).1;
        }
        self.is_untouched(what);
        said
    }

    /// The same, and how the jobs on it ended that a worker would give it: one after the other, as long as all is well.
    pub fn judges(&self, what: &str, bytes: &[u8]) -> Ended {
        let scratch = self.scratch();
        std::fs::remove_dir_all(&scratch).unwrap();
        let scratch = self.scratch();
        std::fs::write(scratch.join("source"), bytes).unwrap();
        let (mut ended, mut next) = (Ended::Plays, Some("prepare".to_owned()));
        while let Some(task) = next {
            let (status, said, words) = child(&scratch, &task);
            ended = how_it_ended(status, &said, &words);
            next = if ended == Ended::Plays { left(&said) } else { None };
        }
        self.is_untouched(what);
        ended
    }

    fn is_untouched(&self, what: &str) {
        assert!(self.listener.accept().is_err(), "{what}: it called home");
        assert_eq!(std::fs::read(self.file()).unwrap(), SECRET, "{what}");
        let beside: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(beside.len(), 2, "{what}: {beside:?}");
    }
}

/// The task that is left for another job.
fn left(said: &str) -> Option<String> {
    let last: Value = serde_json::from_str(said.lines().last()?).ok()?;
    last["left"].as_str().map(str::to_owned)
}

/// As the supervisor sees it.
fn how_it_ended(status: ExitStatus, said: &str, words: &str) -> Ended {
    let events: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let done = events.last().is_some_and(|e| e["event"] == "done");
    let refusal = events.iter().find(|e| e["event"] == "refused").and_then(|e| e["code"].as_str());
    let made = events.iter().any(|e| ["mp4", "complete", "storyboard"].iter().any(|made| e["event"] == *made));
    match (status.code(), refusal) {
        (None, _) => Ended::Killed(format!("{status}: {words}")),
        (Some(0), Some(code)) if done && !made => Ended::Refused(code.to_owned()),
        (Some(0), None) if done && made => Ended::Plays,
        (Some(0), _) => Ended::Unclear(said.to_owned()),
        _ if words.is_empty() => Ended::Unclear(format!("{status}, and no word")),
        _ => Ended::Failed(words.to_owned()),
    }
}

/// Five seconds of a processor are what it may take to judge a file of a few kilobytes and to make it play.
pub fn started(scratch: &Path, task: &str) -> Child {
    let limits = json!({"address_space": 4_u64 << 30, "cpu_seconds": 5, "file_size": 1 << 30, "open_files": 64});
    let spec = scratch.join("spec.json");
    let published = json!({"rungs": [], "film": false});
    let order = json!({"task": task, "published": published, "threads": 2, "nice": 0, "limits": limits});
    std::fs::write(&spec, order.to_string()).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["job", "--spec"]).arg(&spec).env_clear().env("MALLOC_ARENA_MAX", "2");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How it ended, its events, and its last words.
pub fn child(scratch: &Path, task: &str) -> (ExitStatus, String, String) {
    let mut child = started(scratch, task);
    // It ends when its standard input does.
    let _lifeline = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status, text(&output.stdout), text(&output.stderr))
}
