//! Every figure that uploads and storage are held to.

use super::UploadScenario;
use crate::bar::Goal::{AtLeast, AtMost};
use crate::bar::{Row, row};

/// "reference" is @tus/server with @tus/s3-store, "raw" is multipart with aws-sdk-s3 and no server in between.
pub const BAR: &[Row<UploadScenario>] = &[
    row("large_speed_vs_raw", "1 × 1 GiB：速度，比直接用 SDK", "x", AtLeast(0.85), UploadScenario::Large),
    row("large_speed_vs_reference", "1 × 1 GiB：速度，比参照服务器", "x", AtLeast(1.8), UploadScenario::Large),
    row("many_speed_vs_raw", "32 × 32 MiB：速度，比直接用 SDK", "x", AtLeast(0.75), UploadScenario::Many),
    row("many_speed_vs_reference", "32 × 32 MiB：速度，比参照服务器", "x", AtLeast(2.0), UploadScenario::Many),
    row("cpu_vs_reference", "每 GiB 的处理器时间（含校验），比参照服务器", "x", AtMost(0.25), UploadScenario::Large),
    row("memory_1_client_vs_reference", "内存峰值，1 个人传，比参照服务器", "x", AtMost(0.5), UploadScenario::Large),
    row("memory_32_clients_vs_reference", "内存峰值，32 个人传，比参照服务器", "x", AtMost(0.7), UploadScenario::Many),
    row(
        "memory_256_slow_clients",
        "内存峰值，256 个人各 30 kB/s（内存池 48 + 64）",
        "MiB",
        AtMost(112.0),
        UploadScenario::Slow,
    ),
    row("resent_after_client_drop", "手机断线以后要重传的", "KiB", AtMost(64.0), UploadScenario::Resume),
    row("resent_after_server_kill", "服务器断电以后要重传的，按传了多久算", "s", AtMost(30.0), UploadScenario::Resume),
    row(
        "flaky_time_vs_ideal",
        "20 MiB，30 kB/s，每 20 秒断一次：时间，比不断线",
        "x",
        AtMost(1.15),
        UploadScenario::Flaky,
    ),
    row(
        "faulty_uploads",
        "两百次上传，到处出错：丢的、坏的、假完成的（没通过的检验）",
        "",
        AtMost(0.0),
        UploadScenario::Proofs,
    ),
    row("embedded_store_probe", "自带的对象存储：像不像 S3（没通过的检验）", "", AtMost(0.0), UploadScenario::Proofs),
    row(
        "embedded_store_race",
        "自带的对象存储：16 个人抢一个，只有一个赢（没通过的检验）",
        "",
        AtMost(0.0),
        UploadScenario::Proofs,
    ),
    row("embedded_store_kills", "自带的对象存储：断电两百次（没通过的检验）", "", AtMost(0.0), UploadScenario::Proofs),
    row("embedded_store_memory", "自带的对象存储：内存峰值", "MiB", AtMost(64.0), UploadScenario::Embedded),
];
