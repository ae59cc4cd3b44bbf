//! 256 phones on a weak network at the same time. Each holds memory for as long as it takes to fill it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future;

use super::garage::Garage;
use super::paced::Paced;
use super::payload;
use super::tus::{self, Kind, TusServer};
use crate::report::Findings;
use crate::{MIB, Options, Outcome};

const CLIENTS: usize = 256;
const RATE: usize = 30_000;
/// More than anybody sends in the time.
const LENGTH: usize = 20 << 20;

pub async fn slow(options: &Options) -> Outcome<Findings> {
    // Long enough to fill the pool, and to come past the regular flush of every writer.
    let time = Duration::from_secs(if options.quick { 40 } else { 75 });
    let garage = Garage::start().await?;
    let mut server = TusServer::start(Kind::Weijia, &garage.place).await?;
    let idle = server.process.peak_memory()? as f64 / MIB;
    let file = payload::file(LENGTH);
    let resent = future::try_join_all((0..CLIENTS).map(|n| client(&server, n, file.clone(), time))).await?;
    let peak = server.process.peak_memory()? as f64 / MIB;
    server.process.stop();
    let mut found = Findings::default();
    found.value("memory_256_slow_clients", Ok(peak));
    found.sample("256 x 30 kB/s: memory before", "MiB", [idle].into_iter());
    found.sample("256 x 30 kB/s: peak memory", "MiB", [peak].into_iter());
    found.sample(
        "256 x 30 kB/s: sent in vain",
        "KiB",
        resent.into_iter().max().map(|most| most as f64 / 1024.0).into_iter(),
    );
    Ok(found)
}

/// Sends for the time, vanishes, and answers how many of the bytes that left it have to be sent again.
async fn client(server: &TusServer, n: usize, file: Bytes, time: Duration) -> Outcome<usize> {
    // Not all in the same instant.
    tokio::time::sleep(Duration::from_millis(10 * n as u64)).await;
    let person = server.person(n);
    let upload = server.create(person, file.len()).await?;
    let mut sending = Paced::begin(person, &upload, file, 0, RATE).await?;
    sending.send_for(time).await?;
    let sent = sending.sent;
    sending.reset()?;
    Ok(sent - tus::offset(person, &upload).await? as usize)
}
