//! The jail around the child that touches strangers' bytes: no files but its scratch folder and the system's
//! libraries, no sockets, no other programs, bounded memory, time, files and sizes.
//!
//! A jail that cannot be built is an error: the child then ends before it opens anything.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::protocol::Limits;

#[derive(Debug, thiserror::Error)]
#[error("the jail cannot be built: {0}")]
pub struct Unjailed(String);

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> Unjailed {
    move |e| Unjailed(format!("{what}: {e}"))
}

/// Locks this process in for good. Call it before any other thread is started.
pub fn enter(scratch: &Path, limits: &Limits) -> Result<(), Unjailed> {
    bound(limits)?;
    fence(scratch)?;
    filter()
}

/// Bounds that hold without a jail as well.
pub fn bound(limits: &Limits) -> Result<(), Unjailed> {
    let all = [
        (Resource::As, limits.address_space),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_size),
        (Resource::Nofile, limits.open_files),
        (Resource::Core, 0),
    ];
    for (resource, most) in all {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|e| failed("rlimit")(&e))?;
    }
    Ok(())
}

/// The file system: the libraries for reading, the scratch folder for work, nothing else.
fn fence(scratch: &Path) -> Result<(), Unjailed> {
    // The newest rules this kernel knows are taken; the oldest already cover every file.
    let abi = ABI::V5;
    let wrong = |e: landlock::RulesetError| failed("landlock")(&e);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .map_err(wrong)?
        .create()
        .map_err(wrong)?;
    for folder in ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/nix/store"] {
        if let Ok(fd) = PathFd::new(folder) {
            let read = AccessFs::ReadFile | AccessFs::ReadDir;
            ruleset = ruleset.add_rule(PathBeneath::new(fd, read)).map_err(wrong)?;
        }
    }
    let own = PathFd::new(scratch).map_err(|e| failed("scratch folder")(&e))?;
    let work = AccessFs::from_all(abi) & !AccessFs::Execute;
    let status = ruleset.add_rule(PathBeneath::new(own, work)).map_err(wrong)?.restrict_self().map_err(wrong)?;
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err(Unjailed("this kernel has no Landlock, or it is switched off".into()));
    }
    Ok(())
}

/// What decoding, encoding and writing files need. There is no socket, no exec, no ptrace, no mount.
fn filter() -> Result<(), Unjailed> {
    let mut allowed = vec![
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pwrite64,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_close,
        libc::SYS_openat,
        libc::SYS_fcntl,
        libc::SYS_ftruncate,
        libc::SYS_fsync,
        libc::SYS_fdatasync,
        libc::SYS_mkdirat,
        libc::SYS_unlinkat,
        libc::SYS_renameat,
        libc::SYS_renameat2,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_sched_getaffinity,
        libc::SYS_sched_yield,
        libc::SYS_sched_getparam,
        libc::SYS_sched_getscheduler,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_getrusage,
        libc::SYS_sysinfo,
    ];
    #[cfg(target_arch = "x86_64")]
    allowed.extend([libc::SYS_open, libc::SYS_stat, libc::SYS_mkdir, libc::SYS_unlink, libc::SYS_rename]);
    let mut rules: Vec<(i64, Vec<SeccompRule>)> = allowed.into_iter().map(|call| (call, Vec::new())).collect();
    // ffmpeg's log asks whether it speaks to a terminal; a thread gives itself a name. Nothing else of these two.
    rules.push((libc::SYS_ioctl, vec![only(1, libc::TCGETS)?]));
    rules.push((libc::SYS_prctl, vec![only(0, libc::PR_SET_NAME as u64)?]));
    let wrong = |e: &dyn std::fmt::Display| failed("seccomp")(e);
    let target = std::env::consts::ARCH.try_into().map_err(|e: seccompiler::BackendError| wrong(&e))?;
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let filter =
        SeccompFilter::new(rules.into_iter().collect(), refuse, SeccompAction::Allow, target).map_err(|e| wrong(&e))?;
    let program: BpfProgram = filter.try_into().map_err(|e: seccompiler::BackendError| wrong(&e))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|e| wrong(&e))
}

fn only(argument: u8, value: u64) -> Result<SeccompRule, Unjailed> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(|e| failed("seccomp")(&e))
}

/// Tries from inside what must not work. Answers what was refused, and what was not.
pub fn probe(scratch: &Path) -> (Vec<String>, Vec<String>) {
    let outside = scratch.parent().unwrap_or(scratch).join("outside");
    let attempts: [(&str, bool); 6] = [
        ("open /etc/passwd", std::fs::File::open("/etc/passwd").is_ok()),
        ("list /", std::fs::read_dir("/").is_ok()),
        ("write beside the scratch folder", std::fs::write(outside, b"x").is_ok()),
        ("connect", std::net::TcpStream::connect("127.0.0.1:9").reached()),
        ("bind", std::net::UdpSocket::bind("127.0.0.1:0").is_ok()),
        ("exec", std::process::Command::new("/bin/true").status().is_ok()),
    ];
    let names = |worked: bool| attempts.iter().filter(|a| a.1 == worked).map(|a| a.0.to_owned()).collect();
    (names(false), names(true))
}

/// A refused connection was a connection attempt: only "not permitted" means that the jail held.
trait Reached {
    fn reached(self) -> bool;
}
impl<T> Reached for std::io::Result<T> {
    fn reached(self) -> bool {
        self.err().is_none_or(|e| e.kind() != std::io::ErrorKind::PermissionDenied)
    }
}
