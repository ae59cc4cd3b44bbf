//! `weijia retry <clip>`: makes what we did not get done of a clip once more, when the reason is mended.

use std::process::ExitCode;

use weijia_core::clip::publish;
use weijia_core::time::At;

use crate::settings::Settings;
use crate::trace::clip_id;

pub async fn run(settings: &Settings, clip: &str) -> Result<ExitCode, String> {
    let id = clip_id(clip)?;
    let db = settings.open_database_unchanged().await?;
    let mut tx = db.write().await.map_err(|e| e.to_string())?;
    let again = publish::retry(&mut tx, At::now(), &id).await.map_err(|e| match e {
        weijia_core::Error::NotFound => format!("数据库里没有 {id}。看看 --data 和 DATABASE_URL 指的是不是那一个。"),
        other => other.to_string(),
    })?;
    tx.commit().await.map_err(|e| e.to_string())?;
    db.close().await;
    if again == 0 {
        return Err(format!("{id} 没有要重做的：要么已经好了，要么原片不在了。weijia trace {id} 讲它的经过。"));
    }
    println!("{id} 重新排上了（{again} 版）。过一会儿用 weijia trace {id} 看。");
    Ok(ExitCode::SUCCESS)
}
