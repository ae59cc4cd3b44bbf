//! Her progress, in rows.

use super::rules::{self, Done};
use super::{Answer, CohortRef, Course};
use crate::content;
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Result};
use crate::ids::{CohortId, UserId};
use crate::on;
use crate::time::At;

pub async fn cohort_ref(tx: &mut Tx, id: &CohortId) -> Result<CohortRef> {
    on!(tx, c => sqlx::query_as("select id, series_no, title from cohorts where id = $1").bind(id).fetch_optional(c).await)
        .or_not_found()
}

/// The cohort she learns in now: the one she joined last.
pub async fn current_cohort(tx: &mut Tx, user: &UserId) -> Result<Option<CohortId>> {
    let sql = "select cohort_id from memberships where user_id = $1 and part = 'trainee' and state <> 'withdrawn'
               order by case when state = 'active' then 0 else 1 end, joined_at desc, cohort_id desc limit 1";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(user).fetch_optional(c).await)?)
}

pub async fn lessons_done(tx: &mut Tx, user: &UserId, cohort: &CohortId) -> Result<Done> {
    let sql = "select lesson_code, completed_at from lesson_progress where user_id = $1 and cohort_id = $2";
    let rows: Vec<(String, At)> = on!(tx, c => sqlx::query_as(sql).bind(user).bind(cohort).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

pub async fn answers(tx: &mut Tx, user: &UserId, cohort: &CohortId) -> Result<Vec<Answer>> {
    let sql = "select c.id as clip_id, c.assignment_code, c.title, c.state, c.updated_at,
                 (select count(*) from feedback_items i join clip_versions v on v.id = i.version_id
                  where v.clip_id = c.id and (i.state = 'sent' or i.news)) as unheard
               from clips c where c.owner_id = $1 and c.cohort_id = $2 and c.assignment_code is not null
               order by c.id";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(user).bind(cohort).fetch_all(c).await)?)
}

pub async fn course(tx: &mut Tx, user: &UserId, cohort: &CohortId) -> Result<Course> {
    let reference = cohort_ref(tx, cohort).await?;
    let done = lessons_done(tx, user, cohort).await?;
    let answers = answers(tx, user, cohort).await?;
    Ok(rules::course(content::course(), reference, &done, &answers))
}

/// She finished a lesson. The first time counts; again changes nothing.
pub async fn complete_lesson(tx: &mut Tx, now: At, user: &UserId, cohort: &CohortId, lesson: &str) -> Result<()> {
    content::course().lesson(lesson).ok_or(Error::NotFound)?;
    on!(tx, c => sqlx::query(
            "insert into lesson_progress (user_id, cohort_id, lesson_code, completed_at) values ($1, $2, $3, $4)
             on conflict (user_id, cohort_id, lesson_code) do nothing")
        .bind(user).bind(cohort).bind(lesson).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;
    use crate::course::{Mark, NextKind};
    use crate::review::Outcome;
    use crate::review::testing::{Classroom, clip, reviewed};

    both_databases! {
        a_lesson_is_done_once_and_an_assignment_follows_its_clip(db) {
            let room = Classroom::open(&db).await;
            let mut tx = db.write().await.unwrap();
            assert_eq!(current_cohort(&mut tx, &room.trainee).await.unwrap(), Some(room.cohort.clone()));
            assert_eq!(current_cohort(&mut tx, &room.mentor).await.unwrap(), None);
            for now in [At(7), At(8)] {
                complete_lesson(&mut tx, now, &room.trainee, &room.cohort, "M0-1").await.unwrap();
            }
            assert!(complete_lesson(&mut tx, At(9), &room.trainee, &room.cohort, "M0-99").await.is_err());
            clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A4")).await;
            let before = course(&mut tx, &room.trainee, &room.cohort).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!((before.lessons_done, before.modules[0].lessons[0].completed_at), (1, Some(At(7))));
            assert_eq!((before.next.kind, before.next.code.as_str()), (NextKind::Lesson, "M0-2"));
            assert_eq!((before.assignments[3].state, before.assignments[0].state), (Mark::Draft, Mark::None));

            let returned = reviewed(&db, &room, "A1", 4, Outcome::Return).await;
            let mut tx = db.read().await.unwrap();
            let after = course(&mut tx, &room.trainee, &room.cohort).await.unwrap();
            assert_eq!((after.assignments[0].state, after.assignments[0].clip_id.as_ref()), (Mark::Returned, Some(&returned)));
            assert_eq!((after.next.kind, after.next.clip_id), (NextKind::Feedback, Some(returned)));
            assert!(matches!(course(&mut tx, &room.trainee, &CohortId::new()).await, Err(Error::NotFound)));
        }
    }
}
