//! The states as pictures: `docs/states.md` is drawn from the functions that decide, and a test keeps it so.

use std::fmt::Write as _;

use crate::clip::{ClipEvent, ClipState};
use crate::review::fix::marked;
use crate::review::{ItemState, Kind};

const ITEM_STATES: [ItemState; 8] = [
    ItemState::Draft,
    ItemState::Sent,
    ItemState::Heard,
    ItemState::Trying,
    ItemState::Fixed,
    ItemState::Declined,
    ItemState::Verified,
    ItemState::Again,
];

fn clips() -> String {
    let events = [
        ("she hands it in", ClipEvent::Submit),
        ("she takes it back", ClipEvent::Retract { answered: false }),
        ("she takes back a later version", ClipEvent::Retract { answered: true }),
        ("a mentor takes it", ClipEvent::Claim),
        ("the mentor lets go", ClipEvent::HandBack),
        ("to be filmed again", ClipEvent::Return),
        ("passed", ClipEvent::Pass),
        ("she withdraws it", ClipEvent::Withdraw),
    ];
    let mut picture = String::from("stateDiagram-v2\n    [*] --> draft\n");
    for from in ClipState::ALL {
        for (says, event) in events {
            if let Some(to) = from.after(event) {
                let _ = writeln!(picture, "    {} --> {}: {says}", from.as_str(), to.as_str());
            }
        }
    }
    picture
}

/// What asks for a change; praise and questions are heard, and nothing more.
fn feedback() -> String {
    let marks = [
        ("she hears it", ItemState::Heard),
        ("she tries", ItemState::Trying),
        ("she says where it is fixed", ItemState::Fixed),
        ("she sees it otherwise", ItemState::Declined),
    ];
    let mut picture = String::from("stateDiagram-v2\n    [*] --> draft\n    draft --> sent: the review is sent\n");
    for from in ITEM_STATES {
        for (says, to) in marks {
            match marked(Kind::Fix, from, to) {
                Ok(to) if to != from => {
                    let _ = writeln!(picture, "    {} --> {}: {says}", from.as_str(), to.as_str());
                }
                _ => {}
            }
        }
        if !matches!(from, ItemState::Draft | ItemState::Verified) {
            let _ = writeln!(picture, "    {} --> verified: a mentor sees it fixed", from.as_str());
        }
        if !matches!(from, ItemState::Draft | ItemState::Again | ItemState::Verified) {
            let _ = writeln!(picture, "    {} --> again: a mentor wants it once more", from.as_str());
        }
    }
    picture
}

fn document() -> String {
    let part = |title: &str, picture: String| format!("## {title}\n\n```mermaid\n{picture}```\n");
    format!(
        "# States\n\nDrawn from the code by `services/core/src/states.rs`: change that, not this.\n\n{}\n{}",
        part("A clip", clips()),
        part("A piece of feedback that asks for a change", feedback())
    )
}

#[test]
fn the_pictures_are_those_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/states.md");
    let drawn = document();
    if std::env::var_os("WEIJIA_DRAW").is_some() {
        std::fs::write(path, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == drawn,
        "draw it anew: WEIJIA_DRAW=1 cargo nextest run -p weijia-core the_pictures_are_those_of_the_code"
    );
}
