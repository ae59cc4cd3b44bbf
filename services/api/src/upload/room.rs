//! The disk under the embedded store. Below its low-water mark nothing new is taken, so that the database and what is
//! being made of films can go on; what was acknowledged stays, and goes on when there is room again.

use std::path::PathBuf;

use axum::http::{HeaderValue, StatusCode, header};

use super::Uploads;
use crate::error::ApiError;

#[derive(Debug, Clone)]
pub struct Room {
    pub folder: PathBuf,
    /// The mark: bytes that stay free.
    pub keep_free: u64,
}

impl Room {
    /// Bytes above the mark.
    fn left(&self) -> u64 {
        match rustix::fs::statvfs(&self.folder) {
            Ok(facts) => (facts.f_bavail * facts.f_frsize).saturating_sub(self.keep_free),
            Err(error) => {
                // Whether there is room the next write will tell.
                tracing::warn!(folder = %self.folder.display(), %error, "cannot see how full the disk is");
                u64::MAX
            }
        }
    }
}

impl Uploads {
    /// The largest file that the disk has room for, where it is ours to keep.
    pub(super) fn room(&self) -> i64 {
        let left = self.limits.room.as_ref().map_or(u64::MAX, Room::left);
        i64::try_from(left).unwrap_or(i64::MAX)
    }

    pub(super) fn require_room(&self, bytes: i64) -> Result<(), ApiError> {
        if bytes > self.room() { Err(no_room_for_more()) } else { Ok(()) }
    }

    /// Below the mark: what is in memory may still be stored, but nothing more is taken.
    pub(super) fn is_low(&self) -> bool {
        self.room() == 0
    }
}

/// For somebody who is about to begin.
pub fn no_room_for_more() -> ApiError {
    let next_step = "片子留在手机里，不会丢。过一会儿再传；老是这样，就告诉县里的老师。";
    full("disk_low", "放片子的盘快满了，这会儿收不下新的。", next_step)
}

/// For somebody in the middle.
pub fn no_room_to_go_on() -> ApiError {
    let next_step = "不用重传，盘腾出来了会自己接着传。老半天不动，就告诉县里的老师。";
    full("disk_low", "放片子的盘满了，先停一停。已经传的都在，一点没丢。", next_step)
}

fn full(code: &'static str, message: &str, next_step: &str) -> ApiError {
    let mut error = ApiError::new(StatusCode::INSUFFICIENT_STORAGE, code, message, next_step);
    error.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    error
}
