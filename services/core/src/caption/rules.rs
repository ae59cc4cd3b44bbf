//! Whether captions may be attached to a version. Pure.

use crate::clip::{Clip, ClipState, Version};
use crate::error::Refusal;

/// How long the version is that they are attached to, or why that cannot be now.
pub fn length_ms(clip: &Clip, version: &Version) -> Result<i64, Refusal> {
    if clip.state == ClipState::Withdrawn {
        return Err(Refusal::new("clip_withdrawn", "这条已经收回了。", "重新传一条，再加字幕。"));
    }
    let length = version.duration_ms.filter(|_| version.playable());
    length.ok_or_else(|| Refusal::new("not_playable", "还在处理，一会儿就好。", "等它能看了，再加字幕。"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::MediaState;
    use crate::ids::{ClipId, UserId, VersionId};
    use crate::time::At;

    #[test]
    fn captions_go_with_what_plays() {
        let id = ClipId::new();
        let clip = |state| Clip {
            id: id.clone(),
            owner_id: UserId::new(),
            cohort_id: None,
            assignment_code: None,
            title: "晒秋".into(),
            state,
            region_code: "43".into(),
            region_path: "43/".into(),
            created_at: At(1),
            updated_at: At(1),
        };
        let version = |playable_at, duration_ms| Version {
            id: VersionId::new(),
            clip_id: id.clone(),
            n: 1,
            state: MediaState::Processing,
            filename: String::new(),
            content_type: String::new(),
            bytes: 1,
            sha256: None,
            original_key: None,
            original_gone: None,
            reason_code: None,
            facts: None,
            width: None,
            height: None,
            duration_ms,
            poster_key: None,
            mp4_key: None,
            storyboard_key: None,
            storyboard_vtt_key: None,
            waveform_key: None,
            playable_at,
            created_at: At(1),
            received_at: None,
            ready_at: None,
        };
        let plays = version(Some(At(2)), Some(9_000));
        for state in ClipState::ALL {
            let code = length_ms(&clip(state), &plays).map_err(|refusal| refusal.code);
            assert_eq!(
                code,
                if state == ClipState::Withdrawn { Err("clip_withdrawn") } else { Ok(9_000) },
                "{state:?}"
            );
        }
        for waits in [version(None, Some(9_000)), version(Some(At(2)), None)] {
            assert_eq!(length_ms(&clip(ClipState::Draft), &waits).unwrap_err().code, "not_playable");
        }
    }
}
