//! A person as she sees herself.

use serde::Serialize;
use weijia_core::access::{Principal, Role};
use weijia_core::account::{self, MyCohort};
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::ids::UserId;
use weijia_core::region::{self, RegionRef};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Me {
    pub id: UserId,
    pub name: String,
    pub phone_masked: String,
    /// The widest of her roles: which app she is taken to.
    pub role: Role,
    pub roles: Vec<Role>,
    pub region: RegionRef,
    pub cohorts: Vec<MyCohort>,
    /// Pieces of feedback she has not heard yet.
    pub unheard: i64,
}

pub async fn load(tx: &mut Tx, principal: &Principal) -> Result<Me> {
    Ok(Me {
        id: principal.user.clone(),
        name: principal.name.clone(),
        phone_masked: principal.phone_masked.clone(),
        role: principal.main_role(),
        roles: principal.roles(),
        region: region::reference(tx, &principal.home_region).await?,
        cohorts: account::cohorts_of(tx, &principal.user).await?,
        unheard: account::unheard(tx, &principal.user).await?,
    })
}
