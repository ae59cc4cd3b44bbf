//! What a decision was made from, frozen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::growth::{Figures, Platform};
use crate::ids::{AccountId, AwardId, ClipId, ItemId, ReviewId, SnapshotId, UserId};
use crate::time::Day;

/// Everything the rules may look at. A field added later needs a default that means what older inputs meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarInput {
    pub user: UserId,
    pub as_of_on: Day,
    pub accounts: Vec<AccountInput>,
    /// The passing reviews of her passed clips.
    pub reviews: Vec<ReviewInput>,
    pub rehearsals: Vec<RehearsalInput>,
    /// Nobody keeps this register yet, so it is missing for everybody.
    pub mentees_graduated: Option<i64>,
    pub mentees_starred: Option<i64>,
    pub stars: Vec<StarHeld>,
    /// What a mentor called a must and has not yet seen done.
    pub musts: Vec<OpenMust>,
    pub corrections: Vec<Correction>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInput {
    pub id: AccountId,
    pub platform: Platform,
    pub handle: String,
    pub opened_on: Day,
    pub snapshots: Vec<SnapshotInput>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotInput {
    pub id: SnapshotId,
    pub as_of_on: Day,
    pub window_days: i64,
    pub figures: Figures,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewInput {
    pub id: ReviewId,
    pub clip: ClipId,
    pub sent_on: Day,
    /// Level by dimension; what was left out as not applicable is absent.
    pub scores: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalInput {
    pub clip: ClipId,
    pub assignment: String,
    pub passed_on: Day,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarHeld {
    pub award: AwardId,
    pub level: i64,
    pub valid_from: Day,
    pub valid_to: Day,
    pub superseded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenMust {
    pub item: ItemId,
    pub sent_on: Day,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    pub snapshot: SnapshotId,
    pub corrected_on: Day,
}

/// An input that can be kept: one text for one content, whatever order the rows came in, and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    pub input: StarInput,
    pub json: String,
    pub sha256: String,
}

impl StarInput {
    pub fn freeze(mut self) -> Result<Frozen> {
        self.accounts.sort_by(|a, b| a.id.cmp(&b.id));
        for account in &mut self.accounts {
            account.snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        }
        self.reviews.sort_by(|a, b| a.id.cmp(&b.id));
        self.rehearsals.sort_by(|a, b| a.clip.cmp(&b.clip));
        self.stars.sort_by(|a, b| a.award.cmp(&b.award));
        self.musts.sort_by(|a, b| a.item.cmp(&b.item));
        self.corrections.sort_by(|a, b| a.snapshot.cmp(&b.snapshot));
        // Fields come in the order they are declared in, numbers are integers, and there are no blanks.
        let json = serde_json::to_string(&self).map_err(|e| Error::Damaged(format!("star input: {e}")))?;
        let sha256 = hex::encode(Sha256::digest(&json));
        Ok(Frozen { input: self, json, sha256 })
    }
}

impl Frozen {
    /// Takes a stored input back, or says that it is not what was stored.
    pub fn thaw(json: &str, sha256: &str) -> Result<Frozen> {
        if hex::encode(Sha256::digest(json)) != sha256 {
            return Err(Error::Damaged("a star input does not match its hash".into()));
        }
        let input = serde_json::from_str(json).map_err(|e| Error::Damaged(format!("star input: {e}")))?;
        Ok(Frozen { input, json: json.to_owned(), sha256: sha256.to_owned() })
    }
}
