//! Uploads that come to nothing because of another one, of their creation, or of their emptiness. What was acknowledged
//! of one never goes because of a request that fails.

use super::sql::{Ending, durable, end, give_up};
use super::{State, Upload};
use crate::clip::create::{self, Renamed};
use crate::clip::refusal::RefusalCode;
use crate::clip::sql::lock;
use crate::db::Tx;
use crate::error::{OrNotFound, Result};
use crate::ids::ClipId;
use crate::on;
use crate::time::{At, Millis};

/// Bytes that arrive are durable long before.
const SILENT: Millis = Millis::minutes(2);

/// Before the first byte of a version counts: what still waits for bytes of an older version of the clip is given up.
/// She has chosen another file, and now it comes through.
pub async fn supersede(tx: &mut Tx, now: At, upload: &Upload) -> Result<()> {
    let (Some(clip), Some(of)) = (&upload.clip_id, &upload.version_id) else { return Ok(()) };
    let older: Vec<Upload> = on!(&mut *tx, c => sqlx::query_as(
            "select u.* from uploads u join clip_versions v on v.id = u.version_id
             where u.clip_id = $1 and u.state = 'open' and v.n < (select n from clip_versions where id = $2)
             order by v.n")
        .bind(clip).bind(of).fetch_all(c).await)?;
    give_all_up(tx, now, clip, older).await
}

/// Before yet another version of a clip is begun: what was begun for it, brought nothing, and has been silent since. An
/// answer that was lost, asked for again and again, would use up her day and the number that may be open.
pub async fn clear_bare(tx: &mut Tx, now: At, clip: &ClipId) -> Result<()> {
    let bare: Vec<Upload> = on!(&mut *tx, c => sqlx::query_as(
            "select u.* from uploads u where u.clip_id = $1 and u.state = 'open' and u.updated_at <= $2
                 and not exists (select 1 from upload_parts p where p.upload_id = u.id)
                 and not exists (select 1 from upload_tails t where t.upload_id = u.id)")
        .bind(clip).bind(now - SILENT).fetch_all(c).await)?;
    give_all_up(tx, now, clip, bare).await
}

async fn give_all_up(tx: &mut Tx, now: At, clip: &ClipId, uploads: Vec<Upload>) -> Result<()> {
    if !uploads.is_empty() {
        lock(tx, clip).await?;
    }
    for upload in uploads {
        give_up(tx, now, &upload, Ending::Terminated).await?;
    }
    Ok(())
}

/// The bytes that came with a creation were refused: what it made goes, as if it had not been asked for. Not what has
/// bytes by now: some of them came through, or the same creation was asked for again. `false`: it stays.
pub async fn undo(tx: &mut Tx, now: At, made: &Upload, renamed: Option<&Renamed>) -> Result<bool> {
    if let Some(clip) = &made.clip_id {
        lock(tx, clip).await?;
    }
    let sql = tx.locking("select * from uploads where id = $1");
    let upload: Upload =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(&made.id).fetch_optional(c).await).or_not_found()?;
    if upload.state != State::Open || durable(tx, &upload).await?.offset > 0 {
        return Ok(false);
    }
    give_up(tx, now, &upload, Ending::Terminated).await?;
    match (&upload.clip_id, renamed) {
        (Some(clip), Some(renamed)) => create::name_back(tx, clip, renamed).await?,
        (Some(clip), None) => create::discard_if_bare(tx, now, clip).await?,
        (None, _) => {}
    }
    Ok(true)
}

/// A file that turned out to be empty, as it now stands. She is told at once, so there is nothing to keep of it.
pub(super) async fn refuse_empty(tx: &mut Tx, now: At, upload: &Upload) -> Result<Upload> {
    let how = Ending::Failed { epoch: upload.epoch, code: RefusalCode::Empty };
    if end(tx, now, &upload.id, how).await?
        && let (Some(clip), Some(version)) = (&upload.clip_id, &upload.version_id)
    {
        create::abandoned(tx, now, version).await?;
        create::discard_if_bare(tx, now, clip).await?;
    }
    super::sql::find(tx, &upload.id).await
}

#[cfg(test)]
#[path = "giving_up_tests.rs"]
mod tests;
