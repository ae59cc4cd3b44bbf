//! What must be in the database, counted anew from the rules and not as the verbs do it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::storage::keys;

/// Where a writer is in its own opinion.
#[derive(Debug, Clone)]
pub struct View {
    pub upload: Upload,
    /// The first part that it has not recorded.
    pub next: i64,
    pub recorded: BTreeMap<i64, Part>,
    pub pieces: BTreeMap<i64, i64>,
    pub last_part: Option<Part>,
    pub last_piece: Option<TailPiece>,
}

/// What must be in the database.
#[derive(Debug, Clone)]
pub struct Model {
    pub state: State,
    pub epoch: i64,
    pub length: Option<i64>,
    pub part_size: i64,
    pub expires_at: At,
    pub key: Option<(String, Option<String>)>,
    pub parts: BTreeMap<i64, i64>,
    pub tails: BTreeMap<(i64, i64), (i64, String)>,
    pub trash: BTreeSet<(String, String)>,
    /// The highest offset that any client was told.
    pub told: i64,
}

impl Model {
    pub fn lives(&self) -> bool {
        matches!(self.state, State::Open | State::Completing | State::Complete)
    }

    /// Counted byte by byte from the start, with what is known of each part.
    pub fn offset(&self) -> i64 {
        let mut at = 0;
        loop {
            let (no, within) = (at / self.part_size + 1, at % self.part_size);
            let len = self.length.map_or(self.part_size, |length| (length - at + within).min(self.part_size));
            if within == 0 && len > 0 && self.parts.get(&no) == Some(&len) {
                at += len;
            } else if let Some((piece, _)) = self.tails.get(&(no, within)).filter(|(piece, _)| within + piece <= len) {
                at += piece;
                if within + piece == len {
                    return at;
                }
            } else {
                return at;
            }
        }
    }

    /// A tail doesn't count: it is still to be gathered into a part.
    pub fn has_every_part(&self) -> bool {
        let lens: Vec<i64> = (1..).map_while(|no| self.parts.get(&no).copied()).collect();
        lens.len() == self.parts.len() && self.length == Some(lens.iter().sum())
    }

    pub fn drop_tails(&mut self, gone: impl Fn(i64, i64) -> bool) {
        let dropped: Vec<_> = self.tails.keys().copied().filter(|(no, start)| gone(*no, *start)).collect();
        for at in dropped {
            let (_, key) = self.tails.remove(&at).expect("just seen");
            self.trash.insert((key, String::new()));
        }
    }

    pub fn touch(&mut self, now: At) {
        self.expires_at = now + EXPIRES_AFTER;
    }

    pub fn end(&mut self, id: &UploadId, state: State) {
        self.state = state;
        self.epoch += 1;
        self.trash.insert((keys::upload_tails(id), String::new()));
        if let Some((key, s3)) = &self.key {
            self.trash.insert((key.clone(), s3.clone().unwrap_or_default()));
            self.trash.insert((key.clone(), String::new()));
        }
    }
}
