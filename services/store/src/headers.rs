//! What a writer says about an object and a reader gets back.

use std::collections::BTreeMap;

use s3s::dto::{Metadata, Timestamp, TimestampFormat};
use s3s::{S3Error, s3_error};

#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Headers {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// Takes these headers out of any of S3's messages, which all spell them alike.
#[macro_export]
macro_rules! headers_of {
    ($message:expr) => {
        $crate::headers::Headers {
            content_type: $message.content_type.take(),
            cache_control: $message.cache_control.take(),
            content_disposition: $message.content_disposition.take(),
            content_encoding: $crate::headers::without_chunking($message.content_encoding.take()),
            content_language: $message.content_language.take(),
            expires: $message.expires.take().and_then($crate::headers::http_date),
            metadata: $message.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}

/// And the way back.
#[macro_export]
macro_rules! set_headers {
    ($message:expr, $headers:expr) => {{
        let headers: $crate::headers::Headers = $headers;
        $message.metadata = headers.metadata();
        $message.expires = headers.expires();
        $message.content_type = Some(headers.content_type.unwrap_or_else(|| "binary/octet-stream".into()));
        $message.cache_control = headers.cache_control;
        $message.content_disposition = headers.content_disposition;
        $message.content_encoding = headers.content_encoding;
        $message.content_language = headers.content_language;
    }};
}

/// S3's limit for the names and values of an object's own metadata together, in bytes of UTF-8.
const MOST_METADATA: usize = 2048;

impl Headers {
    pub fn check(&self) -> Result<(), S3Error> {
        let size: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MOST_METADATA {
            let text = "Your metadata headers exceed the maximum allowed metadata size";
            return Err(s3_error!(MetadataTooLarge, "{text}: {size} bytes of {MOST_METADATA}"));
        }
        Ok(())
    }

    pub fn expires(&self) -> Option<Timestamp> {
        Timestamp::parse(TimestampFormat::HttpDate, self.expires.as_deref()?).ok()
    }

    pub fn metadata(&self) -> Option<Metadata> {
        (!self.metadata.is_empty()).then(|| self.metadata.clone().into_iter().collect())
    }
}

pub fn http_date(at: Timestamp) -> Option<String> {
    let mut text = Vec::new();
    at.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// `aws-chunked` describes the transfer, not the object.
pub fn without_chunking(encoding: Option<String>) -> Option<String> {
    let kept: Vec<&str> =
        encoding.as_deref()?.split(',').map(str::trim).filter(|e| !e.is_empty() && *e != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transfers_encoding_is_not_the_objects() {
        assert_eq!(without_chunking(Some("aws-chunked".into())), None);
        assert_eq!(without_chunking(Some("gzip, aws-chunked".into())).as_deref(), Some("gzip"));
        assert_eq!(without_chunking(Some("br".into())).as_deref(), Some("br"));
    }
}
