//! The embedded store from outside, as its clients meet it. One program: each would carry the whole client of S3.

mod access;
mod conditions;
mod durability;
mod kill_9;
mod listing;
mod multipart;
mod objects;
mod probe;
mod support;
mod sweeping;
