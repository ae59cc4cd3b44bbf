//! A bound on how often one address may ask, so that numbers cannot be tried one after the other.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use weijia_core::time::{At, Millis};

/// Loose: a hall of people behind one address checks its new certificates at once.
const ASKS: u32 = 120;
const WINDOW: Millis = Millis::minutes(1);

#[derive(Default)]
pub struct PerAddress(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// When this minute began; with the next one everybody starts anew, so the table never grows old.
    began: Option<At>,
    asks: HashMap<Option<IpAddr>, u32>,
}

impl PerAddress {
    pub fn allows(&self, address: Option<IpAddr>, now: At) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if counts.began.is_none_or(|began| now - began >= WINDOW) {
            counts.began = Some(now);
            counts.asks.clear();
        }
        let asks = counts.asks.entry(address).or_default();
        *asks = asks.saturating_add(1);
        *asks <= ASKS
    }
}
