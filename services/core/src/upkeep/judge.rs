//! What is wrong, decided from what the rows say and what the bucket holds. Pure.

use std::collections::HashMap;

use super::books::VersionBook;
use super::{Finding, Kind, Subject};
use crate::caption::Origin;
use crate::clip::{ClipState, MediaState};
use crate::storage::KeptPart;
use crate::time::{At, Millis};
use crate::upload::{Durable, Kind as UploadKind, State, Upload};

/// The reconciler looks every minute; what it could not finish for so long needs somebody to look.
pub const STUCK_AFTER: Millis = Millis::minutes(15);

/// Objects of some part of the bucket and their lengths.
pub type Listed = HashMap<String, u64>;

fn finding(kind: Kind, book: &VersionBook, seen: String) -> Finding {
    let subject = Subject::Version { clip: book.row.clip_id.clone(), version: book.row.id.clone() };
    Finding { kind, subject, about: book.row.about(), seen }
}

/// A version against the objects under its keys.
pub fn version(book: &VersionBook, listed: &Listed) -> Vec<Finding> {
    let row = &book.row;
    // Nobody is shown what was taken back.
    if row.clip_state == ClipState::Withdrawn {
        return Vec::new();
    }
    let mut found = Vec::new();
    match (&row.original_key, row.state) {
        // Known to be lost. Its key is kept, so that a backup of the store may bring it back.
        (Some(key), _) if row.original_gone.is_some() => {
            let back = listed.get(key) == Some(&(row.bytes as u64));
            found.extend(back.then(|| finding(Kind::OriginalFound, book, format!("{key} 又在了"))));
        }
        (Some(key), _) => match listed.get(key) {
            // A store that has lost its bytes may still list its name.
            None | Some(0) => found.push(finding(Kind::OriginalMissing, book, format!("没有 {key}"))),
            Some(len) if *len != row.bytes as u64 => {
                found.push(finding(Kind::OriginalLength, book, format!("{key} 有 {len} 字节，该有 {}", row.bytes)));
            }
            Some(_) => {}
        },
        (None, MediaState::Received | MediaState::Processing | MediaState::Ready) if row.original_gone.is_none() => {
            found.push(finding(Kind::OriginalUnnamed, book, "收齐了，却没有记下原片在哪里".into()));
        }
        _ => {}
    }
    let lost: Vec<String> = missing_captions(book, listed, Origin::Attached);
    if !lost.is_empty() {
        found.push(finding(Kind::CaptionMissing, book, few(&lost)));
    }
    // A job at work makes anew what is missing, so what is there is judged when it is done.
    if book.has_job {
        return found;
    }
    match row.state {
        MediaState::Received | MediaState::Processing => {
            if found.iter().all(|finding| !finding.kind.is_about_original()) {
                found.push(finding(Kind::JobMissing, book, "等着处理，却没有任务".into()));
            }
        }
        MediaState::Ready => {
            let missing = missing_media(book, listed);
            if !missing.is_empty() {
                found.push(finding(Kind::MediaMissing, book, few(&missing)));
            }
        }
        MediaState::Uploading | MediaState::Failed | MediaState::Abandoned => {}
    }
    found
}

fn missing_captions(book: &VersionBook, listed: &Listed, origin: Origin) -> Vec<String> {
    let of_origin = book.captions.iter().filter(|track| track.origin == origin);
    of_origin.filter(|track| !is_there(listed, &track.key, Some(track.bytes))).map(|track| track.key.clone()).collect()
}

/// What is to be played of a ready version and isn't there as its row says.
fn missing_media(book: &VersionBook, listed: &Listed) -> Vec<String> {
    let row = &book.row;
    let whole = [
        (&row.poster_key, row.poster_bytes),
        (&row.mp4_key, row.mp4_bytes),
        (&row.storyboard_key, row.storyboard_bytes),
        (&row.storyboard_vtt_key, row.storyboard_vtt_bytes),
        (&row.waveform_key, row.waveform_bytes),
    ];
    let named = whole.into_iter().filter_map(|(key, bytes)| Some((key.as_ref()?, bytes)));
    let mut missing: Vec<String> =
        named.filter(|(key, bytes)| !is_there(listed, key, *bytes)).map(|(key, _)| key.clone()).collect();
    missing.extend(missing_captions(book, listed, Origin::Embedded));
    if row.mp4_key.is_none() && book.renditions.is_empty() {
        missing.push("能放的画面一档也没有".into());
    }
    for (rendition, segments) in &book.renditions {
        if !is_there(listed, &rendition.init_key, Some(rendition.init_bytes)) {
            missing.push(rendition.init_key.clone());
        }
        let first = segments.first().map_or(0, |s| s.n);
        if segments.is_empty() || segments.iter().zip(first..).any(|(s, n)| s.n != n) {
            missing.push(format!("{} 档的分段不连着", rendition.name));
        }
        missing.extend(segments.iter().filter(|s| !is_there(listed, &s.key, Some(s.bytes))).map(|s| s.key.clone()));
    }
    missing
}

/// An object without a byte is as good as none, however long it should be.
pub fn is_there(listed: &Listed, key: &str, bytes: Option<i64>) -> bool {
    listed.get(key).is_some_and(|len| *len > 0 && bytes.is_none_or(|bytes| *len == bytes as u64))
}

/// The first of them, and how many there are.
fn few(missing: &[String]) -> String {
    match missing {
        [only] => format!("缺 {only}"),
        [first, ..] => format!("缺 {first} 等 {} 个", missing.len()),
        [] => String::new(),
    }
}

/// Whether an upload of which so many bytes are durable should have come to its end by now.
pub fn is_stuck(upload: &Upload, came: i64, now: At) -> bool {
    match upload.state {
        State::Completing => upload.updated_at + STUCK_AFTER <= now,
        // Its client has nothing more to do.
        State::Open if upload.kind == UploadKind::Final || upload.ends_at(came) => {
            upload.updated_at + STUCK_AFTER <= now
        }
        State::Open => upload.expires_at + STUCK_AFTER <= now,
        _ => false,
    }
}

/// The first byte of an unfinished upload that SQL counts and the bucket doesn't hold: `parts` is what the store keeps
/// of its multipart upload (none where it knows none), `tails` what lies under its tails. None: all is there.
pub fn lost_from(upload: &Upload, durable: &Durable, parts: &[KeptPart], tails: &Listed) -> Option<i64> {
    let kept: HashMap<i64, &KeptPart> = parts.iter().map(|part| (part.no, part)).collect();
    let mut offset = 0;
    for part in &durable.parts {
        let there = match kept.get(&part.no) {
            Some(kept) => kept.len == part.len && kept.etag == part.etag,
            None => false,
        };
        // A file of at most one part is an object of its own; it is looked for when the upload is finished.
        if !there && upload.s3_upload_id.is_some() {
            return Some(offset);
        }
        offset += part.len;
    }
    for piece in &durable.tail {
        if tails.get(&piece.key) != Some(&(piece.len as u64)) {
            return Some(offset);
        }
        offset += piece.len;
    }
    None
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
