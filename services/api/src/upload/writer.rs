//! One request's body on its way into the store. Only bytes that are durable are ever counted.

use std::time::Duration;

use axum::body::BodyDataStream;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use weijia_core::clip::refusal::RefusalCode;
use weijia_core::upload::sniff::{self, Verdict};
use weijia_core::upload::{Durable, TailPiece, Upload, rules};

use super::Uploads;
use super::memory::{Buffer, UNIT};
use super::parts::Failure;
use super::writers::Seat;

const PARTS_IN_FLIGHT: usize = 3;
/// Who would fill a part within this is given a slab.
const FAST: Duration = Duration::from_secs(4);

/// A writer that is to leave still takes what has arrived already: most likely its client is gone, and these are the
/// last bytes that came through.
const LAST_BYTES: Duration = Duration::from_millis(50);
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Why the reading ended.
#[derive(Debug)]
pub enum End {
    /// The body came to its end, or the upload did.
    Body,
    Disconnected,
    /// Nothing came for too long.
    Idle,
    /// A newer request goes on with this upload.
    Wanted,
    /// The server is about to stop.
    Stopping,
    /// More bytes than were announced.
    TooLong,
    Refused(RefusalCode),
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        End::Failed(failure)
    }
}

pub struct Writer {
    uploads: Uploads,
    upload: Upload,
    seat: Seat,
    flight: JoinSet<Result<(), Failure>>,
    /// The next byte to arrive.
    offset: i64,
    /// The part that is growing, and the durable pieces of it.
    no: i64,
    pieces: Vec<TailPiece>,
    /// Its bytes from `base` on.
    buffer: Buffer,
    base: i64,
    /// The file's first bytes, until they have decided.
    head: Option<Vec<u8>>,
    last_byte: Instant,
    /// When the oldest byte arrived that is not durable yet.
    dirty_since: Option<Instant>,
}

impl Writer {
    pub fn new(uploads: Uploads, upload: Upload, durable: Durable, seat: Seat) -> Writer {
        let base = durable.tail_len();
        Writer {
            buffer: uploads.pool.pocket(),
            uploads,
            seat,
            flight: JoinSet::new(),
            offset: durable.offset,
            no: durable.parts.len() as i64 + 1,
            pieces: durable.tail,
            base,
            head: (durable.offset < sniff::ENOUGH as i64 && upload.length > 0).then(Vec::new),
            last_byte: Instant::now(),
            dirty_since: None,
            upload,
        }
    }

    /// Takes what the body brings, makes durable what came, and says why it ended and up to where.
    pub async fn run(mut self, body: &mut BodyDataStream) -> (End, i64) {
        let end = self.read(body).await.unwrap_or_else(|end| end);
        let end = match end {
            // What a newer writer has taken over, and what is refused, isn't worth storing.
            End::Refused(_) | End::Failed(_) => end,
            end => self.flush().await.err().map_or(end, End::Failed),
        };
        // Parts behind a failed one may still become durable: nothing is left running when the answer is given.
        while self.flight.join_next().await.is_some() {}
        (end, self.offset)
    }

    async fn read(&mut self, body: &mut BodyDataStream) -> Result<End, End> {
        self.remember_head().await?;
        let wanted = self.seat.wanted().clone();
        let mut leaving = None;
        while self.offset < self.upload.length {
            let alarm = leaving.map_or_else(|| self.alarm(), |until: Instant| until.min(Instant::now() + LAST_BYTES));
            tokio::select! {
                biased;
                () = self.uploads.stopping.cancelled() => return Ok(End::Stopping),
                () = wanted.cancelled(), if leaving.is_none() => leaving = Some(Instant::now() + LEAVE_WITHIN),
                Some(part) = self.flight.join_next() => landed(part)?,
                chunk = body.next() => match chunk {
                    Some(Ok(bytes)) => self.accept(bytes).await?,
                    Some(Err(_)) => return Ok(End::Disconnected),
                    None => return Ok(End::Body),
                },
                () = tokio::time::sleep_until(alarm) => {
                    if leaving.is_some() {
                        return Ok(End::Wanted);
                    }
                    if self.last_byte.elapsed() >= self.uploads.limits.idle_end {
                        return Ok(End::Idle);
                    }
                    self.flush().await?;
                }
            }
            if leaving.is_some_and(|until| until <= Instant::now()) {
                return Ok(End::Wanted);
            }
        }
        Ok(End::Body)
    }

    /// The next moment at which something is to be done although nothing comes.
    fn alarm(&self) -> Instant {
        let limits = &self.uploads.limits;
        let end = self.last_byte + limits.idle_end;
        match self.dirty_since {
            Some(since) => end.min(self.last_byte + limits.idle_flush).min(since + limits.flush_every),
            None => end,
        }
    }

    async fn accept(&mut self, mut bytes: Bytes) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.len() as i64 > self.upload.length - self.offset {
            return Err(End::TooLong);
        }
        self.judge(&bytes)?;
        self.last_byte = Instant::now();
        while !bytes.is_empty() {
            let missing = self.part_len() - self.filled();
            if self.buffer.room() == 0 {
                self.make_room().await?;
                continue;
            }
            self.dirty_since.get_or_insert_with(Instant::now);
            let before = bytes.len();
            self.buffer.take(&mut bytes, missing as usize);
            self.offset += (before - bytes.len()) as i64;
            if self.filled() == self.part_len() {
                self.submit().await?;
            }
            // A body that never lets up must not put off the regular flush.
            if self.dirty_since.is_some_and(|since| since.elapsed() >= self.uploads.limits.flush_every) {
                self.flush().await?;
            }
        }
        Ok(())
    }

    fn part_len(&self) -> i64 {
        rules::part_len(self.no, self.upload.part_size, self.upload.length)
    }

    fn filled(&self) -> i64 {
        self.base + self.buffer.len() as i64
    }

    fn durable_len(&self) -> i64 {
        self.pieces.iter().map(|piece| piece.len).sum()
    }

    /// A resumed upload of a few bytes is judged together with what came before.
    async fn remember_head(&mut self) -> Result<(), End> {
        let Some(mut head) = self.head.take() else { return Ok(()) };
        for piece in &self.pieces {
            head.extend_from_slice(&self.uploads.load_tail(piece).await?);
        }
        self.head = Some(head);
        Ok(())
    }

    fn judge(&mut self, bytes: &Bytes) -> Result<(), End> {
        let Some(head) = &mut self.head else { return Ok(()) };
        let wanted = (sniff::ENOUGH - head.len().min(sniff::ENOUGH)).min(bytes.len());
        head.extend_from_slice(&bytes[..wanted]);
        let whole = self.offset + bytes.len() as i64 == self.upload.length;
        match sniff::sniff(head, whole) {
            Verdict::Video => self.head = None,
            Verdict::NeedMore => {}
            Verdict::Refused(code) => return Err(End::Refused(code)),
        }
        Ok(())
    }

    /// The buffer is full and the part isn't: a slab for the fast, a unit more or a flush for the slow.
    async fn make_room(&mut self) -> Result<(), End> {
        let pace = self.dirty_since.map_or(Duration::ZERO, |since| since.elapsed());
        let fast = !self.buffer.is_pooled()
            && pace.as_secs_f64() * self.upload.part_size as f64 <= FAST.as_secs_f64() * UNIT as f64;
        if fast {
            return self.gather_slab(self.part_len()).await;
        }
        if !self.buffer.grow() {
            self.flush().await?;
        }
        Ok(())
    }

    /// Gathers the part from its first byte on in one slab: the pieces from the store and what the pocket holds.
    async fn gather_slab(&mut self, len: i64) -> Result<(), End> {
        let mut slab = tokio::select! {
            slab = self.uploads.pool.slab(len as usize) => slab,
            () = self.uploads.stopping.cancelled() => return Err(End::Stopping),
            () = self.outstayed() => return Err(End::Wanted),
        };
        for piece in &self.pieces {
            slab.take(&mut self.uploads.load_tail(piece).await?, piece.len as usize);
        }
        let fresh = &self.buffer.bytes()[(self.durable_len() - self.base) as usize..];
        slab.take(&mut Bytes::copy_from_slice(fresh), fresh.len());
        self.buffer = slab;
        self.base = 0;
        Ok(())
    }

    /// Wanted by somebody newer, and some time has passed since.
    async fn outstayed(&self) {
        self.seat.wanted().cancelled().await;
        tokio::time::sleep(LEAVE_WITHIN).await;
    }

    /// The growing part is whole: hands it over, and only then begins the next.
    async fn submit(&mut self) -> Result<(), End> {
        if self.base > 0 {
            if self.buffer.is_pooled() {
                self.flush().await?;
            }
            self.gather_slab(self.part_len()).await?;
        }
        self.uploads.open_object(&mut self.upload).await?;
        while self.flight.len() >= PARTS_IN_FLIGHT {
            if let Some(part) = self.flight.join_next().await {
                landed(part)?;
            }
        }
        let whole = std::mem::replace(&mut self.buffer, self.uploads.pool.pocket());
        let (uploads, upload, no) = (self.uploads.clone(), self.upload.clone(), self.no);
        self.flight.spawn(async move { uploads.store_part(upload, no, whole.freeze()).await });
        self.no += 1;
        self.base = 0;
        self.pieces.clear();
        self.dirty_since = None;
        Ok(())
    }

    /// The parts in flight first, because a tail behind a missing part counts for nothing; then what is new of the
    /// growing part. Afterwards nothing is held in memory.
    async fn flush(&mut self) -> Result<(), Failure> {
        while let Some(part) = self.flight.join_next().await {
            landed(part)?;
        }
        let start = self.durable_len();
        if self.filled() > start {
            let buffer = std::mem::replace(&mut self.buffer, self.uploads.pool.pocket());
            let fresh = buffer.freeze().slice((start - self.base) as usize..);
            let piece = self.uploads.store_tail(&self.upload, self.no, start, fresh).await?;
            self.pieces.push(piece);
        } else {
            self.buffer = self.uploads.pool.pocket();
        }
        self.base = self.durable_len();
        self.dirty_since = None;
        Ok(())
    }
}

fn landed(part: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    part.unwrap_or_else(|error| Err(Failure::Unavailable(error.to_string())))
}
