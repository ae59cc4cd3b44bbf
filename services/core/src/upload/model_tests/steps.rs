//! Each step, done to the database and to the model.

use std::collections::BTreeMap;

use super::super::sql::*;
use super::super::*;
use super::compare::{Checked, same};
use super::model::{Model, View};
use super::{Flaw, Happening, Step};
use crate::clip::refusal::RefusalCode;
use crate::db::Tx;
use crate::error::Error;
use crate::on;
use crate::storage::keys;

/// One upload under test.
pub struct Run<'a> {
    pub tx: &'a mut Tx,
    pub flaw: Flaw,
    pub id: UploadId,
    pub kind: Kind,
    pub now: At,
    pub model: Model,
    pub views: Vec<Option<View>>,
    pub pieces_made: i64,
}

pub async fn say(tx: &mut Tx, sql: &'static str) {
    on!(tx, c => sqlx::query(sql).execute(c).await.map(drop)).unwrap();
}

impl Run<'_> {
    pub async fn happen(&mut self, (step, lost): Happening) -> Checked {
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
    pub async fn offset_told(&mut self, there: &Durable) -> Checked {
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
        if length == 0 && self.kind == Kind::Partial {
            self.model.state = State::Complete;
        } else if length == 0 {
            let id = self.id.clone();
            self.model.end(&id, State::Failed);
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
        let may = view.upload.epoch == self.model.epoch && matches!(self.model.state, State::Open | State::Completing);
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
}

/// A newer writer has taken over, or the upload has ended.
fn stale(verb: &str, answer: crate::error::Result<()>) -> Checked<bool> {
    match answer {
        Err(Error::Conflict(_)) => Ok(true),
        other => Err(format!("{verb} by an older writer: {other:?}")),
    }
}
