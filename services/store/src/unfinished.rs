//! Lists of what is under way: multipart uploads of a bucket, and the parts of one.

use s3s::dto::*;

use crate::conditions::{etag, timestamp};
use crate::errors::Result;
use crate::listing::owner;
use crate::paging::{Encoding, Entry, Start, page_size, walk};
use crate::{EmbeddedStore, buckets, index, multipart, set_sums};

pub async fn parts(store: &EmbeddedStore, input: ListPartsInput) -> Result<ListPartsOutput> {
    let max = page_size(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or(0);
    let mut tx = store.index().read().await?;
    let upload = multipart::require(&mut tx, &input.bucket, &input.key, &input.upload_id).await?;
    let mut rows = index::blobs_after(&mut tx, &upload.id, after.into(), i64::from(max) + 1).await?;
    let truncated = max > 0 && rows.len() > max as usize;
    rows.truncate(max as usize);
    let last = rows.last().map(|row| row.no as i32);
    let parts = rows.into_iter().map(|row| {
        let mut part = Part {
            part_number: Some(row.no as i32),
            e_tag: Some(etag(&row.etag)),
            size: Some(row.len),
            last_modified: Some(timestamp(row.written_at)),
            ..Default::default()
        };
        set_sums!(part, serde_json::from_str::<crate::sums::Sums>(&row.sums).unwrap_or_default());
        part
    });
    Ok(ListPartsOutput {
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(upload.id),
        parts: Some(parts.collect()),
        part_number_marker: Some(after),
        next_part_number_marker: last.filter(|_| truncated),
        max_parts: Some(max),
        is_truncated: Some(truncated),
        owner: Some(owner()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..Default::default()
    })
}

pub async fn uploads(store: &EmbeddedStore, input: ListMultipartUploadsInput) -> Result<ListMultipartUploadsOutput> {
    let max = page_size(input.max_uploads)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = match (input.key_marker.as_deref().filter(|key| !key.is_empty()), input.upload_id_marker.as_deref()) {
        (None, _) => None,
        (Some(key), Some(id)) if !id.is_empty() => Some(Start::behind_upload(key, id)),
        (Some(key), _) => Some(Start::behind(key)),
    };
    let mut tx = store.index().read().await?;
    buckets::require(&mut tx, &input.bucket).await?;
    let listed =
        walk::<index::Upload>(&mut tx, &input.bucket, prefix, input.delimiter.as_deref(), after, max as usize).await?;
    let encoding = Encoding(input.encoding_type.clone());
    let truncated = listed.next.is_some();
    let (mut uploads, mut prefixes, mut last) = (Vec::new(), Vec::new(), (None, None));
    for entry in listed.entries {
        match entry {
            Entry::Common(prefix) => {
                let name = encoding.text(prefix);
                last = (Some(name.clone()), None);
                prefixes.push(CommonPrefix { prefix: Some(name) });
            }
            Entry::Row(row) => {
                let name = encoding.text(row.key);
                last = (Some(name.clone()), Some(row.id.clone()));
                uploads.push(MultipartUpload {
                    key: Some(name),
                    upload_id: Some(row.id),
                    initiated: Some(timestamp(row.created_at)),
                    owner: Some(owner()),
                    storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
                    ..Default::default()
                });
            }
        }
    }
    let (next_key_marker, next_upload_id_marker) = if truncated { last } else { (None, None) };
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        uploads: Some(uploads),
        common_prefixes: Some(prefixes),
        prefix: input.prefix.map(|p| encoding.text(p)),
        delimiter: input.delimiter.map(|d| encoding.text(d)),
        key_marker: input.key_marker.map(|k| encoding.text(k)),
        upload_id_marker: input.upload_id_marker,
        next_key_marker,
        next_upload_id_marker,
        max_uploads: Some(max),
        is_truncated: Some(truncated),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}
