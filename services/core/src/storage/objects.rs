//! Whole objects: written at once, read whole or by range, as a stream.

use std::io;
use std::path::Path;
use std::pin::Pin;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::{ByteStream, Length};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::io::AsyncWriteExt;

use super::error::chain;
use super::{At, ETag, Storage, StorageError, moment, tag};

/// The part of an object to read. Ends are inclusive, as HTTP counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    All,
    From(u64),
    Span(u64, u64),
    Last(u64),
}

impl Range {
    fn header(self) -> Option<String> {
        match self {
            Range::All => None,
            Range::From(first) => Some(format!("bytes={first}-")),
            Range::Span(first, last) => Some(format!("bytes={first}-{last}")),
            Range::Last(n) => Some(format!("bytes=-{n}")),
        }
    }
}

/// Bytes on their way. The stream ends with an error, never early, when the store breaks off.
pub struct ObjectBody {
    pub stream: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    /// What the stream will bring.
    pub len: u64,
    /// The whole object.
    pub total: u64,
    pub content_type: String,
    pub etag: ETag,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    pub key: String,
    pub len: u64,
    pub etag: ETag,
    /// When it was written, by the store's clock.
    pub written_at: Option<At>,
}

/// Objects in the order of their keys. `next` goes into the next call's `after`; without it this was the last page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<ObjectInfo>,
    pub next: Option<String>,
}

impl Storage {
    pub async fn put(&self, key: &str, content_type: &str, bytes: impl Into<Bytes>) -> Result<ETag, StorageError> {
        let bytes: Bytes = bytes.into();
        let len = bytes.len() as u64;
        self.put_stream(key, content_type, bytes.into(), len).await
    }

    pub async fn put_file(&self, key: &str, content_type: &str, path: &Path) -> Result<ETag, StorageError> {
        let refused = |e: &dyn std::fmt::Display| StorageError::Refused(format!("cannot read {}: {e}", path.display()));
        let len = tokio::fs::metadata(path).await.map_err(|e| refused(&e))?.len();
        let body = ByteStream::read_from().path(path).length(Length::Exact(len)).buffer_size(256 * 1024).build().await;
        self.put_stream(key, content_type, body.map_err(|e| refused(&e))?, len).await
    }

    async fn put_stream(
        &self,
        key: &str,
        content_type: &str,
        body: ByteStream,
        len: u64,
    ) -> Result<ETag, StorageError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .content_length(len as i64)
            .body(body)
            .customize()
            .config_override(self.for_body(len));
        let request = if self.sign_payloads { request } else { request.disable_payload_signing() };
        tag(request.send().await?.e_tag)
    }

    /// The whole object in memory: for the small ones.
    pub async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        let mut body = self.get_range(key, Range::All).await?;
        let mut bytes = bytes::BytesMut::with_capacity(body.len.min(8 << 20) as usize);
        while let Some(chunk) = body.stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(broken)?);
        }
        Ok(bytes.freeze())
    }

    /// A range that lies outside the object is refused.
    pub async fn get_range(&self, key: &str, range: Range) -> Result<ObjectBody, StorageError> {
        let answer = self.client.get_object().bucket(&self.bucket).key(key).set_range(range.header()).send().await?;
        let len = answer
            .content_length
            .and_then(|n| u64::try_from(n).ok())
            .ok_or_else(|| StorageError::Transient("an answer without a length".into()))?;
        let total = match &answer.content_range {
            None => len,
            Some(text) => text
                .rsplit_once('/')
                .and_then(|(_, total)| total.parse().ok())
                .ok_or_else(|| StorageError::Transient(format!("an unreadable range: {text}")))?,
        };
        Ok(ObjectBody {
            stream: whole(answer.body, len),
            len,
            total,
            content_type: answer.content_type.unwrap_or_else(|| "application/octet-stream".into()),
            etag: tag(answer.e_tag)?,
        })
    }

    /// Copies an object into a file, and answers with its length. A failure may leave a part of the file behind.
    pub async fn download_to(&self, key: &str, path: &Path) -> Result<u64, StorageError> {
        let mut body = self.get_range(key, Range::All).await?;
        let unwritten = |e: io::Error| StorageError::Refused(format!("cannot write {}: {e}", path.display()));
        let mut file = tokio::fs::File::create(path).await.map_err(unwritten)?;
        while let Some(chunk) = body.stream.next().await {
            file.write_all(&chunk.map_err(broken)?).await.map_err(unwritten)?;
        }
        file.flush().await.map_err(unwritten)?;
        Ok(body.len)
    }

    /// What there is of a key. An answer to HEAD has no body: where it says no, somebody else may have answered, or it
    /// does not say why, so the store is asked once more in a way that it has to answer in words.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, StorageError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => {
                let len = answer.content_length.and_then(|n| u64::try_from(n).ok());
                let len = len.ok_or_else(|| StorageError::Transient("an answer without a length".into()))?;
                let written_at = answer.last_modified.as_ref().and_then(moment);
                Ok(Some(ObjectInfo { key: key.to_owned(), len, etag: tag(answer.e_tag)?, written_at }))
            }
            Err(error) if is_answered(&error) => match self.get_range(key, Range::Span(0, 0)).await {
                Err(StorageError::NotFound) => Ok(None),
                Err(damaged @ StorageError::Damaged(_)) => Err(damaged),
                _ => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// One that is gone already is fine.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let answer = self.client.delete_object().bucket(&self.bucket).key(key).send().await;
        match answer.map_err(StorageError::from) {
            Ok(_) | Err(StorageError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The next page of objects under a prefix, behind the key `after`.
    pub async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Page, StorageError> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_start_after(after.map(str::to_owned))
            .send()
            .await?;
        let objects: Vec<ObjectInfo> = (answer.contents.unwrap_or_default().into_iter())
            .filter_map(|o| {
                let len = u64::try_from(o.size.unwrap_or(0)).unwrap_or(0);
                let written_at = o.last_modified.as_ref().and_then(moment);
                Some(ObjectInfo { key: o.key?, len, etag: o.e_tag.unwrap_or_default(), written_at })
            })
            .collect();
        let next = if answer.is_truncated == Some(true) { objects.last().map(|o| o.key.clone()) } else { None };
        Ok(Page { objects, next })
    }
}

fn is_answered<E>(error: &SdkError<E>) -> bool {
    matches!(error, SdkError::ServiceError(_))
}

fn broken(error: io::Error) -> StorageError {
    StorageError::Transient(error.to_string())
}

/// The body as a stream that brings exactly `len` bytes or an error.
fn whole(body: ByteStream, len: u64) -> Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> {
    Box::pin(stream::unfold(Some((body, len)), |state| async {
        let (mut body, left) = state?;
        match body.next().await {
            Some(Ok(chunk)) if chunk.len() as u64 <= left => {
                let left = left - chunk.len() as u64;
                Some((Ok(chunk), Some((body, left))))
            }
            Some(Ok(_)) => Some((Err(io::Error::other("the store sent more than it announced")), None)),
            Some(Err(error)) => Some((Err(io::Error::other(chain(&error))), None)),
            None if left == 0 => None,
            None => Some((Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the store broke off")), None)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_error() {
        let chunks: Vec<_> = whole(ByteStream::from_static(b"half"), 8).collect().await;
        assert_eq!(chunks[0].as_ref().unwrap(), "half");
        assert_eq!(chunks[1].as_ref().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let chunks: Vec<_> = whole(ByteStream::from_static(b"whole"), 5).collect().await;
        assert_eq!(chunks.len(), 1);
    }
}
