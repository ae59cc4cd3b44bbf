//! `weijia fsck`: the database against the bucket, both ways. Works beside a running server and without one.

mod report;

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;
use weijia_api::upload::{Limits, Uploads};
use weijia_core::account::Keys;
use weijia_core::db::Db;
use weijia_core::storage::Storage;
use weijia_core::time::{At, Millis};
use weijia_core::upkeep::mend::{self, Mended};
use weijia_core::upkeep::rebuild::{self, Rebuilt};
use weijia_core::upkeep::survey::{self, Look};
use weijia_core::upkeep::{Kind, Report};

use crate::fault;
use crate::secret::Secret;
use crate::serve::load_reference_data;
use crate::settings::{FsckOptions, Settings};
use crate::store::{self, Reached};

const CLEAN: u8 = 0;
const FOUND: u8 = 1;

pub async fn run(settings: &Settings, options: &FsckOptions) -> Result<ExitCode, String> {
    // What there is to lose is looked at before anything is made.
    let secret = if options.rebuild { Secret::load_or_create } else { Secret::load };
    let limits = Limits { quota: settings.quota(), room: settings.room()?, ..Limits::default() };
    let reached = Reached::reach(settings, secret).await.map_err(stopped)?;
    let opened =
        if options.rebuild { settings.open_database().await } else { settings.open_database_unchanged().await };
    let db = opened.map_err(stopped)?;
    let done = check(settings, &db, &reached.storage, limits, options).await;
    db.close().await;
    reached.close().await;
    let outcome = done?;
    if options.json {
        println!("{}", serde_json::to_string(&outcome).map_err(|e| e.to_string())?);
    } else {
        print!("{}", report::words(&outcome));
    }
    Ok(ExitCode::from(if outcome.is_in_order() { CLEAN } else { FOUND }))
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
    /// None: it failed.
    pub mended: Option<Mended>,
    /// Why it failed, or was not done.
    pub why: String,
}

impl Outcome {
    /// Nothing is wrong, and nothing was lost in putting it right.
    fn is_in_order(&self) -> bool {
        let undone = |repaired: &Repaired| matches!(repaired.mended, None | Some(Mended::Lost | Mended::ByHand));
        self.report.findings.is_empty() && !self.repaired.iter().any(undone)
    }
}

async fn check(
    settings: &Settings,
    db: &Db,
    storage: &Storage,
    limits: Limits,
    options: &FsckOptions,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    if options.rebuild {
        load_reference_data(db).await?;
    }
    store::is_the_one(storage, db).await.map_err(stopped)?;
    if options.rebuild {
        // Not remembered yet: where it is another secret than the phones were encrypted with, the right one may be found.
        let keys = Keys::from_master(Secret::load_or_create(&settings.secret_file())?.bytes());
        outcome.rebuilt = Some(rebuild::rebuild(db, storage, &keys, At::now()).await.map_err(failed)?);
    }
    let look = || Look { now: At::now(), grace: Millis::minutes(options.grace.into()), deep: options.deep };
    outcome.report = survey::survey(db, storage, look()).await.map_err(failed)?;
    if options.repair {
        outcome.repaired = repair(db, storage, limits, &outcome.report).await?;
        outcome.report = survey::survey(db, storage, look()).await.map_err(failed)?;
    }
    outcome.report.findings.extend(outcome.rebuilt.iter().flat_map(Rebuilt::findings));
    Ok(outcome)
}

async fn repair(db: &Db, storage: &Storage, limits: Limits, report: &Report) -> Result<Vec<Repaired>, String> {
    // What a running server does every minute: it ends what is stuck and empties the trash that is due.
    let uploads = Uploads::new(db.clone(), storage.clone(), limits, CancellationToken::new());
    uploads.round(At::now(), Millis::minutes(1)).await.map_err(failed)?;
    let too_many = mend::are_too_many_lost(report);
    let mut repaired = Vec::new();
    for finding in &report.findings {
        let (mended, why) = if too_many && mend::may_be_lost(finding.kind) {
            (Some(Mended::ByHand), report::TOO_MANY.to_owned())
        } else {
            match mend::mend(db, storage, At::now(), finding).await {
                Ok(mended) => (Some(mended), String::new()),
                Err(error) => (None, error.to_string()),
            }
        };
        repaired.push(Repaired { kind: finding.kind, about: finding.about.clone(), mended, why });
    }
    Ok(repaired)
}

fn failed(error: weijia_core::Error) -> String {
    stopped(fault::words(&error))
}

fn stopped(words: String) -> String {
    format!("没有查成：{words}")
}
