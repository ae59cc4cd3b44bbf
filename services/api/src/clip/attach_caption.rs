use axum::Json;
use axum::body::Body;
use axum::extract::State;
use weijia_core::access::{Permission, Principal as Reader};
use weijia_core::caption::{self, Language, MAX_BYTES, Unreadable};
use weijia_core::clip::{Version, sql};
use weijia_core::db::Tx;
use weijia_core::error::{Error, Refusal, Result};
use weijia_core::ids::{CaptionId, ClipId, VersionId};
use weijia_core::storage::keys;
use weijia_core::time::At;

use super::{clip_for, view};
use crate::auth::Principal;
use crate::error::{ApiResult, ErrorBody};
use crate::extract::{Id, bytes_within};
use crate::state::AppState;

/// Attaches captions, an SRT or WebVTT file, to a version of her clip, in place of those she attached in that language
/// before. Only the words and their times are kept.
#[utoipa::path(
    put, path = "/clips/{clip}/versions/{version}/captions/{language}", operation_id = "attachCaption", tag = "clip",
    params(("clip" = String, Path), ("version" = String, Path), ("language" = String, Path, description = "As BCP 47 writes it: `zh`")),
    request_body(content = String, content_type = "application/octet-stream", description = "The file, in UTF-8, UTF-16 or GB18030"),
    responses(
        (status = 200, body = view::Clip),
        (status = 404, description = "Not there, or not hers", body = ErrorBody),
        (status = 422, description = "It cannot be read, and on which line; or the clip does not play", body = ErrorBody),
    )
)]
pub async fn attach_caption(
    State(state): State<AppState>,
    principal: Principal,
    Id((clip, version, language)): Id<(ClipId, VersionId, Language)>,
    file: Body,
) -> ApiResult<Json<view::Clip>> {
    // Of who may not attach any, no byte is read.
    let mut tx = state.db.read().await?;
    let (_, length_ms) = captioned(&mut tx, &principal, &clip, &version).await?;
    drop(tx);
    let file = bytes_within(file, MAX_BYTES).await?.ok_or(Refusal::from(Unreadable::TooLarge))?;
    let words = caption::write(&caption::parse(&file, length_ms).map_err(Refusal::from)?);

    // They are durable before any row speaks of them; where none does in the end, the sweep takes them.
    let (id, bytes) = (CaptionId::new(), words.len() as i64);
    state.storage.put(&keys::attached_caption(&version, &id), "text/vtt", words).await.map_err(Error::from)?;
    let mut tx = state.db.write().await?;
    sql::lock(&mut tx, &clip).await?;
    let (of, _) = captioned(&mut tx, &principal, &clip, &version).await?;
    caption::sql::attach(&mut tx, At::now(), &principal.user, &of, &id, &language, bytes).await?;
    let shown = view::clip(&state, &mut tx, &principal, &clip).await?;
    tx.commit().await?;
    Ok(Json(shown))
}

/// The version, if she may attach captions to it now, and its length.
async fn captioned(tx: &mut Tx, reader: &Reader, clip: &ClipId, version: &VersionId) -> Result<(Version, i64)> {
    let clip = clip_for(tx, reader, Permission::ClipEdit, clip).await?;
    let version = sql::version_of(tx, &clip.id, version).await?;
    let length_ms = caption::rules::length_ms(&clip, &version)?;
    Ok((version, length_ms))
}
