//! What a mentor is writing, and the moment she sends it.

use super::queue;
use super::rules::{self, Judged, Open};
use super::{
    Draft, DraftInput, DraftItem, Item, ItemState, Outcome, ReviewRow, SentReview, Settled, Ticket, TicketState, fix,
    sent,
};
use crate::clip::ClipEvent;
use crate::clip::sql::advance;
use crate::db::Tx;
use crate::error::{Error, Refusal, Result};
use crate::ids::{ClipId, ItemId, ReviewId, TicketId, UserId};
use crate::text::lines;
use crate::time::At;
use crate::{audit, content, on};

pub(super) async fn row(tx: &mut Tx, ticket: &TicketId, mentor: &UserId) -> Result<Option<ReviewRow>> {
    let sql = "select * from reviews where ticket_id = $1 and reviewer_id = $2";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(ticket).bind(mentor).fetch_optional(c).await)?)
}

/// The draft of who holds the ticket, begun blank the first time: opening never scores.
pub async fn begin(tx: &mut Tx, now: At, ticket: &Ticket, mentor: &UserId) -> Result<()> {
    let rubric = content::rubric();
    let (scores, gates) = rules::blank(rubric);
    on!(tx, c => sqlx::query(
            "insert into reviews (id, ticket_id, version_id, reviewer_id, rubric_version, state, summary, next_step,
                                  scores, gates, settled, draft_rev, created_at, updated_at)
             values ($1, $2, $3, $4, $5, 'drafting', '', '', $6, $7, '[]', 0, $8, $8)
             on conflict (ticket_id, reviewer_id) do nothing")
        .bind(ReviewId::new()).bind(&ticket.id).bind(&ticket.version_id).bind(mentor).bind(&rubric.version)
        .bind(json(&scores)?).bind(json(&gates)?).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

pub async fn load(tx: &mut Tx, ticket: &TicketId, mentor: &UserId) -> Result<Draft> {
    let row = row(tx, ticket, mentor).await?.ok_or(Error::NotFound)?;
    of_row(tx, row).await
}

async fn of_row(tx: &mut Tx, row: ReviewRow) -> Result<Draft> {
    let items = items_of(tx, &row.id).await?;
    let item = |i: Item| DraftItem {
        id: Some(i.id),
        kind: i.kind,
        t_start_ms: i.t_start_ms,
        t_end_ms: i.t_end_ms,
        dim: i.dim,
        body: i.body,
    };
    Ok(Draft {
        rev: row.draft_rev,
        items: items.into_iter().map(item).collect(),
        scores: read(&row.scores)?,
        gates: read(&row.gates)?,
        settled: read(&row.settled)?,
        summary: row.summary,
        next_step: row.next_step,
        outcome: row.outcome,
        review_id: row.id,
    })
}

pub(super) async fn items_of(tx: &mut Tx, review: &ReviewId) -> Result<Vec<Item>> {
    let sql = "select * from feedback_items where review_id = $1 order by t_start_ms, created_at, id";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(review).fetch_all(c).await)?)
}

/// What was asked on earlier versions and is not verified, `must` first.
pub async fn earlier_open(tx: &mut Tx, clip: &ClipId, ticket: &Ticket) -> Result<Vec<Open>> {
    let sql = "select i.* from feedback_items i
               join reviews r on r.id = i.review_id and r.state = 'sent'
               join review_tickets t on t.id = r.ticket_id
               where t.clip_id = $1 and i.version_id <> $2 and i.kind in ('fix', 'must') and i.state not in ('draft', 'verified')
               order by case when i.kind = 'must' then 0 else 1 end, i.t_start_ms, i.id";
    let items: Vec<Item> = on!(tx, c => sqlx::query_as(sql).bind(clip).bind(&ticket.version_id).fetch_all(c).await)?;
    Ok(items.into_iter().map(|i| Open { id: i.id, kind: i.kind, body: i.body }).collect())
}

/// What became of a save.
#[derive(Debug)]
pub enum Saved {
    Kept(Draft),
    /// Kept too, but the ticket is another mentor's now.
    KeptWithoutTicket,
}

/// Keeps the draft if it was based on what is kept; else nothing changes on either side. The draft of a lease that ran
/// out is still hers: writing on takes the ticket up again where nobody else has.
pub async fn save(tx: &mut Tx, id: &TicketId, mentor: &UserId, input: DraftInput) -> Result<Saved> {
    let input = as_kept(input);
    let (clip, ticket) = queue::lock_both(tx, id).await?;
    let row = row(tx, id, mentor).await?.ok_or(Error::NotFound)?;
    if row.state != "drafting" {
        return Err(Error::conflict("review_sent", "这份点评已经发出去了", "回队列，看下一条"));
    }
    match ticket.state {
        TicketState::Sent => {
            return Err(Error::conflict("ticket_sent", "别的老师已经点评了这一条", "回队列，看下一条"));
        }
        TicketState::Cancelled => {
            return Err(Error::conflict("ticket_cancelled", "她把这一条收回去了", "回队列，看下一条"));
        }
        TicketState::Waiting | TicketState::Claimed => {}
    }
    let rubric = content::rubric();
    rules::check_length(&input)?;
    rules::check(&input.items, &input.scores, &input.gates, rubric)?;
    let earlier = earlier_open(tx, &clip.id, &ticket).await?;
    let mut input = input;
    let mut done = Vec::new();
    for settled in &input.settled {
        if earlier.iter().all(|open| open.id != settled.item_id) {
            // Verified meanwhile, and nothing is left to say of it; or never of this clip.
            let (item, of) = sent::item(tx, &settled.item_id).await?;
            if of != clip.id || item.state != ItemState::Verified {
                return Err(Error::NotFound);
            }
            done.push(item.id);
        }
    }
    input.settled.retain(|settled| !done.contains(&settled.item_id));
    if input.rev != row.draft_rev {
        let kept = of_row(tx, row).await?;
        // The answer to the same save was lost on the way: give it again.
        if kept.rev.checked_sub(1) == Some(input.rev) && same(&kept, &input) {
            return Ok(Saved::Kept(kept));
        }
        let next = "先看看那边写了什么，再接着写；你这里的字还在";
        return Err(Error::conflict("draft_is_old", "这份点评在别的页面上改过了", next));
    }
    let now = tx.clock().await?;
    keep(tx, now, &row, input).await?;
    match ticket.held_by(now) {
        Some(holder) if holder == mentor => queue::renew(tx, now, &ticket).await?,
        Some(_) => return Ok(Saved::KeptWithoutTicket),
        None => queue::claim(tx, id, mentor).await?,
    }
    Ok(Saved::Kept(load(tx, id, mentor).await?))
}

async fn keep(tx: &mut Tx, now: At, row: &ReviewRow, input: DraftInput) -> Result<()> {
    let (mut scores, mut gates) = rules::blank(content::rubric());
    scores.extend(input.scores);
    gates.extend(input.gates);
    let rows = on!(tx, c => sqlx::query(
            "update reviews set scores = $3, gates = $4, settled = $5, summary = $6, next_step = $7, outcome = $8,
                                draft_rev = draft_rev + 1, updated_at = $9
             where id = $1 and draft_rev = $2 and state = 'drafting'")
        .bind(&row.id).bind(row.draft_rev).bind(json(&scores)?).bind(json(&gates)?).bind(json(&input.settled)?)
        .bind(&input.summary).bind(&input.next_step).bind(input.outcome).bind(now)
        .execute(c).await.map(|r| r.rows_affected()))?;
    if rows != 1 {
        return Err(Error::conflict("draft_is_old", "这份点评刚刚在别处改过", "刷新这一页再接着写"));
    }
    let mut left: Vec<ItemId> = items_of(tx, &row.id).await?.into_iter().map(|i| i.id).collect();
    for item in input.items {
        // An id is kept only where it was given by us, for this draft, and once. What hangs on an item stays with it.
        let known = item.id.and_then(|id| Some(left.swap_remove(left.iter().position(|known| *known == id)?)));
        let id = known.unwrap_or_else(ItemId::new);
        on!(tx, c => sqlx::query(
                "insert into feedback_items (id, review_id, version_id, t_start_ms, t_end_ms, kind, dim, body, state, created_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, 'draft', $9)
                 on conflict (id) do update set t_start_ms = excluded.t_start_ms, t_end_ms = excluded.t_end_ms,
                   kind = excluded.kind, dim = excluded.dim, body = excluded.body")
            .bind(&id).bind(&row.id).bind(&row.version_id).bind(item.t_start_ms).bind(item.t_end_ms).bind(item.kind)
            .bind(&item.dim).bind(&item.body).bind(now).execute(c).await.map(drop))?;
    }
    for id in left {
        on!(tx, c => sqlx::query("delete from feedback_items where id = $1").bind(&id).execute(c).await.map(drop))?;
    }
    Ok(())
}

fn as_kept(input: DraftInput) -> DraftInput {
    let item = |item: DraftItem| DraftItem { body: lines(&item.body), ..item };
    DraftInput {
        items: input.items.into_iter().map(item).collect(),
        summary: lines(&input.summary),
        next_step: lines(&input.next_step),
        ..input
    }
}

/// Whether the kept draft is what that save asked for, apart from the ids given meanwhile.
fn same(kept: &Draft, input: &DraftInput) -> bool {
    let plain = |items: &[DraftItem]| {
        let mut items: Vec<DraftItem> = items.to_vec();
        for item in &mut items {
            item.id = None;
        }
        items.sort_by(|a, b| (a.t_start_ms, &a.body).cmp(&(b.t_start_ms, &b.body)));
        items
    };
    let scores = kept.scores.iter().filter(|(_, v)| v.is_some());
    let gates = kept.gates.iter().filter(|(_, v)| v.is_some());
    plain(&kept.items) == plain(&input.items)
        && scores.eq(input.scores.iter().filter(|(_, v)| v.is_some()))
        && gates.eq(input.gates.iter().filter(|(_, v)| v.is_some()))
        && (&kept.summary, &kept.next_step) == (&input.summary, &input.next_step)
        && (kept.outcome, &kept.settled) == (input.outcome, &input.settled)
}

/// Sends what was kept at `rev`: the trainee gets it, the ticket closes and the clip moves, all at once. Sending again
/// answers the same.
pub async fn send(tx: &mut Tx, id: &TicketId, mentor: &UserId, rev: i64, outcome: Outcome) -> Result<SentReview> {
    let (clip, ticket) = queue::lock_both(tx, id).await?;
    let row = row(tx, id, mentor).await?.ok_or(Error::NotFound)?;
    if row.state == "sent" {
        if row.outcome == Some(outcome) {
            return sent::one(tx, &row.id, mentor).await;
        }
        return Err(Error::conflict("review_sent", "这份点评已经发出去了，改不了结果", "回队列，看下一条"));
    }
    if ticket.state != TicketState::Claimed || ticket.holder_id.as_ref() != Some(mentor) {
        return Err(Error::conflict("lease_lost", "放得太久，这一条已经回到队列", "再领一次，写的都还在"));
    }
    if row.draft_rev != rev {
        return Err(Error::conflict("draft_is_old", "还有刚写的没存上，或者在别的页面改过", "等它存好，看一眼再发"));
    }
    let draft = of_row(tx, row).await?;
    let earlier = earlier_open(tx, &clip.id, &ticket).await?;
    let rubric = content::rubric();
    let judged = Judged {
        items: &draft.items,
        scores: &draft.scores,
        gates: &draft.gates,
        settled: &draft.settled,
        earlier: &earlier,
    };
    let missing = rules::missing(&judged, rubric, outcome)?;
    if !missing.is_empty() {
        let message = format!("还不能发：{}。", missing.join("；"));
        return Err(Refusal::new("review_incomplete", message, "补上这几处，再点发送").into());
    }
    let now = tx.clock().await?;
    let total = rules::total(&draft.scores, rubric, &draft.gates);
    on!(tx, c => sqlx::query(
            "update reviews set state = 'sent', outcome = $2, total = $3, sent_at = $4, updated_at = $4 where id = $1")
        .bind(&draft.review_id).bind(outcome).bind(total).bind(now).execute(c).await.map(drop))?;
    on!(tx, c => sqlx::query("update feedback_items set state = 'sent' where review_id = $1 and state = 'draft'")
        .bind(&draft.review_id).execute(c).await.map(drop))?;
    for Settled { item_id, verdict, at_ms } in &draft.settled {
        let (item, _) = sent::item(tx, item_id).await?;
        if item.state != ItemState::Verified {
            fix::settle(tx, now, mentor, &item, &ticket.version_id, *at_ms, *verdict).await?;
        }
    }
    on!(tx, c => sqlx::query("update review_tickets set state = 'sent', lease_until = null, sent_at = $2 where id = $1")
        .bind(id).bind(now).execute(c).await.map(drop))?;
    let event = match outcome {
        Outcome::Pass => ClipEvent::Pass,
        Outcome::Return => ClipEvent::Return,
    };
    advance(tx, now, &clip, event).await?;
    let detail = serde_json::json!({ "review": draft.review_id, "outcome": outcome, "total": total });
    audit::append(tx, now, Some(mentor), "review.sent", clip.id.as_str(), &detail).await?;
    sent::one(tx, &draft.review_id, mentor).await
}

/// Who may see her desk for this ticket: who holds it, or who sent it.
pub async fn may_open(tx: &mut Tx, ticket: &Ticket, mentor: &UserId, now: At) -> Result<bool> {
    let holds = ticket.held_by(now) == Some(mentor);
    Ok(holds || row(tx, &ticket.id, mentor).await?.is_some_and(|r| r.state == "sent"))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::Damaged(e.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::Damaged(format!("review: {e}")))
}
