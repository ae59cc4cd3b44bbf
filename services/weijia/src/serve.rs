//! `weijia serve`: API, web, embedded S3 and a local worker, from one data folder.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weijia_api::AppState;
use weijia_core::account::{Keys, PasswordHasher};
use weijia_core::db::Db;
use weijia_core::storage::Storage;
use weijia_core::time::At;
use weijia_core::{content, region};

use crate::demo;
use crate::http;
use crate::lock::DataLock;
use crate::secret::Secret;
use crate::settings::{ServeOptions, Settings};
use crate::store;
use crate::worker::LocalWorker;

/// From the signal on requests get this long, then they are cut; clients resume. With what closes after them the end
/// comes within ten seconds.
const GRACE: Duration = Duration::from_secs(7);
/// For the store, and then for the database, to close.
const LAST: Duration = Duration::from_millis(700);

pub async fn run(settings: &Settings, options: ServeOptions) -> Result<ExitCode, String> {
    // Everything that can be wrong in the settings is said before anything is touched.
    let address = settings.listen_address()?;
    let public_url = settings.public_url()?;
    let database_url = settings.database_url()?;
    let external_store = settings.external_store()?;
    let worker_program = if options.no_worker { None } else { Some(LocalWorker::program()?) };

    settings.prepare_data_folder()?;
    let _lock = DataLock::take(settings.data_folder())?;
    let listener = TcpListener::bind(address).await.map_err(|e| {
        format!("WEIJIA_LISTEN（--listen）的地址 {address} 听不了：{e}。换一个端口，或停掉占着它的程序。")
    })?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let secret = Secret::load_or_create(&settings.secret_file())?;
    let db = settings.open_database().await?;
    secret.belongs_to(&db).await?;
    load_reference_data(&db).await?;

    let stopping = CancellationToken::new();
    let store_stopping = CancellationToken::new();
    let (place, embedded) = match external_store {
        Some(external) => (external, None),
        None => {
            let (own, task) = store::embedded(settings, &secret, store_stopping.clone()).await?;
            (own, Some(task))
        }
    };
    let storage = Storage::connect(&place);
    storage
        .ensure_bucket()
        .await
        .map_err(|e| format!("S3_BUCKET 指的桶 {} 用不了：{e}。看看 S3_ENDPOINT、密钥和桶名。", place.bucket))?;
    // One of these is made anew with its folder, the other is the same for whoever has the same settings.
    let name = if embedded.is_some() { hex::encode(rand::random::<[u8; 16]>()) } else { place.bucket.clone() };
    store::belongs_to(&storage, &db, &name).await?;

    let state = AppState::new(
        db.clone(),
        storage,
        Keys::from_master(secret.bytes()),
        PasswordHasher::new(),
        weijia_api::Settings { public_url, quota: settings.quota(), room: settings.room()? },
        stopping.clone(),
    );
    let app = weijia_api::app(state.clone());
    let background = tokio::spawn(weijia_api::background::run(state.clone()));
    let http = {
        let (app, stopping) = (app.clone(), stopping.clone());
        tokio::spawn(http::serve(listener, app, http::PATIENCE, stopping))
    };
    let worker = worker_program.map(|program| {
        let worker = LocalWorker {
            program,
            database_url,
            store: place,
            scratch: settings.scratch_folder(),
            log_json: settings.log_json,
        };
        tokio::spawn(worker.keep_running(stopping.clone()))
    });

    let mut signals = Signals::new()?;
    let announced = announce(settings, &options, &state, app, &secret, address);
    let outcome = tokio::select! {
        () = signals.stop() => Ok(()),
        outcome = announced => outcome,
    };
    if outcome.is_ok() && !signals.stopped {
        signals.stop().await;
    }
    tracing::info!("stopping: finishing requests, handing leases back");
    stopping.cancel();
    finish(http, worker, background).await;
    store_stopping.cancel();
    if let Some(task) = embedded {
        let _ = tokio::time::timeout(LAST, task).await;
    }
    let _ = tokio::time::timeout(LAST, db.close()).await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Fills in the demonstration where asked for, then prints the ready line: one line of JSON, alone on stdout.
async fn announce(
    settings: &Settings,
    options: &ServeOptions,
    state: &AppState,
    app: axum::Router,
    secret: &Secret,
    address: std::net::SocketAddr,
) -> Result<(), String> {
    // 0.0.0.0 is where we listen, not where a browser goes.
    let host =
        if address.ip().is_unspecified() { format!("127.0.0.1:{}", address.port()) } else { address.to_string() };
    let url = state
        .settings
        .public_url
        .as_ref()
        .map_or(format!("http://{host}"), |u| u.as_str().trim_end_matches('/').to_owned());
    let people = match options.demo {
        true => demo::fill(state, app, secret, !options.no_worker, &settings.scratch_folder()).await?,
        false => None,
    };
    let line = serde_json::to_string(&ReadyLine { ready: url, people }).map_err(|e| e.to_string())?;
    let mut stdout = std::io::stdout().lock();
    // Whoever started us may have stopped listening; that is no reason to stop serving.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    Ok(())
}

#[derive(Serialize)]
struct ReadyLine {
    ready: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<Vec<demo::Person>>,
}

/// Published content and the regions: what every installation knows before anybody signs in.
pub async fn load_reference_data(db: &Db) -> Result<(), String> {
    let fault = |e: weijia_core::Error| format!("数据库里的基础资料没有装好：{e}。再启动一次；还不行就从备份恢复。");
    let mut tx = db.write().await.map_err(|e| fault(e.into()))?;
    content::publish(&mut tx, At::now()).await.map_err(fault)?;
    let regions = region::import(&mut tx).await.map_err(fault)?;
    tx.commit().await.map_err(|e| fault(e.into()))?;
    if regions > 0 {
        tracing::info!(regions, "regions imported");
    }
    Ok(())
}

async fn finish(mut http: JoinHandle<()>, worker: Option<JoinHandle<()>>, background: JoinHandle<()>) {
    let all = async {
        let _ = (&mut http).await;
        if let Some(worker) = worker {
            let _ = worker.await;
        }
        let _ = background.await;
    };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut; clients resume where they were");
    }
    http.abort();
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    stopped: bool,
}

impl Signals {
    fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|e| format!("系统不让接收停止信号：{e}"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            stopped: false,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.stopped = true;
    }
}
