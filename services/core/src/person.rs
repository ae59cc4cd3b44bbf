//! A person as others see her: a name and where she is from, nothing more.

use std::collections::{HashMap, HashSet};

use crate::db::{Tx, marks};
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::on;

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Person {
    pub id: UserId,
    pub name: String,
    /// Empty for people who live nowhere below their county's desk.
    pub village: String,
    pub county: String,
    /// The one character on her round picture: the last of her name.
    pub avatar_char: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: UserId,
    display_name: String,
    village: Option<String>,
    county: Option<String>,
}

impl From<Row> for Person {
    fn from(row: Row) -> Self {
        let avatar_char = row.display_name.chars().last().map(String::from).unwrap_or_default();
        Person {
            id: row.id,
            name: row.display_name,
            village: row.village.unwrap_or_default(),
            county: row.county.unwrap_or_default(),
            avatar_char,
        }
    }
}

const BATCH: usize = 500;

pub async fn find(tx: &mut Tx, user: &UserId) -> Result<Person> {
    find_all(tx, [user]).await?.remove(user).ok_or(Error::NotFound)
}

/// Each once, however often she is named; read together, however many they are.
pub async fn find_all<'a>(tx: &mut Tx, users: impl IntoIterator<Item = &'a UserId>) -> Result<HashMap<UserId, Person>> {
    let users: Vec<&UserId> = users.into_iter().collect::<HashSet<_>>().into_iter().collect();
    let mut people = HashMap::with_capacity(users.len());
    for batch in users.chunks(BATCH) {
        // A path is `43/4307/430723/…`: every level's code has its own fixed length, so a county's begins at column 9.
        let sql = sqlx::AssertSqlSafe(format!(
            "select u.id, u.display_name, village.name as village, county.name as county
             from users u
             left join regions village on village.code = u.region_code and village.level = 5
             left join regions county on county.code = substr(u.region_path, 9, 6) and county.level = 3
             where u.id in ({})",
            marks(1, batch.len())
        ));
        let rows: Vec<Row> = on!(&mut *tx, c => {
            let mut query = sqlx::query_as(sql);
            for user in batch { query = query.bind(*user); }
            query.fetch_all(c).await
        })?;
        people.extend(rows.into_iter().map(|row| (row.id.clone(), Person::from(row))));
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;

    both_databases! {
        a_person_carries_her_village_and_county(db) {
            let mut tx = db.write().await.unwrap();
            let (her, desk) = (UserId::new(), UserId::new());
            for (code, level, parent, name, path) in [
                ("43", 1, None, "湖南省", "43/"),
                ("4331", 2, Some("43"), "湘西州", "43/4331/"),
                ("433130", 3, Some("4331"), "龙山县", "43/4331/433130/"),
                ("433130105", 4, Some("433130"), "里耶镇", "43/4331/433130/433130105/"),
                ("433130105201", 5, Some("433130105"), "比耳村", "43/4331/433130/433130105/433130105201/"),
            ] {
                on!(&mut tx, c => sqlx::query("insert into regions (code, level, parent_code, name, kind, path) values ($1, $2, $3, $4, 'village', $5)")
                    .bind(code).bind(level).bind(parent).bind(name).bind(path).execute(c).await.map(drop)).unwrap();
            }
            for (id, name, region, path) in [
                (&her, "向春桃", "433130105201", "43/4331/433130/433130105/433130105201/"),
                (&desk, "龙主任", "433130", "43/4331/433130/"),
            ] {
                on!(&mut tx, c => sqlx::query("insert into users (id, display_name, phone_hash, phone_enc, phone_masked, password_hash, region_code, region_path, state, created_at)
                    values ($1, $2, $1, '', '', '', $3, $4, 'active', 0)")
                    .bind(id).bind(name).bind(region).bind(path).execute(c).await.map(drop)).unwrap();
            }
            let people = find_all(&mut tx, [&her, &desk, &her]).await.unwrap();
            let one = &people[&her];
            assert_eq!((one.village.as_str(), one.county.as_str(), one.avatar_char.as_str()), ("比耳村", "龙山县", "桃"));
            let two = &people[&desk];
            assert_eq!((two.village.as_str(), two.county.as_str()), ("", "龙山县"));
            assert!(find(&mut tx, &UserId::new()).await.is_err());
        }
    }
}
