//! Who stands before a door, before she has said who she is: a phone, and where it asks from.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use weijia_core::account::DeviceToken;
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::join::tries::{self, Subject};
use weijia_core::time::At;

use crate::address::address;
use crate::auth::{device_cookie, device_token};
use crate::state::AppState;

pub struct Asker {
    pub device: DeviceToken,
    /// From its first question on a phone has a name, by which its tries are counted.
    cookie: HeaderValue,
    subjects: Vec<Subject>,
}

impl FromRequestParts<AppState> for Asker {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let device = device_token(&parts.headers, &state.settings);
        let from = address(&parts.extensions, &parts.headers, state.settings.public_url.is_some());
        let phone = device.as_ref().map(|device| Subject::phone(&device.hash()));
        let subjects = phone.into_iter().chain([Subject::address(&home(from))]).collect();
        let device = device.unwrap_or_else(DeviceToken::random);
        Ok(Self { cookie: device_cookie(&state.settings, &device), device, subjects })
    }
}

/// One line has one address, or 2^64 of them (RFC 6177): these are counted as one.
fn home(from: Option<IpAddr>) -> String {
    match from {
        Some(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Some(ip) => ip.to_canonical().to_string(),
        None => "unknown".to_owned(),
    }
}

impl Asker {
    /// Counts this try as a wrong one, until [`Asker::was_right`] says otherwise.
    pub async fn tries(&self, tx: &mut Tx, now: At) -> Result<()> {
        tries::count(tx, now, &self.subjects).await
    }
    pub async fn was_right(&self, tx: &mut Tx) -> Result<()> {
        tries::forgive(tx, &self.subjects).await
    }
    /// What goes with every answer.
    pub fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([(header::SET_COOKIE, self.cookie.clone())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_counted_as_one() {
        for (address, line) in [
            ("10.0.0.7", "10.0.0.7"),
            ("::ffff:10.0.0.7", "10.0.0.7"),
            ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(home(Some(address.parse().unwrap())), line);
        }
        assert_eq!(home(None), "unknown");
    }
}
