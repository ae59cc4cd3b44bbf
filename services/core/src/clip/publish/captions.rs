//! The tracks of captions that came in the film.

use super::fenced;
use crate::caption::{CaptionTrack, Language, Origin, sql};
use crate::db::Tx;
use crate::error::Result;
use crate::ids::CaptionId;
use crate::job::Lease;
use crate::time::At;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCaption {
    pub language: Language,
    pub title: Option<String>,
    pub key: String,
    pub bytes: i64,
}

/// All there are, in place of those that an earlier attempt found.
pub async fn captions(tx: &mut Tx, lease: &Lease, now: At, found: &[NewCaption]) -> Result<()> {
    let version = fenced(tx, lease).await?;
    sql::drop_all(tx, now, &version, Origin::Embedded).await?;
    for NewCaption { language, title, key, bytes } in found {
        let track = CaptionTrack {
            id: CaptionId::new(),
            version_id: version.clone(),
            origin: Origin::Embedded,
            language: language.clone(),
            title: title.clone(),
            key: key.clone(),
            bytes: *bytes,
        };
        sql::insert(tx, &track).await?;
    }
    Ok(())
}
