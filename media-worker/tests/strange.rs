//! Films that are not as their makers' peers make them.

mod kit;

use kit::{decoded, film, prepare, remade, streams};

const PICTURE: &str = "testsrc2=size=320x240:rate=30";
const QUICK: [&str; 4] = ["-c:v", "libx264", "-preset", "ultrafast"];

#[test]
fn a_codec_that_is_not_on_the_list_is_never_decoded() {
    let cinepak = film(PICTURE, None, 1, &["-c:v", "cinepak", "-pix_fmt", "rgb24", "-f", "mov"]);
    assert_eq!(prepare(&cinepak).refusal(), Some("unreadable_codec"));
    let with_sound = film(PICTURE, Some("sine"), 1, &[&QUICK[..], &["-c:a", "adpcm_ima_wav", "-f", "mov"]].concat());
    let made = prepare(&with_sound);
    assert_eq!((made.refusal(), streams(&made.rendition("240")).len()), (None, 1));
}

#[test]
fn light_that_is_named_only_by_its_transfer_is_brought_down() {
    for transfer in ["arib-std-b67", "smpte2084"] {
        let plain = film(
            PICTURE,
            None,
            1,
            &["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none"],
        );
        let number = if transfer == "smpte2084" { "16" } else { "18" };
        let filter =
            format!("hevc_metadata=transfer_characteristics={number}:colour_primaries=2:matrix_coefficients=2");
        for name in ["named.mp4", "named.mkv"] {
            let source = remade(&plain, name, &["-c", "copy", "-bsf:v", &filter]);
            let made = prepare(&source);
            assert_eq!(made.refusal(), None, "{transfer}");
            assert_eq!(made.facts()["detail"]["video"]["hdr"], true, "{transfer}");
            let track = &streams(&made.rendition("240"))[0];
            assert_eq!((track.pixels.as_str(), track.transfer.as_str()), ("yuv420p", "bt709"));
        }
    }
}

#[test]
fn a_film_beside_dozens_of_tracks_is_found() {
    let source = film(PICTURE, Some("sine"), 1, &[&QUICK[..], &["-c:a", "aac"]].concat());
    let mut tracks = vec!["-map", "0:v"];
    tracks.extend(["-map", "0:a"].repeat(60));
    tracks.extend(["-c", "copy"]);
    let made = prepare(&remade(&source, "tracks.mp4", &tracks));
    assert_eq!((made.refusal(), decoded(&made.rendition("240"))), (None, 30));
}

#[test]
fn a_film_that_cannot_be_read_to_its_end_is_not_copied_in_part() {
    let source = film(PICTURE, Some("sine"), 6, &[&QUICK[..], &["-g", "15", "-c:a", "aac"]].concat());
    let mut bytes = std::fs::read(&source).unwrap();
    // In the table of the first track, one place in the middle leads behind the end of the file.
    let stco = bytes.windows(4).position(|w| w == b"stco").expect("a table of places");
    let n = u32::from_be_bytes(bytes[stco + 8..stco + 12].try_into().unwrap()) as usize;
    let middle = stco + 12 + n / 2 * 4;
    bytes[middle..middle + 4].copy_from_slice(&0x7fff_0000_u32.to_be_bytes());
    std::fs::write(&source, bytes).unwrap();
    let made = prepare(&source);
    assert_eq!(made.refusal(), None);
    // What there is comes from the pictures that were decoded, and it is said how far they go.
    assert!(made.said.contains("not copied"), "{}", made.said);
    assert_eq!(made.facts()["detail"]["cut"], true);
    assert_eq!(decoded(&made.path("video.mp4")), decoded(&made.rendition("240")));
}

#[test]
fn times_at_the_end_of_all_numbers_break_nothing() {
    let source = film(
        PICTURE,
        Some("sine"),
        2,
        &["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-f", "webm", "-cluster_time_limit", "500"],
    );
    let whole = std::fs::read(&source).unwrap();
    // The time of every cluster in turn becomes the largest there is.
    let mut from = 0;
    while let Some(at) = whole[from..].windows(2).position(|w| w == [0xe7, 0x81] || w == [0xe7, 0x82]).map(|n| n + from)
    {
        let mut bent = whole.clone();
        let len = usize::from(bent[at + 1] & 0x7f);
        bent[at + 2..at + 2 + len].fill(0xff);
        std::fs::write(&source, bent).unwrap();
        let made = prepare(&source);
        assert_eq!(made.order().last().unwrap(), "done");
        from = at + 2;
    }
}
