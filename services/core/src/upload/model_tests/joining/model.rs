//! What must be in the database when stretches are joined to films, counted anew from the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::*;
use super::STRETCHES;
use crate::clip::MediaState;
use crate::storage::keys;

/// One upload: a stretch, or a film that is joined from stretches.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: UploadId,
    pub kind: Kind,
    /// What a film is a version of, and which.
    pub of_clip: Option<(ClipId, VersionId, i64)>,
    /// What it is joined from.
    pub sources: Vec<usize>,
    pub length: i64,
    pub part_size: i64,
    pub state: State,
    pub epoch: i64,
    pub updated_at: At,
    pub expires_at: At,
    pub key: Option<(String, Option<String>)>,
    /// How many of its parts are durable.
    pub parts: i64,
}

impl Entry {
    pub fn of(upload: &Upload, sources: Vec<usize>, n: i64) -> Entry {
        let of_clip = upload.clip_id.clone().zip(upload.version_id.clone()).map(|(clip, version)| (clip, version, n));
        let length = upload.length.expect("known");
        // There is nothing to send of a stretch without bytes.
        let state = if length == 0 { State::Complete } else { State::Open };
        let Upload { id, kind, part_size, epoch, updated_at, expires_at, .. } = upload.clone();
        Entry {
            id,
            kind,
            of_clip,
            sources,
            length,
            part_size,
            state,
            epoch,
            updated_at,
            expires_at,
            key: None,
            parts: 0,
        }
    }

    /// How long its next part is.
    pub fn next_len(&self) -> i64 {
        (self.length - self.parts * self.part_size).min(self.part_size)
    }

    pub fn lives(&self) -> bool {
        matches!(self.state, State::Open | State::Completing | State::Complete)
    }

    pub fn is_at_work(&self) -> bool {
        matches!(self.state, State::Open | State::Completing)
    }

    pub fn touch(&mut self, now: At) {
        (self.updated_at, self.expires_at) = (now, now + EXPIRES_AFTER);
    }

    pub fn version_state(&self) -> MediaState {
        match self.state {
            State::Open | State::Completing => MediaState::Uploading,
            State::Complete => MediaState::Received,
            State::Failed => MediaState::Failed,
            State::Terminated | State::Expired => MediaState::Abandoned,
        }
    }
}

/// Why stretches cannot be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoJoin {
    NotFound,
    NotComplete,
    Empty,
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The stretches, and behind them the films that were begun.
    pub entries: BTreeMap<usize, Entry>,
    pub withdrawn: BTreeSet<ClipId>,
    pub trash: BTreeSet<(String, String)>,
}

impl Model {
    pub fn entry(&mut self, no: usize) -> &mut Entry {
        self.entries.get_mut(&no).expect("it was begun")
    }

    pub fn is_needed(&self, stretch: usize) -> bool {
        self.entries.values().any(|film| film.is_at_work() && film.sources.contains(&stretch))
    }

    /// How long the film becomes, or the first thing in the way, in the order of the ids.
    pub fn join(&self, now: At, of: &[usize], ids: &[UploadId]) -> Result<i64, NoJoin> {
        let asked: BTreeMap<&UploadId, usize> = ids.iter().zip(of.iter().copied()).collect();
        for no in asked.values() {
            let stretch = self.entries.get(no).filter(|_| *no < STRETCHES);
            match stretch.filter(|stretch| stretch.lives() && stretch.expires_at > now) {
                Some(stretch) if stretch.state == State::Complete => {}
                Some(_) => return Err(NoJoin::NotComplete),
                None => return Err(NoJoin::NotFound),
            }
        }
        Ok(of.iter().map(|no| self.entries[no].length).sum())
    }

    pub fn completed(&mut self, no: usize) {
        let entry = self.entry(no);
        entry.state = State::Complete;
        let tails = keys::upload_tails(&entry.id);
        self.trash.insert((tails, String::new()));
        self.release(no);
    }

    /// It ends in vain, and what only it needed with it.
    pub fn end(&mut self, no: usize, state: State) {
        let entry = self.entry(no);
        entry.state = state;
        entry.epoch += 1;
        let (tails, key) = (keys::upload_tails(&entry.id), entry.key.clone());
        self.trash.insert((tails, String::new()));
        if let Some((key, s3)) = key {
            self.trash.insert((key.clone(), s3.unwrap_or_default()));
            self.trash.insert((key, String::new()));
        }
        self.release(no);
    }

    /// The stretches of a film that has ended, which no other film waits for.
    fn release(&mut self, no: usize) {
        let sources: BTreeSet<usize> = self.entry(no).sources.iter().copied().collect();
        for stretch in sources {
            if self.entry(stretch).lives() && !self.is_needed(stretch) {
                self.end(stretch, State::Terminated);
            }
        }
    }

    /// What the sweep gives up now.
    pub fn due(&self, now: At) -> Vec<usize> {
        let waits = |no: usize, entry: &Entry| {
            entry.state == State::Open
                || entry.kind == Kind::Partial && entry.state == State::Complete && !self.is_needed(no)
        };
        let due = self.entries.iter().filter(|(no, entry)| entry.expires_at <= now && waits(**no, entry));
        due.map(|(no, _)| *no).collect()
    }

    /// The films of a clip that still wait for bytes.
    pub fn open_of(&self, clip: &ClipId) -> Vec<usize> {
        let of = |entry: &Entry| entry.of_clip.as_ref().is_some_and(|(id, ..)| id == clip);
        let open = self.entries.iter().filter(|(_, entry)| entry.state == State::Open && of(entry));
        open.map(|(no, _)| *no).collect()
    }

    pub fn versions_of(&self, clip: &ClipId) -> Vec<&Entry> {
        let of = |entry: &&Entry| entry.of_clip.as_ref().is_some_and(|(id, ..)| id == clip);
        self.entries.values().filter(of).collect()
    }

    /// A draft none of whose versions ever came goes with the last of them.
    pub fn discard_if_bare(&mut self, clip: &ClipId) {
        if self.versions_of(clip).iter().all(|entry| entry.version_state() == MediaState::Abandoned) {
            self.withdrawn.insert(clip.clone());
        }
    }
}
