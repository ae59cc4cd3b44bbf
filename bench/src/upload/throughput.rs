//! As fast as it goes: the same bytes through our server, through the reference and with the SDK alone, in turn.

use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use weijia_core::storage::{Storage, StorageSettings};
use weijia_core::upload::rules::MIN_PART;

use super::garage::Garage;
use super::payload::{self, Payload};
use super::tus::{self, Kind, TusServer, Upload};
use crate::report::{Findings, median};
use crate::{MIB, Options, Outcome};

/// One more than the server has with each upload.
const PARTS_IN_FLIGHT: usize = 3;
const WARM_UP: usize = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Server(Kind),
    /// Multipart with the SDK, set up as the server sets it up, from the memory of the client.
    Raw,
}

const CONTENDERS: [Contender; 3] =
    [Contender::Server(Kind::Weijia), Contender::Server(Kind::Reference), Contender::Raw];

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Contender::Server(Kind::Weijia) => "weijia",
            Contender::Server(Kind::Reference) => "@tus/s3-store",
            Contender::Raw => "aws-sdk-s3",
        }
    }
}

/// One contender's uploads in one round.
struct Run {
    contender: Contender,
    mib_per_s: f64,
    /// Of the server alone; there is none where the SDK is used directly.
    server: Option<Cost>,
}

struct Cost {
    cpu_s_per_gib: f64,
    peak_mib: f64,
}

pub async fn large(options: &Options) -> Outcome<Findings> {
    let (runs, mut found) = rounds("1 x 1 GiB", 1, options).await?;
    found.value("large_speed_vs_raw", ratio(&runs, Contender::Raw, speed));
    found.value("large_speed_vs_reference", ratio(&runs, Contender::Server(Kind::Reference), speed));
    found.value("cpu_vs_reference", ratio(&runs, Contender::Server(Kind::Reference), cpu));
    found.value("memory_1_client_vs_reference", ratio(&runs, Contender::Server(Kind::Reference), peak));
    Ok(found)
}

pub async fn many(options: &Options) -> Outcome<Findings> {
    let (runs, mut found) = rounds("32 x 32 MiB", 32, options).await?;
    found.value("many_speed_vs_raw", ratio(&runs, Contender::Raw, speed));
    found.value("many_speed_vs_reference", ratio(&runs, Contender::Server(Kind::Reference), speed));
    found.value("memory_32_clients_vs_reference", ratio(&runs, Contender::Server(Kind::Reference), peak));
    Ok(found)
}

fn speed(run: &Run) -> Option<f64> {
    Some(run.mib_per_s)
}

fn cpu(run: &Run) -> Option<f64> {
    Some(run.server.as_ref()?.cpu_s_per_gib)
}

fn peak(run: &Run) -> Option<f64> {
    Some(run.server.as_ref()?.peak_mib)
}

type Figure = fn(&Run) -> Option<f64>;

fn of(runs: &[Run], contender: Contender, figure: Figure) -> impl Iterator<Item = f64> {
    runs.iter().filter(move |run| run.contender == contender).filter_map(figure)
}

/// Our median over theirs.
fn ratio(runs: &[Run], other: Contender, figure: Figure) -> Outcome<f64> {
    let middle = |contender: Contender| {
        median(of(runs, contender, figure)).ok_or_else(|| format!("no round of {} went through", contender.name()))
    };
    Ok(middle(Contender::Server(Kind::Weijia))? / middle(other)?)
}

/// A round that fails for another contender is said and left out; none of ours may fail.
async fn rounds(name: &str, files: usize, options: &Options) -> Outcome<(Vec<Run>, Findings)> {
    let mut payload = Payload::new(1 << 30);
    let mut runs = Vec::new();
    for round in 0..options.rounds {
        let garage = Garage::start().await?;
        for turn in 0..CONTENDERS.len() {
            let contender = CONTENDERS[(round + turn) % CONTENDERS.len()];
            match run(contender, &garage, &mut payload, files).await {
                Ok(run) => {
                    eprintln!("{name}, round {round}: {} {:.0} MiB/s", contender.name(), run.mib_per_s);
                    runs.push(run);
                }
                Err(why) if contender == Contender::Server(Kind::Weijia) => return Err(format!("{name}: {why}")),
                Err(why) => eprintln!("{name}, round {round}: {} failed: {why}", contender.name()),
            }
        }
    }
    let mut found = Findings::default();
    for contender in CONTENDERS {
        let title = |what: &str| format!("{name}, {}: {what}", contender.name());
        found.sample(title("speed"), "MiB/s", of(&runs, contender, speed));
        if contender != Contender::Raw {
            found.sample(title("processor time"), "s/GiB", of(&runs, contender, cpu));
            found.sample(title("peak memory"), "MiB", of(&runs, contender, peak));
        }
    }
    Ok((runs, found))
}

async fn run(contender: Contender, garage: &Garage, payload: &mut Payload, files: usize) -> Outcome<Run> {
    let mib = payload.mib();
    let files = payload.files(files);
    let (seconds, server, prefixes) = match contender {
        Contender::Server(kind) => through(kind, &garage.place, &files, mib).await?,
        Contender::Raw => directly(&garage.storage(), &files).await?,
    };
    let storage = garage.storage();
    for (prefix, file) in prefixes.iter().zip(&files) {
        tus::verify(&storage, prefix, file).await?;
    }
    Ok(Run { contender, mib_per_s: mib / seconds, server })
}

async fn through(
    kind: Kind,
    place: &StorageSettings,
    files: &[Bytes],
    mib: f64,
) -> Outcome<(f64, Option<Cost>, Vec<String>)> {
    let mut server = TusServer::start(kind, place).await?;
    upload(&server, 0, payload::file(WARM_UP)).await?;
    let (began, cpu) = (Instant::now(), server.process.cpu()?);
    let uploads = files.iter().enumerate().map(|(n, file)| upload(&server, n, file.clone()));
    let uploads = future::try_join_all(uploads).await?;
    let seconds = began.elapsed().as_secs_f64();
    let cost = Cost {
        cpu_s_per_gib: (server.process.cpu()? - cpu).as_secs_f64() / (mib / 1024.0),
        peak_mib: server.process.peak_memory()? as f64 / MIB,
    };
    server.process.stop();
    Ok((seconds, Some(cost), uploads.into_iter().map(|upload| upload.prefix).collect()))
}

async fn upload(server: &TusServer, n: usize, file: Bytes) -> Outcome<Upload> {
    let person = server.person(n);
    let upload = server.create(person, file.len()).await?;
    tus::send(person, &upload, file).await?;
    Ok(upload)
}

async fn directly(storage: &Storage, files: &[Bytes]) -> Outcome<(f64, Option<Cost>, Vec<String>)> {
    multipart(storage.clone(), "raw/warm-up".into(), payload::file(WARM_UP)).await?;
    let began = Instant::now();
    let keys: Vec<String> = (0..files.len()).map(|n| format!("raw/{n:02}")).collect();
    let uploads = keys.iter().zip(files).map(|(key, file)| multipart(storage.clone(), key.clone(), file.clone()));
    future::try_join_all(uploads).await?;
    Ok((began.elapsed().as_secs_f64(), None, keys))
}

/// Each part in a task of its own, like everything that is sent at once.
pub async fn multipart(storage: Storage, key: String, file: Bytes) -> Outcome<()> {
    let id = storage.create_multipart(&key, "application/octet-stream").await.map_err(|e| e.to_string())?;
    let part = MIN_PART as usize;
    let sends = (0..file.len().div_ceil(part)).map(|i| {
        let (storage, key, id) = (storage.clone(), key.clone(), id.clone());
        let bytes = file.slice(i * part..file.len().min((i + 1) * part));
        tokio::spawn(async move {
            let no = i as i32 + 1;
            storage.upload_part(&key, &id, no, bytes).await.map(|etag| (no, etag)).map_err(|e| e.to_string())
        })
    });
    let mut parts: Vec<_> = stream::iter(sends)
        .buffer_unordered(PARTS_IN_FLIGHT)
        .map(|sent| sent.unwrap_or_else(|e| Err(e.to_string())))
        .try_collect()
        .await?;
    parts.sort_by_key(|(no, _)| *no);
    storage.complete_multipart(&key, &id, &parts).await.map_err(|e| e.to_string())?;
    Ok(())
}
