//! Who is asking: the session cookie, and the rule that unsafe requests come from our own pages.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use weijia_core::access;
use weijia_core::account::{DeviceToken, SESSION_IDLE, SessionToken, who_is};
use weijia_core::time::{At, Millis};

use crate::error::ApiError;
use crate::state::{AppState, Settings};

/// The signed-in person, as an extractor. Answers 401 where there is none.
#[derive(Debug, Clone)]
pub struct Principal(pub access::Principal);

impl std::ops::Deref for Principal {
    type Target = access::Principal;
    fn deref(&self) -> &access::Principal {
        &self.0
    }
}

impl FromRequestParts<AppState> for Principal {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let token = session_token(&parts.headers, &state.settings).ok_or_else(ApiError::signed_out)?;
        let principal = who_is(&state.db, At::now(), &token).await?;
        principal.map(Principal).ok_or_else(ApiError::signed_out)
    }
}

fn cookie_name(settings: &Settings) -> &'static str {
    if settings.is_tls() { "__Host-weijia" } else { "weijia" }
}

fn device_cookie_name(settings: &Settings) -> &'static str {
    if settings.is_tls() { "__Host-weijia-phone" } else { "weijia-phone" }
}

pub fn session_token(headers: &HeaderMap, settings: &Settings) -> Option<SessionToken> {
    cookie(headers, cookie_name(settings)).map(SessionToken::from_cookie)
}

pub fn device_token(headers: &HeaderMap, settings: &Settings) -> Option<DeviceToken> {
    cookie(headers, device_cookie_name(settings)).map(DeviceToken::from_cookie)
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The `Set-Cookie` that signs in (`Some`) or out (`None`).
pub fn session_cookie(settings: &Settings, token: Option<&SessionToken>) -> HeaderValue {
    let (value, age) = match token {
        Some(token) => (token.as_str(), SESSION_IDLE.0 / 1000),
        None => ("", 0),
    };
    set_cookie(settings, cookie_name(settings), value, age)
}

/// The `Set-Cookie` by which a phone is known again, whoever signs in on it. Browsers keep none for longer than 400 days.
pub fn device_cookie(settings: &Settings, token: &DeviceToken) -> HeaderValue {
    set_cookie(settings, device_cookie_name(settings), token.as_str(), Millis::days(400).0 / 1000)
}

fn set_cookie(settings: &Settings, name: &str, value: &str, age: i64) -> HeaderValue {
    let secure = if settings.is_tls() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("weijia=; Path=/; Max-Age=0"))
}

/// Unsafe methods with a session cookie must come from our own pages. Clients that send no such header at all (a
/// command-line uploader) are not browsers and cannot be tricked into carrying somebody's cookie.
pub async fn same_origin(State(state): State<AppState>, request: Request, next: Next) -> Result<Response, ApiError> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_same_origin(request.headers(), &state.settings) {
        return Ok(next.run(request).await);
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        "这个请求不是从微家的页面发来的，没有照做。",
        "从微家的网页里再点一次。",
    ))
}

fn is_same_origin(headers: &HeaderMap, settings: &Settings) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if headers.get("origin").is_some_and(|origin| settings.is_public_origin(origin)) {
        return true;
    }
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => return true,
        Some(_) => return false,
        None => {}
    }
    let Some(origin) = text("origin") else { return true };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == text("host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn a_foreign_page_is_told_apart() {
        let plain = Settings::default();
        let proxied = Settings { public_url: "https://weijia.example".parse().ok(), ..Settings::default() };
        let same = |pairs: &[_], settings: &Settings| is_same_origin(&headers(pairs), settings);
        assert!(same(&[("sec-fetch-site", "same-origin")], &plain));
        assert!(!same(&[("sec-fetch-site", "cross-site")], &plain));
        assert!(!same(&[("sec-fetch-site", "same-site"), ("origin", "http://h")], &plain));
        assert!(same(&[("origin", "http://10.0.0.2:8080"), ("host", "10.0.0.2:8080")], &plain));
        assert!(!same(&[("origin", "http://evil.example"), ("host", "10.0.0.2:8080")], &plain));
        assert!(!same(&[("origin", "null"), ("host", "10.0.0.2:8080")], &plain));
        assert!(same(&[("origin", "https://weijia.example"), ("host", "inner:80")], &proxied));
        assert!(same(&[("sec-fetch-site", "same-site"), ("origin", "https://weijia.example")], &proxied));
        assert!(!same(&[("sec-fetch-site", "same-site"), ("origin", "https://other.example")], &proxied));
        assert!(same(&[], &plain));
    }

    #[test]
    fn the_cookie_is_bound_to_the_host_over_tls() {
        let proxied = Settings { public_url: "https://weijia.example".parse().ok(), ..Settings::default() };
        let token = SessionToken::from_cookie("t0ken");
        let text = session_cookie(&proxied, Some(&token));
        assert!(text.to_str().unwrap().starts_with("__Host-weijia=t0ken; Path=/; HttpOnly; SameSite=Lax;"));
        assert!(text.to_str().unwrap().ends_with("; Secure"));
        let read = session_token(&headers(&[("cookie", "a=b; __Host-weijia=t0ken")]), &proxied);
        assert_eq!(read.unwrap().as_str(), "t0ken");
        assert!(session_token(&headers(&[("cookie", "weijia=t0ken")]), &proxied).is_none());
    }
}
