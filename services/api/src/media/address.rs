//! Where a version's pictures and sound are found, for one person and for some hours.

use serde::Serialize;
use weijia_core::account::Keys;
use weijia_core::clip::{Rendition, Version};
use weijia_core::ids::UserId;
use weijia_core::time::At;

use super::token;

/// What of a version can be played or shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Media {
    /// An HLS master playlist; grows while renditions are being made.
    #[schema(required)]
    pub hls: Option<String>,
    /// One file that plays from beginning to end.
    #[schema(required)]
    pub mp4: Option<String>,
    #[schema(required)]
    pub poster: Option<String>,
    #[schema(required)]
    pub storyboard_vtt: Option<String>,
    pub duration_ms: i64,
    pub width: i64,
    pub height: i64,
    pub renditions: Vec<Rung>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Rendition)]
pub struct Rung {
    /// Its short side: "480".
    pub name: String,
    pub width: i64,
    pub height: i64,
    pub bandwidth: i64,
    pub complete: bool,
}

/// Gives out addresses to one person.
pub struct Addresses<'a> {
    pub keys: &'a Keys,
    pub user: &'a UserId,
    pub now: At,
}

impl Addresses<'_> {
    fn file(&self, version: &Version, file: &str) -> String {
        let token = token::sign(self.keys, self.user, &version.id, self.now);
        format!("/media/{token}/{}/{file}", version.id)
    }

    pub fn poster(&self, version: &Version) -> Option<String> {
        version.poster_key.as_ref().map(|_| self.file(version, "poster.jpg"))
    }

    /// None until there is a picture to show.
    pub fn media(&self, version: &Version, renditions: &[Rendition]) -> Option<Media> {
        let (Some(width), Some(height)) = (version.width, version.height) else { return None };
        let if_there = |there: bool, file: &str| there.then(|| self.file(version, file));
        let rung = |r: &Rendition| Rung {
            name: r.name.clone(),
            width: r.width,
            height: r.height,
            bandwidth: r.bandwidth,
            complete: r.complete,
        };
        Some(Media {
            hls: if_there(!renditions.is_empty(), "master.m3u8"),
            mp4: if_there(version.mp4_key.is_some(), "video.mp4"),
            poster: self.poster(version),
            storyboard_vtt: if_there(version.storyboard_vtt_key.is_some(), "storyboard.vtt"),
            duration_ms: version.duration_ms.unwrap_or_default(),
            width,
            height,
            renditions: renditions.iter().map(rung).collect(),
        })
    }
}
