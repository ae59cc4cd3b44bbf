//! Films that become playable, each as some phone, camera, browser or editor leaves it. Every one goes through the same
//! look: upright, whole, in time, as ffmpeg's own command shows it.

mod codecs;
mod colours;
mod containers;
mod film;
#[path = "../kit/mod.rs"]
mod kit;
mod sound;
mod times;
mod tracks;
mod turns;

use film::{Film, all_play};
