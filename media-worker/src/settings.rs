//! Flags and environment, read once.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use weijia_core::storage::{Addressing, StorageSettings};

/// 处理片子的工人：取活、在隔离的子进程里转码、把做好的放进对象存储。
#[derive(Parser)]
#[command(version)]
pub struct Settings {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// 数据库地址：sqlite:文件 或 postgres://…
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// 对象存储地址，比如 http://127.0.0.1:9000
    #[arg(long, env = "S3_ENDPOINT")]
    s3_endpoint: Option<String>,
    /// 桶名
    #[arg(long, env = "S3_BUCKET", default_value = "weijia")]
    s3_bucket: String,
    /// 桶名写在路径里（path）还是域名里（virtual）
    #[arg(long, env = "S3_ADDRESSING", default_value = "path")]
    s3_addressing: Addressing,
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    aws_region: String,
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide_env_values = true)]
    aws_access_key_id: Option<String>,
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    aws_secret_access_key: Option<String>,

    /// 临时文件夹；每个活一个子文件夹，做完就删
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// 同时让几条片子放得出来；另有同样多的手在后面做各档清晰度
    #[arg(long, default_value_t = 1)]
    pub concurrency: usize,
    /// 一个编码器用几个线程；不写就按这台机器的核数
    #[arg(long)]
    threads: Option<u32>,
    /// 日志写成一行一个 JSON
    #[arg(long)]
    log_json: bool,
    /// 自检 ffmpeg 和隔离，把结果写成一行 JSON，然后结束
    #[arg(long)]
    pub check: bool,
    /// 标准输入一关就结束：上级进程没了，它也不留
    #[arg(long)]
    pub parent_watch: bool,
    /// 不隔离就打开片子。只在内核没有 Landlock 的机器上、只对信得过的片子用
    #[arg(long)]
    pub unjailed: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// 在隔离里处理一个文件；由工人自己启动
    #[command(hide = true)]
    Job {
        #[arg(long)]
        spec: PathBuf,
        #[arg(long)]
        unjailed: bool,
    },
    /// 画一条短短的竖屏样片
    Sample { file: PathBuf },
}

fn needed<'a>(value: &'a Option<String>, name: &str) -> Result<&'a str, String> {
    value
        .as_deref()
        .filter(|v| !v.is_empty())
        .ok_or_else(|| format!("没有设 {name}。设好再启动，或者用 weijia serve，它会带好。"))
}

impl Settings {
    pub fn database_url(&self) -> Result<&str, String> {
        needed(&self.database_url, "DATABASE_URL")
    }

    pub fn store(&self) -> Result<StorageSettings, String> {
        Ok(StorageSettings {
            endpoint: needed(&self.s3_endpoint, "S3_ENDPOINT")?.to_owned(),
            bucket: self.s3_bucket.clone(),
            region: self.aws_region.clone(),
            access_key: needed(&self.aws_access_key_id, "AWS_ACCESS_KEY_ID")?.to_owned(),
            secret_key: needed(&self.aws_secret_access_key, "AWS_SECRET_ACCESS_KEY")?.to_owned(),
            addressing: self.s3_addressing,
        })
    }

    pub fn scratch_folder(&self) -> PathBuf {
        self.scratch.clone().unwrap_or_else(|| std::env::temp_dir().join("weijia-media"))
    }

    pub fn threads(&self) -> u32 {
        let cores = || std::thread::available_parallelism().map_or(2, |n| n.get() as u32);
        self.threads.unwrap_or_else(|| (cores() / self.concurrency.max(1) as u32).clamp(1, 8))
    }

    /// To stderr; stdout belongs to answers.
    pub fn log(&self) {
        let filter = EnvFilter::try_from_env("RUST_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
        if self.log_json { log.json().init() } else { log.init() }
    }
}
