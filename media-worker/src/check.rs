//! `--check`: can this machine do the work, and does the jail hold? One JSON object for `weijia doctor`.

use std::path::Path;

use ffmpeg_next as ff;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::ffi;
use crate::protocol::{Event, Published, Task};
use crate::supervise::Supervisor;

/// `{"ffmpeg": {"encoder libx264": true, ...}, "jail": {"connect": true, ...}}`: in the jail's part, true is refused.
pub async fn report(supervisor: &Supervisor, scratch: &Path) -> Value {
    json!({"ffmpeg": abilities(), "jail": jail(supervisor, scratch).await})
}

pub fn abilities() -> Map<String, Value> {
    ffi::init();
    let mut all = Map::new();
    for name in ["libx264", "aac", "mjpeg"] {
        all.insert(format!("encoder {name}"), ff::encoder::find_by_name(name).is_some().into());
    }
    use ff::codec::Id;
    let decoders = [
        ("h264", Id::H264),
        ("hevc", Id::HEVC),
        ("vp8", Id::VP8),
        ("vp9", Id::VP9),
        ("av1", Id::AV1),
        ("aac", Id::AAC),
        ("opus", Id::OPUS),
    ];
    for (name, id) in decoders {
        all.insert(format!("decoder {name}"), ffi::reader(id).is_some().into());
    }
    for name in [
        "scale",
        "transpose",
        "hflip",
        "setsar",
        "setparams",
        "settb",
        "bwdif",
        "pad",
        "split",
        "format",
        "zscale",
        "tonemap",
        "aresample",
        "pan",
        "asetpts",
        "aformat",
    ] {
        all.insert(format!("filter {name}"), ff::filter::find(name).is_some().into());
    }
    all
}

async fn jail(supervisor: &Supervisor, scratch: &Path) -> Map<String, Value> {
    let mut held = Map::new();
    let probed = supervisor
        .run(scratch, Task::ProbeJail, Published::default(), &CancellationToken::new(), async |event| {
            if let Event::Jail { refused, allowed } = event {
                held.extend(refused.into_iter().map(|name| (name, true.into())));
                held.extend(allowed.into_iter().map(|name| (name, false.into())));
            }
            Ok::<_, std::convert::Infallible>(())
        })
        .await;
    if let Err(error) = probed {
        held.insert(error.to_string(), false.into());
    }
    held
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_ffmpeg_can_do_the_work() {
        let missing: Vec<_> = super::abilities().into_iter().filter(|(_, there)| there != true).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
