//! HLS playlists, rendered from rows: what is not committed is not in them. Pure.

use std::fmt::Write as _;

use weijia_core::clip::{Rendition, Segment};

/// A segment that a passed-through source cuts at its own keyframes is at most this long, and a growing playlist must
/// not change its target.
const TARGET_SECONDS: i64 = 4;

/// The rungs, the cheapest first: a player on a weak line begins there and climbs. One that still grows is named only as
/// long as none is whole: beside a film with an end, players would take it for a broadcast.
pub fn master(renditions: &[Rendition]) -> String {
    let any_whole = renditions.iter().any(|r| r.complete);
    let mut rungs: Vec<&Rendition> = renditions.iter().filter(|r| r.complete || !any_whole).collect();
    rungs.sort_by_key(|r| r.bandwidth);
    let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
    for r in rungs {
        let Rendition { bandwidth, width, height, codecs, name, .. } = r;
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={width}x{height},CODECS=\"{codecs}\"\n{name}/index.m3u8\n"
        );
    }
    text
}

/// One rung. While it grows it is an EVENT that players ask for again, and begin at its beginning and not at its live
/// edge (RFC 8216, 4.3.5.2); whole, it is a VOD with an end. Names carry the
/// attempt that made them, so that what a browser keeps never mixes with what a later attempt made.
pub fn media(rendition: &Rendition, segments: &[Segment]) -> String {
    let longest = segments.iter().map(|s| (s.duration_ms + 500) / 1000).max().unwrap_or(0);
    let kind = if rendition.complete { "VOD" } else { "EVENT" };
    let attempt = rendition.attempt;
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-PLAYLIST-TYPE:{kind}\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4?a={attempt}\"\n",
        longest.max(TARGET_SECONDS),
        segments.first().map_or(0, |s| s.n),
    );
    if !rendition.complete {
        text.push_str("#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n");
    }
    for Segment { n, duration_ms, .. } in segments {
        let _ = write!(text, "#EXTINF:{}.{:03},\n{n}.m4s?a={attempt}\n", duration_ms / 1000, duration_ms % 1000);
    }
    if rendition.complete {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use weijia_core::ids::{RenditionId, VersionId};

    fn rung(name: &str, bandwidth: i64, complete: bool) -> Rendition {
        Rendition {
            id: RenditionId::new(),
            version_id: VersionId::new(),
            attempt: 2,
            name: name.into(),
            width: 480,
            height: 854,
            bandwidth,
            codecs: "avc1.64001f,mp4a.40.2".into(),
            init_key: "k".into(),
            init_bytes: 1,
            complete,
        }
    }

    fn segment(n: i64, duration_ms: i64) -> Segment {
        Segment { n, duration_ms, bytes: 1, key: "k".into() }
    }

    #[test]
    fn the_master_begins_with_the_cheapest_rung() {
        let text = master(&[rung("480", 1_100_000, true), rung("360", 550_000, true), rung("720", 9, false)]);
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-STREAM-INF:BANDWIDTH=550000,RESOLUTION=480x854,CODECS=\"avc1.64001f,mp4a.40.2\"\n360/index.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1100000,RESOLUTION=480x854,CODECS=\"avc1.64001f,mp4a.40.2\"\n480/index.m3u8\n"
        );
    }

    #[test]
    fn what_grows_is_named_while_nothing_is_whole() {
        assert!(master(&[rung("480", 1, false)]).ends_with("\n480/index.m3u8\n"));
    }

    #[test]
    fn a_growing_rung_has_no_end() {
        let text = media(&rung("480", 1, false), &[segment(0, 2000), segment(1, 2033)]);
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4?a=2\"\n#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n\
             #EXTINF:2.000,\n0.m4s?a=2\n#EXTINF:2.033,\n1.m4s?a=2\n"
        );
    }

    #[test]
    fn a_whole_rung_ends_and_no_segment_is_longer_than_its_target() {
        let text = media(&rung("480", 1, true), &[segment(0, 6500), segment(1, 40)]);
        assert!(text.contains("#EXT-X-TARGETDURATION:7\n") && text.contains("PLAYLIST-TYPE:VOD"));
        assert!(text.ends_with("#EXTINF:0.040,\n1.m4s?a=2\n#EXT-X-ENDLIST\n"));
    }
}
