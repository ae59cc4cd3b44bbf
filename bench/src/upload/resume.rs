//! What has to be sent again after a client vanished or the server was killed.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future;

use super::garage::Garage;
use super::paced::Paced;
use super::payload;
use super::tus::{self, Kind, TusServer, Upload};
use crate::report::Findings;
use crate::{Options, Outcome};

/// More than anybody sends in the time.
const LENGTH: usize = 40 << 20;

pub async fn resume(options: &Options) -> Outcome<Findings> {
    let garage = Garage::start().await?;
    let mut server = TusServer::start(Kind::Weijia, &garage.place).await?;
    let mut found = Findings::default();
    let file = payload::file(LENGTH);
    let drops = drops(&server, &file).await;
    let largest = drops.as_ref().map(|resent| resent.iter().copied().fold(0.0, f64::max)).map_err(String::clone);
    found.value("resent_after_client_drop", largest);
    found.sample("re-sent after a client drop", "KiB", drops.unwrap_or_default().into_iter());
    let kills = kills(&mut server, &file, options).await;
    let largest = kills.as_ref().map(|resent| resent.iter().copied().fold(0.0, f64::max)).map_err(String::clone);
    found.value("resent_after_server_kill", largest);
    found.sample("re-sent after a server kill", "s", kills.unwrap_or_default().into_iter());
    server.process.stop();
    Ok(found)
}

/// Twelve clients that vanish at different places: by a reset, by an orderly end of the connection, or without a sign,
/// so that the server hears of it only from the next one.
async fn drops(server: &TusServer, file: &Bytes) -> Outcome<Vec<f64>> {
    const RATE: usize = 500_000;
    future::try_join_all((0..12).map(|n| async move {
        let person = server.person(n);
        let upload = server.create(person, file.len()).await?;
        let mut sending = Paced::begin(person, &upload, file.clone(), 0, RATE).await?;
        // The last ones beyond the first part.
        sending.send_for(Duration::from_millis(500 + 1500 * n as u64)).await?;
        let sent = sending.sent;
        let mut silent = None;
        match n % 3 {
            0 => sending.reset()?,
            1 => drop(sending),
            _ => silent = Some(sending),
        }
        let offset = tus::offset(person, &upload).await? as usize;
        drop(silent);
        Ok((sent - offset) as f64 / 1024.0)
    }))
    .await
}

/// The server is killed while clients of three paces are at different places between two flushes. The answer is how
/// many seconds of sending were in vain for each.
async fn kills(server: &mut TusServer, file: &Bytes, options: &Options) -> Outcome<Vec<f64>> {
    const RATES: [usize; 3] = [30_000, 150_000, 500_000];
    const CLIENTS: usize = 24;
    // The first ones are beyond a flush by then, the last ones close before their first.
    let time = Duration::from_secs(if options.quick { 35 } else { 65 });
    let sendings = (0..CLIENTS).map(|n| {
        let server = &*server;
        async move {
            let head_start = time * n as u32 / CLIENTS as u32;
            tokio::time::sleep(head_start).await;
            let person = server.person(n);
            let upload = server.create(person, file.len()).await?;
            let rate = RATES[n % RATES.len()];
            let mut sending = Paced::begin(person, &upload, file.clone(), 0, rate).await?;
            sending.send_for(time - head_start).await?;
            Ok::<_, String>((n, upload, sending, rate))
        }
    });
    let sendings: Vec<(usize, Upload, Paced, usize)> = future::try_join_all(sendings).await?;
    server.kill_and_restart()?;
    future::try_join_all(sendings.iter().map(|(n, upload, sending, rate)| async {
        let offset = tus::offset(server.person(*n), upload).await? as usize;
        Ok(sending.sent.saturating_sub(offset) as f64 / *rate as f64)
    }))
    .await
}
