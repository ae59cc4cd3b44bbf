//! Objects and multipart uploads that no row needs: what a process that died between the store and the database left
//! behind. They are found by listing, a page at a time, and let go of through the trash like everything else.

use super::Counted;
use super::needed::{self, Standing};
use crate::db::Db;
use crate::error::Result;
use crate::storage::keys::{self, Area};
use crate::storage::{ObjectInfo, OpenMultipart, Storage, trash};
use crate::time::{At, Millis};
use crate::upload::EXPIRES_AFTER;

/// How old something that no row names must be: whoever put it there has named it by then, or is dead.
pub const GRACE: Millis = Millis::hours(1);
/// A screenshot is put before its row. One without may be that of a database that has not been restored yet, and so may
/// the pieces of an upload that this one does not know.
const RESTORED_BY: Millis = Millis::days(30);

/// What a page of a listing leaves over.
#[derive(Debug, Default)]
pub struct LeftOver {
    pub objects: Vec<ObjectInfo>,
    pub multiparts: Vec<OpenMultipart>,
    /// The database does not know what these belong to. They are never swept.
    pub unknown: Vec<ObjectInfo>,
}

/// A walk through all that is in the bucket.
pub struct Walk<'a> {
    db: &'a Db,
    storage: &'a Storage,
    now: At,
    grace: Millis,
    place: Place,
}

enum Place {
    Objects(Option<String>),
    Multiparts,
    End,
}

impl<'a> Walk<'a> {
    pub fn new(db: &'a Db, storage: &'a Storage, now: At, grace: Millis) -> Walk<'a> {
        Walk { db, storage, now, grace, place: Place::Objects(None) }
    }

    /// What the next page leaves over, or None at the end.
    pub async fn next(&mut self, counted: &mut Counted) -> Result<Option<LeftOver>> {
        match std::mem::replace(&mut self.place, Place::End) {
            Place::Objects(after) => self.objects(after, counted).await.map(Some),
            Place::Multiparts => self.multiparts(counted).await.map(Some),
            Place::End => Ok(None),
        }
    }

    async fn objects(&mut self, after: Option<String>, counted: &mut Counted) -> Result<LeftOver> {
        let page = self.storage.list("", after.as_deref()).await?;
        counted.objects += page.objects.len() as u64;
        counted.bytes += page.objects.iter().map(|o| o.len).sum::<u64>();
        let mut tx = self.db.read().await?;
        let keys: Vec<&str> = page.objects.iter().map(|o| o.key.as_str()).collect();
        let standings = needed::standings(&mut tx, &keys).await?;
        drop(tx);
        let mut left = LeftOver::default();
        for (object, standing) in page.objects.into_iter().zip(standings) {
            let area = Area::of(&object.key).map(|(area, _)| area);
            let age = object.written_at.map(|at| self.now - at);
            match verdict(standing, area, age, self.grace) {
                Verdict::Stays => counted.foreign += u64::from(area.is_none() && object.key != keys::STORE),
                Verdict::Unknown => left.unknown.push(object),
                Verdict::LeftOver => left.objects.push(object),
            }
        }
        self.place = page.next.map_or(Place::Multiparts, |after| Place::Objects(Some(after)));
        Ok(left)
    }

    async fn multiparts(&mut self, counted: &mut Counted) -> Result<LeftOver> {
        let mut left = LeftOver::default();
        for open in self.storage.open_multiparts("").await? {
            counted.multiparts_open += 1;
            let mut tx = self.db.read().await?;
            let grace = match needed::multipart_standing(&mut tx, &open).await? {
                Standing::Needed => continue,
                Standing::Free => self.grace,
                // Nobody goes on with it after that, whatever the newest database knows.
                Standing::Unknown => self.grace.max(EXPIRES_AFTER),
            };
            if is_old(open.begun_at.map(|at| self.now - at), grace) {
                left.multiparts.push(open);
            }
        }
        Ok(left)
    }
}

/// What a walk says of an object.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Stays,
    LeftOver,
    Unknown,
}

fn verdict(standing: Standing, area: Option<Area>, age: Option<Millis>, grace: Millis) -> Verdict {
    match (standing, area) {
        (Standing::Needed, _) => Verdict::Stays,
        (Standing::Free, Some(Area::Evidence)) if !is_old(age, grace.max(RESTORED_BY)) => Verdict::Stays,
        (Standing::Free, _) if !is_old(age, grace) => Verdict::Stays,
        (Standing::Free, _) => Verdict::LeftOver,
        // Nobody goes on with it after that, whatever the newest database knows, and no clip comes of it.
        (Standing::Unknown, Some(Area::Tails | Area::Partials)) if is_old(age, grace.max(RESTORED_BY)) => {
            Verdict::LeftOver
        }
        (Standing::Unknown, _) => Verdict::Unknown,
    }
}

/// Whether it is old enough. What has no age is taken for young.
fn is_old(age: Option<Millis>, grace: Millis) -> bool {
    grace == Millis(0) || age.is_some_and(|age| age >= grace)
}

/// What a sweep let go of.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Swept {
    pub objects: usize,
    pub bytes: u64,
    pub multiparts: usize,
    /// Left over, and left alone because they are too many.
    pub held_back: usize,
    /// Objects of which the database does not know what they belong to.
    pub unknown: usize,
}

/// Crashes leave a few behind. Where it is much more, something else has happened, and a person has to look.
fn is_too_much(left: usize, all: u64) -> bool {
    left > 100 && left as u64 * 100 > all
}

/// While the database is not the newest one, a screenshot without a row may be one that the newest names.
pub fn is_evidence(object: &ObjectInfo) -> bool {
    object.key.starts_with(Area::Evidence.prefix())
}

/// Lets go of everything that is left over, unless it is too much of what there is.
pub async fn sweep(db: &Db, storage: &Storage, now: At, grace: Millis) -> Result<Swept> {
    let (mut left, mut multiparts, mut unknown, mut counted) = (0, 0, 0, Counted::default());
    let mut walk = Walk::new(db, storage, now, grace);
    while let Some(page) = walk.next(&mut counted).await? {
        left += page.objects.len();
        multiparts += page.multiparts.len();
        unknown += page.unknown.len();
    }
    if is_too_much(left, counted.objects) {
        return Ok(Swept { held_back: left, unknown, ..Swept::default() });
    }
    if left + multiparts == 0 {
        return Ok(Swept { unknown, ..Swept::default() });
    }
    sweep_all(db, storage, now, grace).await
}

/// Lets go of everything that is left over, however much it is.
pub async fn sweep_all(db: &Db, storage: &Storage, now: At, grace: Millis) -> Result<Swept> {
    let mut swept = Swept::default();
    let mut evidence = Vec::new();
    let mut walk = Walk::new(db, storage, now, grace);
    while let Some(page) = walk.next(&mut Counted::default()).await? {
        swept.unknown += page.unknown.len();
        let (waits, going): (Vec<_>, Vec<_>) = page.objects.into_iter().partition(is_evidence);
        evidence.extend(waits);
        swept.take(db, now, &going).await?;
        for open in &page.multiparts {
            swept.multiparts += usize::from(let_go_multipart(db, now, open).await?);
        }
    }
    // Only now it is known whether the database is the newest one.
    if swept.unknown == 0 {
        swept.take(db, now, &evidence).await?;
    }
    Ok(swept)
}

impl Swept {
    async fn take(&mut self, db: &Db, now: At, objects: &[ObjectInfo]) -> Result<()> {
        let keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
        for (object, _) in objects.iter().zip(let_go(db, now, &keys).await?).filter(|(_, gone)| *gone) {
            self.objects += 1;
            self.bytes += object.len;
        }
        Ok(())
    }
}

/// Puts what a walk left over into the trash, in one transaction, unless a row needs it by now. Nothing that may become a
/// clip again goes. Answers for each whether it went.
pub async fn let_go(db: &Db, now: At, keys: &[&str]) -> Result<Vec<bool>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = db.write().await?;
    let standings = needed::standings(&mut tx, keys).await?;
    let may_go = |(key, standing): (&&str, Standing)| match (standing, Area::of(key)) {
        (Standing::Needed, _) => false,
        (Standing::Free, _) => true,
        (Standing::Unknown, area) => matches!(area, Some((Area::Tails | Area::Partials, _))),
    };
    let gone: Vec<bool> = keys.iter().zip(standings).map(may_go).collect();
    for (key, _) in keys.iter().zip(&gone).filter(|(_, gone)| **gone) {
        trash::put(&mut tx, now, key, None).await?;
    }
    tx.commit().await?;
    Ok(gone)
}

pub async fn let_go_multipart(db: &Db, now: At, open: &OpenMultipart) -> Result<bool> {
    let mut tx = db.write().await?;
    let gone = needed::multipart_standing(&mut tx, open).await? != Standing::Needed;
    if gone {
        trash::put(&mut tx, now, &open.key, Some(&open.upload_id)).await?;
        tx.commit().await?;
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_without_a_row_is_left_over_once_nobody_can_come_for_it() {
        use Standing::*;
        let (hour, month) = (Some(Millis::hours(1)), Some(Millis::days(30)));
        for (standing, area, age, expected) in [
            (Needed, Area::Originals, month, Verdict::Stays),
            (Free, Area::Originals, None, Verdict::Stays),
            (Free, Area::Originals, Some(Millis::minutes(59)), Verdict::Stays),
            (Free, Area::Originals, hour, Verdict::LeftOver),
            (Free, Area::Evidence, hour, Verdict::Stays),
            (Free, Area::Evidence, month, Verdict::LeftOver),
            (Unknown, Area::Originals, month, Verdict::Unknown),
            (Unknown, Area::Media, month, Verdict::Unknown),
            (Unknown, Area::Sidecars, month, Verdict::Unknown),
            (Unknown, Area::Tails, None, Verdict::Unknown),
            (Unknown, Area::Tails, Some(Millis::days(29)), Verdict::Unknown),
            (Unknown, Area::Tails, month, Verdict::LeftOver),
            (Unknown, Area::Partials, month, Verdict::LeftOver),
        ] {
            assert_eq!(verdict(standing, Some(area), age, GRACE), expected, "{standing:?} {area:?} {age:?}");
        }
    }

    #[test]
    fn a_sweep_that_would_take_much_takes_nothing() {
        for (left, all, too_much) in [
            (0, 0, false),
            (100, 100, false),
            (101, 101, true),
            (101, 10_099, true),
            (101, 10_100, false),
            (5_000, 1_000_000, false),
        ] {
            assert_eq!(is_too_much(left, all), too_much, "{left} of {all}");
        }
    }
}
