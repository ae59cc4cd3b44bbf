use std::time::Duration;

use crate::auth::Principal;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use weijia_core::access::{self, Permission, Resource};
use weijia_core::clip::create::{self, Created, Draft, Renamed};
use weijia_core::clip::{self, ClipState};
use weijia_core::db::Tx;
use weijia_core::ids::ClipId;
use weijia_core::time::At;
use weijia_core::upload::rules::Asked;
use weijia_core::upload::sql::{self, NewUpload, Purpose};
use weijia_core::upload::{State as UploadState, Upload, concat, giving_up};
use weijia_core::{Error, Result as CoreResult};

use super::creation::{self, Creation, Plan};
use super::patch::{self, Reached};
use super::protocol::{self, Metadata, UPLOAD_OFFSET, X_CLIP_ID, X_VERSION_ID};
use super::{PATH, Uploads};
use crate::error::{ApiError, ErrorBody};

/// How long a client waits for its stretches to be joined. They are durable, so that longer than this it need not.
const JOINING: Duration = Duration::from_secs(30);

/// Begins to send a clip, or a new version of one (metadata `clip`). The bytes follow by PATCH to `Location`; a body of
/// `application/offset+octet-stream` may bring the first of them at once.
///
/// Metadata: `filename`, `filetype`, `title`, `assignment` (its code), `clip` (the id of the clip to add a version to).
///
/// `Upload-Concat: partial` begins a stretch of a file, of which there is no clip yet; `final;` and the addresses of such
/// stretches, separated by spaces, joins them. They are let go of afterwards.
#[utoipa::path(
    post, path = "/uploads", operation_id = "createUpload", tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = Option<i64>, Header, description = "bytes in the file; not for a final upload"),
        ("Upload-Defer-Length" = Option<String>, Header, description = "1: a PATCH will say the length"),
        ("Upload-Concat" = Option<String>, Header, description = "partial, or final;… and what to join"),
        ("Upload-Checksum" = Option<String>, Header, description = "of the body, as for PATCH"),
        ("Idempotency-Key" = Option<String>, Header, description = "the client's name for this creation, up to 200 \
            characters: asked again, it is the same upload and not a second clip"),
        ("Upload-Metadata" = Option<String>, Header, description = "pairs of a key and a base64 value"),
    ),
    responses(
        (status = 201, description = "created", headers(
            ("Location" = String, description = "where the bytes go"),
            ("X-Clip-Id" = String), ("X-Version-Id" = String), ("Upload-Offset" = i64), ("Upload-Expires" = String),
        )),
        (status = 400, body = ErrorBody), (status = 403, description = "a final upload takes no bytes", body = ErrorBody),
        (status = 404, description = "no such clip or partial upload of hers", body = ErrorBody),
        (status = 409, description = "the clip takes no new version now, or a partial upload is not complete", body = ErrorBody),
        (status = 410, description = "the store has lost what was to be joined", body = ErrorBody),
        (status = 412, description = "another version of tus", body = ErrorBody),
        (status = 415, description = "a body of another content type", body = ErrorBody),
        (status = 413, description = "larger than Tus-Max-Size", body = ErrorBody),
        (status = 422, description = "refused, with the reason; also where it is more than she may send or keep", body = ErrorBody),
        (status = 507, description = "the disk has no room for it now", body = ErrorBody),
        (status = 460, description = "the body is not what its checksum says; nothing is created", body = ErrorBody),
    )
)]
pub async fn create_upload(
    State(uploads): State<Uploads>,
    principal: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let own = Resource { owner: Some(&principal.user), ..Resource::default() };
    access::require(&principal, Permission::ClipUpload, &own)?;
    if !body.is_end_stream() {
        protocol::require_offset_stream(&headers)?;
    }
    let creation = Creation::read(&headers, uploads.limits.max_length)?;
    let begun = uploads.begin(&principal, &creation).await?;
    let location = format!("{PATH}/{}", begun.upload.id);
    let (clip, version) = (begun.upload.clip_id.clone(), begun.upload.version_id.clone());
    let reached = uploads.first_bytes(begun, creation, body).await?;
    let mut response = StatusCode::CREATED.into_response();
    protocol::set(&mut response, header::LOCATION, location);
    if let (Some(clip), Some(version)) = (clip, version) {
        protocol::set(&mut response, X_CLIP_ID, clip);
        protocol::set(&mut response, X_VERSION_ID, version);
    }
    protocol::set(&mut response, UPLOAD_OFFSET, reached.offset);
    protocol::set_expires(response.headers_mut(), reached.expires);
    Ok(response)
}

pub(super) struct Begun {
    pub upload: Upload,
    /// By this request, not by an earlier one for the same creation.
    is_new: bool,
    renamed: Option<Renamed>,
}

impl Uploads {
    /// Clip, version and upload, together; or the upload that the same creation made before.
    pub(super) async fn begin(&self, owner: &Principal, creation: &Creation) -> Result<Begun, ApiError> {
        let (now, most) = (At::now(), self.limits.max_length);
        let mut tx = self.db.write().await?;
        sql::lock_owner(&mut tx, &owner.user).await?;
        if let Some(key) = &creation.idempotency_key
            && let Some(upload) = sql::of_idempotency_key(&mut tx, &owner.user, key).await?
            && !sql::expire_if_over(&mut tx, now, &upload).await?
        {
            if !is_same(creation, &upload) {
                return Err(creation::key_used_otherwise());
            }
            still_meant(&mut tx, &upload).await?;
            return Ok(Begun { upload, is_new: false, renamed: None });
        }
        if let (None, Plan::Final { concat, .. }) = (&creation.idempotency_key, &creation.plan)
            && let Some(upload) = sql::of_concat(&mut tx, &owner.user, concat).await?
            && is_same(creation, &upload)
            && still_meant(&mut tx, &upload).await.is_ok()
        {
            return Ok(Begun { upload, is_new: false, renamed: None });
        }
        let length = match &creation.plan {
            Plan::Whole { length } | Plan::Partial { length } => *length,
            Plan::Final { of, .. } => {
                let partials = concat::partials(&mut tx, now, &owner.user, of).await?;
                Some(partials.iter().filter_map(|partial| partial.length).sum())
            }
        };
        if length.is_some_and(|length| length > most) {
            return Err(patch::too_big(length, most));
        }
        let made = match creation.plan {
            Plan::Partial { .. } => None,
            _ => Some(clip_for(&mut tx, now, owner, &creation.metadata, length).await?),
        };
        let purpose = match (&creation.plan, &made) {
            (Plan::Final { of, concat }, Some(Created { clip, version, .. })) => {
                Purpose::Final { clip, version, of, concat }
            }
            (_, Some(Created { clip, version, .. })) => Purpose::Whole { clip, version },
            (_, None) => Purpose::Partial,
        };
        let metadata = creation.metadata.raw.as_str();
        let idempotency_key = creation.idempotency_key.as_deref();
        let new = NewUpload { owner: &owner.user, purpose, length, most, metadata, idempotency_key };
        let upload = sql::create(&mut tx, now, new).await?;
        // Not before it is there: an older film of the clip would take along the stretches that this one is joined from.
        if let Some(Created { clip, renamed: Some(_), .. }) = &made {
            giving_up::clear_bare(&mut tx, now, clip).await?;
        }
        // Counted first and judged then, because what a final one is joined from counts no longer.
        let counted = length.unwrap_or(0);
        let left = self.left(&mut tx, now, &owner.user).await?.without_upload(counted);
        let brings = length.or(creation.body.filter(|_| creation.brings_bytes)).unwrap_or(1);
        if let Some(refusal) = self.refusal_to_begin(&left, brings) {
            return Err(refusal);
        }
        tx.commit().await?;
        Ok(Begun { upload, is_new: true, renamed: made.and_then(|made| made.renamed) })
    }

    /// What can be done at once: the bytes that came along, or the joining. What did not get through can be sent again
    /// to `Location`, and what isn't joined yet will be; only a refusal is final, and leaves nothing behind.
    async fn first_bytes(&self, begun: Begun, creation: Creation, body: Body) -> Result<Reached, ApiError> {
        let Begun { upload, is_new, renamed } = begun;
        let done = if upload.state != UploadState::Open {
            return self.standing_of(&upload).await;
        } else if matches!(creation.plan, Plan::Final { .. }) {
            let (task, id) = (self.clone(), upload.id.clone());
            let joining = self.tasks.spawn(async move { task.concatenate(&id).await });
            match tokio::time::timeout(JOINING, joining).await {
                Ok(Ok(done)) => done,
                _ => return self.standing_of(&upload).await,
            }
        } else if creation.brings_bytes {
            let asked = Asked { offset: 0, body: creation.body, length: None };
            patch::append(self, upload.id.clone(), asked, creation.check, body).await
        } else {
            return self.standing_of(&upload).await;
        };
        match done {
            Ok(reached) => Ok(reached),
            // The checksum is wrong or never came, or it is longer than it says: as if it had not been asked for.
            Err(error) if matches!(error.status.as_u16(), 400 | 413 | 460) => {
                // What cannot be taken back has been made, and its client has to know where.
                if is_new && !self.undo(&upload, renamed.as_ref()).await? {
                    self.standing_of(&upload).await
                } else {
                    Err(error)
                }
            }
            Err(error) => {
                let reached = self.standing_of(&upload).await?;
                let is_over = matches!(error.status.as_u16(), 410 | 422) && reached.expires.is_none();
                if is_over { Err(error) } else { Ok(reached) }
            }
        }
    }

    async fn undo(&self, upload: &Upload, renamed: Option<&Renamed>) -> CoreResult<bool> {
        let _seat = self.writers.sit(&upload.id, self.limits.handover).await;
        let mut tx = self.db.write().await?;
        let undone = giving_up::undo(&mut tx, At::now(), upload, renamed).await?;
        tx.commit().await?;
        Ok(undone)
    }

    /// What it has come to, without disturbing anybody.
    pub(super) async fn standing_of(&self, upload: &Upload) -> Result<Reached, ApiError> {
        let mut tx = self.db.read().await?;
        let upload = sql::find(&mut tx, &upload.id).await?;
        let offset = sql::durable(&mut tx, &upload).await?.offset;
        Ok(Reached { offset, expires: upload.expires() })
    }
}

async fn clip_for(
    tx: &mut Tx,
    now: At,
    owner: &Principal,
    metadata: &Metadata,
    length: Option<i64>,
) -> CoreResult<Created> {
    let clip: Option<ClipId> =
        metadata.get("clip").map(|text| text.parse()).transpose().map_err(|_| Error::NotFound)?;
    let draft = Draft {
        title: metadata.get("title"),
        filename: metadata.get("filename").unwrap_or_default(),
        content_type: metadata.get("filetype").unwrap_or("application/octet-stream"),
        bytes: length.unwrap_or(0),
        assignment: metadata.get("assignment"),
        clip: clip.as_ref(),
    };
    create::create(tx, now, owner, &draft).await
}

/// Whether what this creation made before is still there: its file was not refused, and its clip not taken back.
async fn still_meant(tx: &mut Tx, upload: &Upload) -> Result<(), ApiError> {
    if upload.state == UploadState::Failed {
        return Err(patch::failed(upload));
    }
    match &upload.clip_id {
        Some(clip) if clip::sql::get(tx, clip).await?.state == ClipState::Withdrawn => Err(patch::gone()),
        _ => Ok(()),
    }
}

/// Whether this creation asks for what was created before.
fn is_same(creation: &Creation, upload: &Upload) -> bool {
    let as_planned = match &creation.plan {
        Plan::Whole { length } | Plan::Partial { length } => length.is_none() || *length == upload.length,
        Plan::Final { concat, .. } => upload.concat.as_ref() == Some(concat),
    };
    as_planned && creation.metadata.raw == upload.metadata
}
