//! An object store in memory that fails on demand: as strict as S3 about ETags and uploads, and otherwise as small as the
//! tests allow.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{Method, Response, StatusCode};
use axum::response::IntoResponse;
use sha2::{Digest, Sha256};
use weijia_core::storage::{Addressing, Storage, StorageSettings};

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// 500, and nothing is done.
    Refuse,
    /// It is done, and the answer is a 500.
    LoseAnswer,
    /// An error in the body of a 200.
    ErrorIn200,
    /// It is done, later.
    Slow(Duration),
}

#[derive(Clone, Default)]
pub struct S3(Arc<Mutex<Inner>>);

#[derive(Default)]
pub struct Inner {
    pub objects: BTreeMap<String, Bytes>,
    pub multiparts: HashMap<String, BTreeMap<i32, Bytes>>,
    pub calls: Vec<String>,
    faults: Vec<(String, usize, Fault)>,
}

pub fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", &hex::encode(Sha256::digest(bytes))[..32])
}

pub fn settings(address: std::net::SocketAddr) -> StorageSettings {
    StorageSettings {
        endpoint: format!("http://{address}"),
        bucket: "weijia".into(),
        region: "local".into(),
        access_key: "a-key-for-tests-only".into(),
        secret_key: "a-secret-for-tests-only".into(),
        addressing: Addressing::Path,
    }
}

impl S3 {
    /// Locked until the statement ends.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// The next `times` calls that begin so (`UploadPart`, or `UploadPart 2`, or `PutObject tails/`) go wrong.
    pub fn fail(&self, operation: &str, times: usize, fault: Fault) {
        self.inner().faults.push((operation.to_owned(), times, fault));
    }

    pub fn heal(&self) {
        self.inner().faults.clear();
    }

    /// The one object under this prefix.
    pub fn only(&self, prefix: &str) -> Bytes {
        let inner = self.inner();
        let found: Vec<_> = inner.objects.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
        assert_eq!(found.len(), 1, "{:?}", inner.objects.keys());
        found[0].1.clone()
    }

    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.inner().objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    pub fn open_multiparts(&self) -> usize {
        self.inner().multiparts.len()
    }

    pub fn calls(&self, operation: &str) -> usize {
        self.inner().calls.iter().filter(|call| call.starts_with(operation)).count()
    }

    pub async fn start(&self) -> Storage {
        let router = axum::Router::new().fallback(answer).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Storage::connect(&settings(address))
    }

    fn fault(&self, call: &str) -> Option<Fault> {
        let mut inner = self.inner();
        inner.calls.push(call.to_owned());
        let (_, times, fault) =
            inner.faults.iter_mut().find(|(name, times, _)| *times > 0 && call.starts_with(name.as_str()))?;
        *times -= 1;
        Some(*fault)
    }
}

async fn answer(
    State(s3): State<S3>,
    method: Method,
    RawQuery(query): RawQuery,
    uri: axum::http::Uri,
    body: Body,
) -> Response<Body> {
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else { return error(400, "IncompleteBody") };
    let query = query.unwrap_or_default();
    let asked: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let key = uri.path().trim_start_matches("/weijia").trim_start_matches('/').to_owned();
    let part = asked.get("partNumber").and_then(|n| n.parse().ok());
    let upload = asked.get("uploadId").cloned();
    let call = match (&method, &upload) {
        (&Method::PUT, Some(_)) => format!("UploadPart {}", part.unwrap_or(0)),
        (&Method::PUT, None) => format!("PutObject {key}"),
        (&Method::POST, None) => "CreateMultipartUpload".to_owned(),
        (&Method::POST, Some(_)) => "CompleteMultipartUpload".to_owned(),
        (&Method::DELETE, Some(_)) => "AbortMultipartUpload".to_owned(),
        (&Method::DELETE, None) => format!("DeleteObject {key}"),
        (&Method::HEAD, _) => format!("HeadObject {key}"),
        _ => format!("GetObject {key}"),
    };
    let fault = s3.fault(&call);
    match fault {
        Some(Fault::Refuse) => return error(500, "InternalError"),
        Some(Fault::ErrorIn200) => return error(200, "InternalError"),
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fault::LoseAnswer) | None => {}
    }
    let done = act(&mut s3.inner(), &method, key, &asked, part, upload, body);
    if fault == Some(Fault::LoseAnswer) { error(500, "InternalError") } else { done }
}

fn act(
    store: &mut Inner,
    method: &Method,
    key: String,
    asked: &HashMap<String, String>,
    part: Option<i32>,
    upload: Option<String>,
    body: Bytes,
) -> Response<Body> {
    match (method.as_str(), upload) {
        ("PUT", Some(upload)) => {
            let tag = etag(&body);
            let Some(parts) = store.multiparts.get_mut(&upload) else { return error(404, "NoSuchUpload") };
            parts.insert(part.unwrap(), body);
            ([("etag", tag)], "").into_response()
        }
        ("PUT", None) => {
            let tag = etag(&body);
            store.objects.insert(key, body);
            ([("etag", tag)], "").into_response()
        }
        ("POST", None) => {
            let id = hex::encode(rand::random::<[u8; 8]>());
            store.multiparts.insert(id.clone(), BTreeMap::new());
            xml(format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"))
        }
        ("POST", Some(upload)) => {
            let Some(parts) = store.multiparts.get(&upload) else { return error(404, "NoSuchUpload") };
            let text = String::from_utf8_lossy(&body).replace("&quot;", "\"");
            let tags: Vec<_> = text.split("<ETag>").skip(1).map(|t| t.split('<').next().unwrap().to_owned()).collect();
            if tags != parts.values().map(|part| etag(part)).collect::<Vec<_>>() {
                return error(400, "InvalidPart");
            }
            let whole: Vec<u8> = parts.values().flatten().copied().collect();
            store.multiparts.remove(&upload);
            store.objects.insert(key, whole.into());
            xml("<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>".into())
        }
        ("DELETE", upload) => {
            match upload {
                Some(upload) => drop(store.multiparts.remove(&upload)),
                None => drop(store.objects.remove(&key)),
            }
            StatusCode::NO_CONTENT.into_response()
        }
        _ if asked.contains_key("list-type") => {
            let prefix = &asked["prefix"];
            let found = store.objects.iter().filter(|(key, _)| key.starts_with(prefix));
            let rows: String = found
                .map(|(k, v)| format!("<Contents><Key>{k}</Key><Size>{}</Size><ETag>x</ETag></Contents>", v.len()))
                .collect();
            xml(format!("<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"))
        }
        _ => match store.objects.get(&key) {
            Some(bytes) => ([("etag", etag(bytes))], bytes.clone()).into_response(),
            None => error(404, "NoSuchKey"),
        },
    }
}

fn xml(text: String) -> Response<Body> {
    ([("content-type", "application/xml")], format!("<?xml version=\"1.0\"?>{text}")).into_response()
}

fn error(status: u16, code: &str) -> Response<Body> {
    let mut response = xml(format!("<Error><Code>{code}</Code><Message>as asked</Message></Error>"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
