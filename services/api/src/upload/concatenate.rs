//! Concatenation: the server reads the partial uploads back and writes them through the same writer as everything that
//! comes in, so what is judged, hashed and durable is so in the same way. Cut off at any point, it goes on from the
//! durable offset: at the next start, or within a minute.

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use weijia_core::Result as CoreResult;
use weijia_core::ids::UploadId;
use weijia_core::storage::{Range, Storage};
use weijia_core::upload::{Kind, State, Upload, concat, sql};

use super::Uploads;
use super::parts::{Failure, patiently};
use super::patch::{self, Reached};
use crate::error::ApiError;

/// How often a break in the middle is mended at once.
const TRIES: usize = 3;

/// A part of a complete upload: where it lies, and what it was when it came.
struct Stretch {
    key: String,
    start: i64,
    len: i64,
    sha256: String,
}

impl Uploads {
    /// Brings to its end what needs nothing more from its client, and says how far that went.
    pub(super) async fn settle(&self, id: &UploadId) -> CoreResult<State> {
        let mut tx = self.db.read().await?;
        let upload = sql::find(&mut tx, id).await?;
        drop(tx);
        let settled = match (upload.state, upload.kind) {
            (State::Open, Kind::Final) => self.concatenate(id).await,
            (State::Open, _) => self.gather(id).await,
            _ => return self.finish(id).await,
        };
        if let Err(error) = settled {
            tracing::debug!(upload = %id, refusal = %error.refusal, "not settled");
        }
        self.finish(id).await
    }

    /// All of it is durable, and the last part in pieces.
    async fn gather(&self, id: &UploadId) -> Result<Reached, ApiError> {
        let seat = self.writers.sit(id, self.limits.handover).await;
        let (upload, durable) = self.take_over(id).await?;
        self.write(upload, durable, seat, None, &mut Body::empty()).await
    }

    /// Joins what a final upload is made of.
    pub(super) async fn concatenate(&self, id: &UploadId) -> Result<Reached, ApiError> {
        let mut reached = Err(patch::gone());
        for _ in 0..TRIES {
            let seat = self.writers.sit(id, self.limits.handover).await;
            let (upload, durable) = self.take_over(id).await?;
            let from = durable.offset;
            let mut body = if upload.state == State::Open { self.joined(id, from).await? } else { Body::empty() };
            reached = self.write(upload, durable, seat, None, &mut body).await;
            match &reached {
                Err(error) if error.status.is_server_error() && self.offset(id).await? > from => {}
                _ => return reached,
            }
        }
        reached
    }

    /// The bytes of a final upload from `from` on.
    async fn joined(&self, id: &UploadId, from: i64) -> CoreResult<Body> {
        let mut tx = self.db.read().await?;
        let sources = concat::sources(&mut tx, id).await?;
        drop(tx);
        self.read_back(&sources, from).await
    }

    /// The bytes of complete uploads, one after the other, from `from` on.
    pub(super) async fn read_back(&self, sources: &[Upload], from: i64) -> CoreResult<Body> {
        let mut tx = self.db.read().await?;
        let (mut stretches, mut end, mut skip) = (Vec::new(), 0, 0);
        for source in sources {
            let mut start = 0;
            for part in sql::durable(&mut tx, source).await?.parts {
                end += part.len;
                if end > from {
                    if stretches.is_empty() {
                        skip = part.len - (end - from);
                    }
                    let key = source.key.clone().unwrap_or_default();
                    stretches.push(Stretch { key, start, len: part.len, sha256: part.sha256 });
                }
                start += part.len;
            }
        }
        drop(tx);
        let (send, mut receive) = mpsc::channel(2);
        let storage = self.storage.clone();
        self.tasks.spawn(async move {
            if let Err(failure) = feed(&storage, stretches, skip as usize, &send).await {
                let _ = send.send(Err(failure)).await;
            }
        });
        Ok(Body::from_stream(stream::poll_fn(move |context| receive.poll_recv(context))))
    }
}

/// Reads each stretch to its end, although the first may be wanted only in part: what is not what was stored is lost. Its
/// last bytes are held back until that is known, so that a film is never whole before.
async fn feed(
    storage: &Storage,
    stretches: Vec<Stretch>,
    mut skip: usize,
    send: &mpsc::Sender<Result<Bytes, Failure>>,
) -> Result<(), Failure> {
    for stretch in stretches {
        let range = Range::Span(stretch.start as u64, (stretch.start + stretch.len - 1) as u64);
        let mut body = patiently(|| storage.get_range(&stretch.key, range)).await?;
        let mut sum = Sha256::new();
        let mut last = Bytes::new();
        while let Some(bytes) = body.stream.next().await {
            let mut bytes = bytes.map_err(|error| Failure::Unavailable(error.to_string()))?;
            sum.update(&bytes);
            let wanted = bytes.split_off(skip.min(bytes.len()));
            skip -= bytes.len();
            if send.send(Ok(std::mem::replace(&mut last, wanted))).await.is_err() {
                // The writer has ended.
                return Ok(());
            }
        }
        if hex::encode(sum.finalize()) != stretch.sha256 {
            tracing::error!(key = stretch.key, start = stretch.start, "a stretch is not what was stored");
            return Err(Failure::Lost);
        }
        if send.send(Ok(last)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The store has lost a stretch while it was read as a body: it can't come again.
pub(super) fn is_lost(error: &axum::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if matches!(inner.downcast_ref(), Some(Failure::Lost)) {
            return true;
        }
        cause = inner.source();
    }
    false
}
