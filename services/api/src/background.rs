//! What the server does beside answering.

use std::time::Duration;

use weijia_core::join::tries;
use weijia_core::review::queue;
use weijia_core::time::At;

use crate::state::AppState;
use crate::upkeep;

const EVERY: Duration = Duration::from_secs(60);

/// Until the server is asked to stop and every upload has made durable what it has.
pub async fn run(state: AppState) {
    // A future that holds all of this itself is nested more deeply than an optimising compiler looks.
    let reconciled = Box::pin(state.uploads.clone().keep_reconciled());
    tokio::join!(reconciled, keep_the_queue_moving(&state), upkeep::keep_tidy(&state));
    state.uploads.drained().await;
}

/// A mentor's lease ends also while nobody looks at the queue: the trainee is told how her clip stands. And who waits too
/// long is told of.
async fn keep_the_queue_moving(state: &AppState) {
    loop {
        match queue::sweep(&state.db).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "tickets are back in the queue"),
            Err(error) => tracing::warn!(%error, "the queue could not be swept, trying again later"),
        }
        match queue::escalate(&state.db).await {
            Ok(0) => {}
            Ok(steps) => tracing::info!(steps, "clips that wait too long were told of"),
            Err(error) => tracing::warn!(%error, "what waits too long could not be told of, trying again later"),
        }
        if let Err(error) = tries::sweep(&state.db, At::now()).await {
            tracing::warn!(%error, "old tries at doors could not be swept, trying again later");
        }
        tokio::select! {
            () = state.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
