//! Publishes what one job's child makes: vetted first, then the object, then the row that names it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weijia_core::caption;
use weijia_core::clip::Segment;
use weijia_core::clip::publish::{self, Facts, Kept, KeptRendition, NewCaption, NewRendition};
use weijia_core::coaching;
use weijia_core::ids::{ClipId, RenditionId, VersionId};
use weijia_core::job::{self, JobKind, Lease};
use weijia_core::storage::{StorageError, keys};
use weijia_core::time::At;

use crate::package;
use crate::plan::{Size, ladder};
use crate::protocol::{self, CaptionFile, Event, Published, PublishedRung};
use crate::vet::{self, Vet};
use crate::worker::{Trouble, Worker};

/// A rendition under way.
struct Growing {
    id: RenditionId,
    /// The most bits a second that a published segment has.
    peak: i64,
}

pub struct Press<'a> {
    worker: &'a Worker,
    lease: &'a Lease,
    version: VersionId,
    clip: ClipId,
    folder: PathBuf,
    vet: Vet,
    /// What earlier attempts have published.
    kept: Kept,
    renditions: HashMap<String, Growing>,
    /// How many segments are published, by this attempt and those before.
    pub segments: usize,
    /// The job is done, in the database too.
    pub settled: bool,
}

impl<'a> Press<'a> {
    pub fn new(worker: &'a Worker, lease: &'a Lease, source: &publish::Source, kept: Kept, folder: &Path) -> Press<'a> {
        // What the job before found out holds for the renditions; a first look finds out for itself.
        let known = source.shown.filter(|_| lease.kind != JobKind::Prepare).and_then(|(width, height, ms)| {
            let size = Size { width: u32::try_from(width).ok()?, height: u32::try_from(height).ok()? };
            Some((size, ms))
        });
        let bytes =
            |kept: &KeptRendition| kept.init_bytes + kept.segments.iter().map(|segment| segment.bytes).sum::<i64>();
        let stored = kept.renditions.iter().map(bytes).sum::<i64>() as u64;
        Press {
            worker,
            lease,
            version: source.version.clone(),
            clip: source.clip.clone(),
            folder: folder.to_owned(),
            vet: Vet::new(source.bytes as u64, known).behind(&published(&kept), stored),
            renditions: kept.renditions.iter().map(|rendition| (rendition.name.clone(), growing(rendition))).collect(),
            segments: kept.renditions.iter().map(|kept| kept.segments.len()).sum(),
            kept,
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
                match self.kept.renditions.iter().find(|kept| kept.name == name).cloned() {
                    Some(kept) if self.goes_on(&kept, (width, height), &codecs, &file).await? => {
                        tracing::info!(job = %lease.job, name, segments = kept.segments.len(), "goes on behind what is published");
                        self.discard(&file).await;
                    }
                    Some(_) => return Err(self.otherwise(&name).await),
                    None => {
                        let init_key = keys::rendition_init(&self.version, attempt, &name);
                        let init_bytes = self.store(&init_key, "video/mp4", &file).await?;
                        let named = name.clone();
                        let new = NewRendition { name, width, height, bandwidth, codecs, init_key, init_bytes };
                        let id = worker.in_one(async |tx| publish::rendition(tx, lease, &new).await).await?;
                        self.renditions.insert(named, Growing { id, peak: 0 });
                    }
                }
            }
            Event::Segment { name, n, duration_ms, file } => {
                let id = self.rendition(&name)?.id.clone();
                let key = keys::rendition_segment(&self.version, attempt, &name, n);
                let bytes = self.store(&key, "video/iso.segment", &file).await?;
                let new = Segment { n, duration_ms, bytes, key };
                worker.in_one(async |tx| publish::segment(tx, lease, now, &id, &new).await).await?;
                self.segments += 1;
            }
            Event::Complete { name, bandwidth } => {
                let Growing { id, peak } = self.rendition(&name)?;
                let bandwidth = bandwidth.max(*peak);
                worker.in_one(async |tx| publish::complete(tx, lease, now, id, bandwidth).await).await?;
            }
            Event::Otherwise { name } => return Err(self.otherwise(&name).await),
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

    fn rendition(&self, name: &str) -> Result<&Growing, Trouble> {
        self.renditions.get(name).ok_or_else(|| Trouble::Child(format!("more of {name}, which did not begin")))
    }

    /// Whether what the child makes of a rendition begins with the same head as what is published of it. Segments lean on
    /// nothing but that, and the child has compared where they are cut: those that it makes continue it, and whoever
    /// watches goes on watching.
    async fn goes_on(
        &mut self,
        kept: &KeptRendition,
        size: (i64, i64),
        codecs: &str,
        head: &str,
    ) -> Result<bool, Trouble> {
        let len = self.len(head).await?;
        let same = (kept.width, kept.height, kept.init_bytes) == (size.0, size.1, len as i64) && kept.codecs == codecs;
        let mine = read_plain(&self.folder.join(head), len).await;
        match self.worker.storage.get(&kept.init_key).await {
            Ok(theirs) => Ok(same && mine.as_deref() == Some(&*theirs)),
            Err(StorageError::NotFound | StorageError::Damaged(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Made in another way, as another build may: that does not continue what is there.
    async fn otherwise(&self, name: &str) -> Trouble {
        begin_anew(self.worker, self.lease, format!("{name} is made otherwise than by the attempt before")).await
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

/// The next attempt makes everything from its beginning.
async fn begin_anew(worker: &Worker, lease: &Lease, why: String) -> Trouble {
    match worker.in_one(async |tx| job::continue_nothing(tx, lease).await).await {
        Ok(()) => Trouble::Anew(why),
        Err(error) => error.into(),
    }
}

fn growing(kept: &KeptRendition) -> Growing {
    let peak = kept.segments.iter().map(|segment| package::bits_a_second(segment.bytes, segment.duration_ms)).max();
    Growing { id: kept.id.clone(), peak: peak.unwrap_or(0) }
}

/// In the child's words.
pub fn published(kept: &Kept) -> Published {
    let rung = |kept: &KeptRendition| PublishedRung {
        name: kept.name.clone(),
        segments: kept.segments.iter().map(|segment| segment.duration_ms).collect(),
        complete: kept.complete,
    };
    Published { rungs: kept.renditions.iter().map(rung).collect(), film: kept.film }
}

/// Fetches what is published of the rendition whose film is kept, where that film is still to be made of it.
/// [`JobKind::OtherRungs`] makes none.
pub async fn fetch_pieces(worker: &Worker, lease: &Lease, kept: &Kept, folder: &Path) -> Result<(), Trouble> {
    let makes_film = !kept.film && lease.kind != JobKind::OtherRungs;
    let of_film = ladder::first(kept.renditions.iter().map(|rendition| &*rendition.name));
    let Some(rendition) =
        of_film.and_then(|n| kept.renditions.get(n)).filter(|rendition| makes_film && !rendition.segments.is_empty())
    else {
        return Ok(());
    };
    let no_room = |error| Trouble::Outside(format!("scratch folder: {error}"));
    let mut pieces = File::create(folder.join(protocol::pieces(&rendition.name))).await.map_err(no_room)?;
    let segments = rendition.segments.iter().map(|segment| &segment.key);
    for key in std::iter::once(&rendition.init_key).chain(segments) {
        match worker.storage.get(key).await {
            Ok(bytes) => pieces.write_all(&bytes).await.map_err(no_room)?,
            Err(StorageError::NotFound | StorageError::Damaged(_)) => {
                return Err(begin_anew(worker, lease, format!("{key} was published and is lost")).await);
            }
            Err(error) => return Err(error.into()),
        }
    }
    pieces.flush().await.map_err(no_room)
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
