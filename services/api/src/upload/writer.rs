//! One request's body on its way into the store. Only bytes that are durable are ever counted.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use weijia_core::clip::refusal::RefusalCode;
use weijia_core::upload::sniff;
use weijia_core::upload::{Durable, Kind, Part, TailPiece, Upload, rules};

use super::Uploads;
use super::checksum::{Check, Wrong};
use super::concatenate::is_lost;
use super::memory::{Buffer, UNIT};
use super::parts::Failure;
use super::protocol::UPLOAD_CHECKSUM;
use super::writers::Seat;
use held::Held;

mod held;
mod judge;
mod pieces;

/// One more is not sent to the store before it has answered for one of them: a phone takes seconds to fill a part that is
/// stored in a fraction of one, so more would be memory and no speed.
const PARTS_IN_FLIGHT: usize = 2;
/// What the store has and the database does not hold up what follows, up to here.
const PARTS_NOT_COUNTED: usize = 6;
/// Who would fill a part within this is given a slab.
const FAST: Duration = Duration::from_secs(4);
/// How long a body may take to end behind its file's last byte.
const LAST_CHUNK: Duration = Duration::from_secs(1);

/// A writer that is to leave still takes what has arrived: the last that came through of a client that is gone.
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
    /// The disk is below its mark.
    NoRoom,
    /// It does not add up to what its client said.
    Wrong(Wrong),
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
    flight: JoinSet<Result<Part, Failure>>,
    slots: Arc<Semaphore>,
    /// The next byte to arrive.
    offset: i64,
    /// Where it must end.
    most: i64,
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
    held: Option<Held>,
}

/// Nothing of a request counts unless its body adds up: neither that, nor the length that the request says.
pub struct Condition {
    pub check: Check,
    pub length: Option<i64>,
}

impl Writer {
    pub fn new(
        uploads: Uploads,
        upload: Upload,
        durable: Durable,
        seat: Seat,
        most: i64,
        condition: Option<Condition>,
    ) -> Writer {
        let base = durable.tail_len();
        // The beginning of a stretch is not the beginning of a file.
        let judges = durable.offset < sniff::ENOUGH as i64 && upload.kind != Kind::Partial;
        Writer {
            buffer: uploads.pool.pocket(),
            uploads,
            seat,
            flight: JoinSet::new(),
            slots: Arc::new(Semaphore::new(PARTS_IN_FLIGHT)),
            offset: durable.offset,
            most,
            no: durable.parts.len() as i64 + 1,
            pieces: durable.tail,
            base,
            head: judges.then(Vec::new),
            last_byte: Instant::now(),
            dirty_since: None,
            held: condition.map(|condition| Held { condition, refusal: None, parts: Vec::new(), tails: Vec::new() }),
            upload,
        }
    }

    /// Takes what the body brings, makes durable what came, and says why it ended and up to where.
    pub async fn run(mut self, body: &mut Body) -> (End, i64) {
        let end = self.read(body).await.unwrap_or_else(|end| end);
        let end = match (end, &self.held) {
            // What a newer writer has taken over, and what is refused, isn't worth storing. What is not as its client
            // said must not make a file whole.
            (end @ (End::Refused(_) | End::Failed(_) | End::Wrong(_)), _) => end,
            (End::TooLong, _) if self.upload.length.is_some() => End::TooLong,
            (End::Body, Some(held)) => match (held.condition.check.verdict(), held.refusal) {
                (Ok(()), None) => self.count_held().await.err().map_or(End::Body, End::Failed),
                (Ok(()), Some(code)) => End::Refused(code),
                (Err(wrong), _) => End::Wrong(wrong),
            },
            (end, Some(_)) => end,
            (end, None) => self.flush().await.err().map_or(end, End::Failed),
        };
        // Parts behind a failed one may still become durable: nothing is left running when the answer is given.
        while let Some(part) = self.flight.join_next().await {
            let _ = self.landed(part);
        }
        if let Some(held) = self.held.take() {
            self.uploads.let_go(&self.upload, &held.parts, held.tails).await;
        }
        (end, self.offset)
    }

    async fn read(&mut self, body: &mut Body) -> Result<End, End> {
        if !self.upload.ends_at(self.offset) {
            self.join_pieces().await?;
        }
        self.remember_head().await?;
        let end = self.take(body).await?;
        if matches!(end, End::Body) && self.upload.ends_at(self.offset) {
            self.judge(&Bytes::new())?;
            if self.held.is_none() {
                self.end_of(body).await?;
            }
            // The last part makes it whole. It may be there in pieces: its length came late, or somebody died over it.
            if self.filled() > 0 {
                self.submit().await?;
            }
        }
        Ok(end)
    }

    async fn take(&mut self, body: &mut Body) -> Result<End, End> {
        let wanted = self.seat.wanted().clone();
        let mut leaving = None;
        // Where there is a checksum, it is about the whole body.
        while !self.upload.ends_at(self.offset) || self.held.is_some() {
            let alarm = leaving.map_or_else(|| self.alarm(), |until: Instant| until.min(Instant::now() + LAST_BYTES));
            tokio::select! {
                biased;
                () = self.uploads.stopping.cancelled() => return Ok(End::Stopping),
                () = wanted.cancelled(), if leaving.is_none() => leaving = Some(Instant::now() + LEAVE_WITHIN),
                Some(part) = self.flight.join_next() => self.landed(part)?,
                frame = body.frame() => match frame.map(|frame| frame.map(|frame| frame.into_data())) {
                    Some(Ok(Ok(bytes))) => self.accept(bytes).await?,
                    Some(Ok(Err(other))) => self.follow(&other.into_trailers().unwrap_or_default())?,
                    Some(Err(error)) if is_lost(&error) => return Err(Failure::Lost.into()),
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

    /// What follows the body.
    fn follow(&mut self, trailers: &HeaderMap) -> Result<(), End> {
        match &mut self.held {
            Some(held) => held.condition.check.follow(trailers),
            None if trailers.contains_key(UPLOAD_CHECKSUM) => return Err(End::Wrong(Wrong::Unannounced)),
            None => {}
        }
        Ok(())
    }

    /// Nothing may come behind the last byte: the film would be cut off, and count as whole. Who has sent it all and is
    /// gone, or never says so, has done enough.
    async fn end_of(&mut self, body: &mut Body) -> Result<(), End> {
        let until = Instant::now() + LAST_CHUNK;
        while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(until, body.frame()).await {
            match frame.into_data() {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(_) => return Err(End::TooLong),
                Err(other) => self.follow(&other.into_trailers().unwrap_or_default())?,
            }
        }
        Ok(())
    }

    /// The next moment at which something is to be done although nothing comes.
    fn alarm(&self) -> Instant {
        let limits = &self.uploads.limits;
        let end = self.last_byte + limits.idle_end;
        match self.dirty_since {
            Some(since) if self.held.is_none() => {
                end.min(self.last_byte + limits.idle_flush).min(since + limits.flush_every)
            }
            _ => end,
        }
    }

    async fn accept(&mut self, mut bytes: Bytes) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.len() as i64 > self.most - self.offset {
            return Err(End::TooLong);
        }
        if self.buffer.len() == 0 && self.uploads.is_low() {
            return Err(End::NoRoom);
        }
        if let Some(held) = &mut self.held {
            held.condition.check.update(&bytes);
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
            // Nothing makes it whole before its body has come to its end.
            if self.upload.ends_at(self.offset) {
                break;
            }
            if self.filled() == self.part_len() {
                self.submit().await?;
            }
            // A body that never lets up must not put off the regular flush.
            let due = self.dirty_since.is_some_and(|since| since.elapsed() >= self.uploads.limits.flush_every);
            if due && self.held.is_none() {
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

    /// The buffer is full and the part isn't: a slab for the fast, a unit more or a flush for the slow.
    async fn make_room(&mut self) -> Result<(), End> {
        let pace = self.dirty_since.map_or(Duration::ZERO, |since| since.elapsed());
        let fast = self.buffer.is_pocket()
            && pace.as_secs_f64() * self.upload.part_size as f64 <= FAST.as_secs_f64() * UNIT as f64;
        if fast {
            return self.gather_slab(self.part_len()).await;
        }
        if !self.buffer.grow() {
            self.flush().await?;
        }
        Ok(())
    }

    /// A part holds it until the store has answered; so long there is no other.
    async fn wait_for_a_slot(&mut self) -> Result<OwnedSemaphorePermit, Failure> {
        loop {
            let crowded = self.flight.len() >= PARTS_NOT_COUNTED;
            tokio::select! {
                biased;
                Some(part) = self.flight.join_next() => self.landed(part)?,
                Ok(slot) = self.slots.clone().acquire_owned(), if !crowded => return Ok(slot),
            }
        }
    }

    /// Wanted by somebody newer, and some time has passed since.
    async fn outstayed(&self) {
        self.seat.wanted().cancelled().await;
        tokio::time::sleep(LEAVE_WITHIN).await;
    }

    /// The growing part is whole: hands it over, and only then begins the next.
    async fn submit(&mut self) -> Result<(), End> {
        if self.base > 0 {
            if !self.buffer.is_pocket() {
                self.flush().await?;
            }
            self.gather_slab(self.part_len()).await?;
        }
        self.uploads.open_object(&mut self.upload).await?;
        let slot = self.wait_for_a_slot().await?;
        let whole = std::mem::replace(&mut self.buffer, self.uploads.pool.pocket());
        let (uploads, upload, no, counts) = (self.uploads.clone(), self.upload.clone(), self.no, self.held.is_none());
        self.flight.spawn(async move {
            let part = uploads.put_part(&upload, no, whole.freeze()).await?;
            drop(slot);
            if counts {
                uploads.count(&upload, None, std::slice::from_ref(&part), &[]).await?;
            }
            Ok(part)
        });
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
            self.landed(part)?;
        }
        let start = self.durable_len();
        if self.filled() > start {
            let buffer = std::mem::replace(&mut self.buffer, self.uploads.pool.pocket());
            let fresh = buffer.freeze().slice((start - self.base) as usize..);
            let piece = self.uploads.put_tail(&self.upload, self.no, start, fresh).await?;
            match &mut self.held {
                Some(held) => held.tails.push(piece.key.clone()),
                None => self.uploads.count(&self.upload, None, &[], std::slice::from_ref(&piece)).await?,
            }
            self.pieces.push(piece);
        } else {
            self.buffer = self.uploads.pool.pocket();
        }
        self.base = self.durable_len();
        self.dirty_since = None;
        Ok(())
    }

    fn landed(&mut self, part: Result<Result<Part, Failure>, JoinError>) -> Result<(), Failure> {
        let part = part.unwrap_or_else(|error| Err(Failure::Unavailable(error.to_string())))?;
        if let Some(held) = &mut self.held {
            held.parts.push(part);
        }
        Ok(())
    }
}
