//! Sources whose own pictures are the top rendition.

mod kit;

use std::path::{Path, PathBuf};

use kit::{Made, decoded, film, moments, remade, run, streams};

const BEEP: &str = "aevalsrc='if(lt(mod(t,1),0.1),0.8*sin(2*PI*1000*t),0)':s=44100";

/// As an editing app exports it: upright, with pictures that lean on later ones, at so many bits.
fn export(picture: &str, seconds: u32, kbps: u32, more: &[&str]) -> PathBuf {
    let rate = format!("{kbps}k");
    let codec =
        ["-c:v", "libx264", "-preset", "superfast", "-bf", "2", "-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate];
    film(picture, Some(BEEP), seconds, &[&codec[..], &["-g", "60", "-c:a", "aac"], more].concat())
}

/// Noise, so that the bits are really taken.
fn noise(size: &str) -> String {
    format!("testsrc2=size={size}:rate=30,noise=alls=20:allf=t")
}

fn cuts(made: &Made, name: &str) -> Vec<i64> {
    made.of("segment").filter(|e| e["name"] == name).map(|e| e["duration_ms"].as_i64().unwrap()).collect()
}

/// A checksum of every picture.
fn pictures(path: &Path) -> Vec<String> {
    let path = path.to_string_lossy();
    let text = kit::output(&["-i", &path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let lines = String::from_utf8(text).unwrap();
    let sum = |line: &str| line.rsplit(',').next().unwrap_or_default().trim().to_owned();
    lines.lines().filter(|line| !line.starts_with('#')).map(sum).collect()
}

#[test]
fn the_sources_own_pictures_are_the_top_and_all_others_are_cut_where_they_are() {
    // Key frames at uneven places: an editing app sets them where the scene changes.
    let keys = ["-force_key_frames", "0,1.5,2.7,5.1,6,7.4", "-sc_threshold", "0", "-g", "600"];
    let source = export(&noise("720x1280"), 9, 2400, &keys);
    let top = run(&source, "prepare");
    assert_eq!(top.left(), Some("ladder"));
    assert_eq!(top.of("mp4").count(), 0, "its own pictures are stored once");
    assert_eq!(top.of("rendition").map(|e| e["name"].as_str().unwrap()).collect::<Vec<_>>(), ["720"]);
    assert_eq!(cuts(&top, "720")[..3], [2700, 2400, 2300]);
    let whole = top.rendition("720");
    assert_eq!(pictures(&whole), pictures(&source));

    let rest = run(&source, "ladder");
    assert_eq!(rest.left(), None, "nothing is left for another job");
    for made in [&top, &rest] {
        for name in made.of("rendition").map(|e| e["name"].as_str().unwrap()) {
            assert_eq!(cuts(made, name), cuts(&top, "720"), "{name}");
            let path = made.rendition(name);
            assert_eq!(decoded(&path), 270, "{name}");
            assert!(streams(&path).iter().all(|t| t.start.abs() <= 0.001), "{name}: {:?}", streams(&path));
            let sound = kit::sound(&path);
            for second in 1..8 {
                let from = second * 48_000 - 4_800;
                let beep = sound[from..].iter().position(|s| s.abs() > 0.2).expect("a beep") as f64 / 48_000.0 - 0.1;
                assert!(beep.abs() <= 0.04, "{name}: {beep} s late at {second}");
            }
            let (theirs, ours) = (moments(&source), moments(&path));
            assert!(theirs.iter().zip(&ours).all(|(a, b)| (a - b).abs() <= 0.001), "{name}");
        }
    }
    assert_eq!(rest.of("storyboard").count(), 1);
    assert!(rest.facts()["measures"].is_object());
    assert_eq!(streams(&rest.path("video.mp4"))[0].size, (480, 854));
    assert_eq!(decoded(&rest.path("video.mp4")), 270);
}

#[test]
fn what_may_not_pass_is_made_anew() {
    let quick = |more: &[&str]| export(&noise("720x1280"), 6, 2000, more);
    let good = quick(&[]);
    assert_eq!(run(&good, "prepare").of("mp4").count(), 0, "this one passes");
    let turned = remade(&good, "turned.mp4", &["-c", "copy", "-metadata:s:v:0", "rotate=90"]);
    let late = good.with_file_name("late.mp4");
    let text = good.to_string_lossy().into_owned();
    let shift = ["-itsoffset", "0.3", "-i", &text, "-i", &text, "-map", "0:v", "-map", "1:a", "-c", "copy"];
    kit::ffmpeg(&[&shift[..], &[&late.to_string_lossy()]].concat()).unwrap();
    let longer = ["-f", "lavfi", "-i", "sine=duration=8", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"];
    let longer = remade(&good, "longer.mp4", &longer);
    let stands = export("testsrc2=size=720x1280:rate=30,select='not(between(t,2,3.5))'", 6, 2000, &["-vsync", "vfr"]);
    for (why, source) in [
        ("it is turned", turned),
        ("its pictures begin later than its sound", late),
        ("its sound goes on alone", longer),
        ("a picture stands", stands),
        ("too many bits", export(&noise("720x1280"), 6, 4500, &[])),
        ("key frames too far apart", quick(&["-g", "600", "-sc_threshold", "0"])),
        (
            "groups that are open",
            quick(&["-x264-params", "open-gop=1:keyint=60:min-keyint=60:scenecut=0:bframes=2:b-adapt=0"]),
        ),
        ("sixty a second", export("testsrc2=size=720x1280:rate=60", 6, 2500, &[])),
        ("full range", quick(&["-pix_fmt", "yuvj420p"])),
        ("points that are not square", quick(&["-vf", "setsar=2/1"])),
        ("nothing smaller is made of it", export(&noise("360x640"), 6, 600, &[])),
    ] {
        let made = run(&source, "prepare");
        assert_eq!((made.refusal(), made.of("mp4").count()), (None, 1), "{why}");
        assert!(made.of("rendition").all(|rendition| rendition["name"] != "720"), "{why}");
    }
}

/// Slides with a voice: of so few bits that renditions would be more, and show less.
#[test]
fn what_takes_few_bits_is_shown_as_it_is() {
    let slides = "testsrc2=size=1280x720:rate=15,select='not(mod(n,150))',fps=15";
    let low = ["-c:v", "libx264", "-crf", "32", "-g", "300", "-c:a", "aac", "-b:a", "32k"];
    let source = film(slides, Some(BEEP), 40, &low);
    let (bytes, names) = stored(&source);
    assert_eq!(names, Vec::<String>::new());
    let (len, stills) = (std::fs::metadata(&source).unwrap().len(), 300_000);
    assert!(bytes <= len + stills, "{bytes} of {len}");
    let made = kit::all(&source);
    let copy = made.path("video.mp4");
    assert_eq!((pictures(&copy), decoded(&copy)), (pictures(&source), 600));
    let measures = &made.facts()["measures"];
    assert_eq!(measures["pictures"].as_array().map(Vec::len), Some(40));
    assert_eq!(measures["sound"].as_array().map(Vec::len), Some(40));
    assert_eq!((made.of("storyboard").count(), made.of("waveform").count()), (1, 1));
    // What not every phone shows is made anew all the same, and what nobody could seek in.
    let turned = remade(&source, "turned.mp4", &["-c", "copy", "-metadata:s:v:0", "rotate=90"]);
    assert_eq!(stored(&turned).1, ["480"]);
    let one_key = film(slides, Some(BEEP), 40, &[&low[..4], &["-g", "9999", "-c:a", "aac", "-b:a", "32k"]].concat());
    assert_eq!(stored(&one_key).1, ["480"]);
}

/// The length of everything that is kept in the end.
fn stored(source: &Path) -> (u64, Vec<String>) {
    let (mut bytes, mut names) = (0, Vec::new());
    let mut film = 0;
    let mut made = run(source, "prepare");
    loop {
        for event in &made.events {
            for file in ["file", "image", "vtt"].iter().filter_map(|field| event[field].as_str()) {
                let len = std::fs::metadata(made.path(file)).unwrap().len();
                // A later film takes the place of the one before.
                if event["event"] == "mp4" { film = len } else { bytes += len }
            }
        }
        names.extend(made.of("rendition").map(|e| e["name"].as_str().unwrap().to_owned()));
        match made.left().map(str::to_owned) {
            Some(task) => made = run(source, &task),
            None => return (bytes + film, names),
        }
    }
}

#[test]
fn what_is_stored_is_at_most_one_and_six_tenths_of_the_source() {
    let anew = remade(
        &export(&noise("720x1280"), 12, 1200, &[]),
        "anew.webm",
        &["-c:v", "libvpx", "-b:v", "900k", "-deadline", "realtime", "-c:a", "libopus"],
    );
    // Two thirds of a film came through, and nobody knows from its head how long that is.
    let fast = ["-c", "copy", "-movflags", "+faststart"];
    let cut = remade(&export(&noise("720x1280"), 20, 900, &[]), "cut.mp4", &fast);
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let sources = [
        (cut, &["480", "360"][..]),
        (export(&noise("1080x1920"), 8, 4300, &[]), &["1080", "480", "360"]),
        (export(&noise("720x1280"), 8, 2400, &[]), &["720", "480", "360"]),
        (export(&noise("720x1280"), 12, 1100, &[]), &["720", "360"]),
        (export(&noise("480x854"), 20, 500, &[]), &["480"]),
        (anew, &["480", "360"]),
    ];
    for (source, expected) in sources {
        let (bytes, names) = stored(&source);
        let share = bytes as f64 / std::fs::metadata(&source).unwrap().len() as f64;
        println!("{names:?}: {share:.3}");
        assert_eq!(names, expected);
        assert!(share <= 1.6, "{names:?}: {share}");
    }
}
