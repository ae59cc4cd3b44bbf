//! The whole router over a real database, asked as a browser would ask.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use weijia_core::account::{Keys, PasswordHasher};
use weijia_core::db::Db;
use weijia_core::db::testing::{TempFolder, folder, sqlite};
use weijia_core::ids::UserId;
use weijia_core::review::testing::{Classroom, session};
use weijia_core::storage::{Addressing, Storage, StorageSettings};

use crate::{AppState, Settings};

pub struct School {
    pub db: Db,
    pub keys: Keys,
    pub room: Classroom,
    app: Router,
    _folder: TempFolder,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.body)))
    }
    /// Of an answer that must have that status.
    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }
    /// The code of an error of that status, which must speak to a person.
    #[track_caller]
    pub fn code(self, status: u16) -> String {
        let body = self.ok(status);
        for field in ["message", "next_step", "request_id"] {
            assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {body}");
        }
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl School {
    pub async fn open() -> Self {
        // No test of this crate reaches the store; nothing listens there.
        Self::with_storage("http://127.0.0.1:9").await
    }

    pub async fn with_storage(endpoint: &str) -> Self {
        let folder = folder();
        let db = sqlite(folder.path()).await;
        let room = Classroom::open(&db).await;
        let keys = Keys::from_master(&[7; 32]);
        let storage = Storage::connect(&StorageSettings {
            endpoint: endpoint.into(),
            bucket: "weijia".into(),
            region: "local".into(),
            access_key: "test".into(),
            secret_key: "test".into(),
            addressing: Addressing::Path,
        });
        let (hasher, settings) = (PasswordHasher::new(), Settings::default());
        let app = crate::app(AppState::new(db.clone(), storage, keys.clone(), hasher, settings, Default::default()));
        Self { db, keys, room, app, _folder: folder }
    }

    pub async fn ask(&self, who: Option<&UserId>, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(user) = who {
            let token = session(&self.db, user).await;
            request = request.header(header::COOKIE, format!("weijia={token}"));
        }
        let request = match body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.send(request.expect("a request")).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, who: &UserId, path: &str) -> Answer {
        self.ask(Some(who), Method::GET, &format!("/api/v1{path}"), None).await
    }
    pub async fn post(&self, who: &UserId, path: &str, body: Value) -> Answer {
        self.ask(Some(who), Method::POST, &format!("/api/v1{path}"), Some(body)).await
    }
    /// A file, as it is.
    pub async fn post_file(&self, who: &UserId, path: &str, file: &[u8]) -> Answer {
        let token = session(&self.db, who).await;
        let request = Request::post(format!("/api/v1{path}")).header(header::COOKIE, format!("weijia={token}"));
        let request = request.header(header::CONTENT_TYPE, "application/octet-stream").body(Body::from(file.to_vec()));
        self.send(request.expect("a request")).await
    }
    /// A POST without any body.
    pub async fn act(&self, who: &UserId, path: &str) -> Answer {
        self.ask(Some(who), Method::POST, &format!("/api/v1{path}"), None).await
    }
    pub async fn put(&self, who: &UserId, path: &str, body: Value) -> Answer {
        self.ask(Some(who), Method::PUT, &format!("/api/v1{path}"), Some(body)).await
    }
    pub async fn patch(&self, who: &UserId, path: &str, body: Value) -> Answer {
        self.ask(Some(who), Method::PATCH, &format!("/api/v1{path}"), Some(body)).await
    }
    pub async fn delete(&self, who: &UserId, path: &str) -> Answer {
        self.ask(Some(who), Method::DELETE, &format!("/api/v1{path}"), None).await
    }
}
