//! Where a version's pictures and sound are found, for one person and for some hours.

use serde::Serialize;
use weijia_core::account::Keys;
use weijia_core::caption::{CaptionTrack, Language, Origin};
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
    /// How loud it is from beginning to end, as audiowaveform writes it in JSON (version 2, 8 bits).
    #[schema(required)]
    pub waveform: Option<String>,
    /// What she attached first, then what came in the film.
    pub captions: Vec<Caption>,
    pub duration_ms: i64,
    pub width: i64,
    pub height: i64,
    pub renditions: Vec<Rung>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Caption {
    pub origin: Origin,
    /// As BCP 47 writes it; `und` where nobody said.
    pub language: Language,
    #[schema(required)]
    pub title: Option<String>,
    /// WebVTT.
    pub url: String,
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
    pub fn media(&self, version: &Version, renditions: &[Rendition], captions: Vec<CaptionTrack>) -> Option<Media> {
        let (Some(width), Some(height)) = (version.width, version.height) else { return None };
        let if_there = |there: bool, file: &str| there.then(|| self.file(version, file));
        let rung = |r: &Rendition| Rung {
            name: r.name.clone(),
            width: r.width,
            height: r.height,
            bandwidth: r.bandwidth,
            complete: r.complete,
        };
        let caption = |track: CaptionTrack| Caption {
            url: self.file(version, &format!("{}.vtt", track.id)),
            origin: track.origin,
            language: track.language,
            title: track.title,
        };
        Some(Media {
            hls: if_there(!renditions.is_empty(), "master.m3u8"),
            mp4: if_there(version.mp4_key.is_some(), "video.mp4"),
            poster: self.poster(version),
            storyboard_vtt: if_there(version.storyboard_vtt_key.is_some(), "storyboard.vtt"),
            waveform: if_there(version.waveform_key.is_some(), "waveform.json"),
            captions: captions.into_iter().map(caption).collect(),
            duration_ms: version.duration_ms.unwrap_or_default(),
            width,
            height,
            renditions: renditions.iter().map(rung).collect(),
        })
    }
}
