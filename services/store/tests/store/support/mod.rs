//! A store of its own for each test: a real endpoint on port 0, in a folder that goes away.

pub mod sign;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weijia_core::storage::{Addressing, Storage, StorageSettings};
use weijia_store::testing::TestStore;
use weijia_store::{EmbeddedStore, Swept};

pub const BUCKET: &str = "weijia";
pub const ACCESS: &str = "weijia-test";
pub const SECRET: &str = "only-for-tests";
pub const MB: usize = 1 << 20;

pub struct Running {
    pub store: EmbeddedStore,
    pub address: SocketAddr,
    /// The way of the product.
    pub storage: Storage,
    /// The SDK itself, for what the product doesn't use. It sends checksums behind the body, as most clients do by
    /// now, and never retries, so that answers are seen as they come.
    pub client: Client,
    pub swept: Swept,
    pub shutdown: CancellationToken,
    pub server: JoinHandle<()>,
}

/// A store in a folder, with a bucket.
pub async fn start(folder: &Path) -> Running {
    let store = EmbeddedStore::open(folder).await.expect("the store opens");
    let swept = store.swept();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let server = tokio::spawn({
        let (store, shutdown) = (store.clone(), shutdown.clone());
        async move { store.serve(listener, ACCESS, SECRET, shutdown).await }
    });
    let storage = storage(address, SECRET);
    storage.ensure_bucket().await.expect("a bucket");
    Running { store, address, storage, client: client(address, SECRET), swept, shutdown, server }
}

impl Running {
    /// The same, for what is told of any store.
    pub fn as_store(&self) -> Store {
        let settings = settings(self.address, SECRET);
        let (storage, client) = (self.storage.clone(), self.client.clone());
        Store { settings, embedded: true, storage, client, _folder: tempfile::tempdir().unwrap() }
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.server.await.unwrap();
    }
}

/// A bucket of its own on the store under test: the one that `TEST_S3_ENDPOINT` names, or else an embedded one. What
/// is told with this holds for any S3; where stores are known to differ, a test asks `embedded`.
pub struct Store {
    pub settings: StorageSettings,
    pub embedded: bool,
    pub storage: Storage,
    pub client: Client,
    _folder: tempfile::TempDir,
}

pub async fn store() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let test = TestStore::start(folder.path()).await;
    let (settings, embedded) = (test.settings, test.embedded);
    Store { storage: Storage::connect(&settings), client: connect(&settings), settings, embedded, _folder: folder }
}

impl Store {
    pub fn host(&self) -> String {
        self.settings.endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned()
    }

    pub fn bucket(&self) -> &str {
        &self.settings.bucket
    }

    pub async fn put(&self, key: &str, body: impl Into<bytes::Bytes>) -> String {
        self.storage.put(key, "text/plain", body.into()).await.unwrap()
    }

    pub async fn text(&self, key: &str) -> String {
        String::from_utf8(self.storage.get(key).await.unwrap().to_vec()).unwrap()
    }
}

fn settings(address: SocketAddr, secret: &str) -> StorageSettings {
    StorageSettings {
        endpoint: format!("http://{address}"),
        bucket: BUCKET.into(),
        region: "cn-hunan".into(),
        access_key: ACCESS.into(),
        secret_key: secret.into(),
        addressing: Addressing::Path,
    }
}

pub fn storage(address: SocketAddr, secret: &str) -> Storage {
    Storage::connect(&settings(address, secret))
}

pub fn client(address: SocketAddr, secret: &str) -> Client {
    connect(&settings(address, secret))
}

fn connect(settings: &StorageSettings) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(&settings.endpoint)
        .region(Region::new(settings.region.clone()))
        .credentials_provider(Credentials::new(&settings.access_key, &settings.secret_key, None, None, "test"))
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// The code of a refusal, or how it went instead.
pub fn code<T, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, SdkError<E>>) -> String {
    match answer {
        Ok(_) => "accepted".into(),
        Err(error) => match (error.code(), error.raw_response()) {
            (Some(code), _) => code.to_owned(),
            (None, Some(response)) => response.status().to_string(),
            (None, None) => format!("{error:?}"),
        },
    }
}

/// Bytes that no compression and no coincidence makes equal.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// One request, byte for byte, and all that comes back.
pub async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Every file below a folder, as paths relative to it.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// How many blobs and drafts lie on disk.
pub fn kept(folder: &Path) -> usize {
    files(folder).iter().filter(|path| path.starts_with("blobs/") || path.starts_with("temp/")).count()
}

/// Deleting happens behind the answer; waits until this many blobs are left.
pub async fn settles_at(folder: &Path, count: usize) {
    until("what is deleted is gone", || match kept(folder) {
        n if n == count => Ok(()),
        n => Err(format!("{n} blobs and drafts, not {count}")),
    })
    .await;
}

/// Asks until it is so, for a minute.
pub async fn until(what: &str, ask: impl Fn() -> Result<(), String>) {
    let began = Instant::now();
    while let Err(seen) = ask() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}; last seen: {seen}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
