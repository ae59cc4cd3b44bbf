//! What crashes and forgetful clients leave behind: found and cleared away when the store opens and every hour after
//! that, beside whatever is being read and written. Bytes without a row are only laid aside: the index may be the one
//! that is wrong.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use weijia_core::db::Db;
use weijia_core::time::{At, Millis};

use crate::blobs::{BlobId, Blobs, prefixes, sync_folder};
use crate::errors::Result;
use crate::{EmbeddedStore, index};

const EVERY: Duration = Duration::from_secs(3600);
/// A multipart upload to which nothing was added for so long is aborted. Whoever sends to us gives up on an upload
/// long before (the platform after 7 days without a byte), and a part may take days to fill on a poor line.
const ABANDONED_AFTER: Millis = Millis::days(30);

/// So many files without a row, when they are more than one in a hundred, no crash leaves behind: the index is another
/// one's, or older than the files.
const NO_ACCIDENT: usize = 100;
/// How many keys a line of the log names.
const NAMED: usize = 20;

/// What sweeping has found since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Multipart uploads that nobody completed or aborted; aborted, and their bytes laid aside.
    pub uploads: usize,
    /// Writes that never finished; deleted.
    pub drafts: usize,
    /// Files that no row names; laid aside in `lost-and-found`.
    pub orphans: usize,
    /// Laid aside once, and named by the index again; put back.
    pub returned: usize,
    /// Laid aside long enough; deleted.
    pub expired: usize,
    /// Files that no row names and that are too many for an accident, as the last sweep saw it. All are left alone.
    pub unexplained: usize,
    /// Rows whose bytes are not there, as the last sweep saw it. This is damage: a crash alone cannot cause it.
    pub missing: usize,
}

impl Swept {
    pub fn and_then(self, later: Swept) -> Swept {
        Swept {
            uploads: self.uploads + later.uploads,
            drafts: self.drafts + later.drafts,
            orphans: self.orphans + later.orphans,
            returned: self.returned + later.returned,
            expired: self.expired + later.expired,
            ..later
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

/// Looks first and judges what it sees as a whole, before anything is cleared away.
pub async fn everything(blobs: &Blobs, index: &Db, now: At) -> Result<Swept> {
    let returned = bring_back(blobs, index).await?;
    finish_deleting(blobs, index).await?;
    let seen = Swept { returned, ..look(blobs, index).await? };
    if seen.unexplained > 0 {
        return Ok(seen);
    }
    let uploads = uploads(blobs, index, now).await?;
    let drafts = on_disk(blobs, |blobs| blobs.sweep_drafts()).await?;
    let mut orphans = 0;
    if seen.orphans > 0 {
        for prefix in prefixes() {
            let found = folder(blobs, index, prefix.clone()).await?.orphans;
            orphans += lay_aside(blobs, found.into_iter().map(|name| (prefix.clone(), name)).collect(), now).await?;
        }
    }
    // Where bytes are missing, somebody may come to look for them.
    let expired =
        if seen.missing == 0 { on_disk(blobs, move |blobs| blobs.empty_lost_and_found(now)).await? } else { 0 };
    let swept = Swept { uploads, drafts, orphans, expired, ..seen };
    if swept != Swept::default() {
        tracing::info!(?swept, "swept the store");
    }
    Ok(swept)
}

/// What a sweep would find, without touching anything.
pub async fn look(blobs: &Blobs, index: &Db) -> Result<Swept> {
    let (mut files, mut orphans, mut missing, mut keys) = (0, 0, 0, Vec::new());
    for prefix in prefixes() {
        let found = folder(blobs, index, prefix).await?;
        files += found.files;
        orphans += found.orphans.len();
        missing += found.missing.len();
        for id in found.missing.iter().take(NAMED - keys.len()) {
            keys.extend(index::key_of(&mut index.read().await?, id).await?);
        }
    }
    if missing > 0 {
        tracing::error!(missing, ?keys, "objects of this store have lost their bytes");
    }
    if orphans <= NO_ACCIDENT || orphans * 100 <= files {
        return Ok(Swept { orphans, missing, ..Swept::default() });
    }
    let text = "so many files have no row that index.db can't be the one that belongs to them; nothing is touched";
    tracing::error!(files, orphans, missing, "{text}");
    Ok(Swept { unexplained: orphans, missing, ..Swept::default() })
}

async fn on_disk<T: Send + 'static>(
    blobs: &Blobs,
    work: impl FnOnce(&Blobs) -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let blobs = blobs.clone();
    Ok(spawn_blocking(move || work(&blobs)).await??)
}

/// After the right index was put back.
async fn bring_back(blobs: &Blobs, index: &Db) -> Result<usize> {
    let mut count = 0;
    for name in on_disk(blobs, |blobs| blobs.lost()).await? {
        let id = BlobId(name);
        if index::blob_exists(&mut index.read().await?, &id).await? {
            on_disk(blobs, move |blobs| blobs.bring_back(&id)).await?;
            count += 1;
        }
    }
    Ok(count)
}

async fn lay_aside(blobs: &Blobs, files: Vec<(String, String)>, now: At) -> Result<usize> {
    let work = move |blobs: &Blobs| {
        let mut count = 0;
        for (prefix, name) in files {
            count += usize::from(blobs.lay_aside(&prefix, &name, now)?);
        }
        Ok(count)
    };
    on_disk(blobs, work).await
}

/// Deletes what was let go of before a stop came in between, and forgets it once that is durable. What is still being
/// read waits for the next sweep.
async fn finish_deleting(blobs: &Blobs, index: &Db) -> Result<()> {
    let freed = index::freed(&mut index.read().await?).await?;
    let (gone, left): (Vec<_>, Vec<_>) =
        on_disk(blobs, |blobs| Ok(freed.into_iter().partition(|id| !blobs.exists(id)))).await?;
    let folders: HashSet<String> = gone.iter().map(|id| id.0[0..2].to_owned()).collect();
    on_disk(blobs, move |blobs| folders.iter().try_for_each(|prefix| sync_folder(&blobs.leaf_folder(prefix)))).await?;
    let mut tx = index.write().await?;
    index::forget_freed(&mut tx, &gone).await?;
    tx.commit().await?;
    blobs.discard(left);
    Ok(())
}

/// The bytes are laid aside like all that has lost its row: in an older index an upload looks abandoned that has long
/// become an object. Aside first, where readers and a sweep find them if the commit never comes.
async fn uploads(blobs: &Blobs, index: &Db, now: At) -> Result<usize> {
    let abandoned = index::abandoned_uploads(&mut index.read().await?, now - ABANDONED_AFTER).await?;
    let mut count = 0;
    for id in abandoned {
        let mut tx = index.write().await?;
        // A part may have come meanwhile.
        if !index::abandoned_uploads(&mut tx, now - ABANDONED_AFTER).await?.contains(&id) {
            continue;
        }
        let disowned = index::disown_upload(&mut tx, &id).await?;
        lay_aside(blobs, disowned.into_iter().map(|id| (id.0[0..2].to_owned(), id.0)).collect(), now).await?;
        tx.commit().await?;
        count += 1;
    }
    Ok(count)
}

struct Folder {
    files: usize,
    orphans: Vec<String>,
    missing: Vec<BlobId>,
}

/// Compares one folder with what the index names in it. A blob is made in the order name busy, file, row, name free, so
/// files are listed first, then the busy names, and the index is asked last: what is there, was not busy and has no row
/// by then will never have one. The reader keeps what is let go of meanwhile from looking lost.
async fn folder(blobs: &Blobs, index: &Db, prefix: String) -> Result<Folder> {
    let reader = blobs.reader();
    let begin = prefix.clone();
    let (there, busy) = on_disk(blobs, move |blobs| Ok((blobs.list(&begin)?, blobs.busy()))).await?;
    let mut tx = index.read().await?;
    let named = index::blobs_named(&mut tx, &prefix).await?;
    let freed = index::freed_named(&mut tx, &prefix).await?;
    drop(tx);
    let leaving = blobs.busy();
    let rows: HashSet<&str> = named.iter().chain(&freed).map(|id| id.0.as_str()).collect();
    let known = |name: &str| rows.contains(name) || busy.contains(name) || leaving.contains(name);
    let orphans: Vec<String> = there.iter().filter(|name| !known(name)).cloned().collect();
    let missing = move |blobs: &Blobs| {
        let gone = named.into_iter().filter(|id| !there.contains(&id.0) && blobs.len(id).is_err()).collect();
        drop(reader);
        Ok((there.len(), gone))
    };
    let (files, missing) = on_disk(blobs, missing).await?;
    Ok(Folder { files, orphans, missing })
}
