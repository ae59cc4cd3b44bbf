//! Who is writing which upload in this process. The epoch in SQL decides who may record; this only lets a newer request
//! ask the older writer politely first, so that what it still holds becomes durable instead of being sent again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weijia_core::ids::UploadId;

#[derive(Clone, Default)]
pub struct Writers(Arc<Mutex<HashMap<UploadId, Arc<Chair>>>>);

#[derive(Default)]
struct Chair {
    /// Somebody newer wants to sit here.
    wanted: CancellationToken,
    left: CancellationToken,
}

/// The right to be the upload's writer in this process, until dropped.
pub struct Seat {
    writers: Writers,
    upload: UploadId,
    chair: Arc<Chair>,
}

impl Writers {
    fn chairs(&self) -> MutexGuard<'_, HashMap<UploadId, Arc<Chair>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Asks whoever writes this upload to store what it has and leave, and waits for that, but not for ever: one that
    /// hangs loses its right with the epoch.
    pub async fn sit(&self, upload: &UploadId, patience: Duration) -> Seat {
        let chair = Arc::new(Chair::default());
        let before = self.chairs().insert(upload.clone(), chair.clone());
        let seat = Seat { writers: self.clone(), upload: upload.clone(), chair };
        if let Some(before) = before {
            before.wanted.cancel();
            let _ = tokio::time::timeout(patience, before.left.cancelled()).await;
        }
        seat
    }
}

impl Seat {
    pub fn wanted(&self) -> &CancellationToken {
        &self.chair.wanted
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.chair.left.cancel();
        let mut chairs = self.writers.chairs();
        // A newer one may be sitting there by now.
        if chairs.get(&self.upload).is_some_and(|chair| Arc::ptr_eq(chair, &self.chair)) {
            chairs.remove(&self.upload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_writer_waits_until_the_older_has_left() {
        let (writers, upload) = (Writers::default(), UploadId::new());
        let old = writers.sit(&upload, Duration::ZERO).await;
        let newer = tokio::spawn({
            let (writers, upload) = (writers.clone(), upload.clone());
            async move { writers.sit(&upload, Duration::from_secs(60)).await }
        });
        old.wanted().cancelled().await;
        assert!(!newer.is_finished());
        drop(old);
        let newer = newer.await.unwrap();
        assert!(!newer.wanted().is_cancelled());
        drop(newer);
        assert!(writers.chairs().is_empty());
    }

    #[tokio::test]
    async fn one_that_hangs_is_not_waited_for_for_ever() {
        let (writers, upload) = (Writers::default(), UploadId::new());
        let _hanging = writers.sit(&upload, Duration::ZERO).await;
        let newer = writers.sit(&upload, Duration::from_millis(5)).await;
        assert!(!newer.wanted().is_cancelled());
    }
}
