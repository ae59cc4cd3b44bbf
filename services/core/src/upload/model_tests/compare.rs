//! Everything that the database holds, against the model.

use std::collections::{BTreeMap, BTreeSet};

use super::super::sql::*;
use super::super::*;
use super::steps::Run;
use crate::clip::MediaState;
use crate::clip::testing;
use crate::on;
use crate::storage::trash;

pub type Checked<T = ()> = std::result::Result<T, String>;

pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Checked {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}

impl Run<'_> {
    /// Everything that the database holds, against the model.
    pub async fn compare(&mut self) -> Checked {
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
        let received = self.model.state == State::Complete;
        same("the jobs", testing::jobs_of(self.tx, version.as_str()).await, i64::from(received))?;
        let state = testing::version(self.tx, version).await.state;
        let expected = match self.model.state {
            State::Failed if empty => MediaState::Abandoned,
            State::Complete => MediaState::Received,
            State::Failed => MediaState::Failed,
            State::Terminated | State::Expired => MediaState::Abandoned,
            State::Open | State::Completing => MediaState::Uploading,
        };
        same("the version", state, expected)
    }

    /// What was let go of is in it, and nothing that is still needed.
    pub async fn compare_trash(&mut self) -> Checked {
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
