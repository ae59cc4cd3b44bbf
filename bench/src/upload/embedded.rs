//! The embedded store, alone in a process of its own, so that its memory is its own.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use futures_util::{StreamExt as _, future};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weijia_core::storage::{Addressing, Range, Storage, StorageSettings};
use weijia_store::EmbeddedStore;

use super::payload::Payload;
use super::throughput::multipart;
use crate::process::Process;
use crate::report::Findings;
use crate::{MIB, Options, Outcome};

const ACCESS: &str = "bench";
const SECRET: &str = "bench-only";

/// What the other process does: serves the store in this folder until it is killed.
pub async fn serve(folder: &Path) -> Outcome<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let store = EmbeddedStore::open(folder).await.map_err(|e| e.to_string())?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", serde_json::json!({"ready": format!("http://{address}")})).map_err(|e| e.to_string())?;
    drop(stdout);
    store.serve(listener, ACCESS, SECRET, CancellationToken::new()).await;
    Ok(())
}

/// 1 GiB in parts, then 32 objects at once, then everything read back at once.
pub async fn embedded(_: &Options) -> Outcome<Findings> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
    command.arg("store").arg(folder.path().join("store"));
    let (process, ready) = Process::start_server(command, &folder.path().join("log"))?;
    let storage = Storage::connect(&StorageSettings {
        endpoint: ready["ready"].as_str().ok_or("no address")?.to_owned(),
        bucket: "weijia".into(),
        region: "us-east-1".into(),
        access_key: ACCESS.into(),
        secret_key: SECRET.into(),
        addressing: Addressing::Path,
    });
    storage.ensure_bucket().await.map_err(|e| e.to_string())?;
    let idle = process.peak_memory()? as f64 / MIB;
    let mut payload = Payload::new(1 << 30);
    let file = payload.files(1).remove(0);
    multipart(storage.clone(), "large".into(), file).await?;
    let files = payload.files(32);
    let key = |n: usize| format!("many/{n:02}");
    let puts = files.iter().enumerate().map(|(n, file)| multipart(storage.clone(), key(n), file.clone()));
    future::try_join_all(puts).await?;
    future::try_join_all(files.iter().enumerate().map(|(n, file)| read_back(&storage, key(n), file))).await?;
    let peak = process.peak_memory()? as f64 / MIB;
    let mut found = Findings::default();
    found.value("embedded_store_memory", Ok(peak));
    found.sample("embedded store: memory before", "MiB", [idle].into_iter());
    found.sample("embedded store: peak memory", "MiB", [peak].into_iter());
    Ok(found)
}

async fn read_back(storage: &Storage, key: String, file: &Bytes) -> Outcome<()> {
    let mut body = storage.get_range(&key, Range::All).await.map_err(|e| e.to_string())?;
    let mut at = 0;
    while let Some(chunk) = body.stream.next().await {
        let chunk = chunk.map_err(|e| e.to_string())?;
        if file.get(at..at + chunk.len()) != Some(&chunk[..]) {
            return Err(format!("{key}: other bytes than were sent"));
        }
        at += chunk.len();
    }
    if at == file.len() { Ok(()) } else { Err(format!("{key}: {at} bytes of {}", file.len())) }
}
