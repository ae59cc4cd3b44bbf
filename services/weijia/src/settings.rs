//! Settings: flags and environment, read once and handed down. `weijia.example.env` explains each; a test holds the
//! two together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use url::Url;
use weijia_api::upload::Room;
use weijia_core::db::Db;
use weijia_core::size;
use weijia_core::storage::{Addressing, StorageSettings};
use weijia_core::upload::quota::Quota;

use crate::fault;

/// 微家：村里的短视频和直播，有老师陪着学。
#[derive(Parser)]
#[command(name = "weijia", version)]
pub struct Cli {
    #[command(flatten)]
    pub settings: Settings,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// 启动：接口、网页、自带的对象存储，和一个本机的 weijia-media
    Serve(ServeOptions),
    /// 把数据库升到这个版本的结构，然后退出
    Migrate,
    /// 请工作人员进来：给她一个省、市或县，打印密码；已经有她就换一个新密码
    Invite(InviteOptions),
    /// 讲一条片子从上传到点评的经过
    Trace {
        /// 片子的编号：clip_…
        clip: String,
    },
    /// 我们没做成的片子，用原片再做一次
    Retry {
        /// 片子的编号：clip_…
        clip: String,
    },
    /// 检查这台机器：ffmpeg、隔离、磁盘、时钟、数据库、对象存储，哪样不行就说怎么办
    Doctor,
    /// 对账：数据库里记的和存储里放的是不是一回事。没有不对返回 0，有不对返回 1，查不成返回 2
    Fsck(FsckOptions),
    /// 打印 OpenAPI 文档
    #[command(hide = true)]
    Openapi,
}

#[derive(Args)]
pub struct InviteOptions {
    /// 她的名字
    #[arg(long)]
    pub name: String,
    /// 她的手机号，用来登录
    #[arg(long)]
    pub phone: String,
    /// 她管的地方的区划代码：省 43，市 4 位，县 6 位
    #[arg(long)]
    pub region: String,
    /// 做系统管理员（管任务、存储和设置，看不到谁的片子），不做工作人员
    #[arg(long)]
    pub admin: bool,
}

#[derive(Args)]
pub struct FsckOptions {
    /// 能不丢东西就修好的都修好，修完再查一遍
    #[arg(long)]
    pub repair: bool,
    /// 数据库没了：照存储里的说明把片子找回来，已有的一行不动，可以反复做
    #[arg(long)]
    pub rebuild: bool,
    /// 把每条原片从头读到尾，核对哈希（慢）
    #[arg(long)]
    pub deep: bool,
    /// 没人要的东西放了多少分钟才算数；服务停着、没有人在传的时候可以写 0
    #[arg(long, default_value_t = 60, value_name = "分钟")]
    pub grace: u32,
    /// 结果写成一行 JSON，给程序看
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ServeOptions {
    /// 空数据库里放进演示的人和片子，登录方式打印在 ready 那一行
    #[arg(long)]
    pub demo: bool,
    /// 不在本机跑 weijia-media（另有机器跑）
    #[arg(long)]
    pub no_worker: bool,
}

#[derive(Args, Clone)]
pub struct Settings {
    /// 数据文件夹：数据库、对象存储、密钥都在里面
    #[arg(long = "data", env = "WEIJIA_DATA", default_value = "./data", global = true)]
    pub data: PathBuf,
    /// 网页和接口的地址；端口写 0 由系统挑
    #[arg(long, env = "WEIJIA_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub listen: String,
    /// 用户在浏览器里打开的地址（前面有域名或代理时写）
    #[arg(long, env = "WEIJIA_PUBLIC_URL", global = true)]
    pub public_url: Option<String>,
    /// 数据库：sqlite:路径 或 postgres://…；不写就用数据文件夹里的 SQLite
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,
    /// 外部 S3 的地址；不写就用自带的对象存储
    #[arg(long, env = "S3_ENDPOINT", global = true)]
    pub s3_endpoint: Option<String>,
    /// 桶的名字
    #[arg(long, env = "S3_BUCKET", default_value = "weijia", global = true)]
    pub s3_bucket: String,
    /// 桶名写在路径里还是域名里：path 或 virtual
    #[arg(long, env = "S3_ADDRESSING", default_value = "path", global = true)]
    pub s3_addressing: String,
    /// S3 的区域
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1", global = true)]
    pub aws_region: String,
    /// S3 的访问密钥编号
    #[arg(long, env = "AWS_ACCESS_KEY_ID", global = true, hide_env_values = true)]
    pub aws_access_key_id: Option<String>,
    /// S3 的访问密钥
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", global = true, hide_env_values = true)]
    pub aws_secret_access_key: Option<String>,
    /// 本安装的密钥文件（加密手机号、签播放地址）；几台机器一起跑时要用同一份
    #[arg(long, env = "WEIJIA_SECRET_FILE", global = true)]
    pub secret_file: Option<PathBuf>,
    /// 一条片子最大多少（2GB、500MB 这样写）
    #[arg(long, env = "WEIJIA_MAX_FILE", default_value = "2GB", value_parser = size::read, global = true)]
    pub max_file: i64,
    /// 一个人一天（从零点起）最多传多少
    #[arg(long, env = "WEIJIA_MAX_PER_DAY", default_value = "5GB", value_parser = size::read, global = true)]
    pub max_per_day: i64,
    /// 一个人一共最多放多少，收回的等原片不留了就不算
    #[arg(long, env = "WEIJIA_MAX_PER_PERSON", default_value = "20GB", value_parser = size::read, global = true)]
    pub max_per_person: i64,
    /// 用自带的存储时，盘上至少空着多少；再少就不收片子了，留给数据库和转码
    #[arg(long, env = "WEIJIA_KEEP_FREE", default_value = "2GB", value_parser = size::read, global = true)]
    pub keep_free: i64,
    /// 日志写成一行一个 JSON
    #[arg(long, global = true)]
    pub log_json: bool,
}

impl Settings {
    pub fn prepare_data_folder(&self) -> Result<(), String> {
        std::fs::create_dir_all(&self.data).map_err(|e| {
            format!("WEIJIA_DATA（--data）写的文件夹 {} 用不了：{e}。换一个能写的文件夹。", self.data.display())
        })
    }

    pub fn listen_address(&self) -> Result<SocketAddr, String> {
        self.listen
            .parse()
            .map_err(|_| format!("WEIJIA_LISTEN（--listen）写的“{}”不是地址。写成 127.0.0.1:8080 这样。", self.listen))
    }

    pub fn public_url(&self) -> Result<Option<Url>, String> {
        let Some(text) = self.public_url.as_deref().filter(|t| !t.is_empty()) else { return Ok(None) };
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
            _ => Err(format!(
                "WEIJIA_PUBLIC_URL（--public-url）写的“{text}”不是网址。写成 https://weijia.example.cn 这样。"
            )),
        }
    }

    /// The database that the settings name, where they name one.
    pub fn named_database(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|t| !t.is_empty())
    }

    pub fn database_url(&self) -> Result<String, String> {
        let Some(url) = self.named_database() else {
            return Ok(format!("sqlite:{}", self.data.join("weijia.db").display()));
        };
        if ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            Ok(url.to_owned())
        } else {
            Err("DATABASE_URL（--database-url）认不得。写成 sqlite:路径 或 postgres://用户:密码@地址/库名。".into())
        }
    }

    /// Opens the database as it is: for commands that only look or mend. Where there is none, none is made.
    pub async fn open_database_unchanged(&self) -> Result<Db, String> {
        Db::connect(&self.database_url()?).await.map_err(|e| fault::words(&e.into()))
    }

    pub async fn open_database(&self) -> Result<Db, String> {
        let db = Db::connect_or_create(&self.database_url()?)
            .await
            .map_err(|e| format!("DATABASE_URL 指的数据库连不上：{e}。看看数据库开着没有、地址和密码对不对。"))?;
        db.migrate()
            .await
            .map_err(|e| format!("数据库升级没有做完：{e}。数据没有动，备份后再试，或换回原来的版本。"))?;
        Ok(db)
    }

    /// The external store, or `None` for the embedded one.
    pub fn external_store(&self) -> Result<Option<StorageSettings>, String> {
        let addressing: Addressing = self.s3_addressing.parse().map_err(|_| {
            format!("S3_ADDRESSING（--s3-addressing）写的“{}”不对。只能写 path 或 virtual。", self.s3_addressing)
        })?;
        if self.s3_bucket.is_empty() {
            return Err("S3_BUCKET（--s3-bucket）是空的。写上桶的名字。".into());
        }
        let Some(endpoint) = self.s3_endpoint.as_deref().filter(|t| !t.is_empty()) else { return Ok(None) };
        if !Url::parse(endpoint).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host()) {
            return Err(format!(
                "S3_ENDPOINT（--s3-endpoint）写的“{endpoint}”不是网址。写成 https://s3.example.cn 这样。"
            ));
        }
        let needed = |value: &Option<String>, name: &str| {
            value.clone().filter(|t| !t.is_empty()).ok_or_else(|| format!("用外部 S3（S3_ENDPOINT）时还要写 {name}。"))
        };
        Ok(Some(StorageSettings {
            endpoint: endpoint.to_owned(),
            bucket: self.s3_bucket.clone(),
            region: self.aws_region.clone(),
            access_key: needed(&self.aws_access_key_id, "AWS_ACCESS_KEY_ID")?,
            secret_key: needed(&self.aws_secret_access_key, "AWS_SECRET_ACCESS_KEY")?,
            addressing,
        }))
    }

    pub fn quota(&self) -> Quota {
        let (per_day, per_person) = (self.max_per_day, self.max_per_person);
        // No file is told to come back tomorrow that would not fit then either.
        Quota { per_file: self.max_file.min(per_day).min(per_person), per_day, per_person }
    }

    /// The disk to keep an eye on: that of the embedded store.
    pub fn room(&self) -> Result<Option<Room>, String> {
        let keep_free = u64::try_from(self.keep_free).unwrap_or(0);
        let own = self.external_store()?.is_none();
        Ok(own.then(|| Room { folder: self.data.clone(), keep_free }))
    }

    pub fn secret_file(&self) -> PathBuf {
        self.secret_file.clone().unwrap_or_else(|| self.data.join("secret.key"))
    }

    pub fn store_folder(&self) -> PathBuf {
        self.data.join("store")
    }

    /// Where the embedded store of a running server listens, for the other commands of this program.
    pub fn store_address_file(&self) -> PathBuf {
        self.data.join("store.address")
    }

    pub fn scratch_folder(&self) -> PathBuf {
        self.data.join("scratch")
    }

    pub fn data_folder(&self) -> &Path {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn settings(args: &[&str]) -> Settings {
        let args = ["weijia", "migrate"].iter().chain(args);
        Cli::try_parse_from(args).unwrap().settings
    }

    /// Every setting in the example file exists, every setting that exists is in the file, and what the file shows as
    /// a default is the default.
    #[test]
    fn the_example_file_tells_the_truth() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weijia.example.env");
        let text = std::fs::read_to_string(path).unwrap();
        let shown: Vec<&str> = text
            .lines()
            .filter_map(|l| l.trim_start_matches('#').split_once('=').map(|(name, _)| name))
            .filter(|name| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            })
            .collect();
        let command = Cli::command();
        let mut real: Vec<&str> = command.get_arguments().filter_map(|a| a.get_env()?.to_str()).collect();
        let mut sorted = shown.clone();
        sorted.sort_unstable();
        real.sort_unstable();
        assert_eq!(sorted, real);
    }

    #[test]
    fn no_file_may_be_larger_than_what_a_day_or_a_person_holds() {
        let per_file = |args: &[&str]| settings(args).quota().per_file;
        assert_eq!(per_file(&["--max-file", "2GB", "--max-per-day", "1GB"]), 1_000_000_000);
        assert_eq!(per_file(&["--max-file", "2GB", "--max-per-person", "500MB"]), 500_000_000);
        assert_eq!(per_file(&["--max-file", "2GB"]), 2_000_000_000);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert!(settings(&["--listen", "nowhere"]).listen_address().unwrap_err().contains("WEIJIA_LISTEN"));
        assert!(settings(&["--public-url", "weijia"]).public_url().unwrap_err().contains("WEIJIA_PUBLIC_URL"));
        assert!(settings(&["--database-url", "mysql://x"]).database_url().unwrap_err().contains("DATABASE_URL"));
        assert!(settings(&["--s3-endpoint", "x"]).external_store().unwrap_err().contains("S3_ENDPOINT"));
        assert!(settings(&["--s3-addressing", "x"]).external_store().unwrap_err().contains("S3_ADDRESSING"));
        let keyless = settings(&[
            "--s3-endpoint",
            "http://127.0.0.1:3900",
            "--aws-access-key-id",
            "a",
            "--aws-secret-access-key",
            "",
        ]);
        assert!(keyless.external_store().unwrap_err().contains("AWS_SECRET_ACCESS_KEY"));
    }

    #[test]
    fn without_settings_everything_lives_in_the_data_folder() {
        let settings = settings(&["--data", "/tmp/x"]);
        assert_eq!(settings.database_url().unwrap(), "sqlite:/tmp/x/weijia.db");
        assert!(settings.external_store().unwrap().is_none());
        assert_eq!(settings.secret_file(), Path::new("/tmp/x/secret.key"));
        assert_eq!(settings.quota(), Quota::default());
        assert_eq!(settings.room().unwrap().unwrap().keep_free, 2_000_000_000);
    }
}
