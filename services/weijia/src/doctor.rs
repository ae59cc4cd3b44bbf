//! `weijia doctor`: looks at this machine and says in a sentence what to do about each thing that is wrong.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;
use weijia_core::db::Db;
use weijia_core::installation;
use weijia_core::storage::Storage;
use weijia_core::time::At;

use crate::settings::Settings;
use crate::worker::LocalWorker;

/// Below this a day's uploads of one cohort may not fit.
const ENOUGH_DISK: u64 = 10 << 30;

struct Finding {
    name: &'static str,
    /// What was seen, or what to do about it.
    result: Result<String, String>,
}

pub async fn run(settings: &Settings) -> Result<ExitCode, String> {
    let mut findings = Vec::new();
    let mut look = |name, result| findings.push(Finding { name, result });
    let worker = worker_findings().await;
    look("ffmpeg", worker.ffmpeg);
    look("隔离", worker.jail);
    look("磁盘", disk(settings));
    let db = settings.open_database_unchanged().await;
    look("时钟", clock(db.as_ref().ok()).await);
    look("收拾", left_over(db.as_ref().ok()).await);
    look("数据库", database(settings, db));
    look("对象存储", store(settings).await);

    for finding in &findings {
        let (mark, words) = match &finding.result {
            Ok(words) => ("好  ", words),
            Err(words) => ("不行", words),
        };
        println!("{mark} {}：{words}", finding.name);
    }
    let bad = findings.iter().filter(|f| f.result.is_err()).count();
    if bad == 0 {
        println!("都好，可以开工。");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("有 {bad} 样不行，照上面说的做，再运行一次 weijia doctor。");
        Ok(ExitCode::FAILURE)
    }
}

struct WorkerFindings {
    ffmpeg: Result<String, String>,
    jail: Result<String, String>,
}

/// The worker looks at itself: this process links no ffmpeg and knows nothing of it.
async fn worker_findings() -> WorkerFindings {
    let program = match LocalWorker::program() {
        Ok(program) => program,
        Err(words) => return WorkerFindings { ffmpeg: Err(words.clone()), jail: Err(words) },
    };
    let run = tokio::process::Command::new(&program).arg("--check").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = match tokio::time::timeout(Duration::from_secs(30), run).await {
        Ok(Ok(output)) => output,
        _ => {
            let words = "weijia-media 运行不了：多半是缺 ffmpeg 的库。在项目里运行 make run，它会装好。".to_owned();
            return WorkerFindings { ffmpeg: Err(words.clone()), jail: Err(words) };
        }
    };
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let missing = |part: &str| -> Vec<String> {
        let entries = report[part].as_object().cloned().unwrap_or_default();
        if entries.is_empty() {
            return vec!["自检没有结果".into()];
        }
        entries.into_iter().filter(|(_, ok)| ok != &Value::Bool(true)).map(|(name, _)| name).collect()
    };
    let (ffmpeg, jail) = (missing("ffmpeg"), missing("jail"));
    WorkerFindings {
        ffmpeg: if ffmpeg.is_empty() {
            Ok("要用的编码、解码和滤镜都在".into())
        } else {
            Err(format!("缺少 {}。装发行版完整的 ffmpeg 库（apt install ffmpeg）再试。", ffmpeg.join("、")))
        },
        jail: if jail.is_empty() {
            Ok("片子在隔离的子进程里处理：不能联网，不能读别的文件".into())
        } else {
            Err(format!(
                "这些没有拦住：{}。内核要 5.13 以上并打开 landlock 和 seccomp；换新一点的系统内核。",
                jail.join("、")
            ))
        },
    }
}

fn disk(settings: &Settings) -> Result<String, String> {
    let data = settings.data_folder();
    let existing = data.ancestors().find(|p| p.exists() && !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let facts = rustix::fs::statvfs(existing)
        .map_err(|e| format!("看不到 {} 所在的磁盘：{e}。检查它挂上了没有。", existing.display()))?;
    let free = facts.f_bavail * facts.f_frsize;
    let words = format!("{} 还空着 {:.1} GB", data.display(), free as f64 / 1e9);
    if let Some(room) = settings.room()?.filter(|room| free <= room.keep_free) {
        let mark = room.keep_free as f64 / 1e9;
        return Err(format!(
            "{words}，少于 WEIJIA_KEEP_FREE 留的 {mark:.1} GB，现在不收片子（已经收下的都在）。清出地方来，会自己接着收。"
        ));
    }
    if free < ENOUGH_DISK {
        Err(format!("{words}，不够一个班用。清出 10 GB 以上，或把 WEIJIA_DATA 放到大一点的盘上。"))
    } else {
        Ok(words)
    }
}

async fn clock(db: Option<&Db>) -> Result<String, String> {
    let year = At::now().china_date().year();
    if !(2025..2100).contains(&year) {
        return Err(format!("这台机器说今年是 {year} 年。先把时间校准（timedatectl set-ntp true）。"));
    }
    let Some(db) = db else { return Ok(format!("今天是 {}", At::now().china_date())) };
    let there = async { db.read().await?.clock().await }
        .await
        .map_err(|e| format!("数据库说不出时间：{e}。先把数据库修好。"))?;
    let apart = (At::now() - there).0.abs();
    if apart > 5_000 {
        Err(format!("这台机器和数据库的时间差 {} 秒。两台都打开自动校时（timedatectl set-ntp true）。", apart / 1000))
    } else {
        Ok(format!("今天是 {}，和数据库一致", At::now().china_date()))
    }
}

fn database(settings: &Settings, db: Result<Db, String>) -> Result<String, String> {
    match db {
        Ok(db) => Ok(format!("连得上（{}）", db.kind())),
        // Nothing was ever kept here.
        Err(_) if settings.named_database().is_none() && !settings.secret_file().exists() => {
            Ok("还没有，第一次启动时建".into())
        }
        Err(words) => Err(words),
    }
}

/// What the last sweep left alone.
async fn left_over(db: Option<&Db>) -> Result<String, String> {
    let Some(db) = db else { return Ok("还没有数据库".into()) };
    let mut seen = [0_u64; 2];
    if let Ok(mut tx) = db.read().await {
        for (n, name) in seen.iter_mut().zip([installation::UNKNOWN, installation::HELD_BACK]) {
            let noted = installation::get(&mut tx, name).await.ok().flatten();
            *n = noted.and_then(|text| text.parse().ok()).unwrap_or(0);
        }
    }
    match seen {
        [0, 0] => Ok("没有多得不对劲的东西".into()),
        [0, n] => Err(format!("有 {n} 个没人要的对象，多得不对劲，没有收走。运行 weijia fsck 看看是什么。")),
        [n, _] => Err(format!(
            "存储里有 {n} 个对象，数据库不认识它们的片子：数据库不是最新的。先恢复备份，再 weijia fsck --rebuild。"
        )),
    }
}

async fn store(settings: &Settings) -> Result<String, String> {
    let Some(external) = settings.external_store()? else {
        return embedded_store(&settings.store_folder()).await;
    };
    let storage = Storage::connect(&external);
    storage.ensure_bucket().await.map_err(|e| {
        format!(
            "{} 的桶 {} 用不了：{e}。看看 S3_ENDPOINT、密钥、桶名和 S3_ADDRESSING。",
            external.endpoint, external.bucket
        )
    })?;
    Ok(format!("{} 的桶 {} 能用", external.endpoint, external.bucket))
}

async fn embedded_store(folder: &Path) -> Result<String, String> {
    if !folder.exists() {
        return Ok(format!("用自带的，第一次启动时建在 {}", folder.display()));
    }
    match weijia_store::EmbeddedStore::open_to_look(folder).await {
        Ok(store) => {
            let (damaged, unexplained) = (store.swept().missing, store.swept().unexplained);
            store.close().await;
            let folder = folder.display();
            if unexplained > 0 {
                Err(format!(
                    "{folder} 里有 {unexplained} 个文件，index.db 一个也不认识：它多半旧了，或者是别处的。文件都还在，\
                     一个也没有动；停下来，把和 blobs 一起备份的 index.db 放回来。"
                ))
            } else if damaged > 0 {
                Err(format!("{folder} 里有 {damaged} 个文件不见了。停下来，从备份把 store 文件夹拿回来。"))
            } else {
                Ok(format!("用自带的，{folder} 里的东西都在"))
            }
        }
        // The running server holds the folder, and looked at it when it started.
        Err(e) if e.kind() == std::io::ErrorKind::ResourceBusy => {
            Ok(format!("用自带的，weijia serve 正用着 {}", folder.display()))
        }
        // It says itself what to do.
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Err(format!("{e}。")),
        Err(e) => Err(format!("{} 用不了：{e}。看看权限和磁盘。", folder.display())),
    }
}
