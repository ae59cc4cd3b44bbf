//! The embedded object store: a real S3 endpoint that one binary can carry.
//!
//! `s3s` speaks the protocol (signatures, chunked bodies, XML); this crate keeps the bytes. What it promises:
//!
//! - **Durable before answered.** Bytes are synced, then their folder, then the row that makes them visible is
//!   committed with `synchronous=FULL`. An interrupted write leaves nothing that can be seen.
//! - **A key never becomes a path.** Keys are rows; files have random names, two folders deep.
//! - **Bytes never change in place.** Every write and every part is a new file. A part sent again replaces the old one
//!   only once it is whole, and completing a multipart upload is one transaction that moves no byte.
//! - **As strict as AWS**: part sizes and order, ETags, conditional writes that exclude each other, checksums.
//!
//! In the folder: `index.db` (what keys mean), `blobs/` (the bytes), `temp/` (writes under way), `lock`.

mod blobs;
mod body;
mod buckets;
mod conditions;
mod copying;
mod errors;
mod headers;
mod index;
mod leftover;
mod listing;
mod multipart;
mod objects;
mod reading;
mod server;
mod service;
mod sums;
pub mod testing;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;
use weijia_core::db::Db;

use blobs::{BlobId, Blobs, DIGITS, Draft};
use errors::Result;
pub use server::serve;

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct EmbeddedStore(Arc<Inner>);

struct Inner {
    blobs: Blobs,
    index: Db,
    /// Writes past the point where the client may still call them off.
    tasks: TaskTracker,
    swept: Swept,
}

/// What opening found that a crash had left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Writes that never finished; deleted.
    pub drafts: usize,
    /// Bytes that no row names; deleted.
    pub orphans: usize,
    /// Rows whose bytes are not there. This is damage: a crash alone cannot cause it.
    pub missing: usize,
}

impl EmbeddedStore {
    /// Opens the store in this folder, making it if need be, and sweeps up after the last run.
    pub async fn open(folder: &Path) -> io::Result<EmbeddedStore> {
        let root = folder.to_owned();
        let (blobs, drafts) = spawn_blocking(move || {
            let blobs = Blobs::open(&root)?;
            let drafts = blobs.sweep_drafts()?;
            Ok::<_, io::Error>((blobs, drafts))
        })
        .await
        .map_err(io::Error::other)??;
        let index = Db::open_with(&index_url(folder), &index::MIGRATIONS).await.map_err(io::Error::other)?;
        let mut swept = Swept { drafts, ..Swept::default() };
        sweep(&blobs, &index, &mut swept).await.map_err(io::Error::other)?;
        if swept != Swept::default() {
            tracing::info!(?swept, "swept the store");
        }
        if swept.missing > 0 {
            tracing::error!(missing = swept.missing, "objects of this store have lost their bytes");
        }
        Ok(EmbeddedStore(Arc::new(Inner { blobs, index, tasks: TaskTracker::new(), swept })))
    }

    pub fn swept(&self) -> Swept {
        self.0.swept
    }

    /// Waits for the writes under way and lets go of the index.
    pub async fn close(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.index.close().await;
    }

    fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    fn index(&self) -> &Db {
        &self.0.index
    }

    /// Runs work to its end even when the client hangs up: a commit that may have happened must never be followed by
    /// deleting what it points to.
    async fn settle<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        self.0.tasks.spawn(work).await?
    }

    /// Makes a draft durable.
    async fn place(&self, draft: Draft) -> Result<Placed> {
        let blobs = self.blobs().clone();
        let id = spawn_blocking(move || blobs.place(draft)).await??;
        Ok(Placed { store: self.clone(), id: Some(id) })
    }
}

/// A durable blob without a row. Dropped, it is deleted, unless [`Placed::keep`] said that a commit is on its way.
struct Placed {
    store: EmbeddedStore,
    id: Option<BlobId>,
}

impl Placed {
    fn id(&self) -> BlobId {
        self.id.clone().unwrap_or_else(|| BlobId(String::new()))
    }

    /// From here on only the index knows. If the commit fails after all, the next start sweeps the orphan.
    fn keep(mut self) {
        self.id = None;
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.store.blobs().discard(self.id.take());
    }
}

/// Compares what lies in the folders with what the index names, one folder at a time.
async fn sweep(blobs: &Blobs, index: &Db, swept: &mut Swept) -> Result<()> {
    let mut tx = index.read().await?;
    for prefix in DIGITS.chars().flat_map(|a| DIGITS.chars().map(move |b| format!("{a}{b}"))) {
        let named = index::blobs_named(&mut tx, &prefix).await?;
        let blobs = blobs.clone();
        let (orphans, missing) = spawn_blocking(move || {
            let there = blobs.list(&prefix)?;
            let orphans: Vec<&BlobId> = there.iter().filter(|id| named.binary_search(id).is_err()).collect();
            for id in &orphans {
                blobs.delete(id)?;
            }
            Ok::<_, io::Error>((orphans.len(), named.len() + orphans.len() - there.len()))
        })
        .await??;
        swept.orphans += orphans;
        swept.missing += missing;
    }
    Ok(())
}

/// A folder may be called anything; the address of its database is text with an escape.
fn index_url(folder: &Path) -> String {
    let path = folder.join("index.db").display().to_string();
    format!("sqlite:{}", path.replace('%', "%25").replace('?', "%3f"))
}
