//! Signing in and out.

use super::{
    DeviceToken, GUESS_WINDOW, GUESSES, Keys, PasswordHasher, Phone, SESSION_IDLE, Secret, SessionToken, device,
};
use crate::access::Principal;
use crate::db::{Db, Tx};
use crate::error::{Error, Refusal, Result};
use crate::ids::UserId;
use crate::on;
use crate::time::{At, Millis};

pub struct Session {
    pub token: SessionToken,
    pub principal: Principal,
}

/// Where somebody says what she signs in with.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// Anywhere, on this phone if it has been seen before.
    Anywhere(Option<&'a DeviceToken>),
    /// In a hall, before a class's open door.
    ClassDoor,
}

/// Signs in by phone and password or PIN, or says in words why not. A wrong phone, a wrong password and a PIN on a phone that
/// does not know her read the same.
pub async fn sign_in(
    db: &Db,
    keys: &Keys,
    hasher: &PasswordHasher,
    now: At,
    phone: &str,
    secret: &str,
    device: Option<&DeviceToken>,
) -> Result<Session> {
    let phone: Phone = phone.parse()?;
    let proof = prove(db, hasher, now, &keys.phone_hash(&phone), secret, Place::Anywhere(device)).await?;
    session_of(db, now, &proof).await
}

/// The same for somebody who has come in on this phone before, by her name.
pub async fn sign_in_known(
    db: &Db,
    hasher: &PasswordHasher,
    now: At,
    user: &UserId,
    secret: &str,
    device: Option<&DeviceToken>,
) -> Result<Session> {
    let mut tx = db.read().await?;
    let knows = match device {
        Some(token) => device::knows(&mut tx, token, user).await?,
        None => false,
    };
    if !knows {
        return Err(wrong().into());
    }
    let sql = "select phone_hash from users where id = $1";
    let phone_hash: String = on!(&mut tx, c => sqlx::query_scalar(sql).bind(user).fetch_one(c).await)?;
    drop(tx);
    let proof = prove(db, hasher, now, &phone_hash, secret, Place::Anywhere(device)).await?;
    session_of(db, now, &proof).await
}

fn wrong() -> Refusal {
    let next = "看清楚再填一遍；换了手机或者想不起密码，找县里的老师帮你。";
    Refusal::new("sign_in_wrong", "手机号或密码不对。", next)
}

async fn session_of(db: &Db, now: At, proof: &Proof) -> Result<Session> {
    let mut tx = db.write().await?;
    proof.still_holds(&mut tx).await?;
    let token = open_session(&mut tx, now, &proof.user).await?;
    let principal = super::principal(&mut tx, now, &proof.user).await?;
    tx.commit().await?;
    Ok(Session { token, principal })
}

/// Somebody knew a secret when it was looked at, which takes its time.
pub struct Proof {
    pub user: UserId,
    hash: String,
}

impl Proof {
    pub fn seen_hash(&self) -> &str {
        &self.hash
    }

    /// It is her secret in this transaction too: a password that was given anew meanwhile ends what the old one began. What was
    /// handed out has been used from here on.
    pub async fn still_holds(&self, tx: &mut Tx) -> Result<()> {
        let sql = "update users set secret = case when secret in ('issued', 'reset') then 'password' else secret end
                   where id = $1 and password_hash = $2 and state = 'active'";
        let rows = on!(tx, c => sqlx::query(sql).bind(&self.user).bind(&self.hash).execute(c).await.map(|r| r.rows_affected()))?;
        if rows == 1 { Ok(()) } else { Err(wrong().into()) }
    }
}

/// Who it is that knows this secret to that number.
pub async fn prove(
    db: &Db,
    hasher: &PasswordHasher,
    now: At,
    phone_hash: &str,
    secret: &str,
    place: Place<'_>,
) -> Result<Proof> {
    // The guess is counted before the secret is looked at, and behind a lock on the person: guesses sent at the same
    // moment cannot slip past the limit together. An unknown phone has nothing to guess.
    let mut tx = db.write().await?;
    let sql = tx.locking("select id, password_hash, secret from users where phone_hash = $1 and state = 'active'");
    let stored: Option<(UserId, String, Secret)> =
        on!(&mut tx, c => sqlx::query_as(sql).bind(phone_hash).fetch_optional(c).await)?;
    let counts_here = match (&stored, place) {
        (Some((user, _, Secret::Pin)), Place::Anywhere(Some(token))) => device::knows(&mut tx, token, user).await?,
        (Some((_, _, Secret::Pin)), Place::Anywhere(None)) => false,
        _ => true,
    };
    // Where nothing is right, nothing is guessed: nobody is kept from her own phone by tries on another.
    if counts_here {
        count_guess(&mut tx, now, phone_hash).await?;
    }
    tx.commit().await?;

    let right = hasher.matches(secret, stored.as_ref().map(|s| s.1.as_str())).await?;
    let (true, true, Some((user, hash, _))) = (right, counts_here, stored) else { return Err(wrong().into()) };
    let mut tx = db.write().await?;
    on!(&mut tx, c => sqlx::query("delete from sign_in_failures where phone_hash = $1").bind(phone_hash).execute(c).await.map(drop))?;
    tx.commit().await?;
    Ok(Proof { user, hash })
}

/// A session for somebody whose password was checked, or who was let in otherwise.
pub async fn open_session(tx: &mut Tx, now: At, user: &UserId) -> Result<SessionToken> {
    let token = SessionToken::random();
    on!(&mut *tx, c => sqlx::query(
        "insert into sessions (token_hash, user_id, created_at, last_seen_at, expires_at) values ($1, $2, $3, $3, $4)")
        .bind(token.hash()).bind(user).bind(now).bind(now + SESSION_IDLE).execute(c).await.map(drop))?;
    Ok(token)
}

async fn count_guess(tx: &mut Tx, now: At, phone_hash: &str) -> Result<()> {
    on!(&mut *tx, c => sqlx::query("delete from sign_in_failures where at < $1").bind(now - GUESS_WINDOW).execute(c).await.map(drop))?;
    on!(&mut *tx, c => sqlx::query("insert into sign_in_failures (phone_hash, at) values ($1, $2)")
        .bind(phone_hash).bind(now).execute(c).await.map(drop))?;
    let guesses: i64 = on!(&mut *tx, c => sqlx::query_scalar("select count(*) from sign_in_failures where phone_hash = $1")
        .bind(phone_hash).fetch_one(c).await)?;
    if guesses > GUESSES {
        return Err(
            Refusal::new("sign_in_rest", "试的次数太多了。", "歇 15 分钟再试，或者找县里的老师帮你重设密码。").into()
        );
    }
    Ok(())
}

/// Who holds this token now. Her session's time is moved on at most once a day, so that reading stays reading.
pub async fn who_is(db: &Db, now: At, token: &SessionToken) -> Result<Option<Principal>> {
    let mut tx = db.read().await?;
    let session: Option<(UserId, At)> = on!(&mut tx, c => sqlx::query_as(
        "select user_id, last_seen_at from sessions where token_hash = $1 and expires_at > $2")
        .bind(token.hash()).bind(now).fetch_optional(c).await)?;
    let Some((user, last_seen)) = session else { return Ok(None) };
    let principal = match super::principal(&mut tx, now, &user).await {
        Err(Error::NotFound) => return Ok(None),
        other => other?,
    };
    drop(tx);
    if now - last_seen > Millis::days(1) {
        let mut tx = db.write().await?;
        on!(&mut tx, c => sqlx::query("update sessions set last_seen_at = $1, expires_at = $2 where token_hash = $3")
            .bind(now).bind(now + SESSION_IDLE).bind(token.hash()).execute(c).await.map(drop))?;
        on!(&mut tx, c => sqlx::query("delete from sessions where expires_at < $1").bind(now).execute(c).await.map(drop))?;
        tx.commit().await?;
    }
    Ok(Some(principal))
}

pub async fn sign_out(db: &Db, token: &SessionToken) -> Result<()> {
    let mut tx = db.write().await?;
    on!(&mut tx, c => sqlx::query("delete from sessions where token_hash = $1").bind(token.hash()).execute(c).await.map(drop))?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{NewUser, create, grant_staff};
    use crate::both_databases;

    const PHONE: &str = "13812345678";
    const PASSWORD: &str = "black-rice-cake";

    async fn with_one_person(db: &Db) -> (Keys, PasswordHasher, UserId) {
        let (keys, hasher) = (Keys::from_master(&[1; 32]), PasswordHasher::new());
        let mut tx = db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query("insert into regions (code, level, name, kind, path) values ('43', 1, '湖南省', 'admin', '43/')")
            .execute(c).await.map(drop)).unwrap();
        let phone = PHONE.parse().unwrap();
        let password_hash = hasher.hash(PASSWORD).await.unwrap();
        let new = NewUser { name: "田春梅", phone: &phone, region_code: "43", password_hash: &password_hash };
        let user = create(&mut tx, &keys, At(0), new).await.unwrap();
        tx.commit().await.unwrap();
        (keys, hasher, user)
    }

    fn code(e: Error) -> String {
        match e {
            Error::Refused(r) | Error::Conflict(r) => r.code.into(),
            other => other.to_string(),
        }
    }

    both_databases! {
        a_session_lives_from_sign_in_to_sign_out(db) {
            let (keys, hasher, user) = with_one_person(&db).await;
            let session = sign_in(&db, &keys, &hasher, At(5), "138 1234 5678", PASSWORD, None).await.unwrap();
            assert_eq!(session.principal.user, user);
            assert!(session.principal.staff_paths.is_empty());
            let mut tx = db.write().await.unwrap();
            grant_staff(&mut tx, At(6), &user, "43", None).await.unwrap();
            tx.commit().await.unwrap();
            let seen = who_is(&db, At(7), &session.token).await.unwrap().unwrap();
            assert_eq!(seen.staff_paths, ["43/"], "a new role counts on the next request");
            let late = At(5) + Millis::days(50);
            assert!(who_is(&db, late, &session.token).await.unwrap().is_some());
            assert!(who_is(&db, late + Millis::days(50), &session.token).await.unwrap().is_some(), "use prolongs it");
            assert!(who_is(&db, late + Millis::days(120), &session.token).await.unwrap().is_none(), "idleness ends it");
            sign_out(&db, &session.token).await.unwrap();
            assert!(who_is(&db, At(8), &session.token).await.unwrap().is_none());
        }

        the_eleventh_guess_rests_the_account_and_nobody_else(db) {
            let (keys, hasher, _) = with_one_person(&db).await;
            for n in 0..10 {
                let e = sign_in(&db, &keys, &hasher, At(n), PHONE, "wrong-password", None).await.err().unwrap();
                assert_eq!(code(e), "sign_in_wrong");
            }
            let e = sign_in(&db, &keys, &hasher, At(11), PHONE, PASSWORD, None).await.err().unwrap();
            assert_eq!(code(e), "sign_in_rest");
            let e = sign_in(&db, &keys, &hasher, At(11), "13812345679", PASSWORD, None).await.err().unwrap();
            assert_eq!(code(e), "sign_in_wrong", "another number is not held up");
            let later = At(11) + GUESS_WINDOW + Millis(1);
            assert!(sign_in(&db, &keys, &hasher, later, PHONE, PASSWORD, None).await.is_ok());
        }

        guesses_sent_together_are_all_counted(db) {
            let (keys, hasher, _) = with_one_person(&db).await;
            let guess = || sign_in(&db, &keys, &hasher, At(1), PHONE, "wrong-password", None);
            let answers = futures_util::future::join_all((0..16).map(|_| guess())).await;
            let wrong = answers.into_iter().filter_map(Result::err).filter(|e| matches!(e, Error::Refused(r) if r.code == "sign_in_wrong"));
            assert_eq!(wrong.count() as i64, GUESSES);
        }

        a_suspended_person_is_nobody(db) {
            let (keys, hasher, _) = with_one_person(&db).await;
            let session = sign_in(&db, &keys, &hasher, At(1), PHONE, PASSWORD, None).await.unwrap();
            let mut tx = db.write().await.unwrap();
            on!(&mut tx, c => sqlx::query("update users set state = 'suspended'").execute(c).await.map(drop)).unwrap();
            tx.commit().await.unwrap();
            assert!(who_is(&db, At(2), &session.token).await.unwrap().is_none());
            assert!(sign_in(&db, &keys, &hasher, At(3), PHONE, PASSWORD, None).await.is_err());
        }

        a_new_password_ends_what_the_old_one_opened(db) {
            let (keys, hasher, user) = with_one_person(&db).await;
            let session = sign_in(&db, &keys, &hasher, At(1), PHONE, PASSWORD, None).await.unwrap();
            let hash = hasher.hash("another-password").await.unwrap();
            let mut tx = db.write().await.unwrap();
            crate::account::set_password(&mut tx, &user, &hash, Secret::Issued).await.unwrap();
            tx.commit().await.unwrap();
            assert!(who_is(&db, At(2), &session.token).await.unwrap().is_none());
            assert!(sign_in(&db, &keys, &hasher, At(3), PHONE, PASSWORD, None).await.is_err());
            assert!(sign_in(&db, &keys, &hasher, At(4), PHONE, "another-password", None).await.is_ok());
        }

        six_digits_are_good_on_a_phone_that_knows_her(db) {
            let (keys, hasher, user) = with_one_person(&db).await;
            let (hers, other) = (DeviceToken::random(), DeviceToken::random());
            let hash = hasher.hash_pin("271828").await.unwrap();
            let mut tx = db.write().await.unwrap();
            let seen: String = on!(&mut tx, c => sqlx::query_scalar("select password_hash from users where id = $1").bind(&user).fetch_one(c).await).unwrap();
            crate::account::choose_pin(&mut tx, &user, &seen, &hash).await.unwrap();
            assert!(crate::account::choose_pin(&mut tx, &user, &seen, &hash).await.is_err(), "once");
            device::bind(&mut tx, At(1), &hers, &user).await.unwrap();
            device::bind(&mut tx, At(2), &hers, &user).await.unwrap();
            tx.commit().await.unwrap();
            let tried = async |device: Option<&DeviceToken>, pin: &str| {
                sign_in(&db, &keys, &hasher, At(3), PHONE, pin, device).await.map(|s| s.principal.user).map_err(code)
            };
            assert_eq!(tried(Some(&hers), "271828").await, Ok(user.clone()));
            for (device, pin) in [(Some(&hers), "271829"), (Some(&other), "271828"), (None, "271828")] {
                assert_eq!(tried(device, pin).await, Err("sign_in_wrong".into()));
            }
            let by_name = async |device: Option<&DeviceToken>, pin: &str| {
                sign_in_known(&db, &hasher, At(3), &user, pin, device).await.map(|s| s.principal.user).map_err(code)
            };
            assert_eq!(by_name(Some(&hers), "271828").await, Ok(user.clone()));
            for (device, pin) in [(Some(&hers), "271829"), (Some(&other), "271828"), (None, "271828")] {
                assert_eq!(by_name(device, pin).await, Err("sign_in_wrong".into()));
            }
            let mut tx = db.read().await.unwrap();
            let names = |people: Vec<device::Known>| people.into_iter().map(|p| p.name).collect::<Vec<_>>();
            assert_eq!(names(device::people(&mut tx, &hers).await.unwrap()), ["田春梅"]);
            assert_eq!(names(device::people(&mut tx, &other).await.unwrap()), [""; 0]);
            drop(tx);
            let phone_hash = keys.phone_hash(&PHONE.parse().unwrap());
            let at_the_door = prove(&db, &hasher, At(4), &phone_hash, "271828", Place::ClassDoor).await;
            assert_eq!(at_the_door.as_ref().unwrap().user, user);
            // Tries on a phone that does not know her keep her from nothing.
            for _ in 0..20 {
                assert_eq!(tried(Some(&other), "999999").await, Err("sign_in_wrong".into()));
            }
            assert_eq!(tried(Some(&hers), "271828").await, Ok(user.clone()));
            for _ in 0..GUESSES {
                assert_eq!(tried(Some(&hers), "999999").await, Err("sign_in_wrong".into()));
            }
            assert_eq!(tried(Some(&hers), "271828").await, Err("sign_in_rest".into()));
            // Who is given a new password begins anew at once, on no phone, and what the old one began is over.
            let fresh = hasher.hash("48217306").await.unwrap();
            let mut tx = db.write().await.unwrap();
            crate::account::set_password(&mut tx, &user, &fresh, Secret::Reset).await.unwrap();
            assert!(!device::knows(&mut tx, &hers, &user).await.unwrap());
            assert!(at_the_door.unwrap().still_holds(&mut tx).await.is_err());
            tx.commit().await.unwrap();
            assert_eq!(tried(None, "48217306").await, Ok(user.clone()));
        }

        what_was_handed_out_is_hers_once_used(db) {
            let (keys, hasher, user) = with_one_person(&db).await;
            sign_in(&db, &keys, &hasher, At(1), PHONE, PASSWORD, None).await.unwrap();
            let mut tx = db.write().await.unwrap();
            let seen: String = on!(&mut tx, c => sqlx::query_scalar("select password_hash from users where id = $1").bind(&user).fetch_one(c).await).unwrap();
            assert!(crate::account::choose_pin(&mut tx, &user, &seen, "x").await.is_err(), "nobody takes over what is in use");
            tx.commit().await.unwrap();
        }

        a_phone_belongs_to_one_person(db) {
            let (keys, _, _) = with_one_person(&db).await;
            let mut tx = db.write().await.unwrap();
            let phone = PHONE.parse().unwrap();
            let again = create(&mut tx, &keys, At(1), NewUser { name: "向二妹", phone: &phone, region_code: "43", password_hash: "x" }).await;
            assert_eq!(code(again.unwrap_err()), "phone_taken");
        }
    }
}
