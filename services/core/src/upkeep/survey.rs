//! The walk: rows and bucket side by side, a page at a time, so that memory stays small however much there is.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::books::{self, VersionBook, VersionRow};
use super::judge::{self, Listed};
use super::{Finding, Kind, Report, Subject, orphans};
use crate::clip::sidecar::{self, Sidecar, Stored};
use crate::db::Db;
use crate::error::Result;
use crate::ids::{UploadId, VersionId};
use crate::size;
use crate::storage::keys::{self, Area};
use crate::storage::{Range, Storage, StorageError};
use crate::time::{At, Millis};
use crate::upload::{self, State};

/// How to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub now: At,
    /// How old an object without a row must be to count.
    pub grace: Millis,
    /// Whether to read every original and compare its hashes.
    pub deep: bool,
}

pub async fn survey(db: &Db, storage: &Storage, look: Look) -> Result<Report> {
    let mut walk = Walk { db, storage, look, report: Report::default() };
    walk.versions().await?;
    walk.sidecars().await?;
    walk.evidence().await?;
    walk.uploads().await?;
    walk.left_over().await?;
    let mut tx = db.read().await?;
    let (clips, trash) = books::counts(&mut tx).await?;
    let mut report = walk.report;
    report.counted.clips = clips as u64;
    report.counted.in_trash = trash as u64;
    Ok(report)
}

struct Walk<'a> {
    db: &'a Db,
    storage: &'a Storage,
    look: Look,
    report: Report,
}

impl Walk<'_> {
    async fn versions(&mut self) -> Result<()> {
        let mut after = String::new();
        loop {
            let mut tx = self.db.read().await?;
            let books = books::versions(&mut tx, &after).await?;
            drop(tx);
            let Some(last) = books.last().map(|book| book.row.id.to_string()) else { return Ok(()) };
            let mut listed = Listed::new();
            for area in [Area::Originals, Area::Media, Area::Captions] {
                self.list(area, &after, &last, &mut listed).await?;
            }
            for book in &books {
                self.report.counted.versions += 1;
                let kept = book.row.original_key.is_some() && book.row.original_gone.is_none();
                self.report.counted.originals += u64::from(kept);
                let findings = match judge::version(book, &listed) {
                    none if none.is_empty() => none,
                    // Looked at once more, alone: it may have moved on while its page was read.
                    _ => again(self.db, self.storage, &book.row.id).await?,
                };
                let whole = !findings.iter().any(|f| f.kind.is_about_original());
                self.report.findings.extend(findings);
                if self.look.deep && whole {
                    self.original(book).await?;
                }
            }
            after = last;
        }
    }

    /// Everything of an area that belongs to ids behind `after` up to `last`.
    async fn list(&self, area: Area, after: &str, last: &str, into: &mut Listed) -> Result<()> {
        let prefix = area.prefix();
        // '~' sorts behind everything that our keys are made of.
        let (mut after, end) = (format!("{prefix}{after}"), format!("{prefix}{last}~"));
        if after != prefix {
            after.push('~');
        }
        let mut next = Some(after);
        while let Some(after) = next {
            let page = self.storage.list(prefix, Some(&after)).await?;
            let within = page.objects.iter().take_while(|object| object.key <= end);
            let before = into.len();
            into.extend(within.map(|object| (object.key.clone(), object.len)));
            next = page.next.filter(|_| into.len() - before == page.objects.len());
        }
        Ok(())
    }

    fn found(&mut self, kind: Kind, row: &VersionRow, seen: String) {
        let subject = Subject::Version { clip: row.clip_id.clone(), version: row.id.clone() };
        self.report.findings.push(Finding { kind, subject, about: row.about(), seen });
    }

    async fn original(&mut self, book: &VersionBook) -> Result<()> {
        let (Some(key), None) = (&book.row.original_key, &book.row.original_gone) else { return Ok(()) };
        let Some(wanted) = stored(self.db, self.storage, &book.row).await? else { return Ok(()) };
        self.report.counted.originals_read += 1;
        let mut read = first_wrong_part(self.storage, key, &wanted).await;
        if read.is_err() {
            read = first_wrong_part(self.storage, key, &wanted).await;
        }
        match read {
            Ok(None) => {}
            Ok(Some(part)) => {
                let seen = format!("{key} 的第 {part} 段和她传来的不一样");
                self.found(Kind::OriginalBytes, &book.row, seen);
            }
            // One that the store does not give out says nothing of the others.
            Err(error) => {
                let mut tx = self.db.read().await?;
                let now = books::version(&mut tx, &book.row.id).await?;
                drop(tx);
                if now.is_some_and(|now| now.row.original_key.as_ref() == Some(key)) {
                    tracing::warn!(key, %error, "an original cannot be read");
                    self.found(Kind::OriginalUnreadable, &book.row, format!("{key} 读了两次都没读完"));
                }
            }
        }
        Ok(())
    }

    async fn sidecars(&mut self) -> Result<()> {
        let mut after = String::new();
        loop {
            let mut tx = self.db.read().await?;
            let clips = books::clips_with_sidecars(&mut tx, &after).await?;
            drop(tx);
            let Some(last) = clips.last().map(|(clip, _)| clip.to_string()) else { return Ok(()) };
            let mut listed = Listed::new();
            self.list(Area::Sidecars, &after, &last, &mut listed).await?;
            for row in clips.iter().flat_map(|(_, rows)| rows) {
                self.sidecar(row, &listed).await?;
            }
            after = last;
        }
    }

    /// Its length tells most of what it could say wrong without reading it.
    async fn sidecar(&mut self, row: &VersionRow, listed: &Listed) -> Result<()> {
        let key = keys::sidecar(&row.clip_id, &row.id);
        let wanted = sidecar_of(self.db, &row.id).await?;
        let len = wanted.as_ref().and_then(|wanted| wanted.as_ref()).map(|bytes| bytes.len() as i64);
        if !self.look.deep && judge::is_there(listed, &key, len) {
            return Ok(());
        }
        let found = match get(self.storage, &key).await {
            Ok(bytes) => Ok(bytes),
            Err(StorageError::NotFound) => Ok(Bytes::new()),
            Err(error) => Err(error),
        };
        // Asked for once more: it may have changed, or be gone for good, since the page was read.
        let Some(wanted) = sidecar_of(self.db, &row.id).await? else { return Ok(()) };
        match found {
            Ok(found) if found.is_empty() => self.found(Kind::SidecarMissing, row, format!("没有 {key}，或者是空的")),
            Ok(found) if wanted.is_some_and(|wanted| wanted != found) => {
                self.found(Kind::SidecarStale, row, format!("{key} 和数据库里的不一样"));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(key, %error, "a sidecar cannot be read");
                self.found(Kind::SidecarStale, row, format!("{key} 读不出来"));
            }
        }
        Ok(())
    }

    async fn evidence(&mut self) -> Result<()> {
        let mut after = String::new();
        loop {
            let mut tx = self.db.read().await?;
            let rows = books::evidence(&mut tx, &after).await?;
            drop(tx);
            let Some(last) = rows.last().map(|row| row.id.to_string()) else { return Ok(()) };
            let mut listed = Listed::new();
            self.list(Area::Evidence, &after, &last, &mut listed).await?;
            for row in rows {
                let key = row.evidence_key;
                if !self.look.deep && judge::is_there(&listed, &key, None) {
                    continue;
                }
                let (kind, seen) = match get(self.storage, &key).await {
                    Ok(found) if found.is_empty() => (Kind::EvidenceMissing, format!("{key} 是空的")),
                    Ok(found) if hex::encode(Sha256::digest(&found)) == row.evidence_sha256 => continue,
                    Ok(_) => (Kind::EvidenceBytes, format!("{key} 和登记时的不一样")),
                    Err(StorageError::NotFound) => (Kind::EvidenceMissing, format!("没有 {key}")),
                    Err(error) => {
                        tracing::warn!(key, %error, "a screenshot cannot be read");
                        (Kind::EvidenceBytes, format!("{key} 读不出来"))
                    }
                };
                let about = format!("账号数据 {} 的截图", row.id);
                self.report.findings.push(Finding { kind, subject: Subject::Object(key), about, seen });
            }
            after = last;
        }
    }

    async fn uploads(&mut self) -> Result<()> {
        let mut after = String::new();
        loop {
            let mut tx = self.db.read().await?;
            let uploads = books::uploads(&mut tx, &after).await?;
            drop(tx);
            let Some(last) = uploads.last().map(|upload| upload.id.to_string()) else { return Ok(()) };
            for row in uploads {
                self.report.counted.uploads_open += 1;
                let about = format!("上传 {}", row.id);
                let subject = Subject::Upload(row.id.clone());
                let mut tx = self.db.read().await?;
                let came = upload::sql::durable(&mut tx, &row).await?.offset;
                drop(tx);
                if judge::is_stuck(&row, came, self.look.now) {
                    let seen = match row.state {
                        State::Completing => "字节都到了，却没有收尾".to_owned(),
                        State::Open if row.expires_at > self.look.now => "该到的都到了，却没有收尾".to_owned(),
                        _ => "早就过了期限，却没有收走".to_owned(),
                    };
                    self.report.findings.push(Finding { kind: Kind::UploadStuck, subject, about, seen });
                } else if row.state == State::Open
                    && let Some(offset) = self.lost_of(&row).await?
                {
                    let seen = format!("从第 {offset} 字节起，记下的部分在存储里没有");
                    self.report.findings.push(Finding { kind: Kind::PartsMissing, subject, about, seen });
                }
            }
            after = last;
        }
    }

    /// From where on the store lacks what was acknowledged, unless somebody goes on with the upload while we look.
    async fn lost_of(&self, row: &upload::Upload) -> Result<Option<i64>> {
        let (upload, offset) = lost_from(self.db, self.storage, &row.id).await?;
        if offset.is_none() {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let now = upload::sql::find(&mut tx, &row.id).await?;
        Ok(offset.filter(|_| now == upload))
    }

    async fn left_over(&mut self) -> Result<()> {
        let Look { now, grace, .. } = self.look;
        let mut walk = orphans::Walk::new(self.db, self.storage, now, grace);
        let (mut left, mut unknown) = (Vec::new(), BTreeMap::<String, Unknown>::new());
        while let Some(page) = walk.next(&mut self.report.counted).await? {
            left.extend(page.objects);
            for object in page.unknown {
                let Some((_, id)) = Area::of(&object.key) else { continue };
                let unknown = unknown.entry(id.to_owned()).or_insert_with(|| Unknown {
                    n: 0,
                    bytes: 0,
                    first: object.key.clone(),
                });
                unknown.n += 1;
                unknown.bytes += object.len;
            }
            for open in &page.multiparts {
                let seen = "开着的分段上传，没有哪一次上传记得它".to_owned();
                let (about, subject) = (open.key.clone(), open.into());
                self.report.findings.push(Finding { kind: Kind::OrphanMultipart, subject, about, seen });
            }
        }
        left.retain(|object| unknown.is_empty() || !orphans::is_evidence(object));
        for object in left {
            let seen = format!("{} 字节，没有哪一行要它", object.len);
            let (about, subject) = (object.key.clone(), Subject::Object(object.key));
            self.report.findings.push(Finding { kind: Kind::Orphan, subject, about, seen });
        }
        for (about, Unknown { n, bytes, first }) in unknown {
            let seen = format!("{n} 个对象，共 {}，第一个是 {first}", size::words(bytes as i64));
            self.report.findings.push(Finding { kind: Kind::Unknown, subject: Subject::Object(first), about, seen });
        }
        Ok(())
    }
}

/// What lies under an id that the database does not know.
struct Unknown {
    n: usize,
    bytes: u64,
    first: String,
}

/// Once more where the store stumbles: one object that it does not give out says nothing of the others.
async fn get(storage: &Storage, key: &str) -> std::result::Result<Bytes, StorageError> {
    match storage.get(key).await {
        Err(error) if error != StorageError::NotFound => storage.get(key).await,
        answer => answer,
    }
}

/// One version, looked at by itself.
pub async fn again(db: &Db, storage: &Storage, id: &VersionId) -> Result<Vec<Finding>> {
    let mut tx = db.read().await?;
    let book = books::version(&mut tx, id).await?;
    drop(tx);
    let Some(book) = book else { return Ok(Vec::new()) };
    let mut listed = Listed::new();
    for prefix in [keys::originals(id), keys::media(id), keys::attached_captions(id)] {
        all(storage, &prefix, &mut listed).await?;
    }
    Ok(judge::version(&book, &listed))
}

/// Everything under a prefix.
pub(super) async fn all(storage: &Storage, prefix: &str, into: &mut Listed) -> Result<()> {
    let mut after = None;
    loop {
        let page = storage.list(prefix, after.as_deref()).await?;
        into.extend(page.objects.into_iter().map(|object| (object.key, object.len)));
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// An unfinished upload, and from which byte on the store lacks what SQL counts.
pub async fn lost_from(db: &Db, storage: &Storage, id: &UploadId) -> Result<(upload::Upload, Option<i64>)> {
    let mut tx = db.read().await?;
    let upload = upload::sql::find(&mut tx, id).await?;
    let durable = upload::sql::durable(&mut tx, &upload).await?;
    drop(tx);
    let parts = match (&upload.key, &upload.s3_upload_id) {
        (Some(key), Some(multipart)) => match storage.kept_parts(key, multipart).await {
            Ok(parts) => parts,
            Err(StorageError::NoSuchUpload | StorageError::NotFound) => Vec::new(),
            Err(error) => return Err(error.into()),
        },
        _ => Vec::new(),
    };
    let mut tails = Listed::new();
    all(storage, &keys::upload_tails(id), &mut tails).await?;
    let lost = judge::lost_from(&upload, &durable, &parts, &tails);
    Ok((upload, lost))
}

/// The bytes that a version's sidecar must be. None: it is to have none. Some(None): it is about to be written anew, or
/// the rows do not say enough.
async fn sidecar_of(db: &Db, id: &VersionId) -> Result<Option<Option<Bytes>>> {
    let mut tx = db.read().await?;
    let Some(wanted) = sidecar::wanted(&mut tx, id).await? else { return Ok(None) };
    let settled = wanted.sidecar.filter(|_| !wanted.due);
    Ok(Some(settled.map(|sidecar| sidecar.to_bytes()).transpose()?))
}

/// What an original must hash to: from the rows of its upload, or from its sidecar where the database has none.
pub(super) async fn stored(db: &Db, storage: &Storage, row: &VersionRow) -> Result<Option<Stored>> {
    let mut tx = db.read().await?;
    let recorded = Stored::of(&mut tx, &row.id).await?;
    drop(tx);
    if recorded.is_some() {
        return Ok(recorded);
    }
    match storage.get(&keys::sidecar(&row.clip_id, &row.id)).await {
        Ok(bytes) => Ok(serde_json::from_slice::<Sidecar>(&bytes).ok().map(|sidecar| sidecar.upload)),
        Err(StorageError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads the whole object. Answers the number of the first part, from 1, that is not what it was.
pub(super) async fn first_wrong_part(storage: &Storage, key: &str, wanted: &Stored) -> Result<Option<usize>> {
    let part_size = wanted.part_size.max(1) as u64;
    let mut body = storage.get_range(key, Range::All).await?;
    let (mut hash, mut filled, mut found) = (Sha256::new(), 0, Vec::new());
    while let Some(chunk) = body.stream.next().await {
        let mut chunk = chunk.map_err(|e| StorageError::Transient(e.to_string()))?;
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min((part_size - filled) as usize));
            hash.update(&piece);
            filled += piece.len() as u64;
            if filled == part_size {
                found.push(hex::encode(hash.finalize_reset()));
                filled = 0;
            }
        }
    }
    if filled > 0 {
        found.push(hex::encode(hash.finalize()));
    }
    let same = found.iter().zip(&wanted.part_sha256).take_while(|(found, wanted)| found == wanted).count();
    let whole = same == found.len() && same == wanted.part_sha256.len();
    Ok(if whole { None } else { Some(same + 1) })
}
