//! A program under measurement: started, asked what it costs, and ended.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use weijia_tests::server::signal;

use crate::Outcome;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);

pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// What it says on stderr goes to `log`, and what it says on stdout too, unless somebody reads it.
    pub fn start(mut command: Command, log: &Path) -> Outcome<Process> {
        let name = command.get_program().to_string_lossy().into_owned();
        let file =
            File::options().create(true).append(true).open(log).map_err(|e| format!("{}: {e}", log.display()))?;
        command.stdin(Stdio::null()).stderr(file);
        let child = command.spawn().map_err(|e| format!("{name} does not start: {e}"))?;
        Ok(Process { child, name })
    }

    /// Starts a server that says in its first line, in JSON, that it is ready.
    pub fn start_server(mut command: Command, log: &Path) -> Outcome<(Process, Value)> {
        command.stdout(Stdio::piped());
        let mut process = Process::start(command, log)?;
        let stdout = process.child.stdout.take().ok_or("no stdout")?;
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let line = lines.recv_timeout(START).map_err(|_| {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            format!("{} is not ready after {START:?}: {said}", process.name)
        })?;
        let ready =
            serde_json::from_str(&line).map_err(|e| format!("{}: not a ready line: {line}: {e}", process.name))?;
        Ok((process, ready))
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Processor time of all its threads so far, in user and kernel.
    pub fn cpu(&self) -> Outcome<Duration> {
        let text = self.proc("stat")?;
        // The name in parentheses may hold anything; the fields after it are numbers.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).ok_or("an unreadable /proc/…/stat")?;
        // SAFETY: sysconf reads a constant.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Ok(Duration::from_secs_f64((user + system) as f64 / per_second as f64))
    }

    /// The most memory it ever had resident, in bytes (VmHWM).
    pub fn peak_memory(&self) -> Outcome<u64> {
        let text = self.proc("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().map_err(|e| format!("{line}: {e}"))?;
        Ok(kib << 10)
    }

    fn proc(&self, file: &str) -> Outcome<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid())).map_err(|e| format!("{}: {e}", self.name))
    }

    /// As the power does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn stop(&mut self) {
        signal(self.pid(), libc::SIGTERM);
        let began = Instant::now();
        while !self.has_ended() && began.elapsed() < STOP {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
