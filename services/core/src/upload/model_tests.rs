//! The verbs against a model in memory: random sequences of everything that writers, owners, time and crashes can do to
//! an upload. A sequence that fails is shortened as far as it still fails, and printed with its seed.
//!
//! Every sequence runs in a transaction that is rolled back in the end, so the database stays small; a commit that is
//! lost is a rollback to a savepoint.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;

use super::rules;
use super::sql::*;
use super::*;
use crate::clip::MediaState;
use crate::clip::create::{self, Draft};
use crate::clip::refusal::RefusalCode;
use crate::clip::testing::{self, person};
use crate::db::testing::{folder, sqlite};
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::on;
use crate::storage::{keys, trash};

const NOW: At = At(1_000_000_000);
const MOST: i64 = 2 << 30;
const WRITERS: usize = 3;

/// Something that happens. Numbers are chosen before it is known what they mean, so any step can be left out of a
/// sequence and the rest still makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A client asks where to go on, and this writer becomes the newest.
    TakeOver {
        writer: usize,
    },
    /// It also says how long the file is: so much more than is there.
    Declare {
        writer: usize,
        more: i64,
    },
    /// One of the parts that the writer has in flight is durable; `ahead` ones before it are not.
    Part {
        writer: usize,
        ahead: i64,
    },
    /// The answer to the last part was lost, so it is recorded again.
    PartAgain {
        writer: usize,
    },
    /// A piece of the part that is still growing, `ahead` parts too far when those before it failed.
    Tail {
        writer: usize,
        ahead: i64,
        len: i64,
    },
    /// The answer to the last piece was lost, so it is recorded again.
    TailAgain {
        writer: usize,
    },
    /// The store has joined the parts; the newest writer or the reconciler says so.
    Complete,
    /// The file is refused, by this writer.
    Fail {
        writer: usize,
    },
    Terminate,
    /// So many days pass, and the sweep comes by.
    Expire {
        days: i64,
    },
}

/// A step, and whether its transaction is lost instead of committed.
type Happening = (Step, bool);

struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn step(&mut self) -> Step {
        let writer = self.roll(WRITERS as u64) as usize;
        let ahead = [0, 0, 0, 1, 2][self.roll(5) as usize];
        match self.roll(32) {
            0..=6 => Step::TakeOver { writer },
            7..=8 => Step::Declare { writer, more: self.roll(3) as i64 * rules::MIN_PART + self.roll(2) as i64 * 77 },
            9..=18 => Step::Part { writer, ahead },
            19 => Step::PartAgain { writer },
            20..=24 => Step::Tail { writer, ahead, len: 1 + self.roll(3_000_000) as i64 },
            25 => Step::TailAgain { writer },
            26..=28 => Step::Complete,
            29 => Step::Fail { writer },
            30 => Step::Terminate,
            _ => Step::Expire { days: self.roll(9) as i64 },
        }
    }
}

/// A way to be wrong, to see that it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Nobody looks at the epoch.
    NoEpoch,
    /// The offset is the sum of what is there, gaps or not.
    SumOfParts,
    /// What a takeover finds beyond the offset stays.
    NothingForgotten,
    /// Completing doesn't look whether it was done.
    CompletedTwice,
}

/// Where a writer is in its own opinion.
#[derive(Debug, Clone)]
struct View {
    upload: Upload,
    /// The first part that it has not recorded.
    next: i64,
    recorded: BTreeMap<i64, Part>,
    pieces: BTreeMap<i64, i64>,
    last_part: Option<Part>,
    last_piece: Option<TailPiece>,
}

/// What must be in the database.
#[derive(Debug, Clone)]
struct Model {
    state: State,
    epoch: i64,
    length: Option<i64>,
    part_size: i64,
    expires_at: At,
    key: Option<(String, Option<String>)>,
    parts: BTreeMap<i64, i64>,
    tails: BTreeMap<(i64, i64), (i64, String)>,
    trash: BTreeSet<(String, String)>,
    /// The highest offset that any client was told.
    told: i64,
}

impl Model {
    fn lives(&self) -> bool {
        matches!(self.state, State::Open | State::Completing | State::Complete)
    }

    /// Counted byte by byte from the start, with what is known of each part.
    fn offset(&self) -> i64 {
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
    fn has_every_part(&self) -> bool {
        let lens: Vec<i64> = (1..).map_while(|no| self.parts.get(&no).copied()).collect();
        lens.len() == self.parts.len() && self.length == Some(lens.iter().sum())
    }

    fn drop_tails(&mut self, gone: impl Fn(i64, i64) -> bool) {
        let dropped: Vec<_> = self.tails.keys().copied().filter(|(no, start)| gone(*no, *start)).collect();
        for at in dropped {
            let (_, key) = self.tails.remove(&at).expect("just seen");
            self.trash.insert((key, String::new()));
        }
    }

    fn touch(&mut self, now: At) {
        self.expires_at = now + EXPIRES_AFTER;
    }

    fn end(&mut self, id: &UploadId, state: State) {
        self.state = state;
        self.epoch += 1;
        self.trash.insert((keys::upload_tails(id), String::new()));
        if let Some((key, s3)) = &self.key {
            self.trash.insert((key.clone(), s3.clone().unwrap_or_default()));
            self.trash.insert((key.clone(), String::new()));
        }
    }
}

/// One upload under test.
struct Run<'a> {
    tx: &'a mut Tx,
    flaw: Flaw,
    id: UploadId,
    kind: Kind,
    now: At,
    model: Model,
    views: Vec<Option<View>>,
    pieces_made: i64,
}

type Checked<T = ()> = std::result::Result<T, String>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Checked {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}

async fn say(tx: &mut Tx, sql: &'static str) {
    on!(tx, c => sqlx::query(sql).execute(c).await.map(drop)).unwrap();
}

impl Run<'_> {
    async fn happen(&mut self, (step, lost): Happening) -> Checked {
        // A refusal of PostgreSQL's spoils its transaction, so those have a savepoint, too.
        let fragile = lost || matches!(step, Step::TailAgain { .. });
        let before = (self.model.clone(), self.views.clone());
        if fragile {
            say(self.tx, "savepoint step").await;
        }
        let result = self.act(step).await;
        if lost || (fragile && result == Ok(false)) {
            say(self.tx, "rollback to savepoint step").await;
            // Time goes on all the same.
            (self.model, self.views) = before;
        }
        if fragile {
            say(self.tx, "release savepoint step").await;
        }
        result.map(drop)
    }

    /// The upload as this writer holds it, and whether it is still the newest of an open one.
    fn view(&self, writer: usize) -> Option<(View, bool)> {
        let view = self.views[writer].clone()?;
        let newest = view.upload.epoch == self.model.epoch && self.model.state == State::Open;
        Some((view, newest))
    }

    /// As the verb is to be called; with the flaw, by whoever is the newest.
    fn caller(&self, view: &View) -> Upload {
        let epoch = if self.flaw == Flaw::NoEpoch { self.model.epoch } else { view.upload.epoch };
        Upload { epoch, length: self.model.length.or(view.upload.length), ..view.upload.clone() }
    }

    /// `Ok(false)`: the database was expected to refuse, and did.
    async fn act(&mut self, step: Step) -> Checked<bool> {
        match step {
            Step::TakeOver { writer } => self.take_over(writer).await.map(|_| true),
            Step::Declare { writer, more } => self.declare(writer, more).await,
            Step::Part { writer, ahead } => self.part(writer, ahead).await,
            Step::PartAgain { writer } => {
                let Some((view, newest)) = self.view(writer) else { return Ok(true) };
                let Some(part) = view.last_part.clone() else { return Ok(true) };
                self.record(writer, &view, newest, part).await
            }
            Step::Tail { writer, ahead, len } => self.tail(writer, ahead, len).await,
            Step::TailAgain { writer } => {
                let Some((view, newest)) = self.view(writer) else { return Ok(true) };
                let Some(piece) = view.last_piece.clone() else { return Ok(true) };
                self.add(writer, &view, newest, piece).await
            }
            Step::Complete => self.complete().await,
            Step::Fail { writer } => self.fail(writer).await,
            Step::Terminate => self.terminate().await,
            Step::Expire { days } => self.expire(days).await,
        }
    }

    /// What a client would be told now.
    async fn offset_told(&mut self, there: &Durable) -> Checked {
        let offset = match self.flaw {
            Flaw::SumOfParts => self.model.parts.values().sum::<i64>() + there.tail_len(),
            _ => there.offset,
        };
        same("the offset", offset, self.model.offset())?;
        if self.model.lives() && offset < self.model.told {
            return Err(format!("{offset} is told after {}", self.model.told));
        }
        self.model.told = self.model.told.max(offset);
        Ok(())
    }

    async fn take_over(&mut self, writer: usize) -> Checked<Durable> {
        let taken = match self.flaw {
            Flaw::NothingForgotten => {
                let sql = "update uploads set epoch = epoch + 1, expires_at = $2 + $3 where state = 'open' and expires_at > $2 and id = $1";
                on!(&mut *self.tx, c => sqlx::query(sql)
                    .bind(&self.id).bind(self.now).bind(EXPIRES_AFTER.0).execute(c).await.map(drop))
                .unwrap();
                let upload = find(self.tx, &self.id).await.map_err(|e| e.to_string())?;
                let there = durable(self.tx, &upload).await.map_err(|e| e.to_string())?;
                (upload, there)
            }
            _ => take_over(self.tx, self.now, &self.id).await.map_err(|e| e.to_string())?,
        };
        let (upload, there) = taken;
        if self.model.state == State::Open && self.model.expires_at > self.now {
            self.model.epoch += 1;
            self.model.touch(self.now);
            let offset = self.model.offset();
            let next = there.parts.len() as i64 + 1;
            let edge = offset - (next - 1) * self.model.part_size;
            self.model.parts.retain(|no, _| *no < next);
            self.model.drop_tails(|no, start| no != next || start >= edge);
        }
        self.offset_told(&there).await?;
        same("the epoch", upload.epoch, self.model.epoch)?;
        let over = self.now >= self.model.expires_at
            && (self.model.state == State::Open || self.kind == Kind::Partial && self.model.state == State::Complete);
        same("the state", upload.state, if over { State::Expired } else { self.model.state })?;
        let next = there.parts.len() as i64 + 1;
        self.views[writer] = (upload.state == State::Open).then(|| View {
            upload,
            next,
            recorded: BTreeMap::new(),
            pieces: BTreeMap::from([(next, there.tail_len())]),
            last_part: None,
            last_piece: None,
        });
        Ok(there)
    }

    async fn declare(&mut self, writer: usize, more: i64) -> Checked<bool> {
        let there = self.take_over(writer).await?;
        let Some((view, true)) = self.view(writer) else { return Ok(true) };
        if self.model.length.is_some() {
            return Ok(true);
        }
        let length = there.offset + more;
        let upload = declare_length(self.tx, self.now, view.upload.clone(), &there, length).await;
        let upload = upload.map_err(|e| format!("declare: {e}"))?;
        self.model.length = Some(length);
        if length == 0 {
            self.model.state = State::Complete;
        } else if there.tail.is_empty() && there.offset == length {
            self.model.state = State::Completing;
        }
        same("the state when the length is known", upload.state, self.model.state)?;
        self.views[writer] = Some(View { upload, ..view });
        Ok(true)
    }

    async fn part(&mut self, writer: usize, ahead: i64) -> Checked<bool> {
        let Some((view, newest)) = self.view(writer) else { return Ok(true) };
        let no = (view.next..).filter(|no| !view.recorded.contains_key(no)).nth(ahead as usize).unwrap_or(view.next);
        let length = self.model.length.or(view.upload.length);
        let len = length.map_or(self.model.part_size, |length| {
            (length - (no - 1) * self.model.part_size).clamp(0, self.model.part_size)
        });
        if len == 0 {
            return Ok(true);
        }
        let part = Part { no, len, etag: format!("\"{no}\""), sha256: hex::encode([no as u8; 32]) };
        self.record(writer, &view, newest, part).await
    }

    async fn record(&mut self, writer: usize, view: &View, newest: bool, part: Part) -> Checked<bool> {
        let mut view = view.clone();
        if newest && self.model.key.is_none() {
            let single = self.model.length.is_some_and(|length| length <= self.model.part_size);
            let (key, s3) = (view.upload.new_key(), (!single).then(|| format!("m{}", view.upload.epoch)));
            let set = set_object(self.tx, self.now, &self.id, self.caller(&view).epoch, &key, s3.as_deref()).await;
            set.map_err(|e| format!("set_object: {e}"))?;
            self.model.key = Some((key, s3));
        }
        let answer = record_part(self.tx, self.now, &self.caller(&view), &part).await;
        if !newest {
            return stale("record_part", answer.map(drop));
        }
        let all = answer.map_err(|e| format!("record_part: {e}"))?;
        self.model.touch(self.now);
        self.model.parts.insert(part.no, part.len);
        self.model.drop_tails(|no, _| no == part.no);
        let whole = self.model.has_every_part();
        same("whether all is there", all, if whole { Recorded::All } else { Recorded::More })?;
        if whole {
            self.model.state = State::Completing;
        }
        view.recorded.insert(part.no, part.clone());
        view.pieces.remove(&part.no);
        view.last_part = Some(part);
        self.views[writer] = Some(view);
        self.told_after_commit().await
    }

    async fn tail(&mut self, writer: usize, ahead: i64, len: i64) -> Checked<bool> {
        let Some((view, newest)) = self.view(writer) else { return Ok(true) };
        let no = (view.next..).filter(|no| !view.recorded.contains_key(no)).nth(ahead as usize).unwrap_or(view.next);
        let start = view.pieces.get(&no).copied().unwrap_or(0);
        let length = self.model.length.or(view.upload.length);
        let room = length.map_or(self.model.part_size, |length| {
            (length - (no - 1) * self.model.part_size).clamp(0, self.model.part_size)
        }) - start;
        if room <= 0 {
            return Ok(true);
        }
        self.pieces_made += 1;
        let key = keys::upload_tail(&self.id, view.upload.epoch, self.pieces_made);
        let piece = TailPiece { part_no: no, start, len: len.min(room), key, sha256: String::new() };
        self.add(writer, &view, newest, piece).await
    }

    async fn add(&mut self, writer: usize, view: &View, newest: bool, piece: TailPiece) -> Checked<bool> {
        let mut view = view.clone();
        let answer = add_tail(self.tx, self.now, &self.caller(&view), &piece).await;
        if !newest {
            return stale("add_tail", answer);
        }
        if self.model.tails.contains_key(&(piece.part_no, piece.start)) {
            // It may fail, and then the client asks where to go on; it must not count twice.
            return if answer.is_err() { Ok(false) } else { Err("a piece was added twice".into()) };
        }
        answer.map_err(|e| format!("add_tail: {e}"))?;
        self.model.touch(self.now);
        self.model.tails.insert((piece.part_no, piece.start), (piece.len, piece.key.clone()));
        view.pieces.insert(piece.part_no, piece.start + piece.len);
        view.last_piece = Some(piece);
        self.views[writer] = Some(view);
        self.told_after_commit().await
    }

    /// What the answer to a PATCH would say.
    async fn told_after_commit(&mut self) -> Checked<bool> {
        let upload = find(self.tx, &self.id).await.map_err(|e| e.to_string())?;
        let there = durable(self.tx, &upload).await.map_err(|e| e.to_string())?;
        self.offset_told(&there).await.map(|()| true)
    }

    async fn complete(&mut self) -> Checked<bool> {
        let upload = find(self.tx, &self.id).await.map_err(|e| e.to_string())?;
        if upload.key.is_none() {
            return Ok(true);
        }
        let there = durable(self.tx, &upload).await.map_err(|e| e.to_string())?;
        if self.flaw == Flaw::CompletedTwice && self.model.state == State::Complete {
            say(self.tx, "update uploads set state = 'completing' where state = 'complete'").await;
        }
        let done = complete(self.tx, self.now, &upload, &there.parts).await.map_err(|e| format!("complete: {e}"))?;
        same("whether this completed it", done, self.model.state == State::Completing)?;
        if done {
            same("the bytes of a complete upload", Some(there.offset), self.model.length)?;
            self.model.state = State::Complete;
            self.model.trash.insert((keys::upload_tails(&self.id), String::new()));
        }
        Ok(true)
    }

    async fn fail(&mut self, writer: usize) -> Checked<bool> {
        let Some((view, _)) = self.view(writer) else { return Ok(true) };
        let ended = fail(self.tx, self.now, &self.caller(&view), RefusalCode::NotAVideo).await;
        let ended = ended.map_err(|e| format!("fail: {e}"))?;
        let may = view.upload.epoch == self.model.epoch
            && (matches!(self.model.state, State::Open | State::Completing)
                || self.kind == Kind::Partial && self.model.state == State::Complete);
        same("whether this writer gave it up", ended, may)?;
        if ended {
            let id = self.id.clone();
            self.model.end(&id, State::Failed);
        }
        Ok(true)
    }

    async fn terminate(&mut self) -> Checked<bool> {
        let upload = find(self.tx, &self.id).await.map_err(|e| e.to_string())?;
        let ended = terminate(self.tx, self.now, &upload).await.map_err(|e| format!("terminate: {e}"))?;
        let may = match self.kind {
            Kind::Partial => self.model.lives(),
            _ => self.model.state == State::Open,
        };
        same("whether its owner ended it", ended, may)?;
        if ended {
            let id = self.id.clone();
            self.model.end(&id, State::Terminated);
        }
        Ok(true)
    }

    async fn expire(&mut self, days: i64) -> Checked<bool> {
        self.now = self.now + Millis::days(days);
        let waits =
            self.model.state == State::Open || self.kind == Kind::Partial && self.model.state == State::Complete;
        let due = waits && self.model.expires_at <= self.now;
        let expired = expire(self.tx, self.now).await.map_err(|e| format!("expire: {e}"))?;
        same("how many expired", expired, usize::from(due))?;
        if due {
            let id = self.id.clone();
            self.model.end(&id, State::Expired);
        }
        Ok(true)
    }

    /// Everything that the database holds, against the model.
    async fn compare(&mut self) -> Checked {
        let upload = find(self.tx, &self.id).await.map_err(|e| e.to_string())?;
        same("the state", upload.state, self.model.state)?;
        same("the epoch", upload.epoch, self.model.epoch)?;
        same("the length", upload.length, self.model.length)?;
        let key = upload.key.clone().map(|key| (key, upload.s3_upload_id.clone()));
        same("the object", key, self.model.key.clone())?;
        let sql = "select no, len from upload_parts where upload_id = $1";
        let parts: Vec<(i64, i64)> =
            on!(&mut *self.tx, c => sqlx::query_as(sql).bind(&self.id).fetch_all(c).await).unwrap();
        same("the parts", BTreeMap::from_iter(parts), self.model.parts.clone())?;
        let sql = "select part_no, start, len, key from upload_tails where upload_id = $1";
        let tails: Vec<(i64, i64, i64, String)> =
            on!(&mut *self.tx, c => sqlx::query_as(sql).bind(&self.id).fetch_all(c).await).unwrap();
        let tails = tails.into_iter().map(|(no, start, len, key)| ((no, start), (len, key)));
        same("the tail", tails.collect(), self.model.tails.clone())?;
        self.compare_trash().await?;
        let there = durable(self.tx, &upload).await.map_err(|e| e.to_string())?;
        let settled = unsettled(self.tx, At(i64::MAX)).await.map_err(|e| e.to_string())?.is_empty();
        let joined =
            self.model.parts.values().sum::<i64>() + self.model.tails.values().map(|(len, _)| len).sum::<i64>();
        let waiting = self.model.state == State::Completing
            || self.model.state == State::Open && self.model.length == Some(joined);
        same("whether it is settled", settled, !waiting)?;
        self.offset_told(&there).await?;
        let Some(version) = &upload.version_id else { return Ok(()) };
        let empty = self.model.length == Some(0);
        let received = self.model.state == State::Complete && !empty;
        same("the jobs", testing::jobs_of(self.tx, version.as_str()).await, i64::from(received))?;
        let state = testing::version(self.tx, version).await.state;
        let expected = match self.model.state {
            State::Complete if empty => MediaState::Failed,
            State::Complete => MediaState::Received,
            State::Failed => MediaState::Failed,
            State::Terminated | State::Expired => MediaState::Abandoned,
            State::Open | State::Completing => MediaState::Uploading,
        };
        same("the version", state, expected)
    }

    /// What was let go of is in it, and nothing that is still needed.
    async fn compare_trash(&mut self) -> Checked {
        let trash: BTreeSet<(String, String)> = trash::due(self.tx, At(i64::MAX), 1000)
            .await
            .map_err(|e| e.to_string())?
            .into_iter()
            .map(|t| (t.key, t.s3_upload_id))
            .collect();
        if let Some(missing) = self.model.trash.difference(&trash).next() {
            return Err(format!("{missing:?} was let go of and is not in the trash"));
        }
        let covers = |key: &str| {
            trash.iter().any(|(t, s3)| s3.is_empty() && (t == key || t.ends_with('/') && key.starts_with(t.as_str())))
        };
        if !self.model.lives() {
            return Ok(());
        }
        let open = self.model.state == State::Open;
        let needed = self.model.tails.values().filter(|_| open).map(|(_, key)| key.as_str());
        let object = self.model.key.as_ref().map(|(key, _)| key.as_str());
        match needed.chain(object).find(|key| covers(key)) {
            Some(key) => Err(format!("{key} is in the trash and still needed")),
            None => Ok(()),
        }
    }
}

/// A newer writer has taken over, or the upload has ended.
fn stale(verb: &str, answer: crate::error::Result<()>) -> Checked<bool> {
    match answer {
        Err(Error::Conflict(_)) => Ok(true),
        other => Err(format!("{verb} by an older writer: {other:?}")),
    }
}

/// An upload, as its sequence begins.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    kind: Kind,
    length: Option<i64>,
}

impl Beginning {
    fn roll(dice: &mut Dice) -> Beginning {
        let kind = if dice.roll(4) == 0 { Kind::Partial } else { Kind::Whole };
        let length = match dice.roll(6) {
            0 => None,
            1 => Some(1 + dice.roll(rules::MIN_PART as u64) as i64),
            n => Some((n as i64 - 1) * rules::MIN_PART + [0, 5][dice.roll(2) as usize]),
        };
        Beginning { kind, length }
    }
}

async fn run(
    tx: &mut Tx,
    owner: &UserId,
    made: &create::Created,
    begin: Beginning,
    steps: &[Happening],
    flaw: Flaw,
) -> Checked {
    say(tx, "savepoint sequence").await;
    let purpose = match begin.kind {
        Kind::Partial => Purpose::Partial,
        _ => Purpose::Whole { clip: &made.clip, version: &made.version },
    };
    let new = NewUpload { owner, purpose, length: begin.length, most: MOST, metadata: "", idempotency_key: None };
    let upload = create(tx, NOW, new).await.unwrap();
    let model = Model {
        state: State::Open,
        epoch: 0,
        length: begin.length,
        part_size: upload.part_size,
        expires_at: NOW + EXPIRES_AFTER,
        key: None,
        parts: BTreeMap::new(),
        tails: BTreeMap::new(),
        trash: BTreeSet::new(),
        told: 0,
    };
    let (id, views) = (upload.id, vec![None; WRITERS]);
    let mut run = Run { tx, flaw, id, kind: begin.kind, now: NOW, model, views, pieces_made: 0 };
    let mut result = Ok(());
    for (n, step) in steps.iter().enumerate() {
        result = run.happen(*step).await.map_err(|e| format!("step {}: {e}", n + 1));
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        result = run.compare().await.map_err(|e| format!("in the end: {e}"));
    }
    say(run.tx, "rollback to savepoint sequence").await;
    say(run.tx, "release savepoint sequence").await;
    result
}

/// The first sequence that fails, as short as it gets.
async fn first_failure(db: &Db, seeds: std::ops::Range<u64>, flaw: Flaw) -> Option<String> {
    let mut tx = db.write().await.unwrap();
    let owner = person(&mut tx).await;
    let draft = Draft { filename: "a.mp4", content_type: "video/mp4", bytes: 1, ..Default::default() };
    let made = create::create(&mut tx, NOW, &owner, &draft).await.unwrap();
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let begin = Beginning::roll(&mut dice);
        let count = 4 + dice.roll(16);
        let mut steps: Vec<Happening> = (0..count).map(|_| (dice.step(), dice.roll(8) == 0)).collect();
        let Err(mut why) = run(&mut tx, &owner.user, &made, begin, &steps, flaw).await else { continue };
        let mut at = 0;
        while at < steps.len() {
            let mut shorter = steps.clone();
            shorter.remove(at);
            match run(&mut tx, &owner.user, &made, begin, &shorter, flaw).await {
                Err(still) => (steps, why) = (shorter, still),
                Ok(()) => at += 1,
            }
        }
        return Some(format!("seed {seed}, {begin:?}: {why}\n{steps:#?}"));
    }
    None
}

/// The seeds in as many transactions, some at once where the database lets them.
async fn first_failure_of_all(db: &Db, seeds: std::ops::Range<u64>, flaw: Flaw) -> Option<String> {
    let slices = seeds.clone().step_by(250).map(|from| first_failure(db, from..seeds.end.min(from + 250), flaw));
    let mut found = futures_util::stream::iter(slices).buffer_unordered(4);
    while let Some(failure) = found.next().await {
        if failure.is_some() {
            return failure;
        }
    }
    None
}

crate::both_databases! {
    ten_thousand_sequences_go_as_the_model_says(db) {
        if let Some(failure) = first_failure_of_all(&db, 0..10_000, Flaw::None).await {
            panic!("{failure}");
        }
    }
}

/// The model would see it: each of these has been a real fault of a real server.
#[tokio::test]
async fn every_flaw_is_found_in_a_few_steps() {
    let folder = folder();
    let db = sqlite(folder.path()).await;
    for flaw in [Flaw::NoEpoch, Flaw::SumOfParts, Flaw::NothingForgotten, Flaw::CompletedTwice] {
        let failure = first_failure_of_all(&db, 0..2000, flaw).await.unwrap_or_else(|| panic!("{flaw:?} was not seen"));
        println!("{flaw:?}: {failure}");
        let steps = failure.matches("    (\n").count();
        assert!((1..=8).contains(&steps), "{flaw:?} took {steps} steps: {failure}");
    }
}
