//! Clips back from the bucket alone: for each sidecar whose file is there, the rows that it tells of. What is in the
//! database already is never touched, so it may be done again, and on one that was only half lost.
//!
//! The sidecars know whose a clip is and what it is called. They know no phones, reviews, numbers or stars: those come
//! from a backup of the database or not at all. An owner who is not known is made as somebody with her name who cannot
//! sign in.

use serde_json::json;

use crate::clip::create;
use crate::clip::sidecar::{About, Sidecar};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::storage::{Storage, StorageError, keys};
use crate::time::At;
use crate::upload;
use crate::{audit, job, on};

#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    pub sidecars: usize,
    /// Versions that are back.
    pub back: usize,
    /// That were in the database already.
    pub known: usize,
    /// Whose file is not in the bucket, or is of another length.
    pub without_file: usize,
    /// Sidecars that cannot be read.
    pub unreadable: Vec<String>,
}

pub async fn rebuild(db: &Db, storage: &Storage, now: At) -> Result<Rebuilt> {
    let mut rebuilt = Rebuilt::default();
    let mut after = None;
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
            let Some(sidecar) = sidecar.filter(is_sound) else {
                rebuilt.unreadable.push(object.key.clone());
                continue;
            };
            let file = storage.head(&sidecar.upload.key).await?;
            if file.is_none_or(|file| file.len != sidecar.upload.bytes as u64) {
                rebuilt.without_file += 1;
                continue;
            }
            let attempts = attempts(storage, &sidecar).await?;
            let mut tx = db.write().await?;
            if bring_back(&mut tx, now, &sidecar, attempts).await? {
                tx.commit().await?;
                rebuilt.back += 1;
            } else {
                rebuilt.known += 1;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(rebuilt);
        }
    }
}

/// What our own code wrote fits together.
fn is_sound(sidecar: &Sidecar) -> bool {
    let stored = &sidecar.upload;
    stored.key.starts_with(&keys::originals(&sidecar.clip.version))
        && stored.part_size > 0
        && stored.bytes > 0
        && stored.part_sha256.len() as i64 == upload::rules::parts_total(stored.part_size, stored.bytes)
}

/// How many attempts left something in the bucket: what a worker makes now must not get their keys.
async fn attempts(storage: &Storage, sidecar: &Sidecar) -> Result<i64> {
    let prefix = keys::media(&sidecar.clip.version);
    let (mut most, mut after) = (0, None);
    loop {
        let page = storage.list(&prefix, after.as_deref()).await?;
        let numbers = page.objects.iter().filter_map(|o| o.key[prefix.len()..].split('/').next()?.parse::<i64>().ok());
        most = numbers.max().unwrap_or(0).max(most);
        after = page.next;
        if after.is_none() {
            return Ok(most);
        }
    }
}

/// `false`: the version is known, and nothing was changed.
pub(super) async fn bring_back(tx: &mut Tx, now: At, sidecar: &Sidecar, attempts: i64) -> Result<bool> {
    let Sidecar { clip: about, upload: stored } = sidecar;
    owner(tx, now, about).await?;
    let region = region(tx, &about.region_path).await?;
    on!(&mut *tx, c => sqlx::query(
            "insert into clips (id, owner_id, cohort_id, assignment_code, title, state, region_code, region_path,
                                created_at, updated_at)
             values ($1, $2, (select id from cohorts where id = $3), $4, $5, 'draft', $6, $7, $8, $8)
             on conflict (id) do nothing")
        .bind(&about.clip).bind(&about.owner).bind(&about.cohort).bind(&about.assignment).bind(&about.title)
        .bind(&region).bind(&about.region_path).bind(about.created_at).execute(c).await.map(drop))?;
    let rows = on!(&mut *tx, c => sqlx::query(
            "insert into clip_versions (id, clip_id, n, state, filename, content_type, bytes, created_at)
             values ($1, $2, $3, 'uploading', $4, $5, $6, $7) on conflict do nothing")
        .bind(&about.version).bind(&about.clip).bind(about.n).bind(&about.filename).bind(&about.content_type)
        .bind(stored.bytes).bind(about.created_at).execute(c).await.map(|r| r.rows_affected()))?;
    if rows == 0 {
        return Ok(false);
    }
    on!(&mut *tx, c => sqlx::query(
            "insert into uploads (id, owner_id, kind, clip_id, version_id, length, part_size, state, epoch, metadata, key,
                                  root_sha256, created_at, counts_at, updated_at, expires_at)
             values ($1, $2, 'whole', $3, $4, $5, $6, 'complete', 0, '', $7, $8, $9, $9, $10, $10) on conflict (id) do nothing")
        .bind(&stored.id).bind(&about.owner).bind(&about.clip).bind(&about.version).bind(stored.bytes)
        .bind(stored.part_size).bind(&stored.key).bind(&stored.root_sha256).bind(about.created_at).bind(now)
        .execute(c).await.map(drop))?;
    for (sha256, no) in stored.part_sha256.iter().zip(1..) {
        let len = upload::rules::part_len(no, stored.part_size, Some(stored.bytes));
        on!(&mut *tx, c => sqlx::query(
                "insert into upload_parts (upload_id, no, len, etag, sha256, epoch) values ($1, $2, $3, '', $4, 0)
                 on conflict (upload_id, no) do nothing")
            .bind(&stored.id).bind(no).bind(len).bind(sha256).execute(c).await.map(drop))?;
    }
    let whole = match stored.part_sha256.as_slice() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    create::received(tx, now, &about.version, &about.owner, &stored.key, whole).await?;
    job::begin_behind(tx, about.version.as_str(), attempts).await?;
    let detail = json!({ "version": about.version, "title": about.title });
    audit::append(tx, now, None, "clip.rebuilt", about.clip.as_str(), &detail).await?;
    Ok(true)
}

/// Somebody with her name, who cannot sign in until a desk gives her back what is hers.
async fn owner(tx: &mut Tx, now: At, about: &About) -> Result<()> {
    let region = region(tx, &about.owner_region_path).await?;
    on!(tx, c => sqlx::query(
            "insert into users (id, display_name, phone_hash, phone_enc, phone_masked, password_hash, region_code,
                                region_path, state, created_at)
             values ($1, $2, $1, '', '', '', $3, $4, 'suspended', $5) on conflict (id) do nothing")
        .bind(&about.owner).bind(&about.owner_name).bind(&region).bind(&about.owner_region_path).bind(now)
        .execute(c).await.map(drop))?;
    Ok(())
}

/// The code of the smallest place on the path that there is.
async fn region(tx: &mut Tx, path: &str) -> Result<String> {
    for code in path.split('/').rev().filter(|code| !code.is_empty()) {
        let known: i64 = on!(&mut *tx, c => sqlx::query_scalar("select count(*) from regions where code = $1")
            .bind(code).fetch_one(c).await)?;
        if known > 0 {
            return Ok(code.to_owned());
        }
    }
    Err(crate::Error::Damaged(format!("no region of {path} is known")))
}
