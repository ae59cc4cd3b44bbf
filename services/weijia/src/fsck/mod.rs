//! `weijia fsck`: the database against the bucket, both ways. Works beside a running server and without one.

mod report;

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;
use weijia_api::upload::{Limits, Uploads};
use weijia_core::db::Db;
use weijia_core::storage::Storage;
use weijia_core::time::{At, Millis};
use weijia_core::upkeep::mend::{self, Mended};
use weijia_core::upkeep::rebuild::{self, Rebuilt};
use weijia_core::upkeep::survey::{self, Look};
use weijia_core::upkeep::{Kind, Report};

use crate::serve::load_reference_data;
use crate::settings::{FsckOptions, Settings};
use crate::store::{self, Reached};

const CLEAN: u8 = 0;
const FOUND: u8 = 1;

pub async fn run(settings: &Settings, options: &FsckOptions) -> Result<ExitCode, String> {
    let reached = Reached::reach(settings).await?;
    let db = if options.rebuild { settings.open_database().await? } else { settings.open_database_unchanged().await? };
    let done = check(&db, &reached.storage, options).await;
    db.close().await;
    reached.close().await;
    let outcome = done?;
    if options.json {
        println!("{}", serde_json::to_string(&outcome).map_err(|e| e.to_string())?);
    } else {
        print!("{}", report::words(&outcome));
    }
    Ok(ExitCode::from(if outcome.report.findings.is_empty() { CLEAN } else { FOUND }))
}

/// All that one run did and saw.
#[derive(Debug, Default, serde::Serialize)]
pub struct Outcome {
    pub rebuilt: Option<Rebuilt>,
    /// What was found first, where it was to be repaired, and what became of it.
    pub repaired: Vec<Repaired>,
    /// What is wrong now.
    pub report: Report,
}

#[derive(Debug, serde::Serialize)]
pub struct Repaired {
    pub kind: Kind,
    pub about: String,
    /// None: it failed, and why.
    pub mended: Option<bool>,
    pub why: String,
}

async fn check(db: &Db, storage: &Storage, options: &FsckOptions) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    if options.rebuild {
        load_reference_data(db).await?;
    }
    store::is_the_one(storage, db).await.map_err(|words| format!("没有查成：{words}"))?;
    if options.rebuild {
        outcome.rebuilt = Some(rebuild::rebuild(db, storage, At::now()).await.map_err(stopped)?);
    }
    let look = || Look { now: At::now(), grace: Millis::minutes(options.grace.into()), deep: options.deep };
    outcome.report = survey::survey(db, storage, look()).await.map_err(stopped)?;
    if options.repair {
        outcome.repaired = repair(db, storage, &outcome.report).await?;
        outcome.report = survey::survey(db, storage, look()).await.map_err(stopped)?;
    }
    Ok(outcome)
}

async fn repair(db: &Db, storage: &Storage, report: &Report) -> Result<Vec<Repaired>, String> {
    // What a running server does every minute: it ends what is stuck and empties the trash that is due.
    let uploads = Uploads::new(db.clone(), storage.clone(), Limits::default(), CancellationToken::new());
    uploads.reconcile(At::now(), Millis::minutes(1)).await.map_err(stopped)?;
    let mut repaired = Vec::new();
    for finding in &report.findings {
        let (mended, why) = match mend::mend(db, storage, At::now(), finding).await {
            Ok(Mended::Yes | Mended::NotNeeded) => (Some(true), String::new()),
            Ok(Mended::ByHand) => (Some(false), String::new()),
            Err(error) => (None, error.to_string()),
        };
        repaired.push(Repaired { kind: finding.kind, about: finding.about.clone(), mended, why });
    }
    Ok(repaired)
}

fn stopped(error: weijia_core::Error) -> String {
    let hint = match &error {
        weijia_core::Error::Db(_) => {
            "数据库可能还没有建好：先运行 weijia migrate；数据库没了就运行 weijia fsck --rebuild"
        }
        _ => "看看对象存储开着没有、地址和密钥对不对",
    };
    format!("没有查成：{error}。{hint}，再查一次。")
}
