//! Verbs on places.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::{COUNTY, Place, Places, Region, RegionRef, rules};
use crate::db::{Tx, marks};
use crate::error::{Error, OrNotFound, Result};
use crate::on;
use crate::time::Day;

/// `code name level parent kind`, parents before their children.
const DIVISIONS: &str = include_str!("../../../../content/hunan-divisions.tsv");

/// Rows of one statement. SQLite looks its parameters up one by one, so a few hundred are quicker than thousands.
const BATCH: usize = 50;
/// Codes of one list.
const CODES: usize = 500;
const COLUMNS: &str = "code, level, parent_code, name, raw_name, kind, path, valid_from, valid_to, successor_code";

/// Brings in the divisions that this program was built with, and returns how many places are new. It may run at every
/// start: it does nothing for a list it has read before, and never touches a place that exists, so merges stay.
pub async fn import(tx: &mut Tx) -> Result<u64> {
    let version = hex::encode(Sha256::digest(DIVISIONS));
    let known: Option<String> = on!(tx, c => sqlx::query_scalar("select value from installation where name = 'divisions'").fetch_optional(c).await)?;
    if known.as_deref() == Some(version.as_str()) {
        return Ok(0);
    }
    let places = parse(DIVISIONS)?;
    let mut added = 0;
    for batch in places.chunks(BATCH) {
        let mut sql =
            String::from("insert into regions (code, level, parent_code, name, raw_name, kind, path) values ");
        for row in 0..batch.len() {
            let separator = if row == 0 { "" } else { ", " };
            sql.push_str(&format!("{separator}({})", marks(row * 7 + 1, 7)));
        }
        sql.push_str(" on conflict (code) do nothing");
        let sql = sqlx::AssertSqlSafe(sql);
        added += on!(tx, c => {
            let mut query = sqlx::query(sql);
            for p in batch {
                query = query.bind(&p.code).bind(p.level).bind(&p.parent_code).bind(&p.name).bind(&p.raw_name).bind(&p.kind).bind(&p.path);
            }
            query.execute(c).await.map(|done| done.rows_affected())
        })?;
    }
    let sql = "insert into installation (name, value) values ('divisions', $1) on conflict (name) do update set value = excluded.value";
    on!(tx, c => sqlx::query(sql).bind(&version).execute(c).await.map(drop))?;
    Ok(added)
}

fn parse(text: &'static str) -> Result<Vec<Region>> {
    let mut places: Vec<Region> = Vec::with_capacity(32_000);
    // Raw names and paths by code: a child is cleaned of its ancestors' names.
    let mut seen: HashMap<&str, (&str, String)> = HashMap::with_capacity(32_000);
    for line in text.lines().skip(1) {
        let damaged = || Error::Damaged(format!("divisions: {line}"));
        let mut cells = line.split('\t');
        let mut cell = || cells.next().ok_or_else(damaged);
        let (code, raw, level, parent, kind) = (cell()?, cell()?, cell()?, cell()?, cell()?);
        let level: i64 = level.parse().map_err(|_| damaged())?;
        let parent_path = match parent {
            "" => "",
            parent => seen.get(parent).map(|(_, path)| path.as_str()).ok_or_else(damaged)?,
        };
        let ancestors: Vec<&str> =
            parent_path.split('/').filter_map(|code| seen.get(code).map(|(name, _)| *name)).collect();
        let name = rules::display_name(raw, &ancestors);
        let path = format!("{parent_path}{code}/");
        places.push(Region {
            code: code.to_owned(),
            level,
            parent_code: (!parent.is_empty()).then(|| parent.to_owned()),
            raw_name: (name != raw).then(|| raw.to_owned()),
            name,
            kind: kind.to_owned(),
            path: path.clone(),
            valid_from: None,
            valid_to: None,
            successor_code: None,
        });
        seen.insert(code, (raw, path));
    }
    Ok(places)
}

pub async fn get(tx: &mut Tx, code: &str) -> Result<Region> {
    if !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::NotFound);
    }
    let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from regions where code = $1"));
    on!(tx, c => sqlx::query_as::<_, Region>(sql).bind(code).fetch_optional(c).await).or_not_found()
}

/// The place that stands for this one today: itself, or the last of its successors.
pub async fn current(tx: &mut Tx, code: &str) -> Result<Region> {
    let mut place = get(tx, code).await?;
    for _ in 0..64 {
        match place.successor_code.clone() {
            Some(next) => place = get(tx, &next).await?,
            None => return Ok(place),
        }
    }
    Err(Error::Damaged(format!("the successors of region {code} never end")))
}

/// The living places directly under `parent`; without one, the provinces.
pub async fn children(tx: &mut Tx, parent: Option<&str>) -> Result<Vec<Region>> {
    let which = if parent.is_some() { "parent_code = $1" } else { "parent_code is null and $1 is null" };
    let sql = format!("select {COLUMNS} from regions where {which} and valid_to is null order by code");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on!(tx, c => sqlx::query_as::<_, Region>(sql).bind(parent).fetch_all(c).await)?)
}

/// The living places whose name, published name or former name holds what was typed, those named exactly so first;
/// with `under`, only there.
pub async fn search(tx: &mut Tx, typed: &str, under: Option<&Region>, limit: i64) -> Result<Vec<Region>> {
    let name = rules::clean_query(typed);
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select {COLUMNS} from regions r
         where valid_to is null and path like $3
           and (name like $2 or raw_name like $2
                or exists (select 1 from region_aliases a where a.region_code = r.code and a.name like $2))
         order by case when name = $1 then 0 else 1 end, level, code
         limit $4"
    );
    let (sql, holds) = (sqlx::AssertSqlSafe(sql), format!("%{name}%"));
    let beneath = format!("{}%", under.map_or("", |r| r.path.as_str()));
    Ok(
        on!(tx, c => sqlx::query_as::<_, Region>(sql).bind(&name).bind(&holds).bind(&beneath).bind(limit).fetch_all(c).await)?,
    )
}

/// The living places within some regions, to be found by name.
pub async fn places_within(tx: &mut Tx, paths: &[String]) -> Result<Places> {
    let (mut places, mut former) = (Vec::new(), Vec::new());
    for path in paths {
        let beneath = format!("{path}%");
        places.extend(on!(&mut *tx, c => sqlx::query_as::<_, Place>(
                "select code, name, raw_name, level, path from regions
                 where path like $1 and valid_to is null and successor_code is null order by code")
            .bind(&beneath).fetch_all(c).await)?);
        former.extend(on!(&mut *tx, c => sqlx::query_as::<_, (String, String)>(
                "select a.region_code, a.name from region_aliases a join regions r on r.code = a.region_code
                 where r.path like $1 order by a.region_code, a.name")
            .bind(&beneath).fetch_all(c).await)?);
    }
    let names = names(tx, paths.iter().map(String::as_str)).await?;
    Ok(Places::new(places, names.0, former))
}

/// The names of a path's places, from the province down.
pub async fn path_names(tx: &mut Tx, path: &str) -> Result<Vec<String>> {
    Ok(names(tx, [path]).await?.path(path))
}

pub async fn reference(tx: &mut Tx, code: &str) -> Result<RegionRef> {
    let place = get(tx, code).await?;
    Ok(names(tx, [place.path.as_str()]).await?.reference(&place.path))
}

/// The names of all places on some paths, read at once for a whole list.
pub async fn names<'a>(tx: &mut Tx, paths: impl IntoIterator<Item = &'a str>) -> Result<Names> {
    let codes: BTreeSet<&str> =
        paths.into_iter().flat_map(|path| path.split('/')).filter(|code| !code.is_empty()).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let mut names = HashMap::with_capacity(codes.len());
    for batch in codes.chunks(CODES) {
        let sql = format!("select code, name from regions where code in ({})", marks(1, batch.len()));
        let sql = sqlx::AssertSqlSafe(sql);
        let rows: Vec<(String, String)> = on!(tx, c => {
            let mut query = sqlx::query_as(sql);
            for code in batch {
                query = query.bind(*code);
            }
            query.fetch_all(c).await
        })?;
        names.extend(rows);
    }
    Ok(Names(names))
}

/// Names by code.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// From the province down. A code that is not there shows itself.
    pub fn path(&self, path: &str) -> Vec<String> {
        path.split('/').filter(|code| !code.is_empty()).map(|code| self.code(code)).collect()
    }

    /// The county of a path, or the last place of a shorter one.
    pub fn county(&self, path: &str) -> String {
        rules::code_at(path, COUNTY).map_or_else(|| self.last(path), |code| self.code(code))
    }

    /// The place itself.
    pub fn last(&self, path: &str) -> String {
        path.split('/').rfind(|code| !code.is_empty()).map(|code| self.code(code)).unwrap_or_default()
    }

    pub fn reference(&self, path: &str) -> RegionRef {
        let code = path.split('/').rfind(|code| !code.is_empty()).unwrap_or_default().to_owned();
        RegionRef { code, name: self.last(path), path_names: self.path(path) }
    }

    fn code(&self, code: &str) -> String {
        self.0.get(code).cloned().unwrap_or_else(|| code.to_owned())
    }
}

/// Ends a place and names its successor. History keeps the old code; whoever looks for the old name finds the new
/// place.
pub async fn merge(tx: &mut Tx, old: &str, successor: &str, on: Day) -> Result<rules::Merge> {
    let (old, successor) = (get(tx, old).await?, get(tx, successor).await?);
    let merge = rules::merge_allowed(&old, &successor, on)?;
    let sql = "update regions set valid_to = $1, successor_code = $2 where code = $3 and valid_to is null";
    let ended = on!(tx, c => sqlx::query(sql).bind(merge.valid_to.to_string()).bind(&merge.successor).bind(&merge.old)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if ended != 1 {
        return Err(Error::conflict("region_merge", "这个地方刚刚被别人并走了。", "刷新一下，看它并到了哪里。"));
    }
    for alias in &merge.aliases {
        let sql =
            "insert into region_aliases (region_code, name) values ($1, $2) on conflict (name, region_code) do nothing";
        on!(tx, c => sqlx::query(sql).bind(&merge.successor).bind(alias).execute(c).await.map(drop))?;
    }
    // What led to the old place leads on: its own former names came with it.
    let sql =
        "insert into region_aliases (region_code, name) select $1, name from region_aliases where region_code = $2
               on conflict (name, region_code) do nothing";
    on!(tx, c => sqlx::query(sql).bind(&merge.successor).bind(&merge.old).execute(c).await.map(drop))?;
    Ok(merge)
}
