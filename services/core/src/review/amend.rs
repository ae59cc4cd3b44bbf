//! What a mentor puts otherwise within a day of sending it. The words change, what was decided does not, and what she had
//! said stays beside it.

use super::{SentReview, sent};
use crate::clip::sql as clips;
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{AmendmentId, ClipId, ItemId, ReviewId, UserId, VersionId};
use crate::text::lines;
use crate::time::{At, Millis};
use crate::{audit, on};

/// So long her words are still hers to mend.
pub const WITHIN: Millis = Millis::hours(24);
const WORDS_MAX: usize = 2000;
const ITEM_MAX: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = AmendedPart)]
pub enum Part {
    Summary,
    NextStep,
    Item,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Amendment {
    pub part: Part,
    #[schema(required)]
    pub item_id: Option<ItemId>,
    pub before: String,
    pub after: String,
    pub at: At,
}

pub(super) async fn of(tx: &mut Tx, review: &ReviewId) -> Result<Vec<Amendment>> {
    let sql =
        "select part, item_id, before, after, at from review_amendments where review_id = $1 order by at desc, id desc";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(review).fetch_all(c).await)?)
}

/// The words as they are to be; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
pub struct Amend {
    #[serde(default)]
    pub summary: Option<String>,
    #[serde(default)]
    pub next_step: Option<String>,
    #[serde(default)]
    pub items: Vec<AmendedItem>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
pub struct AmendedItem {
    pub item_id: ItemId,
    pub body: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Change {
    part: Part,
    item_id: Option<ItemId>,
    before: String,
    after: String,
}

/// What differs, in words that may be sent. Pure.
fn changes(review: &SentReview, amend: &Amend) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let mut put = |part, item_id: Option<ItemId>, before: &str, after: &str, most: usize| {
        let after = lines(after);
        if after == before {
            return Ok(());
        }
        if after.is_empty() {
            return Err(Refusal::new("bad_amendment", "不能改成空的。", "换一句话说，或者先不改。"));
        }
        if after.chars().count() > most {
            return Err(Refusal::new(
                "bad_amendment",
                format!("写得太长了，最多 {most} 个字。"),
                "写短一点，她才记得住。",
            ));
        }
        changes.push(Change { part, item_id, before: before.to_owned(), after });
        Ok(())
    };
    if let Some(summary) = &amend.summary {
        put(Part::Summary, None, &review.summary, summary, WORDS_MAX)?;
    }
    if let Some(next_step) = &amend.next_step {
        put(Part::NextStep, None, &review.next_step, next_step, WORDS_MAX)?;
    }
    for (n, AmendedItem { item_id, body }) in amend.items.iter().enumerate() {
        if amend.items[..n].iter().any(|earlier| earlier.item_id == *item_id) {
            return Err(Refusal::new("bad_amendment", "有一句改了两遍。", "刷新这一页再改。").into());
        }
        let item = review.items.iter().find(|item| item.id == *item_id).ok_or(Error::NotFound)?;
        put(Part::Item, Some(item.id.clone()), &item.body, body, ITEM_MAX)?;
    }
    Ok(changes)
}

/// Puts it otherwise. What she has heard is new to her again; saying the same twice changes nothing.
pub async fn amend(tx: &mut Tx, now: At, mentor: &UserId, id: &ReviewId, amend: &Amend) -> Result<SentReview> {
    let sql =
        tx.locking("select version_id, sent_at from reviews where id = $1 and reviewer_id = $2 and state = 'sent'");
    let (version, sent_at): (VersionId, At) =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(id).bind(mentor).fetch_optional(c).await).or_not_found()?;
    let review = sent::one(tx, id, mentor).await?;
    let changes = changes(&review, amend)?;
    if changes.is_empty() {
        return Ok(review);
    }
    if now - sent_at > WITHIN {
        return Err(Error::conflict("amend_too_late", "发出去超过一天了，改不了了。", "在那一条下面再回她一句。"));
    }
    for Change { part, item_id, before, after } in &changes {
        match (part, item_id) {
            (Part::Summary, _) => {
                on!(&mut *tx, c => sqlx::query("update reviews set summary = $2, updated_at = $3 where id = $1")
                    .bind(id).bind(after).bind(now).execute(c).await.map(drop))?;
            }
            (Part::NextStep, _) => {
                on!(&mut *tx, c => sqlx::query("update reviews set next_step = $2, updated_at = $3 where id = $1")
                    .bind(id).bind(after).bind(now).execute(c).await.map(drop))?;
            }
            (Part::Item, item) => {
                on!(&mut *tx, c => sqlx::query("update feedback_items set body = $2 where id = $1")
                    .bind(item).bind(after).execute(c).await.map(drop))?;
                if let Some(item) = item {
                    sent::news(tx, item).await?;
                }
            }
        }
        let sql = "insert into review_amendments (id, review_id, item_id, part, before, after, at) values ($1, $2, $3, $4, $5, $6, $7)";
        on!(&mut *tx, c => sqlx::query(sql).bind(AmendmentId::new()).bind(id).bind(item_id).bind(*part).bind(before).bind(after)
            .bind(now).execute(c).await.map(drop))?;
    }
    let clip = clips::version(tx, &version).await?.clip_id;
    let detail = serde_json::json!({ "review": id, "changes": changes.len() });
    audit::append(tx, now, Some(mentor), "review.amended", clip.as_str(), &detail).await?;
    sent::one(tx, id, mentor).await
}

/// The clip that a sent review of hers is about.
pub async fn clip_of(tx: &mut Tx, id: &ReviewId) -> Result<ClipId> {
    let sql = "select v.clip_id from reviews r join clip_versions v on v.id = r.version_id where r.id = $1 and r.state = 'sent'";
    on!(tx, c => sqlx::query_scalar(sql).bind(id).fetch_optional(c).await).or_not_found()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::review::testing::{Classroom, events, reviewed};
    use crate::review::{ItemState, Outcome};

    fn code<T>(result: Result<T>) -> &'static str {
        match result.err() {
            Some(Error::Refused(r) | Error::Conflict(r)) => r.code,
            Some(Error::NotFound) => "not_found",
            Some(other) => panic!("{other}"),
            None => "ok",
        }
    }

    both_databases! {
        words_are_mended_within_a_day_and_what_was_said_stays_beside_them(db) {
            let room = Classroom::open(&db).await;
            let clip = reviewed(&db, &room, "A1", 4, Outcome::Return).await;
            let mut tx = db.write().await.unwrap();
            let review = sent::of_clip(&mut tx, &clip, &room.mentor).await.unwrap().remove(0);
            assert_eq!(clip_of(&mut tx, &review.id).await.unwrap(), clip);
            let item = review.items.iter().find(|i| i.body == "离手机近一点").unwrap().id.clone();
            sent::hear(&mut tx, &item, &room.trainee).await.unwrap();
            let now = review.sent_at + Millis::hours(1);
            let change = Amend {
                summary: Some("讲得很清楚".into()),
                next_step: Some(review.next_step.clone()),
                items: vec![AmendedItem { item_id: item.clone(), body: "离手机再近一尺".into() }],
            };
            for _ in 0..2 {
                let amended = amend(&mut tx, now, &room.mentor, &review.id, &change).await.unwrap();
                assert_eq!((amended.summary.as_str(), amended.outcome, amended.total), ("讲得很清楚", review.outcome, review.total));
                let before: Vec<_> = amended.amendments.iter().map(|a| (a.part, a.before.as_str())).collect();
                assert_eq!(before.len(), 2, "{before:?}");
                assert!(before.contains(&(Part::Summary, "讲得清楚")) && before.contains(&(Part::Item, "离手机近一点")));
                let hers = amended.items.iter().find(|i| i.id == item).unwrap();
                assert_eq!((hers.body.as_str(), hers.state), ("离手机再近一尺", ItemState::Sent), "new to her again");
            }
            assert_eq!(events(&mut tx, "review.amended", clip.as_str()).await, 1);
            let empty = Amend { summary: Some("  ".into()), ..Amend::default() };
            assert_eq!(code(amend(&mut tx, now, &room.mentor, &review.id, &empty).await), "bad_amendment");
            let long = Amend { next_step: Some("长".repeat(2001)), ..Amend::default() };
            assert_eq!(code(amend(&mut tx, now, &room.mentor, &review.id, &long).await), "bad_amendment");
            let foreign = Amend { items: vec![AmendedItem { item_id: ItemId::new(), body: "x".into() }], ..Amend::default() };
            assert_eq!(code(amend(&mut tx, now, &room.mentor, &review.id, &foreign).await), "not_found");
            let other = Amend { summary: Some("好".into()), ..Amend::default() };
            assert_eq!(code(amend(&mut tx, now, &room.second_mentor, &review.id, &other).await), "not_found");
            let late = review.sent_at + WITHIN + Millis(1);
            assert_eq!(code(amend(&mut tx, late, &room.mentor, &review.id, &other).await), "amend_too_late");
            assert_eq!(code(amend(&mut tx, late, &room.mentor, &review.id, &change).await), "ok", "the same is no change");
        }
    }
}
