//! `weijia-bench upload`: our server, the reference (@tus/server with @tus/s3-store) and the SDK alone, in turn, on the
//! same Garage. What is compared is restarted for every round; the value of a row is computed from medians.

mod bar;
pub mod embedded;
mod flaky;
mod garage;
mod paced;
mod payload;
mod proofs;
mod resume;
mod slow;
mod throughput;
mod tus;

use crate::bar::{Row, Scenario};
use crate::report::{Findings, first_line};
use crate::{Options, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum UploadScenario {
    /// One client sends 1 GiB.
    Large,
    /// 32 clients send 32 MiB each at the same time.
    Many,
    /// 256 clients send 30 kB/s each.
    Slow,
    /// Clients that vanish, and a server that is killed.
    Resume,
    /// 20 MiB at 30 kB/s over a network that resets every 20 s.
    Flaky,
    /// The embedded store, alone in a process.
    Embedded,
    /// What tests prove: faults, kills, the probe of S3.
    Proofs,
}

impl Scenario for UploadScenario {
    const NAME: &'static str = "upload";
    const BAR: &'static [Row<Self>] = bar::BAR;

    async fn measure(self, options: Options) -> Outcome<Findings> {
        match self {
            UploadScenario::Large => throughput::large(&options).await,
            UploadScenario::Many => throughput::many(&options).await,
            UploadScenario::Slow => slow::slow(&options).await,
            UploadScenario::Resume => resume::resume(&options).await,
            UploadScenario::Flaky => flaky::flaky(&options).await,
            UploadScenario::Embedded => embedded::embedded(&options).await,
            UploadScenario::Proofs => proofs::proofs(&options).await,
        }
    }

    fn is_slow_on_purpose(self) -> bool {
        matches!(self, UploadScenario::Slow | UploadScenario::Resume | UploadScenario::Flaky)
    }

    fn versions() -> Vec<(&'static str, String)> {
        vec![
            ("garage", first_line(first_line(garage::script(), "install"), "--version")),
            ("node", first_line("node", "--version")),
            ("tus_server", installed("@tus/server")),
            ("tus_s3_store", installed("@tus/s3-store")),
        ]
    }
}

fn installed(package: &str) -> String {
    let path = tus::reference_folder().join("node_modules").join(package).join("package.json");
    let text = std::fs::read(path).unwrap_or_default();
    let package: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    package["version"].as_str().unwrap_or_default().to_owned()
}
