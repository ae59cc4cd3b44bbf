//! Objects and multipart uploads that no row needs: what a process that died between the store and the database left
//! behind. They are found by listing, and let go of through the trash like everything else.

use super::{Counted, needed};
use crate::db::Db;
use crate::error::Result;
use crate::storage::keys::{self, Area};
use crate::storage::{ObjectInfo, OpenMultipart, Storage, trash};
use crate::time::{At, Millis};

/// How old something without a row must be: whoever put it there has named it by then, or is dead.
pub const GRACE: Millis = Millis::hours(1);

/// What a sweep let go of.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Swept {
    pub objects: usize,
    pub bytes: u64,
    pub multiparts: usize,
}

/// Everything older than `grace` that no row needs. What has no age is taken for young.
pub async fn find(
    db: &Db,
    storage: &Storage,
    now: At,
    grace: Millis,
    counted: &mut Counted,
) -> Result<(Vec<ObjectInfo>, Vec<OpenMultipart>)> {
    let old = |written: Option<At>| written.is_some_and(|at| at + grace <= now) || grace == Millis(0);
    let mut objects = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = storage.list("", after.as_deref()).await?;
        counted.objects += page.objects.len() as u64;
        counted.bytes += page.objects.iter().map(|o| o.len).sum::<u64>();
        counted.foreign +=
            page.objects.iter().filter(|o| Area::of(&o.key).is_none() && o.key != keys::STORE).count() as u64;
        let keys: Vec<&str> = page.objects.iter().filter(|o| old(o.written_at)).map(|o| o.key.as_str()).collect();
        let mut tx = db.read().await?;
        let unneeded = needed::unneeded(&mut tx, &keys).await?;
        drop(tx);
        objects.extend(page.objects.iter().filter(|o| unneeded.contains(&o.key)).cloned());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut multiparts = Vec::new();
    for open in storage.open_multiparts("").await? {
        counted.multiparts_open += 1;
        let mut tx = db.read().await?;
        if old(open.begun_at) && needed::is_unneeded_multipart(&mut tx, &open).await? {
            multiparts.push(open);
        }
    }
    Ok((objects, multiparts))
}

/// Lets go of everything that [`find`] finds.
pub async fn sweep(db: &Db, storage: &Storage, now: At, grace: Millis) -> Result<Swept> {
    let (objects, multiparts) = find(db, storage, now, grace, &mut Counted::default()).await?;
    let mut swept = Swept::default();
    for object in objects {
        if let_go(db, now, &object.key).await? {
            swept.objects += 1;
            swept.bytes += object.len;
        }
    }
    for open in multiparts {
        swept.multiparts += usize::from(let_go_multipart(db, now, &open).await?);
    }
    Ok(swept)
}

/// Puts an object into the trash, unless a row needs it by now.
pub async fn let_go(db: &Db, now: At, key: &str) -> Result<bool> {
    let mut tx = db.write().await?;
    let free = !needed::unneeded(&mut tx, &[key]).await?.is_empty();
    if free {
        trash::put(&mut tx, now, key, None).await?;
        tx.commit().await?;
    }
    Ok(free)
}

pub async fn let_go_multipart(db: &Db, now: At, open: &OpenMultipart) -> Result<bool> {
    let mut tx = db.write().await?;
    let free = needed::is_unneeded_multipart(&mut tx, open).await?;
    if free {
        trash::put(&mut tx, now, &open.key, Some(&open.upload_id)).await?;
        tx.commit().await?;
    }
    Ok(free)
}
