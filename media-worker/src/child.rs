//! The child: one job on one file, jailed, one line of JSON per event. What a person waits for comes first.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use weijia_core::clip::refusal::RefusalCode;

use crate::ffi::{self, MediaError};
use crate::gate::Container;
use crate::package::write_whole;
use crate::passthrough::Passed;
use crate::pipeline::{self, Made, Order};
use crate::plan::Size;
use crate::plan::ladder::{Ladder, Weight};
use crate::plan::pace::Cuts;
use crate::probe::{self, Failure, Result, Source};
use crate::protocol::{CaptionFile, Event, SOURCE, Spec, Task};
use crate::thumbnail::{self, Storyboard};
use crate::{captions, damage, film, flv, gate, jail, passthrough, signals};

const FILM: &str = "video.mp4";

/// `--unjailed` leaves the jail away, for machines whose kernel has none.
pub fn main(spec: &Path, unjailed: bool) -> ExitCode {
    match work(spec, unjailed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn work(spec: &Path, unjailed: bool) -> Result<(), Box<dyn std::error::Error>> {
    let scratch = spec.parent().ok_or("a spec without a folder")?.canonicalize()?;
    let order: Spec = serde_json::from_slice(&std::fs::read(spec)?)?;
    // Who cannot step back works on all the same.
    let _ = rustix::process::nice(order.nice);
    if unjailed {
        jail::bound(&order.limits)?
    } else {
        jail::enter(&scratch, &order.limits)?
    }
    end_with_the_parent();
    ffi::init();
    let outcome = match order.task {
        Task::ProbeJail => {
            let (refused, allowed) = jail::probe(&scratch);
            emit(Event::Jail { refused, allowed }).map(|()| None).map_err(Failure::from)
        }
        Task::Prepare => prepare(&scratch, &order),
        Task::Ladder => ladder(&scratch, &order),
        Task::OtherRungs => other_rungs(&scratch, &order),
    };
    let left = match outcome {
        Ok(left) => left,
        Err(Failure::Refused(code)) => refused(code, None)?,
        Err(Failure::Unreadable(codec)) => {
            refused(RefusalCode::UnreadableCodec, Some(codec).filter(|name| !name.is_empty()))?
        }
        Err(Failure::Media(error)) => return Err(error.into()),
    };
    Ok(emit(Event::Done { left })?)
}

fn refused(code: RefusalCode, codec: Option<String>) -> ffi::Result<Option<Task>> {
    emit(Event::Refused { code, codec }).map(|()| None)
}

/// The parent holds the other end of standard input: when it is gone, nobody wants what is made here.
fn end_with_the_parent() {
    std::thread::spawn(|| {
        let mut nothing = [0; 1];
        let _ = std::io::stdin().read(&mut nothing);
        std::process::exit(70);
    });
}

fn emit(event: Event) -> ffi::Result<()> {
    let mut line = serde_json::to_vec(&event).map_err(|_| MediaError::Other("an event that is no JSON"))?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}

/// The gate, and then ffmpeg's view of it.
fn open(scratch: &Path) -> Result<(Source, bool)> {
    let path = scratch.join(SOURCE);
    let mut file = File::open(&path)?;
    let len = file.metadata()?.len();
    let passed = gate::judge(&mut file, len)??;
    match probe::open(&path, passed.cut) {
        // ffmpeg has no name for it there.
        Err(Failure::Unreadable(_)) if passed.container == Container::Flv => {
            Err(Failure::Unreadable(flv::codec(&mut file)?.unwrap_or_default().into()))
        }
        opened => Ok((opened?, passed.cut)),
    }
}

/// What a source becomes.
enum Plan {
    /// Its own pictures are the top rendition, with others below.
    Passed(Passed, Ladder),
    /// The copy of it stays, and is all there is: it takes so few bits that renditions would take as many, and show less.
    Copied,
    /// Every rendition is encoded.
    Encoded(Ladder),
}

impl Plan {
    fn of(path: &Path, cut: bool, source: &Source) -> Result<Plan> {
        let look = passthrough::look(path, cut, source)?;
        let passed = look.as_ref().and_then(|look| look.passed(source));
        Ok(match passed.and_then(|passed| Some((passed, below(source, true)?))) {
            Some((passed, ladder)) => Plan::Passed(passed, ladder),
            None if look.is_some_and(|look| look.stands_alone(source)) && below(source, false).is_none() => {
                Plan::Copied
            }
            None => Plan::Encoded(encoded(source)),
        })
    }
}

/// Where every rung is encoded.
fn encoded(source: &Source) -> Ladder {
    let least = |weight| Ladder::least(source.video.shown, weight, source.audio.is_some());
    below(source, false).unwrap_or_else(|| least(weight(source)))
}

/// What is encoded, below the source's own pictures or without them.
fn below(source: &Source, passed: bool) -> Option<Ladder> {
    let weight = Some(weight(source)).filter(|weight| weight.seconds > 0.0);
    Ladder::new(source.video.shown, weight, source.audio.is_some(), passed)
}

fn weight(source: &Source) -> Weight {
    Weight { bytes: source.bytes, seconds: source.duration_ms as f64 / 1000.0 }
}

/// Answers, as the other two do, what is left to be done.
fn prepare(scratch: &Path, order: &Spec) -> Result<Option<Task>> {
    let (path, threads, published) = (scratch.join(SOURCE), order.threads, &order.published);
    let (mut source, cut) = open(scratch)?;
    let told_ms = source.duration_ms;
    let poster = thumbnail::poster(&mut source, cut, threads)?;
    write_whole(&scratch.join("poster.jpg"), &poster)?;
    if damage::share(&path, cut, threads)? > damage::TOO_MUCH {
        return Err(Failure::Refused(RefusalCode::Damaged));
    }
    let facts = facts(&source, told_ms, cut, None);
    emit(facts)?;
    emit(Event::Poster { file: "poster.jpg".into() })?;

    let plan = Plan::of(&path, cut, &source)?;
    let mut source = probe::open(&path, cut)?;
    if let Plan::Passed(passed, Ladder { sound_kbps, .. }) = &plan {
        passthrough::run(&mut source, passed, *sound_kbps, scratch, published, &mut |event| emit(event))?;
        return Ok(Some(Task::Ladder));
    }
    // The last packet of a cut file may be half a picture, at which players stop.
    // Where a rendition is published, it was not copied.
    if !cut && published.rungs.is_empty() && film::may_copy(&source) {
        if published.film {
            return Ok(Some(Task::Ladder));
        }
        match film::copy(source, &scratch.join(FILM)) {
            Ok(()) => {
                emit(Event::Mp4 { file: FILM.into() })?;
                return Ok(Some(Task::Ladder));
            }
            // That the muxer does not like it is no misfortune: the film of the first rendition comes in its place.
            Err(error) => eprintln!("not copied: {error}"),
        }
        source = probe::open(&path, cut)?;
    }
    first_rung(scratch, order, &mut source, cut)?;
    Ok(Some(Task::OtherRungs))
}

/// The first rendition, and the film that is kept of it.
fn first_rung(scratch: &Path, order: &Spec, source: &mut Source, cut: bool) -> Result<()> {
    let told_ms = source.duration_ms;
    let mut ladder = encoded(source);
    ladder.rungs = vec![ladder.rungs.swap_remove(ladder.first())];
    let made = make_with_film(scratch, order, source, &ladder, &Cuts::Even, None)?;
    measured(source, told_ms, cut, made)
}

/// Something plays already, so nobody waits, and one decode costs less than two. Where renditions are made, the film that
/// is kept takes the place of a copy.
fn ladder(scratch: &Path, order: &Spec) -> Result<Option<Task>> {
    let (mut source, cut) = open(scratch)?;
    let told_ms = source.duration_ms;
    let (ladder, cuts) = match Plan::of(&scratch.join(SOURCE), cut, &source)? {
        Plan::Passed(passed, ladder) => (ladder, passed.cuts),
        Plan::Encoded(ladder) => (ladder, Cuts::Even),
        Plan::Copied => (Ladder::nothing(), Cuts::Even),
    };
    let mut storyboard = Storyboard::new(source.video.shown, told_ms);
    let made = make_with_film(scratch, order, &mut source, &ladder, &cuts, Some(&mut storyboard))?;
    let length_ms = made.duration_ms;
    measured(&source, told_ms, cut, made)?;
    extras(scratch, &source, storyboard, length_ms)
}

fn other_rungs(scratch: &Path, order: &Spec) -> Result<Option<Task>> {
    let (mut source, _) = open(scratch)?;
    let mut ladder = encoded(&source);
    ladder.rungs.remove(ladder.first());
    let mut storyboard = Storyboard::new(source.video.shown, source.duration_ms);
    let (published, threads) = (&order.published, order.threads);
    let (board, cuts) = (Some(&mut storyboard), &Cuts::Even);
    let order =
        Order { scratch, measure: false, ladder: &ladder, cuts, film: None, published, storyboard: board, threads };
    let made = pipeline::run(&mut source, order, &mut |event| emit(event))?;
    extras(scratch, &source, storyboard, made.duration_ms)
}

/// All of a ladder, measured, and the film of its first rung if it has one.
fn make_with_film(
    scratch: &Path,
    order: &Spec,
    source: &mut Source,
    ladder: &Ladder,
    cuts: &Cuts,
    storyboard: Option<&mut Storyboard>,
) -> Result<Made> {
    let film = scratch.join(FILM);
    let (published, threads) = (&order.published, order.threads);
    let film = Some(&*film).filter(|_| !published.film && !ladder.rungs.is_empty());
    let order = Order { scratch, measure: true, ladder, cuts, film, published, storyboard, threads };
    let made = pipeline::run(source, order, &mut |event| emit(event))?;
    if film.is_some() {
        emit(Event::Mp4 { file: FILM.into() })?;
    }
    Ok(made)
}

fn measured(source: &Source, told_ms: i64, cut: bool, mut made: Made) -> Result<()> {
    let waveform = made.waveform.take();
    emit(facts(source, told_ms, cut, Some(made)))?;
    Ok(waveform.map_or(Ok(()), |waveform| emit(Event::Waveform { waveform }))?)
}

/// What comes last, behind everything that plays.
fn extras(scratch: &Path, source: &Source, storyboard: Storyboard, made_ms: i64) -> Result<Option<Task>> {
    if let Some((image, vtt)) = storyboard.finish(made_ms, "storyboard.jpg")? {
        write_whole(&scratch.join("storyboard.jpg"), &image)?;
        write_whole(&scratch.join("storyboard.vtt"), vtt.as_bytes())?;
        emit(Event::Storyboard { image: "storyboard.jpg".into(), vtt: "storyboard.vtt".into() })?;
    }
    captions(scratch, source, made_ms)?;
    Ok(None)
}

/// Last: whatever is the matter with them, everything else is published by then.
fn captions(scratch: &Path, source: &Source, made_ms: i64) -> Result<()> {
    let length_ms = made_ms.max(source.duration_ms);
    let found = captions::read(&scratch.join(SOURCE), source, length_ms).unwrap_or_else(|error| {
        eprintln!("no captions: {error}");
        Vec::new()
    });
    let mut tracks = Vec::new();
    for (n, track) in found.into_iter().enumerate() {
        let file = format!("captions-{n}.vtt");
        write_whole(&scratch.join(&file), track.vtt.as_bytes())?;
        tracks.push(CaptionFile { language: track.language, title: track.title, file });
    }
    if tracks.is_empty() { Ok(()) } else { Ok(emit(Event::Captions { tracks })?) }
}

fn facts(source: &Source, told_ms: i64, cut: bool, made: Option<Made>) -> Event {
    let video = &source.video;
    let audio = source.audio.as_ref();
    let duration_ms = made.as_ref().map_or(told_ms, |m| {
        if cut || probe::ends_early(told_ms, m.duration_ms) { m.duration_ms } else { told_ms.max(m.duration_ms) }
    });
    let cut_at = made.as_ref().filter(|m| cut || probe::ends_early(told_ms, m.reached_ms)).map(|m| m.duration_ms);
    let (silent, black) = made.as_ref().map_or((false, false), |made| (made.silent, made.black));
    let warnings = signals::warnings(signals::Sound::of(source, silent), black, cut_at);
    let detail = json!({
        "video": {
            "codec": video.codec,
            "width": video.header.size.width,
            "height": video.header.size.height,
            "sar": format!("{}:{}", video.sar.0, video.sar.1),
            "pixels": video.header.pixels,
            "hdr": video.header.colours.is_hdr(),
            "turned": !video.orientation.is_upright(),
            "rate": (video.average * 100.0).round() / 100.0,
        },
        "audio": audio.map(|a| json!({"codec": a.codec, "channels": a.channels})),
        "cut": cut_at.is_some(),
        "warnings": warnings,
    });
    let (Size { width, height }, measures) = (video.shown, made.and_then(|made| made.measures));
    Event::Facts { width, height, duration_ms, detail, measures }
}
