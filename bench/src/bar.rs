//! A bar: the figures that a part of the platform is held to, and the scenarios that measure them.

use crate::report::Findings;
use crate::{Options, Outcome};

/// What is measured in one go, for some rows of a bar.
pub trait Scenario: clap::ValueEnum + Copy + PartialEq + std::fmt::Debug + Send + 'static {
    /// The results lie in `target/bench/<name>.json`.
    const NAME: &'static str;
    const BAR: &'static [Row<Self>];

    fn measure(self, options: Options) -> impl Future<Output = Outcome<Findings>> + Send;

    /// Takes long because it is slow on purpose: may run beside others of its kind.
    fn is_slow_on_purpose(self) -> bool {
        false
    }

    /// The programs that were measured against.
    fn versions() -> Vec<(&'static str, String)>;
}

pub struct Row<S> {
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    pub unit: &'static str,
    pub goal: Goal,
    pub from: S,
}

pub const fn row<S: Copy>(name: &'static str, title: &'static str, unit: &'static str, goal: Goal, from: S) -> Row<S> {
    Row { name, title, unit, goal, from }
}

#[derive(Debug, Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Goal::AtLeast(least) => value >= least,
            Goal::AtMost(most) => value <= most,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Goal::AtLeast(least) => write!(f, ">= {least}"),
            Goal::AtMost(most) => write!(f, "<= {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::media::MediaScenario;
    use crate::upload::UploadScenario;

    fn is_measured_row_by_row<S: Scenario>() {
        let names: HashSet<&str> = S::BAR.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), S::BAR.len(), "{}: a name is there twice", S::NAME);
        for scenario in S::value_variants() {
            assert!(S::BAR.iter().any(|row| row.from == *scenario), "{scenario:?} measures nothing");
        }
    }

    #[test]
    fn every_scenario_measures_rows_of_their_own() {
        is_measured_row_by_row::<UploadScenario>();
        is_measured_row_by_row::<MediaScenario>();
    }
}
