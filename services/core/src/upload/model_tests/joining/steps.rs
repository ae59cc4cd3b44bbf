//! Each step, done to the database and to the model.

use super::super::super::sql::*;
use super::super::super::*;
use super::super::compare::{Checked, same};
use super::super::steps::say;
use super::super::{MOST, NOW};
use super::model::{Entry, Model, NoJoin};
use super::{Beginning, Flaw, Happening, STRETCHES, Step};
use crate::access::Principal;
use crate::clip::create::{self, Draft};
use crate::clip::refusal::RefusalCode;
use crate::clip::sql::withdraw;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::on;
use crate::storage::keys;

pub struct World<'a> {
    pub tx: &'a mut Tx,
    pub owner: &'a Principal,
    pub flaw: Flaw,
    pub now: At,
    pub model: Model,
}

/// A database that does not answer is no finding of a model, but it is to be seen.
pub fn ok<T>(what: &str, answer: Result<T>) -> Checked<T> {
    answer.map_err(|error| format!("{what}: {error}"))
}

/// The stretches, sent as far as it is said.
pub async fn begin(tx: &mut Tx, owner: &Principal, begin: [Beginning; STRETCHES]) -> Model {
    let mut world = World { tx, owner, flaw: Flaw::None, now: NOW, model: Model::default() };
    for (no, Beginning { length, is_sent }) in begin.into_iter().enumerate() {
        let upload = world.create(Purpose::Partial, length).await.expect("a stretch");
        world.model.entries.insert(no, Entry::of(&upload, vec![], 0));
        while is_sent && world.model.entry(no).state == State::Open {
            world.part(no).await.expect("a part");
        }
        if is_sent {
            world.complete(no).await.expect("a complete stretch");
        }
    }
    world.model
}

impl World<'_> {
    async fn create(&mut self, purpose: Purpose<'_>, length: i64) -> Result<Upload> {
        let owner = &self.owner.user;
        let new = NewUpload { owner, purpose, length: Some(length), most: MOST, metadata: "", idempotency_key: None };
        create(self.tx, self.now, new).await
    }

    pub async fn happen(&mut self, (step, lost): &Happening) -> Checked {
        // What is refused is rolled back by whoever asked for it.
        let fragile = *lost || matches!(step, Step::Join { .. });
        let before = self.model.clone();
        if fragile {
            say(self.tx, "savepoint step").await;
        }
        let result = self.act(step).await;
        if *lost || result == Ok(false) {
            say(self.tx, "rollback to savepoint step").await;
            // Time goes on all the same.
            self.model = before;
        }
        if fragile {
            say(self.tx, "release savepoint step").await;
        }
        result?;
        self.nothing_needed_is_gone().await
    }

    /// `Ok(false)`: the database was expected to refuse, and did.
    async fn act(&mut self, step: &Step) -> Checked<bool> {
        let begun = |no: usize| self.model.entries.contains_key(&no);
        match step {
            Step::Part { no } if begun(*no) => self.part(*no).await?,
            Step::Complete { no } if begun(*no) => self.complete(*no).await?,
            Step::Fail { no, late } if begun(*no) => self.fail(*no, *late).await?,
            Step::Terminate { no } if begun(*no) => self.terminate(*no).await?,
            Step::Join { film, of, again } if !begun(*film) => return self.join(*film, of, *again).await,
            Step::Withdraw { film } if begun(*film) => self.withdraw(*film).await?,
            Step::Days { days } => self.days(*days).await?,
            _ => {}
        }
        Ok(true)
    }

    async fn find(&mut self, no: usize) -> Checked<Upload> {
        let id = self.model.entry(no).id.clone();
        ok("find", find(self.tx, &id).await)
    }

    async fn part(&mut self, no: usize) -> Checked {
        let (now, id) = (self.now, self.model.entry(no).id.clone());
        let (upload, there) = ok("take_over", take_over(self.tx, now, &id).await)?;
        let entry = self.model.entry(no);
        if entry.state == State::Open && entry.expires_at > now {
            entry.epoch += 1;
            entry.touch(now);
        }
        let waits = entry.state == State::Open || entry.kind == Kind::Partial && entry.state == State::Complete;
        let state = if waits && entry.expires_at <= now { State::Expired } else { entry.state };
        same("the state that a writer finds", upload.state, state)?;
        if state != State::Open {
            return Ok(());
        }
        same("the parts that a writer finds", there.parts.len() as i64, entry.parts)?;
        let (len, begins, has_key) = (entry.next_len(), entry.parts == 0, entry.key.is_some());
        if begins {
            ok("supersede", giving_up::supersede(self.tx, now, &upload).await)?;
            self.supersede(no);
        }
        if !has_key {
            let (key, s3) = (upload.new_key(), (!upload.is_single()).then(|| format!("m{}", upload.epoch)));
            ok("set_object", set_object(self.tx, now, &id, upload.epoch, &key, s3.as_deref()).await)?;
            self.model.entry(no).key = Some((key, s3));
        }
        let entry = self.model.entry(no);
        entry.parts += 1;
        let part = Part { no: entry.parts, len, etag: "e".into(), sha256: hex::encode([no as u8; 32]) };
        let is_all = entry.parts * entry.part_size >= entry.length;
        if is_all {
            entry.state = State::Completing;
        }
        let recorded = ok("record_part", record_part(self.tx, now, &upload, &part).await)?;
        same("whether all is there", recorded, if is_all { Recorded::All } else { Recorded::More })
    }

    /// She has chosen another film for the clip, and it comes through.
    fn supersede(&mut self, no: usize) {
        let Some((clip, _, n)) = self.model.entry(no).of_clip.clone() else { return };
        let older = |model: &Model, no: &usize| model.entries[no].of_clip.as_ref().is_some_and(|(.., m)| *m < n);
        for film in self.model.open_of(&clip) {
            if older(&self.model, &film) {
                self.model.end(film, State::Terminated);
            }
        }
    }

    async fn complete(&mut self, no: usize) -> Checked {
        let mut upload = self.find(no).await?;
        if upload.key.is_none() {
            return Ok(());
        }
        if self.flaw == Flaw::CompletedTwice && self.model.entry(no).state == State::Complete {
            let sql = "update uploads set state = 'completing' where id = $1";
            on!(&mut *self.tx, c => sqlx::query(sql).bind(&upload.id).execute(c).await.map(drop)).unwrap();
            upload.state = State::Completing;
        }
        let there = ok("durable", durable(self.tx, &upload).await)?;
        let done = ok("complete", complete(self.tx, self.now, &upload, &there.parts).await)?;
        same("whether this completed it", done, self.model.entry(no).state == State::Completing)?;
        if done {
            same("the bytes of a complete upload", there.offset, self.model.entry(no).length)?;
            self.model.entry(no).updated_at = self.now;
            self.model.completed(no);
            self.spoil_release(no).await?;
        }
        Ok(())
    }

    async fn fail(&mut self, no: usize, late: bool) -> Checked {
        let upload = self.find(no).await?;
        let upload = Upload { epoch: upload.epoch - i64::from(late), ..upload };
        let ended = ok("fail", fail(self.tx, self.now, &upload, RefusalCode::NotAVideo).await)?;
        same("whether this writer gave it up", ended, !late && self.model.entry(no).is_at_work())?;
        if ended {
            self.model.end(no, State::Failed);
            self.spoil_release(no).await?;
        }
        Ok(())
    }

    async fn terminate(&mut self, no: usize) -> Checked {
        let upload = self.find(no).await?;
        if self.flaw == Flaw::EndedInUse && self.model.is_needed(no) {
            ok("close", close(self.tx, self.now, &upload.id, Ending::Terminated).await)?;
        }
        let ended = terminate(self.tx, self.now, &upload).await;
        if upload.kind == Kind::Partial && self.model.is_needed(no) {
            // Only locks were taken, so there is nothing to take back.
            return match ended {
                Err(Error::Conflict(_)) => Ok(()),
                other => Err(format!("ending a stretch in use: {other:?}")),
            };
        }
        let entry = self.model.entry(no).clone();
        let may = if entry.kind == Kind::Partial { entry.lives() } else { entry.state == State::Open };
        let ended = ok("terminate", ended)?;
        same("whether its owner ended it", ended, may)?;
        if ended {
            self.model.end(no, State::Terminated);
            self.spoil_release(no).await?;
            if let Some((clip, ..)) = &entry.of_clip {
                ok("discard_if_bare", create::discard_if_bare(self.tx, self.now, clip).await)?;
                self.model.discard_if_bare(clip);
            }
        }
        Ok(())
    }

    async fn join(&mut self, film: usize, of: &[usize], again: Option<usize>) -> Checked<bool> {
        let ids: Vec<UploadId> = of
            .iter()
            .map(|no| self.model.entries.get(no).map_or_else(UploadId::new, |entry| entry.id.clone()))
            .collect();
        let clip = again.and_then(|film| Some(self.model.entries.get(&film)?.of_clip.clone()?.0));
        let joined = self.begin_film(&ids, clip.as_ref()).await;
        let mut expected = self.model.join(self.now, of, &ids);
        if expected.is_ok() && clip.as_ref().is_some_and(|clip| self.model.withdrawn.contains(clip)) {
            expected = Err(NoJoin::NotFound);
        }
        if expected == Ok(0) {
            expected = Err(NoJoin::Empty);
        }
        let upload = match (joined, expected) {
            (Ok(upload), Ok(length)) => {
                same("the length of the film", upload.length, Some(length))?;
                upload
            }
            (Err(Error::NotFound), Err(NoJoin::NotFound))
            | (Err(Error::Conflict(_)), Err(NoJoin::NotComplete))
            | (Err(Error::Refused(_)), Err(NoJoin::Empty)) => return Ok(false),
            (joined, expected) => return Err(format!("joining {of:?}: {joined:?}, expected {expected:?}")),
        };
        let n = clip.as_ref().map_or(0, |clip| self.model.versions_of(clip).len()) as i64 + 1;
        for no in of {
            self.model.entry(*no).expires_at = self.now + EXPIRES_AFTER;
        }
        self.model.entries.insert(film, Entry::of(&upload, of.to_vec(), n));
        if let Some(clip) = &clip {
            self.clear_bare(film, clip).await?;
        }
        Ok(true)
    }

    /// As a creation does it.
    async fn begin_film(&mut self, of: &[UploadId], clip: Option<&ClipId>) -> Result<Upload> {
        lock_owner(self.tx, &self.owner.user).await?;
        if self.flaw == Flaw::JoinedTooEarly {
            for id in of {
                let sql = "update uploads set state = 'complete' where id = $1 and state = 'completing'";
                on!(&mut *self.tx, c => sqlx::query(sql).bind(id).execute(c).await.map(drop)).unwrap();
            }
        }
        let partials = concat::partials(self.tx, self.now, &self.owner.user, of).await?;
        let bytes = partials.iter().filter_map(|partial| partial.length).sum();
        let draft = Draft { filename: "村口.mp4", content_type: "video/mp4", bytes, clip, ..Default::default() };
        let made = create::create(self.tx, self.now, self.owner, &draft).await?;
        self.create(Purpose::Final { clip: &made.clip, version: &made.version, of, concat: "final;" }, bytes).await
    }

    /// Of the clip's other films, those that have brought nothing and been silent.
    async fn clear_bare(&mut self, film: usize, clip: &ClipId) -> Checked {
        ok("clear_bare", giving_up::clear_bare(self.tx, self.now, clip).await)?;
        for bare in self.model.open_of(clip) {
            let entry = self.model.entry(bare);
            if bare != film && entry.parts == 0 && entry.updated_at + Millis::minutes(2) <= self.now {
                self.model.end(bare, State::Terminated);
            }
        }
        Ok(())
    }

    async fn withdraw(&mut self, film: usize) -> Checked {
        let Some((clip, ..)) = self.model.entry(film).of_clip.clone() else { return Ok(()) };
        ok("withdraw", withdraw(self.tx, self.now, &self.owner.user, &clip).await)?;
        if !self.model.withdrawn.insert(clip.clone()) {
            return Ok(());
        }
        for film in self.model.open_of(&clip) {
            self.model.end(film, State::Terminated);
        }
        let sidecars = self.model.versions_of(&clip).into_iter().filter_map(|entry| entry.of_clip.clone());
        let sidecars: Vec<_> = sidecars.map(|(clip, version, _)| keys::sidecar(&clip, &version)).collect();
        self.model.trash.extend(sidecars.into_iter().map(|key| (key, String::new())));
        Ok(())
    }

    async fn days(&mut self, days: i64) -> Checked {
        self.now = self.now + Millis::days(days);
        if self.flaw == Flaw::ExpiredInUse {
            let used = self.model.entries.iter().filter(|(no, _)| self.model.is_needed(**no));
            let ids: Vec<UploadId> = used.map(|(_, entry)| entry.id.clone()).collect();
            for id in ids {
                ok("close", close(self.tx, self.now, &id, Ending::Expired).await)?;
            }
        }
        let expired = ok("expire", expire(self.tx, self.now).await)?;
        let due = self.model.due(self.now);
        same("how many expired", expired, due.len())?;
        for no in due {
            self.model.end(no, State::Expired);
        }
        Ok(())
    }

    /// What a film that has just ended does wrong about its stretches, where it is to.
    async fn spoil_release(&mut self, no: usize) -> Checked {
        for stretch in self.model.entry(no).sources.clone() {
            let id = self.model.entry(stretch).id.clone();
            match self.flaw {
                Flaw::ReleasedInUse => {
                    ok("close", close(self.tx, self.now, &id, Ending::Terminated).await)?;
                }
                Flaw::NeverReleased => {
                    let sql = "update uploads set state = 'complete' where id = $1 and state = 'terminated'";
                    on!(&mut *self.tx, c => sqlx::query(sql).bind(&id).execute(c).await.map(drop)).unwrap();
                }
                _ => {}
            }
        }
        Ok(())
    }
}
