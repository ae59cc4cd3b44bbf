//! The dialect of tus 1.0: headers in, headers out. Nothing else knows about it, so another one can be added beside it.

use std::collections::BTreeMap;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use weijia_core::time::At;

use crate::error::ApiError;

pub const VERSION: &str = "1.0.0";
pub const EXTENSIONS: &str = "creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,\
                              checksum-trailer,concatenation";
pub const OFFSET_STREAM: &str = "application/offset+octet-stream";

pub const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
pub const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
pub const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
pub const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
pub const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
pub const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub const X_CLIP_ID: HeaderName = HeaderName::from_static("x-clip-id");
pub const X_VERSION_ID: HeaderName = HeaderName::from_static("x-version-id");
pub const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Around every endpoint: asks for the version we speak, and says it on every answer, whatever the answer.
pub async fn speak_tus(request: Request, next: Next) -> Response {
    let mut response = match understood(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn understood(request: &Request) -> Result<(), ApiError> {
    said_once(request.headers())?;
    let asked = request.headers().get(TUS_RESUMABLE);
    if request.method() == Method::OPTIONS || asked.is_some_and(|v| v == VERSION) {
        return Ok(());
    }
    let (message, next_step) = ("这个上传工具的版本对不上。", "更新到新版再试。片子还在手机里，不会丢。");
    let mut error = refuse(StatusCode::PRECONDITION_FAILED, "tus_version", message, next_step);
    error.headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    Err(error)
}

/// Of two lengths or two offsets neither is the right one.
fn said_once(headers: &HeaderMap) -> Result<(), ApiError> {
    let single = [
        TUS_RESUMABLE,
        METHOD_OVERRIDE,
        IDEMPOTENCY_KEY,
        UPLOAD_OFFSET,
        UPLOAD_LENGTH,
        UPLOAD_DEFER_LENGTH,
        UPLOAD_CHECKSUM,
        UPLOAD_CONCAT,
        UPLOAD_METADATA,
        header::CONTENT_TYPE,
    ];
    match single.iter().find(|name| headers.get_all(*name).iter().any(|value| Some(value) != headers.get(*name))) {
        Some(name) => Err(unreadable(name.as_str())),
        None => Ok(()),
    }
}

pub fn refuse(status: StatusCode, code: &'static str, message: &str, next_step: &str) -> ApiError {
    ApiError::new(status, code, message, next_step)
}

/// An error that also says up to where the bytes are durable all the same, and how long they are kept.
pub fn with_offset(mut error: ApiError, offset: i64, expires: Option<At>) -> ApiError {
    error.headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    set_expires(&mut error.headers, expires);
    error
}

pub fn set_expires(headers: &mut HeaderMap, expires: Option<At>) {
    if let Some(date) = expires.and_then(|at| HeaderValue::from_str(&at.http_date()).ok()) {
        headers.insert(UPLOAD_EXPIRES, date);
    }
}

/// A header that says nothing to us. Its name is for the log: to her it would be a riddle.
pub fn unreadable(header: &str) -> ApiError {
    tracing::info!(header, "an upload's request cannot be read");
    let (message, next_step) = ("这次上传的信息读不懂。", "刷新页面，再传一次。片子还在手机里，不会丢。");
    refuse(StatusCode::BAD_REQUEST, "bad_upload_request", message, next_step)
}

/// A header that holds a whole number, if it is there.
pub fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(n) if digits => Ok(Some(n)),
        _ => Err(unreadable(name.as_str())),
    }
}

pub fn required(headers: &HeaderMap, name: &HeaderName) -> Result<i64, ApiError> {
    number(headers, name)?.ok_or_else(|| unreadable(name.as_str()))
}

pub fn is_offset_stream(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(OFFSET_STREAM)
}

pub fn require_offset_stream(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_offset_stream(headers) {
        return Ok(());
    }
    let (message, next_step) = ("上传的请求类型不对。", "刷新页面，再传一次。");
    Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_an_offset_stream", message, next_step))
}

pub fn set(response: &mut Response, name: HeaderName, value: impl ToString) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        response.headers_mut().insert(name, value);
    }
}

/// A title and a name with room to spare; it is said back on every HEAD. The same for a list of partial uploads.
pub const METADATA_MAX: usize = 8 << 10;

/// Upload-Metadata: pairs of a key and a base64 value, separated by commas.
#[derive(Debug, Default)]
pub struct Metadata {
    pub raw: String,
    pairs: BTreeMap<String, String>,
}

impl Metadata {
    pub fn read(headers: &HeaderMap) -> Result<Metadata, ApiError> {
        let bad = || unreadable(UPLOAD_METADATA.as_str());
        let Some(value) = headers.get(UPLOAD_METADATA) else { return Ok(Metadata::default()) };
        let raw = value.to_str().map_err(|_| bad())?.trim().to_owned();
        if raw.len() > METADATA_MAX {
            return Err(bad());
        }
        let mut pairs = BTreeMap::new();
        let said = raw.split(',').map(str::trim).filter(|_| !raw.is_empty());
        for pair in said {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(bad());
            }
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.trim()).map_err(|_| bad())?;
            let text = String::from_utf8(bytes).map_err(|_| bad())?;
            if pairs.insert(key.to_owned(), text).is_some() {
                return Err(bad());
            }
        }
        Ok(Metadata { raw, pairs })
    }

    /// A value that says something.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(|text| text.trim()).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(text: &'static str) -> Result<Metadata, ApiError> {
        Metadata::read(&HeaderMap::from_iter([(UPLOAD_METADATA, HeaderValue::from_static(text))]))
    }

    #[test]
    fn metadata_is_pairs_of_a_key_and_base64() {
        let read = metadata("filename d29ybGQ=,title 5oiR55qE5p2R,is_private").ok().unwrap();
        assert_eq!(read.get("filename"), Some("world"));
        assert_eq!(read.get("title"), Some("我的村"));
        assert_eq!(read.get("is_private"), None);
        assert_eq!(read.raw, "filename d29ybGQ=,title 5oiR55qE5p2R,is_private");
        assert!(metadata("").ok().unwrap().get("filename").is_none());
        let wrong = ["filename !!!", "filename /w==", "a d29ybGQ=,a d29ybGQ=", "a,,b", ",", "a,", "a\tb d29ybGQ="];
        for bad in wrong {
            assert!(metadata(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_said_twice_is_said_alike() {
        let twice = |name: HeaderName, values: [&'static str; 2]| {
            let headers = values.map(|value| (name.clone(), HeaderValue::from_static(value)));
            said_once(&headers.into_iter().collect()).map_err(|error| error.status.as_u16())
        };
        assert_eq!(twice(UPLOAD_LENGTH, ["5", "5"]), Ok(()));
        for name in [TUS_RESUMABLE, UPLOAD_LENGTH, UPLOAD_OFFSET, UPLOAD_CONCAT, UPLOAD_METADATA, UPLOAD_CHECKSUM] {
            assert_eq!(twice(name, ["5", "10"]), Err(400));
        }
        assert_eq!(twice(header::COOKIE, ["a=5", "b=10"]), Ok(()));
    }

    #[test]
    fn a_number_is_digits_only() {
        let read = |text: &'static str| {
            let headers = HeaderMap::from_iter([(UPLOAD_OFFSET, HeaderValue::from_static(text))]);
            required(&headers, &UPLOAD_OFFSET).ok()
        };
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("70"), Some(70));
        for bad in ["", "-1", "+1", "1.5", "0x10", "99999999999999999999"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(required(&HeaderMap::new(), &UPLOAD_OFFSET).is_err());
    }
}
