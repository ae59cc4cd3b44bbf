//! Every key of every object. Keys are built from our own ids and numbers, never from a name a person chose; what a
//! worker makes lies under the attempt that made it, so two attempts never write the same object.

use crate::ids::{CaptionId, ClipId, SnapshotId, UploadId, VersionId};

/// The file as she sent it. The epoch of the writer that began it keeps an older writer's late bytes out of it.
pub fn original(version: &VersionId, epoch: i64) -> String {
    format!("{}{epoch}", originals(version))
}

/// Where every file that was begun for a version lies.
pub fn originals(version: &VersionId) -> String {
    format!("originals/{version}/")
}

/// A stretch of a file that is to be joined with others.
pub fn partial(upload: &UploadId, epoch: i64) -> String {
    format!("partials/{upload}/{epoch}")
}

/// The bytes behind the last whole part of an unfinished upload. Never overwritten: each begins at
/// another byte, or is another writer's.
pub fn upload_tail(upload: &UploadId, epoch: i64, offset: i64) -> String {
    format!("{}{epoch}-{offset}", upload_tails(upload))
}

/// Where all tails of an upload lie, for the sweep.
pub fn upload_tails(upload: &UploadId) -> String {
    format!("tails/{upload}/")
}

/// What a clip is (name, owner, hashes), so that the bucket alone brings the videos back.
pub fn sidecar(clip: &ClipId, version: &VersionId) -> String {
    format!("sidecars/{clip}/{version}.json")
}

/// Where everything made from a version lies, whatever the attempt.
pub fn media(version: &VersionId) -> String {
    format!("media/{version}/")
}

/// Where everything lies that one attempt made.
pub fn attempt(version: &VersionId, attempt: i64) -> String {
    format!("{}{attempt}/", media(version))
}

fn made(version: &VersionId, n: i64, file: &str) -> String {
    format!("{}{file}", attempt(version, n))
}

pub fn rendition_init(version: &VersionId, attempt: i64, name: &str) -> String {
    made(version, attempt, &format!("{name}/init.mp4"))
}

pub fn rendition_segment(version: &VersionId, attempt: i64, name: &str, n: i64) -> String {
    made(version, attempt, &format!("{name}/{n:05}.m4s"))
}

pub fn poster(version: &VersionId, attempt: i64) -> String {
    made(version, attempt, "poster.jpg")
}

/// The whole film in one file; `ext` is the container's own ("mp4").
pub fn mp4(version: &VersionId, attempt: i64, ext: &str) -> String {
    made(version, attempt, &format!("video.{ext}"))
}

pub fn storyboard(version: &VersionId, attempt: i64) -> String {
    made(version, attempt, "storyboard.jpg")
}

pub fn storyboard_vtt(version: &VersionId, attempt: i64) -> String {
    made(version, attempt, "storyboard.vtt")
}

pub fn waveform(version: &VersionId, attempt: i64) -> String {
    made(version, attempt, "waveform.json")
}

/// A track of captions that came in the film.
pub fn embedded_caption(version: &VersionId, attempt: i64, n: usize) -> String {
    made(version, attempt, &format!("captions/{n}.vtt"))
}

/// Captions that she attached.
pub fn attached_caption(version: &VersionId, caption: &CaptionId) -> String {
    format!("{}{caption}.vtt", attached_captions(version))
}

/// Where everything lies that she attached to a version.
pub fn attached_captions(version: &VersionId) -> String {
    format!("captions/{version}/")
}

/// Names the bucket, so that a database knows its own again.
pub const STORE: &str = "store";

/// The screenshot behind an account's numbers.
pub fn evidence(snapshot: &SnapshotId) -> String {
    format!("evidence/{snapshot}")
}

/// Where our objects lie, in the order in which a store lists them.
pub const AREAS: [Area; 7] =
    [Area::Captions, Area::Evidence, Area::Media, Area::Originals, Area::Partials, Area::Sidecars, Area::Tails];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    Captions,
    Evidence,
    Media,
    Originals,
    Partials,
    Sidecars,
    Tails,
}

impl Area {
    pub const fn prefix(self) -> &'static str {
        match self {
            Area::Captions => "captions/",
            Area::Evidence => "evidence/",
            Area::Media => "media/",
            Area::Originals => "originals/",
            Area::Partials => "partials/",
            Area::Sidecars => "sidecars/",
            Area::Tails => "tails/",
        }
    }

    /// The area and the id of what an object belongs to: a version, an upload or a snapshot. None for what is not ours.
    pub fn of(key: &str) -> Option<(Area, &str)> {
        let area = AREAS.into_iter().find(|area| key.starts_with(area.prefix()))?;
        let rest = &key[area.prefix().len()..];
        let (first, behind) = rest.split_once('/').unwrap_or((rest, ""));
        match area {
            Area::Evidence => first.parse::<SnapshotId>().ok().map(|_| (area, first)),
            Area::Partials | Area::Tails => first.parse::<UploadId>().ok().map(|_| (area, first)),
            Area::Captions | Area::Media | Area::Originals => first.parse::<VersionId>().ok().map(|_| (area, first)),
            Area::Sidecars => {
                let version = behind.strip_suffix(".json")?;
                (first.parse::<ClipId>().is_ok() && version.parse::<VersionId>().is_ok()).then_some((area, version))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_whose_it_is() {
        let (clip, version, upload, snapshot) = (ClipId::new(), VersionId::new(), UploadId::new(), SnapshotId::new());
        for (key, area, owner) in [
            (original(&version, 3), Area::Originals, version.as_str()),
            (partial(&upload, 2), Area::Partials, upload.as_str()),
            (upload_tail(&upload, 1, 7), Area::Tails, upload.as_str()),
            (sidecar(&clip, &version), Area::Sidecars, version.as_str()),
            (rendition_segment(&version, 1, "480", 9), Area::Media, version.as_str()),
            (poster(&version, 2), Area::Media, version.as_str()),
            (attached_caption(&version, &CaptionId::new()), Area::Captions, version.as_str()),
            (evidence(&snapshot), Area::Evidence, snapshot.as_str()),
        ] {
            assert_eq!(Area::of(&key), Some((area, owner)), "{key}");
        }
        for foreign in [STORE, "", "originals/", "originals/x/1", "media/ver_x", "sidecars/a/b.json", "backup/x"] {
            assert_eq!(Area::of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn two_attempts_share_no_key() {
        let version = VersionId::new();
        let of = |attempt| {
            [
                rendition_init(&version, attempt, "480"),
                rendition_segment(&version, attempt, "480", 0),
                poster(&version, attempt),
                mp4(&version, attempt, "mp4"),
                storyboard(&version, attempt),
                storyboard_vtt(&version, attempt),
                waveform(&version, attempt),
                embedded_caption(&version, attempt, 0),
            ]
        };
        let (first, second) = (of(1), of(2));
        assert!(first.iter().all(|key| key.starts_with(&media(&version)) && !second.contains(key)));
    }

    #[test]
    fn segments_list_in_playing_order() {
        let version = VersionId::new();
        assert!(rendition_segment(&version, 1, "480", 9) < rendition_segment(&version, 1, "480", 10));
        assert!(upload_tail(&UploadId::new(), 3, 7).ends_with("/3-7"));
    }
}
