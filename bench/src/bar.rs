//! The bar: every figure that uploads and storage are held to, and the scenario that measures it.

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// One client sends 1 GiB.
    Large,
    /// 32 clients send 32 MiB each at the same time.
    Many,
    /// 256 clients send 30 kB/s each.
    Slow,
    /// Clients that vanish, and a server that is killed.
    Resume,
    /// 20 MiB at 30 kB/s over a network that resets every 20 s.
    Flaky,
    /// The embedded store, alone in a process.
    Embedded,
    /// What tests prove: faults, kills, the probe of S3.
    Proofs,
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

pub struct Row {
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    pub unit: &'static str,
    pub goal: Goal,
    pub from: Scenario,
}

/// "reference" is @tus/server with @tus/s3-store, "raw" is multipart with aws-sdk-s3 and no server in between.
pub const BAR: &[Row] = &[
    row("large_speed_vs_raw", "1 × 1 GiB：速度，比直接用 SDK", "x", AtLeast(0.85), Scenario::Large),
    row("large_speed_vs_reference", "1 × 1 GiB：速度，比参照服务器", "x", AtLeast(1.8), Scenario::Large),
    row("many_speed_vs_raw", "32 × 32 MiB：速度，比直接用 SDK", "x", AtLeast(0.75), Scenario::Many),
    row("many_speed_vs_reference", "32 × 32 MiB：速度，比参照服务器", "x", AtLeast(2.0), Scenario::Many),
    row("cpu_vs_reference", "每 GiB 的处理器时间（含校验），比参照服务器", "x", AtMost(0.25), Scenario::Large),
    row("memory_1_client_vs_reference", "内存峰值，1 个人传，比参照服务器", "x", AtMost(0.5), Scenario::Large),
    row("memory_32_clients_vs_reference", "内存峰值，32 个人传，比参照服务器", "x", AtMost(0.7), Scenario::Many),
    row(
        "memory_256_slow_clients",
        "内存峰值，256 个人各 30 kB/s（内存池 48 + 64）",
        "MiB",
        AtMost(112.0),
        Scenario::Slow,
    ),
    row("resent_after_client_drop", "手机断线以后要重传的", "KiB", AtMost(64.0), Scenario::Resume),
    row("resent_after_server_kill", "服务器断电以后要重传的，按传了多久算", "s", AtMost(30.0), Scenario::Resume),
    row("flaky_time_vs_ideal", "20 MiB，30 kB/s，每 20 秒断一次：时间，比不断线", "x", AtMost(1.15), Scenario::Flaky),
    row(
        "faulty_uploads",
        "两百次上传，到处出错：丢的、坏的、假完成的（没通过的检验）",
        "",
        AtMost(0.0),
        Scenario::Proofs,
    ),
    row("embedded_store_probe", "自带的对象存储：像不像 S3（没通过的检验）", "", AtMost(0.0), Scenario::Proofs),
    row(
        "embedded_store_race",
        "自带的对象存储：16 个人抢一个，只有一个赢（没通过的检验）",
        "",
        AtMost(0.0),
        Scenario::Proofs,
    ),
    row("embedded_store_kills", "自带的对象存储：断电两百次（没通过的检验）", "", AtMost(0.0), Scenario::Proofs),
    row("embedded_store_memory", "自带的对象存储：内存峰值", "MiB", AtMost(64.0), Scenario::Embedded),
];

use Goal::{AtLeast, AtMost};

const fn row(name: &'static str, title: &'static str, unit: &'static str, goal: Goal, from: Scenario) -> Row {
    Row { name, title, unit, goal, from }
}
