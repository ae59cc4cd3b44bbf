//! Large objects in parts. Every part is a blob of its own: sending one again replaces it only when the new one is
//! durable, and completing names the parts without moving a byte.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use md5::{Digest, Md5};
use s3s::dto::*;
use s3s::{S3Error, S3Request, s3_error};
use weijia_core::db::Tx;
use weijia_core::time::At;

use crate::blobs::random_name;
use crate::body::{Announced, Received, receive};
use crate::conditions::{WriteCondition, etag};
use crate::errors::Result;
use crate::index::{Blob, Object, Upload};
use crate::objects::judge;
use crate::sums::Sums;
use crate::{EmbeddedStore, buckets, headers_of, index, reading, set_sums, sums_of};

/// AWS refuses smaller parts, except for the last.
const SMALLEST_PART: i64 = 5 << 20;
const LAST_PART: i32 = 10_000;

pub async fn create(
    store: &EmbeddedStore,
    mut input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput> {
    let now = At::now();
    let headers = headers_of!(input);
    let upload = Upload {
        id: format!("{:012x}-{}", moment_of_its_own(now), random_name()),
        bucket: input.bucket,
        key: input.key,
        headers: serde_json::to_string(&headers)?,
        created_at: now,
    };
    headers.check()?;
    let mut tx = store.index().write().await?;
    buckets::require(&mut tx, &upload.bucket).await?;
    index::create_upload(&mut tx, &upload).await?;
    tx.commit().await?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(upload.id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        ..Default::default()
    })
}

/// What an id begins with, so that uploads of one key list in the order in which they began: the time, and as long as this
/// process lives never the same twice, nor an earlier one when the clock goes back.
fn moment_of_its_own(now: At) -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let next = |last: i64| Some(now.0.max(last + 1));
    // It never refuses.
    LAST.fetch_update(Relaxed, Relaxed, next).map_or(now.0, |last| now.0.max(last + 1))
}

pub async fn require(tx: &mut Tx, bucket: &str, key: &str, id: &str) -> Result<Upload> {
    if let Some(upload) = index::upload(tx, bucket, key, id).await? {
        return Ok(upload);
    }
    buckets::require(tx, bucket).await?;
    Err(no_such_upload().into())
}

fn no_such_upload() -> S3Error {
    s3_error!(NoSuchUpload, "The specified multipart upload does not exist. It may have been aborted or completed.")
}

/// Where a part belongs.
pub struct Place {
    bucket: String,
    key: String,
    upload: String,
    no: i64,
}

impl Place {
    pub fn of(bucket: String, key: String, upload: String, no: i32) -> Result<Place, S3Error> {
        if !(1..=LAST_PART).contains(&no) {
            let text = "Part number must be an integer between 1 and 10000, inclusive";
            return Err(s3_error!(InvalidArgument, "{text}"));
        }
        Ok(Place { bucket, key, upload, no: no.into() })
    }

    pub async fn require(&self, store: &EmbeddedStore) -> Result<()> {
        require(&mut store.index().read().await?, &self.bucket, &self.key, &self.upload).await.map(drop)
    }
}

pub async fn upload_part(store: &EmbeddedStore, request: S3Request<UploadPartInput>) -> Result<UploadPartOutput> {
    let mut input = request.input;
    let announced = Announced {
        len: input.content_length,
        md5: input.content_md5.take(),
        sums: sums_of!(input),
        algorithm: input.checksum_algorithm.take().map(|a| a.as_str().to_owned()),
        trailers: request.trailing_headers,
    };
    let place = Place::of(input.bucket, input.key, input.upload_id, input.part_number)?;
    place.require(store).await?;
    let received = receive(store.blobs(), input.body.take(), announced).await?;
    let (tag, sums) = keep_part(store, place, received).await?;
    let mut output = UploadPartOutput { e_tag: Some(etag(&tag)), ..Default::default() };
    set_sums!(output, sums);
    Ok(output)
}

/// Makes received bytes a part of an upload that is still open.
pub async fn keep_part(store: &EmbeddedStore, place: Place, received: Received) -> Result<(String, Sums)> {
    let inside = store.clone();
    let work = async move {
        let (len, tag, sums) = (received.len, received.etag(), serde_json::to_string(&received.sums)?);
        let placed = inside.place(received.draft).await?;
        let blob = Blob { id: placed.id.clone(), no: place.no, len, etag: tag.clone(), sums, written_at: At::now() };
        let mut tx = inside.index().write().await?;
        require(&mut tx, &place.bucket, &place.key, &place.upload).await?;
        let old = index::put_blob(&mut tx, &place.upload, &blob).await?;
        placed.commit(tx).await?;
        inside.blobs().discard(old);
        Ok((tag, received.sums))
    };
    store.settle(work).await
}

pub async fn complete(
    store: &EmbeddedStore,
    mut input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput> {
    let wanted = input.multipart_upload.take().and_then(|m| m.parts).unwrap_or_default();
    let condition = WriteCondition::of(input.if_match.take(), input.if_none_match.take())?;
    let sums = sums_of!(input);
    if !sums.is_empty() {
        verify_whole(store, &input, &wanted, &sums).await?;
    }
    let inside = store.clone();
    let work = async move {
        let mut tx = inside.index().write().await?;
        let parts = index::blobs(&mut tx, &input.upload_id).await?;
        let target = target(&mut tx, &input).await?;
        if let Target::Open(_) = target {
            judge(&mut tx, &input.bucket, &input.key, &condition).await?;
        }
        let chosen = target.choose(&parts, &wanted)?;
        let upload = match target {
            Target::Open(upload) => upload,
            Target::Done(object) => return Ok(completed(&input.bucket, &object)),
        };
        if input.mpu_object_size.is_some_and(|size| size != chosen.len) {
            return Err(s3_error!(InvalidRequest, "the parts have {} bytes, not those announced", chosen.len).into());
        }
        let object = Object {
            key: upload.key,
            id: upload.id,
            len: chosen.len,
            etag: chosen.etag,
            parts: Some(wanted.len() as i64),
            headers: upload.headers,
            sums: serde_json::to_string(&sums)?,
            written_at: At::now(),
        };
        let mut freed = Vec::new();
        for no in chosen.unused {
            freed.extend(index::delete_blob(&mut tx, &object.id, no).await?);
        }
        index::close_upload(&mut tx, &object.id).await?;
        freed.extend(index::put_object(&mut tx, &upload.bucket, &object).await?);
        tx.commit().await?;
        inside.blobs().discard(freed);
        Ok(completed(&upload.bucket, &object))
    };
    store.settle(work).await
}

fn completed(bucket: &str, object: &Object) -> CompleteMultipartUploadOutput {
    CompleteMultipartUploadOutput {
        location: Some(format!("/{bucket}/{}", object.key)),
        bucket: Some(bucket.to_owned()),
        e_tag: Some(etag(&object.etag)),
        key: Some(object.key.clone()),
        ..Default::default()
    }
}

/// What a completion is about. The answer to the first may have been lost, so a second finds what became of it.
enum Target {
    Open(Upload),
    Done(Object),
}

impl Target {
    /// Whoever asks again names what was joined, all of it and nothing else. Another list is about an upload that is
    /// no more.
    fn choose(&self, parts: &[Blob], wanted: &[CompletedPart]) -> Result<Chosen, S3Error> {
        let chosen = choose(parts, wanted);
        match self {
            Target::Open(_) => chosen,
            Target::Done(_) => chosen.ok().filter(|chosen| chosen.unused.is_empty()).ok_or_else(no_such_upload),
        }
    }
}

async fn target(tx: &mut Tx, input: &CompleteMultipartUploadInput) -> Result<Target> {
    let (bucket, key, id) = (&input.bucket, &input.key, &input.upload_id);
    match index::object(tx, bucket, key).await? {
        Some(object) if object.id == *id => Ok(Target::Done(object)),
        _ => require(tx, bucket, key, id).await.map(Target::Open),
    }
}

/// What completing makes of the parts that are there.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    len: i64,
    etag: String,
    /// Parts that were sent and not named.
    unused: Vec<i64>,
}

/// Judges the list of a completion against the parts (in order): all named parts are there with these ETags, in
/// ascending order, and none but the last is small.
fn choose(parts: &[Blob], wanted: &[CompletedPart]) -> Result<Chosen, S3Error> {
    if wanted.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    if !wanted.is_sorted_by(|a, b| a.part_number < b.part_number) {
        let text = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return Err(s3_error!(InvalidPartOrder, "{text}"));
    }
    let find = |part: &CompletedPart| {
        let no = i64::from(part.part_number.unwrap_or(0));
        let found = parts.binary_search_by_key(&no, |p| p.no).ok().map(|at| &parts[at]);
        found.filter(|blob| same(blob, part)).ok_or_else(|| {
            s3_error!(InvalidPart, "Part {no} could not be found, or its entity tag is not the one of the part.")
        })
    };
    let named: Vec<&Blob> = wanted.iter().map(find).collect::<Result<_, _>>()?;
    if let Some(small) = named[..named.len() - 1].iter().find(|blob| blob.len < SMALLEST_PART) {
        let text = "Your proposed upload is smaller than the minimum allowed size";
        return Err(s3_error!(EntityTooSmall, "{text}: part {} has {} bytes", small.no, small.len));
    }
    let mut md5 = Md5::new();
    for blob in &named {
        md5.update(hex::decode(&blob.etag).unwrap_or_default());
    }
    let unused = parts.iter().map(|p| p.no).filter(|no| named.binary_search_by_key(no, |b| b.no).is_err());
    Ok(Chosen {
        len: named.iter().map(|blob| blob.len).sum(),
        etag: format!("{}-{}", hex::encode(md5.finalize()), named.len()),
        unused: unused.collect(),
    })
}

fn same(blob: &Blob, part: &CompletedPart) -> bool {
    let mut part = part.clone();
    let kept: Sums = serde_json::from_str(&blob.sums).unwrap_or_default();
    part.e_tag.as_ref().is_some_and(|tag| tag.value() == blob.etag) && sums_of!(part).verify(&kept).is_ok()
}

/// A checksum of the whole object: over the parts' checksums (`…-3`), or over all its bytes, which are read for it.
async fn verify_whole(
    store: &EmbeddedStore,
    input: &CompleteMultipartUploadInput,
    wanted: &[CompletedPart],
    sums: &Sums,
) -> Result<()> {
    let reader = store.blobs().reader();
    let mut tx = store.index().read().await?;
    let target = target(&mut tx, input).await?;
    let mut parts = index::blobs(&mut tx, &input.upload_id).await?;
    drop(tx);
    let chosen = target.choose(&parts, wanted)?;
    parts.retain(|part| !chosen.unused.contains(&part.no));
    let composite = sums.fields().iter().any(|(_, sum)| sum.is_some_and(|sum| sum.contains('-')));
    let mut hasher = sums.hasher(None);
    if composite {
        for part in &parts {
            let kept: Sums = serde_json::from_str(&part.sums)?;
            let digest =
                sums.fields().iter().zip(kept.fields()).find_map(|((_, sent), (_, kept))| sent.and(kept).cloned());
            let digest = digest.ok_or_else(|| s3_error!(InvalidRequest, "part {} came without a checksum", part.no))?;
            hasher.update(&data_encoding::BASE64.decode(digest.as_bytes()).unwrap_or_default());
        }
    } else {
        use futures_util::StreamExt;
        let mut bytes = reading::stream(store.blobs(), reader, &parts, &(0..chosen.len as u64)).await?;
        while let Some(piece) = bytes.next().await {
            hasher.update(&piece.map_err(std::io::Error::other)?);
        }
    }
    let mut computed = Sums::from(hasher.finalize());
    if composite {
        computed.mark_composite(parts.len());
    }
    Ok(sums.verify(&computed)?)
}

pub async fn abort(store: &EmbeddedStore, input: AbortMultipartUploadInput) -> Result<AbortMultipartUploadOutput> {
    let inside = store.clone();
    let work = async move {
        let mut tx = inside.index().write().await?;
        let upload = require(&mut tx, &input.bucket, &input.key, &input.upload_id).await?;
        let freed = index::abort_upload(&mut tx, &upload.id).await?;
        tx.commit().await?;
        inside.blobs().discard(freed);
        Ok(AbortMultipartUploadOutput::default())
    };
    store.settle(work).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::BlobId;

    const MB: i64 = 1 << 20;

    fn sent(no: i64, len: i64) -> Blob {
        let etag = hex::encode(Md5::digest(no.to_be_bytes()));
        Blob { id: BlobId(no.to_string()), no, len, etag, sums: "{}".into(), written_at: At(0) }
    }

    fn named(no: i32) -> CompletedPart {
        let tag = etag(&hex::encode(Md5::digest(i64::from(no).to_be_bytes())));
        CompletedPart { part_number: Some(no), e_tag: Some(tag), ..Default::default() }
    }

    fn refusal(parts: &[Blob], wanted: &[CompletedPart]) -> String {
        choose(parts, wanted).unwrap_err().code().as_str().to_owned()
    }

    #[test]
    fn parts_add_up_and_the_rest_is_let_go() {
        let parts = [sent(1, 5 * MB), sent(2, 6 * MB), sent(4, 5 * MB), sent(7, 1)];
        let chosen = choose(&parts, &[named(1), named(4), named(7)]).unwrap();
        assert_eq!((chosen.len, chosen.unused), (10 * MB + 1, vec![2]));
        assert!(chosen.etag.ends_with("-3") && chosen.etag.len() == 34, "{}", chosen.etag);
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        let parts = [sent(1, 5 * MB), sent(3, 5 * MB - 1), sent(4, 1)];
        assert_eq!(refusal(&parts, &[]), "MalformedXML");
        assert_eq!(refusal(&parts, &[named(1), named(2), named(3)]), "InvalidPart");
        assert_eq!(refusal(&parts, &[named(3), named(1)]), "InvalidPartOrder");
        assert_eq!(refusal(&parts, &[named(1), named(1)]), "InvalidPartOrder");
        assert_eq!(refusal(&parts, &[named(1), named(3), named(4)]), "EntityTooSmall");
        let mut wrong = named(1);
        wrong.e_tag = named(3).e_tag;
        assert_eq!(refusal(&parts, &[wrong]), "InvalidPart");
        let untagged = CompletedPart { part_number: Some(1), ..Default::default() };
        assert_eq!(refusal(&parts, &[untagged]), "InvalidPart");
    }
}
