//! The rest of a request's body. An answer given before the body was read (a failed condition, a wrong signature) would
//! end the connection under a client that is still sending, and it would see a broken pipe instead of the answer.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// The largest rest that is read away, and how long that may take; beyond it a broken pipe is cheaper for both sides.
const MOST: usize = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that two hold: the one that reads it, and the one that reads away what is left.
#[derive(Clone)]
pub struct Shared {
    body: Arc<Mutex<Incoming>>,
    asked_for: Arc<AtomicBool>,
}

impl Shared {
    pub fn new(body: Incoming) -> Shared {
        Shared { body: Arc::new(Mutex::new(body)), asked_for: Arc::default() }
    }

    fn body(&self) -> MutexGuard<'_, Incoming> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody has begun to read: who asked first whether to send was told then to go on.
    pub fn was_asked_for(&self) -> bool {
        self.asked_for.load(Relaxed)
    }

    /// Reads away what nobody has read.
    pub async fn drain(mut self) {
        if self.is_end_stream() {
            return;
        }
        let mut read = 0;
        let reading = async {
            while let Some(Ok(frame)) = self.frame().await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > MOST {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(PATIENCE, reading).await;
    }
}

impl http_body::Body for Shared {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.asked_for.store(true, Relaxed);
        Pin::new(&mut *self.body()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}
