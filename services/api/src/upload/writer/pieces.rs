//! The pieces of the growing part, read back from the store: to judge a file by them, to make a whole part of
//! them, and to make few of many.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use weijia_core::upload::{TailPiece, rules};

use super::{Buffer, End, Failure, Uploads, Writer};

/// How many pieces are read back at a time: more would be memory that nobody counts.
const PIECES_AT_ONCE: usize = 4;
impl Writer {
    /// Gathers the part from its first byte on in one slab: the pieces from the store and what the pocket holds.
    pub(super) async fn gather_slab(&mut self, len: i64) -> Result<(), End> {
        drop(self.wait_for_a_slot().await?);
        let mut slab = self.gather(0, len).await?;
        let fresh = &self.buffer.bytes()[(self.durable_len() - self.base) as usize..];
        slab.take(&mut Bytes::copy_from_slice(fresh), fresh.len());
        self.buffer = slab;
        self.base = 0;
        Ok(())
    }

    /// Room for `len` bytes, and in it the pieces from that one on.
    async fn gather(&mut self, first: usize, len: i64) -> Result<Buffer, End> {
        let mut slab = self.wait_for_slab(len).await?;
        let mut pieces = load(&self.uploads, &self.pieces[first..]);
        while let Some(bytes) = pieces.next().await {
            slab.take(&mut bytes?, usize::MAX);
        }
        Ok(slab)
    }

    /// A store that is slow keeps all slabs for a while: what came meanwhile gets no older than any other byte.
    async fn wait_for_slab(&mut self, len: i64) -> Result<Buffer, End> {
        loop {
            self.buffer.lend();
            let due = self.dirty_since.is_some() && self.held.is_none();
            tokio::select! {
                slab = self.uploads.pool.slab(len as usize) => return Ok(slab),
                () = self.uploads.stopping.cancelled() => return Err(End::Stopping),
                () = self.outstayed() => return Err(End::Wanted),
                () = tokio::time::sleep_until(self.alarm()), if due => self.flush().await?,
            }
        }
    }

    /// Many small requests leave many small pieces, which all of the later ones would have to look at: some of them
    /// become one. Before the first byte, so that the new key is not one of this writer's others.
    pub(super) async fn join_pieces(&mut self) -> Result<(), End> {
        let lens: Vec<i64> = self.pieces.iter().map(|piece| piece.len).collect();
        let Some(first) = rules::pieces_to_join(&lens) else { return Ok(()) };
        let joined = self.gather(first, lens[first..].iter().sum()).await?;
        let start = self.pieces[first].start;
        let piece = self.uploads.put_tail(&self.upload, self.no, start, joined.freeze()).await?;
        self.uploads.count_joined(&self.upload, &piece).await?;
        self.pieces.truncate(first);
        self.pieces.push(piece);
        self.buffer = self.uploads.pool.pocket();
        Ok(())
    }
}

/// Pieces as they were stored, in their order.
pub(super) fn load(
    uploads: &Uploads,
    pieces: &[TailPiece],
) -> impl Stream<Item = Result<Bytes, Failure>> + Unpin + use<> {
    let loading = pieces.iter().cloned().map(|piece| {
        let uploads = uploads.clone();
        async move { uploads.load_tail(&piece).await }
    });
    Box::pin(stream::iter(loading.collect::<Vec<_>>()).buffered(PIECES_AT_ONCE))
}
