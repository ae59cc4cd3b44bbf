//! A few times a day, on one of the machines: what nobody needs any more is let go of.

use std::time::Duration;

use weijia_core::time::{At, Millis};
use weijia_core::upkeep::{clock, orphans, retention};
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
    if !clock::is_steady(&state.db, now).await? {
        return Ok(());
    }
    let mut tx = state.db.write().await?;
    let ours = installation::claim(&mut tx, "tidied_at", now, EVERY).await?;
    tx.commit().await?;
    if !ours {
        return Ok(());
    }
    let released = retention::release(&state.db, now).await?;
    let swept = orphans::sweep(&state.db, &state.storage, now, orphans::GRACE).await?;
    if swept.unknown > 0 {
        tracing::error!(
            objects = swept.unknown,
            "the bucket has clips that the database does not know: it is not the newest one; see weijia fsck"
        );
    }
    if swept.held_back > 0 {
        tracing::error!(objects = swept.held_back, "too much is left over to be swept unseen; see weijia fsck");
    }
    let mut tx = state.db.write().await?;
    installation::set(&mut tx, installation::UNKNOWN, &swept.unknown.to_string()).await?;
    installation::set(&mut tx, installation::HELD_BACK, &swept.held_back.to_string()).await?;
    tx.commit().await?;
    tracing::info!(released, ?swept, "tidied up");
    Ok(())
}
