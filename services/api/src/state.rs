//! What every handler has at hand.

use std::sync::Arc;

use axum::http::HeaderValue;
use tokio_util::sync::CancellationToken;
use url::Url;
use weijia_core::account::{Keys, PasswordHasher};
use weijia_core::db::Db;
use weijia_core::storage::Storage;

use crate::upload::{Limits, Uploads};

#[derive(Clone)]
pub struct AppState {
    pub db: Db,
    pub storage: Storage,
    pub keys: Keys,
    pub hasher: PasswordHasher,
    pub settings: Arc<Settings>,
    /// Cancelled when the server is asked to end: long requests save what they have and answer.
    pub stopping: CancellationToken,
    /// What all uploads share. Before the process ends, wait for [`Uploads::drained`].
    pub uploads: Uploads,
}

impl AppState {
    pub fn new(
        db: Db,
        storage: Storage,
        keys: Keys,
        hasher: PasswordHasher,
        settings: Settings,
        stopping: CancellationToken,
    ) -> AppState {
        let max_length = i64::try_from(settings.max_upload_bytes).unwrap_or(i64::MAX);
        let limits = Limits { max_length, ..Limits::default() };
        let uploads = Uploads::new(db.clone(), storage.clone(), limits, stopping.clone());
        AppState { db, storage, keys, hasher, settings: Arc::new(settings), stopping, uploads }
    }
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where browsers reach us, when that is not the address we listen on (a proxy with TLS in front).
    pub public_url: Option<Url>,
    /// The largest file that may be uploaded.
    pub max_upload_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { public_url: None, max_upload_bytes: 2 << 30 }
    }
}

impl Settings {
    /// Whether an `Origin` is that of the pages behind `public_url`.
    pub fn is_public_origin(&self, origin: &HeaderValue) -> bool {
        self.public_url.as_ref().is_some_and(|public| origin == public.origin().ascii_serialization().as_str())
    }

    /// Over TLS the session cookie is bound to host and scheme; over plain HTTP (a PC in the county office) browsers
    /// would drop such a cookie.
    pub fn is_tls(&self) -> bool {
        self.public_url.as_ref().is_some_and(|u| u.scheme() == "https")
    }
}
