//! Opaque 256-bit texts that a browser holds, and of which only the hash is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore as _;
use sha2::{Digest, Sha256};

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(String);

        impl $name {
            pub fn random() -> Self {
                let mut bytes = [0; 32];
                rand::rng().fill_bytes(&mut bytes);
                Self(URL_SAFE_NO_PAD.encode(bytes))
            }
            pub fn from_cookie(text: &str) -> Self {
                Self(text.to_owned())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
            pub fn hash(&self) -> String {
                hex::encode(Sha256::digest(&self.0))
            }
        }
    )*};
}

tokens! {
    /// Says who is signed in.
    SessionToken;
    /// Says which phone it is, whoever is signed in on it.
    DeviceToken;
}
