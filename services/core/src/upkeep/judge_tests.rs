use super::*;
use crate::caption::CaptionTrack;
use crate::clip::{Rendition, Segment};
use crate::ids::{CaptionId, ClipId, RenditionId, UploadId, UserId, VersionId};
use crate::upkeep::books::VersionRow;
use crate::upload::{Part, TailPiece};

fn book(state: MediaState) -> VersionBook {
    let id = VersionId::new();
    let segment = |n| Segment { n, duration_ms: 2000, bytes: 10, key: format!("s{n}") };
    let rendition = Rendition {
        id: RenditionId::new(),
        version_id: id.clone(),
        attempt: 1,
        name: "480".into(),
        width: 480,
        height: 854,
        bandwidth: 1,
        codecs: String::new(),
        init_key: "init".into(),
        init_bytes: 3,
        complete: true,
    };
    VersionBook {
        row: VersionRow {
            id,
            clip_id: ClipId::new(),
            title: "油菜花".into(),
            clip_state: ClipState::Draft,
            n: 1,
            state,
            bytes: 100,
            sha256: None,
            original_key: Some("original".into()),
            original_gone: None,
            poster_key: Some("poster".into()),
            mp4_key: None,
            storyboard_key: None,
            storyboard_vtt_key: None,
            waveform_key: None,
            poster_bytes: Some(5),
            mp4_bytes: None,
            storyboard_bytes: None,
            storyboard_vtt_bytes: None,
            waveform_bytes: None,
        },
        renditions: vec![(rendition, vec![segment(0), segment(1)])],
        captions: Vec::new(),
        has_job: false,
    }
}

fn bucket() -> Listed {
    let all = [("original", 100), ("poster", 5), ("init", 3), ("s0", 10), ("s1", 10)];
    all.into_iter().map(|(key, len)| (key.to_owned(), len)).collect()
}

fn kinds(book: &VersionBook, listed: &Listed) -> Vec<Kind> {
    version(book, listed).into_iter().map(|f| f.kind).collect()
}

#[test]
fn what_is_all_there_is_in_order() {
    assert_eq!(kinds(&book(MediaState::Ready), &bucket()), []);
    for state in [MediaState::Uploading, MediaState::Abandoned] {
        let mut book = book(state);
        book.row.original_key = None;
        assert_eq!(kinds(&book, &Listed::new()), []);
    }
}

#[test]
fn a_missing_or_wrong_original_is_named() {
    for state in [MediaState::Received, MediaState::Processing, MediaState::Ready, MediaState::Failed] {
        let (book, mut listed) = (book(state), bucket());
        listed.insert("original".into(), 99);
        assert_eq!(kinds(&book, &listed), [Kind::OriginalLength], "{state:?}");
        listed.remove("original");
        assert_eq!(kinds(&book, &listed), [Kind::OriginalMissing], "{state:?}");
    }
    let mut unnamed = book(MediaState::Ready);
    unnamed.row.original_key = None;
    assert_eq!(kinds(&unnamed, &bucket()), [Kind::OriginalUnnamed]);
    unnamed.row.original_gone = Some("released".into());
    assert_eq!(kinds(&unnamed, &bucket()), [], "let go of on purpose");
}

#[test]
fn what_was_lost_is_found_when_it_is_there_again() {
    for state in [MediaState::Ready, MediaState::Failed] {
        let (mut lost, mut listed) = (book(state), bucket());
        lost.row.original_gone = Some("lost".into());
        assert_eq!(kinds(&lost, &listed), [Kind::OriginalFound], "{state:?}");
        listed.insert("original".into(), 99);
        assert_eq!(kinds(&lost, &listed), [], "{state:?}: damaged, and that is known");
        listed.remove("original");
        assert_eq!(kinds(&lost, &listed), [], "{state:?}");
    }
}

#[test]
fn everything_that_is_played_must_be_there() {
    for key in ["poster", "init", "s0", "s1"] {
        let mut listed = bucket();
        listed.remove(key);
        let found = version(&book(MediaState::Ready), &listed);
        assert_eq!((found.len(), found[0].kind), (1, Kind::MediaMissing));
        assert!(found[0].seen.contains(key), "{}", found[0].seen);
    }
    let mut short = bucket();
    short.insert("s1".into(), 9);
    assert_eq!(kinds(&book(MediaState::Ready), &short), [Kind::MediaMissing]);
    for (key, len) in [("poster", 4), ("poster", 0), ("init", 2), ("s0", 0)] {
        let mut short = bucket();
        short.insert(key.into(), len);
        let found = version(&book(MediaState::Ready), &short);
        assert!(found.len() == 1 && found[0].seen.contains(key), "{key} of {len} bytes: {found:?}");
    }
    let mut gap = book(MediaState::Ready);
    gap.renditions[0].1[1].n = 2;
    assert_eq!(kinds(&gap, &bucket()), [Kind::MediaMissing]);
    let mut nothing = book(MediaState::Ready);
    nothing.renditions.clear();
    assert_eq!(kinds(&nothing, &bucket()), [Kind::MediaMissing]);
    nothing.row.mp4_key = Some("s0".into());
    assert_eq!(kinds(&nothing, &bucket()), []);
}

#[test]
fn a_job_at_work_is_waited_for() {
    let mut waiting = book(MediaState::Ready);
    waiting.has_job = true;
    assert_eq!(kinds(&waiting, &Listed::from([("original".to_owned(), 100)])), []);
    for state in [MediaState::Received, MediaState::Processing] {
        assert_eq!(kinds(&book(state), &bucket()), [Kind::JobMissing]);
        assert_eq!(kinds(&VersionBook { has_job: true, ..book(state) }, &bucket()), []);
    }
}

#[test]
fn what_she_took_back_is_nobodys_loss() {
    let mut withdrawn = book(MediaState::Ready);
    withdrawn.row.clip_state = ClipState::Withdrawn;
    assert_eq!(kinds(&withdrawn, &Listed::new()), []);
}

fn upload(state: State) -> Upload {
    Upload {
        id: UploadId::new(),
        owner_id: UserId::new(),
        kind: crate::upload::Kind::Whole,
        clip_id: Some(ClipId::new()),
        version_id: Some(VersionId::new()),
        length: Some(30),
        part_size: 10,
        state,
        epoch: 1,
        concat: None,
        idempotency_key: None,
        metadata: String::new(),
        key: Some("k".into()),
        s3_upload_id: Some("m".into()),
        root_sha256: None,
        reason_code: None,
        created_at: At(0),
        updated_at: At(0),
        expires_at: At(1_000),
    }
}

#[test]
fn an_upload_is_stuck_when_nobody_brought_it_to_its_end() {
    let late = At(1_000) + STUCK_AFTER;
    assert!(is_stuck(&upload(State::Completing), 0, At(0) + STUCK_AFTER));
    assert!(!is_stuck(&upload(State::Completing), 0, At(STUCK_AFTER.0 - 1)));
    assert!(is_stuck(&upload(State::Open), 0, late));
    assert!(!is_stuck(&upload(State::Open), 0, At(late.0 - 1)));
    assert!(!is_stuck(&upload(State::Complete), 0, late));
    // Nothing more is to come from its client.
    let (soon, later) = (At(STUCK_AFTER.0 - 1), At(0) + STUCK_AFTER);
    let all = Upload { length: Some(24), expires_at: At(i64::MAX / 2), ..upload(State::Open) };
    assert!(is_stuck(&all, 24, later) && !is_stuck(&all, 24, soon) && !is_stuck(&all, 23, later));
    let joined = Upload { kind: UploadKind::Final, ..all };
    assert!(is_stuck(&joined, 0, later) && !is_stuck(&joined, 0, soon));
}

#[test]
fn an_unfinished_upload_is_lost_from_the_first_byte_that_is_not_there() {
    let part = |no| Part { no, len: 10, etag: format!("\"{no}\""), sha256: String::new() };
    let kept = |no| KeptPart { no, len: 10, etag: format!("\"{no}\"") };
    let piece = |start, key: &str| TailPiece { part_no: 3, start, len: 2, key: key.into(), sha256: String::new() };
    let durable = Durable { parts: vec![part(1), part(2)], tail: vec![piece(0, "a"), piece(2, "b")], offset: 24 };
    let tails = Listed::from([("a".to_owned(), 2), ("b".to_owned(), 2)]);
    let open = upload(State::Open);
    assert_eq!(lost_from(&open, &durable, &[kept(1), kept(2)], &tails), None);
    assert_eq!(lost_from(&open, &durable, &[kept(1)], &tails), Some(10));
    assert_eq!(lost_from(&open, &durable, &[], &tails), Some(0));
    let other = KeptPart { etag: "\"x\"".into(), ..kept(2) };
    assert_eq!(lost_from(&open, &durable, &[kept(1), other], &tails), Some(10));
    let tails = Listed::from([("a".to_owned(), 2), ("b".to_owned(), 1)]);
    assert_eq!(lost_from(&open, &durable, &[kept(1), kept(2)], &tails), Some(22));
}

#[test]
fn captions_of_the_film_are_made_again_and_hers_are_missed() {
    let track = |origin, key: &str| CaptionTrack {
        id: CaptionId::new(),
        version_id: VersionId::new(),
        origin,
        language: "zh".parse().unwrap(),
        title: None,
        key: key.into(),
        bytes: 7,
    };
    let captions = vec![track(Origin::Embedded, "hers"), track(Origin::Attached, "own")];
    let with = VersionBook { captions, ..book(MediaState::Ready) };
    let mut listed = bucket();
    assert_eq!(kinds(&with, &listed), [Kind::CaptionMissing, Kind::MediaMissing]);
    listed.insert("own".into(), 7);
    assert_eq!(kinds(&with, &listed), [Kind::MediaMissing]);
    listed.insert("hers".into(), 6);
    assert_eq!(kinds(&with, &listed), [Kind::MediaMissing]);
    listed.insert("hers".into(), 7);
    assert_eq!(kinds(&with, &listed), []);
    // A worker makes anew what is its own only, and nobody asks for what was taken back.
    listed.clear();
    listed.extend([("original".to_owned(), 100)]);
    let working = VersionBook { has_job: true, ..with.clone() };
    assert_eq!(kinds(&working, &listed), [Kind::CaptionMissing]);
    let waiting = VersionBook { row: VersionRow { state: MediaState::Received, ..with.row.clone() }, ..with };
    assert_eq!(kinds(&waiting, &listed), [Kind::CaptionMissing, Kind::JobMissing]);
}
