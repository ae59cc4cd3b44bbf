//! Hints about how a clip was filmed: what the worker measured, turned by a table of rules into at most three sentences
//! with their place. Hints, never scores.

pub mod rules;

pub use rules::{Hint, Rule, Rules, hints};
