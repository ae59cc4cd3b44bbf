//! tus 1.0 at `/api/v1/uploads`: core, creation, creation-with-upload, creation-defer-length, termination, expiration,
//! checksum (also as a trailer) and concatenation.
//!
//! Only the owner of an upload may see it; for everybody else it does not exist. A 204 means durable. The last 204 means
//! that the object is whole, its version received and its job enqueued.
//!
//! Objects: `originals/{version}/{epoch}` is the file, `partials/{upload}/{epoch}` a stretch to be joined,
//! `tails/{upload}/…` what is durable of a part that is still growing, `sidecars/{clip}/{version}.json` what the database
//! knows of it. Parts are at least 8 MiB and at most 10,000, so a file may be as large as the setting says, up to 468 GiB.

mod allowance;
mod checksum;
mod concatenate;
mod create;
mod creation;
mod cross_origin;
mod finish;
mod head;
mod leftover;
mod memory;
mod method_override;
mod options;
mod parts;
mod patch;
mod protocol;
mod reconcile;
mod reuse;
mod room;
mod same_length;
mod terminate;
mod writer;
mod writers;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::middleware;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weijia_core::db::Db;
use weijia_core::storage::Storage;
use weijia_core::upload::quota::Quota;
use weijia_core::upload::rules;

use crate::state::AppState;

pub use cross_origin::cross_origin;
pub use leftover::leftover;
pub use method_override::overridden;
pub use reconcile::Swept;
pub use room::Room;

/// Where uploads are.
const PATH: &str = "/api/v1/uploads";

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create_upload))
        .routes(routes!(head::get_upload_offset, patch::append_upload, terminate::terminate_upload))
        .route("/uploads", axum::routing::options(options::discover))
        .route("/uploads/{upload}", axum::routing::options(options::discover))
        .layer(middleware::from_fn(protocol::speak_tus))
        .routes(routes!(same_length::may_reuse_upload, reuse::reuse_upload))
        .routes(routes!(allowance::get_upload_allowance))
}

/// How long things may take, and how large they may be.
#[derive(Debug, Clone)]
pub struct Limits {
    /// No longer than [`Quota::per_file`], nor than the parts suffice for.
    pub max_length: i64,
    pub quota: Quota,
    /// The disk to keep an eye on, where the store is on one of ours.
    pub room: Option<Room>,
    /// A pause after which what came is made durable.
    pub idle_flush: Duration,
    /// How old a byte may get before it is durable.
    pub flush_every: Duration,
    /// A pause after which the request is ended.
    pub idle_end: Duration,
    /// How long a newer request waits for an older one to store what it has.
    pub handover: Duration,
    /// Memory for all uploads together, besides 128 KiB for each.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_length: i64::MAX,
            quota: Quota::default(),
            room: None,
            idle_flush: Duration::from_secs(10),
            flush_every: Duration::from_secs(30),
            idle_end: Duration::from_secs(60),
            handover: Duration::from_secs(5),
            memory: memory::POOL,
        }
    }
}

/// What all uploads of this process share.
#[derive(Clone)]
pub struct Uploads(Arc<Shared>);

pub struct Shared {
    db: Db,
    storage: Storage,
    limits: Limits,
    pool: memory::Pool,
    writers: writers::Writers,
    /// Writers outlive their connection until what came is durable.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl std::ops::Deref for Uploads {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Uploads {
    /// When `stopping` is cancelled, every writer makes durable what it has and answers.
    pub fn new(db: Db, storage: Storage, limits: Limits, stopping: CancellationToken) -> Uploads {
        Uploads(Arc::new(Shared {
            pool: memory::Pool::new(limits.memory),
            db,
            storage,
            limits: Limits {
                max_length: limits.max_length.min(limits.quota.per_file).min(rules::MAX_LENGTH),
                ..limits
            },
            writers: writers::Writers::default(),
            tasks: TaskTracker::new(),
            stopping,
        }))
    }

    /// After `stopping`: waits until no writer is at work any more.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl FromRef<AppState> for Uploads {
    fn from_ref(state: &AppState) -> Uploads {
        state.uploads.clone()
    }
}
