//! A server on port 0 with a database and a store of its own, and somebody who sends a film to it.

pub mod s3;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use weijia_api::upload::{Limits, Uploads};
use weijia_api::{AppState, Settings};
use weijia_core::account::{self, Keys, NewUser, PasswordHasher};
use weijia_core::db::Db;
use weijia_core::db::testing::{TempFolder, database, folder};
use weijia_core::ids::UserId;
use weijia_core::on;
use weijia_core::storage::Storage;
use weijia_core::time::At;
use weijia_core::upload::quota::Quota;

pub const MIB: usize = 1 << 20;
pub const STREAM: &str = "application/offset+octet-stream";
/// Where browsers reach the server, by its settings.
pub const PUBLIC: &str = "http://weijia.test";

pub struct App {
    pub address: SocketAddr,
    pub db: Db,
    pub s3: s3::S3,
    pub storage: Storage,
    pub uploads: Uploads,
    pub stopping: CancellationToken,
    keys: Keys,
    hasher: PasswordHasher,
    folder: Arc<TempFolder>,
}

/// Limits under which nothing happens by itself, nobody is too slow, and a test may send more than a person.
pub fn quiet() -> Limits {
    let (never, handover) = (Duration::from_secs(3600), Duration::from_secs(60));
    let quota = Quota { per_day: i64::MAX, per_person: i64::MAX, ..Quota::default() };
    Limits { idle_flush: never, flush_every: never, idle_end: never, handover, quota, ..Limits::default() }
}

impl App {
    pub async fn start() -> App {
        App::with(quiet()).await
    }

    pub async fn with(limits: Limits) -> App {
        App::within(folder(), limits).await
    }

    pub async fn within(folder: TempFolder, limits: Limits) -> App {
        let folder = Arc::new(folder);
        let s3 = s3::S3::start(folder.path()).await;
        App::serve(database(folder.path()).await, s3, limits, folder).await
    }

    /// Another server on the same database and the same store.
    pub async fn twin(&self, limits: Limits) -> App {
        App::serve(self.db.clone(), self.s3.clone(), limits, self.folder.clone()).await
    }

    async fn serve(db: Db, s3: s3::S3, limits: Limits, folder: Arc<TempFolder>) -> App {
        let storage = s3.storage.clone();
        let (keys, hasher, stopping) = (Keys::from_master(&[7; 32]), PasswordHasher::new(), CancellationToken::new());
        let settings = Settings { public_url: PUBLIC.parse().ok(), ..Settings::default() };
        let mut state =
            AppState::new(db.clone(), storage.clone(), keys.clone(), hasher.clone(), settings, stopping.clone());
        state.uploads = Uploads::new(db.clone(), storage.clone(), limits, stopping.clone());
        let uploads = state.uploads.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, weijia_api::app(state)).await });
        App { address, db, s3, storage, uploads, stopping, keys, hasher, folder }
    }

    pub async fn trainee(&self, phone: &str) -> Trainee<'_> {
        let hash = self.hasher.hash("hunan-2026").await.unwrap();
        let mut tx = self.db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query(
                "insert into regions (code, level, name, kind, path) values ('43', 1, '湖南省', 'normal', '43/')
                 on conflict (code) do nothing").execute(c).await.map(drop))
        .unwrap();
        let parsed = phone.parse().unwrap();
        let new = NewUser { name: "贾丽娟", phone: &parsed, region_code: "43", password_hash: &hash };
        let user = account::create(&mut tx, &self.keys, At::now(), new).await.unwrap();
        tx.commit().await.unwrap();
        let session =
            account::sign_in(&self.db, &self.keys, &self.hasher, At::now(), phone, "hunan-2026", None).await.unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Trainee { app: self, client, user, cookie: format!("weijia={}", session.token.as_str()) }
    }

    /// The same person at another server.
    pub fn known(&self, she: &Trainee<'_>) -> Trainee<'_> {
        Trainee { app: self, client: she.client.clone(), user: she.user.clone(), cookie: she.cookie.clone() }
    }

    /// The newest version of a clip, as the database has it: its state and its reason.
    pub async fn version(&self, clip: &str) -> (String, Option<String>) {
        let mut tx = self.db.read().await.unwrap();
        on!(&mut tx, c => sqlx::query_as(
                "select state, reason_code from clip_versions where clip_id = $1 order by n desc limit 1")
            .bind(clip).fetch_one(c).await)
        .unwrap()
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut tx = self.db.read().await.unwrap();
        on!(&mut tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }

    pub async fn run(&self, sql: &'static str) {
        let mut tx = self.db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query(sql).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }
}

pub struct Trainee<'a> {
    pub app: &'a App,
    pub client: Client,
    pub user: UserId,
    pub cookie: String,
}

/// An upload as its client knows it.
#[derive(Debug, Clone)]
pub struct Upload {
    pub path: String,
    pub clip: String,
}

impl Trainee<'_> {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("tus-resumable", "1.0.0")
    }

    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.app.address)).header("cookie", &self.cookie)
    }

    pub async fn post(&self, length: usize, headers: &[(&'static str, &str)]) -> Response {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let request = self.request(Method::POST, "/api/v1/uploads").header("upload-length", length);
        request.headers(all).send().await.unwrap()
    }

    pub async fn create(&self, length: usize) -> Upload {
        // filename: 村口.mp4
        let answer = self.post(length, &[("upload-metadata", "filename 5p2R5Y+jLm1wNA==")]).await;
        assert_eq!(answer.status(), 201);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        Upload { path: header("location"), clip: header("x-clip-id") }
    }

    pub async fn patch(&self, upload: &Upload, offset: usize, bytes: impl Into<reqwest::Body>) -> Response {
        let request = self.request(Method::PATCH, &upload.path).header("content-type", STREAM);
        request.header("upload-offset", offset).body(bytes).send().await.unwrap()
    }

    pub async fn head(&self, upload: &Upload) -> Response {
        self.request(Method::HEAD, &upload.path).send().await.unwrap()
    }

    pub async fn offset(&self, upload: &Upload) -> usize {
        let answer = self.head(upload).await;
        assert_eq!(answer.status(), 200);
        upload_offset(&answer)
    }

    /// A PATCH on a connection of its own that has sent `bytes` and promises to send `announced`.
    pub async fn begin(&self, upload: &Upload, offset: usize, announced: usize, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.app.address).await.unwrap();
        let head = format!(
            "PATCH {} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nTus-Resumable: 1.0.0\r\nContent-Type: {STREAM}\r\n\
             Upload-Offset: {offset}\r\nContent-Length: {announced}\r\n\r\n",
            upload.path, self.app.address, self.cookie
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }
}

/// The status of the answer on a connection of our own.
pub async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = vec![0; 12];
    let answered = tokio::time::timeout(Duration::from_secs(60), stream.read_exact(&mut head)).await;
    answered.expect("no answer").unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

pub fn upload_offset(answer: &Response) -> usize {
    answer.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
}

/// A film of that length: it begins like an mp4, and no two stretches of it are alike.
pub fn film(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    bytes.extend_from_slice(b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41");
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Until it is so, or a minute has passed.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}
