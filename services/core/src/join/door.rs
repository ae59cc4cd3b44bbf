//! Opens and closes the door of a class, and finds the door that somebody stands before.

use data_encoding::BASE32_NOPAD;
use rand::Rng as _;

use super::rules::{self, check_door, city_path, code_of, is_code};
use crate::cohort::{self, Cohort};
use crate::db::Tx;
use crate::error::{Error, Refusal, Result};
use crate::ids::{CohortId, UserId, WindowId};
use crate::time::{At, Day, Millis};
use crate::{audit, on};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Window {
    pub id: WindowId,
    pub cohort_id: CohortId,
    pub code: String,
    /// What the code on the wall says, the same for as long as the class is there.
    pub wall: String,
    pub opened_at: At,
    pub closes_at: At,
}

const OPEN: &str =
    "select w.id, w.cohort_id, w.code, c.join_token as wall, w.opened_at, w.closes_at from join_windows w
    join cohorts c on c.id = w.cohort_id where w.closed_at is null and w.closes_at > $1";

/// Opens the door of this class. With the code that is open already the same door stays open for longer, and whoever
/// stands before it stays; with another it takes the place of that one. Without a code, today's day, or, where that is
/// open or another class of the city has it, any other four digits.
pub async fn open(
    tx: &mut Tx,
    now: At,
    by: &UserId,
    cohort: &Cohort,
    code: Option<&str>,
    open_for: Millis,
) -> Result<Window> {
    check_door(cohort.state, code, open_for)?;
    let city = city_path(&cohort.region_path);
    // First of all: two who open one door at once go one after the other.
    let wall = wall_token(tx, &cohort.id).await?;
    on!(&mut *tx, c => sqlx::query("update join_windows set closed_at = closes_at where closed_at is null and closes_at <= $1")
        .bind(now).execute(c).await.map(drop))?;
    let before = of_cohort(tx, now, &cohort.id).await?;
    if let Some(window) = before.clone().filter(|window| code == Some(&window.code)) {
        let closes_at = At(now.0 + open_for.0);
        on!(&mut *tx, c => sqlx::query("update join_windows set closes_at = $2 where id = $1")
            .bind(&window.id).bind(closes_at).execute(c).await.map(drop))?;
        return opened(tx, now, by, Window { closes_at, ..window }).await;
    }
    on!(&mut *tx, c => sqlx::query("update join_windows set closed_at = $2 where closed_at is null and cohort_id = $1")
        .bind(&cohort.id).bind(now).execute(c).await.map(drop))?;
    let mut codes = vec![code.map_or_else(|| code_of(Day::of(now)), str::to_owned)];
    if code.is_none() {
        codes.extend((0..50).map(|_| format!("{:04}", rand::rng().random_range(0..10_000))));
        // Who opens an open door anew wants other digits.
        codes.retain(|code| before.as_ref().is_none_or(|window| window.code != *code));
    }
    for code in codes {
        let window = Window {
            id: WindowId::new(),
            cohort_id: cohort.id.clone(),
            code,
            wall: wall.clone(),
            opened_at: now,
            closes_at: At(now.0 + open_for.0),
        };
        // Not an error to be caught: that would end the whole transaction on PostgreSQL.
        let sql = "insert into join_windows (id, cohort_id, city_path, code, opened_by, opened_at, closes_at)
                   values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
        let made = on!(&mut *tx, c => sqlx::query(sql).bind(&window.id).bind(&window.cohort_id).bind(city).bind(&window.code)
            .bind(by).bind(window.opened_at).bind(window.closes_at).execute(c).await.map(|r| r.rows_affected()))?;
        if made == 1 {
            return opened(tx, now, by, window).await;
        }
    }
    Err(Error::conflict("code_taken", "市里另一个班正用着这四个数字。", "换四个数字，或者留空由我们来定。"))
}

async fn opened(tx: &mut Tx, now: At, by: &UserId, window: Window) -> Result<Window> {
    let detail = serde_json::json!({"code": window.code, "closes_at": window.closes_at});
    audit::append(tx, now, Some(by), "join.opened", window.cohort_id.as_str(), &detail).await?;
    Ok(window)
}

/// Closes the door. Asking again changes nothing.
pub async fn close(tx: &mut Tx, now: At, by: &UserId, cohort: &CohortId) -> Result<()> {
    let sql = "update join_windows set closed_at = $2 where closed_at is null and cohort_id = $1 and closes_at > $2";
    let closed =
        on!(&mut *tx, c => sqlx::query(sql).bind(cohort).bind(now).execute(c).await.map(|r| r.rows_affected()))?;
    if closed == 0 {
        return Ok(());
    }
    audit::append(tx, now, Some(by), "join.closed", cohort.as_str(), &serde_json::json!({})).await
}

/// The open door of a class.
pub async fn of_cohort(tx: &mut Tx, now: At, cohort: &CohortId) -> Result<Option<Window>> {
    let sql = sqlx::AssertSqlSafe(format!("{OPEN} and w.cohort_id = $2"));
    Ok(on!(tx, c => sqlx::query_as(sql).bind(now).bind(cohort).fetch_optional(c).await)?)
}

/// The door that somebody came to, if its class has one open: its digits may have changed since.
pub async fn require_open(tx: &mut Tx, now: At, id: &WindowId) -> Result<Window> {
    let sql = "select cohort_id from join_windows where id = $1";
    let cohort: Option<CohortId> = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(id).fetch_optional(c).await)?;
    let cohort = cohort.ok_or_else(shut)?;
    of_cohort(tx, now, &cohort).await?.ok_or_else(|| shut().into())
}

fn shut() -> Refusal {
    Refusal::new("join_closed", "这个班的门这会儿没开。", "请老师点一下“开门”，再来一次。")
}

/// How somebody came to a door.
#[derive(Debug, Clone, Copy)]
pub enum Way<'a> {
    /// Four digits that she heard.
    Code(&'a str),
    /// The code on the wall.
    Wall(&'a str),
    /// The card that was printed for her.
    Card(&'a str),
}

#[derive(Debug)]
pub struct Found {
    pub window: Window,
    pub cohort: Cohort,
    /// Who has come in so far.
    pub arrived: i64,
    /// Whose card it is.
    pub person: Option<UserId>,
}

/// The open doors that this leads to. Four digits may lead to several, in different cities.
pub async fn find(tx: &mut Tx, now: At, way: Way<'_>) -> Result<Vec<Found>> {
    let mut person = None;
    let windows: Vec<Window> = match way {
        Way::Code(code) if !is_code(code) => Vec::new(),
        Way::Wall(token) | Way::Card(token) if !is_token(token) => return Err(unknown_picture().into()),
        Way::Code(code) => {
            let sql = sqlx::AssertSqlSafe(format!("{OPEN} and w.code = $2 order by w.opened_at desc limit 200"));
            on!(&mut *tx, c => sqlx::query_as(sql).bind(now).bind(code).fetch_all(c).await)?
        }
        Way::Wall(token) => {
            let sql = "select id from cohorts where join_token = $1";
            let cohort: Option<CohortId> =
                on!(&mut *tx, c => sqlx::query_scalar(sql).bind(token).fetch_optional(c).await)?;
            let cohort = cohort.ok_or_else(unknown_picture)?;
            vec![of_cohort(tx, now, &cohort).await?.ok_or_else(shut)?]
        }
        Way::Card(token) => {
            let (cohort, user) = holder(tx, token).await?;
            person = Some(user);
            vec![of_cohort(tx, now, &cohort).await?.ok_or_else(shut)?]
        }
    };
    if windows.is_empty() {
        return Err(match way {
            Way::Code(code) if is_code(code) && was_open(tx, now, code).await? => {
                Refusal::new("join_closed", "这个班的门刚才关上了。", "请老师再开一次门，数字可能会换。")
            }
            _ => Refusal::new("code_unknown", "没找到这个班。", "再听老师念一遍，一个一个按。"),
        }
        .into());
    }
    let mut found = Vec::with_capacity(windows.len());
    for window in windows {
        let cohort = cohort::get(tx, &window.cohort_id).await?;
        let sql =
            "select count(*) from memberships where cohort_id = $1 and part = 'trainee' and arrived_at is not null";
        let arrived = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(&cohort.id).fetch_one(c).await)?;
        found.push(Found { window, cohort, arrived, person: person.clone() });
    }
    Ok(found)
}

fn unknown_picture() -> Refusal {
    Refusal::new("code_unknown", "这张码认不出来，可能是旧的。", "按老师念的四个数字进，或者请老师重新打一张。")
}

/// Whose card this is, in which class.
pub async fn holder(tx: &mut Tx, card: &str) -> Result<(CohortId, UserId)> {
    if !is_token(card) {
        return Err(unknown_picture().into());
    }
    let sql = "select cohort_id, user_id from memberships where card_token = $1 and state <> 'withdrawn'";
    let found = on!(tx, c => sqlx::query_as(sql).bind(card).fetch_optional(c).await)?;
    found.ok_or_else(|| unknown_picture().into())
}

/// Within the last day, so that who comes too late is told so.
async fn was_open(tx: &mut Tx, now: At, code: &str) -> Result<bool> {
    let sql = "select count(*) from join_windows where code = $1 and closes_at > $2";
    let n: i64 = on!(tx, c => sqlx::query_scalar(sql).bind(code).bind(now - rules::LONGEST).fetch_one(c).await)?;
    Ok(n > 0)
}

/// What the code on the wall of this class says; made when it is first asked for.
pub async fn wall_token(tx: &mut Tx, cohort: &CohortId) -> Result<String> {
    let sql = "update cohorts set join_token = coalesce(join_token, $2) where id = $1 returning join_token";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(cohort).bind(random_token()).fetch_one(c).await)?)
}

fn is_token(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// 128 bits, in capitals and digits alone: a QR code packs these closely.
pub fn random_token() -> String {
    BASE32_NOPAD.encode(&rand::random::<[u8; 16]>())
}
