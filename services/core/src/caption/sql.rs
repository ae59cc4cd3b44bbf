//! The caption tracks of a version, in rows.

use super::{CaptionTrack, Language, MAX_TRACKS, Origin};
use crate::clip::{Version, sidecar};
use crate::db::Tx;
use crate::error::{Refusal, Result};
use crate::ids::{CaptionId, UserId, VersionId};
use crate::storage::{keys, trash};
use crate::time::At;
use crate::{audit, on};

/// What she attached first: it is what she means to be read.
pub async fn of_version(tx: &mut Tx, version: &VersionId) -> Result<Vec<CaptionTrack>> {
    Ok(on!(tx, c => sqlx::query_as(
            "select id, version_id, origin, language, title, key, bytes from caption_tracks where version_id = $1
             order by origin, id")
        .bind(version).fetch_all(c).await)?)
}

pub async fn of_origin(tx: &mut Tx, version: &VersionId, origin: Origin) -> Result<Vec<CaptionTrack>> {
    let mut tracks = of_version(tx, version).await?;
    tracks.retain(|track| track.origin == origin);
    Ok(tracks)
}

pub async fn insert(tx: &mut Tx, track: &CaptionTrack) -> Result<()> {
    on!(tx, c => sqlx::query(
            "insert into caption_tracks (id, version_id, origin, language, title, key, bytes)
             values ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&track.id).bind(&track.version_id).bind(track.origin).bind(&track.language).bind(&track.title)
        .bind(&track.key).bind(track.bytes).execute(c).await.map(drop))?;
    Ok(())
}

/// Attaches the words that are stored under this id, in place of what she attached in that language before. The clip must
/// be locked.
pub async fn attach(
    tx: &mut Tx,
    now: At,
    actor: &UserId,
    version: &Version,
    id: &CaptionId,
    language: &Language,
    bytes: i64,
) -> Result<()> {
    let_go(tx, now, &version.id, language).await?;
    if of_origin(tx, &version.id, Origin::Attached).await?.len() >= MAX_TRACKS {
        let message = format!("这一版已经有 {MAX_TRACKS} 种字幕了。");
        return Err(Refusal::new("captions_full", message, "先拿掉一种，再加新的。").into());
    }
    let track = CaptionTrack {
        id: id.clone(),
        version_id: version.id.clone(),
        origin: Origin::Attached,
        language: language.clone(),
        title: None,
        key: keys::attached_caption(&version.id, id),
        bytes,
    };
    insert(tx, &track).await?;
    told(tx, now, actor, version, "clip.captioned", language).await
}

/// Where she has attached none in that language, nothing changes.
pub async fn remove(tx: &mut Tx, now: At, actor: &UserId, version: &Version, language: &Language) -> Result<()> {
    if let_go(tx, now, &version.id, language).await? {
        told(tx, now, actor, version, "clip.caption_removed", language).await?;
    }
    Ok(())
}

async fn told(tx: &mut Tx, now: At, actor: &UserId, of: &Version, action: &str, language: &Language) -> Result<()> {
    sidecar::touch(tx, &of.clip_id).await?;
    let detail = serde_json::json!({ "version": of.id, "language": language });
    audit::append(tx, now, Some(actor), action, of.clip_id.as_str(), &detail).await
}

async fn let_go(tx: &mut Tx, now: At, version: &VersionId, language: &Language) -> Result<bool> {
    let key: Option<String> = on!(tx, c => sqlx::query_scalar(
            "delete from caption_tracks where version_id = $1 and language = $2 and origin = 'attached' returning key")
        .bind(version).bind(language).fetch_optional(c).await)?;
    if let Some(key) = &key {
        trash::put(tx, now, key, None).await?;
    }
    Ok(key.is_some())
}

/// Lets all of one origin go.
pub(crate) async fn drop_all(tx: &mut Tx, now: At, version: &VersionId, origin: Origin) -> Result<()> {
    let keys: Vec<String> = on!(tx, c => sqlx::query_scalar(
            "delete from caption_tracks where version_id = $1 and origin = $2 returning key")
        .bind(version).bind(origin).fetch_all(c).await)?;
    for key in keys {
        trash::put(tx, now, &key, None).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::clip::sql as clips;
    use crate::review::testing::{self as school, Classroom};

    async fn gone(tx: &mut Tx) -> Vec<String> {
        trash::due(tx, At(9), 100).await.unwrap().into_iter().map(|gone| gone.key).collect()
    }

    both_databases! {
        she_has_one_of_each_language_and_takes_it_away_again(db) {
            let room = Classroom::open(&db).await;
            let her = &room.trainee;
            let mut tx = db.write().await.unwrap();
            let (clip, version) = school::clip(&mut tx, her, None, None).await;
            let version = clips::version(&mut tx, &version).await.unwrap();
            let (_, other) = school::clip(&mut tx, her, None, None).await;
            let other = clips::version(&mut tx, &other).await.unwrap();
            let (zh, en): (Language, Language) = ("zh".parse().unwrap(), "en".parse().unwrap());
            let ids: Vec<CaptionId> = (0..4).map(|_| CaptionId::new()).collect();
            attach(&mut tx, At(1), her, &version, &ids[0], &zh, 5).await.unwrap();
            attach(&mut tx, At(1), her, &version, &ids[1], &en, 6).await.unwrap();
            attach(&mut tx, At(1), her, &other, &ids[2], &zh, 7).await.unwrap();
            assert!(gone(&mut tx).await.is_empty());
            attach(&mut tx, At(2), her, &version, &ids[3], &zh, 8).await.unwrap();
            let key = |n: usize| keys::attached_caption(&version.id, &ids[n]);
            assert_eq!(gone(&mut tx).await, [key(0)]);
            let seen = of_version(&mut tx, &version.id).await.unwrap();
            let seen: Vec<_> = seen.iter().map(|t| (t.language.as_str(), t.bytes, t.key.clone(), t.origin)).collect();
            assert_eq!(seen, [("en", 6, key(1), Origin::Attached), ("zh", 8, key(3), Origin::Attached)]);
            for _ in 0..2 {
                remove(&mut tx, At(3), her, &version, &zh).await.unwrap();
            }
            assert_eq!(gone(&mut tx).await, [key(0), key(3)]);
            for (action, times) in [("clip.captioned", 3), ("clip.caption_removed", 1)] {
                assert_eq!(school::events(&mut tx, action, clip.as_str()).await, times, "{action}");
            }
            assert_eq!(of_version(&mut tx, &other.id).await.unwrap().len(), 1);
            drop_all(&mut tx, At(4), &version.id, Origin::Embedded).await.unwrap();
            assert_eq!(of_origin(&mut tx, &version.id, Origin::Attached).await.unwrap().len(), 1);
            drop_all(&mut tx, At(4), &version.id, Origin::Attached).await.unwrap();
            assert_eq!((of_version(&mut tx, &version.id).await.unwrap(), gone(&mut tx).await.len()), (vec![], 3));
        }

        there_is_room_for_so_many_languages(db) {
            let room = Classroom::open(&db).await;
            let mut tx = db.write().await.unwrap();
            let (_, version) = school::clip(&mut tx, &room.trainee, None, None).await;
            let version = clips::version(&mut tx, &version).await.unwrap();
            let mut with = async |language: &str| {
                let language = language.parse().unwrap();
                attach(&mut tx, At(1), &room.trainee, &version, &CaptionId::new(), &language, 5).await
            };
            for n in 0..MAX_TRACKS {
                with(&format!("a{}", char::from(b'a' + n as u8))).await.unwrap();
            }
            assert!(with("zh").await.unwrap_err().to_string().contains("captions_full"));
            // Another of a language that is there takes its place.
            with("ab").await.unwrap();
        }
    }
}
