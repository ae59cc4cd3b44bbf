//! A few times a day, on one of the machines: what nobody needs any more is let go of.

use std::time::Duration;

use weijia_core::time::{At, Millis};
use weijia_core::upkeep::{orphans, retention};
use weijia_core::{Result, installation};

use crate::state::AppState;

/// How often each machine looks whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);
/// A walk through everything there is.
const EVERY: Millis = Millis::hours(6);

/// Until the server stops.
pub async fn keep_tidy(state: &AppState) {
    loop {
        tokio::select! {
            () = state.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if let Err(error) = tidy(state, At::now()).await {
            tracing::warn!(%error, "the store could not be tidied up, trying again later");
        }
    }
}

async fn tidy(state: &AppState, now: At) -> Result<()> {
    let mut tx = state.db.write().await?;
    let ours = installation::claim(&mut tx, "tidied_at", now, EVERY).await?;
    tx.commit().await?;
    if !ours {
        return Ok(());
    }
    let released = retention::release(&state.db, now).await?;
    let swept = orphans::sweep(&state.db, &state.storage, now, orphans::GRACE).await?;
    tracing::info!(released, ?swept, "tidied up");
    Ok(())
}
