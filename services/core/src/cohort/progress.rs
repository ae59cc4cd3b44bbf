//! Who is where, what waits and since when.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Cohort, CohortSummary, Member, MemberState, Part, rules, sql};
use crate::access::Principal;
use crate::clip::ClipState;
use crate::course::{self, Answer, AssignmentRef, Mark};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ids::{ClipId, CohortId, UserId, VersionId};
use crate::person::{self, Person};
use crate::time::At;
use crate::{content, on, star};

/// The numbers of a cohort's first sentence. Each is the count of the rows that the same word lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// A mentor has yet to answer.
    Waiting,
    /// A mentor has yet to answer, and the promised time is over.
    Overdue,
    /// Returned, and she has yet to film again.
    #[serde(alias = "stuck")]
    Returned,
    Passed,
}

impl Which {
    fn predicate(self) -> &'static str {
        match self {
            Which::Waiting => "t.id is not null",
            Which::Overdue => "t.id is not null and t.due_at < $2",
            Which::Returned => "c.state = 'returned'",
            Which::Passed => "c.state = 'passed'",
        }
    }
}

/// Clips of a cohort's trainees. `$1` is the cohort, `$2` now.
fn from_where(predicate: &str) -> String {
    format!(
        "from clips c
         join memberships m on m.cohort_id = c.cohort_id and m.user_id = c.owner_id and m.part = 'trainee' and m.state <> 'withdrawn'
         join users u on u.id = c.owner_id
         left join review_tickets t on t.clip_id = c.id and t.state in ('waiting', 'claimed')
         left join users h on h.id = t.holder_id and t.state = 'claimed' and t.lease_until > $2
         where c.cohort_id = $1 and c.assignment_code is not null and c.state <> 'withdrawn' and {predicate}"
    )
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CohortClip {
    pub clip_id: ClipId,
    pub owner_id: UserId,
    /// Where its owner lives.
    pub home: String,
    pub title: String,
    pub assignment_code: String,
    pub state: ClipState,
    /// When it came into this state.
    pub since: At,
    pub due_at: Option<At>,
    /// The mentor who has it in hand.
    pub holder: Option<String>,
    /// The newest version that has a picture.
    pub poster_version: Option<VersionId>,
    pub updated_at: At,
}

/// The rows behind a number, as far as `reader` may see them; the number is how many there are. What has been like
/// this longest comes first.
pub async fn clips(tx: &mut Tx, now: At, reader: &Principal, cohort: &Cohort, which: Which) -> Result<Vec<CohortClip>> {
    rows(tx, now, reader, cohort, which.predicate()).await
}

async fn rows(tx: &mut Tx, now: At, reader: &Principal, cohort: &Cohort, predicate: &str) -> Result<Vec<CohortClip>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select c.id as clip_id, c.owner_id, u.region_path as home, c.title, c.assignment_code, c.state, c.updated_at, t.due_at, h.display_name as holder,
           case when t.id is not null then t.submitted_at
                when c.state in ('returned', 'passed') then coalesce(
                  (select max(s.sent_at) from review_tickets s where s.clip_id = c.id and s.state = 'sent'), c.updated_at)
                else c.updated_at end as since,
           (select v.id from clip_versions v where v.clip_id = c.id and v.poster_key is not null order by v.n desc limit 1) as poster_version
         {} order by since, c.id",
        from_where(predicate)
    ));
    let mut rows: Vec<CohortClip> = on!(tx, c => sqlx::query_as(sql).bind(&cohort.id).bind(now).fetch_all(c).await)?;
    rows.retain(|row| rules::sees(reader, cohort, &row.home));
    Ok(rows)
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = CohortProgress)]
pub struct Progress {
    pub cohort: CohortSummary,
    pub sentence: Sentence,
    pub assignments: Vec<AssignmentRef>,
    /// By group and seat.
    pub trainees: Vec<TraineeProgress>,
    pub mentors: Vec<MentorProgress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CohortSentence)]
pub struct Sentence {
    pub waiting: i64,
    pub overdue: i64,
    /// Returned, and not filmed again yet.
    pub stuck: i64,
    pub passed: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TraineeProgress {
    pub person: Person,
    #[schema(required)]
    pub group_no: Option<i64>,
    #[schema(required)]
    pub seat_no: Option<i64>,
    pub state: MemberState,
    pub lessons_done: i64,
    pub lessons_total: i64,
    /// By assignment code.
    #[schema(inline)]
    pub marks: BTreeMap<String, AssignmentMark>,
    #[schema(required)]
    pub waiting: Option<Waiting>,
    #[schema(required)]
    pub last_active_at: Option<At>,
    #[schema(required)]
    pub star_level: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AssignmentMark {
    pub state: Mark,
    #[schema(required)]
    pub since: Option<At>,
    #[schema(required)]
    pub clip_id: Option<ClipId>,
}

/// What stands still with her, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TraineeWaiting)]
pub struct Waiting {
    pub what: String,
    pub since: At,
    #[schema(required)]
    pub clip_id: Option<ClipId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MentorProgress {
    pub id: UserId,
    pub name: String,
    pub sent: i64,
    pub holding: i64,
}

/// The cohort as far as `reader` may see it. Staff of a county whose trainees learn in a wider cohort see their own
/// trainees, and numbers of them alone; whoever sees nobody in it sees no cohort.
pub async fn progress(tx: &mut Tx, now: At, reader: &Principal, cohort: Cohort) -> Result<Progress> {
    let id = cohort.id.clone();
    let number = async |tx: &mut Tx, which| Ok::<_, Error>(clips(tx, now, reader, &cohort, which).await?.len() as i64);
    let sentence = Sentence {
        waiting: number(tx, Which::Waiting).await?,
        overdue: number(tx, Which::Overdue).await?,
        stuck: number(tx, Which::Returned).await?,
        passed: number(tx, Which::Passed).await?,
    };
    let sql = "select m.user_id, u.display_name as name, u.region_path as home, m.part, m.group_no, m.seat_no, m.state from memberships m
         join users u on u.id = m.user_id where m.cohort_id = $1 and m.state <> 'withdrawn'
         order by coalesce(m.group_no, 1000), coalesce(m.seat_no, 1000), u.display_name, m.user_id";
    let members: Vec<Member> = on!(&mut *tx, c => sqlx::query_as(sql).bind(&id).fetch_all(c).await)?;
    let (mut trainees, mentors): (Vec<Member>, Vec<Member>) =
        members.into_iter().partition(|m| m.part == Part::Trainee);
    trainees.retain(|m| rules::sees(reader, &cohort, &m.home));
    if trainees.is_empty() && !rules::sees_whole(reader, &cohort) {
        return Err(Error::NotFound);
    }

    let mut clips: HashMap<UserId, Vec<CohortClip>> = HashMap::new();
    for clip in rows(tx, now, reader, &cohort, "1 = 1").await? {
        clips.entry(clip.owner_id.clone()).or_default().push(clip);
    }
    let sql = "select user_id, count(*) from lesson_progress where cohort_id = $1 group by user_id";
    let lessons = by_user(tx, sql, &id).await?;
    let last_active = last_active(tx, &id).await?;
    let ids: Vec<UserId> = trainees.iter().map(|m| m.user_id.clone()).collect();
    let people = person::find_all(tx, &ids).await?;
    let stars = star::current_awards(tx, &ids, now.china_date().into()).await?;
    let stars: HashMap<&UserId, i64> = stars.iter().map(|a| (&a.user_id, a.level)).collect();
    let lessons_total = content::course().lessons_total() as i64;

    let trainees = trainees
        .into_iter()
        .filter_map(|m| {
            let hers = clips.get(&m.user_id).map(Vec::as_slice).unwrap_or_default();
            Some(TraineeProgress {
                person: people.get(&m.user_id)?.clone(),
                group_no: m.group_no,
                seat_no: m.seat_no,
                state: m.state,
                lessons_done: lessons.get(&m.user_id).copied().unwrap_or(0),
                lessons_total,
                marks: marks(hers),
                waiting: waiting(hers),
                last_active_at: last_active.get(&m.user_id).map(|ms| At(*ms)),
                star_level: stars.get(&m.user_id).copied(),
            })
        })
        .collect();

    // What a mentor did is counted for the trainees that are seen.
    let sent = by_mentor(
        tx,
        reader,
        &cohort,
        "select r.reviewer_id, u.region_path, count(*) from reviews r join review_tickets t on t.id = r.ticket_id
           join clips k on k.id = t.clip_id join users u on u.id = k.owner_id
         where t.cohort_id = $1 and r.state = 'sent' and r.created_at <= $2 group by r.reviewer_id, u.region_path",
        now,
    )
    .await?;
    let holding = by_mentor(
        tx,
        reader,
        &cohort,
        "select t.holder_id, u.region_path, count(*) from review_tickets t
           join clips k on k.id = t.clip_id join users u on u.id = k.owner_id
         where t.cohort_id = $1 and t.state = 'claimed' and t.lease_until > $2 group by t.holder_id, u.region_path",
        now,
    )
    .await?;
    let mentors = mentors
        .into_iter()
        .map(|m| MentorProgress {
            sent: sent.get(&m.user_id).copied().unwrap_or(0),
            holding: holding.get(&m.user_id).copied().unwrap_or(0),
            id: m.user_id,
            name: m.name,
        })
        .collect();
    let assignments = content::course().assignments.iter().map(AssignmentRef::from).collect();
    let cohort = sql::list(tx, now, reader, vec![cohort]).await?.pop().ok_or(Error::NotFound)?;
    Ok(Progress { cohort, sentence, assignments, trainees, mentors })
}

async fn by_user(tx: &mut Tx, sql: &'static str, cohort: &CohortId) -> Result<HashMap<UserId, i64>> {
    let rows: Vec<(UserId, i64)> = on!(tx, c => sqlx::query_as(sql).bind(cohort).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

/// Sums (mentor, where the trainee lives, how many) over the trainees that `reader` sees. `$1` is the cohort, `$2` now.
async fn by_mentor(
    tx: &mut Tx,
    reader: &Principal,
    cohort: &Cohort,
    sql: &'static str,
    now: At,
) -> Result<HashMap<UserId, i64>> {
    let rows: Vec<(UserId, String, i64)> =
        on!(tx, c => sqlx::query_as(sql).bind(&cohort.id).bind(now).fetch_all(c).await)?;
    let mut sums = HashMap::new();
    for (mentor, home, count) in rows {
        if rules::sees(reader, cohort, &home) {
            *sums.entry(mentor).or_default() += count;
        }
    }
    Ok(sums)
}

/// The last sign of each member: a lesson, a clip, or the app being open.
async fn last_active(tx: &mut Tx, cohort: &CohortId) -> Result<HashMap<UserId, i64>> {
    by_user(
        tx,
        "select user_id, max(at) from (
           select user_id, completed_at as at from lesson_progress where cohort_id = $1
           union all select owner_id, created_at from clips where cohort_id = $1
           union all select s.user_id, s.last_seen_at from sessions s
             join memberships m on m.user_id = s.user_id and m.cohort_id = $1) as signs
         group by user_id",
        cohort,
    )
    .await
}

/// Where each assignment stands, by the course's own rule.
fn marks(clips: &[CohortClip]) -> BTreeMap<String, AssignmentMark> {
    let answers: Vec<Answer> = clips
        .iter()
        .map(|c| Answer {
            clip_id: c.clip_id.clone(),
            assignment_code: c.assignment_code.clone(),
            title: c.title.clone(),
            state: c.state,
            updated_at: c.updated_at,
            unheard: 0,
        })
        .collect();
    let since = |id: &ClipId| clips.iter().find(|c| c.clip_id == *id).map(|c| c.since);
    let mark = |code: &str| {
        let (state, answer) = course::rules::mark(code, &answers);
        let clip_id = answer.map(|a| a.clip_id.clone());
        AssignmentMark { state, since: clip_id.as_ref().and_then(since), clip_id }
    };
    content::course().assignments.iter().map(|a| (a.code.clone(), mark(&a.code))).collect()
}

/// What has waited longest for a mentor; failing that, what she has yet to film again.
fn waiting(clips: &[CohortClip]) -> Option<Waiting> {
    let oldest = |what: &str, is: fn(&CohortClip) -> bool| {
        let clip = clips.iter().filter(|c| is(c)).min_by_key(|c| c.since)?;
        Some(Waiting { what: what.to_owned(), since: clip.since, clip_id: Some(clip.clip_id.clone()) })
    };
    oldest("等老师看", |c| c.due_at.is_some())
        .or_else(|| oldest("等她再拍一次", |c| c.state == ClipState::Returned))
}
