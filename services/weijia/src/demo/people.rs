//! Who is in the demonstration: a province desk, a county desk, two mentors, twelve trainees of two counties.

use serde::Serialize;
use weijia_core::account::{self, Keys, NewUser, PasswordHasher, Phone};
use weijia_core::db::{Db, Tx};
use weijia_core::installation;
use weijia_core::time::At;

const PROVINCE: &str = "43";
const LONGSHAN: &str = "433130";

#[derive(Debug, Clone, Serialize)]
pub struct Person {
    pub role: &'static str,
    pub name: &'static str,
    pub phone: String,
    pub password: String,
    #[serde(skip)]
    pub region: &'static str,
}

pub struct People {
    pub province: Person,
    pub county: Person,
    pub mentors: Vec<Person>,
    pub trainees: Vec<Person>,
}

impl People {
    /// The same people with the same password each time this installation starts.
    pub fn cast(password: &str) -> Self {
        let mut n = 0;
        let mut person = |role, name, region| {
            n += 1;
            // 199 0000 00xx: a range for the demonstration.
            Person { role, name, phone: format!("199000000{n:02}"), password: password.to_owned(), region }
        };
        Self {
            province: person("staff", "省媒体中心 周敏", PROVINCE),
            county: person("staff", "龙山县妇联 彭秀英", LONGSHAN),
            mentors: vec![person("mentor", "吴慧", "433101"), person("mentor", "石小兰", "433101")],
            trainees: vec![
                person("trainee", "田春梅", "433130115202"),
                person("trainee", "覃桂花", "433130115202"),
                person("trainee", "向二妹", "433130110215"),
                person("trainee", "彭金桃", "433130115201"),
                person("trainee", "贾美娟", "433130117211"),
                person("trainee", "梁秋菊", "433130120201"),
                person("trainee", "黄玉莲", "433127101203"),
                person("trainee", "王腊香", "433127108215"),
                person("trainee", "张冬英", "433127113203"),
                person("trainee", "鲁水仙", "433127116220"),
                person("trainee", "杨彩云", "433127117205"),
                person("trainee", "罗小翠", "433127203205"),
            ],
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &Person> {
        [&self.province, &self.county].into_iter().chain(&self.mentors).chain(&self.trainees)
    }

    /// The trainee whose class is behind her and whose account has grown: ready for her first star.
    pub fn graduate(&self) -> &Person {
        &self.trainees[4]
    }
}

/// How far the demonstration has come in this database.
pub enum Stage {
    /// Somebody else's people are here: the demonstration keeps away.
    NotOurs,
    People,
    Done,
}

/// Lets the cast in, all in one transaction, if nobody is there yet.
pub async fn let_in(db: &Db, keys: &Keys, hasher: &PasswordHasher, people: &People) -> weijia_core::Result<Stage> {
    let mut tx = db.write().await?;
    match installation::get(&mut tx, "demo").await?.as_deref() {
        Some("done") => return Ok(Stage::Done),
        Some(_) => return Ok(Stage::People),
        None if installation::has_people(&mut tx).await? => return Ok(Stage::NotOurs),
        None => {}
    }
    drop(tx);
    // One hash for all: they share one password, and the hash is made outside the transaction.
    let password_hash = hasher.hash(&people.province.password).await?;
    let mut tx = db.write().await?;
    let now = At::now();
    for person in people.all() {
        let user = create(&mut tx, keys, now, person, &password_hash).await?;
        if person.role == "staff" {
            account::grant_staff(&mut tx, now, &user, person.region, None).await?;
        }
    }
    installation::set(&mut tx, "demo", "people").await?;
    tx.commit().await?;
    Ok(Stage::People)
}

async fn create(
    tx: &mut Tx,
    keys: &Keys,
    now: At,
    person: &Person,
    hash: &str,
) -> weijia_core::Result<weijia_core::ids::UserId> {
    let phone: Phone = person.phone.parse().map_err(weijia_core::Error::Refused)?;
    account::create(
        tx,
        keys,
        now,
        NewUser { name: person.name, phone: &phone, region_code: person.region, password_hash: hash },
    )
    .await
}

pub async fn done(db: &Db) -> weijia_core::Result<()> {
    let mut tx = db.write().await?;
    installation::set(&mut tx, "demo", "done").await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cast_is_what_a_tour_needs() {
        let people = People::cast("x");
        assert_eq!(people.trainees.len(), 12);
        let counties: std::collections::BTreeSet<&str> = people.trainees.iter().map(|p| &p.region[..6]).collect();
        assert_eq!(counties.into_iter().collect::<Vec<_>>(), ["433127", LONGSHAN]);
        let phones: std::collections::BTreeSet<&str> = people.all().map(|p| p.phone.as_str()).collect();
        assert_eq!(phones.len(), 16);
        assert!(people.all().all(|p| p.phone.parse::<Phone>().is_ok()));
    }
}
