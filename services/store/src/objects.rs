//! Whole objects: put, get, head, delete.

use std::ops::Range as Bytes;

use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, s3_error};
use weijia_core::db::Tx;
use weijia_core::time::At;

use crate::blobs::{BlobId, random_name};
use crate::body::{Announced, Received, receive};
use crate::conditions::{ReadCondition, Verdict, WriteCondition, etag, resolve, still_holds, timestamp};
use crate::errors::{Error, Result};
use crate::headers::Headers;
use crate::index::{Blob, Object};
use crate::readers::Reader;
use crate::sums::Sums;
use crate::{EmbeddedStore, buckets, headers_of, index, reading, set_headers, set_sums, sums_of};

pub async fn put(store: &EmbeddedStore, request: S3Request<PutObjectInput>) -> Result<PutObjectOutput> {
    let mut input = request.input;
    if input.write_offset_bytes.is_some() {
        return Err(s3_error!(NotImplemented, "objects are written whole").into());
    }
    let condition = WriteCondition::of(input.if_match.take(), input.if_none_match.take())?;
    // A write that cannot succeed shouldn't have to send its body; the decision falls at the commit.
    judge(&mut store.index().read().await?, &input.bucket, &input.key, &condition).await?;
    let announced = Announced {
        len: input.content_length,
        md5: input.content_md5.take(),
        sums: sums_of!(input),
        algorithm: input.checksum_algorithm.take().map(|a| a.as_str().to_owned()),
        trailers: request.trailing_headers,
    };
    let headers = headers_of!(input);
    headers.check()?;
    let received = receive(store.blobs(), input.body.take(), announced).await?;
    let (object, sums) = publish(store, input.bucket, input.key, headers, received, condition).await?;
    let mut output = PutObjectOutput { e_tag: Some(etag(&object.etag)), ..Default::default() };
    set_sums!(output, sums);
    Ok(output)
}

/// Makes received bytes the meaning of a key.
pub async fn publish(
    store: &EmbeddedStore,
    bucket: String,
    key: String,
    headers: Headers,
    received: Received,
    condition: WriteCondition,
) -> Result<(Object, Sums)> {
    let inside = store.clone();
    let work = async move {
        let object = Object {
            key,
            id: random_name(),
            len: received.len,
            etag: received.etag(),
            parts: None,
            headers: serde_json::to_string(&headers)?,
            sums: serde_json::to_string(&received.sums)?,
            written_at: At::now(),
        };
        let placed = inside.place(received.draft).await?;
        let blob = Blob {
            id: placed.id.clone(),
            no: 1,
            len: object.len,
            etag: object.etag.clone(),
            sums: object.sums.clone(),
            written_at: object.written_at,
        };
        let mut tx = inside.index().write().await?;
        judge(&mut tx, &bucket, &object.key, &condition).await?;
        let freed = index::put_object(&mut tx, &bucket, &object).await?;
        index::put_blob(&mut tx, &object.id, &blob).await?;
        placed.commit(tx).await?;
        inside.blobs().discard(freed);
        Ok((object, received.sums))
    };
    store.settle(work).await
}

/// Whether the write may happen, as the transaction sees it: writers come one at a time, so what it sees stays true.
pub async fn judge(tx: &mut Tx, bucket: &str, key: &str, condition: &WriteCondition) -> Result<()> {
    buckets::require(tx, bucket).await?;
    if *condition == WriteCondition::None {
        return Ok(());
    }
    let now = index::object(tx, bucket, key).await?;
    Ok(condition.check(now.as_ref().map(|o| o.etag.as_str()))?)
}

/// An object as one moment saw it, with a reader that keeps its bytes where they are.
pub struct Found {
    pub object: Object,
    pub blobs: Vec<Blob>,
    pub headers: Headers,
    pub sums: Sums,
    pub reader: Reader,
}

pub async fn find(store: &EmbeddedStore, bucket: &str, key: &str) -> Result<Found> {
    let reader = store.blobs().reader();
    let mut tx = store.index().read().await?;
    let Some(object) = index::object(&mut tx, bucket, key).await? else {
        buckets::require(&mut tx, bucket).await?;
        return Err(s3_error!(NoSuchKey, "The specified key does not exist.").into());
    };
    let blobs = index::blobs(&mut tx, &object.id).await?;
    if blobs.iter().map(|b| b.len).sum::<i64>() != object.len {
        return Err(Error::Damaged(format!("the parts of object {} don't add up", object.id)));
    }
    let (headers, sums) = (serde_json::from_str(&object.headers)?, serde_json::from_str(&object.sums)?);
    Ok(Found { object, blobs, headers, sums, reader })
}

impl Found {
    /// The bytes that are asked for, and how the answer names them when it isn't all.
    fn select(&self, range: Option<Range>, part: Option<PartNumber>) -> Result<(Bytes<u64>, Option<String>), S3Error> {
        let len = self.object.len as u64;
        let bytes = match (range, part) {
            (None, None) => return Ok((0..len, None)),
            (Some(_), Some(_)) => return Err(s3_error!(InvalidRequest, "a range or a part number, not both")),
            (Some(range), None) => resolve(&range, len).ok_or_else(|| outside(len))?,
            (None, Some(no)) => self.part(no).ok_or_else(no_such_part)?,
        };
        let last = bytes.end.saturating_sub(1);
        let name = (!bytes.is_empty()).then(|| format!("bytes {}-{last}/{len}", bytes.start));
        Ok((bytes, name))
    }

    /// Parts keep the numbers that they were sent under.
    fn part(&self, no: PartNumber) -> Option<Bytes<u64>> {
        let at = self.blobs.binary_search_by_key(&no.into(), |blob| blob.no).ok()?;
        let start = self.blobs[..at].iter().map(|blob| blob.len as u64).sum();
        Some(start..start + self.blobs[at].len as u64)
    }

    pub fn check(&self, condition: &ReadCondition) -> Result<(), S3Error> {
        match condition.check(&self.object.etag, self.object.written_at) {
            Verdict::Proceed => Ok(()),
            Verdict::Failed => {
                Err(s3_error!(PreconditionFailed, "At least one of the preconditions you specified did not hold."))
            }
            Verdict::NotModified => {
                let mut answer = s3_error!(NotModified);
                answer.set_headers(header("etag", &format!("\"{}\"", self.object.etag)));
                Err(answer)
            }
        }
    }
}

fn outside(len: u64) -> S3Error {
    let mut answer = s3_error!(InvalidRange, "The requested range is not satisfiable");
    answer.set_headers(header("content-range", &format!("bytes */{len}")));
    answer
}

fn no_such_part() -> S3Error {
    let code = S3ErrorCode::Custom("InvalidPartNumber".into());
    let mut answer = S3Error::with_message(code, "The requested partnumber is not satisfiable");
    answer.set_status_code(hyper::StatusCode::RANGE_NOT_SATISFIABLE);
    answer
}

fn header(name: &'static str, value: &str) -> hyper::HeaderMap {
    let value = hyper::header::HeaderValue::from_str(value).ok();
    value.map(|value| (hyper::header::HeaderName::from_static(name), value)).into_iter().collect()
}

/// Fills in what Get and Head say alike.
macro_rules! describe {
    ($request:expr, $found:expr, $output:ty) => {{
        let (mut input, found) = ($request.input, &$found);
        let if_range = $request.headers.get(hyper::header::IF_RANGE);
        if if_range.is_some_and(|value| !still_holds(value.as_bytes(), &found.object.etag, found.object.written_at)) {
            input.range = None;
        }
        found.check(&ReadCondition {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        })?;
        let (bytes, content_range) = found.select(input.range, input.part_number)?;
        let mut output = <$output>::default();
        set_headers!(output, found.headers.clone());
        output.accept_ranges = Some("bytes".into());
        output.content_length = Some((bytes.end - bytes.start) as i64);
        output.e_tag = Some(etag(&found.object.etag));
        output.last_modified = Some(timestamp(found.object.written_at));
        output.parts_count = input.part_number.and(found.object.parts).map(|n| n as i32);
        let asked = input.checksum_mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
        if asked && content_range.is_none() && !found.sums.is_empty() {
            let composite = found.sums.fields().iter().any(|(_, sum)| sum.is_some_and(|sum| sum.contains('-')));
            let kind = if composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT };
            output.checksum_type = Some(ChecksumType::from_static(kind));
            set_sums!(output, found.sums.clone());
        }
        output.content_range = content_range;
        (output, bytes)
    }};
}

pub async fn get(store: &EmbeddedStore, request: S3Request<GetObjectInput>) -> Result<GetObjectOutput> {
    let found = find(store, &request.input.bucket, &request.input.key).await?;
    let (mut output, bytes) = describe!(request, found, GetObjectOutput);
    output.body = Some(reading::stream(store.blobs(), found.reader, &found.blobs, &bytes).await?);
    Ok(output)
}

pub async fn head(store: &EmbeddedStore, request: S3Request<HeadObjectInput>) -> Result<HeadObjectOutput> {
    let found = find(store, &request.input.bucket, &request.input.key).await?;
    let (output, _) = describe!(request, found, HeadObjectOutput);
    reading::require(store.blobs(), &found.blobs).await?;
    Ok(output)
}

/// Deleting what isn't there succeeds, as it does everywhere.
pub async fn delete(store: &EmbeddedStore, input: DeleteObjectInput) -> Result<DeleteObjectOutput> {
    let condition = WriteCondition::of(input.if_match, None)?;
    let inside = store.clone();
    let work = async move {
        let mut tx = inside.index().write().await?;
        judge(&mut tx, &input.bucket, &input.key, &condition).await?;
        let freed = index::delete_object(&mut tx, &input.bucket, &input.key).await?;
        tx.commit().await?;
        inside.blobs().discard(freed);
        Ok(DeleteObjectOutput::default())
    };
    store.settle(work).await
}

/// All in one transaction: a thousand keys cost one commit. Each is answered for itself.
pub async fn delete_many(store: &EmbeddedStore, input: DeleteObjectsInput) -> Result<DeleteObjectsOutput> {
    let Delete { objects, quiet } = input.delete;
    if objects.is_empty() || objects.len() > 1000 {
        return Err(s3_error!(MalformedXML, "1 to 1000 keys can be deleted at once").into());
    }
    let inside = store.clone();
    let work = async move {
        let (mut deleted, mut errors, mut freed) = (Vec::new(), Vec::new(), Vec::new());
        let mut tx = inside.index().write().await?;
        buckets::require(&mut tx, &input.bucket).await?;
        for object in objects {
            let key = object.key.clone();
            match delete_one(&mut tx, &input.bucket, object).await {
                Ok(blobs) => {
                    freed.extend(blobs);
                    deleted.push(DeletedObject { key: Some(key), ..Default::default() });
                }
                Err(Error::Answer(no)) => errors.push(s3s::dto::Error {
                    code: Some(no.code().as_str().to_owned()),
                    key: Some(key),
                    message: no.message().map(str::to_owned),
                    ..Default::default()
                }),
                Err(fault) => return Err(fault),
            }
        }
        tx.commit().await?;
        inside.blobs().discard(freed);
        let deleted = (quiet != Some(true)).then_some(deleted);
        Ok(DeleteObjectsOutput { deleted, errors: Some(errors), ..Default::default() })
    };
    store.settle(work).await
}

async fn delete_one(tx: &mut Tx, bucket: &str, object: ObjectIdentifier) -> Result<Vec<BlobId>> {
    if object.version_id.is_some_and(|version| version != "null") {
        return Err(s3_error!(NoSuchVersion, "This store keeps no versions.").into());
    }
    let condition = WriteCondition::of(object.e_tag.map(ETagCondition::ETag), None)?;
    judge(tx, bucket, &object.key, &condition).await?;
    index::delete_object(tx, bucket, &object.key).await
}
