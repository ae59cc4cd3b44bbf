//! What the head of a POST asks for.

use axum::http::{HeaderMap, StatusCode, header};
use url::Url;
use weijia_core::ids::UploadId;

use super::checksum::Check;
use super::patch;
use super::protocol::{
    self, IDEMPOTENCY_KEY, METADATA_MAX, Metadata, UPLOAD_CONCAT, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH, unreadable,
};
use crate::error::ApiError;

/// What the new upload is to be, and how long, if its client knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Whole {
        length: Option<i64>,
    },
    Partial {
        length: Option<i64>,
    },
    /// As long as what it is joined from. `concat` is the header as it came.
    Final {
        of: Vec<UploadId>,
        concat: String,
    },
}

pub struct Creation {
    pub plan: Plan,
    pub metadata: Metadata,
    /// The client's name for this creation: asked again, it is the same upload. A stretch needs none, for it makes no
    /// clip; and clients that send one header with all requests mean the file.
    pub idempotency_key: Option<String>,
    /// The body is the first of its bytes.
    pub brings_bytes: bool,
    pub body: Option<i64>,
    pub check: Option<Check>,
}

impl Creation {
    pub fn read(headers: &HeaderMap, most: i64) -> Result<Creation, ApiError> {
        let length = protocol::number(headers, &UPLOAD_LENGTH)?;
        let deferred = match headers.get(UPLOAD_DEFER_LENGTH) {
            None => false,
            Some(value) if value == "1" => true,
            Some(_) => return Err(unreadable(UPLOAD_DEFER_LENGTH.as_str())),
        };
        let concat = headers.get(UPLOAD_CONCAT).map(|value| value.to_str().unwrap_or_default().trim());
        let plan = match concat {
            None => Plan::Whole { length },
            Some("partial") => Plan::Partial { length },
            Some(text) => Plan::Final { of: partials(text)?, concat: text.to_owned() },
        };
        let is_final = matches!(plan, Plan::Final { .. });
        let said = usize::from(length.is_some()) + usize::from(deferred);
        if said != usize::from(!is_final) {
            return Err(unreadable(UPLOAD_LENGTH.as_str()));
        }
        if length.is_some_and(|length| length > most) {
            return Err(patch::too_big(length, most));
        }
        let body = protocol::number(headers, &header::CONTENT_LENGTH)?;
        let is_stream = protocol::is_offset_stream(headers);
        if is_stream && is_final {
            return Err(patch::is_final());
        }
        if is_stream && body.is_some_and(|body| body > length.unwrap_or(most)) {
            return Err(if length.is_some() { patch::too_long() } else { patch::too_big(body, most) });
        }
        let idempotency_key = idempotency_key(headers)?.filter(|_| !matches!(plan, Plan::Partial { .. }));
        let brings_bytes = is_stream && length != Some(0);
        let check = Check::read(headers)?;
        Ok(Creation { plan, metadata: Metadata::read(headers)?, idempotency_key, brings_bytes, body, check })
    }
}

/// `final;/api/v1/uploads/up_… https://weijia.example/api/v1/uploads/up_…`
fn partials(text: &str) -> Result<Vec<UploadId>, ApiError> {
    let bad = || unreadable(UPLOAD_CONCAT.as_str());
    let list = text.strip_prefix("final;").filter(|_| text.len() <= METADATA_MAX).ok_or_else(bad)?;
    // Relative addresses are relative to that of the creation. The host isn't looked at: a proxy may give us any name.
    let here = Url::parse(&format!("http://weijia{}", super::PATH)).map_err(|_| bad())?;
    let urls = list.split(' ').filter(|url| !url.is_empty());
    let ids: Option<Vec<_>> = urls.map(|url| partial(&here, url)).collect();
    ids.filter(|ids| !ids.is_empty()).ok_or_else(bad)
}

fn partial(here: &Url, url: &str) -> Option<UploadId> {
    let url = here.join(url).ok()?;
    let id = url.path().strip_prefix(super::PATH)?.strip_prefix('/')?;
    id.parse().ok()
}

/// Any name that a client likes, of a length that can be kept.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=200).contains(&key.trim().len()) => Ok(Some(key.trim().to_owned())),
        _ => Err(unreadable(IDEMPOTENCY_KEY.as_str())),
    }
}

/// The same name for another creation.
pub fn key_used_otherwise() -> ApiError {
    let next_step = "刷新页面，重新选这条片子再传。";
    let message = "这次上传的编号，先前用在另一个文件上了。";
    protocol::refuse(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", message, next_step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn read(headers: &[(&'static str, &str)]) -> Result<Creation, u16> {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        Creation::read(&headers.iter().map(header).collect(), 100).map_err(|error| error.status.as_u16())
    }

    fn plan(headers: &[(&'static str, &str)]) -> Result<Plan, u16> {
        read(headers).map(|creation| creation.plan)
    }

    #[test]
    fn a_length_is_said_now_or_later() {
        assert_eq!(plan(&[("upload-length", "100")]), Ok(Plan::Whole { length: Some(100) }));
        assert_eq!(plan(&[("upload-defer-length", "1")]), Ok(Plan::Whole { length: None }));
        assert_eq!(plan(&[("upload-length", "101")]), Err(413));
        assert_eq!(plan(&[]), Err(400));
        assert_eq!(plan(&[("upload-length", "5"), ("upload-defer-length", "1")]), Err(400));
        for bad in ["0", "2", "true", ""] {
            assert_eq!(plan(&[("upload-defer-length", bad)]), Err(400), "{bad}");
        }
    }

    #[test]
    fn a_file_may_be_joined_from_stretches() {
        let (a, b) = (UploadId::new(), UploadId::new());
        let partial = ("upload-concat", "partial");
        assert_eq!(plan(&[partial, ("upload-length", "5")]), Ok(Plan::Partial { length: Some(5) }));
        assert_eq!(plan(&[partial, ("upload-defer-length", "1")]), Ok(Plan::Partial { length: None }));
        assert_eq!(plan(&[partial]), Err(400));
        let urls = [
            format!("final;/api/v1/uploads/{b} https://weijia.example/api/v1/uploads/{a}"),
            format!("final;uploads/{b} ./uploads/{a}"),
            format!("final; /api/v1/uploads/{b}  /api/v1/uploads/{a} "),
        ];
        for concat in urls {
            let of = vec![b.clone(), a.clone()];
            let raw = concat.trim().to_owned();
            assert_eq!(plan(&[("upload-concat", &concat)]), Ok(Plan::Final { of, concat: raw }));
        }
        let one = format!("final;/api/v1/uploads/{a}");
        assert_eq!(plan(&[("upload-concat", &one), ("upload-length", "5")]), Err(400));
        assert_eq!(plan(&[("upload-concat", &one), ("upload-defer-length", "1")]), Err(400));
        assert_eq!(plan(&[("upload-concat", &one), ("content-type", protocol::OFFSET_STREAM)]), Err(403));
        let elsewhere = format!("final;/api/v1/clips/{a}");
        let long = format!("final;{}", format!("/api/v1/uploads/{a} ").repeat(200));
        for bad in ["", "final", "final;", "final; ", "final;x", "FINAL;x", "partial;x", &elsewhere, &long] {
            assert_eq!(plan(&[("upload-concat", bad)]), Err(400), "{bad}");
        }
    }

    #[test]
    fn bytes_that_come_along_are_at_most_the_file() {
        let stream = ("content-type", protocol::OFFSET_STREAM);
        let brings = |headers: &[_]| read(headers).map(|creation| creation.brings_bytes);
        assert_eq!(brings(&[stream, ("upload-length", "5"), ("content-length", "5")]), Ok(true));
        assert_eq!(brings(&[stream, ("upload-length", "5"), ("content-length", "6")]), Err(413));
        assert_eq!(brings(&[stream, ("upload-defer-length", "1"), ("content-length", "101")]), Err(413));
        assert_eq!(brings(&[("upload-length", "5"), ("content-length", "6")]), Ok(false));
        assert_eq!(brings(&[stream, ("upload-length", "0")]), Ok(false));
        assert_eq!(brings(&[stream, ("upload-length", "0"), ("content-length", "0")]), Ok(false));
        assert_eq!(brings(&[stream, ("upload-length", "0"), ("content-length", "1")]), Err(413));
        assert_eq!(brings(&[stream, ("upload-length", "5"), ("upload-checksum", "md5 AAAA")]), Err(400));
    }

    #[test]
    fn a_creation_may_have_a_name() {
        let length = ("upload-length", "5");
        let name = |headers: &[_]| read(headers).map(|creation| creation.idempotency_key);
        assert_eq!(name(&[length, ("idempotency-key", "draft-1")]), Ok(Some("draft-1".into())));
        assert_eq!(name(&[length, ("upload-concat", "partial"), ("idempotency-key", "draft-1")]), Ok(None));
        assert_eq!(name(&[length, ("idempotency-key", "")]), Err(400));
        assert_eq!(name(&[length, ("idempotency-key", &"x".repeat(201))]), Err(400));
    }
}
