//! The signed part of a media path: who it was given to, for which version, until when.
//!
//! The token is the credential, so that playlists can use relative names, a native player needs no header, and a cache
//! can stand in front. The hour it ends is rounded: within an hour a person gets the same address again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use weijia_core::account::Keys;
use weijia_core::ids::{UserId, VersionId};
use weijia_core::time::{At, Millis};

const LASTS: Millis = Millis::hours(6);
const ROUND: Millis = Millis::hours(1);
const EXPIRY: usize = 8;
const SIGNATURE: usize = 32;

pub fn sign(keys: &Keys, user: &UserId, version: &VersionId, now: At) -> String {
    let expires = At(((now + LASTS).0 / ROUND.0 + 1) * ROUND.0);
    let signature = keys.media_signature(&message(user, version, expires));
    URL_SAFE_NO_PAD.encode([&expires.0.to_be_bytes()[..], user.as_str().as_bytes(), &signature].concat())
}

/// Whom this token was given to, if it is ours, for this version, and not over.
pub fn verify(keys: &Keys, token: &str, version: &VersionId, now: At) -> Option<UserId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (expires, rest) = bytes.split_first_chunk::<EXPIRY>()?;
    let (user, signature) = rest.split_last_chunk::<SIGNATURE>()?;
    let expires = At(i64::from_be_bytes(*expires));
    let user: UserId = std::str::from_utf8(user).ok()?.parse().ok()?;
    let ours = keys.media_signature_matches(&message(&user, version, expires), signature);
    (ours && now < expires).then_some(user)
}

/// Ids hold no newline, so no two facts read as one message.
fn message(user: &UserId, version: &VersionId, expires: At) -> Vec<u8> {
    format!("{user}\n{version}\n{}", expires.0).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: At = At(1_772_692_200_000);

    #[test]
    fn a_token_opens_its_version_until_its_hour() {
        let keys = Keys::from_master(&[7; 32]);
        let (user, version) = (UserId::new(), VersionId::new());
        let token = sign(&keys, &user, &version, NOW);
        assert_eq!(verify(&keys, &token, &version, NOW), Some(user.clone()));
        assert_eq!(verify(&keys, &token, &version, NOW + LASTS), Some(user));
        assert_eq!(verify(&keys, &token, &version, NOW + LASTS + ROUND), None, "it is over");
        assert_eq!(verify(&keys, &token, &VersionId::new(), NOW), None, "another version");
        assert_eq!(verify(&Keys::from_master(&[8; 32]), &token, &version, NOW), None, "another house");
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed() {
        let keys = Keys::from_master(&[7; 32]);
        let version = VersionId::new();
        let token = sign(&keys, &UserId::new(), &version, NOW);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert_eq!(verify(&keys, &URL_SAFE_NO_PAD.encode(forged), &version, NOW), None, "byte {at}");
        }
        for short in ["", "AAAA", &token[..token.len() - 4]] {
            assert_eq!(verify(&keys, short, &version, NOW), None);
        }
    }

    #[test]
    fn an_address_stays_the_same_for_a_while() {
        let keys = Keys::from_master(&[7; 32]);
        let (user, version) = (UserId::new(), VersionId::new());
        let hour = At(NOW.0 / ROUND.0 * ROUND.0);
        let at = |later| sign(&keys, &user, &version, hour + Millis(later));
        assert_eq!(at(0), at(ROUND.0 - 1));
        assert_ne!(at(0), at(ROUND.0));
    }
}
