//! The real programs, to be killed: `weijia serve`, and the object store as a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weijia_core::storage::StorageSettings;
use weijia_store::EmbeddedStore;

use super::LONG;
use super::TcpProxy;
use super::site::at;
use crate::server::{signal, weijia};

const START: Duration = Duration::from_secs(120);
const STORE: &str = "WEIJIA_STORE_TO_KILL";

/// A server without a worker, reached through a proxy, so that its address stays the same wherever it starts again.
pub struct Program {
    process: Child,
    pub network: TcpProxy,
    pub data: PathBuf,
    /// The environment that it runs in.
    environment: Vec<(&'static str, String)>,
    /// Not in the data folder, which may be on a disk that breaks.
    log: tempfile::NamedTempFile,
}

impl Program {
    /// With its own store, or with the one that the settings name.
    pub async fn start(data: &Path, database: Option<&str>, store: Option<&StorageSettings>) -> Program {
        // Small disks are filled to the brim; the mark is tested elsewhere.
        let mut environment = vec![("WEIJIA_KEEP_FREE", "0".to_owned())];
        if let Some(url) = database {
            environment.push(("DATABASE_URL", url.to_owned()));
        }
        if let Some(store) = store {
            environment.push(("S3_ENDPOINT", store.endpoint.clone()));
            environment.push(("S3_BUCKET", store.bucket.clone()));
            environment.push(("AWS_REGION", store.region.clone()));
            environment.push(("AWS_ACCESS_KEY_ID", store.access_key.clone()));
            environment.push(("AWS_SECRET_ACCESS_KEY", store.secret_key.clone()));
        }
        let log = tempfile::NamedTempFile::new().expect("a log file");
        let (process, address) = launch(data, &environment, log.path()).await;
        Program { process, network: TcpProxy::start(address).await, data: data.to_owned(), environment, log }
    }

    /// What the next start finds in its environment besides.
    pub fn with(&mut self, name: &'static str, value: &Path) {
        self.environment.push((name, value.display().to_string()));
    }

    pub fn address(&self) -> SocketAddr {
        self.network.address()
    }

    /// The key that phones are encrypted with, as the program keeps it.
    pub fn secret(&self) -> [u8; 32] {
        let text = std::fs::read_to_string(self.data.join("secret.key")).expect("the secret");
        hex::decode(text.trim()).expect("hexadecimal").try_into().expect("32 bytes")
    }

    /// As the power does: no warning, nothing finished.
    pub fn kill(&mut self) {
        self.process.kill().expect("a signal");
        self.process.wait().expect("the killed server");
    }

    pub fn stop(&mut self) {
        signal(self.process.id() as i32, libc::SIGTERM);
        let began = Instant::now();
        while self.process.try_wait().expect("the server's end").is_none() {
            assert!(began.elapsed() < LONG, "no end {LONG:?} after SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub async fn restart(&mut self) {
        let (process, address) = launch(&self.data, &self.environment, self.log.path()).await;
        self.process = process;
        self.network.lead_to(address);
    }

    /// The end of what it said, for a failing test to show.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.log.path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the server's last words ----\n{}", self.log());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn launch(data: &Path, environment: &[(&'static str, String)], log: &Path) -> (Child, SocketAddr) {
    let said = File::options().append(true).open(log).expect("a log file");
    let mut command = weijia(&["serve", "--no-worker", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(data).stdout(Stdio::piped()).stderr(said);
    command.envs(environment.iter().map(|(name, value)| (*name, value)));
    let (process, line) = tokio::task::spawn_blocking(|| first_line(command, "{")).await.expect("a task");
    let ready: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("not a ready line: {line} ({e})"));
    let address = ready["ready"].as_str().expect("an address").trim_start_matches("http://");
    (process, address.trim_end_matches('/').parse().expect("an address"))
}

/// Starts it and waits for the line that begins so.
fn first_line(mut command: Command, begins: &'static str) -> (Child, String) {
    let mut process = command.spawn().expect("it starts");
    let stdout = process.stdout.take().expect("its stdout");
    let (send, lines) = mpsc::channel();
    // The pipe stays open for as long as the process runs, whatever else it may print.
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.filter(|line| line.starts_with(begins)).for_each(|line| drop(send.send(line)));
    });
    match lines.recv_timeout(START) {
        Ok(line) => (process, line),
        Err(why) => {
            let _ = process.kill();
            let _ = process.wait();
            panic!("no line within {START:?}: {why}");
        }
    }
}

/// The embedded store alone, in a process that can be killed without the server.
pub struct StoreProcess {
    process: Child,
    folder: PathBuf,
    pub address: SocketAddr,
}

impl StoreProcess {
    /// The running test program itself, asked for its test `the_store_process` only; see [`store_process`].
    pub async fn start(folder: &Path) -> StoreProcess {
        let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
        command.args(["--ignored", "--exact", "the_store_process", "--nocapture"]);
        command.env(STORE, folder).stdin(Stdio::null()).stdout(Stdio::piped());
        let (process, line) = tokio::task::spawn_blocking(|| first_line(command, "listening ")).await.expect("a task");
        let address = line.trim_start_matches("listening ").parse().expect("an address");
        StoreProcess { process, folder: folder.to_owned(), address }
    }

    pub fn settings(&self) -> StorageSettings {
        at(self.address)
    }

    pub fn kill(&mut self) {
        self.process.kill().expect("a signal");
        self.process.wait().expect("the killed store");
    }

    /// On another port: whoever looks for it asks a proxy.
    pub async fn restart(&mut self) {
        *self = Self::start(&self.folder.clone()).await;
    }
}

impl Drop for StoreProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The body of the ignored test that [`StoreProcess`] starts; does nothing where nobody started it.
pub fn store_process() {
    let Ok(folder) = std::env::var(STORE) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = EmbeddedStore::open(Path::new(&folder)).await.expect("the store");
        assert_eq!(store.swept().missing, 0, "bytes were lost");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        println!("\nlistening {address}");
        std::io::stdout().flush().expect("stdout");
        let settings = at(address);
        store.serve(listener, &settings.access_key, &settings.secret_key, CancellationToken::new()).await;
    });
}
