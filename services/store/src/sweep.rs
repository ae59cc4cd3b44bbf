//! What crashes and forgetful clients leave behind: found and deleted when the store opens and every hour after that,
//! beside whatever is being read and written.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use weijia_core::db::Db;
use weijia_core::time::{At, Millis};

use crate::blobs::{BlobId, Blobs, DIGITS};
use crate::errors::Result;
use crate::{EmbeddedStore, index};

const EVERY: Duration = Duration::from_secs(3600);
/// A multipart upload to which nothing was added for so long is aborted. Whoever sends to us gives up on an upload
/// long before (the platform after 7 days without a byte), and a part may take days to fill on a poor line.
const ABANDONED_AFTER: Millis = Millis::days(30);

/// What sweeping has found since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Multipart uploads that nobody completed or aborted; aborted.
    pub uploads: usize,
    /// Writes that never finished; deleted.
    pub drafts: usize,
    /// Bytes that no row names; deleted.
    pub orphans: usize,
    /// Rows whose bytes are not there, as the last sweep saw it. This is damage: a crash alone cannot cause it.
    pub missing: usize,
}

impl Swept {
    pub fn and_then(self, later: Swept) -> Swept {
        Swept {
            uploads: self.uploads + later.uploads,
            drafts: self.drafts + later.drafts,
            orphans: self.orphans + later.orphans,
            missing: later.missing,
        }
    }
}

pub async fn regularly(store: EmbeddedStore, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(error) = store.sweep(At::now()).await {
            tracing::warn!(%error, "the store could not be swept; the next hour tries again");
        }
    }
}

pub async fn everything(blobs: &Blobs, index: &Db, now: At) -> Result<Swept> {
    let uploads = uploads(blobs, index, now).await?;
    let drafts = {
        let blobs = blobs.clone();
        spawn_blocking(move || blobs.sweep_drafts()).await??
    };
    let (mut orphans, mut missing) = (0, 0);
    for prefix in DIGITS.chars().flat_map(|a| DIGITS.chars().map(move |b| format!("{a}{b}"))) {
        let (lost, gone) = folder(blobs, index, prefix).await?;
        orphans += lost;
        missing += gone;
    }
    let swept = Swept { uploads, drafts, orphans, missing };
    if swept != Swept::default() {
        tracing::info!(?swept, "swept the store");
    }
    if swept.missing > 0 {
        tracing::error!(missing = swept.missing, "objects of this store have lost their bytes");
    }
    Ok(swept)
}

async fn uploads(blobs: &Blobs, index: &Db, now: At) -> Result<usize> {
    let mut tx = index.write().await?;
    let abandoned = index::abandoned_uploads(&mut tx, now - ABANDONED_AFTER).await?;
    let mut freed = Vec::new();
    for id in &abandoned {
        freed.extend(index::abort_upload(&mut tx, id).await?);
    }
    tx.commit().await?;
    blobs.discard(freed);
    Ok(abandoned.len())
}

/// Compares one folder with what the index names in it. A blob is made in the order name busy, file, row, name free, so
/// files are listed first, then the busy names, and the index is asked last: what is there, was not busy and has no row
/// by then will never have one. The reader keeps what is let go of meanwhile from looking lost.
async fn folder(blobs: &Blobs, index: &Db, prefix: String) -> Result<(usize, usize)> {
    let reader = blobs.reader();
    let (there, busy) = {
        let (blobs, prefix) = (blobs.clone(), prefix.clone());
        spawn_blocking(move || Ok::<_, io::Error>((blobs.list(&prefix)?, blobs.busy()))).await??
    };
    let named = index::blobs_named(&mut index.read().await?, &prefix).await?;
    let leaving = blobs.busy();
    let rows: HashSet<&str> = named.iter().map(|id| id.0.as_str()).collect();
    let known = |name: &String| rows.contains(name.as_str()) || busy.contains(name) || leaving.contains(name);
    let orphans: Vec<BlobId> = there.iter().filter(|name| !known(name)).cloned().map(BlobId).collect();
    let count = orphans.len();
    blobs.discard(orphans);
    let blobs = blobs.clone();
    let missing = spawn_blocking(move || {
        let missing = named.iter().filter(|id| !there.contains(&id.0) && !blobs.is_there(id)).count();
        drop(reader);
        missing
    });
    Ok((count, missing.await?))
}
