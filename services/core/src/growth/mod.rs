//! The accounts she keeps on the platforms, and what staff read there, with a screenshot as evidence.
//!
//! A figure that was not read is missing, which is not zero. Nothing is overwritten: whoever reads the same day and
//! window again supersedes the earlier reading, and both stay.

mod rules;
mod sql;
#[cfg(test)]
mod tests;

pub use rules::{NewAccount, NewSnapshot, check_account, check_snapshot, is_correction};
pub use sql::{Evidence, Recorded, accounts_of, add_account, evidence, owner_of, record};

use crate::ids::{AccountId, SnapshotId, UserId};
use crate::time::{At, Day};

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    sqlx::Type,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    Douyin,
    Kuaishou,
    WechatChannels,
    Xiaohongshu,
    WechatMp,
    Weibo,
}

impl Platform {
    pub fn title(self) -> &'static str {
        match self {
            Platform::Douyin => "抖音",
            Platform::Kuaishou => "快手",
            Platform::WechatChannels => "视频号",
            Platform::Xiaohongshu => "小红书",
            Platform::WechatMp => "公众号",
            Platform::Weibo => "微博",
        }
    }
}

/// What can be read of an account. Each figure may be missing, which is not zero.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
pub struct Figures {
    #[schema(required)]
    pub followers: Option<i64>,
    #[schema(required)]
    pub views: Option<i64>,
    #[schema(required)]
    pub originals: Option<i64>,
    #[schema(required)]
    pub active_weeks: Option<i64>,
    #[schema(required)]
    pub lives: Option<i64>,
    #[schema(required)]
    pub service: Option<i64>,
    #[schema(required)]
    pub column_episodes: Option<i64>,
    #[schema(required)]
    pub adopted_upward: Option<i64>,
    #[schema(required)]
    pub impact_points: Option<i64>,
}

impl Figures {
    pub fn all(&self) -> [Option<i64>; 9] {
        [
            self.followers,
            self.views,
            self.originals,
            self.active_weeks,
            self.lives,
            self.service,
            self.column_episodes,
            self.adopted_upward,
            self.impact_points,
        ]
    }
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    pub id: AccountId,
    pub owner_id: UserId,
    pub platform: Platform,
    pub handle: String,
    #[sqlx(try_from = "String")]
    pub opened_on: Day,
    #[sqlx(skip)]
    pub snapshots: Vec<Snapshot>,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Snapshot {
    pub id: SnapshotId,
    pub account_id: AccountId,
    #[sqlx(try_from = "String")]
    pub as_of_on: Day,
    /// The figures but the followers are sums over so many days up to `as_of_on`.
    pub window_days: i64,
    #[sqlx(flatten)]
    pub figures: Figures,
    pub evidence_sha256: String,
    /// Who read and typed it.
    pub entered_by: String,
    pub superseded_by: Option<SnapshotId>,
    pub created_at: At,
}
