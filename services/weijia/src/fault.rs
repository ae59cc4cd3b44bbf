//! What to say when the database or the store fails a command, and what to do about it.

use weijia_core::{Error, db};

/// One sentence or two, with an end.
pub fn words(error: &Error) -> String {
    match error {
        Error::Db(error) if db::is_unbuilt(error) => "数据库没有，或者还没建好。有备份就先从备份恢复；没有备份就运行 \
             weijia fsck --rebuild，照存储里的说明把片子找回来。"
            .into(),
        Error::Db(error) => {
            format!("数据库出错了：{error}。看看数据库开着没有、地址和密码对不对、盘满了没有，再来一次。")
        }
        Error::Storage(error) => {
            format!("对象存储出错了：{error}。看看对象存储开着没有、地址和密钥对不对，再来一次。")
        }
        other => format!("{other}。看看服务的日志，再来一次。"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weijia_core::db::Db;
    use weijia_core::storage::StorageError;

    #[tokio::test]
    async fn a_lost_database_is_not_taken_for_a_lost_store() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("weijia.db").display());
        let missing = words(&Db::connect(&url).await.unwrap_err().into());
        assert!(missing.contains("备份") && missing.contains("fsck --rebuild"), "{missing}");
        assert!(!folder.path().join("weijia.db").exists());
        let db = Db::connect_or_create(&url).await.unwrap();
        let mut tx = db.read().await.unwrap();
        let unbuilt = weijia_core::installation::get(&mut tx, "store").await.unwrap_err();
        assert_eq!(words(&unbuilt), missing);
        let fault = words(&Error::Db(weijia_core::db::DbError::PoolTimedOut));
        assert!(fault.starts_with("数据库出错了"), "{fault}");
        assert!(words(&Error::Storage(StorageError::Transient("x".into()))).starts_with("对象存储出错了"));
    }
}
