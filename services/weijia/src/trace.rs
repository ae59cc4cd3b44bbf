//! `weijia trace <clip>`: the story of one clip, from its first byte to her mentor's answer.

use std::process::ExitCode;

use weijia_core::clip;
use weijia_core::ids::ClipId;
use weijia_core::time::At;

use crate::settings::Settings;

pub async fn run(settings: &Settings, clip: &str) -> Result<ExitCode, String> {
    let id = clip_id(clip)?;
    let db = settings.open_database_unchanged().await?;
    let mut tx = db.read().await.map_err(|e| e.to_string())?;
    let story = clip::story::tell(&mut tx, &id).await.map_err(|e| match e {
        weijia_core::Error::NotFound => format!("数据库里没有 {id}。看看 --data 和 DATABASE_URL 指的是不是那一个。"),
        other => other.to_string(),
    })?;
    for event in story {
        println!("{}  {}", moment(event.at), event.words);
    }
    Ok(ExitCode::SUCCESS)
}

pub fn clip_id(text: &str) -> Result<ClipId, String> {
    text.parse().map_err(|_| format!("“{text}”不是片子的编号。编号以 clip_ 开头，在片子的网址里。"))
}

/// `2026-11-23 16:25:07.123`, in China.
fn moment(at: At) -> String {
    let day = at.0.rem_euclid(86_400_000);
    let (ms, date) = ((day + 8 * 3_600_000) % 86_400_000, at.china_date());
    format!("{date} {:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_chinese_time() {
        assert_eq!(moment(At(0)), "1970-01-01 08:00:00.000");
        assert_eq!(moment(At(1_767_196_799_999)), "2025-12-31 23:59:59.999");
        assert_eq!(moment(At(1_767_196_800_000)), "2026-01-01 00:00:00.000");
    }
}
