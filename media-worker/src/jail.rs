//! The jail around the child that touches strangers' bytes: no files but its scratch folder and the system's
//! libraries, no sockets, no other programs or processes, bounded memory, time, files and sizes.
//!
//! A jail that cannot be built is an error: the child then ends before it opens anything.

use std::path::Path;
use std::ptr::null;

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
    // While a filter can still be added.
    filter_clone3()?;
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
    // When the machine's memory runs out, this process goes before any other. Only a hint: not every machine has it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
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

/// A filter cannot look into the structure that holds clone3's flags, so there is no clone3: libc then takes clone.
fn filter_clone3() -> Result<(), Unjailed> {
    install(vec![(libc::SYS_clone3, Vec::new())], SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))
}

/// What decoding, encoding and writing files need. There is no socket, no exec, no ptrace, no mount, no second process.
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
    rules.push((libc::SYS_clone, vec![only_a_thread()?]));
    install(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)
}

/// Adds a filter: `matched` for the calls that fit a rule, `otherwise` for all the rest.
fn install(
    rules: Vec<(i64, Vec<SeccompRule>)>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<(), Unjailed> {
    let wrong = |e: &dyn std::fmt::Display| failed("seccomp")(e);
    let target = std::env::consts::ARCH.try_into().map_err(|e: seccompiler::BackendError| wrong(&e))?;
    let filter = SeccompFilter::new(rules.into_iter().collect(), otherwise, matched, target).map_err(|e| wrong(&e))?;
    let program: BpfProgram = filter.try_into().map_err(|e: seccompiler::BackendError| wrong(&e))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|e| wrong(&e))
}

fn only(argument: u8, value: u64) -> Result<SeccompRule, Unjailed> {
    rule(argument, SeccompCmpOp::Eq, value)
}

/// One more thread of this very process, in no namespace of its own.
fn only_a_thread() -> Result<SeccompRule, Unjailed> {
    let thread = (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND) as u64;
    let apart = libc::CLONE_NEWNS
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_PTRACE;
    rule(0, SeccompCmpOp::MaskedEq(thread | apart as u64), thread)
}

fn rule(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, Unjailed> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(|e| failed("seccomp")(&e))
}

/// Tries from inside what must not work, and the one thing that must. Answers what held, and what did not.
pub fn probe(scratch: &Path) -> (Vec<String>, Vec<String>) {
    let outside = scratch.parent().unwrap_or(scratch).join("outside");
    let link = scratch.join("link");
    let through_a_link = || {
        // One that somebody else put there would do as well.
        let _ = std::os::unix::fs::symlink("/etc/passwd", &link);
        std::fs::read(&link).is_ok()
    };
    let attempts = [
        ("open /etc/passwd", std::fs::File::open("/etc/passwd").is_ok()),
        ("list /", std::fs::read_dir("/").is_ok()),
        ("write beside the scratch folder", std::fs::write(outside, b"x").is_ok()),
        ("follow a link out of the scratch folder", through_a_link()),
        ("read another's environment", std::fs::read("/proc/1/environ").is_ok()),
        ("read its own environment", std::fs::read("/proc/self/environ").is_ok()),
        ("connect", std::net::TcpStream::connect("127.0.0.1:9").reached()),
        ("bind", std::net::UdpSocket::bind("127.0.0.1:0").is_ok()),
        ("open a local socket", std::os::unix::net::UnixDatagram::unbound().is_ok()),
        ("exec", std::process::Command::new("/bin/true").status().is_ok()),
        ("fork", forks()),
        // These ask for nothing, so where there is no jail they do no harm, and only a jail says EPERM.
        // SAFETY: plain numbers and null pointers; the kernel checks them all.
        ("trace", is_let_through(unsafe { libc::ptrace(libc::PTRACE_DETACH, 0, 0, 0) })),
        ("mount", is_let_through(unsafe { libc::mount(null(), null(), null(), 0, null()) } as i64)),
        ("unshare", is_let_through(unsafe { libc::unshare(0) } as i64)),
        ("send a signal", is_let_through(unsafe { libc::kill(libc::getpid(), 0) } as i64)),
        ("be without threads", std::thread::Builder::new().spawn(|| {}).is_err()),
    ];
    let names = |worked: bool| attempts.iter().filter(|a| a.1 == worked).map(|a| a.0.to_owned()).collect();
    (names(false), names(true))
}

fn is_let_through(answer: i64) -> bool {
    answer != -1 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EPERM)
}

fn forks() -> bool {
    // SAFETY: the copy ends at once and touches nothing.
    match unsafe { libc::fork() } {
        0 => unsafe { libc::_exit(0) },
        pid => pid > 0,
    }
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
