//! What the numbers of a picture mean.

use crate::film::PICTURE;
use crate::kit::{self, output, prepare};
use crate::{Film, all_play};

fn avc(name: &'static str, colours: &str) -> Film {
    Film::new(name, "mp4", &format!("-c:v libx264 -c:a aac {colours}"))
}

/// The colours of a screen, in numbers that mean more.
fn wide(name: &'static str, primaries: &str, matrix: &str) -> Film {
    let said = format!("-colorspace {matrix} -color_primaries {primaries} -color_trc bt709 -color_range tv");
    let picture = format!(
        "testsrc=size=640x480:rate=30,gblur=sigma=2,format=gbrp,\
         setparams=color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=pc,\
         zscale=p={primaries}:t=bt709:m={matrix}:r=tv,format=yuv420p"
    );
    let exactly = "zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv420p";
    avc(name, &format!("{said} -crf 12")).picture(&picture, (640, 480)).reference(exactly)
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
        wide("Display P3", "smpte432", "bt709"),
        wide("BT.2020 without HDR", "bt2020", "bt2020nc"),
        wide("P3 of the cinema", "smpte431", "smpte170m"),
        avc("BT.709 in 4:4:4", &format!("{bt709} -pix_fmt yuv444p"))
            .picture(&format!("{},{as_709},format=yuv444p", PICTURE), (320, 240)),
    ]);
}

/// What is no brighter than paper looks as it did on the screen, whatever becomes of the light above it. Fine patterns
/// are left out: of their colours, HDR itself keeps a quarter.
#[test]
fn high_dynamic_range_looks_as_it_did_before() {
    let exactly = "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,zscale=t=bt709:m=bt709:r=tv,format=yuv420p";
    for transfer in TRANSFERS {
        let picture = in_hdr("testsrc=size=640x480:rate=30,gblur=sigma=2", transfer);
        let film = Film::new(transfer, "mp4", &hdr_codec(transfer)).picture(&picture, (640, 480)).reference(exactly);
        film.like(0.96, 32).plays();
    }
}

/// Light above paper's white is brought down: as far as a film has any, none of it is lost in plain white.
#[test]
fn bright_light_is_brought_down_and_not_cut_off() {
    // From black on the left to four times the white of paper on the right.
    let light = "color=black:size=640x480:rate=30,format=gbrpf32le,geq=r='4*X/W':g='4*X/W':b='4*X/W'";
    for transfer in TRANSFERS {
        let picture = format!(
            "{light},setparams=color_primaries=bt2020:color_trc=linear:colorspace=gbr:range=pc,\
             zscale=p=2020:t={transfer}:m=2020_ncl:r=tv:npl=203,format=yuv420p10le"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let film = Film::new(transfer, "mp4", &hdr_codec(transfer)).picture(&picture, (640, 480)).make(folder.path());
        let made = prepare(&film);
        let path = made.path("video.mp4").to_string_lossy().into_owned();
        let line = ["-i", &path, "-frames:v", "1", "-vf", "crop=iw:2,format=gray", "-f", "rawvideo", "-"];
        let (line, at) = (output(&line), |light: usize| light * 160 - 8);
        let [paper, twice, most] = [1, 2, 4].map(|light| line[at(light)]);
        assert!(
            paper < 240 && paper + 8 < twice && twice + 2 < most && most < 255,
            "{transfer}: {paper} {twice} {most}"
        );
    }
}

/// Where colours are halved, and cannot be halved evenly.
#[test]
fn odd_sides_are_no_matter_whatever_the_colours() {
    let folder = tempfile::tempdir().expect("a folder");
    for (primaries, transfer, matrix) in
        [("smpte432", "bt709", "bt709"), ("bt2020", "smpte2084", "bt2020nc"), ("bt2020", "arib-std-b67", "bt2020nc")]
    {
        let path = folder.path().join(format!("{transfer}.webm"));
        let picture = format!(
            "testsrc2=size=321x241:rate=30,format=yuv420p,\
             setparams=color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}:range=tv"
        );
        let encoded = ["-t", "1", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M"];
        let told = ["-color_primaries", primaries, "-color_trc", transfer, "-colorspace", matrix];
        kit::ffmpeg(&[&["-f", "lavfi", "-i", &picture][..], &encoded, &told, &[&path.to_string_lossy()]].concat())
            .expect("a film");
        let made = kit::all(&path);
        assert_eq!((made.refusal(), kit::decoded(&made.path("video.mp4"))), (None, 30), "{primaries} {transfer}");
    }
}

const TRANSFERS: [&str; 2] = ["arib-std-b67", "smpte2084"];

/// The colours of a screen, as light of at most 203 nits, the white of paper.
fn in_hdr(picture: &str, transfer: &str) -> String {
    format!(
        "{picture},format=gbrp,setparams=color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=pc,\
         zscale=p=2020:t={transfer}:m=2020_ncl:r=tv:npl=203,format=yuv420p10le"
    )
}

fn hdr_codec(transfer: &str) -> String {
    format!(
        "-c:v libx265 -crf 12 -tag:v hvc1 -pix_fmt yuv420p10le -x265-params \
         log-level=error:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc \
         -color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc -color_range tv -c:a aac"
    )
}
