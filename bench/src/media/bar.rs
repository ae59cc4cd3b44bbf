//! Every figure that the media worker is held to. "CLI" is FFmpeg's own command with the same settings of x264.

use super::MediaScenario::{
    self, Jail, Overhead, Passthrough, Playable, PlayableInAQueue, PlayableReencoded, Quality, Reencode, Sync,
};
use crate::bar::Goal::AtMost;
use crate::bar::{Row, row};

pub const BAR: &[Row<MediaScenario>] = &[
    row("reencode_cpu_vs_split", "全部重新编码：处理器时间，比 CLI 一条命令", "x", AtMost(0.92), Reencode),
    row("reencode_cpu_vs_once_per_rung", "全部重新编码：处理器时间，比 CLI 一档一条命令", "x", AtMost(0.7), Reencode),
    row(
        "first_segment_cpu_vs_whole_ladder",
        "第一段 480 出来时：处理器时间，比 CLI 连 1080 一起做的第一段",
        "x",
        AtMost(0.3),
        Reencode,
    ),
    row("peak_memory", "内存峰值，一条 1080p 的片子", "MB", AtMost(500.0), Reencode),
    row("passthrough_cpu_vs_split", "原样能用的片子：处理器时间，比 CLI 全部重新编码", "x", AtMost(0.45), Passthrough),
    row(
        "passthrough_cpu_vs_copied_top",
        "原样能用的片子：处理器时间，比 CLI 照抄最高一档",
        "x",
        AtMost(0.85),
        Passthrough,
    ),
    row("signals_and_thumbnails", "量光线和声音、做缩略图：占处理器时间", "%", AtMost(2.0), Overhead),
    row("ssim_from_cli", "画质：和 CLI 最多差多少 SSIM", "", AtMost(0.002), Quality),
    row("bytes_from_cli", "大小：和 CLI 最多差多少", "%", AtMost(2.0), Quality),
    row("stored_vs_source", "做出来要存的（不算原片），比原片", "x", AtMost(1.6), Quality),
    row("start_skew", "各档的第一个画面最多差多少", "ms", AtMost(1.0), Sync),
    row("sound_offset", "声音和画面最多差多少", "ms", AtMost(40.0), Sync),
    row("playable_p50", "传完到能放，手机拍的 H.264：中位数", "s", AtMost(1.0), Playable),
    row("playable_p95", "传完到能放，手机拍的 H.264：第 95 百分位", "s", AtMost(2.5), Playable),
    row("playable_reencoded_p50", "传完到能放，要先重新编码的：中位数", "s", AtMost(3.0), PlayableReencoded),
    row("playable_reencoded_p95", "传完到能放，要先重新编码的：第 95 百分位", "s", AtMost(8.0), PlayableReencoded),
    row("playable_in_a_queue_p95", "传完到能放，别人排着五百条：第 95 百分位", "s", AtMost(5.0), PlayableInAQueue),
    row("jail_wall", "隔离着做要多少时间，比不隔离", "x", AtMost(1.03), Jail),
];
