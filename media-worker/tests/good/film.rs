//! A film to be made, what is expected of it, and the look that every one goes through.

use std::path::{Path, PathBuf};

use crate::kit::{self, Made, Track, decoded, golden, streams};

pub const PICTURE: &str = "testsrc2=size=320x240:rate=30";
pub const SOUND: &str = "sine=frequency=440:sample_rate=44100";

/// One second of 320 x 240 with a tone, and what is different about it.
#[derive(Clone)]
pub struct Film {
    name: &'static str,
    ending: &'static str,
    codec: String,
    picture: String,
    sound: Option<String>,
    seconds: u32,
    /// What is done to the whole film, when its codecs are done.
    remade: Option<(String, &'static str)>,
    shown: (i64, i64),
    lasts: Option<f64>,
    reference: String,
    step: i64,
    likeness: f64,
    off_colour: u8,
    heard: bool,
    uneven: bool,
}

/// All of them, one after the other; those that do not are told together.
pub fn all_play(films: impl IntoIterator<Item = Film>) {
    let plays = |film: &Film| std::panic::catch_unwind(|| film.plays()).is_ok();
    let not: Vec<&str> = films.into_iter().filter(|film| !plays(film)).map(|film| film.name).collect();
    assert!(not.is_empty(), "these do not play: {not:?}");
}

impl Film {
    pub fn new(name: &'static str, ending: &'static str, codec: &str) -> Film {
        Film {
            name,
            ending,
            codec: codec.to_owned(),
            picture: PICTURE.to_owned(),
            sound: Some(SOUND.to_owned()),
            seconds: 1,
            remade: None,
            shown: (320, 240),
            lasts: None,
            reference: golden::UPRIGHT.to_owned(),
            step: 1,
            likeness: 0.95,
            off_colour: 8,
            heard: true,
            uneven: false,
        }
    }

    pub fn picture(self, picture: &str, shown: (i64, i64)) -> Film {
        Film { picture: picture.to_owned(), shown, ..self }
    }
    pub fn shown(self, shown: (i64, i64)) -> Film {
        Film { shown, ..self }
    }
    pub fn sound(self, sound: &str) -> Film {
        Film { sound: Some(sound.to_owned()), ..self }
    }
    pub fn mute(self) -> Film {
        Film { sound: None, heard: false, ..self }
    }
    /// There is sound, but in a codec that is not read.
    pub fn unheard(self) -> Film {
        Film { heard: false, ..self }
    }
    pub fn seconds(self, seconds: u32) -> Film {
        Film { seconds, ..self }
    }
    /// How long it is, where that is not what it was told to be.
    pub fn lasts(self, seconds: f64) -> Film {
        Film { lasts: Some(seconds), ..self }
    }
    /// Once more through ffmpeg, without touching what is encoded.
    pub fn remade(self, arguments: &str, ending: &'static str) -> Film {
        Film { remade: Some((arguments.to_owned(), ending)), ..self }
    }
    /// How ffmpeg's command makes BT.709 of it, when it is not told by its tags.
    pub fn reference(self, filters: &str) -> Film {
        Film { reference: format!("{filters},setparams=colorspace=bt709:range=tv"), ..self }
    }
    /// Of so many pictures one is left: there are too many a second.
    pub fn one_of(self, step: i64) -> Film {
        Film { step, ..self }
    }
    /// Its pictures are held for so long that some are shown again.
    pub fn uneven(self) -> Film {
        Film { uneven: true, ..self }
    }
    pub fn like(self, likeness: f64, off_colour: u8) -> Film {
        Film { likeness, off_colour, ..self }
    }

    pub fn make(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("film.{}", self.ending));
        let (seconds, text) = (self.seconds.to_string(), path.to_string_lossy().into_owned());
        let mut arguments = vec!["-f", "lavfi", "-i", &self.picture];
        if let Some(sound) = &self.sound {
            arguments.extend(["-f", "lavfi", "-i", sound]);
        }
        arguments.extend(["-t", &seconds]);
        if !self.codec.contains("-pix_fmt") {
            arguments.extend(["-pix_fmt", "yuv420p"]);
        }
        if self.codec.contains("libx26") {
            arguments.extend(["-preset", "ultrafast"]);
        }
        arguments.extend(self.codec.split_whitespace());
        arguments.push(&text);
        kit::ffmpeg(&arguments).unwrap_or_else(|why| panic!("{}: {why}", self.name));
        match &self.remade {
            Some((how, ending)) => {
                let how: Vec<&str> = how.split_whitespace().collect();
                kit::remade(&path, &format!("remade.{ending}"), &how)
            }
            None => path,
        }
    }

    pub fn plays(&self) {
        self.plays_after(|path| path);
    }

    /// Plays, when something else was done to its bytes.
    pub fn plays_after(&self, change: impl FnOnce(PathBuf) -> PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let source = change(self.make(folder.path()));
        let first = kit::run(&source, "prepare");
        // A copy has the very same pictures: whoever plays it turns them.
        if first.of("mp4").count() == 1 && first.of("rendition").count() == 0 {
            self.is_one_film(&first.path("video.mp4"), &source, 1);
        }
        let made = kit::gone_on(first);
        let last = made.order().last().cloned();
        assert_eq!((made.refusal(), last.as_deref(), made.left()), (None, Some("done"), None), "{}", self.name);
        self.is_told(&made);
        self.is_one_film(&made.path("video.mp4"), &source, self.step);
        for rendition in made.of("rendition") {
            self.shows(&made.rendition(rendition["name"].as_str().unwrap()), &source);
        }
        self.stands(&made.path("poster.jpg"));
        assert!(made.path("storyboard.vtt").exists(), "{}", self.name);
    }

    fn is_told(&self, made: &Made) {
        let facts = made.facts();
        let size = (facts["width"].as_i64().unwrap(), facts["height"].as_i64().unwrap());
        assert_eq!(size, self.shown, "{}", self.name);
        self.takes(facts["duration_ms"].as_f64().unwrap() / 1000.0);
    }

    fn takes(&self, seconds: f64) {
        let told = self.lasts.unwrap_or(f64::from(self.seconds));
        assert!((seconds - told).abs() < 0.15, "{}: {seconds} s of {told}", self.name);
    }

    /// All of its pictures, or one of so many.
    fn is_one_film(&self, path: &Path, source: &Path, step: i64) {
        let (pictures, all) = (decoded(path), golden::pictures(source, step));
        assert!(pictures == all || (self.uneven && pictures > all), "{}: {pictures} pictures of {all}", self.name);
        self.stands(path);
        self.sounds(path, &streams(path));
    }

    /// Every decoder can show it all, and it shows what the source does.
    fn shows(&self, path: &Path, source: &Path) {
        let name = self.name;
        let tracks = streams(path);
        let picture = &tracks[0];
        assert_eq!(
            (picture.codec.as_str(), picture.pixels.as_str(), picture.transfer.as_str()),
            ("h264", "yuv420p", "bt709"),
            "{name}"
        );
        assert!(tracks.iter().all(|t| t.start.abs() <= 0.001), "{name}: {tracks:?}");
        self.takes(tracks.iter().map(|t| t.duration).fold(0.0, f64::max));
        self.stands(path);
        self.sounds(path, &tracks);
        let (pictures, expected) = (decoded(path), golden::pictures(source, self.step));
        if self.uneven {
            assert!(pictures >= expected, "{name}: {pictures} pictures of {expected}");
            return;
        }
        assert_eq!(pictures, expected, "{name}: pictures");
        let likeness = golden::likeness(source, path, &self.reference, self.step);
        assert!(likeness >= self.likeness, "{name}: {likeness} like ffmpeg's own");
        let off = golden::off_colour(source, path, &self.reference);
        assert!(off <= self.off_colour, "{name}: colours are off by {off}");
    }

    fn sounds(&self, path: &Path, tracks: &[Track]) {
        assert_eq!(tracks.len(), 1 + usize::from(self.heard), "{}: {tracks:?}", self.name);
        if self.heard {
            assert!(kit::loudness(path, 0.0, 9.0) > 0.01, "{}: nothing to hear", self.name);
        }
    }

    /// The shape as it is shown, never larger than it is.
    fn stands(&self, path: &Path) {
        let (w, h) = kit::shown_size(path);
        let (width, height) = self.shown;
        // What is tiny can be halved, but not in exactly its shape.
        let near = |a: i64, b: i64| (a - b).abs() as f64 <= 2.0 + b as f64 * 0.01;
        let k = (w as f64 / width as f64).max(h as f64 / height as f64);
        assert!(
            k <= 1.01 && near(w, (width as f64 * k) as i64) && near(h, (height as f64 * k) as i64),
            "{}: {w}x{h} of {width}x{height}",
            self.name
        );
    }
}
