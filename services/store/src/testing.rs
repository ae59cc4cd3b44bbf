//! A store for tests of this and the other crates: a story is told once, and runs on the embedded store and on a cluster.

use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weijia_core::storage::{Addressing, Storage, StorageSettings};

use crate::EmbeddedStore;

/// A fresh bucket: on the server that `TEST_S3_ENDPOINT` names (`make test-scale` starts a Garage), or else in an
/// embedded store of its own, which ends with the runtime of its test.
pub struct TestStore {
    pub settings: StorageSettings,
    pub embedded: bool,
}

impl TestStore {
    /// An embedded one keeps its things in `folder`.
    pub async fn start(folder: &Path) -> TestStore {
        let store = match Self::external() {
            Some(settings) => TestStore { settings, embedded: false },
            None => TestStore { settings: embedded(folder).await, embedded: true },
        };
        store.storage().ensure_bucket().await.expect("a bucket");
        store
    }

    /// A bucket that nobody has made yet, where there is a second store to test with.
    pub fn external() -> Option<StorageSettings> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let secret = |name: &str| set(name).unwrap_or_else(|| panic!("{name} belongs to TEST_S3_ENDPOINT"));
        Some(StorageSettings {
            endpoint: set("TEST_S3_ENDPOINT")?,
            bucket: format!("t{}", hex::encode(rand::random::<[u8; 16]>())),
            region: "us-east-1".into(),
            access_key: secret("TEST_S3_ACCESS_KEY"),
            secret_key: secret("TEST_S3_SECRET_KEY"),
            addressing: Addressing::Path,
        })
    }

    /// Whether a part that is too small is refused when the parts are joined, as AWS does. Garage joins parts of any size.
    pub fn refuses_small_parts() -> bool {
        Self::external().is_none()
    }

    pub fn storage(&self) -> Storage {
        Storage::connect(&self.settings)
    }

    /// Where it listens, for a proxy that stands before it.
    pub fn address(&self) -> SocketAddr {
        let authority = self.settings.endpoint.strip_prefix("http://").expect("a plain http address");
        authority.trim_end_matches('/').parse().expect("an address and a port")
    }
}

async fn embedded(folder: &Path) -> StorageSettings {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let settings = StorageSettings {
        endpoint: format!("http://{}", listener.local_addr().expect("an address")),
        bucket: "weijia".into(),
        region: "us-east-1".into(),
        access_key: "a-key-for-tests-only".into(),
        secret_key: "a-secret-for-tests-only".into(),
        addressing: Addressing::Path,
    };
    let store = EmbeddedStore::open(&folder.join("store")).await.expect("a fresh store");
    let (access, secret) = (settings.access_key.clone(), settings.secret_key.clone());
    tokio::spawn(async move { store.serve(listener, &access, &secret, CancellationToken::new()).await });
    settings
}
