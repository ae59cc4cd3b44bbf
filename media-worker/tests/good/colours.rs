//! What the numbers of a picture mean.

use std::path::{Path, PathBuf};

use crate::film::PICTURE;
use crate::kit::{golden, prepare};
use crate::{Film, all_play};

fn avc(name: &'static str, colours: &str) -> Film {
    Film::new(name, "mp4", &format!("-c:v libx264 -c:a aac {colours}"))
}

#[test]
fn colours_are_shown_as_they_are_meant() {
    let as_601 = "scale=out_color_matrix=smpte170m:out_range=tv";
    let as_709 = "scale=out_color_matrix=bt709:out_range=tv";
    let as_full = "scale=out_color_matrix=bt709:out_range=pc";
    let of = |filters: &str| format!("{},{filters},format=yuv420p", PICTURE);
    let bt601 = "-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m -color_range tv";
    let pal = "-colorspace bt470bg -color_primaries bt470bg -color_trc gamma28 -color_range tv";
    let bt709 = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv";
    let full = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range pc";
    all_play([
        avc("BT.601", bt601).picture(&of(as_601), (320, 240)),
        avc("BT.601 of PAL", pal).picture(&of(as_601), (320, 240)),
        avc("BT.709", bt709).picture(&of(as_709), (320, 240)),
        avc("full range", full).picture(&of(as_full), (320, 240)),
        avc("nothing is said", "").picture(&of(as_601), (320, 240)),
        Film::new("JPEG's", "mov", "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p -c:a pcm_s16le"),
        Film::new("full range of 10 bits", "mp4", &format!("-c:v libx265 -tag:v hvc1 -x265-params log-level=error:range=full:colormatrix=bt709:colorprim=bt709:transfer=bt709 -pix_fmt yuv420p10le {full}"))
            .picture(&format!("{},{as_full}", PICTURE), (320, 240)),
        avc("BT.709 that is not said", "")
            .picture(&format!("testsrc2=size=1280x720:rate=30,{as_709},format=yuv420p"), (1280, 720))
            .reference("null"),
        avc("BT.709 in 4:4:4", &format!("{bt709} -pix_fmt yuv444p"))
            .picture(&format!("{},{as_709},format=yuv444p", PICTURE), (320, 240)),
    ]);
}

/// Light is brought down as ffmpeg's own filters do it. Another curve is allowed, another picture is not: against that
/// of another film maker, and against the screen's colours that it was before.
#[test]
fn high_dynamic_range_looks_as_a_reference_tone_map_makes_it() {
    let hable = "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,\
                 zscale=t=bt709:m=bt709:r=tv,format=yuv420p";
    for (name, transfer) in [("HLG", "arib-std-b67"), ("PQ", "smpte2084")] {
        // The colours of a screen, as light of at most 203 nits, the white of paper.
        let picture = format!(
            "{PICTURE},format=gbrp,setparams=color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=pc,\
             zscale=p=2020:t={transfer}:m=2020_ncl:r=tv:npl=203,format=yuv420p10le"
        );
        let codec = format!(
            "-c:v libx265 -tag:v hvc1 -pix_fmt yuv420p10le -x265-params \
             log-level=error:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc \
             -color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc -color_range tv -c:a aac"
        );
        let film = Film::new(name, "mp4", &codec).picture(&picture, (320, 240)).reference(hable).like(0.85, 64);
        film.plays();
        let folder = tempfile::tempdir().expect("a folder");
        let made = prepare(&film.make(folder.path()));
        let (is, was) = (golden::mean(&made.path("video.mp4")), golden::mean(&film_of_screen(folder.path())));
        assert!(is.iter().zip(was).all(|(is, was)| (is - was).abs() < 24.0), "{name}: {is:?} of {was:?}");
    }
}

fn film_of_screen(folder: &Path) -> PathBuf {
    Film::new("a screen", "mkv", "-c:v libx264 -crf 1").make(folder)
}
