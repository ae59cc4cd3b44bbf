//! The negative control: a tus server as they are often written. Its offset is the sum of the parts that the store has,
//! whether or not they touch. The oracle must find it out.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{head, post};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::task::JoinSet;
use weijia_core::storage::{ETag, Storage};

use super::site::PART;

#[derive(Clone)]
pub struct SumOfParts {
    storage: Storage,
    uploads: Arc<Mutex<HashMap<String, Upload>>>,
}

#[derive(Clone)]
struct Upload {
    length: usize,
    multipart: String,
    parts: BTreeMap<i32, (usize, ETag)>,
}

impl Upload {
    /// The mistake.
    fn offset(&self) -> usize {
        self.parts.values().map(|(len, _)| len).sum()
    }

    fn next(&self) -> i32 {
        self.parts.last_key_value().map_or(1, |(no, _)| no + 1)
    }
}

impl SumOfParts {
    pub async fn start(storage: Storage) -> SocketAddr {
        let server = SumOfParts { storage, uploads: Arc::default() };
        let router = Router::new()
            .route("/api/v1/uploads", post(create))
            .route("/api/v1/uploads/{id}", head(offset).patch(append))
            .with_state(server);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// Where the object of an upload lies.
    pub fn key(path: &str) -> String {
        format!("originals/{}/1", path.rsplit('/').next().unwrap_or_default())
    }

    fn upload(&self, id: &str) -> Upload {
        self.uploads.lock().expect("not poisoned")[id].clone()
    }

    async fn put(self, id: String, no: i32, bytes: Bytes) -> bool {
        let (upload, len) = (self.upload(&id), bytes.len());
        let Ok(etag) = self.storage.upload_part(&Self::key(&id), &upload.multipart, no, bytes).await else {
            return false;
        };
        let mut uploads = self.uploads.lock().expect("not poisoned");
        uploads.get_mut(&id).expect("an upload").parts.insert(no, (len, etag));
        true
    }
}

async fn create(State(server): State<SumOfParts>, headers: HeaderMap) -> Response {
    let length = headers["upload-length"].to_str().expect("plain text").parse().expect("a number");
    let id = hex::encode(rand::random::<[u8; 8]>());
    let multipart = server.storage.create_multipart(&SumOfParts::key(&id), "video/mp4").await.expect("an upload");
    let upload = Upload { length, multipart, parts: BTreeMap::new() };
    server.uploads.lock().expect("not poisoned").insert(id.clone(), upload);
    let location = [("location", format!("/api/v1/uploads/{id}")), ("x-clip-id", id.clone()), ("x-version-id", id)];
    (StatusCode::CREATED, location).into_response()
}

async fn offset(State(server): State<SumOfParts>, Path(id): Path<String>) -> Response {
    ([("upload-offset", server.upload(&id).offset().to_string())], ()).into_response()
}

async fn append(State(server): State<SumOfParts>, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Response {
    let before = server.upload(&id);
    if headers["upload-offset"].to_str().expect("plain text") != before.offset().to_string() {
        return StatusCode::CONFLICT.into_response();
    }
    let (mut no, mut buffer, mut flight) = (before.next(), BytesMut::new(), JoinSet::new());
    let (mut left, mut body) = (before.length - before.offset(), body.into_data_stream());
    while let Some(Ok(bytes)) = body.next().await {
        buffer.extend_from_slice(&bytes);
        while buffer.len() >= PART.min(left) && left > 0 {
            let part = buffer.split_to(PART.min(left)).freeze();
            left -= part.len();
            flight.spawn(server.clone().put(id.clone(), no, part));
            no += 1;
        }
    }
    let landed = flight.join_all().await.into_iter().all(|landed| landed);
    let upload = server.upload(&id);
    if !landed || upload.offset() < upload.length {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let parts: Vec<_> = upload.parts.iter().map(|(no, (_, etag))| (*no, etag.clone())).collect();
    match server.storage.complete_multipart(&SumOfParts::key(&id), &upload.multipart, &parts).await {
        Ok(_) => (StatusCode::NO_CONTENT, [("upload-offset", upload.length.to_string())]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
