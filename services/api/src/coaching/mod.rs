//! When the hints on how to film speak: the table of a region, and changing its numbers.

mod change_rule;
mod list_rules;
mod reset_rule;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weijia_core::access::{self, Permission, Principal, Resource};
use weijia_core::coaching::{self, Condition, Measure};
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::region;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_rules::list_rules))
        .routes(routes!(change_rule::change_rule, reset_rule::reset_rule))
}

/// The region whose clips it is about.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct About {
    /// Its code, of 2, 4, 6 or more digits.
    region: String,
}

/// One thing that a second is looked at for; units as in the names.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CoachingCondition {
    /// light, middle: luma, 16 to 235; backlight: a difference of luma; sharp: fine detail in thousandths of the coarse;
    /// shake: ten thousandths of the picture's longer side; change: hundredths of a step of luma; level: dB of full scale;
    /// clipped: of 10,000 samples; low: percent of the power below 120 Hz; sideways: 1 for wider than high.
    #[schema(value_type = String)]
    measure: Measure,
    #[schema(required)]
    above: Option<i16>,
    #[schema(required)]
    below: Option<i16>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CoachingRule {
    pub code: String,
    pub title: String,
    /// What she reads; `{at}` becomes the place.
    pub say: String,
    pub muted: bool,
    /// How long all conditions have to hold.
    pub seconds: i64,
    pub when: Vec<CoachingCondition>,
    /// The region has set it itself; otherwise it is as the region above has it.
    pub changed: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CoachingRules {
    pub rules: Vec<CoachingRule>,
}

fn shown(conditions: &[Condition]) -> Vec<CoachingCondition> {
    conditions.iter().map(|c| CoachingCondition { measure: c.measure, above: c.above, below: c.below }).collect()
}

/// The path of a region of hers.
async fn hers(tx: &mut Tx, principal: &Principal, about: &About) -> Result<String> {
    let place = region::get(tx, &about.region).await?;
    let there = Resource { region_path: Some(&place.path), ..Resource::default() };
    access::require(principal, Permission::CoachingManage, &there)?;
    Ok(place.path)
}

async fn view(tx: &mut Tx, region_path: &str) -> Result<CoachingRules> {
    let own = coaching::own(tx, region_path).await?;
    let rules = coaching::of_region(tx, region_path).await?.rules.into_iter();
    let rules = rules.map(|rule| CoachingRule {
        changed: own.contains(&rule.code),
        seconds: rule.seconds as i64,
        when: shown(&rule.when),
        code: rule.code,
        title: rule.title,
        say: rule.say,
        muted: rule.muted,
    });
    Ok(CoachingRules { rules: rules.collect() })
}
