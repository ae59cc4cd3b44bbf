//! Joining face to face. A class has a door that staff open for a while; four digits that are read out in the hall, or a
//! code on the wall, lead to it. Behind it, whoever is on the roster gets in with her phone number, or with the card that
//! was printed for her; anybody else waits until somebody who stands in that hall lets her in.
//!
//! `door` opens and closes it and finds it, `enter` lets people in, `request` is for those on no roster, `tries` bounds
//! guessing, `board` is what staff watch.

mod board;
mod door;
mod enter;
mod request;
mod rules;
#[cfg(test)]
mod tests;
pub mod tries;

pub use board::{Board, Card, PendingRequest, Seat, board, cards};
pub use door::{Found, Way, Window, close, find, of_cohort, open, wall_token};
pub use enter::{Answer, Entered, Entry, Who, ask, enter};
pub use request::{Approval, approve, cohort_of, reject};
pub use rules::{LONGEST, OPEN_FOR, Step};
