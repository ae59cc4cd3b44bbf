use std::time::Duration;

use crate::auth::Principal;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::oneshot;
use weijia_core::Result as CoreResult;
use weijia_core::clip::refusal::RefusalCode;
use weijia_core::ids::UploadId;
use weijia_core::time::At;
use weijia_core::upload::rules::{NoAppend, may_append};
use weijia_core::upload::{State as UploadState, Upload, sql};

use super::Uploads;
use super::parts::Failure;
use super::protocol::{self, UPLOAD_OFFSET, refuse};
use super::writer::{End, Writer};
use crate::error::{ApiError, ErrorBody};
use crate::extract::Id;

/// Sends bytes from Upload-Offset on. 204 means: durable up to the Upload-Offset of the answer. Whoever was still
/// sending to this upload is superseded.
#[utoipa::path(
    patch, path = "/uploads/{upload}", operation_id = "appendUpload", tag = "uploads",
    params(
        ("upload" = String, Path), ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Offset" = i64, Header, description = "where the body belongs: the durable offset"),
    ),
    request_body(content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "durable", headers(("Upload-Offset" = i64))),
        (status = 400, body = ErrorBody), (status = 404, description = "no such upload of hers", body = ErrorBody),
        (status = 408, description = "nothing came for a minute; go on", body = ErrorBody),
        (status = 409, description = "another offset is durable, or a newer request goes on", body = ErrorBody),
        (status = 410, description = "ended, expired or lost", body = ErrorBody),
        (status = 412, description = "another version of tus", body = ErrorBody),
        (status = 413, description = "more bytes than announced", body = ErrorBody),
        (status = 415, description = "another content type", body = ErrorBody),
        (status = 422, description = "refused, with the reason", body = ErrorBody),
        (status = 503, description = "the store does not answer, or the server stops; go on in a moment", body = ErrorBody),
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
    if !protocol::is_offset_stream(&headers) {
        let (message, next_step) = ("上传的请求类型不对。", "刷新页面，再传一次。");
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_an_offset_stream", message, next_step));
    }
    let asked = protocol::required(&headers, &UPLOAD_OFFSET)?;
    let offset = append(&uploads, id, asked, &headers, body).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    protocol::set(&mut response, UPLOAD_OFFSET, offset);
    Ok(response)
}

/// Appends the body, and answers with the offset up to which everything is durable. The work goes on in a task of its
/// own, because the server drops a request as soon as its connection is gone, and what came before that counts.
pub async fn append(
    uploads: &Uploads,
    id: UploadId,
    asked: i64,
    headers: &HeaderMap,
    body: Body,
) -> Result<i64, ApiError> {
    let announced = protocol::number(headers, &header::CONTENT_LENGTH)?;
    let (answer, answered) = oneshot::channel();
    let task = uploads.clone();
    uploads.tasks.spawn(async move {
        let mut body = body.into_data_stream();
        let result = task.append(&id, asked, announced, &mut body).await;
        let early = result.is_err();
        let _ = answer.send(result);
        // A client that is still sending would see a broken connection instead of the answer.
        if early {
            tokio::select! {
                () = drain(body) => {}
                () = task.stopping.cancelled() => {}
            }
        }
    });
    answered.await.map_err(|_| unavailable())?
}

async fn drain(mut body: BodyDataStream) {
    const ENOUGH: usize = 4 << 20;
    let mut drained = 0;
    let draining = async {
        while let Some(Ok(bytes)) = body.next().await {
            drained += bytes.len();
            if drained > ENOUGH {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(3), draining).await;
}

impl Uploads {
    async fn append(
        &self,
        id: &UploadId,
        asked: i64,
        announced: Option<i64>,
        body: &mut BodyDataStream,
    ) -> Result<i64, ApiError> {
        let seat = self.writers.sit(id, self.limits.handover).await;
        let (upload, durable) = self.take_over(id).await?;
        match may_append(upload.state, upload.length, durable.offset, asked, announced) {
            Err(no) => return Err(cannot_append(no, &upload, durable.offset)),
            Ok(false) => {
                self.finished(id).await?;
                return Ok(durable.offset);
            }
            Ok(true) => {}
        }
        let (end, reached) = Writer::new(self.clone(), upload.clone(), durable, seat).run(body).await;
        tracing::debug!(upload = %id, ?end, reached, "the body ended");
        let error = match end {
            End::Body if reached < upload.length => return Ok(reached),
            End::Body => {
                self.finished(id).await?;
                return Ok(reached);
            }
            End::Refused(code) => {
                self.refuse_file(&upload, code).await?;
                ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, code.into())
            }
            End::Failed(Failure::Lost) => {
                self.refuse_file(&upload, RefusalCode::Incomplete).await?;
                gone()
            }
            End::TooLong => too_long(),
            End::Wanted | End::Failed(Failure::TakenOver) => sql::taken_over().into(),
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
        Err(protocol::with_offset(error, self.offset(id).await?))
    }

    /// Every byte is durable: brings the upload to its end.
    pub(super) async fn finished(&self, id: &UploadId) -> Result<(), ApiError> {
        match self.finish(id).await {
            Ok(UploadState::Complete) => Ok(()),
            Ok(_) => Err(gone()),
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

fn cannot_append(no: NoAppend, upload: &Upload, durable: i64) -> ApiError {
    let error = match no {
        NoAppend::Gone => return gone(),
        NoAppend::Failed => match upload.refusal() {
            Some(code) if code != RefusalCode::Incomplete => {
                return ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, code.into());
            }
            _ => return gone(),
        },
        NoAppend::WrongOffset => {
            let next_step = "不用做什么，会从断开的地方接着传。";
            refuse(StatusCode::CONFLICT, "upload_offset", "接着传的位置对不上。", next_step)
        }
        NoAppend::TooLong => too_long(),
    };
    protocol::with_offset(error, durable)
}

fn too_long() -> ApiError {
    let next_step = "像是文件在路上变了。重新选这条片子再传。";
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "upload_too_long", "传来的比说好的多。", next_step)
}

pub fn gone() -> ApiError {
    refuse(StatusCode::GONE, "upload_gone", "这次上传已经停了，不能接着传。", "重新选这条片子再传一次。")
}

fn unavailable() -> ApiError {
    let next_step = "已经传的都在，过一会儿会自己接着传。";
    refuse(StatusCode::SERVICE_UNAVAILABLE, "upload_unavailable", "这会儿存不进去，先停一停。", next_step)
}
