//! Publishes what one job's child makes: vetted first, then the object, then the row that names it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use weijia_core::caption;
use weijia_core::clip::publish::{self, Facts, NewCaption, NewRendition, NewSegment};
use weijia_core::coaching;
use weijia_core::ids::{ClipId, RenditionId, VersionId};
use weijia_core::job::{self, JobKind, Lease};
use weijia_core::storage::{StorageError, keys};
use weijia_core::time::At;

use crate::plan::Size;
use crate::protocol::{CaptionFile, Event};
use crate::vet::{self, Vet};
use crate::worker::{Trouble, Worker};

/// A rendition under way.
struct Growing {
    id: RenditionId,
    /// Milliseconds of the segments that an earlier attempt published.
    kept: Vec<i64>,
    /// How many this attempt has made.
    made: usize,
    /// It was complete before.
    complete: bool,
}

pub struct Press<'a> {
    worker: &'a Worker,
    lease: &'a Lease,
    version: VersionId,
    clip: ClipId,
    folder: PathBuf,
    vet: Vet,
    renditions: HashMap<String, Growing>,
    /// The job is done, in the database too.
    pub settled: bool,
}

impl<'a> Press<'a> {
    pub fn new(worker: &'a Worker, lease: &'a Lease, source: &publish::Source, folder: &Path) -> Press<'a> {
        // What the job before found out holds for the renditions; a first look finds out for itself.
        let known = source.shown.filter(|_| lease.kind != JobKind::Prepare).and_then(|(width, height, ms)| {
            let size = Size { width: u32::try_from(width).ok()?, height: u32::try_from(height).ok()? };
            Some((size, ms))
        });
        Press {
            worker,
            lease,
            version: source.version.clone(),
            clip: source.clip.clone(),
            folder: folder.to_owned(),
            vet: Vet::new(source.bytes as u64, known),
            renditions: HashMap::new(),
            settled: false,
        }
    }

    pub async fn publish(&mut self, event: Event) -> Result<(), Trouble> {
        let (worker, lease, attempt) = (self.worker, self.lease, self.lease.attempt);
        let now = At::now();
        match self.vet.admit(event)? {
            Event::Facts { width, height, duration_ms, mut detail, measures } => {
                if let (Some(measures), Some(fields)) = (measures, detail.as_object_mut()) {
                    let clip = &self.clip;
                    let rules = worker.in_one(async |tx| coaching::of_clip(tx, clip).await).await?;
                    let hints = coaching::hints(&rules, &measures, self.vet.warned());
                    fields.insert("hints".into(), serde_json::to_value(hints).unwrap_or_default());
                }
                let facts = Facts { width: width.into(), height: height.into(), duration_ms, detail };
                worker.in_one(async |tx| publish::facts(tx, lease, &facts).await).await?;
            }
            Event::Poster { file } => {
                let key = keys::poster(&self.version, attempt);
                let bytes = self.store(&key, "image/jpeg", &file).await?;
                worker.in_one(async |tx| publish::poster(tx, lease, now, &key, bytes).await).await?;
            }
            Event::Mp4 { file } => {
                let key = keys::mp4(&self.version, attempt, "mp4");
                let bytes = self.store(&key, "video/mp4", &file).await?;
                worker.in_one(async |tx| publish::mp4(tx, lease, now, &key, bytes).await).await?;
            }
            Event::Rendition { name, width, height, bandwidth, codecs, file } => {
                let (width, height) = (width.into(), height.into());
                let growing = match self.left_behind(&name, (width, height), &codecs, &file).await? {
                    Some(growing) => growing,
                    None => {
                        let init_key = keys::rendition_init(&self.version, attempt, &name);
                        let init_bytes = self.store(&init_key, "video/mp4", &file).await?;
                        let name = name.clone();
                        let new = NewRendition { name, width, height, bandwidth, codecs, init_key, init_bytes };
                        let id = worker.in_one(async |tx| publish::rendition(tx, lease, &new).await).await?;
                        Growing { id, kept: Vec::new(), made: 0, complete: false }
                    }
                };
                self.renditions.insert(name, growing);
            }
            Event::Segment { name, n, duration_ms, file } => {
                let growing = self.rendition(&name)?;
                let (id, kept) = (growing.id.clone(), growing.kept.get(growing.made).copied());
                growing.made += 1;
                match kept {
                    Some(kept) if kept == duration_ms => {
                        self.len(&file).await?;
                        self.discard(&file).await;
                    }
                    Some(_) => return Err(self.made_otherwise(&name).await),
                    None => {
                        let key = keys::rendition_segment(&self.version, attempt, &name, n);
                        let bytes = self.store(&key, "video/iso.segment", &file).await?;
                        let new = NewSegment { n, duration_ms, bytes, key };
                        worker.in_one(async |tx| publish::segment(tx, lease, now, &id, &new).await).await?;
                    }
                }
            }
            Event::Complete { name, bandwidth } => {
                let growing = self.rendition(&name)?;
                let (id, same) = (growing.id.clone(), growing.kept.len() <= growing.made);
                if !same {
                    return Err(self.made_otherwise(&name).await);
                }
                if !growing.complete {
                    worker.in_one(async |tx| publish::complete(tx, lease, now, &id, bandwidth).await).await?;
                }
            }
            Event::Storyboard { image, vtt } => {
                let image_key = keys::storyboard(&self.version, attempt);
                let vtt_key = keys::storyboard_vtt(&self.version, attempt);
                let image = (&*image_key, self.store(&image_key, "image/jpeg", &image).await?);
                let vtt = (&*vtt_key, self.store(&vtt_key, "text/vtt", &vtt).await?);
                worker.in_one(async |tx| publish::storyboard(tx, lease, now, image, vtt).await).await?;
            }
            Event::Waveform { waveform } => {
                let key = keys::waveform(&self.version, attempt);
                let json = serde_json::to_vec(&waveform).unwrap_or_default().into();
                let bytes = self.store_own(&key, "application/json", json).await?;
                worker.in_one(async |tx| publish::waveform(tx, lease, now, &key, bytes).await).await?;
            }
            Event::Captions { tracks } => {
                let found = self.captions(tracks).await?;
                worker.in_one(async |tx| publish::captions(tx, lease, now, &found).await).await?;
            }
            Event::Progress { percent } => {
                let words = format!("{percent}%");
                worker.in_one(async |tx| job::progress(tx, lease, now, &words).await).await?;
            }
            Event::Refused { code, codec } => {
                // What plays already was judged before: a second look that finds otherwise looked at other bytes.
                if lease.kind != JobKind::Prepare {
                    return Err(Trouble::Child(format!("refused as {}", code.code())));
                }
                tracing::info!(job = %lease.job, code = code.code(), "refused");
                worker.in_one(async |tx| publish::refused(tx, lease, now, code, codec.as_deref()).await).await?;
                self.settled = true;
            }
            Event::Done { .. } if self.settled => {}
            Event::Done { left } => {
                match vet::next(lease.kind, left)? {
                    Some(next) => worker.in_one(async |tx| publish::go_on(tx, lease, now, next).await).await?,
                    None => worker.in_one(async |tx| publish::ready(tx, lease, now).await).await?,
                }
                self.settled = true;
            }
            Event::Jail { .. } => {}
        }
        Ok(())
    }

    fn rendition(&mut self, name: &str) -> Result<&mut Growing, Trouble> {
        let found = self.renditions.get_mut(name);
        found.ok_or_else(|| Trouble::Child(format!("more of {name}, which did not begin")))
    }

    /// What an earlier attempt published of this rendition, if it begins with the same head. Segments lean on nothing but
    /// that and are cut at the same moments, so those that follow continue it, though an encoder with two threads never
    /// gives quite the same bits back. Whoever watches it goes on watching, and nothing is stored twice.
    async fn left_behind(
        &mut self,
        name: &str,
        size: (i64, i64),
        codecs: &str,
        head: &str,
    ) -> Result<Option<Growing>, Trouble> {
        let (worker, lease) = (self.worker, self.lease);
        let Some(kept) = worker.in_one(async |tx| publish::kept(tx, lease, name).await).await? else { return Ok(None) };
        let len = self.len(head).await?;
        if ((kept.width, kept.height), kept.codecs.as_str(), kept.init_bytes) != (size, codecs, len as i64) {
            return Ok(None);
        }
        let mine = read_plain(&self.folder.join(head), len).await;
        match worker.storage.get(&kept.init_key).await {
            Ok(theirs) if mine.as_deref() == Some(&*theirs) => {}
            Ok(_) | Err(StorageError::NotFound | StorageError::Damaged(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        self.discard(head).await;
        tracing::info!(job = %lease.job, name, segments = kept.segments.len(), "goes on behind what is published");
        Ok(Some(Growing { id: kept.id, kept: kept.segments, made: 0, complete: kept.complete }))
    }

    /// Cut at other moments, as another build may: that does not continue what is there.
    async fn made_otherwise(&self, name: &str) -> Trouble {
        let lease = self.lease;
        match self.worker.in_one(async |tx| job::continue_nothing(tx, lease).await).await {
            Ok(()) => Trouble::Passing(format!("{name} is made otherwise than by the attempt before")),
            Err(error) => error.into(),
        }
    }

    /// The length of one of the child's files, which counts as stored. A child may name only what lies in its folder.
    async fn len(&mut self, file: &str) -> Result<u64, Trouble> {
        let inside = Path::new(file).components().all(|c| matches!(c, Component::Normal(_)));
        let len = if inside { plain_len(&self.folder.join(file)).await } else { None };
        let len = len.ok_or_else(|| Trouble::Child(format!("{file:?} is no file of this job")))?;
        self.vet.count(len)?;
        Ok(len)
    }

    async fn discard(&self, file: &str) {
        let _ = tokio::fs::remove_file(self.folder.join(file)).await;
    }

    /// Written anew from what the child understood of them, so that nothing else it may have put there is shown.
    async fn captions(&mut self, tracks: Vec<CaptionFile>) -> Result<Vec<NewCaption>, Trouble> {
        let mut found = Vec::new();
        for (n, CaptionFile { language, title, file }) in tracks.into_iter().enumerate() {
            let len = self.len(&file).await?.min(caption::MAX_BYTES as u64 + 1);
            let read = read_plain(&self.folder.join(&file), len).await.unwrap_or_default();
            self.discard(&file).await;
            match caption::parse(&read, self.vet.duration_ms()) {
                Ok(cues) => {
                    let key = keys::embedded_caption(&self.version, self.lease.attempt, n);
                    let bytes = self.store_own(&key, "text/vtt", caption::write(&cues).into()).await?;
                    found.push(NewCaption { language, title, key, bytes });
                }
                Err(why) => tracing::info!(job = %self.lease.job, n, ?why, "a track of captions is left out"),
            }
        }
        Ok(found)
    }

    /// Puts what was written here into the store.
    async fn store_own(&mut self, key: &str, content_type: &str, bytes: Bytes) -> Result<i64, Trouble> {
        self.vet.count(bytes.len() as u64)?;
        patiently(key, || self.worker.storage.put(key, content_type, bytes.clone())).await?;
        Ok(bytes.len() as i64)
    }

    /// Puts one of the child's files into the store.
    async fn store(&mut self, key: &str, content_type: &str, file: &str) -> Result<i64, Trouble> {
        let len = self.len(file).await?;
        let path = self.folder.join(file);
        patiently(key, || self.worker.storage.put_file(key, content_type, &path)).await?;
        // What was counted is what was stored: files are complete when they are named.
        if plain_len(&path).await != Some(len) {
            return Err(Trouble::Child(format!("{file:?} went on changing")));
        }
        self.discard(file).await;
        Ok(len as i64)
    }
}

/// A store that stumbles gets some more tries.
async fn patiently<T>(key: &str, put: impl AsyncFn() -> Result<T, StorageError>) -> Result<T, StorageError> {
    let mut wait = Duration::from_millis(200);
    loop {
        match put().await {
            Err(error) if error.is_transient() && wait < Duration::from_secs(4) => {
                tracing::debug!(%error, key, "the store did not take it, once more");
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            answer => return answer,
        }
    }
}

/// The length of a plain file. What the child made may be anything it could make in there, a link to elsewhere included.
async fn plain_len(path: &Path) -> Option<u64> {
    tokio::fs::symlink_metadata(path).await.ok().filter(|file| file.is_file()).map(|file| file.len())
}

/// A plain file of that length, never through a link.
async fn read_plain(path: &Path, len: u64) -> Option<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let file = tokio::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).await.ok()?;
    let mut bytes = Vec::new();
    file.take(len + 1).read_to_end(&mut bytes).await.ok()?;
    (bytes.len() as u64 == len).then_some(bytes)
}
