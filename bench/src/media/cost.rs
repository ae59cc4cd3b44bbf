//! A program that runs to its end, and what that cost.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::Instant;

use crate::Outcome;

#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// In user and kernel, of all its threads.
    pub cpu_s: f64,
    pub wall_s: f64,
    /// The most that was resident at once.
    pub peak_mb: f64,
}

/// One after the other.
impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, then: Cost) {
        self.cpu_s += then.cpu_s;
        self.wall_s += then.wall_s;
        self.peak_mb = self.peak_mb.max(then.peak_mb);
    }
}

pub struct Running {
    child: Child,
    name: String,
    log: File,
    began: Instant,
    has_ended: bool,
}

impl Running {
    pub fn start(mut command: Command) -> Outcome<Running> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = tempfile::tempfile().map_err(|e| e.to_string())?;
        command.stderr(log.try_clone().map_err(|e| e.to_string())?);
        let began = Instant::now();
        let child = command.spawn().map_err(|e| format!("{name} does not start: {e}"))?;
        Ok(Running { child, name, log, began, has_ended: false })
    }

    /// Both ends that it was started with; standard input stays open for as long as the first is kept.
    pub fn pipes(&mut self) -> Outcome<(ChildStdin, ChildStdout)> {
        self.child.stdin.take().zip(self.child.stdout.take()).ok_or_else(|| format!("{}: no pipes", self.name))
    }

    /// Seconds of the processor so far.
    pub fn cpu_s(&self) -> Outcome<f64> {
        let mut clock = 0;
        // SAFETY: writes the number of a clock to a place of its own.
        match unsafe { libc::clock_getcpuclockid(self.pid(), &mut clock) } {
            0 => seconds_of(clock),
            error => Err(format!("{}: {}", self.name, std::io::Error::from_raw_os_error(error))),
        }
    }

    /// What it has cost if it has ended, and well.
    pub fn try_end(&mut self) -> Outcome<Option<Cost>> {
        self.reap(libc::WNOHANG)
    }

    pub fn end(mut self) -> Outcome<Cost> {
        self.reap(0)?.ok_or_else(|| format!("{}: no end", self.name))
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    fn reap(&mut self, options: i32) -> Outcome<Option<Cost>> {
        let mut status = 0;
        // SAFETY: a struct of numbers, for which zero is one.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: writes to the two places above. The process is a child of this one that nobody else waits for.
        let reaped = loop {
            match unsafe { libc::wait4(self.pid(), &mut status, options, &mut usage) } {
                -1 if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        if reaped == 0 {
            return Ok(None);
        }
        self.has_ended = true;
        if reaped < 0 {
            return Err(format!("{}: {}", self.name, std::io::Error::last_os_error()));
        }
        let wall_s = self.began.elapsed().as_secs_f64();
        let status = ExitStatus::from_raw(status);
        if !status.success() {
            let mut said = String::new();
            let _ = self.log.rewind().and_then(|()| self.log.read_to_string(&mut said));
            return Err(format!("{} ended with {status}: {}", self.name, said.trim()));
        }
        let time = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
        let cpu_s = time(usage.ru_utime) + time(usage.ru_stime);
        // In KiB. Between fork and exec it is the bench's own size, which is less than any child's.
        Ok(Some(Cost { cpu_s, wall_s, peak_mb: usage.ru_maxrss as f64 * 1024.0 / 1e6 }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Seconds of the processor that `work` takes on this thread.
pub fn on_this_thread<T>(work: impl FnOnce() -> T) -> Outcome<(T, f64)> {
    let before = seconds_of(libc::CLOCK_THREAD_CPUTIME_ID)?;
    let value = work();
    Ok((value, seconds_of(libc::CLOCK_THREAD_CPUTIME_ID)? - before))
}

fn seconds_of(clock: libc::clockid_t) -> Outcome<f64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a place of its own.
    match unsafe { libc::clock_gettime(clock, &mut time) } {
        0 => Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    #[test]
    fn a_program_costs_what_it_used_and_says_why_it_failed() {
        let idle = Running::start(shell("sleep 0.3")).unwrap().end().unwrap();
        assert!(idle.wall_s >= 0.3 && idle.cpu_s < idle.wall_s, "{idle:?}");
        let busy = Running::start(shell("n=0; while [ $n -lt 100000 ]; do n=$((n+1)); done")).unwrap().end().unwrap();
        assert!(busy.cpu_s > idle.cpu_s && busy.peak_mb > 0.5, "{busy:?}");
        let failed = Running::start(shell("echo no such film >&2; exit 3")).unwrap().end().unwrap_err();
        assert!(failed.contains("exit status: 3") && failed.ends_with("no such film"), "{failed}");
    }

    #[test]
    fn one_after_the_other_adds_up() {
        let mut cost = Cost { cpu_s: 1.0, wall_s: 2.0, peak_mb: 30.0 };
        cost += Cost { cpu_s: 0.5, wall_s: 1.0, peak_mb: 20.0 };
        assert_eq!((cost.cpu_s, cost.wall_s, cost.peak_mb), (1.5, 3.0, 30.0));
    }
}
