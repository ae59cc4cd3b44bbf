//! The words and rules of Weijia's domain, and their SQL. No HTTP, no ffmpeg.
//!
//! Each area folder holds its types and states (`mod.rs`), its pure decisions (`rules.rs`) and its SQL verbs on a
//! transaction (`sql.rs`). Verbs take `&mut Tx`, so what must be true together is committed together.

pub mod access;
pub mod account;
pub mod allocator;
pub mod audit;
pub mod caption;
pub mod clip;
pub mod coaching;
pub mod cohort;
pub mod content;
pub mod course;
pub mod db;
pub mod error;
pub mod growth;
pub mod ids;
pub mod installation;
pub mod job;
pub mod join;
pub mod person;
pub mod region;
pub mod review;
pub mod sheet;
pub mod size;
pub mod star;
#[cfg(test)]
mod states;
pub mod storage;
pub mod text;
pub mod time;
pub mod upkeep;
pub mod upload;
pub mod work_calendar;

pub use error::{Error, Result};
