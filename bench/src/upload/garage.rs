//! A Garage of the bench's own: one node, fresh, gone afterwards. It keeps deleted blocks for minutes, so each round of
//! uploads gets a new one instead of a swept one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weijia_core::storage::{Addressing, Storage, StorageSettings};

use crate::Outcome;
use crate::process::Process;

const START: Duration = Duration::from_secs(30);

pub struct Garage {
    _process: Process,
    _folder: tempfile::TempDir,
    pub place: StorageSettings,
}

/// Serves, or says where the program is. Installs it first where it is missing.
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/garage.sh")
}

impl Garage {
    pub async fn start() -> Outcome<Garage> {
        let mut why = String::new();
        // Its port may be taken.
        for _ in 0..5 {
            match Garage::try_start().await {
                Ok(garage) => return Ok(garage),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    async fn try_start() -> Outcome<Garage> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mut command = Command::new(script());
        command.arg("serve").arg(folder.path()).stdout(Stdio::null());
        let log = folder.path().join("log");
        let mut process = Process::start(command, &log)?;
        let began = Instant::now();
        loop {
            let why = match place(folder.path()) {
                Ok(place) => match Storage::connect(&place).ensure_bucket().await {
                    Ok(()) => return Ok(Garage { _process: process, _folder: folder, place }),
                    Err(error) => error.to_string(),
                },
                Err(error) => error,
            };
            if process.has_ended() || began.elapsed() > START {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("Garage does not answer: {why}\n{said}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn storage(&self) -> Storage {
        Storage::connect(&self.place)
    }
}

/// Where it serves, as the script has written it down.
fn place(folder: &Path) -> Outcome<StorageSettings> {
    let text = std::fs::read_to_string(folder.join("env")).map_err(|e| e.to_string())?;
    let setting = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.map(str::to_owned).ok_or_else(|| format!("no {name} yet"))
    };
    Ok(StorageSettings {
        endpoint: setting("TEST_S3_ENDPOINT")?,
        bucket: "bench".into(),
        region: "us-east-1".into(),
        access_key: setting("TEST_S3_ACCESS_KEY")?,
        secret_key: setting("TEST_S3_SECRET_KEY")?,
        addressing: Addressing::Path,
    })
}
