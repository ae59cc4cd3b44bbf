//! A star as it is answered.

use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::ids::AwardId;
use weijia_core::star::{AwardRow, rules};
use weijia_core::time::{At, Day};

#[derive(Serialize, ToSchema)]
pub struct Award {
    id: AwardId,
    level: i64,
    title: String,
    certificate_number: String,
    valid_from: Day,
    valid_to: Day,
    awarded_by: String,
    awarded_at: At,
}

impl From<AwardRow> for Award {
    fn from(row: AwardRow) -> Self {
        Self {
            id: row.id,
            level: row.level,
            title: rules::title_of(row.level),
            certificate_number: row.certificate_number,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            awarded_by: row.awarded_by,
            awarded_at: row.awarded_at,
        }
    }
}
