//! Verbs on cohorts and their rosters.

use std::collections::HashMap;

use super::{Cohort, CohortSummary, MemberState, NewCohort, NewMember, Part, Which, progress, rules};
use crate::access::{Principal, Resource, within};
use crate::account::{self, Keys, NewUser, Secret};
use crate::db::{Tx, is_duplicate};
use crate::error::{Error, OrNotFound, Result};
use crate::ids::{CohortId, UserId};
use crate::text::one_line;
use crate::time::At;
use crate::{audit, content, on, region};

const COHORT: &str = "select c.id, c.series_no, c.title, c.host, c.region_path, c.state, c.starts_on, c.ends_on,
    (select count(*) from memberships m where m.cohort_id = c.id and m.part = 'trainee' and m.state <> 'withdrawn') as trainees,
    (select count(*) from memberships m where m.cohort_id = c.id and m.part = 'mentor' and m.state <> 'withdrawn') as mentors
    from cohorts c";

pub async fn get(tx: &mut Tx, id: &CohortId) -> Result<Cohort> {
    let sql = sqlx::AssertSqlSafe(format!("{COHORT} where c.id = $1"));
    on!(tx, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await).or_not_found()
}

/// The cohorts in her regions, those in which somebody of her regions learns, and those she teaches, the newest first.
pub async fn of_principal(tx: &mut Tx, principal: &Principal) -> Result<Vec<Cohort>> {
    let (paths, teaches) = (&principal.staff_paths, &principal.teaches);
    let mut ways: Vec<String> = (1..=paths.len())
        .map(|i| {
            format!(
                "c.region_path like ${i} || '%' or exists (select 1 from memberships m join users u on u.id = m.user_id
                 where m.cohort_id = c.id and m.part = 'trainee' and m.state <> 'withdrawn' and u.region_path like ${i} || '%')"
            )
        })
        .collect();
    ways.extend((1..=teaches.len()).map(|i| format!("c.id = ${}", paths.len() + i)));
    if ways.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sqlx::AssertSqlSafe(format!("{COHORT} where {} order by c.series_no desc", ways.join(" or ")));
    Ok(on!(tx, c => {
        let mut query = sqlx::query_as(sql);
        for path in paths { query = query.bind(path); }
        for cohort in teaches { query = query.bind(cohort); }
        query.fetch_all(c).await
    })?)
}

/// What `reader` may see of these cohorts, without those in which she sees nobody.
pub async fn list(tx: &mut Tx, now: At, reader: &Principal, cohorts: Vec<Cohort>) -> Result<Vec<CohortSummary>> {
    let names = region::names(tx, cohorts.iter().map(|c| c.region_path.as_str())).await?;
    let mut summaries = Vec::with_capacity(cohorts.len());
    for c in cohorts {
        let waiting = progress::clips(tx, now, reader, &c, Which::Waiting).await?.len() as i64;
        let mut trainees = c.trainees;
        if !rules::sees_whole(reader, &c) {
            let homes: Vec<String> = on!(&mut *tx, k => sqlx::query_scalar(
                "select u.region_path from memberships m join users u on u.id = m.user_id
                 where m.cohort_id = $1 and m.part = 'trainee' and m.state <> 'withdrawn'")
                .bind(&c.id).fetch_all(k).await)?;
            trainees = homes.iter().filter(|home| rules::sees(reader, &c, home)).count() as i64;
            if trainees == 0 {
                continue;
            }
        }
        let manages = rules::manages(reader, &c);
        summaries.push(CohortSummary {
            region: names.reference(&c.region_path),
            id: c.id,
            series_no: c.series_no,
            title: c.title,
            host: c.host,
            state: c.state,
            starts_on: c.starts_on,
            ends_on: c.ends_on,
            trainees,
            mentors: c.mentors,
            waiting,
            manages,
        });
    }
    Ok(summaries)
}

/// A cohort in which she sees nobody is not there for her.
pub async fn require_seen(tx: &mut Tx, reader: &Principal, cohort: &Cohort) -> Result<()> {
    let seen = list(tx, At(0), reader, vec![cohort.clone()]).await?;
    if seen.is_empty() { Err(Error::NotFound) } else { Ok(()) }
}

/// Opens a cohort. Whether she may, in that region, was decided before.
pub async fn open(tx: &mut Tx, now: At, by: &UserId, new: NewCohort<'_>) -> Result<Cohort> {
    rules::check_cohort(&new)?;
    let place = region::get(tx, new.region_code).await?;
    let id = CohortId::new();
    let sql = "insert into cohorts (id, series_no, title, host, region_code, region_path, state, course_version,
               rubric_version, starts_on, ends_on, created_by, created_at)
               values ($1, $2, $3, $4, $5, $6, 'running', $7, $8, $9, $10, $11, $12)";
    on!(&mut *tx, c => sqlx::query(sql).bind(&id).bind(new.series_no).bind(new.title.trim()).bind(new.host.trim())
        .bind(&place.code).bind(&place.path).bind(&content::course().version).bind(&content::rubric().version)
        .bind(new.starts_on.to_string()).bind(new.ends_on.to_string()).bind(by).bind(now).execute(c).await.map(drop))
    .map_err(|e| match is_duplicate(&e) {
        true => Error::conflict(
            "series_taken",
            format!("第 {} 期已经开过了。", new.series_no),
            "换一个期数，或者到班级里找一找。",
        ),
        false => e.into(),
    })?;
    let detail = serde_json::json!({"series_no": new.series_no, "region": place.code});
    audit::append(tx, now, Some(by), "cohort.open", id.as_str(), &detail).await?;
    get(tx, &id).await
}

/// What became of a line of the roster.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined {
    /// She is in; `new` when she could not sign in before.
    Added { user: UserId, new: bool },
    /// She was in already.
    There,
    /// She is not, and why, for the one who holds the roster.
    Skipped(String),
}

/// Puts one person on the roster. An unknown phone makes a new person, who needs `password_hash`. A trainee must live
/// where the one who adds her is staff; mentors come from anywhere.
pub async fn add_member(
    tx: &mut Tx,
    keys: &Keys,
    now: At,
    by: &Principal,
    cohort: &CohortId,
    new: NewMember<'_>,
    password_hash: Option<&str>,
) -> Result<Joined> {
    let skipped = |why: &str| Ok(Joined::Skipped(why.to_owned()));
    let in_scope = |path: &str| by.staff_paths.iter().any(|root| within(path, root));
    if new.group_no.is_some_and(|n| !(1..=99).contains(&n)) {
        return skipped("小组填 1 到 99。");
    }
    // Two rosters for one cohort go one after the other: no seat is given twice, nobody is added twice.
    let lock = tx.locking("select id from cohorts where id = $1");
    let _: CohortId =
        on!(&mut *tx, c => sqlx::query_scalar(lock).bind(cohort).fetch_optional(c).await).or_not_found()?;
    let (user, mut is_new) = match account::find_by_phone(tx, keys, new.phone).await? {
        Some(user) => {
            let sql = "select display_name, region_path from users where id = $1";
            let (name, path): (String, String) =
                on!(&mut *tx, c => sqlx::query_as(sql).bind(&user).fetch_one(c).await)?;
            // A slip in a phone number must not put a stranger into the class.
            if name != one_line(new.name) {
                return skipped("这个手机号登记的是别的名字，核对一下号码。");
            }
            if new.part == Part::Trainee && !in_scope(&path) {
                return skipped("她登记在别的地方，请那边的同志来加。");
            }
            (user, false)
        }
        None => {
            let place = match region::get(tx, new.region_code).await {
                Ok(place) => place,
                Err(Error::NotFound) => return skipped("没找到这个地方，从列表里选一个村或社区。"),
                Err(e) => return Err(e),
            };
            if !place.is_live() {
                return skipped("这个地方已经并走了，选它现在的名字。");
            }
            if new.part == Part::Trainee && !in_scope(&place.path) {
                return skipped("这个地方不归你管，请那边的同志来加。");
            }
            let Some(password_hash) = password_hash else {
                return skipped("她的手机号刚刚变过，再交一次。");
            };
            let (name, phone, region_code) = (new.name, new.phone, new.region_code);
            match account::create(tx, keys, now, NewUser { name, phone, region_code, password_hash }).await {
                Ok(user) => (user, true),
                Err(Error::Refused(refusal)) => return Ok(Joined::Skipped(refusal.message)),
                Err(e) => return Err(e),
            }
        }
    };
    let sql = "select part, state from memberships where cohort_id = $1 and user_id = $2";
    let there: Option<(Part, MemberState)> =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(cohort).bind(&user).fetch_optional(c).await)?;
    match there {
        Some((part, _)) if part != new.part => {
            return skipped(if part == Part::Mentor {
                "她在这个班里是老师。"
            } else {
                "她在这个班里是学员。"
            });
        }
        Some((_, MemberState::Active | MemberState::Graduated)) => return Ok(Joined::There),
        Some((_, MemberState::Withdrawn)) => {
            let sql = "update memberships set state = 'active', group_no = $3 where cohort_id = $1 and user_id = $2 and state = 'withdrawn'";
            on!(&mut *tx, c => sqlx::query(sql).bind(cohort).bind(&user).bind(new.group_no).execute(c).await.map(drop))?;
        }
        None => {
            // Seats are for trainees, counted on in the order they came.
            let sql = "insert into memberships (cohort_id, user_id, part, group_no, seat_no, state, joined_at)
                 values ($1, $2, $3, $4, case when $3 = 'trainee'
                   then (select coalesce(max(seat_no), 0) + 1 from memberships where cohort_id = $1) end, 'active', $5)";
            on!(&mut *tx, c => sqlx::query(sql).bind(cohort).bind(&user).bind(new.part).bind(new.group_no).bind(now)
                .execute(c).await.map(drop))?;
        }
    }
    // Who came back from the bucket alone has no password any more.
    if let Some(hash) = password_hash
        && !account::has_password(tx, keys, new.phone).await?
    {
        account::set_password(tx, &user, hash, Secret::Issued).await?;
        is_new = true;
    }
    let detail = serde_json::json!({"user": user, "part": new.part, "new": is_new});
    audit::append(tx, now, Some(&by.user), "cohort.member", cohort.as_str(), &detail).await?;
    Ok(Joined::Added { user, new: is_new })
}

/// A person as far as access to her numbers and stars is concerned.
#[derive(Debug, Clone)]
pub struct Trainee {
    pub id: UserId,
    pub region_path: String,
    pub cohorts: Vec<CohortId>,
}

impl Trainee {
    /// The row that access is decided on, for this principal: of her cohorts the one that the two have in common.
    pub fn resource(&self, principal: &Principal) -> Resource<'_> {
        let common = self.cohorts.iter().find(|c| principal.teaches.contains(c)).or(self.cohorts.first());
        Resource { owner: Some(&self.id), cohort: common, region_path: Some(&self.region_path) }
    }
}

pub async fn trainee(tx: &mut Tx, user: &UserId) -> Result<Trainee> {
    let sql = "select region_path from users where id = $1";
    let region_path: String =
        on!(&mut *tx, c => sqlx::query_scalar(sql).bind(user).fetch_optional(c).await).or_not_found()?;
    let sql = "select cohort_id from memberships where user_id = $1 and part = 'trainee' and state <> 'withdrawn' order by cohort_id";
    let cohorts: Vec<CohortId> = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(user).fetch_all(c).await)?;
    Ok(Trainee { id: user.clone(), region_path, cohorts })
}

/// The trainees of running cohorts who live within these regions, wherever their cohort was opened.
pub async fn trainees_within(tx: &mut Tx, paths: &[String]) -> Result<Vec<UserId>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let ways: Vec<String> = (1..=paths.len()).map(|i| format!("u.region_path like ${i} || '%'")).collect();
    let sql = sqlx::AssertSqlSafe(format!(
        "select m.user_id from memberships m join cohorts c on c.id = m.cohort_id join users u on u.id = m.user_id
         where c.state = 'running' and m.part = 'trainee' and m.state <> 'withdrawn' and ({})
         order by c.series_no desc, m.group_no, m.seat_no, m.user_id",
        ways.join(" or ")
    ));
    Ok(on!(tx, c => {
        let mut query = sqlx::query_scalar(sql);
        for path in paths { query = query.bind(path); }
        query.fetch_all(c).await
    })?)
}

/// The trainees of these cohorts, each once.
pub async fn trainees_of(tx: &mut Tx, cohorts: &[CohortId]) -> Result<Vec<UserId>> {
    let mut users: Vec<UserId> = Vec::new();
    for cohort in cohorts {
        let sql = "select user_id from memberships where cohort_id = $1 and part = 'trainee' and state <> 'withdrawn'
                   order by group_no, seat_no, user_id";
        users.extend(on!(&mut *tx, c => sqlx::query_scalar::<_, UserId>(sql).bind(cohort).fetch_all(c).await)?);
    }
    let mut seen = std::collections::HashSet::new();
    users.retain(|user| seen.insert(user.clone()));
    Ok(users)
}

/// The phones of a cohort's trainees, as `138****5678`.
pub async fn phones_masked(tx: &mut Tx, cohort: &CohortId) -> Result<HashMap<UserId, String>> {
    let sql = "select u.id, u.phone_masked from memberships m join users u on u.id = m.user_id
               where m.cohort_id = $1 and m.part = 'trainee' and m.state <> 'withdrawn'";
    let rows: Vec<(UserId, String)> = on!(tx, c => sqlx::query_as(sql).bind(cohort).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}
