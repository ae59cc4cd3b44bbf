//! A clip as the API shows it.

use serde::Serialize;
use weijia_core::access::Principal;
use weijia_core::clip::sql::{self, Detail};
use weijia_core::clip::{ClipState, MediaState, Version};
use weijia_core::coaching::Hint;
use weijia_core::course::AssignmentRef;
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::ids::{ClipId, CohortId, UploadId, VersionId};
use weijia_core::person::{self, Person};
use weijia_core::review::TicketState;
use weijia_core::time::At;
use weijia_core::upkeep::retention;
use weijia_core::{caption, error, upload};

use crate::BASE;
use crate::media::{Addresses, Media};
use crate::state::AppState;

/// Why a file was not taken, and what to do about it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    pub next_step: String,
}

impl From<&error::Refusal> for Refusal {
    fn from(r: &error::Refusal) -> Self {
        Self { code: r.code.into(), message: r.message.clone(), next_step: r.next_step.clone() }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ClipSummary {
    pub id: ClipId,
    pub title: String,
    pub state: ClipState,
    pub playable: bool,
    /// Of the newest version of which something came, like all that is told of the clip here.
    pub media_state: MediaState,
    /// Why nothing can be made of it.
    #[schema(required)]
    pub refusal: Option<Refusal>,
    pub version_n: i64,
    #[schema(required)]
    pub assignment: Option<AssignmentRef>,
    #[schema(required)]
    pub poster: Option<String>,
    #[schema(required)]
    pub duration_ms: Option<i64>,
    #[schema(required)]
    pub width: Option<i64>,
    #[schema(required)]
    pub height: Option<i64>,
    /// Pieces of feedback she hasn't heard yet.
    pub feedback_new: i64,
    pub created_at: At,
    pub updated_at: At,
}

impl ClipSummary {
    pub fn of(detail: &Detail, addresses: &Addresses) -> Result<Self> {
        let newest = detail.newest()?;
        let clip = &detail.clip;
        Ok(Self {
            id: clip.id.clone(),
            title: clip.title.clone(),
            state: clip.state,
            playable: newest.playable(),
            media_state: newest.state,
            refusal: newest.refusal().as_ref().map(Refusal::from),
            version_n: newest.n,
            assignment: clip.assignment_code.as_deref().map(AssignmentRef::of),
            poster: addresses.poster(newest),
            duration_ms: newest.duration_ms,
            width: newest.width,
            height: newest.height,
            feedback_new: detail.unheard,
            created_at: clip.created_at,
            updated_at: clip.updated_at,
        })
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Clip {
    pub id: ClipId,
    pub title: String,
    pub owner: Person,
    pub state: ClipState,
    /// Of the newest version of which something came, like all that is told of the clip here.
    pub media_state: MediaState,
    pub state_since: At,
    /// What is happening and what comes next, in a sentence.
    pub what_next: String,
    pub playable: bool,
    /// Why the newest version cannot be played, in a sentence.
    #[schema(required)]
    pub reason: Option<String>,
    #[schema(required)]
    pub refusal: Option<Refusal>,
    /// Why nothing came of a version that was sent after the one that this tells of.
    #[schema(required)]
    pub refused_since: Option<Refusal>,
    /// What is not as she meant it: sentences about the whole clip.
    pub warnings: Vec<String>,
    /// How it was filmed: at most three hints, each with its place in the clip.
    pub hints: Vec<ClipHint>,
    /// What becomes of the file she sent, when that is near or over: a sentence for its owner.
    #[schema(required)]
    pub original_note: Option<String>,
    #[schema(required)]
    pub assignment: Option<AssignmentRef>,
    #[schema(required)]
    pub cohort_id: Option<CohortId>,
    /// Of the newest version.
    #[schema(required)]
    pub media: Option<Media>,
    /// The newest version of which something came.
    pub version: VersionId,
    pub version_n: i64,
    /// The newest first.
    pub versions: Vec<ClipVersion>,
    pub can_submit: bool,
    #[schema(required)]
    pub ticket: Option<ClipTicket>,
    /// Where the newest version's upload goes on.
    #[schema(required)]
    pub upload: Option<OpenUpload>,
    pub created_at: At,
}

/// A hint about how a clip was filmed, never a score.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ClipHint {
    /// The rule of `content/coaching.json`.
    pub code: String,
    /// Milliseconds from the beginning of the clip.
    pub at_ms: i64,
    pub until_ms: i64,
    pub text: String,
}

pub fn hints_of(version: &Version) -> Vec<ClipHint> {
    let hints = version.hints().into_iter();
    hints.map(|Hint { code, at_ms, until_ms, text }| ClipHint { code, at_ms, until_ms, text }).collect()
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Version)]
pub struct ClipVersion {
    pub id: VersionId,
    pub n: i64,
    pub media_state: MediaState,
    pub playable: bool,
    #[schema(required)]
    pub refusal: Option<Refusal>,
    #[schema(required)]
    pub media: Option<Media>,
    pub bytes: i64,
    pub created_at: At,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ClipTicket {
    pub state: TicketState,
    pub submitted_at: At,
    pub due_at: At,
    /// Who holds it, or answered it.
    #[schema(required)]
    pub mentor: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OpenUpload {
    pub id: UploadId,
    pub url: String,
    pub offset: i64,
    /// Absent where its client hasn't said it yet.
    #[schema(required)]
    pub length: Option<i64>,
}

/// The clip with everything, for one reader. Only its owner learns where its upload goes on.
pub async fn clip(state: &AppState, tx: &mut Tx, reader: &Principal, id: &ClipId) -> Result<Clip> {
    let now = At::now();
    let addresses = Addresses { keys: &state.keys, user: &reader.user, now };
    let clip = sql::get(tx, id).await?;
    let detail = sql::detail(tx, clip).await?;
    let own = detail.clip.owner_id == reader.user;
    let shown = detail.clip.state != ClipState::Withdrawn;
    let mut versions = Vec::with_capacity(detail.versions.len());
    for version in &detail.versions {
        versions.push(ClipVersion {
            id: version.id.clone(),
            n: version.n,
            media_state: version.state,
            playable: version.playable() && shown,
            refusal: version.refusal().as_ref().map(Refusal::from),
            media: media(tx, &addresses, version).await?.filter(|_| shown),
            bytes: version.bytes,
            created_at: version.created_at,
        });
    }
    let newest = detail.newest()?;
    let refusal = newest.refusal();
    let ticket = detail.ticket.as_ref().map(|t| ClipTicket {
        state: t.state,
        submitted_at: t.submitted_at,
        due_at: t.due_at,
        mentor: detail.mentor.clone(),
    });
    Ok(Clip {
        title: detail.clip.title.clone(),
        owner: person::find(tx, &detail.clip.owner_id).await?,
        state: detail.clip.state,
        media_state: newest.state,
        state_since: detail.since(),
        what_next: detail.what_next(now, refusal.as_ref()),
        playable: newest.playable() && shown,
        reason: refusal.as_ref().map(|r| r.message.clone()),
        refusal: refusal.as_ref().map(Refusal::from),
        refused_since: detail.refused_since().and_then(Version::refusal).as_ref().map(Refusal::from),
        warnings: newest.warnings(),
        hints: hints_of(newest),
        original_note: if own { retention::note_of(tx, now, &newest.id).await? } else { None },
        assignment: detail.clip.assignment_code.as_deref().map(AssignmentRef::of),
        cohort_id: detail.clip.cohort_id.clone(),
        media: media(tx, &addresses, newest).await?.filter(|_| shown),
        version: newest.id.clone(),
        version_n: newest.n,
        versions,
        can_submit: own && detail.why_not_submit().is_none(),
        ticket,
        upload: if own { open_upload(tx, newest).await? } else { None },
        created_at: detail.clip.created_at,
        id: detail.clip.id,
    })
}

async fn media(tx: &mut Tx, addresses: &Addresses<'_>, version: &Version) -> Result<Option<Media>> {
    let renditions = sql::renditions(tx, &version.id).await?;
    let captions = caption::sql::of_version(tx, &version.id).await?;
    Ok(addresses.media(version, &renditions, captions))
}

async fn open_upload(tx: &mut Tx, version: &Version) -> Result<Option<OpenUpload>> {
    if version.state != MediaState::Uploading {
        return Ok(None);
    }
    let Some(open) = upload::sql::open_of_version(tx, &version.id).await? else { return Ok(None) };
    let offset = upload::sql::durable(tx, &open).await?.offset;
    let url = format!("{BASE}/uploads/{}", open.id);
    Ok(Some(OpenUpload { id: open.id, url, offset, length: open.length }))
}
