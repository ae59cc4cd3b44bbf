//! Taking a body in: to disk and through the hashes as it comes, in batches, so that memory stays small whatever is
//! sent. One batch is written while the next is gathered.

use std::time::Duration;

use futures_util::StreamExt;
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::dto::StreamingBlob;
use s3s::stream::ByteStream;
use s3s::{S3Error, S3ErrorCode, TrailingHeaders, s3_error};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::blobs::{Blobs, Draft};
use crate::errors::{Error, Result};
use crate::sums::Sums;

const BATCH: usize = 64 * 1024;
/// Nothing at all for this long: the sender is gone.
const IDLE: Duration = Duration::from_secs(60);
/// S3's own limit for what is sent in one request.
const LARGEST: u64 = 5 << 30;

/// What the request says about its body.
#[derive(Default)]
pub struct Announced {
    pub len: Option<i64>,
    pub md5: Option<String>,
    pub sums: Sums,
    /// The algorithm of a checksum that follows the body.
    pub algorithm: Option<String>,
    pub trailers: Option<TrailingHeaders>,
}

/// A body on disk, verified but not yet durable.
pub struct Received {
    pub draft: Draft,
    pub len: i64,
    pub md5: [u8; 16],
    pub sums: Sums,
}

impl Received {
    /// The ETag of what was sent in one piece.
    pub fn etag(&self) -> String {
        hex::encode(self.md5)
    }
}

pub async fn receive(blobs: &Blobs, body: Option<StreamingBlob>, mut announced: Announced) -> Result<Received> {
    let expected = length(&announced, body.as_ref())?;
    let md5 = announced.md5.as_deref().map(digest).transpose()?;
    let sink = {
        let (blobs, sums) = (blobs.clone(), announced.sums.hasher(announced.algorithm.as_deref()));
        spawn_blocking(move || Ok(Sink { draft: blobs.draft()?, md5: Md5::new(), sums, len: 0, spare: Vec::new() }))
    };
    let sink = match body {
        Some(body) => pour(blobs, body, sink, expected).await?,
        None => sink.await??,
    };
    if sink.len != expected {
        return Err(s3_error!(IncompleteBody, "{} bytes came of {expected} announced", sink.len).into());
    }
    let found: [u8; 16] = sink.md5.finalize().into();
    if md5.is_some_and(|sent| sent != found) {
        return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received.").into());
    }
    if let Some(headers) = announced.trailers.as_ref().and_then(TrailingHeaders::take) {
        announced.sums.read_trailers(&headers);
    }
    let sums = Sums::from(sink.sums.finalize());
    if announced.trailers.is_some() && !announced.sums.covers(&sums) {
        return Err(malformed_trailer());
    }
    announced.sums.verify(&sums)?;
    Ok(Received { draft: sink.draft, len: sink.len as i64, md5: found, sums })
}

/// The file and the hashes, which travel together between the tasks that write, with the buffer that was written last.
struct Sink {
    draft: Draft,
    md5: Md5,
    sums: ChecksumHasher,
    len: u64,
    spare: Vec<u8>,
}

impl Sink {
    fn write(mut self, mut batch: Vec<u8>, _turn: Option<OwnedSemaphorePermit>) -> Result<Sink> {
        self.md5.update(&batch);
        self.sums.update(&batch);
        self.draft.write(&batch)?;
        self.len += batch.len() as u64;
        batch.clear();
        self.spare = batch;
        Ok(self)
    }
}

/// Two buffers and no more: one is filled while the other is written. What comes is copied, as the piece of a buffer
/// that the connection hands out would keep all of it.
async fn pour(
    blobs: &Blobs,
    mut body: StreamingBlob,
    mut sink: JoinHandle<Result<Sink>>,
    expected: u64,
) -> Result<Sink> {
    let (mut batch, mut total) = (Vec::with_capacity(expected.min(BATCH as u64) as usize), 0u64);
    loop {
        let next = tokio::time::timeout(IDLE, body.next()).await;
        let chunk = match next.map_err(|_| s3_error!(RequestTimeout, "nothing came for {} s", IDLE.as_secs()))? {
            Some(chunk) => chunk.map_err(broken)?,
            None => {
                let written = sink.await??;
                let turn = blobs.turn().await;
                return spawn_blocking(move || written.write(batch, turn)).await?;
            }
        };
        total += chunk.len() as u64;
        if total > expected {
            return Err(s3_error!(IncompleteBody, "more bytes came than the {expected} announced").into());
        }
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BATCH - batch.len()));
            batch.extend_from_slice(now);
            rest = later;
            if batch.len() == BATCH {
                let mut written = sink.await??;
                let full = std::mem::replace(&mut batch, std::mem::take(&mut written.spare));
                let turn = blobs.turn().await;
                sink = spawn_blocking(move || written.write(full, turn));
            }
        }
    }
}

/// The stream's own checks speak here: the signature of a chunk, the signed hash of the whole, the length.
fn broken(error: s3s::StdError) -> S3Error {
    let text = error.to_string();
    let code = if text.contains("Sha256Mismatch") {
        S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into())
    } else if text.contains("SignatureMismatch") {
        S3ErrorCode::SignatureDoesNotMatch
    } else {
        S3ErrorCode::IncompleteBody
    };
    let mut answer = S3Error::with_message(code, "the body broke off, or isn't what was signed");
    if answer.status_code().is_none() {
        answer.set_status_code(hyper::StatusCode::BAD_REQUEST);
    }
    answer.set_source(error);
    answer
}

/// A checksum was announced for after the body and didn't come.
fn malformed_trailer() -> Error {
    let code = S3ErrorCode::Custom("MalformedTrailerError".into());
    let mut answer = S3Error::with_message(code, "The checksum that x-amz-trailer announced did not follow the body.");
    answer.set_status_code(hyper::StatusCode::BAD_REQUEST);
    answer.into()
}

fn length(announced: &Announced, body: Option<&StreamingBlob>) -> Result<u64, S3Error> {
    let len = match announced.len {
        Some(len) => u64::try_from(len).map_err(|_| s3_error!(InvalidArgument, "a negative Content-Length"))?,
        None => match body.map(|body| body.remaining_length().exact()) {
            None => 0,
            Some(Some(len)) => len as u64,
            Some(None) => {
                return Err(s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."));
            }
        },
    };
    if len > LARGEST {
        return Err(s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size."));
    }
    Ok(len)
}

fn digest(base64: &str) -> Result<[u8; 16], S3Error> {
    let bytes = data_encoding::BASE64.decode(base64.as_bytes()).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."))
}
