//! `weijia-bench media`: the child of the worker as the worker runs it, and FFmpeg's CLI, in turn, on the same clips.
//! Clocks of processors drift, so each round has every contender, and the value of a row is the median of the rounds'
//! ratios.

mod bar;
mod clips;
mod contest;
mod cost;
mod ffmpeg;
mod jail;
mod job;
mod overhead;
mod peer;
mod playable;
mod quality;
mod sync;

use crate::bar::{Row, Scenario};
use crate::report::{Findings, first_line};
use crate::{Options, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum MediaScenario {
    /// A phone's clip, of which every rung must be encoded: processor time and memory.
    Reencode,
    /// A clip that an app has exported, whose pictures may be passed through: processor time.
    Passthrough,
    /// What signals and thumbnails cost.
    Overhead,
    /// Quality and size next to the CLI's.
    Quality,
    /// Whether rungs begin together, and pictures with their sound.
    Sync,
    /// From the last byte until it plays: 30 H.264 clips of a phone.
    Playable,
    /// The same for 30 clips that no browser plays as they are.
    PlayableReencoded,
    /// The same while another has five hundred clips in line.
    PlayableInAQueue,
    /// What the jail costs.
    Jail,
}

impl Scenario for MediaScenario {
    const NAME: &'static str = "media";
    const BAR: &'static [Row<Self>] = bar::BAR;

    async fn measure(self, options: Options) -> Outcome<Findings> {
        match self {
            MediaScenario::Reencode => contest::reencode(&options),
            MediaScenario::Passthrough => contest::passthrough(&options),
            MediaScenario::Overhead => overhead::overhead(&options),
            MediaScenario::Quality => quality::quality(),
            MediaScenario::Sync => sync::sync(),
            MediaScenario::Playable => playable::playable(&options).await,
            MediaScenario::PlayableReencoded => playable::playable_reencoded(&options).await,
            MediaScenario::PlayableInAQueue => playable::playable_in_a_queue(&options).await,
            MediaScenario::Jail => jail::jail(&options),
        }
    }

    fn versions() -> Vec<(&'static str, String)> {
        vec![("ffmpeg", first_line("ffmpeg", "-version"))]
    }
}

/// One decoder or encoder of either contender gets as many threads as the worker gives to one on this machine.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8)
}
