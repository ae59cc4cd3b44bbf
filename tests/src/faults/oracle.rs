//! What the client was told against what the system has.

use std::fmt;

use bytes::Bytes;

use super::{Ended, Ledger};
use crate::sha256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// The upload never came to its end, or the server gave it up.
    Lost,
    /// The object is not what was sent.
    Corrupt,
    /// Complete, it said, and there is no such object, or nobody knows of it.
    FalselyComplete,
    /// An acknowledged offset was taken back.
    WentBack,
    /// A second version, upload or job.
    Doubled,
    /// All there, and still not finished when everything works again.
    Stuck,
    /// Database and bucket tell different stories, as `weijia fsck --deep` sees it.
    Disagrees,
    /// Bytes in the store that nobody names and nobody sweeps.
    Orphan,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub wrong: Wrong,
    pub text: String,
}

impl Finding {
    pub fn new(wrong: Wrong, text: impl Into<String>) -> Finding {
        Finding { wrong, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.text)
    }
}

/// Judges one upload by what its client was told and the object that is there now.
pub fn judge(ledger: &Ledger, ended: &Ended, sent: &[u8], object: Option<&Bytes>) -> Vec<Finding> {
    let mut found = ledger.went_back();
    match (ended, object) {
        (Ended::Complete, None) => found.push(Finding::new(Wrong::FalselyComplete, "there is no object")),
        (Ended::Complete, Some(object)) if sha256(object) != sha256(sent) => {
            let at = object.iter().zip(sent).position(|(a, b)| a != b).unwrap_or(object.len().min(sent.len()));
            let text = format!("{} bytes kept, {} sent, the first difference at {at}", object.len(), sent.len());
            found.push(Finding::new(Wrong::Corrupt, text));
        }
        (Ended::Complete, Some(_)) => {}
        (Ended::Refused(status), _) => found.push(Finding::new(Wrong::Lost, format!("given up with {status}"))),
        (Ended::Never(why), _) => found.push(Finding::new(Wrong::Lost, why.clone())),
    }
    found
}

/// What a run amounts to.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub uploads: usize,
    /// How many of them met a fault.
    pub faulted: usize,
    pub faults: usize,
    pub findings: Vec<Finding>,
}

impl Tally {
    pub fn of(&self, wrong: Wrong) -> usize {
        self.findings.iter().filter(|finding| finding.wrong == wrong).count()
    }

    pub fn add(&mut self, faults: usize, findings: Vec<Finding>) {
        self.uploads += 1;
        self.faulted += usize::from(faults > 0);
        self.faults += faults;
        self.findings.extend(findings);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} uploads, {} of them faulted, {} faults injected", self.uploads, self.faulted, self.faults)?;
        for (wrong, name) in [
            (Wrong::Lost, "lost"),
            (Wrong::Corrupt, "corrupt"),
            (Wrong::FalselyComplete, "falsely complete"),
            (Wrong::WentBack, "offsets gone back"),
            (Wrong::Doubled, "doubled"),
            (Wrong::Stuck, "stuck"),
            (Wrong::Disagrees, "disagreements of database and bucket"),
            (Wrong::Orphan, "orphans"),
        ] {
            write!(f, ", {} {name}", self.of(wrong))?;
        }
        Ok(())
    }
}
