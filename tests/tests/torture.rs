//! `make torture`: thousands of uploads on random bad days, as long as it is asked for. Every number makes the same day
//! again, so what it finds can be looked at: `TORTURE_SEED=… TORTURE_UPLOADS=1 make torture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use weijia_tests::faults::{Scenario, Site, Tally, run};

const AT_ONCE: usize = 16;
/// So many share a server and a disk, which are then thrown away.
const BATCH: usize = 160;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "make torture runs it"]
async fn thousands_of_uploads_on_random_bad_days() {
    let first = setting("TORTURE_SEED").unwrap_or_else(|| rand::random_range(1..1 << 40));
    let most = setting("TORTURE_UPLOADS").unwrap_or(u64::MAX) as usize;
    let end = Instant::now() + Duration::from_secs(60 * setting("TORTURE_MINUTES").unwrap_or(30));
    println!("TORTURE_SEED={first}");
    let (mut tally, mut seed) = (Tally::default(), first);
    while tally.uploads < most && Instant::now() < end {
        let site = Arc::new(Site::start().await);
        let people = site.people(8).await;
        let batch = BATCH.min(most - tally.uploads);
        let runs = futures_util::stream::iter(seed..seed + batch as u64).map(|seed| {
            let (site, person) = (site.clone(), people[seed as usize % people.len()].clone());
            tokio::spawn(async move { run(&site, &person, &Scenario::random(seed)).await })
        });
        let mut runs = runs.buffer_unordered(AT_ONCE);
        while let Some(outcome) = runs.next().await {
            let (faults, findings) = outcome.expect("a run");
            findings.iter().for_each(|finding| println!("{finding}\n"));
            tally.add(faults, findings);
        }
        seed += batch as u64;
        tally.findings.extend(site.settle().await);
        println!("{tally}");
    }
    assert!(tally.findings.is_empty(), "TORTURE_SEED={first}: {tally}");
}
