//! The child: one job on one file, jailed, one line of JSON per event. What a person waits for comes first.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use weijia_core::clip::refusal::RefusalCode;

use crate::ffi::{self, MediaError};
use crate::package::{self, write_whole};
use crate::pipeline::{self, Made, Order};
use crate::plan::{self, Size};
use crate::probe::{self, Failure, Result, Source};
use crate::protocol::{CaptionFile, Event, SOURCE, Spec, Task};
use crate::{captions, damage, gate, jail, signals, thumbnail};

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
            emit(Event::Jail { refused, allowed }).map_err(Failure::from)
        }
        Task::Prepare => prepare(&scratch, order.threads),
        Task::FastStart => fast_start(&scratch, order.threads),
        Task::Ladder => ladder(&scratch, order.threads),
    };
    match outcome {
        Ok(()) => {}
        Err(Failure::Refused(code)) => emit(Event::Refused { code, codec: None })?,
        Err(Failure::Unreadable(codec)) => {
            let codec = Some(codec).filter(|name| !name.is_empty());
            emit(Event::Refused { code: RefusalCode::UnreadableCodec, codec })?;
        }
        Err(Failure::Media(error)) => return Err(error.into()),
    }
    Ok(emit(Event::Done)?)
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
    let passed = gate::judge(&mut file, len)?.map_err(Failure::Refused)?;
    Ok((probe::open(&path, passed.cut)?, passed.cut))
}

fn prepare(scratch: &Path, threads: u32) -> Result<()> {
    let path = scratch.join(SOURCE);
    let (mut source, cut) = open(scratch)?;
    let told_ms = source.duration_ms;
    let poster = thumbnail::poster(&mut source, threads)?;
    write_whole(&scratch.join("poster.jpg"), &poster)?;
    if damage::share(&path, cut)? > damage::TOO_MUCH {
        return Err(Failure::Refused(RefusalCode::Damaged));
    }
    let facts = facts(&source, told_ms, cut, None);
    emit(facts)?;
    emit(Event::Poster { file: "poster.jpg".into() })?;

    let film = scratch.join("video.mp4");
    // The last packet of a cut file may be half a picture, at which players stop.
    if !cut && package::may_copy(&source) && copy(&path, cut, &film)? {
        return Ok(emit(Event::Mp4 { file: "video.mp4".into() })?);
    }
    let mut source = probe::open(&path, cut)?;
    let made = first_rung(scratch, &mut source, Some(&film), threads)?;
    emit(Event::Mp4 { file: "video.mp4".into() })?;
    measured(&source, told_ms, cut, made)
}

/// A copy plays already: now what plays over a thin line too, and with it what only a decoder can tell.
fn fast_start(scratch: &Path, threads: u32) -> Result<()> {
    let (mut source, cut) = open(scratch)?;
    let told_ms = source.duration_ms;
    let made = first_rung(scratch, &mut source, None, threads)?;
    measured(&source, told_ms, cut, made)
}

fn measured(source: &Source, told_ms: i64, cut: bool, mut made: Made) -> Result<()> {
    let waveform = made.waveform.take();
    emit(facts(source, told_ms, cut, Some(made)))?;
    Ok(waveform.map_or(Ok(()), |waveform| emit(Event::Waveform { waveform }))?)
}

fn first_rung(scratch: &Path, source: &mut Source, film: Option<&Path>, threads: u32) -> Result<Made> {
    let ladder = plan::ladder(source.video.shown);
    let first = plan::first_rung(&ladder);
    let rungs = &ladder[first..=first];
    let order = Order { scratch, measure: true, rungs, film, storyboard: None, threads };
    pipeline::run(source, order, &mut |event| emit(event))
}

/// A copy that the muxer does not like is no misfortune: the film of the first rendition comes in its place.
fn copy(path: &Path, cut: bool, film: &Path) -> Result<bool> {
    match package::copy(probe::open(path, cut)?, film) {
        Ok(()) => Ok(true),
        Err(error) => {
            eprintln!("not copied: {error}");
            Ok(false)
        }
    }
}

fn ladder(scratch: &Path, threads: u32) -> Result<()> {
    let (mut source, _) = open(scratch)?;
    let mut rungs = plan::ladder(source.video.shown);
    rungs.remove(plan::first_rung(&rungs));
    let mut storyboard = thumbnail::Storyboard::new(source.video.shown, source.duration_ms);
    let order =
        Order { scratch, measure: false, rungs: &rungs, film: None, storyboard: Some(&mut storyboard), threads };
    let made = pipeline::run(&mut source, order, &mut |event| emit(event))?;
    if let Some((image, vtt)) = storyboard.finish(made.duration_ms, "storyboard.jpg")? {
        write_whole(&scratch.join("storyboard.jpg"), &image)?;
        write_whole(&scratch.join("storyboard.vtt"), vtt.as_bytes())?;
        emit(Event::Storyboard { image: "storyboard.jpg".into(), vtt: "storyboard.vtt".into() })?;
    }
    // Last: whatever is the matter with them, everything else is published by now.
    captions(scratch, &source, made.duration_ms.max(source.duration_ms))
}

fn captions(scratch: &Path, source: &Source, length_ms: i64) -> Result<()> {
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
    let warnings = match &made {
        Some(made) => signals::warnings(audio.is_some(), made.silent, made.black, cut_at),
        None => signals::warnings(audio.is_some(), false, false, None),
    };
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
