//! The file she sent is lost, found, let go of, or everything is made of it once more.

use super::{drop_all, settle_as_it_is};
use crate::caption::{self, Origin};
use crate::clip::refusal::RefusalCode;
use crate::clip::{MediaState, sql};
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{ClipId, UserId, VersionId};
use crate::job::{self, JobKind};
use crate::storage::{keys, trash};
use crate::time::At;
use crate::{audit, on};

/// The store has lost the file she sent, or holds another: nothing more can be made of it. Its key and its sidecar
/// stay, and whatever the bucket has under them: a backup of the store may bring the file back ([`original_found`]).
pub async fn original_lost(tx: &mut Tx, now: At, version: &VersionId) -> Result<()> {
    job::cancel(tx, now, version.as_str()).await?;
    settle_as_it_is(tx, now, version, RefusalCode::Lost).await?;
    // Until now she was told that it was not lost.
    on!(tx, c => sqlx::query("update clip_versions set reason_code = $2 where id = $1 and reason_code = $3")
        .bind(version).bind(RefusalCode::Lost.code()).bind(RefusalCode::ProcessingFailed.code()).execute(c).await.map(drop))?;
    on!(tx, c => sqlx::query("update clip_versions set original_gone = 'lost', sidecar_rev = sidecar_rev + 1 where id = $1")
        .bind(version).execute(c).await.map(drop))?;
    Ok(())
}

/// The file she sent is whole under this key. Of one that had failed only because it was lost, a clip is made after all.
pub async fn original_found(
    tx: &mut Tx,
    now: At,
    version: &VersionId,
    owner: &UserId,
    key: &str,
    bytes: i64,
) -> Result<()> {
    let state: MediaState = on!(tx, c => sqlx::query_scalar(
            "update clip_versions set original_key = $2, bytes = $3, original_gone = null, sidecar_rev = sidecar_rev + 1,
                 state = case when state = 'failed' and reason_code = $4 then 'received' else state end,
                 reason_code = case when reason_code = $4 then null else reason_code end
             where id = $1 returning state")
        .bind(version).bind(key).bind(bytes).bind(RefusalCode::Lost.code()).fetch_one(c).await)?;
    if matches!(state, MediaState::Received | MediaState::Processing) {
        job::again(tx, now, JobKind::Prepare, version.as_str(), owner).await?;
    }
    Ok(())
}

/// The file she sent goes; what was made of it stays, and as long as that plays its sidecar, which tells of it.
pub(crate) async fn let_go_of_original(
    tx: &mut Tx,
    now: At,
    clip: &ClipId,
    version: &VersionId,
    why: &str,
) -> Result<()> {
    let key: Option<String> = on!(tx, c => sqlx::query_scalar("select original_key from clip_versions where id = $1")
        .bind(version).fetch_one(c).await)?;
    let plays: Option<At> = on!(tx, c => sqlx::query_scalar(
            "update clip_versions set original_key = null, original_gone = $2, sidecar_rev = sidecar_rev + 1
             where id = $1 returning playable_at")
        .bind(version).bind(why).fetch_one(c).await)?;
    let sidecar = plays.is_none().then(|| keys::sidecar(clip, version));
    for key in key.into_iter().chain(sidecar) {
        trash::put(tx, now, &key, None).await?;
    }
    Ok(())
}

/// Nothing of it is to stay: neither the file she sent nor anything that was made of it or found out about it.
pub(crate) async fn let_go_of_all(tx: &mut Tx, now: At, clip: &ClipId, version: &VersionId) -> Result<()> {
    drop_all(tx, now, version).await?;
    caption::sql::drop_all(tx, now, version, Origin::Attached).await?;
    on!(tx, c => sqlx::query(
            "update clip_versions set facts = null, width = null, height = null, duration_ms = null, playable_at = null
             where id = $1")
        .bind(version).execute(c).await.map(drop))?;
    let_go_of_original(tx, now, clip, version, "released").await
}

/// Has everything made anew of a version whose file is there, also of one that we did not get done. What plays goes on
/// playing until the new catches up or is all made. `false`: there is nothing to make it from, it was refused for what it
/// is, or it was taken back.
pub async fn make_again(tx: &mut Tx, now: At, version: &VersionId, owner: &UserId) -> Result<bool> {
    let rows = on!(tx, c => sqlx::query(
            "update clip_versions set state = 'processing', ready_at = null, failed_at = null, reason_code = null,
                 sidecar_rev = sidecar_rev + 1
             where id = $1 and (state in ('received', 'processing', 'ready') or (state = 'failed' and reason_code = $2))
               and original_key is not null and original_gone is null
               and clip_id in (select id from clips where state <> 'withdrawn')")
        .bind(version).bind(RefusalCode::ProcessingFailed.code()).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 1 {
        job::again(tx, now, JobKind::Prepare, version.as_str(), owner).await?;
    }
    Ok(rows == 1)
}

/// Makes what we did not get done of a clip once more, and answers how many versions that is. Of one that plays, something
/// may be missing all the same.
pub async fn retry(tx: &mut Tx, now: At, clip: &ClipId) -> Result<usize> {
    let owner = sql::lock(tx, clip).await?.owner_id;
    let not_done: Vec<VersionId> = on!(&mut *tx, c => sqlx::query_scalar(
            "select id from clip_versions v where clip_id = $1
                 and ((state = 'failed' and reason_code = $2)
                      or (state = 'ready' and exists (select 1 from jobs where subject = v.id and state = 'dead')))
             order by n")
        .bind(clip).bind(RefusalCode::ProcessingFailed.code()).fetch_all(c).await)?;
    let mut again = 0;
    for version in not_done {
        if make_again(tx, now, &version, &owner).await? {
            let detail = serde_json::json!({ "version": version });
            audit::append(tx, now, None, "clip.retried", clip.as_str(), &detail).await?;
            again += 1;
        }
    }
    Ok(again)
}
