//! Passwords: argon2id, and a bound on how many are worked on at once.

use std::sync::Arc;

use argon2::password_hash::SaltString;
use argon2::password_hash::rand_core::OsRng;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version};
use rand::Rng as _;
use tokio::sync::Semaphore;

use crate::error::{Error, Refusal, Result};

/// Each hash takes 19 MiB and a core for tens of milliseconds; more at once than this would starve the rest.
const AT_ONCE: usize = 2;

#[derive(Clone)]
pub struct PasswordHasher {
    argon2: Argon2<'static>,
    turn: Arc<Semaphore>,
    /// Verified for unknown phones, so that they take as long as known ones.
    nobody: Arc<str>,
}

impl Default for PasswordHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl PasswordHasher {
    pub fn new() -> Self {
        let params = Params::new(19 * 1024, 2, 1, None).expect("parameters within argon2's bounds");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, "nobody").expect("argon2 hashes a short text");
        Self { argon2, turn: Arc::new(Semaphore::new(AT_ONCE)), nobody: nobody.into() }
    }

    /// Hashes a new password after looking whether it is one.
    pub async fn hash(&self, password: &str) -> Result<String> {
        if password.chars().count() < 8 {
            return Err(Refusal::new("password_short", "密码太短了。", "至少 8 位，想一个自己记得住的。").into());
        }
        if password.len() > 256 {
            return Err(Refusal::new("password_long", "密码太长了。", "最多 256 个字符，短一点就行。").into());
        }
        self.hash_any(password).await
    }

    /// Hashes six digits that were looked at before (see [`super::pin`]).
    pub async fn hash_pin(&self, pin: &str) -> Result<String> {
        self.hash_any(pin).await
    }

    async fn hash_any(&self, secret: &str) -> Result<String> {
        let secret = secret.to_owned();
        let argon2 = self.argon2.clone();
        self.in_turn(move || hash(&argon2, &secret)).await?.map_err(|e| Error::Damaged(format!("hashing failed: {e}")))
    }

    /// Whether the password is the one behind `stored`. `None` is an unknown person: the same work, and no.
    pub async fn matches(&self, password: &str, stored: Option<&str>) -> Result<bool> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).to_owned();
        let password = password.chars().take(256).collect::<String>();
        let argon2 = self.argon2.clone();
        let right = self
            .in_turn(move || {
                PasswordHash::new(&stored).is_ok_and(|h| argon2.verify_password(password.as_bytes(), &h).is_ok())
            })
            .await?;
        Ok(known && right)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _turn = self.turn.acquire().await.map_err(|_| Error::Damaged("the password queue is closed".into()))?;
        tokio::task::spawn_blocking(work).await.map_err(|e| Error::Damaged(format!("password work ended early: {e}")))
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(argon2.hash_password(password.as_bytes(), &SaltString::generate(&mut OsRng))?.to_string())
}

/// A first password that can be read out loud and typed on a small keyboard: `k7m4-x2p9`, 40 bits, no look-alikes.
pub fn one_time_password() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    let mut text: String = (0..8).map(|_| LETTERS[rng.random_range(0..LETTERS.len())] as char).collect();
    text.insert(4, '-');
    text
}

/// What is read out to one person across a table and pressed on a keypad: `4821 7306`. Good for as long as ten guesses in a
/// quarter of an hour allow.
pub fn one_time_code() -> String {
    format!("{:08}", rand::rng().random_range(0..100_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let hasher = PasswordHasher::new();
        let stored = hasher.hash("竹篮打水12").await.unwrap_err();
        assert!(matches!(stored, Error::Refused(r) if r.code == "password_short"));
        let stored = hasher.hash("竹篮打水1234").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hasher.matches("竹篮打水1234", Some(&stored)).await.unwrap());
        assert!(!hasher.matches("竹篮打水1235", Some(&stored)).await.unwrap());
        assert!(!hasher.matches("nobody", None).await.unwrap(), "an unknown person never matches");
    }
}
