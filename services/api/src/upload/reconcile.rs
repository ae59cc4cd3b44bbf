//! What somebody may have died before doing: finishing, giving up, emptying the trash, telling the bucket what has
//! changed. At start, and every minute.

use std::time::{Duration, Instant};

use weijia_core::Result;
use weijia_core::clip::sidecar;
use weijia_core::storage::trash::{self, Trash};
use weijia_core::time::{At, Millis};
use weijia_core::upkeep::{clock, needed};
use weijia_core::upload::{State, sql};

use super::Uploads;

const EVERY: Duration = Duration::from_secs(60);
const BATCH: i64 = 500;
/// No longer than this is anything deleted, so that a large trash keeps no upload waiting for the next round.
const LONGEST: Duration = Duration::from_secs(45);

/// What one round has done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Swept {
    pub finished: usize,
    pub expired: usize,
    pub emptied: usize,
    /// Sidecars written anew.
    pub described: usize,
}

impl Uploads {
    /// Until the server stops. At start even the freshest are looked at: whoever was at them is dead.
    pub async fn keep_reconciled(self) {
        let mut untouched_for = Millis(0);
        loop {
            match self.round(At::now(), untouched_for).await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => tracing::info!(?swept, "uploads put in order"),
                Err(error) => tracing::warn!(%error, "uploads could not be put in order, trying again later"),
            }
            untouched_for = Millis::minutes(1);
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Everything that may be done now: what goes by its age waits for a clock that may be believed.
    pub async fn round(&self, now: At, untouched_for: Millis) -> Result<Swept> {
        if clock::is_steady(&self.db, now).await? {
            return self.reconcile(now, untouched_for).await;
        }
        let finished = self.finish_all(now - untouched_for).await?;
        Ok(Swept { finished, described: sidecar::catch_up(&self.db, &self.storage).await?, ..Swept::default() })
    }

    /// One round, with a clock that may be believed. Every step is idempotent, so that several machines may do it at once.
    pub async fn reconcile(&self, now: At, untouched_for: Millis) -> Result<Swept> {
        let mut swept = Swept { finished: self.finish_all(now - untouched_for).await?, ..Swept::default() };
        let mut tx = self.db.write().await?;
        swept.expired = sql::expire(&mut tx, now).await?;
        tx.commit().await?;
        let began = Instant::now();
        while self.empty_batch(now, began, &mut swept).await? {}
        swept.described = sidecar::catch_up(&self.db, &self.storage).await?;
        Ok(swept)
    }

    /// Brings to their end those that need nothing more. Answers how many.
    async fn finish_all(&self, untouched_since: At) -> Result<usize> {
        let mut finished = 0;
        let mut tx = self.db.read().await?;
        let unsettled = sql::unsettled(&mut tx, untouched_since).await?;
        drop(tx);
        for id in unsettled {
            if self.stopping.is_cancelled() {
                break;
            }
            match self.settle(&id).await {
                Ok(State::Open | State::Completing) => tracing::warn!(upload = %id, "not finished yet"),
                Ok(_) => finished += 1,
                Err(error) => tracing::warn!(upload = %id, %error, "not finished yet"),
            }
        }
        Ok(finished)
    }

    /// Whether there is more that can be deleted, and time for it.
    async fn empty_batch(&self, now: At, began: Instant, swept: &mut Swept) -> Result<bool> {
        let before = swept.emptied;
        let mut tx = self.db.read().await?;
        let due = trash::due(&mut tx, now - trash::GRACE, BATCH).await?;
        drop(tx);
        for each in &due {
            if began.elapsed() > LONGEST || self.stopping.is_cancelled() {
                return Ok(false);
            }
            let Err(error) = self.empty(each).await else {
                swept.emptied += 1;
                continue;
            };
            tracing::warn!(key = each.key, %error, "not deleted yet");
            let mut tx = self.db.write().await?;
            trash::put_off(&mut tx, now - trash::GRACE, each).await?;
            tx.commit().await?;
        }
        Ok(due.len() == BATCH as usize && swept.emptied > before)
    }

    async fn empty(&self, trash: &Trash) -> Result<()> {
        if !trash.s3_upload_id.is_empty() {
            self.storage.abort_multipart(&trash.key, &trash.s3_upload_id).await?;
        } else if trash.key.ends_with('/') {
            let mut after = None;
            loop {
                let page = self.storage.list(&trash.key, after.as_deref()).await?;
                for object in &page.objects {
                    self.storage.delete(&object.key).await?;
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        } else {
            let mut tx = self.db.read().await?;
            // Whoever let go of it was wrong then. Nothing that a row names is ever deleted.
            let named = needed::is_named(&mut tx, &trash.key).await?;
            drop(tx);
            if named {
                tracing::error!(key = trash.key, "let go of, and named by a row: it stays");
            } else if sidecar::tells_more(&self.db, &self.storage, &trash.key).await? {
                tracing::error!(
                    key = trash.key,
                    "let go of by a database that is not the newest one: it stays; see weijia fsck"
                );
            } else {
                self.storage.delete(&trash.key).await?;
            }
        }
        let mut tx = self.db.write().await?;
        trash::emptied(&mut tx, trash).await?;
        Ok(tx.commit().await?)
    }
}
