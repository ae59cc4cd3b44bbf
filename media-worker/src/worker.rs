//! The claim loop: one job at a time from the queue, its bytes to scratch, a child on them, and what the child makes
//! to the store and into the database.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weijia_core::clip::publish::{self, Facts, NewRendition, NewSegment};
use weijia_core::db::{Db, Tx};
use weijia_core::ids::{RenditionId, VersionId};
use weijia_core::job::{self, Dead, JobKind, Lease, Outcome};
use weijia_core::storage::{Storage, StorageError, keys};
use weijia_core::time::{At, Millis};
use weijia_core::{Error, Result};

use crate::protocol::{Event, SOURCE, Task};
use crate::scratch::Scratch;
use crate::supervise::{Ended, Supervisor};

/// Long enough for a slow store, short enough that another worker soon takes over from a dead one.
const LEASE: Millis = Millis::seconds(20);
/// How often an idle worker looks: a person waits for what it finds.
const IDLE: Duration = Duration::from_millis(200);

pub struct Worker {
    pub db: Db,
    pub storage: Storage,
    pub supervisor: Supervisor,
    pub scratch: Scratch,
    /// Named in the queue, for people who look.
    pub name: String,
}

impl Worker {
    /// Works until it is told to stop; then the job in hand is handed back.
    pub async fn run(self: Arc<Self>, stopping: CancellationToken) {
        while !stopping.is_cancelled() {
            let pause = match self.next().await {
                Ok(Some(lease)) => {
                    self.work(lease, &stopping).await;
                    continue;
                }
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

    async fn next(&self) -> Result<Option<Lease>> {
        let mut tx = self.db.read().await?;
        let due = job::is_due(&mut tx).await?;
        drop(tx);
        if !due {
            return Ok(None);
        }
        let mut tx = self.db.write().await?;
        for dead in job::reclaim(&mut tx).await? {
            tracing::error!(job = %dead.job, subject = %dead.subject, "given up: its workers went away");
            publish::given_up(&mut tx, At::now(), &dead).await?;
        }
        let lease = job::claim(&mut tx, &self.name, LEASE).await?;
        tx.commit().await?;
        Ok(lease)
    }

    async fn work(&self, lease: Lease, stopping: &CancellationToken) {
        tracing::info!(job = %lease.job, kind = lease.kind.as_str(), subject = %lease.subject, attempt = lease.attempt, "begun");
        let began = std::time::Instant::now();
        let interrupted = stopping.child_token();
        let renewal = tokio::spawn(keep(self.db.clone(), lease.clone(), interrupted.clone()));
        let outcome = match self.scratch.for_job(lease.job.as_str(), lease.attempt) {
            Ok(folder) => {
                let outcome = self.process(&lease, &folder, &interrupted).await;
                if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
                    tracing::warn!(%error, folder = %folder.display(), "not cleaned up");
                }
                outcome
            }
            Err(error) => Err(Trouble::Passing(format!("scratch folder: {error}"))),
        };
        renewal.abort();
        let seconds = began.elapsed().as_secs_f64();
        let settled = match outcome {
            Ok(()) => {
                tracing::info!(job = %lease.job, seconds, "done");
                Ok(())
            }
            Err(Trouble::Interrupted) if stopping.is_cancelled() => {
                tracing::info!(job = %lease.job, "handed back");
                self.in_one(async |tx| job::hand_back(tx, &lease).await).await
            }
            Err(Trouble::Interrupted) => {
                tracing::warn!(job = %lease.job, "lost the lease: what was made is discarded");
                Ok(())
            }
            Err(Trouble::Nothing) => {
                tracing::info!(job = %lease.job, "nothing left to do");
                self.in_one(async |tx| publish::skipped(tx, &lease, At::now()).await).await
            }
            Err(Trouble::Passing(reason)) => {
                tracing::warn!(job = %lease.job, attempt = lease.attempt, %reason, "not done");
                self.in_one(async |tx| fail(tx, &lease, &reason).await).await
            }
        };
        if let Err(error) = settled {
            tracing::warn!(job = %lease.job, %error, "not settled; the lease will run out");
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
        let mut press = Press {
            worker: self,
            lease,
            version: source.version,
            folder: folder.to_owned(),
            renditions: HashMap::new(),
            settled: false,
        };
        let task = match lease.kind {
            JobKind::Prepare => Task::Prepare,
            JobKind::Ladder => Task::Ladder,
        };
        let ended = self.supervisor.run(folder, task, interrupted, async |event| press.publish(event).await).await;
        match ended {
            Ok(()) if press.settled => Ok(()),
            Ok(()) => Err(Trouble::Passing("the child came to no end".into())),
            Err(Ended::Interrupted) => Err(Trouble::Interrupted),
            // The job is settled; how its child died afterwards is no matter.
            Err(Ended::Child(_)) if press.settled => Ok(()),
            Err(Ended::Child(reason)) => Err(Trouble::Passing(reason)),
            Err(Ended::Publish(trouble)) => Err(trouble),
        }
    }

    /// One transaction.
    async fn in_one<T>(&self, work: impl AsyncFnOnce(&mut Tx) -> Result<T>) -> Result<T> {
        let mut tx = self.db.write().await?;
        let value = work(&mut tx).await?;
        tx.commit().await?;
        Ok(value)
    }
}

async fn fail(tx: &mut Tx, lease: &Lease, reason: &str) -> Result<()> {
    if job::fail(tx, lease, reason).await? == Outcome::Dead {
        let dead = Dead { job: lease.job.clone(), kind: lease.kind, subject: lease.subject.clone() };
        publish::given_up(tx, At::now(), &dead).await?;
    }
    Ok(())
}

/// Renews the lease, apart from the work. A lease that is lost, or that could not be renewed in time, interrupts it.
async fn keep(db: Db, lease: Lease, interrupted: CancellationToken) {
    let third = Duration::from_millis(LEASE.0 as u64 / 3);
    let mut renewed = std::time::Instant::now();
    loop {
        tokio::time::sleep(third).await;
        let renewal = async {
            let mut tx = db.write().await?;
            job::renew(&mut tx, &lease, LEASE).await?;
            tx.commit().await?;
            Ok::<_, Error>(())
        };
        match renewal.await {
            Ok(()) => renewed = std::time::Instant::now(),
            Err(Error::Conflict(_)) => return interrupted.cancel(),
            Err(error) => {
                tracing::warn!(job = %lease.job, %error, "the lease is not renewed");
                if renewed.elapsed() > 3 * third {
                    return interrupted.cancel();
                }
            }
        }
    }
}

/// Why a job did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("interrupted")]
    Interrupted,
    #[error("nothing left to do")]
    Nothing,
    /// Worth another attempt.
    #[error("{0}")]
    Passing(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Trouble::Nothing,
            // Every conflict here is a lost lease.
            Error::Conflict(_) => Trouble::Interrupted,
            other => Trouble::Passing(other.to_string()),
        }
    }
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        Trouble::Passing(format!("store: {error}"))
    }
}

/// Publishes one job's events: the object first, then the row that names it.
struct Press<'a> {
    worker: &'a Worker,
    lease: &'a Lease,
    version: VersionId,
    folder: PathBuf,
    renditions: HashMap<String, RenditionId>,
    settled: bool,
}

impl Press<'_> {
    async fn publish(&mut self, event: Event) -> Result<(), Trouble> {
        let (worker, lease, attempt) = (self.worker, self.lease, self.lease.attempt);
        let now = At::now();
        match event {
            Event::Facts { width, height, duration_ms, detail } => {
                let facts = Facts { width: width.into(), height: height.into(), duration_ms, detail };
                worker.in_one(async |tx| publish::facts(tx, lease, &facts).await).await?;
            }
            Event::Poster { file } => {
                let key = keys::poster(&self.version, attempt);
                let bytes = self.store(&key, "image/jpeg", &file).await?;
                worker.in_one(async |tx| publish::poster(tx, lease, now, &key, bytes).await).await?;
            }
            Event::Mp4 { file } => {
                let key = keys::mp4(&self.version, attempt, "mp4");
                let bytes = self.store(&key, "video/mp4", &file).await?;
                worker.in_one(async |tx| publish::mp4(tx, lease, now, &key, bytes).await).await?;
            }
            Event::Rendition { name, width, height, bandwidth, codecs, file } => {
                let init_key = keys::rendition_init(&self.version, attempt, &name);
                let init_bytes = self.store(&init_key, "video/mp4", &file).await?;
                let (width, height) = (width.into(), height.into());
                let new = NewRendition { name: name.clone(), width, height, bandwidth, codecs, init_key, init_bytes };
                let id = worker.in_one(async |tx| publish::rendition(tx, lease, &new).await).await?;
                self.renditions.insert(name, id);
            }
            Event::Segment { name, n, duration_ms, file } => {
                let key = keys::rendition_segment(&self.version, attempt, &name, n);
                let bytes = self.store(&key, "video/iso.segment", &file).await?;
                let rendition = self.rendition(&name)?;
                let new = NewSegment { n, duration_ms, bytes, key };
                worker.in_one(async |tx| publish::segment(tx, lease, now, &rendition, &new).await).await?;
            }
            Event::Complete { name, bandwidth } => {
                let rendition = self.rendition(&name)?;
                worker.in_one(async |tx| publish::complete(tx, lease, now, &rendition, bandwidth).await).await?;
            }
            Event::Storyboard { image, vtt } => {
                let image_key = keys::storyboard(&self.version, attempt);
                let vtt_key = keys::storyboard_vtt(&self.version, attempt);
                let image = (&*image_key, self.store(&image_key, "image/jpeg", &image).await?);
                let vtt = (&*vtt_key, self.store(&vtt_key, "text/vtt", &vtt).await?);
                worker.in_one(async |tx| publish::storyboard(tx, lease, now, image, vtt).await).await?;
            }
            Event::Progress { percent } => {
                let words = format!("{percent}%");
                worker.in_one(async |tx| job::progress(tx, lease, now, &words).await).await?;
            }
            Event::Refused { code } => {
                // What plays already was judged before: a second look that finds otherwise looked at other bytes.
                if lease.kind != JobKind::Prepare {
                    return Err(Trouble::Passing(format!("refused as {}", code.code())));
                }
                tracing::info!(job = %lease.job, code = code.code(), "refused");
                worker.in_one(async |tx| publish::refused(tx, lease, now, code).await).await?;
                self.settled = true;
            }
            Event::Done if self.settled => {}
            Event::Done => {
                let kind = lease.kind;
                let end = async |tx: &mut Tx| match kind {
                    JobKind::Prepare => publish::prepared(tx, lease, now).await,
                    JobKind::Ladder => publish::ready(tx, lease, now).await,
                };
                worker.in_one(end).await?;
                self.settled = true;
            }
            Event::Jail { .. } => {}
        }
        Ok(())
    }

    fn rendition(&self, name: &str) -> Result<RenditionId, Trouble> {
        let found = self.renditions.get(name).cloned();
        found.ok_or_else(|| Trouble::Passing(format!("a segment of {name}, which did not begin")))
    }

    /// Puts one of the child's files into the store. A child may name only what lies in its folder.
    async fn store(&self, key: &str, content_type: &str, file: &str) -> Result<i64, Trouble> {
        let path = self.folder.join(file);
        let inside = Path::new(file).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        // What the child made may be anything it could make in there, a link to elsewhere included.
        let plain = tokio::fs::symlink_metadata(&path).await;
        let plain = plain.map_err(|e| Trouble::Passing(format!("{file}: {e}")))?;
        if !inside || !plain.is_file() {
            return Err(Trouble::Passing(format!("{file} is no file of this job")));
        }
        let mut wait = Duration::from_millis(200);
        loop {
            match self.worker.storage.put_file(key, content_type, &path).await {
                Ok(_) => break,
                Err(error) if error.is_transient() && wait < Duration::from_secs(4) => {
                    tracing::debug!(%error, key, "the store did not take it, once more");
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let _ = tokio::fs::remove_file(&path).await;
        Ok(plain.len() as i64)
    }
}
