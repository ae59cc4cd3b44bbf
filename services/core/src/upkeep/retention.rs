//! How long the file she sent is kept. What was made of it plays on for ever; the original goes
//!
//! - half a year after her class ended, unless the clip passed or she holds a star: those may be asked for again;
//! - a month after it came, where no clip could be made of it;
//! - a month after she took the clip back, and with it all that was made of it.
//!
//! Never while it is needed: before everything is made of it, while a mentor has it, and of who learns in no class, of
//! whom nobody knows when she is done.

use serde_json::json;

use crate::clip::{ClipState, MediaState, publish, sql as clips};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ClipId, VersionId};
use crate::time::{At, Day, Millis};
use crate::{audit, on};

pub const AFTER_CLASS_DAYS: i64 = 180;
pub const AFTER_TAKEN_BACK_DAYS: i64 = 30;
const AFTER_FAILED_DAYS: i64 = 30;
/// She is told so long before.
pub const TOLD_DAYS: i64 = 60;

/// All that the rule depends on.
#[derive(Debug, Clone)]
pub struct Facts {
    pub clip: ClipState,
    /// When the clip last moved: of one that was taken back, when that was.
    pub moved_at: At,
    pub version: MediaState,
    /// When it was found out that nothing can be made of it. None: that may change.
    pub failed_at: Option<At>,
    pub at_work: bool,
    pub class_ends_on: Option<Day>,
    pub starred: bool,
}

/// The first day on which the original may go, as things stand.
pub fn goes_on(facts: &Facts) -> Option<Day> {
    if facts.at_work {
        return None;
    }
    let days_after = |at: At, days| Day::from((at + Millis::days(days)).china_date()).plus_days(1);
    match facts.clip {
        ClipState::Withdrawn => Some(days_after(facts.moved_at, AFTER_TAKEN_BACK_DAYS)),
        _ if facts.version == MediaState::Failed => facts.failed_at.map(|at| days_after(at, AFTER_FAILED_DAYS)),
        ClipState::Draft | ClipState::Returned if facts.version == MediaState::Ready && !facts.starred => {
            facts.class_ends_on.map(|day| day.plus_days(AFTER_CLASS_DAYS))
        }
        _ => None,
    }
}

/// What to tell her about it, if it is near or over.
pub fn note(facts: &Facts, gone: Option<&str>, now: At) -> Option<String> {
    // Nothing of these plays: she is told other things.
    if facts.clip == ClipState::Withdrawn || facts.version == MediaState::Failed {
        return None;
    }
    if gone == Some("released") {
        return Some("这条的原片已经不留了，放起来和原来一样。".into());
    }
    let (day, today) = (goes_on(facts)?, Day::from(now.china_date()));
    (day.days_since(today) <= TOLD_DAYS)
        .then(|| format!("从 {day} 起我们只留能播放的画面，不再留原片。想要原片，就在手机里存好。"))
}

const FACTS: &str =
    "select v.id as version_id, v.clip_id, c.state as clip, c.updated_at as moved_at, v.state as version,
    coalesce(v.failed_at, v.received_at) as failed_at, v.original_gone, k.ends_on,
    (select count(*) from jobs j where j.subject = v.id and j.state in ('ready', 'leased')) as jobs,
    (select count(*) from star_awards a where a.user_id = c.owner_id) as stars
    from clip_versions v join clips c on c.id = v.clip_id left join cohorts k on k.id = c.cohort_id";

#[derive(sqlx::FromRow)]
struct Row {
    version_id: VersionId,
    clip_id: ClipId,
    clip: ClipState,
    moved_at: At,
    version: MediaState,
    failed_at: Option<At>,
    original_gone: Option<String>,
    ends_on: Option<String>,
    jobs: i64,
    stars: i64,
}

impl Row {
    fn facts(&self) -> Facts {
        Facts {
            clip: self.clip,
            moved_at: self.moved_at,
            version: self.version,
            // A lost one may come back from a backup, and is waited for.
            failed_at: self.failed_at.filter(|_| self.original_gone.is_none()),
            at_work: self.jobs > 0,
            class_ends_on: self.ends_on.as_deref().and_then(|day| day.parse().ok()),
            starred: self.stars > 0,
        }
    }
}

async fn row(tx: &mut Tx, version: &VersionId) -> Result<Option<Row>> {
    let sql = sqlx::AssertSqlSafe(format!("{FACTS} where v.id = $1"));
    Ok(on!(tx, c => sqlx::query_as(sql).bind(version).fetch_optional(c).await)?)
}

/// The sentence for the page of a clip whose newest version this is.
pub async fn note_of(tx: &mut Tx, now: At, version: &VersionId) -> Result<Option<String>> {
    Ok(row(tx, version).await?.and_then(|row| note(&row.facts(), row.original_gone.as_deref(), now)))
}

/// Of a version that was taken back anything may be left, of another the file she sent.
const LEFT: &str = "(c.state = 'withdrawn' and (v.original_key is not null or v.facts is not null
         or v.poster_key is not null or v.mp4_key is not null or v.playable_at is not null
         or exists (select 1 from renditions r where r.version_id = v.id))
     or v.original_key is not null
         and (v.state = 'failed' and v.original_gone is null or k.ends_on <= $2 and c.state in ('draft', 'returned')))";

/// Lets go of every original whose time has come. Answers of how many versions.
pub async fn release(db: &Db, now: At) -> Result<usize> {
    let today = Day::from(now.china_date());
    let (mut released, mut after) = (0, String::new());
    loop {
        // The versions that may be due, a page at a time; the rule decides.
        let sql = sqlx::AssertSqlSafe(format!("{FACTS} where v.id > $1 and {LEFT} order by v.id limit 200"));
        let long_ago = today.plus_days(-AFTER_CLASS_DAYS).to_string();
        let mut tx = db.read().await?;
        let rows: Vec<Row> = on!(&mut tx, c => sqlx::query_as(sql).bind(&after).bind(&long_ago).fetch_all(c).await)?;
        drop(tx);
        let Some(last) = rows.last().map(|row| row.version_id.to_string()) else { return Ok(released) };
        for row in rows {
            if is_due(&row, today) && release_one(db, now, today, &row.clip_id, &row.version_id).await? {
                released += 1;
            }
        }
        after = last;
    }
}

fn is_due(row: &Row, today: Day) -> bool {
    goes_on(&row.facts()).is_some_and(|day| day <= today)
}

async fn release_one(db: &Db, now: At, today: Day, clip: &ClipId, version: &VersionId) -> Result<bool> {
    let mut tx = db.write().await?;
    clips::lock(&mut tx, clip).await?;
    // As it is now, with the clip held.
    let Some(due) = row(&mut tx, version).await?.filter(|row| is_due(row, today)) else { return Ok(false) };
    match due.clip {
        ClipState::Withdrawn => publish::let_go_of_all(&mut tx, now, clip, version).await?,
        _ => publish::let_go_of_original(&mut tx, now, clip, version, "released").await?,
    }
    let detail = json!({ "version": version });
    audit::append(&mut tx, now, None, "clip.original_released", clip.as_str(), &detail).await?;
    tx.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::review::testing::{self as school, Classroom};
    use crate::storage::trash;

    /// 2026-12-31 is the last day of the class; 180 days later it is 2027-06-29.
    const LAST: &str = "2026-12-31";

    fn at(day: &str) -> At {
        let days = day.parse::<Day>().unwrap().days_since("1970-01-01".parse().unwrap());
        At(days * 86_400_000)
    }

    fn facts() -> Facts {
        Facts {
            clip: ClipState::Draft,
            moved_at: at("2026-10-01"),
            version: MediaState::Ready,
            failed_at: Some(at("2026-10-01")),
            at_work: false,
            class_ends_on: LAST.parse().ok(),
            starred: false,
        }
    }

    #[test]
    fn a_practice_goes_half_a_year_after_the_class() {
        let day = |facts: Facts| goes_on(&facts).map(|day| day.to_string());
        assert_eq!(day(facts()).as_deref(), Some("2027-06-29"));
        assert_eq!(day(Facts { clip: ClipState::Returned, ..facts() }).as_deref(), Some("2027-06-29"));
        for clip in [ClipState::Submitted, ClipState::Reviewing, ClipState::Passed] {
            assert_eq!(day(Facts { clip, ..facts() }), None, "{clip:?}");
        }
        assert_eq!(day(Facts { starred: true, ..facts() }), None);
        assert_eq!(day(Facts { class_ends_on: None, ..facts() }), None);
        for version in
            MediaState::ALL.into_iter().filter(|state| !matches!(state, MediaState::Ready | MediaState::Failed))
        {
            assert_eq!(day(Facts { version, ..facts() }), None, "{version:?}");
        }
        // No clip could be made of it: a month after it came, whatever became of the clip.
        let failed = Facts { version: MediaState::Failed, clip: ClipState::Passed, class_ends_on: None, ..facts() };
        assert_eq!(day(failed.clone()).as_deref(), Some("2026-11-01"));
        assert_eq!(day(Facts { failed_at: None, ..failed.clone() }), None);
        assert_eq!(note(&failed, Some("released"), at("2026-12-01")), None);
        let back = Facts { clip: ClipState::Withdrawn, starred: true, class_ends_on: None, ..facts() };
        assert_eq!(day(back.clone()).as_deref(), Some("2026-11-01"));
        for waiting in
            [Facts { at_work: true, ..facts() }, Facts { at_work: true, ..back }, Facts { at_work: true, ..failed }]
        {
            assert_eq!(day(waiting), None);
        }
    }

    #[test]
    fn she_is_told_in_time() {
        assert_eq!(note(&facts(), None, at("2027-04-29")), None);
        let words = note(&facts(), None, at("2027-04-30")).unwrap();
        assert!(words.contains("2027-06-29") && words.ends_with('。'), "{words}");
        assert!(note(&facts(), Some("released"), at("2027-07-01")).unwrap().contains("已经不留了"));
        assert_eq!(note(&Facts { starred: true, ..facts() }, None, at("2027-06-01")), None);
    }

    async fn keep(tx: &mut Tx, version: &VersionId) {
        on!(tx, c => sqlx::query("update clip_versions set original_key = 'originals/' || id || '/1' where id = $1")
            .bind(version).execute(c).await.map(drop))
        .unwrap();
    }

    both_databases! {
        what_is_due_is_let_go_of_once_with_its_line(db) {
            let room = Classroom::open(&db).await;
            let mut tx = db.write().await.unwrap();
            let (clip, version) = school::clip(&mut tx, &room.trainee, Some(&room.cohort), None).await;
            let (_, passed) = school::clip(&mut tx, &room.trainee, Some(&room.cohort), None).await;
            let (_, elsewhere) = school::clip(&mut tx, &room.stranger, None, None).await;
            for version in [&version, &passed, &elsewhere] {
                keep(&mut tx, version).await;
            }
            on!(&mut tx, c => sqlx::query("update clips set state = 'passed' where id = (select clip_id from clip_versions where id = $1)")
                .bind(&passed).execute(c).await.map(drop)).unwrap();
            tx.commit().await.unwrap();
            assert_eq!(release(&db, at("2027-06-28")).await.unwrap(), 0);
            assert_eq!(release(&db, at("2027-06-29")).await.unwrap(), 1);
            assert_eq!(release(&db, at("2027-06-29")).await.unwrap(), 0);
            let mut tx = db.write().await.unwrap();
            let now = clips::version(&mut tx, &version).await.unwrap();
            assert_eq!((now.original_key, now.original_gone.as_deref(), now.playable_at.is_some()), (None, Some("released"), true));
            assert!(clips::version(&mut tx, &passed).await.unwrap().original_key.is_some());
            let key = format!("originals/{version}/1");
            assert!(trash::due(&mut tx, at("2027-06-29"), 10).await.unwrap().iter().any(|t| t.key == key));
            assert!(note_of(&mut tx, at("2027-06-29"), &version).await.unwrap().unwrap().contains("不留了"));
            let lines: i64 = on!(&mut tx, c => sqlx::query_scalar("select count(*) from audit_events where subject = $1 and action = 'clip.original_released'")
                .bind(&clip).fetch_one(c).await).unwrap();
            assert_eq!(lines, 1);
            // Taken back: a month later it goes, whatever class there is.
            on!(&mut tx, c => sqlx::query("update clips set state = 'withdrawn', updated_at = $2 where id = (select clip_id from clip_versions where id = $1)")
                .bind(&elsewhere).bind(at("2026-01-01")).execute(c).await.map(drop)).unwrap();
            school::rendition(&mut tx, &elsewhere, 1, "480", 2, true).await;
            tx.commit().await.unwrap();
            assert_eq!(release(&db, at("2026-01-31")).await.unwrap(), 0);
            assert_eq!(release(&db, at("2026-02-01")).await.unwrap(), 1);
            assert_eq!(release(&db, at("2026-02-01")).await.unwrap(), 0);
            // Nothing that was made of it stays either.
            let mut tx = db.write().await.unwrap();
            let now = clips::version(&mut tx, &elsewhere).await.unwrap();
            assert_eq!((now.original_key, now.poster_key, now.mp4_key, now.facts, now.playable_at), (None, None, None, None, None));
            assert!(clips::renditions(&mut tx, &elsewhere).await.unwrap().is_empty());
            let gone: Vec<String> = trash::due(&mut tx, at("2027-06-29"), 100).await.unwrap().into_iter().map(|t| t.key).collect();
            for key in [format!("{elsewhere}/poster"), format!("{elsewhere}/mp4"), format!("originals/{elsewhere}/1")] {
                assert!(gone.contains(&key), "{key}");
            }
            assert_eq!(gone.iter().filter(|key| key.starts_with("ren_")).count(), 3, "{gone:?}");
        }

        what_no_clip_came_of_is_kept_for_a_month(db) {
            let room = Classroom::open(&db).await;
            let mut tx = db.write().await.unwrap();
            let (clip, version) = school::clip(&mut tx, &room.stranger, None, None).await;
            keep(&mut tx, &version).await;
            school::set_media_state(&mut tx, &version, "failed", Some("incomplete")).await;
            on!(&mut tx, c => sqlx::query("update clip_versions set received_at = $2 where id = $1")
                .bind(&version).bind(at("2026-01-01")).execute(c).await.map(drop)).unwrap();
            tx.commit().await.unwrap();
            assert_eq!(release(&db, at("2026-01-31")).await.unwrap(), 0);
            assert_eq!(release(&db, at("2026-02-01")).await.unwrap(), 1);
            assert_eq!(release(&db, at("2026-02-01")).await.unwrap(), 0);
            let mut tx = db.read().await.unwrap();
            assert_eq!(clips::version(&mut tx, &version).await.unwrap().original_key, None);
            let gone: Vec<String> = trash::due(&mut tx, at("2027-06-29"), 100).await.unwrap().into_iter().map(|t| t.key).collect();
            assert_eq!(gone.len(), 2, "the file and its sidecar: {gone:?}");
            assert!(gone.contains(&crate::storage::keys::sidecar(&clip, &version)));
        }
    }
}
