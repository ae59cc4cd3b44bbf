//! Secrets of this installation, and what is derived from them.

use aes_gcm::aead::{Aead, AeadCore, KeyInit, OsRng};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Phone;
use crate::error::{Error, Result};

type HmacSha256 = Hmac<Sha256>;

/// One 32-byte master secret; each use has a key of its own, so that one leaking says nothing of the others.
#[derive(Clone)]
pub struct Keys {
    phone_lookup: [u8; 32],
    phone_cipher: [u8; 32],
    media: [u8; 32],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Keys {
    pub fn from_master(master: &[u8; 32]) -> Self {
        Self {
            phone_lookup: hmac(master, b"weijia phone lookup v1"),
            phone_cipher: hmac(master, b"weijia phone cipher v1"),
            media: hmac(master, b"weijia media path v1"),
        }
    }

    /// What a phone is found by: the same number always gives the same text, and nobody without the key can try numbers.
    pub fn phone_hash(&self, phone: &Phone) -> String {
        hex::encode(hmac(&self.phone_lookup, phone.as_str().as_bytes()))
    }

    pub fn encrypt_phone(&self, phone: &Phone) -> Result<String> {
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        let sealed = self.cipher().encrypt(&nonce, phone.as_str().as_bytes());
        let sealed = sealed.map_err(|_| Error::Damaged("a phone could not be encrypted".into()))?;
        Ok(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    pub fn decrypt_phone(&self, text: &str) -> Result<String> {
        let damaged = || Error::Damaged("a stored phone cannot be read with this installation's secret".into());
        let bytes = BASE64.decode(text).map_err(|_| damaged())?;
        let (nonce, sealed) = bytes.split_first_chunk::<12>().ok_or_else(damaged)?;
        let open = self.cipher().decrypt(&Nonce::from(*nonce), sealed).map_err(|_| damaged())?;
        String::from_utf8(open).map_err(|_| damaged())
    }

    /// Signs what a media path stands for.
    pub fn media_signature(&self, message: &[u8]) -> [u8; 32] {
        hmac(&self.media, message)
    }

    /// Compares in constant time.
    pub fn media_signature_matches(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(mut mac) = <HmacSha256 as Mac>::new_from_slice(&self.media) else { return false };
        mac.update(message);
        mac.verify_slice(signature).is_ok()
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&self.phone_cipher.into())
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <HmacSha256 as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_found_by_its_hash_and_read_with_the_key_alone() {
        let keys = Keys::from_master(&[7; 32]);
        let other = Keys::from_master(&[8; 32]);
        let phone: Phone = "13812345678".parse().unwrap();
        assert_eq!(keys.phone_hash(&phone), keys.phone_hash(&"138 1234 5678".parse().unwrap()));
        assert_ne!(keys.phone_hash(&phone), other.phone_hash(&phone));
        let sealed = keys.encrypt_phone(&phone).unwrap();
        assert_ne!(sealed, keys.encrypt_phone(&phone).unwrap(), "equal numbers must not look equal");
        assert_eq!(keys.decrypt_phone(&sealed).unwrap(), "13812345678");
        assert!(other.decrypt_phone(&sealed).is_err());
        assert!(keys.decrypt_phone("").is_err());
    }

    #[test]
    fn a_media_signature_holds_for_its_message_alone() {
        let keys = Keys::from_master(&[7; 32]);
        let signature = keys.media_signature(b"a");
        assert!(keys.media_signature_matches(b"a", &signature));
        assert!(!keys.media_signature_matches(b"b", &signature));
        assert!(!keys.media_signature_matches(b"a", &signature[..31]));
    }
}
