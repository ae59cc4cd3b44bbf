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
//! - **Nothing outside its folder.** No name from a request reaches the file system; links in the folder are refused.
//! - **Nothing is deleted because the index doesn't know it.** The index may be a wrong one: bytes without a row are
//!   laid aside for a week, or left alone when they are many, and a store whose index is gone doesn't open.
//!
//! In the folder: `index.db` (what keys mean), `blobs/` (the bytes), `temp/` (writes under way), `lost-and-found/`
//! (bytes that no row names), `lock`. Index and blobs belong together: a backup holds both, as of one moment.
//!
//! # Where it knowingly differs from Amazon's
//!
//! | asked for | Amazon S3 | here |
//! |---|---|---|
//! | versions (a `versionId` other than `null`) | kept | `NotImplemented` (`NoSuchVersion`) |
//! | tags, ACLs, policies, encryption, object lock, lifecycle, website, CORS rules | done | `NotImplemented` |
//! | storage classes, select, forms (POST) | done | `NotImplemented` |
//! | a sub-resource that nobody knows (`?x`) | ignored | `NotImplemented`: no newer operation is taken for a PUT |
//! | a `Range` that cannot be read, or of several stretches | ignored, the whole object | `InvalidArgument` |
//! | a signature of version 2 | accepted in old regions | `InvalidRequest` |
//! | another region in the signature | `AuthorizationHeaderMalformed` | accepted: there is one region |
//! | a service other than `s3` in the signature | `AuthorizationHeaderMalformed` | the same, or `NotImplemented` |
//! | anonymous requests | as the bucket's policy says | `AccessDenied`, always |
//! | a signed address with an unreadable date or credential | `AuthorizationQueryParametersError` | `InvalidRequest` |
//! | `Content-MD5` of an XML body | compared | not compared: the signature covers the body |
//! | XML in chunks, or over 4 MiB | accepted, or `MalformedXML` | `MissingContentLength`, `MaxMessageLengthExceeded` |
//! | the checksum of a multipart object | computed from the parts' | kept when the completion names it; verified then |
//! | completing again | answered alike for a while | answered alike for as long as the key means that object |
//! | an object whose bytes the disk has lost | doesn't happen | `ObjectDamaged` (500), before any byte is answered |
//! | a multipart upload that nobody ends | kept and charged for | aborted 30 days after the last part |
//! | a continuation token of another list | refused | read as a place in the order of keys |
//! | the empty chunk behind signed chunks | required | not missed: the signed length has come, every chunk verified |
//! | CORS | as the bucket says | any origin may; every request is signed anyway |

mod access;
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
mod lost;
mod multipart;
mod objects;
mod paging;
mod readers;
mod reading;
mod server;
mod service;
mod sums;
mod sweep;
pub mod testing;
mod unfinished;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;
use weijia_core::db::{Db, Tx};
use weijia_core::time::At;

use blobs::{BlobId, Blobs, Busy, Draft};
use errors::Result;
pub use sweep::Swept;

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct EmbeddedStore(Arc<Inner>);

struct Inner {
    blobs: Blobs,
    index: Db,
    /// Writes past the point where the client may still call them off.
    tasks: TaskTracker,
    /// Opened by somebody who only looks: nothing is cleared away.
    looks: bool,
    swept: Mutex<Swept>,
}

impl EmbeddedStore {
    /// Opens the store in this folder, making it if need be, and sweeps up after the last run.
    ///
    /// [`io::ErrorKind::ResourceBusy`]: another process has it open. [`io::ErrorKind::InvalidData`]: its index is gone,
    /// which the error says to people, in their language.
    pub async fn open(folder: &Path) -> io::Result<EmbeddedStore> {
        EmbeddedStore::open_to(folder, false).await
    }

    /// The same for who only looks: no sweep of this store clears anything away, it only counts what it would.
    pub async fn open_to_look(folder: &Path) -> io::Result<EmbeddedStore> {
        EmbeddedStore::open_to(folder, true).await
    }

    async fn open_to(folder: &Path, looks: bool) -> io::Result<EmbeddedStore> {
        let root = folder.to_owned();
        let blobs = spawn_blocking(move || {
            let blobs = Blobs::open(&root)?;
            require_index(&blobs)?;
            Ok::<_, io::Error>(blobs)
        });
        let blobs = blobs.await.map_err(io::Error::other)??;
        let index = Db::open_with(&index_url(folder), &index::MIGRATIONS).await.map_err(io::Error::other)?;
        let inner = Inner { blobs, index, tasks: TaskTracker::new(), looks, swept: Mutex::default() };
        let store = EmbeddedStore(Arc::new(inner));
        store.sweep(At::now()).await?;
        Ok(store)
    }

    /// Clears away what crashes and forgetful clients left behind, and answers what it found. Runs beside everything
    /// else.
    pub async fn sweep(&self, now: At) -> io::Result<Swept> {
        let found = if self.0.looks {
            sweep::look(self.blobs(), self.index()).await
        } else {
            sweep::everything(self.blobs(), self.index(), now).await
        };
        let found = found.map_err(io::Error::other)?;
        let mut swept = self.0.swept.lock().unwrap_or_else(PoisonError::into_inner);
        *swept = swept.and_then(found);
        Ok(found)
    }

    /// What all sweeps have found since the store was opened.
    pub fn swept(&self) -> Swept {
        *self.0.swept.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (blobs, turn) = (self.blobs().clone(), self.blobs().turn().await);
        let place = move || {
            let _turn = turn;
            blobs.place(draft)
        };
        let busy = spawn_blocking(place).await??;
        Ok(Placed { store: self.clone(), id: busy.id(), kept: false, _busy: busy })
    }
}

/// A durable blob that may not have its row yet. Dropped, it is deleted, unless its row may be there: see
/// [`Placed::commit`].
struct Placed {
    store: EmbeddedStore,
    id: BlobId,
    kept: bool,
    _busy: Busy,
}

impl Placed {
    /// Commits the row that names it. Where nobody knows whether that worked, as on a full disk, the index tells: what it
    /// does not name would otherwise pile up with every try, and fill the disk for good.
    async fn commit(mut self, tx: Tx) -> Result<()> {
        self.kept = true;
        let Err(error) = tx.commit().await else { return Ok(()) };
        let named = index::blob_exists(&mut self.store.index().read().await?, &self.id).await?;
        self.kept = named;
        if named { Ok(()) } else { Err(error.into()) }
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if !self.kept {
            self.store.blobs().discard([self.id.clone()]);
        }
    }
}

/// Beside blobs, a new index would mean that none of them is anybody's.
fn require_index(blobs: &Blobs) -> io::Result<()> {
    let index = blobs.root().join("index.db");
    let count = if index.metadata().is_ok_and(|found| found.len() > 0) { 0 } else { blobs.count()? };
    if count == 0 {
        return Ok(());
    }
    let text = format!(
        "{} 不见了，而它旁边的 blobs 里还有 {count} 个文件：没有它，谁也说不出哪个文件是哪条片子。文件一个也没有动。\
         把和 blobs 一起备份的 index.db（有 index.db-wal 就连它一起）放回来，再来一次",
        index.display()
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// A folder may be called anything; the address of its database is text with an escape.
fn index_url(folder: &Path) -> String {
    let path = folder.join("index.db").display().to_string();
    format!("sqlite:{}", path.replace('%', "%25").replace('?', "%3f"))
}
