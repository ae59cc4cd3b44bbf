//! Accounts and snapshots as they are answered.

use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::growth::{self, Figures, Platform};
use weijia_core::ids::{AccountId, SnapshotId};
use weijia_core::time::{At, Day};

use crate::BASE;

#[derive(Serialize, ToSchema)]
pub struct Account {
    id: AccountId,
    platform: Platform,
    handle: String,
    opened_on: Day,
    /// The newest reading first; those that a correction took the place of stay.
    snapshots: Vec<Snapshot>,
}

#[derive(Serialize, ToSchema)]
pub struct Snapshot {
    id: SnapshotId,
    as_of_on: Day,
    window_days: i64,
    #[serde(flatten)]
    figures: Figures,
    /// Where the screenshot is, for those who may see her numbers.
    evidence: String,
    /// Who read and typed it.
    entered_by: String,
    created_at: At,
    superseded: bool,
}

impl From<growth::Account> for Account {
    fn from(a: growth::Account) -> Self {
        let snapshots = a.snapshots.into_iter().map(Snapshot::from).collect();
        Self { id: a.id, platform: a.platform, handle: a.handle, opened_on: a.opened_on, snapshots }
    }
}

impl From<growth::Snapshot> for Snapshot {
    fn from(s: growth::Snapshot) -> Self {
        Self {
            evidence: format!("{BASE}/snapshots/{}/evidence", s.id),
            id: s.id,
            as_of_on: s.as_of_on,
            window_days: s.window_days,
            figures: s.figures,
            entered_by: s.entered_by,
            created_at: s.created_at,
            superseded: s.superseded_by.is_some(),
        }
    }
}
