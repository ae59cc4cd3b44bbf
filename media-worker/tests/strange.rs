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

#[test]
fn pictures_of_two_moments_are_made_whole() {
    let woven = ["-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ilme+ildct"];
    let wave = "color=black:size=320x240:rate=50,format=yuv420p,geq=lum='128+100*sin((X+6*N)/9)':cb=128:cr=128";
    let source = film(&format!("{wave},interlace=lowpass=0"), None, 3, &woven);
    let made = prepare(&source);
    for path in [made.rendition("240"), made.path("video.mp4")] {
        assert_eq!(decoded(&path), 75);
        let (combed, whole) = kit::combed(&path);
        assert!(combed * 10 < whole, "{combed} of {whole}");
    }
    let (combed, whole) = kit::combed(&source);
    assert!(combed > whole, "the source is what it should be: {combed} of {whole}");
}

#[test]
fn colours_that_only_dolby_reads_are_refused() {
    let hevc = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-tag:v", "hvc1"];
    for (profile, refusal) in [(5_u8, Some("unreadable_codec")), (8, None)] {
        let source = film(PICTURE, None, 1, &hevc);
        let mut bytes = std::fs::read(&source).unwrap();
        let place = |bytes: &[u8], kind: &[u8]| bytes.windows(4).position(|w| w == kind).expect("a box");
        let mut record = [0; 32];
        record[3] = 32;
        record[4..8].copy_from_slice(b"dvcC");
        record[8..13].copy_from_slice(&[1, 0, profile << 1, 0x25, 0x10]);
        let at = place(&bytes, b"hvcC") - 4;
        bytes.splice(at..at, record);
        for kind in [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"] {
            // The brand of the file may be named like its pictures.
            let from = place(&bytes, b"moov");
            let at = from + place(&bytes[from..], kind) - 4;
            let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) + 32;
            bytes[at..at + 4].copy_from_slice(&size.to_be_bytes());
        }
        std::fs::write(&source, bytes).unwrap();
        assert_eq!(prepare(&source).refusal(), refusal, "profile {profile}");
    }
}
