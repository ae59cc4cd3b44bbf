//! Clips back from the bucket alone: for each sidecar of which something is there, the rows that it tells of. What is in
//! the database already is never touched, so it may be done again, and on one that was only half lost.
//!
//! What plays is named again as it was; where something of that is missing and the file is there, it is made again. The
//! sidecars know no reviews, numbers or stars: those come from a backup of the database or not at all. An owner comes
//! back with her phone, so that whoever adds her again finds her, and with no password. Where the secret that her phone
//! was encrypted with is lost too, she comes back as somebody with her name who cannot sign in.

use std::collections::BTreeSet;

use serde_json::json;

use super::judge::{Listed, is_there};
use super::{Finding, Kind, Subject, survey};
use crate::account::{Keys, Phone};
use crate::caption::{self, CaptionTrack};
use crate::clip::sidecar::{self, About, Media, Sidecar, Stored};
use crate::clip::{ClipState, create};
use crate::db::{Db, Tx};
use crate::error::{OrNotFound, Result};
use crate::ids::{UserId, VersionId};
use crate::job::{self, JobKind};
use crate::storage::{Storage, StorageError, keys, trash};
use crate::time::At;
use crate::upload::rules;
use crate::{audit, on};

#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    pub sidecars: usize,
    /// Versions that are back.
    pub back: usize,
    /// Those of them that play at once.
    pub playing: usize,
    /// That were in the database already.
    pub known: usize,
    /// Of which neither the file nor anything that plays is in the bucket as the sidecar says.
    pub without_file: usize,
    /// Sidecars that cannot be read.
    pub unreadable: Vec<String>,
    /// Owners whose phone cannot be read with this secret.
    pub strangers: BTreeSet<String>,
    /// Paths of places that there are no more: what was there is now at the nearest one that there is.
    pub places: BTreeSet<String>,
}

impl Rebuilt {
    /// What only a person can bring back.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.unreadable.iter().map(|key| Finding {
            kind: Kind::SidecarUnreadable,
            subject: Subject::Object(key.clone()),
            about: key.clone(),
            seen: "读不懂，它说的片子没有找回".into(),
        })
    }
}

/// What of a version is in the bucket.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub file: bool,
    /// What plays, without what is not there.
    pub media: Option<Media>,
    /// The captions that she attached.
    pub attached: Vec<CaptionTrack>,
    /// How many attempts left something: what a worker makes now must not get their keys.
    pub attempts: i64,
}

pub async fn rebuild(db: &Db, storage: &Storage, keys: &Keys, now: At) -> Result<Rebuilt> {
    let mut rebuilt = Rebuilt::default();
    let (mut of_clip, mut after): (Vec<Sidecar>, Option<String>) = (Vec::new(), None);
    loop {
        let page = storage.list(keys::Area::Sidecars.prefix(), after.as_deref()).await?;
        for object in &page.objects {
            rebuilt.sidecars += 1;
            let sidecar = match storage.get(&object.key).await {
                Ok(bytes) => serde_json::from_slice::<Sidecar>(&bytes).ok(),
                // Taken back since it was listed.
                Err(StorageError::NotFound) => continue,
                Err(error) => return Err(error.into()),
            };
            let Some(sidecar) = sidecar.filter(|sidecar| is_sound(sidecar, &object.key)) else {
                rebuilt.unreadable.push(object.key.clone());
                continue;
            };
            if of_clip.first().is_some_and(|first| first.clip.clip != sidecar.clip.clip) {
                bring_all(db, storage, keys, now, std::mem::take(&mut of_clip), &mut rebuilt).await?;
            }
            of_clip.push(sidecar);
        }
        after = page.next;
        if after.is_none() {
            bring_all(db, storage, keys, now, of_clip, &mut rebuilt).await?;
            return Ok(rebuilt);
        }
    }
}

/// What our own code wrote fits together.
fn is_sound(sidecar: &Sidecar, key: &str) -> bool {
    let Sidecar { clip, upload, .. } = sidecar;
    keys::sidecar(&clip.clip, &clip.version) == key
        && upload.key.starts_with(&keys::originals(&clip.version))
        && upload.part_size > 0
        && upload.bytes > 0
        && upload.part_sha256.len() as i64 == rules::parts_total(upload.part_size, upload.bytes)
}

/// All versions of one clip, the newest first: it knows best what the clip is called.
async fn bring_all(
    db: &Db,
    storage: &Storage,
    keys: &Keys,
    now: At,
    mut sidecars: Vec<Sidecar>,
    rebuilt: &mut Rebuilt,
) -> Result<()> {
    sidecars.sort_by(|one, other| other.clip.version.cmp(&one.clip.version));
    for sidecar in &sidecars {
        let found = look(storage, sidecar).await?;
        if !found.file && found.media.is_none() {
            rebuilt.without_file += 1;
            continue;
        }
        let mut tx = db.write().await?;
        match bring_back(&mut tx, keys, now, sidecar, &found, rebuilt).await? {
            true => {
                rebuilt.back += 1;
                rebuilt.playing += usize::from(found.media.is_some());
            }
            false => rebuilt.known += 1,
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn look(storage: &Storage, sidecar: &Sidecar) -> Result<Found> {
    let prefix = keys::media(&sidecar.clip.version);
    let mut listed = Listed::new();
    survey::all(storage, &prefix, &mut listed).await?;
    let attempts = listed.keys().filter_map(|key| key[prefix.len()..].split('/').next()?.parse::<i64>().ok()).max();
    // One that was lost may be there again; one that was let go of is about to be deleted.
    let object = match sidecar.clip.original_gone.as_deref() {
        Some("released") => None,
        _ => storage.head(&sidecar.upload.key).await?,
    };
    let file = object.is_some_and(|object| object.len == sidecar.upload.bytes as u64);
    let whole = sidecar.media.as_ref().map(|media| what_is_there(media, &listed));
    // From the file everything is made again; without it, what is there is all there will be.
    let media = whole.filter(|media| if file { Some(media) == sidecar.media.as_ref() } else { plays(media) });
    let mut kept = Listed::new();
    survey::all(storage, &keys::attached_captions(&sidecar.clip.version), &mut kept).await?;
    let attached = sidecar.attached.iter().filter(|track| is_there(&kept, &track.key, Some(track.bytes)));
    Ok(Found { file, media, attached: attached.cloned().collect(), attempts: attempts.unwrap_or(0) })
}

fn plays(media: &Media) -> bool {
    media.mp4_key.is_some() || !media.rungs.is_empty()
}

fn what_is_there(media: &Media, listed: &Listed) -> Media {
    let mut media = media.clone();
    for (key, bytes) in [
        (&mut media.poster_key, media.poster_bytes),
        (&mut media.mp4_key, media.mp4_bytes),
        (&mut media.storyboard_key, media.storyboard_bytes),
        (&mut media.storyboard_vtt_key, media.storyboard_vtt_bytes),
        (&mut media.waveform_key, media.waveform_bytes),
    ] {
        key.take_if(|key| !is_there(listed, key, bytes));
    }
    media.embedded.retain(|track| is_there(listed, &track.key, Some(track.bytes)));
    media.rungs.retain(|rung| {
        is_there(listed, &rung.rendition.init_key, Some(rung.rendition.init_bytes))
            && !rung.segments.is_empty()
            && rung.segments.iter().all(|segment| is_there(listed, &segment.key, Some(segment.bytes)))
    });
    media
}

/// `false`: the version is known, or its clip was taken back, and nothing was changed.
pub(super) async fn bring_back(
    tx: &mut Tx,
    keys: &Keys,
    now: At,
    sidecar: &Sidecar,
    found: &Found,
    rebuilt: &mut Rebuilt,
) -> Result<bool> {
    let Sidecar { clip: about, upload: stored, .. } = sidecar;
    let owner = owner(tx, keys, now, about, rebuilt).await?;
    clip(tx, about, &owner, rebuilt).await?;
    if !version(tx, about, stored, found.file).await? {
        return Ok(false);
    }
    upload(tx, now, about, stored, &owner).await?;
    // Whatever is made of it one day gets keys of its own.
    for kind in JobKind::ALL {
        job::enqueue(tx, now, kind, about.version.as_str(), &owner).await?;
    }
    job::begin_behind(tx, about.version.as_str(), found.attempts).await?;
    job::cancel(tx, now, about.version.as_str()).await?;
    let whole = match stored.part_sha256.as_slice() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    match &found.media {
        None => drop(create::received(tx, now, &about.version, &owner, &stored.key, whole).await?),
        Some(media) => {
            let key = found.file.then_some(stored.key.as_str());
            let gone = key.is_none().then(|| about.original_gone.as_deref().unwrap_or("lost"));
            ready(tx, &about.version, about.created_at, media, (key, gone, whole)).await?;
        }
    }
    for track in &found.attached {
        caption::sql::insert(tx, track).await?;
    }
    sidecar::touch(tx, &about.clip).await?;
    let detail = json!({ "version": about.version, "title": about.title });
    audit::append(tx, now, None, "clip.rebuilt", about.clip.as_str(), &detail).await?;
    Ok(true)
}

/// What waited for a mentor waits for her again: its ticket is not in the bucket.
async fn clip(tx: &mut Tx, about: &About, owner: &UserId, rebuilt: &mut Rebuilt) -> Result<()> {
    let state = if about.state == ClipState::Passed { ClipState::Passed } else { ClipState::Draft };
    let (region, path) = region(tx, &about.region_path, rebuilt).await?;
    on!(tx, c => sqlx::query(
            "insert into clips (id, owner_id, cohort_id, assignment_code, title, state, region_code, region_path,
                                created_at, updated_at)
             values ($1, $2, (select id from cohorts where id = $3), $4, $5, $6, $7, $8, $9, $9)
             on conflict (id) do nothing")
        .bind(&about.clip).bind(owner).bind(&about.cohort).bind(&about.assignment).bind(&about.title).bind(state)
        .bind(&region).bind(&path).bind(about.clip_created_at).execute(c).await.map(drop))?;
    Ok(())
}

/// A row that waits for bytes, or `false` where nothing waits for them.
async fn version(tx: &mut Tx, about: &About, stored: &Stored, file: bool) -> Result<bool> {
    let clip: ClipState = on!(&mut *tx, c => sqlx::query_scalar("select state from clips where id = $1")
        .bind(&about.clip).fetch_optional(c).await)
    .or_not_found()?;
    if clip == ClipState::Withdrawn {
        return Ok(false);
    }
    let received_at: Option<Option<At>> = on!(&mut *tx, c => sqlx::query_scalar(
            "select received_at from clip_versions where id = $1")
        .bind(&about.version).fetch_optional(c).await)?;
    match received_at {
        Some(Some(_)) => return Ok(false),
        // The database is from before its last byte came, and may have given it up since.
        Some(None) if file => {
            on!(tx, c => sqlx::query("update clip_versions set state = 'uploading', reason_code = null where id = $1")
                .bind(&about.version).execute(c).await.map(drop))?;
            return Ok(true);
        }
        Some(None) => return Ok(false),
        None => {}
    }
    // She may have sent it again since the backup that the database is from: then it stands behind that.
    on!(tx, c => sqlx::query(
            "insert into clip_versions (id, clip_id, n, state, filename, content_type, bytes, created_at)
             values ($1, $2, (select case when count(*) filter (where n = $3) = 0 then $3 else max(n) + 1 end
                              from clip_versions where clip_id = $2), 'uploading', $4, $5, $6, $7)")
        .bind(&about.version).bind(&about.clip).bind(about.n).bind(&about.filename).bind(&about.content_type)
        .bind(stored.bytes).bind(about.created_at).execute(c).await.map(drop))?;
    Ok(true)
}

async fn upload(tx: &mut Tx, now: At, about: &About, stored: &Stored, owner: &UserId) -> Result<()> {
    on!(&mut *tx, c => sqlx::query(
            "insert into uploads (id, owner_id, kind, clip_id, version_id, length, part_size, state, epoch, metadata, key,
                                  root_sha256, created_at, counts_at, updated_at, expires_at)
             values ($1, $2, 'whole', $3, $4, $5, $6, 'complete', 0, '', $7, $8, $9, $9, $10, $10)
             on conflict (id) do update set state = 'complete', epoch = uploads.epoch + 1, length = excluded.length,
                 part_size = excluded.part_size, key = excluded.key, root_sha256 = excluded.root_sha256,
                 updated_at = excluded.updated_at")
        .bind(&stored.id).bind(owner).bind(&about.clip).bind(&about.version).bind(stored.bytes)
        .bind(stored.part_size).bind(&stored.key).bind(&stored.root_sha256).bind(about.created_at).bind(now)
        .execute(c).await.map(drop))?;
    trash::put(tx, now, &keys::upload_tails(&stored.id), None).await?;
    for (sha256, no) in stored.part_sha256.iter().zip(1..) {
        let len = rules::part_len(no, stored.part_size, Some(stored.bytes));
        on!(&mut *tx, c => sqlx::query(
                "insert into upload_parts (upload_id, no, len, etag, sha256, epoch) values ($1, $2, $3, '', $4, 0)
                 on conflict (upload_id, no) do update set len = excluded.len, sha256 = excluded.sha256")
            .bind(&stored.id).bind(no).bind(len).bind(sha256).execute(c).await.map(drop))?;
    }
    Ok(())
}

type Original<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

/// It plays as it did, with or without the file that it was made from: its key, why it is gone, its hash.
async fn ready(tx: &mut Tx, version: &VersionId, sent_at: At, media: &Media, original: Original<'_>) -> Result<()> {
    let (key, gone, sha256) = original;
    on!(&mut *tx, c => sqlx::query(
            "update clip_versions set state = 'ready', original_key = $2, original_gone = $3, sha256 = $4, facts = $5,
                 width = $6, height = $7, duration_ms = $8, poster_key = $9, poster_bytes = $10, mp4_key = $11,
                 mp4_bytes = $12, storyboard_key = $13, storyboard_bytes = $14, storyboard_vtt_key = $15,
                 storyboard_vtt_bytes = $16, playable_at = $17, ready_at = $18, received_at = $19, waveform_key = $20,
                 waveform_bytes = $21 where id = $1")
        .bind(version).bind(key).bind(gone).bind(sha256).bind(&media.facts).bind(media.width).bind(media.height)
        .bind(media.duration_ms).bind(&media.poster_key).bind(media.poster_bytes).bind(&media.mp4_key)
        .bind(media.mp4_bytes).bind(&media.storyboard_key).bind(media.storyboard_bytes)
        .bind(&media.storyboard_vtt_key).bind(media.storyboard_vtt_bytes).bind(media.playable_at)
        .bind(media.ready_at).bind(sent_at).bind(&media.waveform_key).bind(media.waveform_bytes).execute(c).await.map(drop))?;
    for track in &media.embedded {
        caption::sql::insert(tx, track).await?;
    }
    for rung in &media.rungs {
        let r = &rung.rendition;
        on!(&mut *tx, c => sqlx::query(
                "insert into renditions (id, version_id, attempt, name, width, height, bandwidth, codecs, init_key,
                                         init_bytes, complete)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, true)")
            .bind(&r.id).bind(version).bind(r.attempt).bind(&r.name).bind(r.width).bind(r.height).bind(r.bandwidth)
            .bind(&r.codecs).bind(&r.init_key).bind(r.init_bytes).execute(c).await.map(drop))?;
        for segment in &rung.segments {
            on!(&mut *tx, c => sqlx::query(
                    "insert into rendition_segments (rendition_id, n, duration_ms, bytes, key) values ($1, $2, $3, $4, $5)")
                .bind(&r.id).bind(segment.n).bind(segment.duration_ms).bind(segment.bytes).bind(&segment.key)
                .execute(c).await.map(drop))?;
        }
    }
    Ok(())
}

/// Whom her phone leads to, if anybody has added her since; else the person she was.
async fn owner(tx: &mut Tx, keys: &Keys, now: At, about: &About, rebuilt: &mut Rebuilt) -> Result<UserId> {
    let (region, path) = region(tx, &about.owner_region_path, rebuilt).await?;
    let phone = keys.decrypt_phone(&about.owner_phone_enc).ok().and_then(|text| text.parse::<Phone>().ok());
    let Some(phone) = phone.filter(|phone| keys.phone_hash(phone) == about.owner_phone_hash) else {
        // Nobody finds her by this hash; a later run with the right secret does.
        let made = on!(tx, c => sqlx::query(
                "insert into users (id, display_name, phone_hash, phone_enc, phone_masked, password_hash, region_code,
                                    region_path, state, created_at)
                 values ($1, $2, $1, '', '', '', $3, $4, 'suspended', $5) on conflict (id) do nothing")
            .bind(&about.owner).bind(&about.owner_name).bind(&region).bind(&path).bind(now)
            .execute(c).await.map(|r| r.rows_affected()))?;
        if made > 0 {
            rebuilt.strangers.insert(about.owner_name.clone());
        }
        return Ok(about.owner.clone());
    };
    let known: Option<UserId> = on!(&mut *tx, c => sqlx::query_scalar("select id from users where phone_hash = $1")
        .bind(&about.owner_phone_hash).fetch_optional(c).await)?;
    if let Some(user) = known {
        for sql in [
            "update clips set owner_id = $1 where owner_id = (select id from users where id = $2 and phone_hash = $2)",
            "update uploads set owner_id = $1 where owner_id = (select id from users where id = $2 and phone_hash = $2)",
        ] {
            on!(&mut *tx, c => sqlx::query(sql).bind(&user).bind(&about.owner).execute(c).await.map(drop))?;
        }
        return Ok(user);
    }
    on!(tx, c => sqlx::query(
            "insert into users (id, display_name, phone_hash, phone_enc, phone_masked, password_hash, region_code,
                                region_path, state, created_at)
             values ($1, $2, $3, $4, $5, '', $6, $7, 'active', $8)
             on conflict (id) do update set phone_hash = excluded.phone_hash, phone_enc = excluded.phone_enc,
                 phone_masked = excluded.phone_masked, state = excluded.state where users.phone_hash = users.id")
        .bind(&about.owner).bind(&about.owner_name).bind(&about.owner_phone_hash).bind(&about.owner_phone_enc)
        .bind(phone.masked()).bind(&region).bind(&path).bind(now).execute(c).await.map(drop))?;
    Ok(about.owner.clone())
}

/// The code of the smallest place on the path that there is, and the path; where there is none, the whole country's.
async fn region(tx: &mut Tx, path: &str, rebuilt: &mut Rebuilt) -> Result<(String, String)> {
    for (up, code) in path.split('/').rev().filter(|code| !code.is_empty()).enumerate() {
        let known: i64 = on!(&mut *tx, c => sqlx::query_scalar("select count(*) from regions where code = $1")
            .bind(code).fetch_one(c).await)?;
        if known > 0 {
            if up > 0 {
                rebuilt.places.insert(path.to_owned());
            }
            return Ok((code.to_owned(), path.to_owned()));
        }
    }
    rebuilt.places.insert(path.to_owned());
    let root = "select code, path from regions where parent_code is null order by code limit 1";
    on!(tx, c => sqlx::query_as(root).fetch_optional(c).await).or_not_found()
}
