//! At least two hundred uploads, each with something going wrong: every call to the store, every part, every way to
//! fail; every way for a connection to break. What was sent arrives, once, and nothing is called complete that isn't.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use weijia_core::storage::{Patience, StorageError, trash};
use weijia_core::time::{At, Millis};
use weijia_store::testing::TestStore;
use weijia_tests::faults::{
    Again, CALLS, Call, Created, Ended, FAULTS, Fault, Finding, Joined, READING_BACK, Scenario, Sender, Site,
    SumOfParts, Tally, Trouble, Wrong, create, film, judge, run, run_again, run_joined,
};

const MIB: usize = 1 << 20;
/// Three parts, the last one small.
const LENGTH: usize = 16 * MIB + 200_013;
/// Asks a store so often that nothing short of giving up and coming back helps.
const STUBBORN: usize = 10;
/// Most of the time nothing happens but waiting.
const AT_ONCE: usize = 16;
/// Of a client that must not ask again only because this machine is slow.
const PATIENT: Duration = Duration::from_secs(120);

/// Every way for a call to go wrong that the caller must survive.
fn store_faults() -> Vec<Scenario> {
    let mut all = Vec::new();
    let tailed = vec![9 * MIB + 77_777];
    for call in CALLS {
        for fault in FAULTS {
            // A stall costs the whole patience of the caller each time.
            for times in if fault == Fault::Stall { vec![1, 2] } else { vec![1, STUBBORN] } {
                all.push(Scenario {
                    length: LENGTH,
                    store: vec![(call, fault, times)],
                    cuts: tailed.clone(),
                    ..Default::default()
                });
            }
        }
    }
    for call in [Call::PutSingle, Call::HeadOriginal, Call::PutTail] {
        for fault in FAULTS {
            let store = vec![(call, fault, if fault == Fault::Stall { 1 } else { STUBBORN })];
            all.push(Scenario { length: 3 * MIB + 1, store, cuts: vec![MIB + 5], ..Default::default() });
        }
    }
    all
}

/// Several things at once, as on a bad day.
fn bad_days() -> Vec<Scenario> {
    let parts = [Call::UploadPart(1), Call::UploadPart(2), Call::UploadPart(3)];
    let mut all = Vec::new();
    for fault in FAULTS {
        let store = parts.iter().chain(&[Call::Complete, Call::PutTail]).map(|call| (*call, fault, 1)).collect();
        all.push(Scenario { length: LENGTH, store, cuts: vec![MIB, 4 * MIB, 9 * MIB], ..Default::default() });
    }
    for fault in [Fault::Error500, Fault::LostAnswer, Fault::ResetBody] {
        let network = vec![Trouble::Reset { after: 12 * MIB }, Trouble::Fin { after: 3 * MIB }];
        let store = vec![(Call::UploadPart(2), fault, STUBBORN), (Call::Complete, fault, 2)];
        all.push(Scenario { length: LENGTH, store, network, ..Default::default() });
    }
    all
}

fn broken_connections() -> Vec<Scenario> {
    let mut all = Vec::new();
    for after in [20, 700, MIB, 5 * MIB + 3, 8 * MIB + 400, 16 * MIB + 5000] {
        for trouble in
            [Trouble::Reset { after }, Trouble::Fin { after }, Trouble::Stall { after }, Trouble::HalfOpen { after }]
        {
            all.push(Scenario { length: LENGTH, network: vec![trouble], ..Default::default() });
        }
    }
    let often = (1..=8).map(|n| Trouble::Reset { after: n * 450_000 }).collect();
    all.push(Scenario { length: LENGTH, network: often, ..Default::default() });
    let often = (1..=8).map(|n| Trouble::Fin { after: n * 450_000 }).collect();
    all.push(Scenario { length: LENGTH, network: often, ..Default::default() });
    all.push(Scenario { length: LENGTH, network: vec![Trouble::Captive { rate: 4 * MIB }], ..Default::default() });
    all.push(Scenario { length: 3 * MIB, network: vec![Trouble::Slow { rate: MIB }], ..Default::default() });
    all
}

fn two_at_once() -> Vec<Scenario> {
    let mut all = Vec::new();
    for n in 0..8 {
        let cuts = vec![n * 2 * MIB + 1];
        all.push(Scenario { length: LENGTH, rival: true, cuts: cuts.clone(), ..Default::default() });
        all.push(Scenario { length: LENGTH, twice: true, cuts, ..Default::default() });
    }
    all
}

async fn run_all(site: &Arc<Site>, mut scenarios: Vec<Scenario>) -> Tally {
    let people = site.people(scenarios.len().div_ceil(20)).await;
    (1..).zip(&mut scenarios).for_each(|(seed, scenario)| scenario.seed = seed);
    let runs = scenarios.into_iter().enumerate().map(|(n, scenario)| {
        let (site, person) = (site.clone(), people[n % people.len()].clone());
        async move { run(&site, &person, &scenario).await }
    });
    tally(runs, AT_ONCE).await
}

async fn tally<F>(runs: impl Iterator<Item = F>, at_once: usize) -> Tally
where
    F: Future<Output = (usize, Vec<Finding>)> + Send + 'static,
{
    let mut runs =
        futures_util::stream::iter(runs.map(|run| async { tokio::spawn(run).await })).buffer_unordered(at_once);
    let mut tally = Tally::default();
    while let Some(outcome) = runs.next().await {
        let (faults, findings) = outcome.expect("a run");
        findings.iter().for_each(|finding| eprintln!("{finding}\n"));
        tally.add(faults, findings);
    }
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_uploads_survive_everything() {
    let site = Arc::new(Site::start().await);
    let scenarios = [store_faults(), bad_days(), broken_connections(), two_at_once()].concat();
    let mut tally = run_all(&site, scenarios).await;
    tally.findings.extend(site.settle().await);
    println!("{tally}; the store took {:?} at most", site.proxy.slowest());
    let met = site.proxy.met();
    // Whether a tail is read depends on how fast the parts were; everything else every upload asks for.
    let certain = CALLS.into_iter().filter(|call| !matches!(call, Call::PutTail | Call::GetTail));
    for call in certain.chain([Call::PutSingle]) {
        FAULTS.iter().for_each(|fault| assert!(met.contains(&(call, *fault)), "{call:?} never met {fault:?}"));
    }
    assert!([Call::PutTail, Call::GetTail].iter().all(|call| met.iter().any(|(met, _)| met == call)));
    assert!(tally.faulted >= 200, "{tally}");
    assert!(tally.findings.is_empty(), "{tally}");
}

/// Every way for what the server reads back to go wrong: a film in stretches, of which one has parts, and a film that is
/// copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_joined_or_copied_survives_everything() {
    let site = Arc::new(Site::start().await);
    let (mut joined, mut copied) = (Vec::new(), Vec::new());
    for call in READING_BACK.into_iter().chain([Call::HeadOriginal]) {
        for (n, fault) in (0..).zip(FAULTS) {
            // A stall costs the whole patience of the caller each time.
            for times in if fault == Fault::Stall { [1, 2] } else { [1, STUBBORN] } {
                let (seed, store) = ((joined.len() + copied.len()) as u64 + 1, vec![(call, fault, times)]);
                if matches!(call, Call::GetOriginal | Call::HeadOriginal) {
                    copied.push(Again { seed, length: 8 * MIB + 77, store });
                } else {
                    let stretches = if n % 4 == 0 { vec![MIB + 5, 8 * MIB + 7] } else { vec![2 * MIB, 1, MIB + 33] };
                    joined.push(Joined { seed, stretches, store });
                }
            }
        }
    }
    for fault in FAULTS {
        let calls = [Call::UploadPart(1), Call::UploadPart(2), Call::Complete].into_iter().chain(READING_BACK);
        let store = calls.map(|call| (call, fault, 1)).collect();
        joined.push(Joined { seed: 100 + joined.len() as u64, stretches: vec![8 * MIB + 1, 1, 77], store });
    }
    let people = site.people((joined.len() + copied.len()).div_ceil(8)).await;
    let someone = |n: usize| (site.clone(), people[n % people.len()].clone());
    let joined = joined.into_iter().enumerate().map(|(n, joined)| {
        let (site, person) = someone(n);
        async move { run_joined(&site, &person, &joined).await }.boxed()
    });
    let copied = copied.into_iter().enumerate().map(|(n, again)| {
        let (site, person) = someone(n);
        async move { run_again(&site, &person, &again).await }.boxed()
    });
    // Of small films, so more of them.
    let mut tally = tally(joined.chain(copied), 2 * AT_ONCE).await;
    tally.findings.extend(site.settle().await);
    println!("{tally}; the store took {:?} at most", site.proxy.slowest());
    let met = site.proxy.met();
    for call in READING_BACK {
        FAULTS.iter().for_each(|fault| assert!(met.contains(&(call, *fault)), "{call:?} never met {fault:?}"));
    }
    assert!(tally.faults >= tally.uploads, "{tally}");
    assert!(tally.findings.is_empty(), "{tally}");
}

/// What was ended is gone from the store in the end, however the store answers while it is swept.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_ended_is_swept_although_the_store_fails() {
    let site = Site::start().await;
    let person = site.people(1).await.remove(0);
    let uploads = site.uploads.clone().expect("in this process");
    let mut spoilt = 0;
    for call in [Call::Abort, Call::Delete, Call::List] {
        // A store that answers a deletion with 200 has deleted: only a list can carry an error.
        let faults = FAULTS.into_iter().filter(|fault| call == Call::List || *fault != Fault::ErrorIn200);
        let begun = faults.map(async |fault| {
            let created = site.create(&person, LENGTH).await;
            let sender = site.sender(&person, &created, &film(LENGTH, 1)).cut([3 * MIB; 50]);
            while sender.ledger.acknowledged() < 8 * MIB {
                sender.send_once().await;
            }
            assert_eq!(sender.terminate().await, 204);
            // A stall costs the whole patience of the caller each time.
            site.proxy.spoil(&created.ids(), call, fault, if fault == Fault::Stall { 1 } else { 2 });
        });
        spoilt += join_all(begun).await.len();
    }
    let later = At::now() + trash::GRACE + Millis::minutes(1);
    for _ in 0..20 {
        if uploads.reconcile(later, Millis(0)).await.expect("a round").emptied == 0 && site.orphans().await.is_empty() {
            break;
        }
    }
    assert_eq!(site.orphans().await, Vec::<String>::new());
    assert!(site.proxy.injected(&[]) >= spoilt, "{} of {spoilt}", site.proxy.injected(&[]));
}

/// A writer hangs, another one goes on and joins the parts, and then the first one hears that there is nothing to write
/// to any more: that is not for it to judge.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_writer_that_comes_late_ends_nothing() {
    // Patient, else what is held would be asked again, and the late writer have what it wanted.
    let site = Site::start_with(Patience::default()).await;
    let person = site.people(1).await.remove(0);
    let created = site.create(&person, LENGTH).await;
    let sender = site.sender(&person, &created, &film(LENGTH, 3)).patient(PATIENT);
    site.proxy.spoil(&created.ids(), Call::UploadPart(1), Fault::HoldBefore, 1);
    site.proxy.spoil(&created.ids(), Call::PutSidecar, Fault::HoldBefore, 1);
    let late = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send_once().await }
    });
    site.proxy.holds(1).await;
    let newer = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send().await }
    });
    site.proxy.holds(2).await;
    site.proxy.release_oldest(true);
    late.await.expect("a client");
    site.proxy.release(true);
    let ended = newer.await.expect("a client");
    assert_eq!(site.judge(&created, &sender, &ended).await, [], "{}", sender.ledger.story());
}

/// A part on its way, and the count of those that still are.
struct OnItsWay(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for OnItsWay {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Where a store stands still, the memory of what it does not take is free again soon after its caller has given up, and
/// not when the store has come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_store_does_not_take_is_let_go_of() {
    let second = Duration::from_secs(1);
    let site = Site::start_with(Patience { answer: second, pace: 8 << 20, standstill: second }).await;
    let count = Arc::new(AtomicUsize::new(0));
    for call in [Call::PutSingle, Call::UploadPart(1)] {
        site.proxy.spoil(&[], call, Fault::Stall, usize::MAX);
    }
    let given_up = (0..12).map(async |n| {
        count.fetch_add(1, Ordering::SeqCst);
        let bytes = Bytes::from_owner(OnItsWay(vec![7; 8 * MIB], count.clone()));
        let key = format!("originals/{n}/1");
        if n % 2 == 0 {
            site.through.put(&key, "video/mp4", bytes).await.map(drop)
        } else {
            site.through.upload_part(&key, "upload", 1, bytes).await.map(drop)
        }
    });
    assert!(join_all(given_up).await.iter().all(|outcome| outcome.as_ref().is_err_and(StorageError::is_transient)));
    for _ in 0..300 {
        if count.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::time::sleep(second / 10).await;
    }
    panic!("{} parts are still on their way to a store that stands still", count.load(Ordering::SeqCst));
}

/// A store that says yes and keeps nothing breaks every promise; still nothing is called complete.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_lies_is_found_out() {
    let site = Site::start().await;
    let person = site.people(1).await.remove(0);
    for (call, length) in [(Call::UploadPart(2), LENGTH), (Call::PutSingle, 3 * MIB), (Call::PutTail, LENGTH)] {
        let created = site.create(&person, length).await;
        site.proxy.spoil(&created.ids(), call, Fault::Lie, usize::MAX);
        let sender = site.sender(&person, &created, &film(length, 1)).cut([2 * MIB; 50]);
        let ended = sender.send().await;
        let found = site.judge(&created, &sender, &ended).await;
        assert!(matches!(ended, Ended::Refused(_)), "{call:?}: {ended:?}\n{}", sender.ledger.story());
        assert_eq!(found.iter().map(|finding| finding.wrong).collect::<Vec<_>>(), [Wrong::Lost], "{call:?}");
        assert_eq!(site.object(&created.version).await, None, "{call:?}");
    }
}

/// The same client, faults and oracle in front of a server whose offset is the sum of the parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_adds_up_parts_is_found_out() {
    let site = Site::start_with(Patience::default()).await;
    let address = SumOfParts::start(site.through.clone()).await;
    let upload = async |length: usize, spoil: Option<Fault>| {
        let created: Created = create(address, "", length).await;
        if let Some(fault) = spoil {
            site.proxy.spoil(&created.ids(), Call::UploadPart(2), fault, 2);
        }
        let film = film(length, 5);
        // It has only one answer to a request that comes again, and that is wrong.
        let sender = Sender::new(address, &created.path, "", film.clone()).patient(PATIENT);
        let ended = sender.send().await;
        let object = site.storage.get(&SumOfParts::key(&created.path)).await.ok();
        let found = judge(&sender.ledger, &ended, &film, object.as_ref());
        found.into_iter().map(|finding| finding.wrong).collect::<Vec<_>>()
    };
    assert_eq!(upload(32 * MIB, None).await, [], "without faults it works");
    // Length right, bytes wrong, and not a word about it.
    assert_eq!(upload(32 * MIB, Some(Fault::Error500)).await, [Wrong::Corrupt]);
    // The sum says that everything is there; the store says that no film can be made of it, or makes one.
    let found = if TestStore::refuses_small_parts() { Wrong::FalselyComplete } else { Wrong::Corrupt };
    assert_eq!(upload(LENGTH + 8 * MIB, Some(Fault::Error500)).await, [found]);
}
