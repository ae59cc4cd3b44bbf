//! The story of one clip, told from its rows: what `weijia trace` prints.

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ids::ClipId;
use crate::on;
use crate::time::At;

#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    pub at: At,
    pub words: String,
}

/// Everything that happened to a clip, the oldest first.
pub async fn tell(tx: &mut Tx, clip: &ClipId) -> Result<Vec<Event>> {
    let mut events: Vec<Event> = Vec::new();
    let mut tell = |at: At, words: String| events.push(Event { at, words });

    let about: Option<(At, String, String, String)> = on!(&mut *tx, c => sqlx::query_as(
        "select k.created_at, k.title, k.state, u.display_name from clips k join users u on u.id = k.owner_id where k.id = $1")
        .bind(clip).fetch_optional(c).await)?;
    let (created, title, state, owner) = about.ok_or(Error::NotFound)?;
    tell(created, format!("{owner}建了片子《{title}》，现在{}", said(&state)));

    type UploadRow = (At, At, String, Option<i64>, String, i64);
    let uploads: Vec<UploadRow> = on!(&mut *tx, c => sqlx::query_as(
        "select p.created_at, p.updated_at, p.id, p.length, p.state, v.n from uploads p join clip_versions v on v.id = p.version_id
         where p.clip_id = $1 order by p.id")
        .bind(clip).fetch_all(c).await)?;
    for (began, changed, id, length, state, n) in uploads {
        let length = length.map(|length| format!("，共 {length} 字节")).unwrap_or_default();
        tell(began, format!("第 {n} 版开始上传 {id}{length}"));
        tell(changed, format!("第 {n} 版的上传{}", said(&state)));
    }

    type VersionRow = (i64, Option<At>, Option<At>, Option<At>, String, Option<String>, Option<String>);
    let versions: Vec<VersionRow> = on!(&mut *tx, c => sqlx::query_as(
        "select n, received_at, playable_at, ready_at, state, reason_code, sha256 from clip_versions where clip_id = $1 order by n")
        .bind(clip).fetch_all(c).await)?;
    for (n, received, playable, ready, state, reason, sha256) in versions {
        if let Some(at) = received {
            let hash = sha256.map(|hash| format!("，sha256 {hash}")).unwrap_or_default();
            tell(at, format!("第 {n} 版收齐并核对过{hash}"));
        }
        if let Some(at) = playable {
            tell(at, format!("第 {n} 版能播放了"));
        }
        if let Some(at) = ready {
            tell(at, format!("第 {n} 版各档清晰度都好了"));
        }
        if let Some(reason) = reason {
            tell(received.unwrap_or(created), format!("第 {n} 版{}：{reason}", said(&state)));
        }
    }

    type JobRow = (At, String, String, i64, Option<String>, Option<String>);
    let jobs: Vec<JobRow> = on!(&mut *tx, c => sqlx::query_as(
        "select j.updated_at, j.kind, j.state, j.attempt, j.worker, j.reason from jobs j join clip_versions v on v.id = j.subject
         where v.clip_id = $1 order by j.id")
        .bind(clip).fetch_all(c).await)?;
    for (at, kind, state, attempt, worker, reason) in jobs {
        let by = worker.map(|w| format!("，{w}")).unwrap_or_default();
        let why = reason.map(|r| format!("：{r}")).unwrap_or_default();
        tell(at, format!("{}：{}（第 {attempt} 次{by}）{why}", said(&kind), said(&state)));
    }

    type AttemptRow = (At, Option<At>, String, i64, String, Option<String>, Option<String>);
    let attempts: Vec<AttemptRow> = on!(&mut *tx, c => sqlx::query_as(
        "select a.began_at, a.ended_at, j.kind, a.attempt, a.worker, a.outcome, a.words
         from job_attempts a join jobs j on j.id = a.job_id join clip_versions v on v.id = j.subject
         where v.clip_id = $1 order by j.id, a.attempt")
        .bind(clip).fetch_all(c).await)?;
    for (began, ended, kind, attempt, worker, outcome, words) in attempts {
        let words = words.map(|w| format!("：{w}")).unwrap_or_default();
        let outcome = outcome.as_deref().map_or("在做", how_an_attempt_ended);
        tell(ended.unwrap_or(began), format!("{}，第 {attempt} 次（{worker}）{outcome}{words}", said(&kind)));
    }

    type TicketRow = (At, Option<At>, String, String, Option<String>);
    let tickets: Vec<TicketRow> = on!(&mut *tx, c => sqlx::query_as(
        "select t.submitted_at, t.sent_at, t.state, t.assignment_code, u.display_name from review_tickets t
         left join users u on u.id = t.holder_id where t.clip_id = $1 order by t.id")
        .bind(clip).fetch_all(c).await)?;
    for (submitted, sent, state, assignment, holder) in tickets {
        tell(submitted, format!("交作业 {assignment}，排队等点评，现在{}", said(&state)));
        if let Some(at) = sent {
            tell(at, format!("{}老师的点评发出", holder.as_deref().unwrap_or("")));
        }
    }

    let accesses: Vec<(At, String, Option<String>)> = on!(&mut *tx, c => sqlx::query_as(
        "select a.at, a.action, u.display_name from audit_events a left join users u on u.id = a.actor_id where a.subject = $1 order by a.seq")
        .bind(clip.as_str()).fetch_all(c).await)?;
    for (at, action, actor) in accesses {
        tell(at, format!("{} {}", actor.as_deref().unwrap_or("系统"), said(&action)));
    }
    events.sort_by_key(|e| e.at);
    Ok(events)
}

fn how_an_attempt_ended(outcome: &str) -> &str {
    match outcome {
        "done" => "做完了",
        "failed" => "没有做成",
        "died" => "做到一半停了",
        "postponed" => "在等存储、数据库或磁盘",
        "handed_back" => "交回去了",
        "gone" => "没了音信",
        "cancelled" => "取消了",
        other => other,
    }
}

/// A state or an action in an operator's words; one without words here is told by its name.
fn said(name: &str) -> &str {
    match name {
        "draft" => "是草稿",
        "submitted" => "等老师看",
        "reviewing" => "老师在看",
        "returned" => "请她再拍",
        "passed" => "通过了",
        "withdrawn" => "收回了",
        "open" | "uploading" => "还在传",
        "completing" => "在合并",
        "complete" => "传完了",
        "failed" => "没有成",
        "terminated" | "abandoned" => "不传了",
        "ready" => "在排队",
        "leased" => "在做",
        "done" => "做完了",
        "dead" => "做不成，放弃了",
        "cancelled" => "取消了",
        "prepare" => "先让它能放",
        "ladder" => "做各档清晰度",
        "other_rungs" => "补齐其余清晰度",
        "waiting" => "在排队",
        "claimed" => "老师拿着",
        "sent" => "回完了",
        "clip.looked" => "看了这条片子",
        "review.claimed" => "拿去点评",
        "review.sent" => "发出了点评",
        "review.escalated" => "等得太久，往上报了一级",
        "clip.retracted" => "交上去又拿回来改",
        "review.amended" => "改了点评里的几个字",
        "review.recused" => "回避了，换别的老师看",
        "feedback.marked" => "说了这一处怎么办",
        "feedback.settled" => "看了改没改好",
        "clip.withdrawn" => "收回了这条片子",
        "clip.original_released" => "原片到期，不再留着",
        "clip.original_lost" => "对账时发现原片丢了",
        "clip.original_found" => "对账时原片找回来了",
        "clip.made_again" => "对账后用原片重做",
        "clip.retried" => "没做成的再做一次",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::job::{self, JobKind};
    use crate::review::Outcome;
    use crate::review::testing::{self, Classroom};
    use crate::time::Millis;

    both_databases! {
        a_clip_tells_its_story_in_order(db) {
            let room = Classroom::open(&db).await;
            let clip = testing::reviewed(&db, &room, "A1", 4, Outcome::Pass).await;
            let mut tx = db.read().await.unwrap();
            let story = tell(&mut tx, &clip).await.unwrap();
            assert!(story.len() >= 3, "{story:?}");
            assert!(story.is_sorted_by_key(|e| e.at));
            assert!(story.iter().any(|e| e.words.contains("交作业")), "{story:?}");
        }

        every_attempt_at_it_is_told_with_its_last_words(db) {
            let room = Classroom::open(&db).await;
            let clip = testing::reviewed(&db, &room, "A1", 4, Outcome::Pass).await;
            let mut tx = db.write().await.unwrap();
            let version: String = on!(&mut tx, c => sqlx::query_scalar("select id from clip_versions where clip_id = $1")
                .bind(&clip).fetch_one(c).await).unwrap();
            let now = tx.clock().await.unwrap();
            job::enqueue(&mut tx, now, JobKind::OtherRungs, &version, &crate::ids::UserId::new()).await.unwrap();
            let lease = job::testing::claim(&mut tx, "zhangjiajie/7", Millis::minutes(1)).await.unwrap().unwrap();
            job::died(&mut tx, &lease, "signal: 11 (SIGSEGV)").await.unwrap();
            on!(&mut tx, c => sqlx::query("update jobs set run_at = 0").execute(c).await.map(drop)).unwrap();
            let lease = job::testing::claim(&mut tx, "zhangjiajie/7", Millis::minutes(1)).await.unwrap().unwrap();
            job::finish(&mut tx, &lease, now).await.unwrap();
            let story = tell(&mut tx, &clip).await.unwrap();
            for words in ["第 1 次（zhangjiajie/7）做到一半停了：signal: 11 (SIGSEGV)", "第 2 次（zhangjiajie/7）做完了"] {
                assert!(story.iter().any(|e| e.words.contains(words)), "{story:?}");
            }
        }

        an_unknown_clip_has_no_story(db) {
            let mut tx = db.read().await.unwrap();
            assert!(matches!(tell(&mut tx, &ClipId::new()).await, Err(Error::NotFound)));
        }
    }
}
