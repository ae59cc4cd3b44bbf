//! The disk under the embedded store. Below its low-water mark nothing new is taken, so that the database and what is
//! being made of films can go on; what was acknowledged stays, and goes on when there is room again.

use std::path::PathBuf;

use axum::http::{HeaderValue, StatusCode, header};
use weijia_core::Result;
use weijia_core::db::Tx;
use weijia_core::size::words as size;
use weijia_core::upload::quota;

use super::Uploads;
use crate::error::ApiError;

#[derive(Debug, Clone)]
pub struct Room {
    pub folder: PathBuf,
    /// The mark: bytes that stay free.
    pub keep_free: u64,
}

/// Enough for anything.
const UNSEEN: u64 = i64::MAX as u64;

impl Room {
    /// Bytes above the mark.
    fn left(&self) -> u64 {
        match rustix::fs::statvfs(&self.folder) {
            Ok(facts) => (facts.f_bavail * facts.f_frsize).saturating_sub(self.keep_free).min(UNSEEN),
            Err(error) => {
                // Whether there is room the next write will tell.
                tracing::warn!(folder = %self.folder.display(), %error, "cannot see how full the disk is");
                UNSEEN
            }
        }
    }
}

impl Uploads {
    /// The largest file that the disk has room for besides all that are on their way, where it is ours to keep.
    /// Less than nothing where they have more to bring than there is room for.
    pub(super) async fn room(&self, tx: &mut Tx) -> Result<i64> {
        match &self.limits.room {
            Some(room) => Ok((room.left() as i64).saturating_sub(quota::still_to_come(tx).await?)),
            None => Ok(i64::MAX),
        }
    }

    /// Below the mark: what is in memory may still be stored, but nothing more is taken.
    pub(super) fn is_low(&self) -> bool {
        self.limits.room.as_ref().is_some_and(|room| room.left() == 0)
    }
}

/// For somebody who is about to begin, and the largest file that there is room for.
pub fn no_room_for_more(bytes: i64, room: i64) -> ApiError {
    let message = match room {
        ..quota::LITTLE => "放片子的盘快满了，这会儿收不下新的。".to_owned(),
        _ => format!("放片子的盘快满了，现在最多收得下 {} 的片子，这条有 {}。", size(room), size(bytes)),
    };
    let next_step = "片子留在手机里，不会丢。过一会儿再传；老是这样，就告诉县里的老师。";
    full("disk_low", &message, next_step)
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
