//! Hints about how a clip was filmed: what the worker measured, turned by a table of rules into at most three sentences
//! with their place. Hints, never scores. The table is `content/coaching.json`, and what staff have set otherwise for the
//! clips of their region.

pub mod rules;
mod table;

pub use rules::{Condition, Hint, Measure, Rule, Rules, hints};
pub use table::{Change, above, change, of_clip, of_region, own, reset};
