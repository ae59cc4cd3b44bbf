//! `weijia serve --demo`: an empty database becomes a class in its third week, so that no page is empty.
//!
//! Each step looks first whether it was done: a demonstration that was interrupted goes on where it was.

mod people;
mod story;
mod visitor;

use std::path::Path;

use axum::Router;
use weijia_api::AppState;

use crate::secret::Secret;
pub use people::Person;
use people::{People, Stage};

/// The people to sign in as, or `None` where the database belongs to somebody else.
pub async fn fill(
    state: &AppState,
    app: Router,
    secret: &Secret,
    has_worker: bool,
    scratch: &Path,
) -> Result<Option<Vec<Person>>, String> {
    let people = People::cast(&format!("gui-hua-{}", &secret.derive("demo password")[..4]));
    let stage = people::let_in(&state.db, &state.keys, &state.hasher, &people)
        .await
        .map_err(|e| format!("演示的人没放进去：{e}"))?;
    match stage {
        Stage::NotOurs => {
            tracing::warn!("数据库里已经有人了，没有放演示数据（--demo 只用于空的数据文件夹）");
            return Ok(None);
        }
        Stage::People if has_worker => {
            tracing::info!("正在准备演示：建班、传一条片子、点评");
            story::tell(&app, &people, scratch)
                .await
                .map_err(|e| format!("演示数据没放完：{e}。再启动一次会接着放。"))?;
            people::done(&state.db).await.map_err(|e| e.to_string())?;
        }
        Stage::People => tracing::warn!("没有 weijia-media，演示只放了人，没有片子"),
        Stage::Done => {}
    }
    Ok(Some(people.all().cloned().collect()))
}
