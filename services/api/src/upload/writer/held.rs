//! A request that counts as a whole or not at all: what the store has of it waits for its end.

use weijia_core::clip::refusal::RefusalCode;
use weijia_core::upload::Part;

use super::{Condition, Failure, Writer};

/// What the store has of such a request before all of it has come.
pub(super) struct Held {
    pub(super) condition: Condition,
    pub(super) refusal: Option<RefusalCode>,
    pub(super) parts: Vec<Part>,
    pub(super) tails: Vec<String>,
}

impl Writer {
    /// The body adds up: all of it counts, at once.
    pub(super) async fn count_held(&mut self) -> Result<(), Failure> {
        self.flush().await?;
        let Some(held) = self.held.take() else { return Ok(()) };
        let mut tails = held.tails;
        let fresh: Vec<_> = self.pieces.iter().filter(|piece| tails.contains(&piece.key)).cloned().collect();
        self.uploads.count(&self.upload, held.condition.length, &held.parts, &fresh).await?;
        // The others have become part of a part.
        tails.retain(|key| fresh.iter().all(|piece| piece.key != *key));
        self.uploads.let_go(&self.upload, &[], tails).await;
        Ok(())
    }
}
