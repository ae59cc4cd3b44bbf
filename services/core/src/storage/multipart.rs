//! Large objects in parts. A part number belongs to its offset, so sending one again overwrites itself.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

use super::{At, ETag, Storage, StorageError, moment, tag};

/// A multipart upload that the store still keeps open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenMultipart {
    pub key: String,
    pub upload_id: String,
    /// By the store's clock.
    pub begun_at: Option<At>,
}

/// A part that the store holds for an open multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPart {
    pub no: i64,
    pub len: i64,
    pub etag: ETag,
}

impl Storage {
    pub async fn create_multipart(&self, key: &str, content_type: &str) -> Result<String, StorageError> {
        let answer = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .send()
            .await?;
        answer.upload_id.ok_or_else(|| StorageError::Transient("an answer without an upload id".into()))
    }

    pub async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        no: i32,
        bytes: impl Into<Bytes>,
    ) -> Result<ETag, StorageError> {
        let bytes: Bytes = bytes.into();
        let patience = self.for_body(bytes.len() as u64);
        let request = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(no)
            .body(bytes.into())
            .customize()
            .config_override(patience);
        let request = if self.sign_payloads { request } else { request.disable_payload_signing() };
        tag(request.send().await?.e_tag)
    }

    /// Joins the parts, given in order. After a [`StorageError::Transient`] or [`StorageError::NoSuchUpload`] it may
    /// have happened all the same: ask [`Storage::head`].
    pub async fn complete_multipart(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[(i32, ETag)],
    ) -> Result<ETag, StorageError> {
        let parts = parts.iter().map(|(no, etag)| CompletedPart::builder().part_number(*no).e_tag(etag).build());
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build())
            .customize()
            .config_override(self.for_joining())
            .send()
            .await?;
        tag(answer.e_tag)
    }

    /// Forgets an upload and its parts. One that is gone already is fine.
    pub async fn abort_multipart(&self, key: &str, upload_id: &str) -> Result<(), StorageError> {
        let answer =
            self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload_id).send().await;
        match answer.map_err(StorageError::from) {
            Ok(_) | Err(StorageError::NoSuchUpload) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The uploads left open under a prefix, for sweeping those that no row knows.
    pub async fn open_multiparts(&self, prefix: &str) -> Result<Vec<OpenMultipart>, StorageError> {
        let mut found = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let page = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_key_marker(key)
                .set_upload_id_marker(id)
                .send()
                .await?;
            let more = page.is_truncated == Some(true);
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
            let uploads = page.uploads.unwrap_or_default().into_iter();
            found.extend(uploads.filter_map(|u| {
                let begun_at = u.initiated.as_ref().and_then(moment);
                Some(OpenMultipart { key: u.key?, upload_id: u.upload_id?, begun_at })
            }));
            if !more || key.is_none() {
                return Ok(found);
            }
        }
    }

    /// The parts of an open upload, for comparing them with what SQL says; never for finding out an offset.
    pub async fn kept_parts(&self, key: &str, upload_id: &str) -> Result<Vec<KeptPart>, StorageError> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .client
                .list_parts()
                .bucket(&self.bucket)
                .key(key)
                .upload_id(upload_id)
                .set_part_number_marker(after)
                .send()
                .await?;
            let more = page.is_truncated == Some(true);
            after = page.next_part_number_marker;
            found.extend(page.parts.unwrap_or_default().into_iter().filter_map(|p| {
                Some(KeptPart { no: p.part_number?.into(), len: p.size.unwrap_or(0), etag: p.e_tag? })
            }));
            if !more || after.is_none() {
                return Ok(found);
            }
        }
    }
}
