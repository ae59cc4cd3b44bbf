//! One upload and what befalls it.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::site::{Person, Site, film};
use super::{CALLS, Call, FAULTS, Fault, Finding, TcpProxy, Trouble};

const MIB: usize = 1 << 20;

#[derive(Debug, Clone, Default)]
pub struct Scenario {
    pub seed: u64,
    pub length: usize,
    /// Between server and store: so many requests of that kind go wrong like this.
    pub store: Vec<(Call, Fault, usize)>,
    /// Between client and server: one for each PATCH.
    pub network: Vec<Trouble>,
    /// Bytes after which the client itself hangs up, one for each PATCH.
    pub cuts: Vec<usize>,
    /// A second client sends the same file to the same upload for a while.
    pub rival: bool,
    /// The first PATCH is sent twice at once.
    pub twice: bool,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Scenario {
    /// A bad day out of a number, always the same one.
    pub fn random(seed: u64) -> Scenario {
        let mut dice = StdRng::seed_from_u64(seed);
        // Of one part, of two, of three.
        let length = *[3 * MIB + 1, 9 * MIB + 77, 8 * MIB, 16 * MIB + 200_013].choose(&mut dice).expect("some");
        let any = |dice: &mut StdRng, most: usize| dice.random_range(0..=most);
        let mut calls = CALLS.to_vec();
        calls.push(Call::PutSingle);
        let n = any(&mut dice, 4);
        let store = (0..n).map(|_| {
            let fault = *FAULTS.choose(&mut dice).expect("some");
            let most = if fault == Fault::Stall { 2 } else { 10 };
            (*calls.choose(&mut dice).expect("some"), fault, dice.random_range(1..=most))
        });
        let store = store.collect();
        let n = any(&mut dice, 3);
        let network = (0..n).map(|_| {
            let (after, rate) = (dice.random_range(10..length), dice.random_range(2 * MIB..12 * MIB));
            match dice.random_range(0..7) {
                0 | 1 => Trouble::Reset { after },
                2 => Trouble::Fin { after },
                3 => Trouble::Stall { after },
                4 => Trouble::HalfOpen { after },
                5 => Trouble::SlowReset { rate, every: Duration::from_millis(dice.random_range(200..3000)) },
                _ => Trouble::Captive { rate },
            }
        });
        let network = network.collect();
        let n = any(&mut dice, 3);
        let cuts = (0..n).map(|_| dice.random_range(1..length)).collect();
        let (rival, twice) = (dice.random_ratio(1, 6), dice.random_ratio(1, 6));
        Scenario { seed, length, store, network, cuts, rival, twice }
    }
}

/// Runs it to its end and judges it at once. Answers how many faults did happen, and what is wrong.
pub async fn run(site: &Site, person: &Person, scenario: &Scenario) -> (usize, Vec<Finding>) {
    let film = film(scenario.length, scenario.seed);
    let created = site.create(person, scenario.length).await;
    for (call, fault, times) in &scenario.store {
        site.proxy.spoil(&created.ids(), *call, *fault, *times);
    }
    let mut sender = site.sender(person, &created, &film).cut(scenario.cuts.clone());
    let mut proxy = None;
    if !scenario.network.is_empty() {
        let network = TcpProxy::start(site.address).await;
        network.plan(scenario.network.clone());
        sender = sender.through(network.address());
        proxy = Some(network);
    }
    if scenario.twice {
        sender.patch_twice().await;
    }
    let ended = if scenario.rival {
        let rival = sender.clone();
        let (ended, _) = tokio::join!(sender.send(), rival.send_for(Duration::from_secs(3)));
        ended
    } else {
        sender.send().await
    };
    let mut found = site.judge(&created, &sender, &ended).await;
    if !found.is_empty() {
        let story = format!("{scenario}\n{}\n{created:?}", sender.ledger.story());
        found.iter_mut().for_each(|finding| finding.text = format!("{}\n{story}", finding.text));
    }
    let faults = site.proxy.injected(&created.ids()) + proxy.map_or(0, |proxy| proxy.injected()) + scenario.cuts.len();
    (faults, found)
}
