//! One child from its start to its end: in a process group of its own, with a wall clock and a watchdog on its
//! progress. Whatever happens, nothing of it is left running.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::protocol::{Event, Limits, SPEC, Spec, Task};

#[derive(Debug, Clone)]
pub struct Supervisor {
    pub program: PathBuf,
    pub unjailed: bool,
    pub threads: u32,
    pub limits: Limits,
    /// The longest a job may take.
    pub wall_clock: Duration,
    /// The longest a child may say nothing.
    pub silence: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum Ended<E> {
    /// Told to stop, or the lease was lost: the child was killed.
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Child(String),
    /// What was made could not be published.
    #[error(transparent)]
    Publish(E),
}

impl Supervisor {
    pub fn new(program: PathBuf, unjailed: bool, threads: u32) -> Supervisor {
        Supervisor {
            program,
            unjailed,
            threads,
            limits: Limits::default(),
            wall_clock: Duration::from_secs(3600),
            silence: Duration::from_secs(90),
        }
    }

    /// Runs a task on the scratch folder and hands every event to `publish`, in order. Answers when the child has
    /// said that it is done and has ended well.
    pub async fn run<E>(
        &self,
        scratch: &Path,
        task: Task,
        interrupted: &CancellationToken,
        mut publish: impl AsyncFnMut(Event) -> Result<(), E>,
    ) -> Result<(), Ended<E>> {
        let mut child =
            self.start(scratch, task).map_err(|e| Ended::Child(format!("the child does not start: {e}")))?;
        let outcome = tokio::select! {
            outcome = self.follow(&mut child, &mut publish) => outcome,
            () = interrupted.cancelled() => Err(Ended::Interrupted),
            () = tokio::time::sleep(self.wall_clock) => Err(Ended::Child("took too long".into())),
        };
        kill_group(&mut child).await;
        outcome
    }

    fn start(&self, scratch: &Path, task: Task) -> std::io::Result<Child> {
        let spec = scratch.join(SPEC);
        std::fs::write(&spec, serde_json::to_vec(&Spec { task, threads: self.threads, limits: self.limits })?)?;
        Command::new(&self.program)
            .arg("job")
            .arg("--spec")
            .arg(&spec)
            .args(self.unjailed.then_some("--unjailed"))
            .current_dir(scratch)
            // No secret of ours is in its environment. Fewer arenas keep its address space small.
            .env_clear()
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    async fn follow<E>(
        &self,
        child: &mut Child,
        publish: &mut impl AsyncFnMut(Event) -> Result<(), E>,
    ) -> Result<(), Ended<E>> {
        let broken = || Ended::Child("the child has no output".into());
        let mut lines = BufReader::new(child.stdout.take().ok_or_else(broken)?).lines();
        let said = child.stderr.take().ok_or_else(broken)?;
        let said = tokio::spawn(last_words(said));
        let mut done = false;
        loop {
            let line = tokio::time::timeout_at(Instant::now() + self.silence, lines.next_line()).await;
            match line {
                Err(_) => return Err(Ended::Child(format!("no progress for {} s", self.silence.as_secs()))),
                Ok(Ok(None)) => break,
                Ok(Err(e)) => return Err(Ended::Child(format!("unreadable output: {e}"))),
                Ok(Ok(Some(line))) => {
                    let event: Event =
                        serde_json::from_str(&line).map_err(|e| Ended::Child(format!("unreadable event: {e}")))?;
                    done |= event == Event::Done;
                    publish(event).await.map_err(Ended::Publish)?;
                }
            }
        }
        let status = child.wait().await.map_err(|e| Ended::Child(e.to_string()))?;
        let said = said.await.unwrap_or_default();
        if done && status.success() {
            if !said.is_empty() {
                tracing::debug!(%said, "the child's log");
            }
            return Ok(());
        }
        Err(Ended::Child(format!("the child ended with {status}: {said}")))
    }
}

/// The end of what the child said about itself.
async fn last_words(mut from: impl tokio::io::AsyncRead + Unpin) -> String {
    const KEPT: usize = 2_000;
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..n]);
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    let start = kept.len().saturating_sub(KEPT);
    String::from_utf8_lossy(&kept[start..]).trim().to_owned()
}

async fn kill_group(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.wait().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A supervisor whose child is a shell that reads its script from the scratch folder: `sh job --spec ...`.
    fn with(script: &str) -> (Supervisor, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("job"), script).unwrap();
        (Supervisor::new("/bin/sh".into(), false, 1), folder)
    }

    async fn outcome(script: &str) -> (Result<(), Ended<&'static str>>, Vec<Event>) {
        let (supervisor, folder) = with(script);
        let mut events = Vec::new();
        let ended = supervisor
            .run(folder.path(), Task::Prepare, &CancellationToken::new(), async |event| {
                events.push(event);
                Ok(())
            })
            .await;
        (ended, events)
    }

    #[tokio::test]
    async fn events_come_in_order_and_the_end_is_an_end() {
        let (ended, events) = outcome(r#"echo '{"event":"progress","percent":5}'; echo '{"event":"done"}'"#).await;
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(events, [Event::Progress { percent: 5 }, Event::Done]);
    }

    #[tokio::test]
    async fn a_child_that_dies_or_talks_nonsense_did_not_do_its_job() {
        for (script, word) in [
            ("echo sorry >&2; exit 3", "sorry"),
            ("kill -SEGV $$", "signal"),
            ("exit 0", "ended with"),
            (r#"echo '{"event":"done"}'; exit 9"#, "exit status: 9"),
            ("echo hello", "unreadable event"),
        ] {
            let (ended, _) = outcome(script).await;
            assert!(matches!(&ended, Err(Ended::Child(why)) if why.contains(word)), "{script}: {ended:?}");
        }
    }

    #[tokio::test]
    async fn a_child_that_hangs_is_killed_with_all_it_started() {
        let (mut supervisor, folder) = with("sleep 60 & echo $! > grandchild; wait");
        supervisor.silence = Duration::from_secs(2);
        let ended: Result<(), Ended<()>> =
            supervisor.run(folder.path(), Task::Prepare, &CancellationToken::new(), async |_| Ok(())).await;
        assert!(matches!(&ended, Err(Ended::Child(why)) if why.contains("no progress")), "{ended:?}");
        let grandchild = std::fs::read_to_string(folder.path().join("grandchild")).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", grandchild.trim())).unwrap_or_default();
        for _ in 0..50 {
            if state().is_empty() || state().contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("still there: {}", state());
    }

    #[tokio::test]
    async fn an_interruption_ends_it_at_once() {
        let (supervisor, folder) = with("sleep 60");
        let interrupted = CancellationToken::new();
        interrupted.cancel();
        let ended: Result<(), Ended<()>> =
            supervisor.run(folder.path(), Task::Prepare, &interrupted, async |_| Ok(())).await;
        assert!(matches!(ended, Err(Ended::Interrupted)));
    }
}
