//! The child and the CLI in turn on the same clip: processor time, until the first segment and until the end.

use super::clips::Clips;
use super::cost::Cost;
use super::job::{self, Walls};
use super::peer::{self, Way};
use crate::report::{Findings, median};
use crate::{Options, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Weijia,
    /// The same rungs.
    Cli(Way),
    /// One command for all rungs that there could be, until it has its first segment.
    WholeLadder,
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Contender::Weijia => "weijia-media",
            Contender::Cli(Way::Split) => "ffmpeg, one command",
            Contender::Cli(Way::OncePerRung) => "ffmpeg, once per rung",
            Contender::Cli(Way::CopiedTop) => "ffmpeg, copied top",
            Contender::WholeLadder => "ffmpeg, one command with 1080",
        }
    }
}

/// What everything that one contender made in one round cost.
struct Run {
    round: usize,
    contender: Contender,
    /// None where it was not let come to its end.
    cost: Option<Cost>,
    first_segment_cpu_s: Option<f64>,
}

pub fn reencode(options: &Options) -> Outcome<Findings> {
    let clips = Clips::new()?;
    let peers = [Contender::Cli(Way::Split), Contender::Cli(Way::OncePerRung), Contender::WholeLadder];
    let (runs, mut found) = rounds("phone clip", &clips.phone()?, peers, options)?;
    found.value("reencode_cpu_vs_split", ratio(&runs, peers[0], cpu));
    found.value("reencode_cpu_vs_once_per_rung", ratio(&runs, peers[1], cpu));
    found.value("first_segment_cpu_vs_whole_ladder", ratio(&runs, peers[2], first_segment));
    let peak = of(&runs, Contender::Weijia, |run| Some(run.cost?.peak_mb)).reduce(f64::max);
    found.value("peak_memory", peak.ok_or("no run".into()));
    Ok(found)
}

pub fn passthrough(options: &Options) -> Outcome<Findings> {
    let clips = Clips::new()?;
    let peers = [Contender::Cli(Way::Split), Contender::Cli(Way::CopiedTop)];
    let (runs, mut found) = rounds("app clip", &clips.app()?, peers, options)?;
    found.value("passthrough_cpu_vs_split", ratio(&runs, peers[0], cpu));
    found.value("passthrough_cpu_vs_copied_top", ratio(&runs, peers[1], cpu));
    Ok(found)
}

type Figure = fn(&Run) -> Option<f64>;

fn cpu(run: &Run) -> Option<f64> {
    run.cost.map(|cost| cost.cpu_s)
}

fn first_segment(run: &Run) -> Option<f64> {
    run.first_segment_cpu_s
}

fn of(runs: &[Run], contender: Contender, figure: Figure) -> impl Iterator<Item = f64> {
    runs.iter().filter(move |run| run.contender == contender).filter_map(figure)
}

/// Ours over theirs in the same round; of these the median.
fn ratio(runs: &[Run], peer: Contender, figure: Figure) -> Outcome<f64> {
    let theirs = |round: usize| runs.iter().find(|run| run.round == round && run.contender == peer).and_then(figure);
    let ours = runs.iter().filter(|run| run.contender == Contender::Weijia);
    let ratios = ours.filter_map(|run| Some(figure(run)? / theirs(run.round)?));
    median(ratios).ok_or_else(|| format!("no round of {} went through", peer.name()))
}

fn rounds<const N: usize>(
    name: &str,
    clip: &std::path::Path,
    peers: [Contender; N],
    options: &Options,
) -> Outcome<(Vec<Run>, Findings)> {
    let contenders: Vec<Contender> = [Contender::Weijia].into_iter().chain(peers).collect();
    let rungs = peer::rungs_like(&job::all(clip, Walls::Jailed)?)?;
    let mut runs = Vec::new();
    for round in 0..options.rounds {
        // Nobody is always the first.
        for turn in 0..contenders.len() {
            let contender = contenders[(round + turn) % contenders.len()];
            let (cost, first_segment_cpu_s) = match contender {
                Contender::Weijia => {
                    let made = job::all(clip, Walls::Jailed)?;
                    (Some(made.cost), made.first_segment_cpu_s)
                }
                Contender::Cli(way) => {
                    let made = peer::all(clip, way, &rungs)?;
                    (Some(made.cost), made.first_segment_cpu_s)
                }
                Contender::WholeLadder => (None, Some(peer::until_first_segment(clip, &peer::whole_ladder())?)),
            };
            let spent = cost.map(|cost| cost.cpu_s).or(first_segment_cpu_s).unwrap_or_default();
            eprintln!("{name}, round {round}: {} {spent:.2} s", contender.name());
            runs.push(Run { round, contender, cost, first_segment_cpu_s });
        }
    }
    let mut found = Findings::default();
    for contender in contenders {
        let title = |what: &str| format!("{name}, {}: {what}", contender.name());
        found.sample(title("processor time"), "s", of(&runs, contender, cpu));
        found.sample(title("wall"), "s", of(&runs, contender, |run| Some(run.cost?.wall_s)));
        found.sample(title("peak memory"), "MB", of(&runs, contender, |run| Some(run.cost?.peak_mb)));
        found.sample(title("processor time until the first segment"), "s", of(&runs, contender, first_segment));
    }
    found.samples.retain(|sample| !sample.runs.is_empty());
    Ok((runs, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let run = |round, contender, cpu_s| Run {
            round,
            contender,
            cost: Some(Cost { cpu_s, ..Cost::default() }),
            first_segment_cpu_s: None,
        };
        // The machine gets slower from round to round: the ratio does not.
        let ours = [(0, 9.0), (1, 18.0), (2, 36.0)].map(|(round, s)| run(round, Contender::Weijia, s));
        let theirs = [(2, 40.0), (0, 10.0), (1, 20.0)].map(|(round, s)| run(round, Contender::Cli(Way::Split), s));
        let runs: Vec<Run> = ours.into_iter().chain(theirs).collect();
        let split = Contender::Cli(Way::Split);
        assert_eq!(ratio(&runs, split, cpu), Ok(0.9));
        assert!(ratio(&runs, split, first_segment).is_err() && ratio(&runs, Contender::WholeLadder, cpu).is_err());
    }
}
