//! Where somebody lives, and with what phone she films, is in what her phone writes, and in nothing that is made of it.

mod kit;

use kit::{Made, all, ffmpeg, film, run};

/// What phones and cameras write beside the film, as far as ffmpeg can write it here.
const SECRETS: [&str; 3] = ["+27.1234+109.5678/", "Redmi Note 9 of the chair", "比耳村三组"];

const MESSAGE: &str = "N27.1234E109.5678";

fn with_secrets(codec: &[&str], sound: bool, name: &str) -> std::path::PathBuf {
    let plain = film("testsrc2=size=640x360:rate=30", sound.then_some("sine=frequency=440"), 8, codec);
    let out = plain.with_file_name(name);
    let entries = [
        format!("location={}", SECRETS[0]),
        format!("location-eng={}", SECRETS[0]),
        format!("com.apple.quicktime.location.ISO6709={}", SECRETS[0]),
        format!("com.apple.quicktime.model={}", SECRETS[1]),
        format!("com.android.model={}", SECRETS[1]),
        format!("comment={}", SECRETS[2]),
        format!("title={}", SECRETS[2]),
    ];
    let mut arguments = vec!["-i", plain.to_str().unwrap()];
    entries.iter().for_each(|entry| arguments.extend(["-metadata", entry]));
    let handler = format!("handler_name={}", SECRETS[1]);
    arguments.extend(["-metadata:s:v", &handler, "-c", "copy", "-movflags", "+use_metadata_tags"]);
    // Among the pictures, as cameras of cars and of drones do.
    let message = format!("h264_metadata=sei_user_data=086f3693b7b34f2c965321492feee5b8+{MESSAGE}");
    if codec.contains(&"libx264") {
        arguments.extend(["-bsf:v", &message]);
    }
    arguments.push(out.to_str().unwrap());
    ffmpeg(&arguments).expect("a film that tells");
    let bytes = std::fs::read(&out).unwrap();
    let told = tells(&bytes);
    assert!(told.contains(&SECRETS[0]), "the source tells where it was filmed");
    assert_eq!(told.contains(&MESSAGE), codec.contains(&"libx264"));
    out
}

/// The secrets that these bytes tell, and the boxes that could hold any.
fn tells(bytes: &[u8]) -> Vec<&str> {
    let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    let mut found: Vec<&str> = SECRETS.into_iter().filter(|secret| has(secret.as_bytes())).collect();
    for name in [MESSAGE, "ISO6709", "loci", "Exif", "GPS"] {
        found.extend(has(name.as_bytes()).then_some(name));
    }
    found.extend(has(b"\xa9xyz").then_some("xyz"));
    found
}

fn tells_nothing(made: &Made) {
    let named = |event: &serde_json::Value| {
        ["file", "image", "vtt"].iter().filter_map(|key| event[*key].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let files: Vec<String> = made.events.iter().flat_map(named).collect();
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(made.path(&file)).unwrap();
        assert_eq!(tells(&bytes), Vec::<&str>::new(), "{file}");
    }
    let said = serde_json::to_string(&made.events).unwrap();
    assert!(SECRETS.iter().all(|secret| !said.contains(secret)), "{said}");
}

#[test]
fn nothing_that_is_published_tells_where_it_was_filmed() {
    let h264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-c:a", "aac"];
    let copied = with_secrets(h264, true, "phone.mp4");
    let apple = with_secrets(h264, false, "phone.mov");
    for copied in [copied, apple] {
        let copy = run(&copied, "prepare");
        assert_eq!(copy.order()[..3], ["facts", "poster", "mp4"], "it is copied");
        tells_nothing(&copy);
        tells_nothing(&run(&copied, "ladder"));
    }
    let passed = with_secrets(&[h264, &["-vf", "scale=720:1280,setsar=1", "-b:v", "2M"]].concat(), true, "export.mp4");
    let top = run(&passed, "prepare");
    assert_eq!(top.order()[..4], ["facts", "poster", "rendition", "segment"], "its own pictures are the top");
    tells_nothing(&top);
    let again = with_secrets(&["-c:v", "mpeg4", "-q:v", "5", "-c:a", "aac"], true, "other.mov");
    tells_nothing(&all(&again));
}
