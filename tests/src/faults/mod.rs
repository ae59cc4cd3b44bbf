//! Uploads while things break: what a client was told is kept in a ledger outside the system, and in the end it is
//! compared with what the system has.
//!
//! [`S3Proxy`] stands between server and store, [`TcpProxy`] between client and server, [`SqlProxy`] between server and
//! PostgreSQL. Each passes everything on unchanged, but for what it was told to spoil. [`Sender`] is a tus client that
//! never gives up, [`judge`] the oracle.

mod client;
mod control;
mod joined;
mod oracle;
mod program;
mod s3_call;
mod s3_proxy;
mod scenario;
mod site;
mod sql_proxy;
mod tcp_proxy;
mod worker;

pub use client::{Ended, Ledger, Sender};
pub use control::SumOfParts;
pub use joined::{Again, Joined, run_again, run_joined};
pub use oracle::{Finding, Tally, Wrong, judge};
pub use program::{Program, StoreProcess, store_process};
pub use s3_call::{CALLS, Call, READING_BACK};
pub use s3_proxy::{FAULTS, Fault, S3Proxy};
pub use scenario::{Scenario, run};
pub use site::{Created, Person, Site, at as embedded_at, create, film};
pub use sql_proxy::SqlProxy;
pub use tcp_proxy::{TcpProxy, Trouble};
pub use worker::WorkerProgram;

use std::os::fd::RawFd;
use std::time::Duration;

/// What has not happened by then never will.
const LONG: Duration = Duration::from_secs(120);

/// From here on closing this socket sends RST: nothing more is delivered, and the other side knows it.
fn reset_on_close(socket: RawFd) {
    let now = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the kernel reads the option from memory that outlives the call, with its size; a socket that is gone is
    // an error that changes nothing.
    unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const now).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
}
