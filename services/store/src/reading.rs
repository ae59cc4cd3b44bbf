//! Sending bytes out: the blobs of an object one after the other, in pieces, so that no file is ever held in memory.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use s3s::dto::StreamingBlob;
use tokio::task::spawn_blocking;

use crate::blobs::{BlobId, Blobs};
use crate::errors::{Error, Result};
use crate::index::Blob;
use crate::readers::Reader;

const PIECE: u64 = 64 * 1024;

/// A stretch of one blob.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    id: BlobId,
    from: u64,
    len: u64,
}

/// Which stretches of the blobs, in order, make up these bytes of the object.
fn spans(blobs: &[Blob], bytes: &Range<u64>) -> VecDeque<Span> {
    let mut begin = 0;
    let mut spans = VecDeque::new();
    for blob in blobs {
        let end = begin + blob.len as u64;
        let (from, to) = (bytes.start.max(begin), bytes.end.min(end));
        if from < to {
            spans.push_back(Span { id: blob.id.clone(), from: from - begin, len: to - from });
        }
        begin = end;
    }
    spans
}

struct State {
    store: Blobs,
    spans: VecDeque<Span>,
    open: Option<Arc<File>>,
    /// Keeps the blobs from being deleted on the way.
    _reader: Reader,
}

/// An answer that promises bytes looks first whether they are there: once it has begun, it can only break off.
pub async fn require(store: &Blobs, blobs: &[Blob]) -> Result<()> {
    let (store, blobs) = (store.clone(), blobs.to_vec());
    let check = spawn_blocking(move || match blobs.iter().find(|b| store.len(&b.id).ok() != Some(b.len as u64)) {
        None => Ok(()),
        Some(blob) => Err(Error::Lost(blob.id.0.clone())),
    });
    check.await?
}

/// Reads these bytes of the blobs, once they are known to be there.
pub async fn stream(store: &Blobs, mut reader: Reader, blobs: &[Blob], bytes: &Range<u64>) -> Result<StreamingBlob> {
    let spans = spans(blobs, bytes);
    reader.hold(spans.iter().map(|span| span.id.clone()).collect());
    let touched: HashSet<&BlobId> = spans.iter().map(|span| &span.id).collect();
    let wanted: Vec<Blob> = blobs.iter().filter(|blob| touched.contains(&blob.id)).cloned().collect();
    require(store, &wanted).await?;
    let state = State { store: store.clone(), spans, open: None, _reader: reader };
    Ok(StreamingBlob::wrap(stream::unfold(Some(state), |state| async {
        let mut state = state?;
        match state.next().await {
            Ok(None) => None,
            Ok(Some(bytes)) => Some((Ok(bytes), Some(state))),
            Err(error) => {
                tracing::error!(%error, "an object could not be read to its end");
                Some((Err(error), None))
            }
        }
    })))
}

impl State {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let Some(span) = self.spans.front_mut() else { return Ok(None) };
        let (from, len) = (span.from, span.len.min(PIECE));
        let (store, id, open) = (self.store.clone(), span.id.clone(), self.open.take());
        let turn = self.store.turn().await;
        let work = spawn_blocking(move || {
            let _turn = turn;
            let file = match open {
                Some(file) => file,
                None => Arc::new(store.read(&id)?),
            };
            let mut piece = vec![0; len as usize];
            file.read_exact_at(&mut piece, from)?;
            Ok::<_, io::Error>((file, Bytes::from(piece)))
        });
        let (file, piece) = work.await.map_err(io::Error::other)??;
        span.from += len;
        span.len -= len;
        if span.len == 0 {
            self.spans.pop_front();
        } else {
            self.open = Some(file);
        }
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_touches_only_the_blobs_it_needs() {
        let blob = |name: &str, len| Blob {
            id: BlobId(name.into()),
            no: 0,
            len,
            etag: String::new(),
            sums: String::new(),
            written_at: weijia_core::time::At(0),
        };
        let blobs = [blob("a", 10), blob("b", 10), blob("c", 5)];
        let span = |name: &str, from, len| Span { id: BlobId(name.into()), from, len };
        assert_eq!(spans(&blobs, &(0..25)), [span("a", 0, 10), span("b", 0, 10), span("c", 0, 5)]);
        assert_eq!(spans(&blobs, &(9..21)), [span("a", 9, 1), span("b", 0, 10), span("c", 0, 1)]);
        assert_eq!(spans(&blobs, &(10..20)), [span("b", 0, 10)]);
        assert_eq!(spans(&blobs, &(3..3)), []);
    }
}
