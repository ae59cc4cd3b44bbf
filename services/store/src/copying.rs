//! Copies inside the store: the bytes are read and written anew, so every object owns its own.

use hyper::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use s3s::dto::*;
use s3s::{S3Error, S3Request, s3_error};
use weijia_core::time::At;

use crate::body::{Announced, Received, receive};
use crate::conditions::{ReadCondition, WriteCondition, etag, timestamp};
use crate::errors::Result;
use crate::objects::{Found, find, judge, publish};
use crate::{EmbeddedStore, headers_of, multipart, reading, set_sums};

/// Looks the source up, and judges the copy's conditions on it.
async fn source(
    store: &EmbeddedStore,
    source: CopySource,
    condition: ReadCondition,
) -> Result<(Found, (String, String))> {
    let CopySource::Bucket { bucket, key, version_id: None } = source else {
        return Err(s3_error!(NotImplemented, "copies come from a bucket of this store, without versions").into());
    };
    let found = find(store, &bucket, &key).await?;
    // Where a read answers "not modified", a copy has failed its precondition.
    found
        .check(&condition)
        .map_err(|e| if e.code().as_str() == "NotModified" { s3_error!(PreconditionFailed) } else { e })?;
    Ok((found, (bucket.into(), key.into())))
}

/// Copies these bytes of an object into a draft.
async fn take(store: &EmbeddedStore, found: Found, bytes: std::ops::Range<u64>) -> Result<Received> {
    let len = Some((bytes.end - bytes.start) as i64);
    let body = reading::stream(store.blobs(), found.reader, &found.blobs, &bytes).await?;
    let announced = Announced { len, sums: found.sums, ..Announced::default() };
    receive(store.blobs(), Some(body), announced).await
}

pub async fn copy(store: &EmbeddedStore, request: S3Request<CopyObjectInput>) -> Result<CopyObjectOutput> {
    let target = WriteCondition::of(asked(&request, IF_MATCH)?, asked(&request, IF_NONE_MATCH)?)?;
    let mut input = request.input;
    judge(&mut store.index().read().await?, &input.bucket, &input.key, &target).await?;
    let condition = ReadCondition {
        if_match: input.copy_source_if_match.take(),
        if_none_match: input.copy_source_if_none_match.take(),
        if_modified_since: input.copy_source_if_modified_since.take(),
        if_unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let replaces = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    let (mut found, from) = source(store, input.copy_source.clone(), condition).await?;
    if from.0 == input.bucket && from.1 == input.key && !replaces {
        let text = "This copy request is illegal because it is trying to copy an object to itself without changing it.";
        return Err(s3_error!(InvalidRequest, "{text}").into());
    }
    let headers = if replaces { headers_of!(input) } else { std::mem::take(&mut found.headers) };
    headers.check()?;
    // A multipart checksum is about parts, which the copy no longer has.
    if found.object.parts.is_some() {
        found.sums = Default::default();
    }
    let all = 0..found.object.len as u64;
    let received = take(store, found, all).await?;
    let (object, sums) = publish(store, input.bucket, input.key, headers, received, target).await?;
    let mut result = CopyObjectResult {
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(timestamp(object.written_at)),
        ..Default::default()
    };
    set_sums!(result, sums);
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
}

/// The conditions on what the copy would replace, which `s3s` leaves in the headers.
fn asked(request: &S3Request<CopyObjectInput>, name: HeaderName) -> Result<Option<ETagCondition>, S3Error> {
    let value = request.headers.get(&name).map(|value| ETagCondition::parse_http_header(value.as_bytes()));
    value.transpose().map_err(|_| s3_error!(InvalidArgument, "{name} is not an entity tag"))
}

pub async fn copy_part(store: &EmbeddedStore, mut input: UploadPartCopyInput) -> Result<UploadPartCopyOutput> {
    let condition = ReadCondition {
        if_match: input.copy_source_if_match.take(),
        if_none_match: input.copy_source_if_none_match.take(),
        if_modified_since: input.copy_source_if_modified_since.take(),
        if_unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let place = multipart::Place::of(input.bucket, input.key, input.upload_id, input.part_number)?;
    place.require(store).await?;
    let (mut found, _) = source(store, input.copy_source, condition).await?;
    found.sums = Default::default();
    let len = found.object.len as u64;
    let bytes = match input.copy_source_range.as_deref() {
        None => 0..len,
        Some(text) => span(text, len)?,
    };
    let received = take(store, found, bytes).await?;
    let (tag, _) = multipart::keep_part(store, place, received).await?;
    let result =
        CopyPartResult { e_tag: Some(etag(&tag)), last_modified: Some(timestamp(At::now())), ..Default::default() };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
}

/// Unlike a read's range, a copy's must name both ends, and both must lie inside.
fn span(text: &str, len: u64) -> Result<std::ops::Range<u64>, S3Error> {
    match Range::parse(text) {
        Ok(Range::Int { first, last: Some(last) }) if last < len => Ok(first..last + 1),
        _ => {
            Err(s3_error!(InvalidArgument, "The x-amz-copy-source-range must be bytes=first-last, inside the source."))
        }
    }
}
