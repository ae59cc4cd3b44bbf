//! Films that lost something on the way.

use crate::films::{FASTSTART, FLV, FRAGMENTED, MP4, TS, WEBM};
use crate::kit::surgery::{Dice, boxed, noise, place};
use crate::{Case, Either, Lost, Plays, Refused, meet};

/// So many hundredths of it.
fn part(film: &[u8], hundredths: usize) -> Vec<u8> {
    film[..film.len() * hundredths / 100].to_vec()
}

#[test]
fn a_film_without_its_index_is_incomplete() {
    let incomplete = |name, bytes: Vec<u8>| (name, bytes, Refused("incomplete"));
    let index = place(&MP4, b"moov");
    let media = place(&MP4, b"mdat");
    meet(vec![
        incomplete("a tenth", part(&MP4, 10)),
        incomplete("a quarter", part(&MP4, 25)),
        incomplete("a half", part(&MP4, 50)),
        incomplete("three quarters", part(&MP4, 75)),
        incomplete("cut within its index", MP4[..index + (MP4.len() - index) / 2].to_vec()),
        incomplete("all but the last byte", MP4[..MP4.len() - 1].to_vec()),
        incomplete("an index that was to come first", part(&FASTSTART, 1)),
        incomplete("an index and no media", MP4[index..].to_vec()),
        incomplete("a power cut while it was recorded", {
            let mut film = MP4[..index].to_vec();
            film[media..media + 4].fill(0);
            [film, noise(80_000, 20)].concat()
        }),
        ("all media and no index", MP4[..index].to_vec(), Refused("not_a_video")),
        ("the head of a recording", WEBM[..60].to_vec(), Refused("incomplete")),
        ("the first packets", TS[..188 * 4].to_vec(), Refused("incomplete")),
    ]);
}

#[test]
fn what_was_cut_off_plays_as_far_as_it_goes() {
    let films = [("MP4", &FASTSTART), ("fragments", &FRAGMENTED), ("WebM", &WEBM), ("MPEG-TS", &TS), ("Flash", &FLV)];
    meet(films.into_iter().flat_map(|(name, film)| [50, 80, 99].map(|n| (name, part(film, n), Plays))).collect());
}

/// Every byte of the media, told where it lies from 0 to 1.
fn bent(film: &[u8], change: impl Fn(f64, u8, &mut Dice) -> u8) -> Vec<u8> {
    let mut film = film.to_vec();
    let (begin, end) = match film.windows(4).any(|w| w == b"mdat") {
        true => (place(&film, b"mdat") + 8, place(&film, b"mdat") + 8 + media_len(&film)),
        false => (film.len() / 20, film.len()),
    };
    let mut dice = Dice::new(30);
    for (n, byte) in film[begin..end].iter_mut().enumerate() {
        *byte = change(n as f64 / (end - begin) as f64, *byte, &mut dice);
    }
    film
}

fn media_len(film: &[u8]) -> usize {
    let at = place(film, b"mdat");
    u32::from_be_bytes(film[at..at + 4].try_into().unwrap()) as usize - 8
}

#[test]
fn what_nobody_can_follow_is_not_shown() {
    let lost = |name, bytes: Vec<u8>| (name, bytes, Lost);
    meet(vec![
        lost("media of zeros", bent(&MP4, |_, _, _| 0)),
        lost("media of noise", bent(&MP4, |_, _, dice| dice.roll(256) as u8)),
        lost(
            "every third byte is another",
            bent(&MP4, |_, byte, dice| if dice.roll(10) < 3 { dice.roll(256) as u8 } else { byte }),
        ),
        lost("a third is gone", bent(&MP4, |at, byte, _| if (0.3..0.63).contains(&at) { 0 } else { byte })),
        lost("holes all over it", bent(&MP4, |at, byte, _| if (at * 20.0).fract() < 0.3 { 0x5a } else { byte })),
        lost("a recording with holes", bent(&WEBM, |at, byte, _| if (at * 10.0).fract() < 0.4 { 0 } else { byte })),
        (
            "a recording with a third of other bytes",
            bent(&WEBM, |_, byte, dice| if dice.roll(10) < 3 { dice.roll(256) as u8 } else { byte }),
            Either,
        ),
        (
            "packets with a third of other bytes",
            bent(&TS, |_, byte, dice| if dice.roll(10) < 3 { dice.roll(256) as u8 } else { byte }),
            Either,
        ),
        (
            "Flash with a third of other bytes",
            bent(&FLV, |_, byte, dice| if dice.roll(10) < 3 { dice.roll(256) as u8 } else { byte }),
            Either,
        ),
        (
            "one byte in two thousand is another",
            bent(&MP4, |_, byte, dice| if dice.roll(2_000) == 0 { byte ^ 1 } else { byte }),
            Either,
        ),
    ]);
}

#[test]
fn pieces_in_the_wrong_place_are_judged_for_what_they_are() {
    let (index, media) = (place(&MP4, b"moov"), place(&MP4, b"mdat"));
    let twice = [&MP4[..], &MP4[index..]].concat();
    let hidden = [&MP4[..media], &boxed(b"mdat", &MP4[index..])].concat();
    let cases: Vec<Case> = vec![
        ("two indexes", twice, Plays),
        ("an index inside the media", hidden, Refused("not_a_video")),
        ("two films in one file", [&MP4[..], &MP4[..]].concat(), Plays),
        ("a film behind junk", [&noise(1_000, 40)[..], &MP4].concat(), Refused("not_a_video")),
        ("fragments behind a box of junk", [&boxed(b"free", &noise(1_000, 41))[..], &FRAGMENTED].concat(), Either),
        ("fragments without their head", FRAGMENTED[place(&FRAGMENTED, b"moof")..].to_vec(), Refused("not_a_video")),
        (
            "fragments the other way round",
            {
                let at = place(&FRAGMENTED, b"moof");
                let next = at + 8 + place(&FRAGMENTED[at + 8..], b"moof");
                [&FRAGMENTED[..at], &FRAGMENTED[next..], &FRAGMENTED[at..next]].concat()
            },
            Either,
        ),
        (
            "fragments without media",
            {
                let mut film = FRAGMENTED.clone();
                while let Some(at) = film.windows(4).position(|w| w == b"mdat") {
                    film[at..at + 4].copy_from_slice(b"free");
                }
                film
            },
            Refused("incomplete"),
        ),
        ("two recordings in one file", [&WEBM[..], &WEBM[..]].concat(), Plays),
        ("a recording behind packets", [&TS[..], &WEBM].concat(), Either),
    ];
    meet(cases);
}
