//! The claim loop: one job at a time from the queue, its bytes to scratch, a child on them, and what the child makes
//! to the store and into the database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weijia_core::clip::publish;
use weijia_core::db::{Db, Tx};
use weijia_core::job::{self, Dead, JobKind, Lane, Lease, Outcome};
use weijia_core::storage::{Storage, StorageError};
use weijia_core::time::{At, Millis};
use weijia_core::{Error, Result};

use crate::press::{self, Press};
use crate::protocol::{SOURCE, Task};
use crate::scratch::Scratch;
use crate::supervise::{Ended, Supervisor};
use crate::vet::Breach;

/// Long enough for a slow store, short enough that another worker soon takes over from a dead one.
const LEASE: Millis = Millis::seconds(20);
/// How often an idle worker looks: a person waits for what it finds.
const IDLE: Duration = Duration::from_millis(100);
/// What keeps one job from being done outside of it keeps the next one too.
const OUTAGE: Duration = Duration::from_secs(2);
/// How long the end of a job is tried to be written down: a database that starts anew is back by then.
const SETTLING: Duration = Duration::from_secs(60);
/// With less room than this in the scratch folder, a child's failure says nothing about its film.
const LITTLE_ROOM: u64 = 64 << 20;

pub struct Worker {
    pub db: Db,
    pub storage: Storage,
    pub supervisor: Supervisor,
    pub scratch: Scratch,
    /// Named in the queue, for people who look.
    pub name: String,
}

impl Worker {
    /// Works on one lane's jobs until it is told to stop; then the job in hand is handed back.
    pub async fn run(self: Arc<Self>, lane: Lane, stopping: CancellationToken) {
        while !stopping.is_cancelled() {
            let pause = match self.next(lane).await {
                Ok(Some(lease)) => match self.work(lease, &stopping).await {
                    Went::On => continue,
                    Went::Out => OUTAGE,
                },
                Ok(None) => IDLE,
                Err(error) => {
                    tracing::warn!(%error, "the queue cannot be read");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stopping.cancelled() => {}
            }
        }
    }

    async fn next(&self, lane: Lane) -> Result<Option<Lease>> {
        let mut tx = self.db.read().await?;
        let due = job::is_due(&mut tx, lane).await?;
        drop(tx);
        if !due {
            return Ok(None);
        }
        let mut tx = self.db.write().await?;
        for dead in job::reclaim(&mut tx).await? {
            tracing::error!(job = %dead.job, subject = %dead.subject, "given up: its workers went away");
            publish::given_up(&mut tx, At::now(), &dead).await?;
        }
        let lease = job::claim(&mut tx, lane, &self.name, LEASE).await?;
        tx.commit().await?;
        Ok(lease)
    }

    async fn work(&self, lease: Lease, stopping: &CancellationToken) -> Went {
        tracing::info!(job = %lease.job, kind = lease.kind.as_str(), subject = %lease.subject, attempt = lease.attempt, "begun");
        let began = std::time::Instant::now();
        let interrupted = stopping.child_token();
        let renewal = tokio::spawn(keep(self.db.clone(), lease.clone(), LEASE, interrupted.clone()));
        let outcome = match self.scratch.for_job(lease.job.as_str(), lease.attempt) {
            Ok(folder) => {
                let outcome = self.process(&lease, &folder, &interrupted).await;
                if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
                    tracing::warn!(%error, folder = %folder.display(), "not cleaned up");
                }
                outcome
            }
            Err(error) => Err(Trouble::Outside(format!("scratch folder: {error}"))),
        };
        match &outcome {
            Ok(()) => tracing::info!(job = %lease.job, seconds = began.elapsed().as_secs_f64(), "done"),
            Err(trouble) => tracing::warn!(job = %lease.job, attempt = lease.attempt, %trouble, "not done"),
        }
        let went = match &outcome {
            Err(Trouble::Outside(_)) => Went::Out,
            _ => Went::On,
        };
        if let Err(trouble) = outcome {
            self.settle(&lease, trouble, stopping).await;
        }
        renewal.abort();
        went
    }

    /// Writes down how it ended; a database that is away gets some time to come back.
    async fn settle(&self, lease: &Lease, trouble: Trouble, stopping: &CancellationToken) {
        let until = std::time::Instant::now() + SETTLING;
        loop {
            match self.in_one(async |tx| settle(tx, lease, &trouble, stopping.is_cancelled()).await).await {
                Ok(()) => return,
                Err(Error::Conflict(_)) => {
                    return tracing::warn!(job = %lease.job, "lost the lease: another goes on behind what is published");
                }
                Err(error) if error.is_outage() && std::time::Instant::now() < until && !stopping.is_cancelled() => {
                    tracing::debug!(job = %lease.job, %error, "not settled yet");
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(1)) => {}
                        () = stopping.cancelled() => {}
                    }
                }
                Err(error) => {
                    return tracing::warn!(job = %lease.job, %error, "not settled; the lease will run out");
                }
            }
        }
    }

    async fn process(&self, lease: &Lease, folder: &Path, interrupted: &CancellationToken) -> Result<(), Trouble> {
        let source = self.in_one(async |tx| publish::start(tx, lease).await).await?;
        let path = folder.join(SOURCE);
        let download = self.storage.download_to(&source.key, &path);
        let got = tokio::select! {
            got = download => got?,
            () = interrupted.cancelled() => return Err(Trouble::Interrupted),
        };
        if got != source.bytes as u64 {
            return Err(Trouble::Passing(format!("{} of {} bytes came from the store", got, source.bytes)));
        }
        let kept = self.in_one(async |tx| publish::kept(tx, lease).await).await?;
        tokio::select! {
            got = press::fetch_pieces(self, lease, &kept, folder) => got?,
            () = interrupted.cancelled() => return Err(Trouble::Interrupted),
        }
        let published = press::published(&kept);
        let mut press = Press::new(self, lease, &source, kept, folder);
        let child = self.supervisor.for_clip(source.shown.map_or(0, |(_, _, ms)| ms));
        let (task, child) = match lease.kind {
            JobKind::Prepare => (Task::Prepare, child),
            JobKind::Ladder => (Task::Ladder, child.behind_others()),
            JobKind::OtherRungs => (Task::OtherRungs, child.behind_others()),
        };
        let publish = async |event| press.publish(event).await;
        let ended = child.run(folder, task, published, interrupted, publish).await;
        match ended {
            Ok(()) if press.settled => Ok(()),
            Ok(()) => Err(Trouble::Child("the child came to no end".into())),
            Err(Ended::Interrupted) => Err(Trouble::Interrupted),
            Err(Ended::NotStarted(error)) => Err(Trouble::Outside(format!("the child does not start: {error}"))),
            // The job is settled; how its child died afterwards is no matter.
            Err(Ended::Child(_) | Ended::Killed(_)) if press.settled => Ok(()),
            Err(Ended::Child(words)) if has_little_room(folder) => {
                Err(Trouble::Outside(format!("hardly any room in the scratch folder: {words}")))
            }
            Err(Ended::Killed(words)) => Err(Trouble::Passing(words)),
            // Who came further than before did not die of the same.
            Err(Ended::Child(words)) => {
                Err(Trouble::Child(format!("{words} (segments published: {})", press.segments)))
            }
            Err(Ended::Publish(trouble)) => Err(trouble),
        }
    }

    /// One transaction.
    pub async fn in_one<T>(&self, work: impl AsyncFnOnce(&mut Tx) -> Result<T>) -> Result<T> {
        let mut tx = self.db.write().await?;
        let value = work(&mut tx).await?;
        tx.commit().await?;
        Ok(value)
    }
}

/// Whether the next job is worth beginning at once.
enum Went {
    On,
    /// Something that every job needs is away.
    Out,
}

async fn settle(tx: &mut Tx, lease: &Lease, trouble: &Trouble, stopping: bool) -> Result<()> {
    let outcome = match trouble {
        Trouble::Interrupted if stopping => return job::hand_back(tx, lease).await,
        // Where the lease is lost, this is where that shows. Else only its renewal did not come through.
        Trouble::Interrupted => job::postpone(tx, lease, "the lease was not renewed in time").await?,
        Trouble::Nothing => return publish::skipped(tx, lease, At::now()).await,
        Trouble::Outside(reason) | Trouble::Anew(reason) => job::postpone(tx, lease, reason).await?,
        Trouble::Passing(reason) => job::fail(tx, lease, reason).await?,
        Trouble::Child(words) => job::died(tx, lease, words).await?,
    };
    if outcome == Outcome::Dead {
        let dead = Dead { job: lease.job.clone(), kind: lease.kind, subject: lease.subject.clone() };
        publish::given_up(tx, At::now(), &dead).await?;
    }
    Ok(())
}

fn has_little_room(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) < LITTLE_ROOM)
}

/// Renews the lease, apart from the work. A lease that is lost, or that could not be renewed in time, interrupts it.
async fn keep(db: Db, lease: Lease, length: Millis, interrupted: CancellationToken) {
    let length_as_time = Duration::from_millis(length.0 as u64);
    let mut ends = tokio::time::Instant::now() + length_as_time;
    loop {
        tokio::time::sleep(length_as_time / 3).await;
        let began = tokio::time::Instant::now();
        // A task of its own: a transaction that hangs is not waited for, and not cut off in its middle either.
        let renewal = tokio::spawn(renew(db.clone(), lease.clone(), length));
        match tokio::time::timeout_at(ends, renewal).await {
            Ok(Ok(Ok(()))) => ends = began + length_as_time,
            Ok(Ok(Err(Error::Conflict(_)))) => return interrupted.cancel(),
            Ok(Ok(Err(error))) => tracing::warn!(job = %lease.job, %error, "the lease is not renewed"),
            Ok(Err(error)) => tracing::error!(job = %lease.job, %error, "the lease is not renewed"),
            Err(_) => {
                tracing::warn!(job = %lease.job, "the lease could not be renewed in time");
                return interrupted.cancel();
            }
        }
    }
}

async fn renew(db: Db, lease: Lease, length: Millis) -> Result<()> {
    let mut tx = db.write().await?;
    job::renew(&mut tx, &lease, length).await?;
    tx.commit().await?;
    Ok(())
}

/// Why a job did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("interrupted")]
    Interrupted,
    #[error("nothing left to do")]
    Nothing,
    /// Store, database or disk: the job waits for them, and none of its attempts is spent.
    #[error("{0}")]
    Outside(String),
    /// What was published before cannot be gone on with. The next attempt begins anew, at no cost: that happens once.
    #[error("{0}")]
    Anew(String),
    /// About this clip, and worth another attempt.
    #[error("{0}")]
    Passing(String),
    /// The child's own fault, in its last words.
    #[error("{0}")]
    Child(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Trouble::Nothing,
            // Every conflict here is a lost lease.
            Error::Conflict(_) => Trouble::Interrupted,
            outage if outage.is_outage() => Trouble::Outside(outage.to_string()),
            other => Trouble::Passing(other.to_string()),
        }
    }
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        // Here a key that nobody has is no missing row but a file that is lost.
        let words = format!("store: {error}");
        if error.is_outage() { Trouble::Outside(words) } else { Trouble::Passing(words) }
    }
}

impl From<Breach> for Trouble {
    fn from(breach: Breach) -> Self {
        Trouble::Child(breach.to_string())
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
