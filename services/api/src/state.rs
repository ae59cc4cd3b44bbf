//! What every handler has at hand.

use std::sync::Arc;

use axum::http::HeaderValue;
use tokio_util::sync::CancellationToken;
use url::Url;
use weijia_core::account::{Keys, PasswordHasher};
use weijia_core::db::Db;
use weijia_core::storage::Storage;
use weijia_core::upload::quota::Quota;

use crate::upload::{Limits, Room, Uploads};

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
        let limits = Limits { quota: settings.quota, room: settings.room.clone(), ..Limits::default() };
        let uploads = Uploads::new(db.clone(), storage.clone(), limits, stopping.clone());
        AppState { db, storage, keys, hasher, settings: Arc::new(settings), stopping, uploads }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where browsers reach us, when that is not the address we listen on (a proxy with TLS in front).
    pub public_url: Option<Url>,
    /// How much a person may send and keep.
    pub quota: Quota,
    /// The disk that the embedded store is on.
    pub room: Option<Room>,
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
