//! What was sent, as its two readers see it: the trainee, who hears and answers, and the mentor of the next version.

use super::draft::items_of;
use super::{FeedbackItem, Item, ItemState, Kind, Outcome, Place, Reply, SentReview, Verdict, amend};
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{ClipId, ItemId, ReplyId, ReviewId, UserId, VersionId};
use crate::on;
use crate::text::lines;
use crate::time::At;

impl From<Verdict> for ItemState {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Verified => ItemState::Verified,
            Verdict::Again => ItemState::Again,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ReviewId,
    version_id: VersionId,
    version_n: i64,
    mentor: String,
    outcome: Option<Outcome>,
    summary: String,
    next_step: String,
    total: Option<i64>,
    scores: String,
    sent_at: Option<At>,
}

const COLUMNS: &str =
    "r.id, r.version_id, v.n as version_n, u.display_name as mentor, r.outcome, r.summary, r.next_step,
    r.total, r.scores, r.sent_at";

/// All that was sent about a clip, the newest first.
pub async fn of_clip(tx: &mut Tx, clip: &ClipId, reader: &UserId) -> Result<Vec<SentReview>> {
    let sql = format!(
        "select {COLUMNS} from reviews r join clip_versions v on v.id = r.version_id join users u on u.id = r.reviewer_id
         where v.clip_id = $1 and r.state = 'sent' order by r.sent_at desc, r.id desc"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<Row> = on!(tx, c => sqlx::query_as(sql).bind(clip).fetch_all(c).await)?;
    let mut reviews = Vec::with_capacity(rows.len());
    for row in rows {
        reviews.push(of_row(tx, row, reader).await?);
    }
    Ok(reviews)
}

/// The reviews of the versions before this one, with what is still open first.
pub async fn earlier(tx: &mut Tx, clip: &ClipId, version: &VersionId, reader: &UserId) -> Result<Vec<SentReview>> {
    let mut reviews = of_clip(tx, clip, reader).await?;
    reviews.retain(|r| r.version_id != *version);
    for review in &mut reviews {
        review.items.sort_by_key(|i| {
            let open = matches!(i.kind, Kind::Fix | Kind::Must) && i.state != ItemState::Verified;
            (!open, i.kind != Kind::Must, i.t_start_ms)
        });
    }
    Ok(reviews)
}

pub async fn one(tx: &mut Tx, id: &ReviewId, reader: &UserId) -> Result<SentReview> {
    let sql = format!(
        "select {COLUMNS} from reviews r join clip_versions v on v.id = r.version_id join users u on u.id = r.reviewer_id
         where r.id = $1 and r.state = 'sent'"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let row: Row = on!(tx, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await).or_not_found()?;
    of_row(tx, row, reader).await
}

async fn of_row(tx: &mut Tx, row: Row, reader: &UserId) -> Result<SentReview> {
    let mut items = Vec::new();
    for item in items_of(tx, &row.id).await? {
        items.push(shown(tx, item, reader).await?);
    }
    let amendments = amend::of(tx, &row.id).await?;
    let damaged = || Error::Damaged(format!("{} was sent without an outcome", row.id));
    Ok(SentReview {
        outcome: row.outcome.ok_or_else(damaged)?,
        sent_at: row.sent_at.ok_or_else(damaged)?,
        scores: serde_json::from_str(&row.scores).map_err(|e| Error::Damaged(e.to_string()))?,
        id: row.id,
        version_id: row.version_id,
        version_n: row.version_n,
        mentor: row.mentor,
        summary: row.summary,
        next_step: row.next_step,
        total: row.total,
        items,
        amendments,
    })
}

pub(super) async fn shown(tx: &mut Tx, item: Item, reader: &UserId) -> Result<FeedbackItem> {
    let rows: Vec<(ReplyId, UserId, String, String, At)> = on!(tx, c => sqlx::query_as(
            "select p.id, p.author_id, u.display_name, p.body, p.created_at from feedback_replies p
             join users u on u.id = p.author_id where p.item_id = $1 order by p.created_at, p.id")
        .bind(&item.id).fetch_all(c).await)?;
    let reply =
        |(id, author_id, author, body, created_at)| Reply { id, author, mine: author_id == *reader, body, created_at };
    let place = |version: Option<VersionId>, at_ms: Option<i64>| Some(Place { version_id: version?, at_ms: at_ms? });
    Ok(FeedbackItem {
        news: item.news,
        fixed: place(item.fixed_version_id, item.fixed_at_ms),
        settled: place(item.settled_version_id, item.settled_at_ms),
        id: item.id,
        kind: item.kind,
        t_start_ms: item.t_start_ms,
        t_end_ms: item.t_end_ms,
        dim: item.dim,
        body: item.body,
        state: item.state,
        replies: rows.into_iter().map(reply).collect(),
    })
}

/// Who wrote an item.
pub async fn author_of(tx: &mut Tx, item: &Item) -> Result<UserId> {
    let sql = "select reviewer_id from reviews where id = $1";
    on!(tx, c => sqlx::query_scalar(sql).bind(&item.review_id).fetch_optional(c).await).or_not_found()
}

/// A sent item and the clip it hangs on. A draft's items don't exist for anybody but its mentor.
pub async fn item(tx: &mut Tx, id: &ItemId) -> Result<(Item, ClipId)> {
    let item: Item = on!(tx, c => sqlx::query_as("select * from feedback_items where id = $1 and state <> 'draft'")
        .bind(id).fetch_optional(c).await)
    .or_not_found()?;
    let sql = "select clip_id from clip_versions where id = $1";
    let clip = on!(tx, c => sqlx::query_scalar(sql).bind(&item.version_id).fetch_one(c).await)?;
    Ok((item, clip))
}

/// She heard it. What her mentor has settled since stays settled.
pub async fn hear(tx: &mut Tx, id: &ItemId, reader: &UserId) -> Result<FeedbackItem> {
    on!(tx, c => sqlx::query("update feedback_items set state = case when state = 'sent' then 'heard' else state end, news = false where id = $1")
        .bind(id).execute(c).await.map(drop))?;
    let (item, _) = item(tx, id).await?;
    shown(tx, item, reader).await
}

pub const REPLY_MAX: usize = 500;
/// One person to one item: a conversation, not a flood.
const REPLIES_MAX: i64 = 50;

/// Who has a word in a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Whose clip it is. Who answers has heard.
    Owner,
    /// Whoever wrote the item. What she adds is new to the owner.
    Mentor,
}

/// An answer to one item. The same words twice in a row are one answer that was sent twice.
pub async fn reply(
    tx: &mut Tx,
    now: At,
    id: &ItemId,
    author: &UserId,
    speaker: Speaker,
    body: &str,
) -> Result<FeedbackItem> {
    let body = lines(body);
    if body.is_empty() || body.chars().count() > REPLY_MAX {
        let message = format!("回复要有字，最多 {REPLY_MAX} 个字");
        return Err(Refusal::new("bad_reply", message, "改一改再发").into());
    }
    // Updating the item first makes two equal replies queue on its row. Who answers has heard.
    let heard = if speaker == Speaker::Owner { ItemState::Heard } else { ItemState::Sent };
    on!(tx, c => sqlx::query("update feedback_items set state = case when state = 'sent' then $2 else state end where id = $1")
        .bind(id).bind(heard).execute(c).await.map(drop))?;
    let last: Option<(UserId, String)> = on!(tx, c => sqlx::query_as(
            "select author_id, body from feedback_replies where item_id = $1 order by created_at desc, id desc limit 1")
        .bind(id).fetch_optional(c).await)?;
    if last.as_ref().is_none_or(|(who, said)| (who, said) != (author, &body)) {
        let sql = "select count(*) from feedback_replies where item_id = $1 and author_id = $2";
        let said: i64 = on!(tx, c => sqlx::query_scalar(sql).bind(id).bind(author).fetch_one(c).await)?;
        if said >= REPLIES_MAX {
            let message = format!("这一条你已经回了 {said} 次。");
            return Err(Refusal::new("replies_enough", message, "还有话说，打个电话给老师更清楚。").into());
        }
        on!(tx, c => sqlx::query("insert into feedback_replies (id, item_id, author_id, body, created_at) values ($1, $2, $3, $4, $5)")
            .bind(ReplyId::new()).bind(id).bind(author).bind(&body).bind(now).execute(c).await.map(drop))?;
        if speaker == Speaker::Mentor {
            news(tx, id).await?;
        }
    }
    let (item, _) = item(tx, id).await?;
    shown(tx, item, author).await
}

/// Something was added that she has not heard: where she had no more to do with it than hear it, it is new to her again.
pub(super) async fn news(tx: &mut Tx, id: &ItemId) -> Result<()> {
    let sql = "update feedback_items set state = case when state = 'heard' then 'sent' else state end, news = true where id = $1";
    Ok(on!(tx, c => sqlx::query(sql).bind(id).execute(c).await.map(drop))?)
}

/// How much she has been sent on this clip and not heard yet.
pub async fn unheard_of_clip(tx: &mut Tx, clip: &ClipId) -> Result<i64> {
    let sql = "select count(*) from feedback_items i join clip_versions v on v.id = i.version_id
               where v.clip_id = $1 and (i.state = 'sent' or i.news)";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(clip).fetch_one(c).await)?)
}
