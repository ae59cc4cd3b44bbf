//! A person with a browser: her session, and her acts by the names she would give them.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::until;

#[derive(Clone)]
pub struct User {
    http: Client,
    pub base: String,
    cookie: String,
    pub me: Value,
}

impl User {
    /// Someone who has not signed in.
    pub fn stranger(base: &str) -> Self {
        let http = Client::builder().no_proxy().build().expect("a client");
        Self { http, base: base.to_owned(), cookie: String::new(), me: Value::Null }
    }

    pub async fn sign_in(base: &str, phone: &str, password: &str) -> Self {
        let mut user = Self::stranger(base);
        let request =
            user.request(Method::POST, "/api/v1/session").json(&json!({"phone": phone, "password": password}));
        let answer = request.send().await.expect("an answer to the sign-in");
        let (status, headers) = (answer.status(), answer.headers().clone());
        user.me = answer.json().await.expect("who I am");
        assert!(status.is_success(), "{status} {}", user.me);
        user.cookie = cookies(&headers);
        assert!(!user.cookie.is_empty(), "the sign-in sets a cookie");
        user
    }

    /// The same person, with the same session, at another server.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// What her browser keeps, for a client of another make.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    pub fn id(&self) -> &str {
        self.me["id"].as_str().expect("my id")
    }

    pub fn name(&self) -> &str {
        self.me["name"].as_str().expect("my name")
    }

    /// A request as her browser sends it: with her cookie, and saying which site it comes from.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let request = self.http.request(method, url).header(ORIGIN, &self.base).header("Sec-Fetch-Site", "same-origin");
        if self.cookie.is_empty() { request } else { request.header(COOKIE, &self.cookie) }
    }

    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), String> {
        let mut request = self.request(method, &format!("/api/v1{path}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|e| format!("{e:?}"))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|e| format!("{e:?}"))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, value) = self.try_call(method.clone(), path, body).await.expect("an answer");
        assert!(status.is_success(), "{method} {path}: {status} {value}");
        value
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Value {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// What the server says no to, with its status.
    pub async fn refused(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let (status, value) = self.try_call(method.clone(), path, body).await.expect("an answer");
        assert!(status.is_client_error(), "{method} {path} should be refused: {status} {value}");
        assert!(value["message"].is_string() && value["next_step"].is_string(), "a reason and a next step: {value}");
        (status, value)
    }

    /// A file that a page names: its bytes and its type.
    pub async fn fetch(&self, path: &str) -> (Vec<u8>, String) {
        let answer = self.request(Method::GET, path).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let kind = answer.headers()[CONTENT_TYPE].to_str().expect("plain text").to_owned();
        (answer.bytes().await.expect("the body").to_vec(), kind)
    }

    // ---- clips ----

    pub async fn clip(&self, clip: &str) -> Value {
        self.get(&format!("/clips/{clip}")).await
    }

    /// Her clip once `done` holds; fails when the clip is refused instead.
    async fn wait_for(&self, clip: &str, what: &str, patience: Duration, done: impl Fn(&Value) -> bool) -> Value {
        until(what, patience, || async {
            let (status, seen) = self.try_call(Method::GET, &format!("/clips/{clip}"), None).await?;
            if !status.is_success() {
                return Err(format!("{status} {seen}"));
            }
            assert!(seen["refusal"].is_null(), "{clip} was refused: {}", seen["refusal"]);
            if done(&seen) { Ok(seen) } else { Err(seen.to_string()) }
        })
        .await
    }

    pub async fn wait_playable(&self, clip: &str) -> Value {
        self.wait_for(clip, "the clip to become playable", Duration::from_secs(120), |c| c["playable"] == true).await
    }

    /// Everything made: each rendition complete, poster and storyboard there.
    pub async fn wait_ready(&self, clip: &str) -> Value {
        self.wait_for(clip, "the clip to be ready", Duration::from_secs(300), |c| c["media_state"] == "ready").await
    }

    pub async fn wait_refused(&self, clip: &str) -> Value {
        until("the clip to be refused", Duration::from_secs(60), || async {
            let (_, seen) = self.try_call(Method::GET, &format!("/clips/{clip}"), None).await?;
            if seen["refusal"].is_null() { Err(seen.to_string()) } else { Ok(seen) }
        })
        .await
    }

    pub async fn submit(&self, clip: &str, assignment: &str) -> Value {
        self.post(&format!("/clips/{clip}/submit"), json!({"assignment": assignment})).await
    }

    pub async fn feedback(&self, clip: &str) -> Vec<Value> {
        self.get(&format!("/clips/{clip}/feedback")).await["reviews"].as_array().expect("reviews").clone()
    }

    /// Attaches captions to a version of her clip.
    pub async fn attach(&self, clip: &str, version: &str, language: &str, file: Vec<u8>) -> (StatusCode, Value) {
        let path = format!("/api/v1/clips/{clip}/versions/{version}/captions/{language}");
        let answer = self.request(Method::PUT, &path).body(file).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    // ---- review ----

    /// Takes the clip from the queue to her desk.
    pub async fn claim(&self, clip: &str) -> Value {
        let queue = self.get("/review/tickets?view=waiting").await;
        let tickets = queue["tickets"].as_array().expect("tickets");
        let ticket =
            tickets.iter().find(|t| t["clip_id"] == clip).unwrap_or_else(|| panic!("{clip} is not in {queue}"));
        self.post(&format!("/review/tickets/{}/claim", ticket["id"].as_str().unwrap()), json!({})).await
    }

    /// Saves what `change` makes of the draft on the desk.
    pub async fn save_draft(&self, desk: &Value, change: impl FnOnce(&mut Value)) -> Value {
        let mut draft = desk["draft"].clone();
        change(&mut draft);
        draft.as_object_mut().expect("a draft").remove("review_id");
        self.put(&format!("/review/tickets/{}/draft", ticket_of(desk)), draft).await
    }

    pub async fn send_review(&self, desk: &Value, draft: &Value, outcome: &str) -> Value {
        let body = json!({"rev": draft["rev"], "outcome": outcome});
        self.post(&format!("/review/tickets/{}/send", ticket_of(desk)), body).await
    }
}

pub fn ticket_of(desk: &Value) -> &str {
    desk["ticket"]["id"].as_str().expect("a ticket")
}

/// A piece of feedback as the desk's page writes it.
pub fn item(kind: &str, at_ms: i64, body: &str) -> Value {
    json!({"id": null, "kind": kind, "t_start_ms": at_ms, "t_end_ms": null, "dim": null, "body": body})
}

/// Cookies by hand: a client that insists on TLS for `Secure` ones would not send them to a loopback address.
fn cookies(headers: &HeaderMap) -> String {
    let set = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
}
