use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use weijia_core::access::{Permission, require};
use weijia_core::account;
use weijia_core::caption::sql as captions;
use weijia_core::clip::{ClipState, MediaState, Rendition, Version, sql as clips};
use weijia_core::db::Tx;
use weijia_core::error::{Error, Result};
use weijia_core::ids::{CaptionId, VersionId};
use weijia_core::storage::{Range, StorageError};
use weijia_core::time::At;

use super::{playlist, range, token};
use crate::auth::session_token;
use crate::clip::resource;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::extract::{Id, Query};
use crate::state::AppState;

const FOR_EVER: &str = "private, max-age=31536000, immutable";
/// A later attempt may put another picture at the same address.
const FOR_AN_HOUR: &str = "private, max-age=3600";

#[derive(Deserialize, utoipa::IntoParams)]
pub struct Made {
    /// The attempt that made it, as the playlist names it.
    a: Option<i64>,
}

/// A file of a version: `master.m3u8`, `video.mp4`, `poster.jpg`, `storyboard.jpg`, `storyboard.vtt`, `waveform.json`, or
/// captions under their id, `cap_….vtt`.
#[utoipa::path(
    get, path = "/media/{token}/{version}/{file}", operation_id = "getMediaFile", tag = "media",
    params(("token" = String, Path), ("version" = String, Path), ("file" = String, Path)),
    responses(
        (status = 200, description = "The file, or a playlist as far as it has grown"),
        (status = 206, description = "The range that was asked for"),
        (status = 304, description = "The one you have is the one"),
        (status = 404, description = "Not there; or the path is forged, over, or not for this person", body = ErrorBody),
        (status = 416, description = "The range lies outside the file", body = ErrorBody),
    )
)]
pub async fn get_media_file(
    State(state): State<AppState>,
    Id((token, version, file)): Id<(String, VersionId, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (mut tx, version) = open(&state, &token, &version, &headers).await?;
    let (key, kind) = match file.as_str() {
        "master.m3u8" => {
            let renditions = clips::renditions(&mut tx, &version.id).await?;
            if renditions.is_empty() {
                return Err(ApiError::not_found());
            }
            return Ok(text(playlist::master(&renditions), version.state == MediaState::Ready));
        }
        "video.mp4" => (version.mp4_key, "video/mp4"),
        "poster.jpg" => (version.poster_key, "image/jpeg"),
        "storyboard.jpg" => (version.storyboard_key, "image/jpeg"),
        "storyboard.vtt" => (version.storyboard_vtt_key, "text/vtt; charset=utf-8"),
        "waveform.json" => (version.waveform_key, "application/json"),
        other => (caption(&mut tx, &version.id, other).await?, "text/vtt; charset=utf-8"),
    };
    drop(tx);
    let key = key.ok_or_else(ApiError::not_found)?;
    object(&state, &key, kind, FOR_AN_HOUR, &headers).await
}

/// The key of captions of this version, and of no other.
async fn caption(tx: &mut Tx, version: &VersionId, file: &str) -> Result<Option<String>> {
    let Some(Ok(id)) = file.strip_suffix(".vtt").map(str::parse::<CaptionId>) else { return Ok(None) };
    let tracks = captions::of_version(tx, version).await?;
    Ok(tracks.into_iter().find(|track| track.id == id).map(|track| track.key))
}

/// A file of one rendition: `480/index.m3u8`, `480/init.mp4`, `480/0.m4s`.
#[utoipa::path(
    get, path = "/media/{token}/{version}/{rendition}/{file}", operation_id = "getRenditionFile", tag = "media",
    params(("token" = String, Path), ("version" = String, Path), ("rendition" = String, Path), ("file" = String, Path), Made),
    responses(
        (status = 200, description = "The file, or the playlist as far as it has grown"),
        (status = 206, description = "The range that was asked for"),
        (status = 304, description = "The one you have is the one"),
        (status = 404, description = "Not there; or the path is forged, over, or not for this person", body = ErrorBody),
        (status = 416, description = "The range lies outside the file", body = ErrorBody),
    )
)]
pub async fn get_rendition_file(
    State(state): State<AppState>,
    Id((token, version, name, file)): Id<(String, VersionId, String, String)>,
    Query(made): Query<Made>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (mut tx, version) = open(&state, &token, &version, &headers).await?;
    let rendition = rendition(&mut tx, &version, &name, made.a).await?;
    let (key, kind) = match file.split_once('.') {
        Some(("index", "m3u8")) => {
            let segments = clips::segments(&mut tx, &rendition.id).await?;
            return Ok(text(playlist::media(&rendition, &segments), rendition.complete));
        }
        Some(("init", "mp4")) => (rendition.init_key, "video/mp4"),
        Some((n, "m4s")) => {
            let n = n.parse().map_err(|_| ApiError::not_found())?;
            (clips::segment(&mut tx, &rendition.id, n).await?.key, "video/iso.segment")
        }
        _ => return Err(ApiError::not_found()),
    };
    drop(tx);
    // With its attempt in the address, what lies there never changes.
    let cache = if made.a.is_some() { FOR_EVER } else { FOR_AN_HOUR };
    object(&state, &key, kind, cache, &headers).await
}

async fn rendition(tx: &mut Tx, version: &Version, name: &str, attempt: Option<i64>) -> Result<Rendition> {
    match attempt {
        Some(attempt) => clips::rendition(tx, &version.id, attempt, name).await,
        None => {
            let mut best = clips::renditions(tx, &version.id).await?.into_iter();
            best.find(|r| r.name == name).ok_or(Error::NotFound)
        }
    }
}

/// The version that this path opens, for the one it was given to. Anybody signed in as somebody else gets nothing.
async fn open(state: &AppState, token: &str, id: &VersionId, headers: &HeaderMap) -> Result<(Tx, Version)> {
    let now = At::now();
    let user = token::verify(&state.keys, token, id, now).ok_or(Error::NotFound)?;
    if let Some(session) = session_token(headers, &state.settings)
        && let Some(reader) = account::who_is(&state.db, now, &session).await?
        && reader.user != user
    {
        return Err(Error::NotFound);
    }
    let mut tx = state.db.read().await?;
    let version = clips::version(&mut tx, id).await?;
    let clip = clips::get(&mut tx, &version.clip_id).await?;
    let reader = account::principal(&mut tx, now, &user).await?;
    require(&reader, Permission::ClipPlay, &resource(&clip))?;
    if clip.state == ClipState::Withdrawn { Err(Error::NotFound) } else { Ok((tx, version)) }
}

/// A playlist: asked for again each time while it grows.
fn text(body: String, whole: bool) -> Response {
    let cache = if whole { "private, max-age=300" } else { "no-store" };
    let headers = [(header::CONTENT_TYPE, "application/vnd.apple.mpegurl"), (header::CACHE_CONTROL, cache)];
    (headers, body).into_response()
}

/// An object of the store, streamed. Its key names bytes that never change, so the key is the tag.
async fn object(
    state: &AppState,
    key: &str,
    kind: &'static str,
    cache: &'static str,
    headers: &HeaderMap,
) -> ApiResult<Response> {
    let given = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let etag = format!("\"{}\"", hex::encode(&Sha256::digest(key)[..16]));
    if given(header::IF_NONE_MATCH).is_some_and(|tags| tags == "*" || tags.split(',').any(|t| t.trim() == etag)) {
        return Ok((StatusCode::NOT_MODIFIED, always(&etag, kind, cache)).into_response());
    }
    let same = given(header::IF_RANGE).is_none_or(|tag| tag == etag);
    let asked = if same { range::parse(given(header::RANGE)) } else { Range::All };
    let body = match state.storage.get_range(key, asked).await {
        Ok(body) => body,
        Err(StorageError::NotFound) => return Err(ApiError::not_found()),
        Err(StorageError::Refused(_)) if asked != Range::All => return outside(state, key, asked).await,
        Err(other) => return Err(Error::Storage(other).into()),
    };
    let mut response = always(&etag, kind, cache);
    response.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len));
    let status = match range::resolve(asked, body.total) {
        Some((first, last)) if asked != Range::All => {
            let span = format!("bytes {first}-{last}/{}", body.total);
            response.extend(HeaderValue::try_from(span).ok().map(|v| (header::CONTENT_RANGE, v)));
            StatusCode::PARTIAL_CONTENT
        }
        _ => StatusCode::OK,
    };
    Ok((status, response, Body::from_stream(body.stream)).into_response())
}

/// The store refused a range: is it outside the object, or is something wrong?
async fn outside(state: &AppState, key: &str, asked: Range) -> ApiResult<Response> {
    let info = state.storage.head(key).await.map_err(Error::Storage)?.ok_or_else(ApiError::not_found)?;
    if range::resolve(asked, info.len).is_some() {
        return Err(Error::Damaged(format!("a good range of {key} was refused")).into());
    }
    let span = HeaderValue::try_from(format!("bytes */{}", info.len)).ok().map(|v| (header::CONTENT_RANGE, v));
    let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_outside", "片子没有那么长。", "从头再放一次。");
    Err(error.with_headers(span.into_iter().collect()))
}

fn always(etag: &str, kind: &'static str, cache: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.extend(HeaderValue::try_from(etag).ok().map(|v| (header::ETAG, v)));
    headers
}
