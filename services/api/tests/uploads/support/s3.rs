//! Between the server and its store: passes everything on, but for what a test told it to spoil, and looks past itself
//! into the bucket.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use weijia_core::storage::{Storage, StorageSettings};
use weijia_store::testing::TestStore;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// 500, and nothing is done.
    Refuse,
    /// It is done, and the answer is a 500.
    LoseAnswer,
    /// An error in the body of a 200, and nothing is done.
    ErrorIn200,
    /// Something in front of the store knows no such place, and nothing is done.
    Stray404,
    /// The disk of the store has lost the bytes, and it says so.
    Damaged,
    /// It is done, later.
    Slow(Duration),
}

#[derive(Clone)]
pub struct S3 {
    /// As the server reaches it: through here.
    pub storage: Storage,
    /// Past the faults.
    behind: Storage,
    state: Arc<Mutex<Calls>>,
}

#[derive(Default)]
struct Calls {
    seen: Vec<String>,
    faults: Vec<(String, usize, Fault)>,
}

impl S3 {
    /// In front of a fresh bucket.
    pub async fn start(folder: &Path) -> S3 {
        let store = TestStore::start(folder).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<Calls>>::default();
        let proxy = Proxy {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            upstream: store.settings.endpoint.clone(),
            state: state.clone(),
        };
        let router = axum::Router::new().fallback(answer).with_state(proxy);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let behind = store.storage();
        S3 { storage: Storage::connect(&StorageSettings { endpoint, ..store.settings }), behind, state }
    }

    /// The next `times` calls that begin so (`UploadPart`, or `UploadPart 2`, or `PutObject tails/`) go wrong.
    pub fn fail(&self, operation: &str, times: usize, fault: Fault) {
        lock(&self.state).faults.push((operation.to_owned(), times, fault));
    }

    pub fn heal(&self) {
        lock(&self.state).faults.clear();
    }

    pub fn calls(&self, operation: &str) -> usize {
        lock(&self.state).seen.iter().filter(|call| call.starts_with(operation)).count()
    }

    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let page = self.behind.list(prefix, None).await.unwrap();
        assert_eq!(page.next, None, "tests keep few objects");
        page.objects.into_iter().map(|object| object.key).collect()
    }

    pub async fn get(&self, key: &str) -> Bytes {
        self.behind.get(key).await.unwrap()
    }

    /// The one object under this prefix.
    pub async fn only(&self, prefix: &str) -> Bytes {
        let keys = self.keys(prefix).await;
        assert_eq!(keys.len(), 1, "{keys:?}");
        self.get(&keys[0]).await
    }

    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.behind.put(key, "video/mp4", bytes).await.unwrap();
    }

    pub async fn open_multiparts(&self) -> usize {
        self.behind.open_multiparts("").await.unwrap().len()
    }

    /// As a store does that has lost its parts.
    pub async fn lose_multiparts(&self) {
        for open in self.behind.open_multiparts("").await.unwrap() {
            self.behind.abort_multipart(&open.key, &open.upload_id).await.unwrap();
        }
    }
}

/// Locked until the statement ends.
fn lock(state: &Mutex<Calls>) -> MutexGuard<'_, Calls> {
    state.lock().unwrap()
}

#[derive(Clone)]
struct Proxy {
    client: reqwest::Client,
    upstream: String,
    state: Arc<Mutex<Calls>>,
}

impl Proxy {
    fn fault(&self, call: String) -> Option<Fault> {
        let mut state = lock(&self.state);
        let found = state.faults.iter_mut().find(|(name, times, _)| *times > 0 && call.starts_with(name.as_str()));
        let fault = found.map(|(_, times, fault)| {
            *times -= 1;
            *fault
        });
        state.seen.push(call);
        fault
    }
}

/// `UploadPart 2`, `PutObject originals/…`: the operation, and what it is about.
fn call(method: &Method, uri: &Uri) -> String {
    let query = uri.query().unwrap_or_default();
    let asked: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let key = uri.path().trim_start_matches('/').split_once('/').map_or("", |(_bucket, key)| key);
    match (method, asked.contains_key("uploadId")) {
        (&Method::PUT, true) => format!("UploadPart {}", asked["partNumber"]),
        (&Method::PUT, false) => format!("PutObject {key}"),
        (&Method::POST, false) => "CreateMultipartUpload".to_owned(),
        (&Method::POST, true) => "CompleteMultipartUpload".to_owned(),
        (&Method::DELETE, true) => "AbortMultipartUpload".to_owned(),
        (&Method::DELETE, false) => format!("DeleteObject {key}"),
        (&Method::HEAD, _) => format!("HeadObject {key}"),
        _ => format!("GetObject {key}"),
    }
}

async fn answer(State(proxy): State<Proxy>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else { return error(400, "IncompleteBody") };
    let fault = proxy.fault(call(&head.method, &head.uri));
    match fault {
        Some(Fault::Refuse) => return error(500, "InternalError"),
        Some(Fault::ErrorIn200) => return error(200, "InternalError"),
        Some(Fault::Stray404) => return (StatusCode::NOT_FOUND, "<h1>default backend - 404</h1>").into_response(),
        Some(Fault::Damaged) => return error(500, "ObjectDamaged"),
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fault::LoseAnswer) | None => {}
    }
    // With the host that was signed, so that the store takes it for the server's own request.
    let mut headers = head.headers;
    for name in [header::TRANSFER_ENCODING, header::EXPECT, header::CONNECTION] {
        headers.remove(name);
    }
    let request = proxy.client.request(head.method, format!("{}{}", proxy.upstream, head.uri));
    let Ok(done) = request.headers(headers).body(body).send().await else { return error(503, "ServiceUnavailable") };
    if fault == Some(Fault::LoseAnswer) {
        return error(500, "InternalError");
    }
    Response::from(done).map(Body::new)
}

fn error(status: u16, code: &str) -> Response<Body> {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as asked</Message></Error>");
    (StatusCode::from_u16(status).unwrap(), [("content-type", "application/xml")], text).into_response()
}
