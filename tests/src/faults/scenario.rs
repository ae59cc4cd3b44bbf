//! One upload and what befalls it.

use std::fmt;

use super::site::{Person, Site, film};
use super::{Call, Fault, Finding, TcpProxy, Trouble};

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
        let (ended, _) = tokio::join!(sender.send(), rival.send_for(std::time::Duration::from_secs(3)));
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
