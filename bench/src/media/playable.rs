//! From the last byte until it plays, through the real server with its worker, store and database, as `make run` starts
//! them: one clip after the other, each once the machine has nothing left to do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Method;
use weijia_tests::server::Places;
use weijia_tests::tus::About;
use weijia_tests::{TestServer, User, until};

use super::clips::{Clips, Foreign};
use crate::report::Findings;
use crate::{Options, Outcome};

const CLIPS: usize = 30;
/// What another has in line.
const QUEUED: usize = 500;
/// As long as clips are that people send.
const SECONDS: [u32; 6] = [10, 15, 20, 30, 45, 60];
const ASK_EVERY: Duration = Duration::from_millis(10);
/// Beyond this something has gone wrong, and what the server said about it is told.
const PATIENCE: Duration = Duration::from_secs(120);
const IDLE: Duration = Duration::from_secs(600);

pub async fn playable(options: &Options) -> Outcome<Findings> {
    let clips = Clips::new()?;
    let phone = clips.phone()?;
    let films = (0..count(options)).map(|n| clips.lasting(&phone, SECONDS[n % SECONDS.len()]));
    let films: Vec<PathBuf> = films.collect::<Outcome<_>>()?;
    let waits = waits(&films).await?;
    let mut found = Findings::default();
    found.value("playable_p50", percentile(&waits, 50));
    found.value("playable_p95", percentile(&waits, 95));
    for (n, seconds) in SECONDS.iter().enumerate() {
        let waits = waits.iter().skip(n).step_by(SECONDS.len());
        found.sample(format!("phone clip of {seconds} s: last byte to playable"), "s", waits.copied());
    }
    Ok(found)
}

pub async fn playable_reencoded(options: &Options) -> Outcome<Findings> {
    let clips = Clips::new()?;
    let kind = |n: usize| Foreign::ALL[n % Foreign::ALL.len()];
    let films = (0..count(options)).map(|n| {
        let seconds = SECONDS[n / Foreign::ALL.len() % SECONDS.len()];
        clips.lasting(&clips.foreign(kind(n))?, seconds)
    });
    let films: Vec<PathBuf> = films.collect::<Outcome<_>>()?;
    let waits = waits(&films).await?;
    let mut found = Findings::default();
    found.value("playable_reencoded_p50", percentile(&waits, 50));
    found.value("playable_reencoded_p95", percentile(&waits, 95));
    for (n, kind) in Foreign::ALL.into_iter().enumerate() {
        let waits = waits.iter().skip(n).step_by(Foreign::ALL.len());
        found.sample(format!("{}: last byte to playable", kind.name()), "s", waits.copied());
    }
    Ok(found)
}

/// Somebody else has hundreds of clips in line: hers is not made to wait for them.
pub async fn playable_in_a_queue(options: &Options) -> Outcome<Findings> {
    let clips = Clips::new()?;
    let (crowd, phone) = (clips.app()?, clips.phone()?);
    let films = (0..count(options)).map(|n| clips.lasting(&phone, SECONDS[n % SECONDS.len()]));
    let films: Vec<PathBuf> = films.collect::<Outcome<_>>()?;
    let server = TestServer::start_at(Places::default(), &["--demo"]);
    let (eager, patient) = (server.sign_in("trainee", 5).await, server.sign_in("trainee", 6).await);
    for _ in 0..if options.quick { QUEUED / 10 } else { QUEUED } {
        eager.upload(&crowd, &About::file(&crowd, "bench")).await;
    }
    let mut waits = Vec::new();
    for (n, film) in films.iter().enumerate() {
        let wait = wait(&patient, film).await.map_err(|why| format!("{why}\n{}", server.log()))?;
        eprintln!("{} of {}: {} {wait:.2} s", n + 1, films.len(), film.display());
        waits.push(wait);
    }
    if server.count("select count(*) from jobs where kind = 'prepare' and state = $1", "ready").await == 0 {
        return Err("the queue came to its end before the last clip".into());
    }
    server.end().await;
    let mut found = Findings::default();
    found.value("playable_in_a_queue_p95", percentile(&waits, 95));
    found.sample("behind a queue of another: last byte to playable", "s", waits.into_iter());
    Ok(found)
}

fn count(options: &Options) -> usize {
    if options.quick { SECONDS.len() } else { CLIPS }
}

async fn waits(films: &[PathBuf]) -> Outcome<Vec<f64>> {
    let server = TestServer::start_at(Places::default(), &["--demo"]);
    let (person, _) = server.newcomer().await;
    let mut waits = Vec::new();
    for (n, film) in films.iter().enumerate() {
        idle(&server).await;
        let wait = wait(&person, film).await.map_err(|why| format!("{why}\n{}", server.log()))?;
        eprintln!("{} of {}: {} {wait:.2} s", n + 1, films.len(), film.display());
        waits.push(wait);
    }
    server.end().await;
    Ok(waits)
}

async fn idle(server: &TestServer) {
    let open = "select count(*) from jobs where state = 'leased' or state = $1";
    until("an idle worker", IDLE, || async {
        match server.count(open, "ready").await {
            0 => Ok(()),
            n => Err(format!("{n} jobs")),
        }
    })
    .await
}

/// The clock runs from the answer to the last byte until her page says that it plays; then what it names must be there.
async fn wait(person: &User, film: &std::path::Path) -> Outcome<f64> {
    let bytes = std::fs::read(film).map_err(|e| e.to_string())?;
    let len = bytes.len();
    let upload = person.create_upload(len, &About::file(film, "bench")).await;
    let reached = person.send(&upload, 0, bytes).await.map_err(|e| format!("{e:?}"))?;
    let began = Instant::now();
    if reached != len {
        return Err(format!("{reached} of {len} bytes were taken"));
    }
    let page = format!("/clips/{}", upload.clip);
    loop {
        let (status, clip) = person.try_call(Method::GET, &page, None).await?;
        let waited = began.elapsed();
        if !status.is_success() || !clip["refusal"].is_null() {
            return Err(format!("{}: {status} {clip}", film.display()));
        }
        if clip["playable"] == true {
            let media = &clip["media"];
            let address = media["mp4"].as_str().or(media["hls"].as_str()).ok_or("it plays, and there is no address")?;
            person.fetch(address).await;
            return Ok(waited.as_secs_f64());
        }
        if waited > PATIENCE {
            return Err(format!("{}: does not play after {PATIENCE:?}: {clip}", film.display()));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The smallest value that so many in a hundred do not exceed.
fn percentile(values: &[f64], percent: usize) -> Outcome<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().ok_or_else(|| "no clip".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_thirty_clips_one_may_be_slower_than_the_95th() {
        let waits: Vec<f64> = (1..=30).rev().map(f64::from).collect();
        assert_eq!((percentile(&waits, 50), percentile(&waits, 95)), (Ok(15.0), Ok(29.0)));
        assert_eq!((percentile(&[4.0], 50), percentile(&[4.0], 95)), (Ok(4.0), Ok(4.0)));
        assert!(percentile(&[], 50).is_err());
    }
}
