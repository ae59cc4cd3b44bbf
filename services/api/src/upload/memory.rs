//! The memory that uploads may use: one pool for the whole process, counted in units of 128 KiB.
//!
//! A writer begins with a pocket of one unit, outside the pool when that has none left, so any number of clients can make
//! a start. One that fills it fast waits for a slab, room for a whole part. A slow one grows by single units as long as
//! half of the pool is free, and writes out what it has when it isn't: it never waits, and never pins a slab that others
//! could fill in a second, nor the units that others need for their pockets. Nobody waits for a slab while holding any of
//! the pool, so all writers together cannot lock each other out.

use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weijia_core::upload::rules::{MAX_PART, MIN_PART};

pub const UNIT: usize = 128 * 1024;
const SLAB: usize = MIN_PART as usize;
/// Six slabs; also room for the largest part.
pub const POOL: usize = MAX_PART as usize;

#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    units: Arc<Semaphore>,
    all: usize,
    /// Slabs are used again: giving 8 MiB pieces back to the allocator fragments it.
    free: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    pub fn new(bytes: usize) -> Pool {
        Pool(Arc::new(Inner {
            units: Arc::new(Semaphore::new(bytes / UNIT)),
            all: bytes / UNIT,
            free: Mutex::default(),
        }))
    }

    pub fn pocket(&self) -> Buffer {
        let permits = self.0.units.clone().try_acquire_owned().ok();
        Buffer { bytes: Vec::new(), room: UNIT, permits, pool: self.0.clone() }
    }

    /// Waits, in turn, for room for `len` bytes. Never call it while holding any of the pool:
    /// [`Buffer::lend`] a pocket, and flush what has grown.
    pub async fn slab(&self, len: usize) -> Buffer {
        let units = len.div_ceil(UNIT) as u32;
        // The semaphore is never closed.
        let permits = self.0.units.clone().acquire_many_owned(units).await.ok();
        let used = if len == SLAB { self.0.free().pop() } else { None };
        let bytes = used.unwrap_or_else(|| Vec::with_capacity(len));
        Buffer { bytes, room: len, permits, pool: self.0.clone() }
    }

    #[cfg(test)]
    fn units_left(&self) -> usize {
        self.0.units.available_permits()
    }
}

impl Inner {
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Bytes on their way to the store. What it holds of the pool goes back when the last reader lets go of it.
pub struct Buffer {
    bytes: Vec<u8>,
    room: usize,
    permits: Option<OwnedSemaphorePermit>,
    pool: Arc<Inner>,
}

impl Buffer {
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn room(&self) -> usize {
        self.room - self.bytes.len()
    }

    pub fn is_pocket(&self) -> bool {
        self.room == UNIT
    }

    /// Gives a pocket's unit back before waiting for a slab; its bytes are outside the pool from then on.
    pub fn lend(&mut self) {
        self.permits = None;
    }

    /// One more unit if half of them are free at this moment, and the pocket's own if that was outside.
    pub fn grow(&mut self) -> bool {
        if self.pool.units.available_permits() < self.pool.all / 2 {
            return false;
        }
        let held = self.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = self.room / UNIT + 1 - held;
        let Ok(units) = self.pool.units.clone().try_acquire_many_owned(missing as u32) else { return false };
        match &mut self.permits {
            Some(permits) => permits.merge(units),
            none => *none = Some(units),
        }
        self.room += UNIT;
        true
    }

    /// Takes up to `most` bytes off the front of `from`, never more than there is room for.
    pub fn take(&mut self, from: &mut Bytes, most: usize) {
        let n = most.min(self.room()).min(from.len());
        if self.bytes.capacity() < self.bytes.len() + n {
            // Exactly the counted room, not the doubling that a Vec would do.
            self.bytes.reserve_exact(self.room - self.bytes.len());
        }
        self.bytes.extend_from_slice(&from[..n]);
        from.advance(n);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Shares the bytes without copying them.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.capacity() == SLAB && self.room == SLAB {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            let mut free = self.pool.free();
            if free.len() < POOL / SLAB {
                free.push(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_buffer_holds_goes_back_with_its_last_reader() {
        let pool = Pool::new(2 * SLAB);
        let mut slab = pool.slab(SLAB).await;
        slab.take(&mut Bytes::from(vec![7; 100]), 100);
        let bytes = slab.freeze();
        let other = bytes.clone();
        drop(bytes);
        assert_eq!(pool.units_left(), SLAB / UNIT);
        assert_eq!(other[..], [7; 100]);
        drop(other);
        assert_eq!(pool.units_left(), 2 * SLAB / UNIT);
        let again = pool.slab(SLAB).await;
        assert_eq!((again.len(), again.room()), (0, SLAB), "a used slab comes back empty");
    }

    #[tokio::test]
    async fn a_buffer_never_grows_past_its_room() {
        let pool = Pool::new(3 * UNIT);
        let mut pocket = pool.pocket();
        let mut bytes = Bytes::from(vec![1; 4 * UNIT]);
        pocket.take(&mut bytes, usize::MAX);
        assert_eq!((pocket.len(), pocket.room(), bytes.len()), (UNIT, 0, 3 * UNIT));
        assert!(pocket.is_pocket());
        assert!(pocket.grow() && !pocket.is_pocket());
        pocket.take(&mut bytes, usize::MAX);
        assert_eq!((pocket.len(), pocket.bytes.capacity()), (2 * UNIT, 2 * UNIT));
        assert!(pocket.grow() && !pocket.grow(), "the pool is empty");
        drop(pocket);
        assert_eq!(pool.units_left(), 3);
    }

    #[tokio::test]
    async fn everybody_gets_a_pocket_and_grows_only_within_the_pool() {
        let pool = Pool::new(2 * UNIT);
        let (first, _second, mut third) = (pool.pocket(), pool.pocket(), pool.pocket());
        assert_eq!((pool.units_left(), third.room()), (0, UNIT));
        drop(first);
        assert!(!third.grow(), "one unit for what it has already, and none left to grow");
        let mut fourth = pool.pocket();
        fourth.lend();
        assert_eq!(pool.units_left(), 1);
    }

    #[tokio::test]
    async fn half_of_the_pool_is_for_those_who_come() {
        let pool = Pool::new(8 * UNIT);
        let mut slow = pool.pocket();
        while slow.grow() {}
        assert_eq!((slow.room(), pool.units_left()), (5 * UNIT, 3));
    }

    #[tokio::test]
    async fn while_somebody_waits_for_a_slab_nobody_grows() {
        let pool = Pool::new(SLAB);
        let mut slow = pool.pocket();
        assert!(slow.grow());
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.slab(SLAB).await.room() }
        });
        tokio::task::yield_now().await;
        assert!(!slow.grow());
        drop(slow);
        assert_eq!(waiting.await.unwrap(), SLAB);
    }
}
