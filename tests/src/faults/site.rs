//! The system under test: its address, and ways around it to its database and its store for the oracle.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Response;
use reqwest::header::HeaderMap;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weijia_api::upload::{Limits, Uploads};
use weijia_api::{AppState, Settings};
use weijia_core::account::{self, Keys, NewUser, PasswordHasher};
use weijia_core::db::Db;
use weijia_core::db::testing::{TempFolder, database, folder};
use weijia_core::on;
use weijia_core::storage::{Addressing, Patience, Storage, StorageSettings, trash};
use weijia_core::time::{At, Millis};
use weijia_core::upkeep::orphans;
use weijia_core::upkeep::survey::{Look, survey};
use weijia_core::upload::quota::Quota;
use weijia_store::testing::TestStore;

use super::{Ended, Finding, S3Proxy, Sender, Wrong, judge};

pub const PART: usize = 8 << 20;
const PASSWORD: &str = "hunan-2026";

pub struct Site {
    pub address: SocketAddr,
    pub proxy: S3Proxy,
    pub db: Db,
    /// Around the proxy.
    pub storage: Storage,
    keys: Keys,
    hasher: PasswordHasher,
    /// Where the API runs inside this process.
    pub uploads: Option<Uploads>,
    /// The same store as the server sees it.
    pub through: Storage,
    serving: Vec<JoinHandle<()>>,
    _folder: Option<TempFolder>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    pub cookie: String,
}

/// An upload as its client knows it.
#[derive(Debug, Clone)]
pub struct Created {
    pub path: String,
    pub clip: String,
    pub version: String,
}

impl Created {
    pub(super) fn of(answer: &HeaderMap) -> Created {
        let header = |name: &str| answer[name].to_str().expect("plain text").to_owned();
        Created { path: header("location"), clip: header("x-clip-id"), version: header("x-version-id") }
    }

    /// What the address of every object of this upload contains one of.
    pub fn ids(&self) -> Vec<String> {
        let upload = self.path.rsplit('/').next().unwrap_or_default().to_owned();
        vec![upload, self.version.clone()]
    }
}

/// The embedded store at this address.
pub fn at(address: SocketAddr) -> StorageSettings {
    StorageSettings {
        endpoint: format!("http://{address}"),
        bucket: "weijia".into(),
        region: "us-east-1".into(),
        access_key: "a-key-for-tests-only".into(),
        secret_key: "a-secret-for-tests-only".into(),
        addressing: Addressing::Path,
    }
}

impl Site {
    /// The API inside this process, in front of a fresh database and a fresh bucket, impatient enough to meet every
    /// limit within seconds.
    pub async fn start() -> Site {
        let second = Duration::from_secs(1);
        Site::start_with(Patience { answer: 4 * second, pace: 1 << 20, standstill: 3 * second }).await
    }

    /// The same, but as patient with its store as this.
    pub async fn start_with(patience: Patience) -> Site {
        let folder = folder();
        let mut serving = Vec::new();
        let store = TestStore::start(folder.path()).await;
        let proxy = S3Proxy::start(store.address()).await;
        let (direct, behind) = (store.storage(), store.settings);
        let through = StorageSettings { endpoint: format!("http://{}", proxy.address()), ..behind };
        let second = Duration::from_secs(1);
        let storage = Storage::connect_with(&through, patience);
        let db = database(folder.path()).await;
        let (keys, hasher, stopping) = (Keys::from_master(&[7; 32]), PasswordHasher::new(), CancellationToken::new());
        let settings = Settings::default();
        let mut state =
            AppState::new(db.clone(), storage.clone(), keys.clone(), hasher.clone(), settings, stopping.clone());
        let limits = Limits {
            idle_flush: second / 2,
            flush_every: 2 * second,
            idle_end: 4 * second,
            handover: 2 * second,
            quota: Quota { per_day: i64::MAX, per_person: i64::MAX, ..Quota::default() },
            ..Limits::default()
        };
        state.uploads = Uploads::new(db.clone(), storage.clone(), limits, stopping);
        let uploads = Some(state.uploads.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        serving.push(tokio::spawn(async move {
            let _ = axum::serve(listener, weijia_api::app(state)).await;
        }));
        Site {
            address,
            proxy,
            db,
            storage: direct,
            through: storage,
            keys,
            hasher,
            uploads,
            serving,
            _folder: Some(folder),
        }
    }

    /// A program that runs elsewhere, seen through its database, its store and its secret.
    pub fn around(address: SocketAddr, proxy: S3Proxy, db: Db, storage: Storage, secret: &[u8; 32]) -> Site {
        let (keys, hasher) = (Keys::from_master(secret), PasswordHasher::new());
        Site {
            address,
            proxy,
            db,
            through: storage.clone(),
            storage,
            keys,
            hasher,
            uploads: None,
            serving: Vec::new(),
            _folder: None,
        }
    }

    /// One person may have begun fifty uploads at once, so many uploads need several.
    pub async fn people(&self, n: usize) -> Vec<Person> {
        let hash = self.hasher.hash(PASSWORD).await.expect("a hash");
        let mut people = Vec::new();
        for i in 0..n {
            let mut tx = self.db.write().await.expect("a transaction");
            on!(&mut tx, c => sqlx::query(
                    "insert into regions (code, level, name, kind, path) values ('43', 1, '湖南省', 'normal', '43/')
                     on conflict (code) do nothing").execute(c).await.map(drop))
            .expect("a region");
            let phone = format!("138{i:08}");
            let parsed = phone.parse().expect("a phone number");
            let new = NewUser { name: "贾丽娟", phone: &parsed, region_code: "43", password_hash: &hash };
            account::create(&mut tx, &self.keys, At::now(), new).await.expect("a person");
            tx.commit().await.expect("a commit");
            let session = account::sign_in(&self.db, &self.keys, &self.hasher, At::now(), &phone, PASSWORD, None).await;
            let session = session.expect("a session");
            people.push(Person { cookie: format!("weijia={}", session.token.as_str()) });
        }
        people
    }

    pub async fn create(&self, person: &Person, length: usize) -> Created {
        create(self.address, &person.cookie, length).await
    }

    pub fn sender(&self, person: &Person, created: &Created, film: &Bytes) -> Sender {
        Sender::new(self.address, &created.path, &person.cookie, film.clone())
    }

    async fn text(&self, sql: &'static str, id: &str) -> Option<String> {
        let mut tx = self.db.read().await.expect("a transaction");
        let found: Option<Option<String>> =
            on!(&mut tx, c => sqlx::query_scalar(sql).bind(id).fetch_optional(c).await).expect("an answer");
        found.flatten()
    }

    async fn count(&self, sql: &'static str, id: &str) -> i64 {
        let mut tx = self.db.read().await.expect("a transaction");
        on!(&mut tx, c => sqlx::query_scalar(sql).bind(id).fetch_one(c).await).expect("an answer")
    }

    /// The object that the version names.
    pub async fn object(&self, version: &str) -> Option<Bytes> {
        let key = self.text("select original_key from clip_versions where id = $1", version).await?;
        self.storage.get(&key).await.ok()
    }

    /// What is wrong with an upload at this moment, after its client has heard how it ended.
    pub async fn judge(&self, created: &Created, sender: &Sender, ended: &Ended) -> Vec<Finding> {
        let object = self.object(&created.version).await;
        let mut found = judge(&sender.ledger, ended, &sender.film, object.as_ref());
        if *ended != Ended::Complete {
            return found;
        }
        let version = &created.version;
        let state = self.text("select state from uploads where version_id = $1", version).await;
        if state.as_deref() != Some("complete") {
            found.push(Finding::new(Wrong::FalselyComplete, format!("the upload is {state:?}")));
        }
        let state = self.text("select state from clip_versions where id = $1", version).await;
        if matches!(state.as_deref(), None | Some("uploading" | "failed")) {
            found.push(Finding::new(Wrong::FalselyComplete, format!("the version is {state:?}")));
        }
        let root = self.text("select root_sha256 from uploads where version_id = $1", version).await;
        if root.as_deref() != Some(root_of(&sender.film).as_str()) {
            found.push(Finding::new(Wrong::Corrupt, format!("the root hash is {root:?}")));
        }
        for (what, sql) in [
            ("uploads", "select count(*) from uploads where version_id = $1"),
            ("jobs", "select count(*) from jobs where subject = $1 and kind = 'prepare'"),
        ] {
            let n = self.count(sql, version).await;
            if n != 1 {
                found.push(Finding::new(Wrong::Doubled, format!("{n} {what}")));
            }
        }
        let versions = self.count("select count(*) from clip_versions where clip_id = $1", &created.clip).await;
        if versions != 1 {
            found.push(Finding::new(Wrong::Doubled, format!("{versions} versions")));
        }
        found
    }

    /// Uploads of which every byte is there and which are not finished.
    pub async fn completing(&self) -> i64 {
        self.count("select count(*) from uploads where state = 'completing' and id <> $1", "").await
    }

    /// Everything works again: whatever somebody died before is done, database and bucket tell the same story, byte for
    /// byte, and what nobody names is gone.
    pub async fn settle(&self) -> Vec<Finding> {
        self.proxy.heal();
        self.proxy.release(false);
        let mut found = Vec::new();
        let Some(uploads) = &self.uploads else { return found };
        self.empty_trash(uploads).await;
        let stuck = self.completing().await;
        if stuck > 0 {
            found.push(Finding::new(Wrong::Stuck, format!("{stuck} uploads are completing for ever")));
        }
        let look = Look { now: At::now(), grace: orphans::GRACE, deep: true };
        let report = survey(&self.db, &self.storage, look).await.expect("a survey");
        found.extend(report.findings.iter().map(|finding| Finding::new(Wrong::Disagrees, format!("{finding:?}"))));
        // Once it is old enough to be nobody's any more.
        let old = At::now() + orphans::GRACE + Millis::minutes(1);
        orphans::sweep_all(&self.db, &self.storage, old, orphans::GRACE).await.expect("a sweep");
        self.empty_trash(uploads).await;
        found.extend(self.orphans().await.into_iter().map(|key| Finding::new(Wrong::Orphan, key)));
        found
    }

    async fn empty_trash(&self, uploads: &Uploads) {
        for _ in 0..20 {
            let later = At::now() + orphans::GRACE + trash::GRACE + Millis::minutes(2);
            uploads.reconcile(later, Millis(0)).await.expect("a round");
            if self.count("select count(*) from object_trash where key <> $1", "").await == 0 {
                break;
            }
        }
    }

    /// Objects and open multipart uploads that belong to no version that is there.
    pub async fn orphans(&self) -> Vec<String> {
        let mut tx = self.db.read().await.expect("a transaction");
        let sql = "select original_key from clip_versions where original_key is not null
                   union all select 'sidecars/' || clip_id || '/' || id || '.json' from clip_versions
                   where original_key is not null";
        let named: Vec<String> = on!(&mut tx, c => sqlx::query_scalar(sql).fetch_all(c).await).expect("an answer");
        drop(tx);
        let mut orphans = Vec::new();
        for prefix in ["originals/", "partials/", "sidecars/", "tails/"] {
            let mut after = None;
            loop {
                let page = self.storage.list(prefix, after.as_deref()).await.expect("a list");
                orphans.extend(page.objects.into_iter().map(|object| object.key).filter(|key| !named.contains(key)));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        let open = self.storage.open_multiparts("").await.expect("a list");
        orphans.extend(open.into_iter().map(|open| format!("{} {}", open.key, open.upload_id)));
        orphans
    }
}

pub async fn create(address: SocketAddr, cookie: &str, length: usize) -> Created {
    let answer = creation(address, cookie, &[("upload-length", length.to_string())]).await;
    let answer = answer.expect("an answer to the creation");
    let (status, headers) = (answer.status(), answer.headers().clone());
    assert_eq!(status, 201, "{}", answer.text().await.unwrap_or_default());
    Created::of(&headers)
}

/// Asks for an upload, and for what these headers say of it.
pub(super) async fn creation(
    address: SocketAddr,
    cookie: &str,
    said: &[(&'static str, String)],
) -> reqwest::Result<Response> {
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
    let request = http.post(format!("http://{address}/api/v1/uploads")).header("cookie", cookie);
    let metadata = format!("filename {}", STANDARD.encode("村口.mp4"));
    let request = request.header("tus-resumable", "1.0.0").header("upload-metadata", metadata);
    said.iter().fold(request, |request, (name, value)| request.header(*name, value)).send().await
}

/// One hash over the hashes of the parts, computed as a client would.
pub(super) fn root_of(film: &[u8]) -> String {
    let mut root = Sha256::new();
    for part in film.chunks(PART) {
        root.update(Sha256::digest(part));
    }
    hex::encode(root.finalize())
}

/// A film of that length: it begins like an mp4, and no two stretches of it, and no two seeds, are alike.
pub fn film(length: usize, seed: u64) -> Bytes {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    bytes.extend_from_slice(b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41");
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}
