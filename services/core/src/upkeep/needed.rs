//! What the rows need of the bucket, asked for the few things that a page of a listing belongs to.

use std::collections::{HashMap, HashSet};

use crate::clip::sidecar;
use crate::db::{Tx, marks};
use crate::error::Result;
use crate::ids::{ClipId, VersionId};
use crate::on;
use crate::storage::OpenMultipart;
use crate::storage::keys::{self, Area};

/// Values in one query; fewer than either database allows.
const MOST: usize = 500;

/// What the rows say of something in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A row names it or is about to, it is in the trash already, or it is not ours.
    Needed,
    /// What it belongs to is known, and does not need it.
    Free,
    /// What it belongs to is not known, or not that it ever came. The rows of versions and uploads are committed before
    /// their first byte and never deleted, so no crash does this: the database is not the newest one.
    Unknown,
}

/// What must stay of some part of the bucket.
#[derive(Debug, Default)]
struct Needed {
    /// Named by a row.
    keys: HashSet<String>,
    /// Ids of what somebody is at work on: anything there may be named in a moment.
    busy: HashSet<String>,
}

/// Those of these ids that have a row. A screenshot is put before its row, so of one without nothing can be said.
async fn known(tx: &mut Tx, area: Area, ids: &[&str]) -> Result<HashSet<String>> {
    let sql = match area {
        // One that no row names may be left by a writer that died.
        Area::Originals => "select id from clip_versions where id in ($ids)",
        // Before the last byte has come there is none of these.
        Area::Media | Area::Sidecars | Area::Captions => {
            "select v.id from clip_versions v join clips c on c.id = v.clip_id
             where v.id in ($ids) and (v.received_at is not null or c.state = 'withdrawn')"
        }
        Area::Partials | Area::Tails => "select id from uploads where id in ($ids)",
        Area::Evidence => return Ok(ids.iter().map(|id| (*id).to_owned()).collect()),
    };
    Ok(texts(tx, sql, ids).await?.into_iter().collect())
}

async fn texts(tx: &mut Tx, sql: &str, ids: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for ids in ids.chunks(MOST) {
        let sql = sqlx::AssertSqlSafe(sql.replace("$ids", &marks(1, ids.len())));
        let rows: Vec<Option<String>> = on!(&mut *tx, c => {
            let mut query = sqlx::query_scalar(sql);
            for id in ids { query = query.bind(*id); }
            query.fetch_all(c).await
        })?;
        found.extend(rows.into_iter().flatten());
    }
    Ok(found)
}

/// A version whose file came, was not let go of, and is not named: a repair finds it by its hashes.
const UNNAMED: &str =
    "v.original_key is null and v.original_gone is null and v.state in ('received', 'processing', 'ready')";

/// An upload that may still record something. A `completing` one does when it becomes complete.
const AT_WORK: &str = "state in ('open', 'completing')";

async fn of_area(tx: &mut Tx, area: Area, ids: &[&str]) -> Result<Needed> {
    let mut needed = Needed::default();
    let (keys, busy): (Vec<String>, Option<String>) = match area {
        Area::Originals => (
            vec![
                "select original_key from clip_versions where id in ($ids)".into(),
                format!("select key from uploads where version_id in ($ids) and {AT_WORK}"),
                format!(
                    "select u.key from uploads u join clip_versions v on v.id = u.version_id
                     where v.id in ($ids) and u.state = 'complete' and {UNNAMED}"
                ),
            ],
            Some(format!("select version_id from uploads where version_id in ($ids) and {AT_WORK}")),
        ),
        Area::Media => (
            vec![
                "select poster_key from clip_versions where id in ($ids)".into(),
                "select mp4_key from clip_versions where id in ($ids)".into(),
                "select storyboard_key from clip_versions where id in ($ids)".into(),
                "select storyboard_vtt_key from clip_versions where id in ($ids)".into(),
                "select waveform_key from clip_versions where id in ($ids)".into(),
                "select key from caption_tracks where version_id in ($ids)".into(),
                "select init_key from renditions where version_id in ($ids)".into(),
                "select s.key from rendition_segments s join renditions r on r.id = s.rendition_id
                 where r.version_id in ($ids)"
                    .into(),
            ],
            Some("select subject from jobs where subject in ($ids) and state = 'leased'".into()),
        ),
        Area::Captions => (vec!["select key from caption_tracks where version_id in ($ids)".into()], None),
        Area::Sidecars => {
            let sql = format!(
                "select v.clip_id || '/' || v.id from clip_versions v join clips c on c.id = v.clip_id
                 where v.id in ($ids) and {}",
                sidecar::KEPT
            );
            for pair in texts(tx, &sql, ids).await? {
                if let Some((clip, version)) = pair.split_once('/')
                    && let (Ok(clip), Ok(version)) = (clip.parse::<ClipId>(), version.parse::<VersionId>())
                {
                    needed.keys.insert(keys::sidecar(&clip, &version));
                }
            }
            (vec![], Some(format!("select version_id from uploads where version_id in ($ids) and {AT_WORK}")))
        }
        // A stretch of a film is kept until it is joined.
        Area::Partials => (
            vec![format!("select key from uploads where id in ($ids) and (state = 'complete' or {AT_WORK})")],
            Some(format!("select id from uploads where id in ($ids) and {AT_WORK}")),
        ),
        Area::Tails => (
            vec![format!(
                "select t.key from upload_tails t join uploads u on u.id = t.upload_id where u.id in ($ids) and u.{AT_WORK}"
            )],
            Some(format!("select id from uploads where id in ($ids) and {AT_WORK}")),
        ),
        Area::Evidence => (vec!["select evidence_key from growth_snapshots where id in ($ids)".into()], None),
    };
    for sql in keys {
        needed.keys.extend(texts(tx, &sql, ids).await?);
    }
    if let Some(sql) = busy {
        needed.busy.extend(texts(tx, &sql, ids).await?);
    }
    Ok(needed)
}

/// How each of these keys stands, in their order.
pub async fn standings(tx: &mut Tx, keys: &[&str]) -> Result<Vec<Standing>> {
    let mut left: HashMap<&str, Standing> = HashMap::new();
    for area in keys::AREAS {
        let of: Vec<(&str, &str)> = (keys.iter())
            .filter_map(|key| Area::of(key).filter(|(found, _)| *found == area).map(|(_, id)| (*key, id)))
            .collect();
        let mut ids: Vec<&str> = of.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            continue;
        }
        let (known, needed) = (known(tx, area, &ids).await?, of_area(tx, area, &ids).await?);
        let not_needed = of.into_iter().filter(|(key, id)| !needed.keys.contains(*key) && !needed.busy.contains(*id));
        left.extend(
            not_needed.map(|(key, id)| (key, if known.contains(id) { Standing::Free } else { Standing::Unknown })),
        );
    }
    let mut places: Vec<&str> = left.keys().flat_map(|key| [Some(*key), folder(key)]).flatten().collect();
    places.sort_unstable();
    places.dedup();
    let sql = "select key from object_trash where s3_upload_id = '' and key in ($ids)";
    let gone: HashSet<String> = texts(tx, sql, &places).await?.into_iter().collect();
    left.retain(|key, _| !gone.contains(*key) && !folder(key).is_some_and(|folder| gone.contains(folder)));
    Ok(keys.iter().map(|key| left.get(key).copied().unwrap_or(Standing::Needed)).collect())
}

/// `tails/up_1/` of `tails/up_1/2-0`.
fn folder(key: &str) -> Option<&str> {
    key.rfind('/').map(|end| &key[..=end])
}

/// Whether a row names this object: what is named is not deleted, whoever asked for it.
pub async fn is_named(tx: &mut Tx, key: &str) -> Result<bool> {
    let Some((area, id)) = Area::of(key) else { return Ok(false) };
    Ok(of_area(tx, area, &[id]).await?.keys.contains(key))
}

/// How a multipart upload stands. What is not ours is left alone.
pub async fn multipart_standing(tx: &mut Tx, open: &OpenMultipart) -> Result<Standing> {
    let Some((Area::Originals | Area::Partials, of)) = Area::of(&open.key) else { return Ok(Standing::Needed) };
    // Between making it and noting it, an upload of that version is open and knows none yet. A stretch has none.
    let sql = "select (select count(*) from uploads where $1 in (version_id, id) and state in ('open', 'completing')
                         and (s3_upload_id is null or s3_upload_id = $3))
                    + (select count(*) from object_trash where key = $2 and s3_upload_id = $3),
                      (select count(*) from uploads where $1 in (version_id, id))";
    let (needed, known): (i64, i64) = on!(tx, c => sqlx::query_as(sql)
        .bind(of).bind(&open.key).bind(&open.upload_id).fetch_one(c).await)?;
    Ok(match (needed, known) {
        (1.., _) => Standing::Needed,
        (_, 0) => Standing::Unknown,
        _ => Standing::Free,
    })
}
