use crate::auth::Principal;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;
use weijia_core::Result as CoreResult;
use weijia_core::clip;
use weijia_core::clip::refusal::RefusalCode;
use weijia_core::ids::UploadId;
use weijia_core::time::At;
use weijia_core::upload::quota;
use weijia_core::upload::rules::{Asked, NoAppend, Standing, may_append};
use weijia_core::upload::{Durable, Kind, State as UploadState, Upload, sql};

use super::Uploads;
use super::checksum::{Check, Wrong};
use super::parts::Failure;
use super::protocol::{self, UPLOAD_LENGTH, UPLOAD_OFFSET, refuse, unreadable};
use super::room;
use super::writer::{Condition, End, Writer};
use super::writers::Seat;
use crate::error::{ApiError, ErrorBody};
use crate::extract::Id;

/// Sends bytes from Upload-Offset on. 204 means: durable up to the Upload-Offset of the answer. Whoever was still
/// sending to this upload is superseded.
#[utoipa::path(
    patch, path = "/uploads/{upload}", operation_id = "appendUpload", tag = "uploads",
    params(
        ("upload" = String, Path), ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Offset" = i64, Header, description = "where the body belongs: the durable offset"),
        ("Upload-Length" = Option<i64>, Header, description = "bytes in the file, where creation deferred it; once"),
        ("Upload-Checksum" = Option<String>, Header, description = "sha1, sha256 or crc32c of the body, and its value in \
            base64: nothing of the body counts unless it is right. May follow as a trailer"),
    ),
    request_body(content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "durable", headers(("Upload-Offset" = i64), ("Upload-Expires" = String))),
        (status = 400, body = ErrorBody), (status = 403, description = "a final upload", body = ErrorBody),
        (status = 404, description = "no such upload of hers", body = ErrorBody),
        (status = 408, description = "nothing came for a minute; go on", body = ErrorBody),
        (status = 409, description = "another offset is durable, or a newer request goes on", body = ErrorBody),
        (status = 410, description = "ended, expired or lost", body = ErrorBody),
        (status = 412, description = "another version of tus", body = ErrorBody),
        (status = 413, description = "more bytes than announced", body = ErrorBody),
        (status = 415, description = "another content type", body = ErrorBody),
        (status = 422, description = "refused, with the reason", body = ErrorBody),
        (status = 460, description = "the body is not what its checksum says; nothing of it counts", body = ErrorBody),
        (status = 503, description = "the store does not answer, or the server stops; go on in a moment", body = ErrorBody),
        (status = 507, description = "the disk has no room for it now; go on later", body = ErrorBody),
    )
)]
pub async fn append_upload(
    State(uploads): State<Uploads>,
    principal: Principal,
    Id(upload): Id<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let id = uploads.own(&principal, &upload).await?;
    protocol::require_offset_stream(&headers)?;
    let asked = Asked {
        offset: protocol::required(&headers, &UPLOAD_OFFSET)?,
        body: protocol::number(&headers, &header::CONTENT_LENGTH)?,
        length: protocol::number(&headers, &UPLOAD_LENGTH)?,
    };
    let reached = append(&uploads, id, asked, Check::read(&headers)?, body).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    protocol::set(&mut response, UPLOAD_OFFSET, reached.offset);
    protocol::set_expires(response.headers_mut(), reached.expires);
    Ok(response)
}

/// Where an upload stands after a request.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    pub offset: i64,
    /// When it is given up, unless it is done.
    pub expires: Option<At>,
}

/// Appends the body, and answers with the offset up to which everything is durable. The work goes on in a task of its
/// own, because the server drops a request as soon as its connection is gone, and what came before that counts.
pub async fn append(
    uploads: &Uploads,
    id: UploadId,
    asked: Asked,
    check: Option<Check>,
    mut body: Body,
) -> Result<Reached, ApiError> {
    let (answer, answered) = oneshot::channel();
    let task = uploads.clone();
    uploads.tasks.spawn(async move {
        let _ = answer.send(task.append(&id, asked, check, &mut body).await);
    });
    answered.await.map_err(|_| unavailable())?
}

impl Uploads {
    async fn append(
        &self,
        id: &UploadId,
        asked: Asked,
        check: Option<Check>,
        body: &mut Body,
    ) -> Result<Reached, ApiError> {
        let seat = self.writers.sit(id, self.limits.handover).await;
        let (upload, durable) = self.enter(id, asked, check.is_some()).await?;
        // What else the request says counts with a body that adds up, and only then.
        let condition =
            check.map(|check| Condition { check, length: asked.length.filter(|_| upload.length.is_none()) });
        self.write(upload, durable, seat, condition, body).await
    }

    /// Takes the upload over for that PATCH, and learns its length if it is said now and for good.
    async fn enter(&self, id: &UploadId, asked: Asked, conditional: bool) -> Result<(Upload, Durable), ApiError> {
        let now = At::now();
        let mut tx = self.db.write().await?;
        let found = sql::find(&mut tx, id).await?;
        if found.kind == Kind::Final {
            return Err(is_final());
        }
        if found.length.is_none() {
            sql::lock_owner(&mut tx, &found.owner_id).await?;
        }
        if let (Some(0), Some(clip)) = (asked.length, &found.clip_id) {
            clip::sql::lock(&mut tx, clip).await?;
        }
        let (mut upload, durable) = sql::take_over(&mut tx, now, id).await?;
        let most = upload.most(self.limits.max_length);
        let Upload { kind, state, length, .. } = upload;
        let refused = may_append(Standing { kind, state, length, durable: durable.offset, most }, asked);
        if let (Ok(()), None) = (refused, length) {
            // Nothing was known of it when it was created, so it is judged by what it brings. Who brings nothing more
            // may always end it.
            let brings = asked.length.map(|length| length - durable.offset).or(asked.body).unwrap_or(1);
            if brings > 0 {
                quota::check(&mut tx, &self.limits.quota, now, &upload.owner_id, brings).await?;
            }
        }
        if let (Ok(()), None, Some(length), false) = (refused, length, asked.length, conditional) {
            upload = sql::declare_length(&mut tx, now, upload, &durable, length).await?;
        }
        tx.commit().await?;
        refused.map_err(|no| cannot_append(no, &upload, durable.offset, most))?;
        // It has just turned out to be empty.
        if upload.state == UploadState::Failed { Err(failed(&upload)) } else { Ok((upload, durable)) }
    }

    /// Writes the body behind what is durable; and brings the upload to its end if that is all.
    pub(super) async fn write(
        &self,
        upload: Upload,
        durable: Durable,
        seat: Seat,
        condition: Option<Condition>,
        body: &mut Body,
    ) -> Result<Reached, ApiError> {
        if upload.state != UploadState::Open {
            self.finished(&upload.id).await?;
            return Ok(Reached { offset: durable.offset, expires: upload.expires() });
        }
        let length = upload.length.or(condition.as_ref().and_then(|condition| condition.length));
        let most = match length {
            Some(length) => length,
            None => upload.most(self.limits.max_length).min(durable.offset + self.left_of(&upload).await?),
        };
        let upload = Upload { length, ..upload };
        let id = &upload.id;
        let (end, offset) = Writer::new(self.clone(), upload.clone(), durable, seat, most, condition).run(body).await;
        tracing::debug!(upload = %id, ?end, offset, "the body ended");
        let error = match end {
            End::Body if !upload.ends_at(offset) => return Ok(Reached { offset, expires: upload.expires() }),
            End::Body => {
                self.finished(id).await?;
                let expires = upload.expires().filter(|_| upload.kind == Kind::Partial);
                return Ok(Reached { offset, expires });
            }
            // Both are the end: there is no offset to go on from.
            End::Refused(code) => {
                self.refuse_file(&upload, code).await?;
                return Err(ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, code.into()));
            }
            End::Failed(Failure::Lost) => {
                self.refuse_file(&upload, RefusalCode::Incomplete).await?;
                return Err(gone());
            }
            End::TooLong if upload.length.is_none() => self.no_longer(&upload).await?,
            End::Failed(Failure::Over(refusal)) => refusal.into(),
            End::NoRoom | End::Failed(Failure::Full) => room::no_room_to_go_on(),
            End::TooLong => too_long(),
            End::Wrong(Wrong::Mismatch) => mismatch(),
            End::Wrong(Wrong::Missing | Wrong::Unannounced) => unreadable(protocol::UPLOAD_CHECKSUM.as_str()),
            End::Wanted | End::Failed(Failure::TakenOver) => self.taken_over(id).await?,
            End::Idle => {
                let next_step = "看看信号，会接着传的。";
                refuse(StatusCode::REQUEST_TIMEOUT, "upload_idle", "好一会儿没有收到数据了。", next_step)
            }
            End::Stopping | End::Disconnected => unavailable(),
            End::Failed(Failure::Unavailable(why)) => {
                tracing::error!(upload = %id, why, "an upload could not be stored");
                unavailable()
            }
        };
        let there = self.standing_of(&upload).await?;
        Err(protocol::with_offset(error, there.offset, there.expires))
    }

    /// By a newer writer, or by whoever ended the upload: then there is nothing to go on with.
    async fn taken_over(&self, id: &UploadId) -> Result<ApiError, ApiError> {
        let mut tx = self.db.read().await?;
        match sql::find(&mut tx, id).await?.state {
            UploadState::Failed | UploadState::Terminated | UploadState::Expired => Err(gone()),
            UploadState::Open | UploadState::Completing | UploadState::Complete => Ok(sql::taken_over().into()),
        }
    }

    /// What its owner may still send today, and keep, as it is now: to stop early. What counts is decided when it does.
    async fn left_of(&self, upload: &Upload) -> CoreResult<i64> {
        let mut tx = self.db.read().await?;
        let used = quota::used(&mut tx, At::now(), &upload.owner_id).await?;
        Ok(self.limits.quota.left(&used))
    }

    /// Why one that has not said its length may not grow any more.
    async fn no_longer(&self, upload: &Upload) -> CoreResult<ApiError> {
        let mut tx = self.db.read().await?;
        let used = quota::used(&mut tx, At::now(), &upload.owner_id).await?;
        let refusal = self.limits.quota.more(&used).filter(|_| self.limits.quota.left(&used) < quota::LITTLE);
        Ok(refusal.map_or_else(|| too_big(None, self.limits.max_length), ApiError::from))
    }

    /// Every byte is durable: brings the upload to its end.
    pub(super) async fn finished(&self, id: &UploadId) -> Result<(), ApiError> {
        match self.finish(id).await {
            Ok(UploadState::Complete) => Ok(()),
            Ok(UploadState::Failed | UploadState::Terminated | UploadState::Expired) => Err(gone()),
            // 410 is for good; whoever reads that begins anew.
            Ok(UploadState::Open | UploadState::Completing) => Err(unavailable()),
            Err(error) => {
                tracing::error!(upload = %id, %error, "an upload could not be finished yet");
                Err(unavailable())
            }
        }
    }

    /// Only for the newest writer: one that hung while another went on may find its parts joined and gone.
    async fn refuse_file(&self, upload: &Upload, code: RefusalCode) -> CoreResult<()> {
        let mut tx = self.db.write().await?;
        let refused = sql::fail(&mut tx, At::now(), upload, code).await?;
        tx.commit().await?;
        if refused { Ok(()) } else { Err(sql::taken_over()) }
    }
}

fn cannot_append(no: NoAppend, upload: &Upload, durable: i64, most: i64) -> ApiError {
    let error = match no {
        NoAppend::Gone => return gone(),
        NoAppend::Final => return is_final(),
        NoAppend::Failed => return failed(upload),
        NoAppend::WrongOffset => {
            let next_step = "不用做什么，会从断开的地方接着传。";
            refuse(StatusCode::CONFLICT, "upload_offset", "接着传的位置对不上。", next_step)
        }
        NoAppend::WrongLength => unreadable(UPLOAD_LENGTH.as_str()),
        NoAppend::TooLong => too_long(),
        NoAppend::TooBig => too_big(None, most),
    };
    protocol::with_offset(error, durable, upload.expires())
}

/// It was refused, and stays so; or the store has lost it.
pub fn failed(upload: &Upload) -> ApiError {
    match upload.refusal() {
        Some(code) if code != RefusalCode::Incomplete => {
            ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, code.into())
        }
        _ => gone(),
    }
}

pub fn too_long() -> ApiError {
    let next_step = "像是文件在路上变了。重新选这条片子再传。";
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "upload_too_long", "传来的比说好的多。", next_step)
}

/// Longer than any file may be; how long, if that is known.
pub fn too_big(bytes: Option<i64>, most: i64) -> ApiError {
    ApiError::refused(StatusCode::PAYLOAD_TOO_LARGE, quota::too_big(bytes, most))
}

/// What a final upload is made of is sent to the partial ones.
pub fn is_final() -> ApiError {
    let next_step = "不用做什么，拼好了就能看。";
    refuse(StatusCode::FORBIDDEN, "upload_is_final", "这条片子由几段拼成，不能往里再传。", next_step)
}

fn mismatch() -> ApiError {
    // 460 is tus 1.0's own; no table of HTTP knows it.
    let status = StatusCode::from_u16(460).unwrap_or(StatusCode::CONFLICT);
    refuse(status, "checksum_mismatch", "这一段在路上变了样，没有收。", "不用做什么，会把这一段重传一遍。")
}

pub fn gone() -> ApiError {
    refuse(StatusCode::GONE, "upload_gone", "这次上传已经停了，不能接着传。", "重新选这条片子再传一次。")
}

pub fn unavailable() -> ApiError {
    let next_step = "已经传的都在，过一会儿会自己接着传。";
    refuse(StatusCode::SERVICE_UNAVAILABLE, "upload_unavailable", "这会儿存不进去，先停一停。", next_step)
}
