//! What was measured: as a table for people and as JSON.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::Outcome;
use crate::bar::{Row, Scenario};

/// What a scenario found out.
#[derive(Default)]
pub struct Findings {
    pub values: Vec<(&'static str, Outcome<f64>)>,
    pub samples: Vec<Sample>,
}

/// One figure as each round saw it: what the rows are computed from.
#[derive(Serialize)]
pub struct Sample {
    pub name: String,
    pub unit: &'static str,
    pub runs: Vec<f64>,
}

impl Findings {
    pub fn value(&mut self, name: &'static str, value: Outcome<f64>) {
        self.values.push((name, value));
    }

    pub fn sample(&mut self, name: impl Into<String>, unit: &'static str, runs: impl Iterator<Item = f64>) {
        self.samples.push(Sample { name: name.into(), unit, runs: runs.map(rounded).collect() });
    }
}

/// The middle one; of an even number the lower of the two.
pub fn median(runs: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut runs: Vec<f64> = runs.into_iter().collect();
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len().checked_sub(1)? / 2).copied()
}

#[derive(Serialize)]
pub struct Report {
    rows: Vec<Measured>,
    samples: Vec<Sample>,
    machine: Machine,
}

#[derive(Serialize)]
struct Measured {
    name: &'static str,
    value: Option<f64>,
    goal: String,
    unit: &'static str,
    met: bool,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip)]
    title: &'static str,
}

impl Report {
    pub fn new<S: Scenario>(scenarios: &[S], findings: Vec<Findings>) -> Report {
        let (mut values, mut samples) = (Vec::new(), Vec::new());
        for found in findings {
            values.extend(found.values);
            samples.extend(found.samples);
        }
        let rows = S::BAR.iter().filter(|row| scenarios.contains(&row.from)).map(|row| {
            let found = values.iter().find(|(name, _)| *name == row.name);
            measured(row, found.map_or(Err("not measured".into()), |(_, value)| value.clone()))
        });
        Report { rows: rows.collect(), samples, machine: Machine::look(S::versions()) }
    }

    pub fn is_complete(&self) -> bool {
        self.rows.iter().all(|row| row.value.is_some())
    }

    pub fn write(&self, path: &Path) -> Outcome<()> {
        let text = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text + "\n")).map_err(|e| e.to_string())
    }

    pub fn print(&self) {
        let mut table = vec![["".to_owned(), "测得".into(), "目标".into(), "单位".into(), "".into()]];
        table.extend(self.rows.iter().map(|row| {
            let value = row.value.map_or("—".to_owned(), |value| value.to_string());
            let met = if row.met { "✓" } else { "✗" };
            [row.title.to_owned(), value, row.goal.clone(), row.unit.to_owned(), met.to_owned()]
        }));
        println!();
        print_table(&table);
        for row in &self.rows {
            if let Some(reason) = &row.reason {
                println!("{}：没有测到：{reason}", row.title);
            }
        }
        let mut table = vec![["每一轮".to_owned(), "中位数".into(), "单位".into(), "各轮".into(), "".into()]];
        table.extend(self.samples.iter().map(|sample| {
            let middle = median(sample.runs.iter().copied()).map_or("—".to_owned(), |m| m.to_string());
            let runs = sample.runs.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
            [sample.name.clone(), middle, sample.unit.to_owned(), runs, "".into()]
        }));
        println!();
        print_table(&table);
        let Machine { cpu, cores, memory_mib, kernel, .. } = &self.machine;
        println!("\n{cpu}，{cores} 核，内存 {memory_mib} MiB，Linux {kernel}");
    }
}

fn measured<S>(row: &Row<S>, value: Outcome<f64>) -> Measured {
    let met = value.as_ref().is_ok_and(|value| row.goal.is_met(*value));
    let (value, reason) = match value {
        Ok(value) => (Some(rounded(value)), None),
        Err(reason) => (None, Some(reason)),
    };
    Measured { name: row.name, value, goal: row.goal.to_string(), unit: row.unit, met, reason, title: row.title }
}

fn rounded(value: f64) -> f64 {
    let to = match value.abs() {
        ..0.1 => 100_000.0,
        ..10.0 => 1000.0,
        _ => 10.0,
    };
    (value * to).round() / to
}

fn print_table<const N: usize>(table: &[[String; N]]) {
    let widths: [usize; N] = std::array::from_fn(|i| table.iter().map(|row| width(&row[i])).max().unwrap_or(0));
    for row in table {
        let cells = row.iter().zip(widths).map(|(text, wide)| format!("{text}{}", " ".repeat(wide - width(text))));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Columns on a terminal: a Chinese character and its punctuation take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if ('\u{2e80}'..='\u{ffef}').contains(&c) { 2 } else { 1 }).sum()
}

#[derive(Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    date: String,
    versions: BTreeMap<&'static str, String>,
}

impl Machine {
    fn look(others: Vec<(&'static str, String)>) -> Machine {
        let field = |file: &str, name: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = field("/proc/meminfo", "MemTotal");
        let own = [("weijia", env!("CARGO_PKG_VERSION").to_owned()), ("rustc", first_line("rustc", "--version"))];
        Machine {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory.trim_end_matches(" kB").parse::<u64>().unwrap_or(0) >> 10,
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            date: jiff::Timestamp::now().to_string(),
            versions: own.into_iter().chain(others).collect(),
        }
    }
}

pub fn first_line(program: impl AsRef<OsStr>, argument: &str) -> String {
    let said = Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaScenario;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0]), Some(1.0));
        assert_eq!(median([]), None);
    }

    #[test]
    fn a_row_without_a_value_says_why() {
        let first = &MediaScenario::BAR[0];
        let failed = Findings { values: vec![(first.name, Err("no film".into()))], samples: Vec::new() };
        let report = Report::new(&[first.from], vec![failed]);
        assert_eq!((report.rows[0].value, report.rows[0].reason.as_deref()), (None, Some("no film")));
        assert!(!report.is_complete());
    }

    #[test]
    fn a_figure_keeps_what_tells_it_from_its_goal() {
        assert_eq!([1234.567, 2.345_67, 0.000_312_3, 0.0].map(rounded), [1234.6, 2.346, 0.000_31, 0.0]);
    }

    #[test]
    fn chinese_is_twice_as_wide() {
        assert_eq!(width("32 × 人："), 9);
    }
}
