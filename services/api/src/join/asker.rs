//! Who stands before a door, before she has said who she is: a phone, and where it asks from.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use weijia_core::account::DeviceToken;
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::join::tries::{self, Subject};
use weijia_core::time::At;

use crate::address::address;
use crate::auth::device_token;
use crate::state::AppState;

pub struct Asker {
    /// None for a phone that comes for the first time.
    pub device: Option<DeviceToken>,
    subjects: Vec<Subject>,
}

impl FromRequestParts<AppState> for Asker {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let device = device_token(&parts.headers, &state.settings);
        let from = address(&parts.extensions, &parts.headers, state.settings.public_url.is_some());
        let from = from.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        let phone = device.as_ref().map(|device| Subject::phone(&device.hash()));
        Ok(Self { device, subjects: phone.into_iter().chain([Subject::address(&from)]).collect() })
    }
}

impl Asker {
    /// Counts this try as a wrong one, until [`Asker::was_right`] says otherwise.
    pub async fn tries(&self, state: &AppState, now: At) -> Result<()> {
        tries::count(&state.db, now, &self.subjects).await
    }
    /// This try was wrong, and what it did in this transaction counts only with that.
    pub async fn was_wrong(&self, tx: &mut Tx, now: At) -> Result<()> {
        tries::wrong(tx, now, &self.subjects).await
    }
    pub async fn was_right(&self, state: &AppState) -> Result<()> {
        tries::forgive(&state.db, &self.subjects).await
    }
}
