//! Tickets and the desk, as the API shows them.

use serde::Serialize;
use weijia_core::access::Principal;
use weijia_core::clip::sql as clips;
use weijia_core::content::{self, Dimension, Gate};
use weijia_core::course::{AssignmentRef, CohortRef, sql::cohort_ref};
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::ids::{ClipId, TicketId, UserId};
use weijia_core::person::{self, Person};
use weijia_core::review::rules::{MAX_FIXES, MIN_PRAISE, why};
use weijia_core::review::{self, Draft, Kind, SentReview, TicketState, draft, sent};
use weijia_core::time::At;

use crate::clip::view as clip_view;
use crate::media::Addresses;
use crate::state::AppState;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Ticket {
    pub id: TicketId,
    pub clip_id: ClipId,
    pub title: String,
    pub trainee: Person,
    pub cohort: CohortRef,
    pub assignment: AssignmentRef,
    pub version_n: i64,
    pub state: TicketState,
    /// Why it lies here now: 第一次交, 改过再交, 快到时限, 已过时限.
    pub why: String,
    pub submitted_at: At,
    pub due_at: At,
    #[schema(required)]
    pub holder: Option<Holder>,
    /// The one who asks holds it.
    pub mine: bool,
    #[schema(required)]
    pub lease_until: Option<At>,
    #[schema(required)]
    pub poster: Option<String>,
    #[schema(required)]
    pub duration_ms: Option<i64>,
    pub playable: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Holder {
    pub id: UserId,
    pub name: String,
}

pub async fn ticket(state: &AppState, tx: &mut Tx, reader: &Principal, ticket: review::Ticket) -> Result<Ticket> {
    let now = tx.clock().await?;
    let addresses = Addresses { keys: &state.keys, user: &reader.user, now };
    let clip = clips::get(tx, &ticket.clip_id).await?;
    let version = clips::version(tx, &ticket.version_id).await?;
    let holder = match ticket.held_by(now) {
        Some(id) => Some(Holder { id: id.clone(), name: person::find(tx, id).await?.name }),
        None => None,
    };
    Ok(Ticket {
        why: why(&ticket, version.n, now).to_owned(),
        mine: holder.as_ref().is_some_and(|h| h.id == reader.user),
        lease_until: ticket.lease_until.filter(|_| holder.is_some()),
        title: clip.title,
        trainee: person::find(tx, &clip.owner_id).await?,
        cohort: cohort_ref(tx, &ticket.cohort_id).await?,
        assignment: AssignmentRef::of(&ticket.assignment_code),
        version_n: version.n,
        poster: addresses.poster(&version),
        duration_ms: version.duration_ms,
        playable: version.playable(),
        state: ticket.state,
        submitted_at: ticket.submitted_at,
        due_at: ticket.due_at,
        id: ticket.id,
        clip_id: ticket.clip_id,
        holder,
    })
}

/// All that a mentor has before her when she answers one clip.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Desk {
    pub ticket: Ticket,
    pub clip: clip_view::Clip,
    pub draft: Draft,
    /// What was sent about earlier versions; in each, what is still open comes first.
    pub earlier: Vec<SentReview>,
    /// Her own answer to this one as the trainee has it, once it was sent.
    #[schema(required)]
    pub sent: Option<SentReview>,
    pub rubric: RubricView,
    pub phrases: Vec<PhraseView>,
    pub limits: Limits,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Rubric)]
pub struct RubricView {
    pub version: String,
    pub dims: Vec<Dimension>,
    pub gates: Vec<Gate>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Phrase)]
pub struct PhraseView {
    pub kind: Kind,
    #[schema(required)]
    pub dim: Option<String>,
    pub text: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Limits {
    pub min_praise: i64,
    pub max_fixes: i64,
}

pub async fn desk(state: &AppState, tx: &mut Tx, reader: &Principal, held: review::Ticket) -> Result<Desk> {
    let rubric = content::rubric();
    let kind =
        |text: &str| [Kind::Praise, Kind::Fix, Kind::Question, Kind::Must].into_iter().find(|k| k.as_str() == text);
    let about_video =
        |code: &str| rubric.video.iter().any(|d| d.code == code) || rubric.gates.iter().any(|g| g.code == code);
    let phrases = content::phrases().iter().filter(|p| p.dim.as_deref().is_none_or(about_video));
    let phrases =
        phrases.filter_map(|p| Some(PhraseView { kind: kind(&p.kind)?, dim: p.dim.clone(), text: p.text.clone() }));
    let draft = draft::load(tx, &held.id, &reader.user).await?;
    let sent = match held.state {
        TicketState::Sent => Some(sent::one(tx, &draft.review_id, &reader.user).await?),
        _ => None,
    };
    Ok(Desk {
        sent,
        clip: clip_view::clip(state, tx, reader, &held.clip_id).await?,
        draft,
        earlier: sent::earlier(tx, &held.clip_id, &held.version_id, &reader.user).await?,
        ticket: ticket(state, tx, reader, held).await?,
        rubric: RubricView { version: rubric.version.clone(), dims: rubric.video.clone(), gates: rubric.gates.clone() },
        phrases: phrases.collect(),
        limits: Limits { min_praise: MIN_PRAISE as i64, max_fixes: MAX_FIXES as i64 },
    })
}
