//! Verbs on uploads. What a writer records is guarded by its epoch: when a newer writer has taken over, nothing happens
//! and the answer is [`Error::Conflict`].

use super::{Durable, EXPIRES_AFTER, Kind, Part, State, TailPiece, Upload, concat, giving_up, rules, tails};
use crate::clip::create;
use crate::clip::refusal::RefusalCode;
use crate::clip::sql::lock;
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{ClipId, UploadId, UserId, VersionId};
use crate::on;
use crate::storage::keys;
use crate::storage::trash::put as trash;
use crate::time::At;
use crate::upkeep::clock;

/// What an upload is to become.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// A version of a clip.
    Whole { clip: &'a ClipId, version: &'a VersionId },
    /// A stretch of a file.
    Partial,
    /// A version of a clip, joined from [`concat::partials`] of the same transaction. `concat`: Upload-Concat, to be
    /// given back as it came.
    Final { clip: &'a ClipId, version: &'a VersionId, of: &'a [UploadId], concat: &'a str },
}

#[derive(Debug, Clone, Copy)]
pub struct NewUpload<'a> {
    pub owner: &'a UserId,
    pub purpose: Purpose<'a>,
    /// What its client does not know yet it says later.
    pub length: Option<i64>,
    /// The longest that any file may be: the parts of an unknown length must suffice for it.
    pub most: i64,
    /// Upload-Metadata, to be given back as it came.
    pub metadata: &'a str,
    /// The client's name for this creation.
    pub idempotency_key: Option<&'a str>,
}

pub fn taken_over() -> Error {
    Error::conflict("upload_taken_over", "这条片子正在另一处接着传。", "看看是不是另开了一个页面，留一个就好。")
}

/// Zero rows changed means that a newer writer has taken over, or that the upload has ended.
fn held(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(taken_over()) }
}

/// One person's creations one after the other, so that what is counted and looked up stays so. The first thing of such
/// a transaction: who holds a clip must not wait for its owner.
pub async fn lock_owner(tx: &mut Tx, owner: &UserId) -> Result<()> {
    let sql = tx.locking("select id from users where id = $1");
    Ok(on!(tx, c => sqlx::query(sql).bind(owner).execute(c).await.map(drop))?)
}

/// The upload that this creation has made before, if it has.
pub async fn of_idempotency_key(tx: &mut Tx, owner: &UserId, key: &str) -> Result<Option<Upload>> {
    Ok(on!(tx, c => sqlx::query_as("select * from uploads where owner_id = $1 and idempotency_key = $2")
        .bind(owner).bind(key).fetch_optional(c).await)?)
}

/// The final upload that joins these partial ones already, if one does, or has done so. A client that did not hear the
/// answer has no other name for it.
pub async fn of_concat(tx: &mut Tx, owner: &UserId, concat: &str) -> Result<Option<Upload>> {
    Ok(on!(tx, c => sqlx::query_as(
            "select * from uploads where owner_id = $1 and concat = $2 and state in ('open', 'completing', 'complete')
             order by id desc limit 1")
        .bind(owner).bind(concat).fetch_optional(c).await)?)
}

/// A new upload. A stretch without bytes is complete at once: there is nothing left to send, and no object.
pub async fn create(tx: &mut Tx, now: At, new: NewUpload<'_>) -> Result<Upload> {
    lock_owner(tx, new.owner).await?;
    let (kind, target, of, concat) = match new.purpose {
        Purpose::Whole { clip, version } => (Kind::Whole, Some((clip, version)), &[][..], None),
        Purpose::Partial => (Kind::Partial, None, &[][..], None),
        Purpose::Final { clip, version, of, concat } => (Kind::Final, Some((clip, version)), of, Some(concat)),
    };
    let is_empty = new.length == Some(0);
    if is_empty && kind != Kind::Partial {
        return Err(Refusal::from(RefusalCode::Empty).into());
    }
    let mut upload: Upload = on!(tx, c => sqlx::query_as(
            "insert into uploads (id, owner_id, kind, clip_id, version_id, length, part_size, state, epoch, metadata,
                                  concat, idempotency_key, created_at, counts_at, updated_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, 'open', 0, $8, $9, $10, $11, $11, $11, $12) returning *")
        .bind(UploadId::new()).bind(new.owner).bind(kind).bind(target.map(|(clip, _)| clip))
        .bind(target.map(|(_, version)| version)).bind(new.length)
        .bind(rules::part_size(new.length.unwrap_or(new.most))).bind(new.metadata).bind(concat)
        .bind(new.idempotency_key).bind(now).bind(now + EXPIRES_AFTER).fetch_one(c).await)?;
    concat::name_sources(tx, &upload.id, of).await?;
    if is_empty {
        set_state(tx, &mut upload, State::Complete).await?;
    }
    Ok(upload)
}

async fn set_state(tx: &mut Tx, upload: &mut Upload, state: State) -> Result<()> {
    upload.state = state;
    Ok(on!(tx, c => sqlx::query("update uploads set state = $2 where id = $1")
        .bind(&upload.id).bind(state).execute(c).await.map(drop))?)
}

/// Its client knows the length now: said once, not less than what is there ([`rules::may_append`]). If that is all,
/// nothing is left but to join the parts, or to gather the tail. A file that turns out to be empty is refused, and its
/// clip must be locked before the upload is taken over.
pub async fn declare_length(tx: &mut Tx, now: At, upload: Upload, durable: &Durable, length: i64) -> Result<Upload> {
    hold(tx, now, &upload.id, upload.epoch).await?;
    let rows = on!(tx, c => sqlx::query("update uploads set length = $2 where id = $1 and length is null")
        .bind(&upload.id).bind(length).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 0 {
        return Err(Error::Damaged(format!("the length of {} is known", upload.id)));
    }
    let mut upload = Upload { length: Some(length), ..upload };
    if let Some(version) = &upload.version_id {
        create::sized(tx, version, length).await?;
    }
    if length == 0 && upload.kind == Kind::Partial {
        set_state(tx, &mut upload, State::Complete).await?;
    } else if length == 0 {
        upload = giving_up::refuse_empty(tx, now, &upload).await?;
    } else if durable.tail.is_empty() && durable.offset == length {
        set_state(tx, &mut upload, State::Completing).await?;
    }
    Ok(upload)
}

pub async fn find(tx: &mut Tx, id: &UploadId) -> Result<Upload> {
    on!(tx, c => sqlx::query_as("select * from uploads where id = $1").bind(id).fetch_optional(c).await).or_not_found()
}

/// The upload that still waits for bytes of this version, if there is one.
pub async fn open_of_version(tx: &mut Tx, version: &VersionId) -> Result<Option<Upload>> {
    Ok(on!(tx, c => sqlx::query_as("select * from uploads where version_id = $1 and kind = 'whole' and state = 'open'")
        .bind(version).fetch_optional(c).await)?)
}

pub async fn durable(tx: &mut Tx, upload: &Upload) -> Result<Durable> {
    let parts = on!(tx, c => sqlx::query_as("select no, len, etag, sha256 from upload_parts where upload_id = $1 order by no")
        .bind(&upload.id).fetch_all(c).await)?;
    let tail = on!(tx, c => sqlx::query_as(
            "select part_no, start, len, key, sha256 from upload_tails where upload_id = $1 order by part_no, start")
        .bind(&upload.id).fetch_all(c).await)?;
    Ok(rules::durable(upload.length, upload.part_size, parts, tail))
}

/// Makes the caller the newest writer and tells it where to go on. What lies beyond the durable offset is forgotten,
/// so that the offset never jumps ahead of what the client has sent again. An upload that is no longer open is only
/// read.
pub async fn take_over(tx: &mut Tx, now: At, id: &UploadId) -> Result<(Upload, Durable)> {
    let over_by = clock::over_by(tx, now).await?;
    let taken: Option<Upload> = on!(tx, c => sqlx::query_as(
            "update uploads set epoch = epoch + 1, updated_at = $2, expires_at = $3
             where id = $1 and state = 'open' and expires_at > $4 returning *")
        .bind(id).bind(now).bind(now + EXPIRES_AFTER).bind(over_by).fetch_optional(c).await)?;
    let Some(upload) = taken else {
        let mut upload = find(tx, id).await?;
        if upload.expires().is_some_and(|at| at <= over_by) {
            // Its time is over, though nobody has swept it yet.
            upload.state = State::Expired;
        }
        let durable = durable(tx, &upload).await?;
        return Ok((upload, durable));
    };
    let durable = durable(tx, &upload).await?;
    let next = durable.parts.len() as i64 + 1;
    on!(tx, c => sqlx::query("delete from upload_parts where upload_id = $1 and no >= $2")
        .bind(id).bind(next).execute(c).await.map(drop))?;
    tails::keep(tx, now, id, next, durable.tail_len()).await?;
    Ok((upload, durable))
}

/// Still the newest writer of an open upload? Locks the row until the commit. What it brings counts for today, unless it
/// has been counted with its length.
pub(super) async fn hold(tx: &mut Tx, now: At, id: &UploadId, epoch: i64) -> Result<()> {
    held(on!(tx, c => sqlx::query(
            "update uploads set updated_at = $3, expires_at = $4,
                                counts_at = case when length is null then $3 else counts_at end
             where id = $1 and epoch = $2 and state = 'open'")
        .bind(id).bind(epoch).bind(now).bind(now + EXPIRES_AFTER).execute(c).await.map(|r| r.rows_affected()))?)
}

/// Where the object is made: the key, and the multipart upload unless it is put at once.
pub async fn set_object(
    tx: &mut Tx,
    now: At,
    id: &UploadId,
    epoch: i64,
    key: &str,
    s3_upload_id: Option<&str>,
) -> Result<()> {
    hold(tx, now, id, epoch).await?;
    on!(tx, c => sqlx::query("update uploads set key = $2, s3_upload_id = $3 where id = $1")
        .bind(id).bind(key).bind(s3_upload_id).execute(c).await.map(drop))?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    More,
    /// That was the last missing one: the upload is `completing` now, in the same transaction.
    All,
}

/// A durable part; a retry overwrites its own number. The pieces that it is made of are let go of.
pub async fn record_part(tx: &mut Tx, now: At, upload: &Upload, part: &Part) -> Result<Recorded> {
    hold(tx, now, &upload.id, upload.epoch).await?;
    on!(tx, c => sqlx::query(
            "insert into upload_parts (upload_id, no, len, etag, sha256, epoch) values ($1, $2, $3, $4, $5, $6)
             on conflict (upload_id, no) do update
             set len = excluded.len, etag = excluded.etag, sha256 = excluded.sha256, epoch = excluded.epoch")
        .bind(&upload.id).bind(part.no).bind(part.len).bind(&part.etag).bind(&part.sha256).bind(upload.epoch)
        .execute(c).await.map(drop))?;
    let keys: Vec<String> = on!(tx, c => sqlx::query_scalar(
            "delete from upload_tails where upload_id = $1 and part_no = $2 returning key")
        .bind(&upload.id).bind(part.no).fetch_all(c).await)?;
    for key in keys {
        trash(tx, now, &key, None).await?;
    }
    let n: i64 = on!(tx, c => sqlx::query_scalar("select count(*) from upload_parts where upload_id = $1")
        .bind(&upload.id).fetch_one(c).await)?;
    if upload.length.is_none_or(|length| n < rules::parts_total(upload.part_size, length)) {
        return Ok(Recorded::More);
    }
    on!(tx, c => sqlx::query("update uploads set state = 'completing' where id = $1")
        .bind(&upload.id).execute(c).await.map(drop))?;
    Ok(Recorded::All)
}

/// A durable piece of the growing part, behind those that are there.
pub async fn add_tail(tx: &mut Tx, now: At, upload: &Upload, piece: &TailPiece) -> Result<()> {
    hold(tx, now, &upload.id, upload.epoch).await?;
    on!(tx, c => sqlx::query(
            "insert into upload_tails (upload_id, part_no, start, len, key, sha256, epoch)
             values ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&upload.id).bind(piece.part_no).bind(piece.start).bind(piece.len).bind(&piece.key).bind(&piece.sha256)
        .bind(upload.epoch).execute(c).await.map(drop))?;
    Ok(())
}

/// The object is there and whole: upload complete, version received and its job enqueued, together. `false`: somebody
/// else has done it.
pub async fn complete(tx: &mut Tx, now: At, upload: &Upload, parts: &[Part]) -> Result<bool> {
    let key = upload.key.as_deref().ok_or_else(|| Error::Damaged(format!("{} has no object", upload.id)))?;
    let rows = on!(tx, c => sqlx::query(
            "update uploads set state = 'complete', root_sha256 = $2, updated_at = $3
             where id = $1 and state = 'completing'")
        .bind(&upload.id).bind(rules::root(parts)).bind(now).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 0 {
        return Ok(false);
    }
    trash(tx, now, &keys::upload_tails(&upload.id), None).await?;
    if upload.kind == Kind::Final {
        concat::release(tx, now, &upload.id).await?;
    }
    let (Some(clip), Some(version)) = (&upload.clip_id, &upload.version_id) else { return Ok(true) };
    let sha256 = match parts {
        [only] => Some(only.sha256.as_str()),
        _ => None,
    };
    let received = create::received(tx, now, version, &upload.owner_id, key, sha256).await?;
    if !received {
        // Withdrawn while the last byte was on its way.
        trash(tx, now, key, None).await?;
        trash(tx, now, &keys::sidecar(clip, version), None).await?;
    }
    Ok(true)
}

/// The file is refused, or the store has lost it: nothing more will come of it. `false`: it is not for this writer to
/// say, because a newer one has taken over or the upload has ended.
pub async fn fail(tx: &mut Tx, now: At, upload: &Upload, code: RefusalCode) -> Result<bool> {
    if code == RefusalCode::Empty {
        if let Some(clip) = &upload.clip_id {
            lock(tx, clip).await?;
        }
        return Ok(giving_up::refuse_empty(tx, now, upload).await?.state == State::Failed);
    }
    let ended = end(tx, now, &upload.id, Ending::Failed { epoch: upload.epoch, code }).await?;
    if ended && let Some(version) = &upload.version_id {
        create::refused(tx, version, code).await?;
    }
    Ok(ended)
}

/// Its owner ends it. `false`: it had ended already. A complete one is not an upload any more but a clip, unless it is
/// a partial one.
pub async fn terminate(tx: &mut Tx, now: At, upload: &Upload) -> Result<bool> {
    // The clip before its upload, like everybody who changes a clip: the other way round two could wait for each other.
    match &upload.clip_id {
        Some(clip) => drop(lock(tx, clip).await?),
        None => concat::not_in_use(tx, &upload.id).await?,
    }
    give_up(tx, now, upload, Ending::Terminated).await
}

/// Nobody sends the rest, or joins it to a file.
pub(super) async fn give_up(tx: &mut Tx, now: At, upload: &Upload, how: Ending) -> Result<bool> {
    let ended = end(tx, now, &upload.id, how).await?;
    if ended && let Some(version) = &upload.version_id {
        create::abandoned(tx, now, version).await?;
    }
    Ok(ended)
}

/// Ends what still waits for bytes of a clip, because the clip is withdrawn.
pub async fn terminate_of_clip(tx: &mut Tx, now: At, clip: &ClipId) -> Result<()> {
    let open: Vec<Upload> = on!(tx, c => sqlx::query_as("select * from uploads where clip_id = $1 and state = 'open'")
        .bind(clip).fetch_all(c).await)?;
    for upload in open {
        give_up(tx, now, &upload, Ending::Terminated).await?;
    }
    Ok(())
}

/// Gives up on uploads that nobody has touched for too long. Answers how many.
pub async fn expire(tx: &mut Tx, now: At) -> Result<usize> {
    let due: Vec<Upload> = on!(tx, c => sqlx::query_as(
            "select * from uploads u where expires_at <= $1 and (state = 'open' or kind = 'partial' and state = 'complete'
                 and not exists (select 1 from upload_sources s join uploads f on f.id = s.final_id
                                 where s.partial_id = u.id and f.state in ('open', 'completing')))
             order by expires_at limit 100")
        .bind(now).fetch_all(c).await)?;
    let mut expired = 0;
    for upload in due {
        expired += usize::from(end_at_its_time(tx, now, &upload).await?);
    }
    Ok(expired)
}

/// Gives it up if its time is over and nobody has swept it yet; what its creation was called is free then.
pub async fn expire_if_over(tx: &mut Tx, now: At, upload: &Upload) -> Result<bool> {
    let over_by = clock::over_by(tx, now).await?;
    if upload.expires().is_none_or(|at| at > over_by) {
        return Ok(false);
    }
    end_at_its_time(tx, now, upload).await
}

async fn end_at_its_time(tx: &mut Tx, now: At, upload: &Upload) -> Result<bool> {
    if let Some(clip) = &upload.clip_id {
        lock(tx, clip).await?;
    }
    give_up(tx, now, upload, Ending::Expired).await
}

/// How an upload ends in vain. Its owner and time may end it whoever writes; a writer only while it is the newest.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    Failed { epoch: i64, code: RefusalCode },
    Terminated,
    Expired,
}

pub(super) async fn end(tx: &mut Tx, now: At, id: &UploadId, how: Ending) -> Result<bool> {
    let ended = close(tx, now, id, how).await?;
    if ended.as_ref().is_some_and(|upload| upload.kind == Kind::Final) {
        concat::release(tx, now, id).await?;
    }
    Ok(ended.is_some())
}

/// Ends it, and lets go of all that the store has of it. `None`: it had ended, or (of one that is to expire) somebody
/// has just touched it. A stretch that is complete may be needed by a film, so whoever comes late does not fail it.
pub(super) async fn close(tx: &mut Tx, now: At, id: &UploadId, how: Ending) -> Result<Option<Upload>> {
    let (state, epoch, code) = match how {
        Ending::Failed { epoch, code } => (State::Failed, Some(epoch), Some(code.code())),
        Ending::Terminated => (State::Terminated, None, None),
        Ending::Expired => (State::Expired, None, None),
    };
    let ended: Option<Upload> = on!(tx, c => sqlx::query_as(
            "update uploads set state = $2, reason_code = $3, updated_at = $4, epoch = epoch + 1,
                                idempotency_key = case when $2 = 'failed' then idempotency_key end
             where id = $1 and epoch = coalesce($5, epoch) and ($2 <> 'expired' or expires_at <= $4)
             and (state = 'open' or state = 'completing' and ($2 = 'failed' or kind = 'partial')
                  or state = 'complete' and kind = 'partial' and $2 <> 'failed') returning *")
        .bind(id).bind(state.as_str()).bind(code).bind(now).bind(epoch).fetch_optional(c).await)?;
    let Some(upload) = ended else { return Ok(None) };
    trash(tx, now, &keys::upload_tails(id), None).await?;
    if let Some(key) = &upload.key {
        trash(tx, now, key, upload.s3_upload_id.as_deref()).await?;
        trash(tx, now, key, None).await?;
    }
    Ok(Some(upload))
}

/// Uploads that need nothing more from their clients, but before whose last step somebody may have died. In no order:
/// those that cannot be settled must not always stand before the others.
pub async fn unsettled(tx: &mut Tx, untouched_since: At) -> Result<Vec<UploadId>> {
    Ok(on!(tx, c => sqlx::query_scalar(
            "select id from uploads u where updated_at <= $1 and (state = 'completing' or state = 'open' and (
                 kind = 'final' or length =
                     (select coalesce(sum(len), 0) from upload_parts p where p.upload_id = u.id)
                     + (select coalesce(sum(len), 0) from upload_tails t where t.upload_id = u.id)))
             order by random() limit 100")
        .bind(untouched_since).fetch_all(c).await)?)
}

#[cfg(test)]
#[path = "sql_tests.rs"]
mod tests;
