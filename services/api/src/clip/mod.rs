//! A trainee's clips, and one clip for all who may see it.

mod attach_caption;
mod compare_versions;
mod get_clip;
mod list_clips;
mod remove_caption;
mod rename_clip;
mod retract_clip;
mod submit_clip;
#[cfg(test)]
mod tests;
pub mod view;
mod withdraw_clip;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weijia_core::access::{Permission, Principal, Resource, require};
use weijia_core::clip::{Clip, ClipState, sql};
use weijia_core::db::Tx;
use weijia_core::error::{Error, Result};
use weijia_core::ids::ClipId;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_clips::list_clips))
        .routes(routes!(get_clip::get_clip, rename_clip::rename_clip, withdraw_clip::withdraw_clip))
        .routes(routes!(submit_clip::submit_clip))
        .routes(routes!(retract_clip::retract_clip))
        .routes(routes!(compare_versions::compare_versions))
        .routes(routes!(attach_caption::attach_caption, remove_caption::remove_caption))
}

/// What a clip is, as far as access is concerned.
pub fn resource(clip: &Clip) -> Resource<'_> {
    Resource { owner: Some(&clip.owner_id), cohort: clip.cohort_id.as_ref(), region_path: Some(&clip.region_path) }
}

/// The clip, if she may do that with it. What was taken back is there for nobody but its owner.
pub async fn clip_for(tx: &mut Tx, principal: &Principal, permission: Permission, id: &ClipId) -> Result<Clip> {
    let clip = sql::get(tx, id).await?;
    require(principal, permission, &resource(&clip))?;
    if clip.state == ClipState::Withdrawn && clip.owner_id != principal.user {
        return Err(Error::NotFound);
    }
    Ok(clip)
}
