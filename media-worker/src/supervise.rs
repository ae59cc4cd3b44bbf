//! One child from its start to its end: in a process group of its own, with a wall clock, a watchdog on its progress, and
//! bounds to what it may say. Whatever happens, nothing of it is left running.

mod output;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::probe::MAX_DURATION_MS;
use crate::protocol::{Event, Limits, Published, SPEC, Spec, Task};
#[cfg(test)]
pub use output::LONGEST as LONGEST_LINE;
use output::{LastWords, Lines};

/// A clip of ten minutes has three hundred segments a rendition, and a line of progress every second.
const MAX_EVENTS: u32 = 20_000;
/// Every progress that is told is a transaction.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// With this niceness a child gets a quarter of what another gets that wants the same processor: what makes a clip play
/// goes ahead, and what makes it nicer does not starve (its wall clock runs on).
const BEHIND_OTHERS: i32 = 6;
/// How long the pipes of a child that has ended may stay open.
const PIPES_CLOSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct Supervisor {
    pub program: PathBuf,
    pub unjailed: bool,
    pub threads: u32,
    pub limits: Limits,
    /// The longest a child may say nothing.
    pub silence: Duration,
    /// How long the clip is, as far as that is known before the child looks.
    clip_ms: i64,
    nice: i32,
}

#[derive(Debug, thiserror::Error)]
pub enum Ended<E> {
    /// Told to stop, or the lease was lost: the child was killed.
    #[error("interrupted")]
    Interrupted,
    /// This machine could not start it: no fault of the film.
    #[error("the child does not start: {0}")]
    NotStarted(std::io::Error),
    #[error("{0}")]
    Child(String),
    /// Somebody killed it, the kernel that wants its memory among them: that says nothing about where it was.
    #[error("{0}")]
    Killed(String),
    /// What was made could not be published.
    #[error(transparent)]
    Publish(E),
}

impl Supervisor {
    pub fn new(program: PathBuf, unjailed: bool, threads: u32) -> Supervisor {
        let (limits, silence) = (Limits::default(), Duration::from_secs(90));
        Supervisor { program, unjailed, threads, limits, silence, clip_ms: 0, nice: 0 }
    }

    pub fn for_clip(&self, clip_ms: i64) -> Supervisor {
        Supervisor { clip_ms, ..self.clone() }
    }

    /// Steps back for those who do not.
    pub fn behind_others(self) -> Supervisor {
        Supervisor { nice: BEHIND_OTHERS, ..self }
    }

    /// Runs a task on the scratch folder and hands every event to `publish`, in order. Answers when the child has
    /// said that it is done and has ended well.
    pub async fn run<E>(
        &self,
        scratch: &Path,
        task: Task,
        published: Published,
        interrupted: &CancellationToken,
        mut publish: impl AsyncFnMut(Event) -> Result<(), E>,
    ) -> Result<(), Ended<E>> {
        let mut child = self.start(scratch, task, published).map_err(Ended::NotStarted)?;
        let outcome = tokio::select! {
            outcome = self.follow(&mut child, &mut publish) => outcome,
            () = interrupted.cancelled() => Err(Ended::Interrupted),
        };
        kill_group(&child);
        let _ = child.wait().await;
        outcome
    }

    fn start(&self, scratch: &Path, task: Task, published: Published) -> std::io::Result<Child> {
        let spec = scratch.join(SPEC);
        let order = Spec { task, published, threads: self.threads, nice: self.nice, limits: self.limits };
        std::fs::write(&spec, serde_json::to_vec(&order)?)?;
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
        let mut lines = Lines::of(child.stdout.take().ok_or_else(broken)?);
        let said = LastWords::of(child.stderr.take().ok_or_else(broken)?);
        let mut ending = ended(child);
        let mut has_ended = false;
        let mut clock = WallClock::start(self.clip_ms);
        let mut done = false;
        let (mut events, mut told) = (0, None::<Instant>);
        loop {
            let silent_until = Instant::now() + if has_ended { PIPES_CLOSE } else { self.silence };
            let line = tokio::select! {
                line = timeout_at(silent_until.min(clock.ends()), lines.next()) => line,
                _ = &mut ending, if !has_ended => {
                    // Whoever it left behind would hold its pipes open.
                    kill_group(child);
                    has_ended = true;
                    continue;
                }
            };
            let event: Event = match line {
                Err(_) if has_ended => break,
                Err(_) if clock.is_over() => return Err(Ended::Child("took too long".into())),
                Err(_) => return Err(Ended::Child(format!("no progress for {} s", self.silence.as_secs()))),
                Ok(Ok(None)) => break,
                Ok(Err(e)) => return Err(Ended::Child(format!("unreadable output: {e}"))),
                Ok(Ok(Some(line))) => {
                    serde_json::from_slice(&line).map_err(|e| Ended::Child(format!("unreadable event: {e}")))?
                }
            };
            events += 1;
            if events > MAX_EVENTS {
                return Err(Ended::Child(format!("more than {MAX_EVENTS} events")));
            }
            done |= matches!(event, Event::Done { .. });
            clock.hear(&event);
            if matches!(event, Event::Progress { .. }) {
                if told.is_some_and(|at| at.elapsed() < PROGRESS_EVERY) {
                    continue;
                }
                told = Some(Instant::now());
            }
            let began = Instant::now();
            publish(event).await.map_err(Ended::Publish)?;
            clock.stood_still(began.elapsed());
        }
        let last = Instant::now() + self.silence;
        if !has_ended && timeout_at(last.min(clock.ends()), &mut ending).await.is_err() {
            return Err(Ended::Child("it does not end".into()));
        }
        // Before it is reaped, while its number is nobody else's.
        kill_group(child);
        let status = child.wait().await.map_err(|e| Ended::Child(e.to_string()))?;
        let said = said.within(PIPES_CLOSE).await;
        if done && status.success() {
            if !said.is_empty() {
                tracing::debug!(%said, "the child's log");
            }
            return Ok(());
        }
        let words = format!("the child ended with {status}: {said}");
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        Err(if killed { Ended::Killed(words) } else { Ended::Child(words) })
    }
}

/// The longest a child may take: by the length of its clip, as far as it is known, and without the time that
/// publishing takes.
struct WallClock {
    began: Instant,
    /// What was told about the clip, and what was made of it.
    told_ms: i64,
    made_ms: std::collections::HashMap<String, i64>,
}

impl WallClock {
    fn start(clip_ms: i64) -> WallClock {
        WallClock { began: Instant::now(), told_ms: clip_ms, made_ms: Default::default() }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            // Of a recording that does not say how long it is, everything is possible.
            Event::Facts { duration_ms: ..=0, .. } => self.told_ms = MAX_DURATION_MS,
            Event::Facts { duration_ms, .. } => self.told_ms = self.told_ms.max(*duration_ms),
            Event::Segment { name, duration_ms, .. } => {
                let made = self.made_ms.entry(name.clone()).or_default();
                *made = made.saturating_add(*duration_ms);
            }
            _ => {}
        }
    }

    fn stood_still(&mut self, time: Duration) {
        self.began += time;
    }

    fn ends(&self) -> Instant {
        let made = self.made_ms.values().copied().max().unwrap_or_default();
        self.began + time_for(self.told_ms.max(made))
    }

    fn is_over(&self) -> bool {
        self.ends() <= Instant::now()
    }
}

/// A minute, and twelve times the clip: the slowest machine that is of use takes less.
fn time_for(clip_ms: i64) -> Duration {
    Duration::from_secs(60) + Duration::from_millis(clip_ms.clamp(0, MAX_DURATION_MS) as u64) * 12
}

/// Waits for the end of a child and leaves it to be reaped: until then the number of its group is nobody else's.
fn ended(child: &Child) -> JoinHandle<()> {
    let pid = pid(child);
    tokio::task::spawn_blocking(move || {
        if let Some(pid) = pid {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
    })
}

/// None once it is reaped.
fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id as i32))
}

fn kill_group(child: &Child) {
    if let Some(pid) = pid(child) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

#[cfg(test)]
#[path = "supervise_tests.rs"]
mod tests;
