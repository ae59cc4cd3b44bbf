//! The real `weijia serve`, in a folder of its own and on a port of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use weijia_core::db::Db;
use weijia_core::db::testing::TemporaryPostgres;
use weijia_core::on;
use weijia_core::storage::{Addressing, Storage, StorageSettings};
use weijia_store::testing::TestStore;

use crate::tus::Upload;
use crate::{User, sha256, until};

/// The first start fills the demo, and two cores may be busy with other tests.
const START: Duration = Duration::from_secs(180);

pub enum Database {
    Sqlite,
    Postgres,
}

/// Where a server keeps things. What is not named is in its data folder.
#[derive(Clone, Default)]
pub struct Places {
    pub database: Option<String>,
    pub store: Option<StorageSettings>,
    /// The same for all servers of one installation.
    pub secret: Option<PathBuf>,
}

impl Places {
    /// As an operator does: in the environment.
    fn name_to(&self, command: &mut Command) {
        if let Some(url) = &self.database {
            command.env("DATABASE_URL", url);
        }
        if let Some(secret) = &self.secret {
            command.env("WEIJIA_SECRET_FILE", secret);
        }
        if let Some(store) = &self.store {
            assert_eq!(store.addressing, Addressing::Path, "the default");
            command
                .env("S3_ENDPOINT", &store.endpoint)
                .env("S3_BUCKET", &store.bucket)
                .env("AWS_REGION", &store.region);
            command.env("AWS_ACCESS_KEY_ID", &store.access_key).env("AWS_SECRET_ACCESS_KEY", &store.secret_key);
        }
    }
}

pub struct TestServer {
    process: Child,
    /// `http://127.0.0.1:port`, the same after a restart.
    pub base: String,
    /// The ready line as it was printed by the first start.
    pub ready: Value,
    folder: tempfile::TempDir,
    places: Places,
    arguments: Vec<&'static str>,
    postgres: Option<TemporaryPostgres>,
}

/// A program that was built beside this one, or above it when this is a test: `target/debug/weijia`.
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no {name} beside {}: run `cargo build --workspace` first", own.display()))
}

/// `weijia` with nothing of the caller's environment that could change what it does.
pub fn weijia(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("weijia"));
    for name in ["DATABASE_URL", "S3_ENDPOINT", "S3_BUCKET", "S3_ADDRESSING", "AWS_ACCESS_KEY_ID"] {
        command.env_remove(name);
    }
    for name in ["AWS_SECRET_ACCESS_KEY", "AWS_REGION", "WEIJIA_DATA", "WEIJIA_LISTEN", "WEIJIA_PUBLIC_URL"] {
        command.env_remove(name);
    }
    for name in ["WEIJIA_MAX_FILE", "WEIJIA_KEEP_FREE", "WEIJIA_SECRET_FILE"] {
        command.env_remove(name);
    }
    // A test sends more in a minute than a person on a day.
    command.env("WEIJIA_MAX_PER_DAY", "1TB").env("WEIJIA_MAX_PER_PERSON", "1TB");
    command.args(arguments).stdin(Stdio::null());
    command
}

impl TestServer {
    /// The demo, on what `make test-scale` has started: PostgreSQL and a cluster; without that, on what a server brings
    /// along itself.
    pub async fn start() -> Self {
        let database = if TestStore::external().is_some() { Database::Postgres } else { Database::Sqlite };
        Self::start_on(database).await.expect("TEST_POSTGRES_URL goes with TEST_S3_ENDPOINT")
    }

    /// The demo on the database of choice; `None` when there is no PostgreSQL to test with (a failure where `CI` is set).
    pub async fn start_on(database: Database) -> Option<Self> {
        let (postgres, places) = match database {
            Database::Sqlite => (None, Places::default()),
            Database::Postgres => {
                let postgres = TemporaryPostgres::create().await?;
                let database = Some(postgres.url());
                (Some(postgres), Places { database, store: TestStore::external(), secret: None })
            }
        };
        let mut server = Self::start_at(places, &["--demo"]);
        server.postgres = postgres;
        Some(server)
    }

    pub fn start_at(places: Places, arguments: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (process, ready) = launch(folder.path(), "127.0.0.1:0", &places, arguments);
        let base = ready["ready"].as_str().expect("an address").trim_end_matches('/').to_owned();
        // The demonstration is for an empty database only.
        let arguments = arguments.iter().copied().filter(|argument| *argument != "--demo").collect();
        Self { process, base, ready, folder, places, arguments, postgres: None }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn pid(&self) -> i32 {
        self.process.id() as i32
    }

    /// The `n`th person of a role among the demo's sign-ins.
    pub async fn sign_in(&self, role: &str, n: usize) -> User {
        let people = self.ready["people"].as_array().expect("the demo's people");
        let person = people.iter().filter(|p| p["role"] == role).nth(n);
        let person = person.unwrap_or_else(|| panic!("no {role} number {n} in {people:?}"));
        self.sign_in_as(person).await
    }

    pub async fn sign_in_as(&self, person: &Value) -> User {
        User::sign_in(&self.base, person["phone"].as_str().unwrap(), person["password"].as_str().unwrap()).await
    }

    /// A trainee of the demo who has handed in nothing yet for the first assignment, and her sign-in.
    pub async fn newcomer(&self) -> (User, Value) {
        let people = self.ready["people"].as_array().expect("the demo's people");
        for person in people.iter().rev().filter(|p| p["role"] == "trainee") {
            let trainee = self.sign_in_as(person).await;
            let course = trainee.get("/course").await;
            if course["assignments"].as_array().unwrap().iter().any(|a| a["code"] == "A1" && a["state"] == "none") {
                return (trainee, person.clone());
            }
        }
        panic!("the demo has no trainee who is about to begin");
    }

    /// As the power does: no warning, nothing finished.
    pub fn kill(&mut self) {
        signal(self.pid(), libc::SIGKILL);
        self.process.wait().expect("the killed server");
    }

    /// Asks it to stop, and says how it ended and how long that took.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        signal(self.pid(), libc::SIGTERM);
        loop {
            if let Some(status) = self.process.try_wait().expect("the server's end") {
                return (status, began.elapsed());
            }
            assert!(began.elapsed() < Duration::from_secs(30), "no end 30 s after SIGTERM\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts again over the same data, on the same address.
    pub fn restart(&mut self) {
        let listen = self.base.trim_start_matches("http://").to_owned();
        self.process = launch(self.folder.path(), &listen, &self.places, &self.arguments).0;
    }

    /// The programs that the server runs, and theirs, by name.
    pub fn workers(&self) -> Vec<i32> {
        children(self.pid(), "weijia-media")
    }

    /// The end of what the programs said, for a failing test to show.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    pub async fn db(&self) -> Db {
        let url = match &self.places.database {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.data().join("weijia.db").display()),
        };
        Db::connect(&url).await.expect("the server's database")
    }

    /// One number from the database: `count("select count(*) from clips where title = $1", "x")`.
    pub async fn count(&self, sql: &str, bound: &str) -> i64 {
        let db = self.db().await;
        let mut tx = db.read().await.expect("a transaction");
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let n = on!(&mut tx, c => sqlx::query_scalar::<_, i64>(sql).bind(bound).fetch_one(c).await).expect("a count");
        drop(tx);
        db.close().await;
        n
    }

    /// One column from the database.
    pub async fn texts(&self, sql: &str, bound: &str) -> Vec<String> {
        let db = self.db().await;
        let mut tx = db.read().await.expect("a transaction");
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let texts =
            on!(&mut tx, c => sqlx::query_scalar::<_, String>(sql).bind(bound).fetch_all(c).await).expect("rows");
        drop(tx);
        db.close().await;
        texts
    }

    /// Another command of `weijia` on the same data: `command(&["fsck", "--json"])`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = weijia(arguments);
        command.arg("--data").arg(self.data());
        self.places.name_to(&mut command);
        command
    }

    /// The store, asked directly: the one that was named, or the one that the server gives to its worker.
    pub async fn storage(&self) -> Storage {
        if let Some(store) = &self.places.store {
            return Storage::connect(store);
        }
        let environment = until("a worker", Duration::from_secs(20), || async {
            let pid = self.workers().into_iter().next().ok_or("none")?;
            std::fs::read(format!("/proc/{pid}/environ")).map_err(|e| e.to_string())
        })
        .await;
        let text = String::from_utf8(environment).expect("text");
        let setting = |name: &str| {
            let found = text.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("the worker has no {name}")).to_owned()
        };
        Storage::connect(&StorageSettings {
            endpoint: setting("S3_ENDPOINT"),
            bucket: setting("S3_BUCKET"),
            region: setting("AWS_REGION"),
            access_key: setting("AWS_ACCESS_KEY_ID"),
            secret_key: setting("AWS_SECRET_ACCESS_KEY"),
            addressing: setting("S3_ADDRESSING").parse().expect("path or virtual"),
        })
    }

    /// The file as the store has it now.
    pub async fn original(&self, version: &str) -> Bytes {
        let db = self.db().await;
        let mut tx = db.read().await.expect("a transaction");
        let sql = "select original_key from clip_versions where id = $1";
        let key =
            on!(&mut tx, c => sqlx::query_scalar::<_, String>(sql).bind(version).fetch_one(c).await).expect("a key");
        drop(tx);
        db.close().await;
        self.storage().await.get(&key).await.expect("the original")
    }

    /// One version, one upload and one job of a kind came of it, and what the store holds is what was sent.
    pub async fn holds_once(&self, upload: &Upload, bytes: &[u8]) {
        let count = async |sql: &str, bound: &str| self.count(sql, bound).await;
        let version = upload.version.as_str();
        assert_eq!(count("select count(*) from clip_versions where clip_id = $1", &upload.clip).await, 1);
        assert_eq!(count("select count(*) from uploads where version_id = $1", version).await, 1);
        assert!(count("select count(*) from jobs where subject = $1", version).await >= 1, "no job was made of it");
        // One statement: between two a worker may have enqueued the next.
        let doubled = "select count(*) - count(distinct kind) from jobs where subject = $1";
        assert_eq!(count(doubled, version).await, 0, "a job is there twice");
        assert_eq!(sha256(&self.original(version).await), sha256(bytes), "what is kept is what was sent");
    }

    /// Stops it and removes what it kept.
    pub async fn end(mut self) {
        self.stop();
        if let Some(postgres) = self.postgres.take() {
            postgres.drop().await;
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the server's last words ----\n{}", self.log());
        }
        if let Ok(None) = self.process.try_wait() {
            let workers = self.workers();
            let _ = self.process.kill();
            let _ = self.process.wait();
            workers.into_iter().for_each(|pid| signal(pid, libc::SIGKILL));
        }
    }
}

fn launch(folder: &Path, listen: &str, places: &Places, arguments: &[&str]) -> (Child, Value) {
    let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log file");
    let mut command = weijia(&["serve", "--listen", listen, "--data"]);
    command.arg(folder.join("data")).args(arguments).stdout(Stdio::piped()).stderr(log);
    places.name_to(&mut command);
    let mut process = command.spawn().expect("the server starts");
    let stdout = process.stdout.take().expect("its stdout");
    let (send, lines) = mpsc::channel();
    // The pipe stays open for as long as the server runs, whatever else it may print.
    std::thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    match lines.recv_timeout(START) {
        Ok(line) => (process, serde_json::from_str(&line).unwrap_or_else(|e| panic!("not a ready line: {line} ({e})"))),
        Err(_) => {
            let _ = process.kill();
            let _ = process.wait();
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            panic!("no ready line within {START:?}\n{log}");
        }
    }
}

pub fn signal(pid: i32, signal: i32) {
    // SAFETY: kill touches no memory; the pid is of a process these tests started.
    unsafe { libc::kill(pid, signal) };
}

/// Every process below `parent` whose program is `name`, nearest first.
pub fn children(parent: i32, name: &str) -> Vec<i32> {
    let processes: Vec<(i32, i32, String)> = std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // `pid (name) state ppid ...`: the name may hold anything, so look from its end.
            let (head, tail) = stat.rsplit_once(')')?;
            let mut fields = tail.split_whitespace();
            if fields.next()? == "Z" {
                return None;
            }
            Some((pid, fields.next()?.parse().ok()?, head.split_once('(')?.1.to_owned()))
        })
        .collect();
    let (mut found, mut frontier) = (Vec::new(), vec![parent]);
    while let Some(current) = frontier.pop() {
        for (pid, ppid, program) in &processes {
            if *ppid == current {
                frontier.insert(0, *pid);
                if program == name {
                    found.push(*pid);
                }
            }
        }
    }
    found
}
