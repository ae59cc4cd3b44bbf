//! What becomes of a piece of feedback: what she says of it, where it lies in her next version, and whether it is fixed
//! there. Before and after, side by side, are what a class is measured by (改给我看).

use super::sent;
use super::{FeedbackItem, Item, ItemState, Kind, Place, Verdict, queue};
use crate::clip::sql as clips;
use crate::clip::{Clip, Version};
use crate::db::Tx;
use crate::error::{Error, Refusal, Result};
use crate::ids::{ItemId, UserId, VersionId};
use crate::time::At;
use crate::{audit, on};

/// What she says of one piece.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub enum Mark {
    /// 听到了; also takes back what she said besides.
    Heard,
    /// 试试
    Trying,
    /// 已改, at this moment of a later version.
    Fixed(Place),
    /// 我另有想法. Why is said in a reply.
    Declined,
}

impl Mark {
    fn state(&self) -> ItemState {
        match self {
            Mark::Heard => ItemState::Heard,
            Mark::Trying => ItemState::Trying,
            Mark::Fixed(_) => ItemState::Fixed,
            Mark::Declined => ItemState::Declined,
        }
    }
}

/// Where her mark leads, or why it leads nowhere. What a mentor has verified stays; what she is to do once more is hers
/// again. Praise and questions are heard, and nothing more: a question is answered by a reply.
pub fn marked(kind: Kind, from: ItemState, to: ItemState) -> Result<ItemState, Refusal> {
    let no = |message: &str, next: &str| Err(Refusal::new("cannot_mark", message, next));
    let asks_for_change = matches!(kind, Kind::Fix | Kind::Must);
    match (from, to) {
        (ItemState::Draft, _) => no("这一句老师还没发出来。", "等老师发了再说。"),
        (ItemState::Verified, _) => no("这一处老师已经看过，改好了。", "接着看下一处。"),
        // Hearing it again does not undo that it is to be done once more.
        (ItemState::Again, ItemState::Heard) => Ok(ItemState::Again),
        (_, ItemState::Heard) => Ok(ItemState::Heard),
        (_, ItemState::Trying | ItemState::Fixed | ItemState::Declined) if asks_for_change => Ok(to),
        (_, ItemState::Trying | ItemState::Fixed | ItemState::Declined) => {
            no("这一句不用改。", "听到了就好；想说什么，回老师一句。")
        }
        (_, ItemState::Draft | ItemState::Sent | ItemState::Verified | ItemState::Again) => {
            no("这要由老师来说。", "等老师看过你新拍的一版。")
        }
    }
}

/// Where a moment of one version lies in another: as far into it. What is filmed anew follows the same words at its own pace.
pub fn carried(at_ms: i64, from: Option<i64>, to: Option<i64>) -> i64 {
    match (from, to) {
        (Some(from), Some(to)) if from > 0 => {
            (i128::from(at_ms) * i128::from(to) / i128::from(from)).min(i128::from(to)) as i64
        }
        _ => at_ms,
    }
}

/// Her mark on one piece. Saying it twice changes nothing.
pub async fn mark(tx: &mut Tx, id: &ItemId, reader: &UserId, mark: &Mark) -> Result<FeedbackItem> {
    // Updating the item first makes two marks queue on its row.
    on!(tx, c => sqlx::query("update feedback_items set state = state where id = $1").bind(id).execute(c).await.map(drop))?;
    let (item, clip) = sent::item(tx, id).await?;
    let mut to = marked(item.kind, item.state, mark.state())?;
    // What she takes back leads to where it was: a mentor wanted it done once more.
    if to == ItemState::Heard && item.settled_version_id.is_some() {
        to = ItemState::Again;
    }
    let mut fixed: Option<&Place> = None;
    if let Mark::Fixed(place) = mark {
        let whole = clips::get(tx, &clip).await?;
        later(tx, &whole, &item, &place.version_id, place.at_ms).await?;
        fixed = Some(place);
    }
    let sql = "update feedback_items set state = $2, fixed_version_id = $3, fixed_at_ms = $4 where id = $1";
    on!(&mut *tx, c => sqlx::query(sql).bind(id).bind(to).bind(fixed.map(|p| &p.version_id)).bind(fixed.map(|p| p.at_ms))
        .execute(c).await.map(drop))?;
    if (to, fixed.map(|p| p.at_ms)) != (item.state, item.fixed_at_ms) {
        let now = tx.clock().await?;
        let detail = serde_json::json!({ "item": id, "mark": to, "fixed": fixed });
        audit::append(tx, now, Some(reader), "feedback.marked", clip.as_str(), &detail).await?;
    }
    let (item, _) = sent::item(tx, id).await?;
    sent::shown(tx, item, reader).await
}

/// That version, if it is one of this clip that came after the item's and can be looked at, and the moment lies in it.
async fn later(tx: &mut Tx, clip: &Clip, item: &Item, version: &VersionId, at_ms: i64) -> Result<Version> {
    let before = clips::version(tx, &item.version_id).await?;
    let after = clips::version(tx, version).await?;
    if after.clip_id != clip.id {
        return Err(Error::NotFound);
    }
    if after.n <= before.n || !after.playable() {
        let next = "先传一版新的，等它能看了，再说改在哪里。";
        return Err(Refusal::new("no_later_version", "要在后来拍的一版里，才看得出改没改。", next).into());
    }
    if at_ms < 0 || after.duration_ms.is_some_and(|length| at_ms > length) {
        return Err(
            Refusal::new("not_in_version", "这一秒不在那一版里面。", "在片子里点到改好的地方，再说一次。").into()
        );
    }
    Ok(after)
}

/// A mentor's word on one piece, seen at a moment of a later version, at once and without a review. Who is reviewing that
/// version says it there.
pub async fn verify(
    tx: &mut Tx,
    mentor: &UserId,
    id: &ItemId,
    place: &Place,
    verdict: Verdict,
) -> Result<FeedbackItem> {
    on!(tx, c => sqlx::query("update feedback_items set state = state where id = $1").bind(id).execute(c).await.map(drop))?;
    let (item, clip) = sent::item(tx, id).await?;
    if !matches!(item.kind, Kind::Fix | Kind::Must) {
        return Err(Refusal::new("nothing_to_verify", "这一句没有要改的。", "看看别的几句。").into());
    }
    let clip = clips::get(tx, &clip).await?;
    later(tx, &clip, &item, &place.version_id, place.at_ms).await?;
    let now = tx.clock().await?;
    if item.state == ItemState::Verified && verdict == Verdict::Again {
        return Err(Error::conflict("verified_already", "这一处已经看过，改好了。", "新的要改的，在下一次点评里说。"));
    }
    if let Some(ticket) = queue::of_version(tx, &place.version_id).await? {
        if queue::is_recused(tx, &ticket.id, mentor).await? {
            return Err(Error::conflict("recused", "这一条你回避了。", "让别的老师来看。"));
        }
        if ticket.held_by(now).is_some_and(|holder| holder != mentor) {
            return Err(Error::conflict("being_reviewed", "别的老师正在看这一版。", "等她点评完，再来看。"));
        }
    }
    // Said again, the same is the same.
    let same = item.state == ItemState::from(verdict) && item.settled_version_id.as_ref() == Some(&place.version_id);
    if !same || item.settled_at_ms != Some(place.at_ms) {
        settle(tx, now, mentor, &item, &place.version_id, Some(place.at_ms), verdict).await?;
    }
    let (item, _) = sent::item(tx, id).await?;
    sent::shown(tx, item, mentor).await
}

/// Writes a verdict down: on which version, at which moment of it, by whom.
pub(super) async fn settle(
    tx: &mut Tx,
    now: At,
    mentor: &UserId,
    item: &Item,
    version: &VersionId,
    at_ms: Option<i64>,
    verdict: Verdict,
) -> Result<()> {
    let at_ms = match at_ms {
        Some(at_ms) => clips::version(tx, version).await?.duration_ms.map_or(at_ms, |length| at_ms.min(length)),
        None => place_in(tx, item, version).await?,
    };
    let sql = "update feedback_items set state = $2, settled_version_id = $3, settled_at_ms = $4, settled_by = $5, settled_at = $6
               where id = $1";
    on!(&mut *tx, c => sqlx::query(sql).bind(&item.id).bind(ItemState::from(verdict)).bind(version).bind(at_ms).bind(mentor)
        .bind(now).execute(c).await.map(drop))?;
    let clip = clips::version(tx, version).await?.clip_id;
    let detail = serde_json::json!({ "item": item.id, "version": version, "at_ms": at_ms, "verdict": verdict });
    audit::append(tx, now, Some(mentor), "feedback.settled", clip.as_str(), &detail).await
}

/// Where an item lies in a later version: where she says, or as far into it.
async fn place_in(tx: &mut Tx, item: &Item, version: &VersionId) -> Result<i64> {
    if let (Some(fixed), Some(at_ms)) = (&item.fixed_version_id, item.fixed_at_ms)
        && fixed == version
    {
        return Ok(at_ms);
    }
    let before = clips::version(tx, &item.version_id).await?.duration_ms;
    let after = clips::version(tx, version).await?.duration_ms;
    Ok(carried(item.t_start_ms, before, after))
}

/// Two versions of a clip beside each other, at every moment that was spoken of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = VersionComparison)]
pub struct Comparison {
    pub before: VersionId,
    pub after: VersionId,
    /// In order of time.
    pub points: Vec<Point>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = ComparedPoint)]
pub struct Point {
    pub item: FeedbackItem,
    pub before_ms: i64,
    #[schema(required)]
    pub before_end_ms: Option<i64>,
    pub after_ms: i64,
    /// Nobody has said that it is there: it lies as far into the later one.
    pub guessed: bool,
}

/// Everything said of `before`, and where it lies in `after`.
pub async fn compare(
    tx: &mut Tx,
    clip: &Clip,
    before: &VersionId,
    after: &VersionId,
    reader: &UserId,
) -> Result<Comparison> {
    let (before, after) = (clips::version(tx, before).await?, clips::version(tx, after).await?);
    if before.clip_id != clip.id || after.clip_id != clip.id {
        return Err(Error::NotFound);
    }
    if before.n >= after.n {
        return Err(Refusal::new("not_in_order", "先前的一版要放在前面。", "换一换再看。").into());
    }
    let sql = "select i.* from feedback_items i join reviews r on r.id = i.review_id and r.state = 'sent'
               where i.version_id = $1 order by i.t_start_ms, i.id";
    let items: Vec<Item> = on!(&mut *tx, c => sqlx::query_as(sql).bind(&before.id).fetch_all(c).await)?;
    let mut points = Vec::with_capacity(items.len());
    for item in items {
        let (before_ms, before_end_ms) = (item.t_start_ms, item.t_end_ms);
        let seen = item.settled_version_id.as_ref().filter(|v| **v == after.id).and(item.settled_at_ms);
        let said = item.fixed_version_id.as_ref().filter(|v| **v == after.id).and(item.fixed_at_ms);
        // What she says of it now comes before what a mentor wanted done once more.
        let known = if item.state == ItemState::Fixed { said.or(seen) } else { seen.or(said) };
        let after_ms = known.unwrap_or_else(|| carried(before_ms, before.duration_ms, after.duration_ms));
        let item = sent::shown(tx, item, reader).await?;
        points.push(Point { item, before_ms, before_end_ms, after_ms, guessed: known.is_none() });
    }
    Ok(Comparison { before: before.id, after: after.id, points })
}

#[cfg(test)]
#[path = "fix_tests.rs"]
mod tests;
