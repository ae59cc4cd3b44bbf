//! Everything that the database holds, against the model.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::sql::*;
use super::super::super::*;
use super::super::compare::{Checked, same};
use super::model::Entry;
use super::steps::{World, ok};
use crate::clip::{self, ClipState, testing};
use crate::on;
use crate::storage::trash;

impl World<'_> {
    /// At every moment: what a film waits for is complete and kept.
    pub async fn nothing_needed_is_gone(&mut self) -> Checked {
        let sql = "select count(*) from upload_sources s
                   join uploads f on f.id = s.final_id join uploads p on p.id = s.partial_id
                   where f.state in ('open', 'completing') and (p.state <> 'complete' or exists (
                       select 1 from object_trash t where t.key in (p.key, 'partials/' || p.id || '/')))";
        let gone: i64 = on!(&mut *self.tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap();
        same("the stretches that a film needs and that are gone", gone, 0)
    }

    pub async fn compare(&mut self) -> Checked {
        let mut unsettled_there: Vec<UploadId> = ok("unsettled", unsettled(self.tx, At(i64::MAX)).await)?;
        unsettled_there.sort();
        let waits = |entry: &&Entry| {
            entry.state == State::Completing || entry.kind == Kind::Final && entry.state == State::Open
        };
        let mut waiting: Vec<_> = self.model.entries.values().filter(waits).map(|entry| entry.id.clone()).collect();
        waiting.sort();
        same("what is to be settled", unsettled_there, waiting)?;
        let sql = "select * from uploads where owner_id = $1";
        let uploads: Vec<Upload> =
            on!(&mut *self.tx, c => sqlx::query_as(sql).bind(&self.owner.user).fetch_all(c).await).unwrap();
        same("the uploads", uploads.len(), self.model.entries.len())?;
        let sql = "select u.id, count(*) from upload_parts p join uploads u on u.id = p.upload_id
                   where u.owner_id = $1 group by u.id";
        let parts: Vec<(UploadId, i64)> =
            on!(&mut *self.tx, c => sqlx::query_as(sql).bind(&self.owner.user).fetch_all(c).await).unwrap();
        let parts: BTreeMap<UploadId, i64> = parts.into_iter().collect();
        for (no, entry) in self.model.entries.clone() {
            let upload = uploads.iter().find(|upload| upload.id == entry.id).ok_or("an upload is not there")?;
            let parts = parts.get(&entry.id).copied().unwrap_or(0);
            compare_upload(upload, parts, &entry).map_err(|e| format!("upload {no}: {e}"))?;
            if let Some((clip, version, n)) = &entry.of_clip {
                self.compare_film(&entry, clip, version, *n).await.map_err(|e| format!("upload {no}: {e}"))?;
            }
        }
        let trash = ok("the trash", trash::due(self.tx, At(i64::MAX), 1000).await)?;
        let found: BTreeSet<_> = trash.into_iter().map(|trash| (trash.key, trash.s3_upload_id)).collect();
        if let Some(missing) = self.model.trash.difference(&found).next() {
            return Err(format!("{missing:?} was let go of and is not in the trash"));
        }
        match found.difference(&self.model.trash).next() {
            Some(more) => Err(format!("{more:?} is in the trash, and nobody let go of it")),
            None => Ok(()),
        }
    }

    async fn compare_film(&mut self, entry: &Entry, clip: &ClipId, version: &VersionId, n: i64) -> Checked {
        let of = ok("sources", concat::sources(self.tx, &entry.id).await)?;
        let expected: Vec<UploadId> = entry.sources.iter().map(|no| self.model.entry(*no).id.clone()).collect();
        same("what it is joined from", of.into_iter().map(|stretch| stretch.id).collect(), expected)?;
        let row = testing::version(self.tx, version).await;
        same("the version", (row.n, row.state), (n, entry.version_state()))?;
        let is_received = entry.state == State::Complete;
        same("the jobs", testing::jobs_of(self.tx, version.as_str()).await, i64::from(is_received))?;
        let key = entry.key.clone().map(|(key, _)| key);
        same("what the version names", row.original_key, key.filter(|_| is_received))?;
        let is_withdrawn = ok("the clip", clip::sql::get(self.tx, clip).await)?.state == ClipState::Withdrawn;
        same("whether the clip is taken back", is_withdrawn, self.model.withdrawn.contains(clip))
    }
}

fn compare_upload(upload: &Upload, parts: i64, entry: &Entry) -> Checked {
    same("the state", upload.state, entry.state)?;
    same("the epoch", upload.epoch, entry.epoch)?;
    same("when it expires", upload.expires_at, entry.expires_at)?;
    same("the object", upload.key.clone().map(|key| (key, upload.s3_upload_id.clone())), entry.key.clone())?;
    same("the parts", parts, entry.parts)
}
