//! A mountain road: 30 kB/s, and the network resets every connection after 20 s.

use std::time::Duration;

use tokio::time::Instant;

use super::garage::Garage;
use super::paced::Paced;
use super::payload;
use super::tus::{self, Kind, TusServer};
use crate::report::Findings;
use crate::{Options, Outcome};

const RATE: usize = 30_000;
const RESET_AFTER: Duration = Duration::from_secs(20);

pub async fn flaky(options: &Options) -> Outcome<Findings> {
    let garage = Garage::start().await?;
    let mut server = TusServer::start(Kind::Weijia, &garage.place).await?;
    let file = payload::file(if options.quick { 3 << 20 } else { 20 << 20 });
    let ideal = file.len() as f64 / RATE as f64;
    let person = server.person(0);
    let began = Instant::now();
    let upload = server.create(person, file.len()).await?;
    let (mut offset, mut resets) = (0, 0);
    let status = loop {
        let mut sending = Paced::begin(person, &upload, file.clone(), offset, RATE).await?;
        if sending.send_for(RESET_AFTER).await? {
            break sending.answer().await?;
        }
        sending.reset()?;
        resets += 1;
        let reached = tus::offset(person, &upload).await? as usize;
        if reached < offset {
            return Err(format!("{offset} bytes were acknowledged, and then only {reached}"));
        }
        offset = reached;
    };
    let took = began.elapsed().as_secs_f64();
    if status != 204 {
        return Err(format!("the last answer was {status}"));
    }
    tus::verify(&garage.storage(), &upload.prefix, &file).await?;
    server.process.stop();
    let mut found = Findings::default();
    found.value("flaky_time_vs_ideal", Ok(took / ideal));
    found.sample("30 kB/s, reset every 20 s: resets", "", [f64::from(resets)].into_iter());
    found.sample("30 kB/s, reset every 20 s: time", "s", [took].into_iter());
    Ok(found)
}
