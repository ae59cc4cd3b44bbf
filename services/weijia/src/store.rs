//! The object store of this installation: our own on loopback, or the one that the settings name.

use std::io::ErrorKind;
use std::path::Path;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weijia_core::db::Db;
use weijia_core::installation;
use weijia_core::storage::{Addressing, Storage, StorageError, StorageSettings, keys};
use weijia_store::EmbeddedStore;

use crate::fault;
use crate::secret::Secret;
use crate::settings::Settings;

/// Starts the one that this program carries, and notes where it listens.
pub async fn embedded(
    settings: &Settings,
    secret: &Secret,
    stopping: CancellationToken,
) -> Result<(StorageSettings, JoinHandle<()>), String> {
    let opened = EmbeddedStore::open(&settings.store_folder()).await.map_err(|e| fault(settings, &e))?;
    serve(opened, settings, secret, stopping).await
}

fn fault(settings: &Settings, error: &std::io::Error) -> String {
    match error.kind() {
        // It says itself what to do.
        ErrorKind::InvalidData => format!("自带的对象存储没有打开：{error}。"),
        ErrorKind::ResourceBusy => format!(
            "自带的对象存储正被另一个程序用着：{}。是 weijia fsck 就等它查完；是另一个 weijia serve，就先停掉它。",
            settings.store_folder().display()
        ),
        _ => format!("自带的对象存储起不来：{error}。看看 {} 的权限和磁盘。", settings.store_folder().display()),
    }
}

async fn serve(
    opened: EmbeddedStore,
    settings: &Settings,
    secret: &Secret,
    stopping: CancellationToken,
) -> Result<(StorageSettings, JoinHandle<()>), String> {
    let fault = |e| fault(settings, &e);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    std::fs::write(settings.store_address_file(), address.to_string()).map_err(fault)?;
    let store = at(settings, secret, &address.to_string());
    let (access, hidden) = (store.access_key.clone(), store.secret_key.clone());
    let task = tokio::spawn(async move { opened.serve(listener, &access, &hidden, stopping).await });
    Ok((store, task))
}

/// The embedded store at an address. Its keys are derived, not stored: whoever can read the secret may read the store,
/// and nobody else.
fn at(settings: &Settings, secret: &Secret, address: &str) -> StorageSettings {
    StorageSettings {
        endpoint: format!("http://{address}"),
        bucket: settings.s3_bucket.clone(),
        region: settings.aws_region.clone(),
        access_key: secret.derive("store access key")[..20].to_owned(),
        secret_key: secret.derive("store secret key"),
        addressing: Addressing::Path,
    }
}

/// The store for a command beside the server: the external one, that of the running server, or the embedded one opened
/// for as long as the command lasts, which sweeps nothing: who looks for what is wrong must find it as it is.
pub struct Reached {
    pub storage: Storage,
    own: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Reached {
    /// `secret`: how to come by the keys of the embedded store.
    pub async fn reach(settings: &Settings, secret: fn(&Path) -> Result<Secret, String>) -> Result<Reached, String> {
        if let Some(external) = settings.external_store()? {
            return Ok(Reached { storage: Storage::connect(&external), own: None });
        }
        if !settings.store_folder().exists() {
            return Err(format!(
                "{} 里没有对象存储。看看 --data 指的是不是那个文件夹；用外部存储就写 S3_ENDPOINT。",
                settings.data_folder().display()
            ));
        }
        let secret = secret(&settings.secret_file())?;
        let stopping = CancellationToken::new();
        match EmbeddedStore::open_to_look(&settings.store_folder()).await {
            Ok(opened) => {
                let (place, task) = serve(opened, settings, &secret, stopping.clone()).await?;
                Ok(Reached { storage: Storage::connect(&place), own: Some((stopping, task)) })
            }
            // Somebody holds the folder: the server, which has noted where it listens.
            Err(error) => match std::fs::read_to_string(settings.store_address_file()) {
                Ok(address) if error.kind() == ErrorKind::ResourceBusy => {
                    Ok(Reached { storage: Storage::connect(&at(settings, &secret, address.trim())), own: None })
                }
                _ => Err(fault(settings, &error)),
            },
        }
    }

    pub async fn close(self) {
        if let Some((stopping, task)) = self.own {
            stopping.cancel();
            let _ = task.await;
        }
    }
}

/// Whether this bucket is the one that the database speaks of. Looking into another one, everything would seem lost.
pub async fn is_the_one(storage: &Storage, db: &Db) -> Result<(), String> {
    let fault = |e: weijia_core::Error| fault::words(&e);
    let mut tx = db.read().await.map_err(|e| fault(e.into()))?;
    let Some(known) = installation::get(&mut tx, "store").await.map_err(fault)? else { return Ok(()) };
    match storage.get(keys::STORE).await {
        Ok(found) if found == known.as_bytes() => Ok(()),
        Ok(_) | Err(StorageError::NotFound) => Err(elsewhere()),
        Err(e) => Err(fault(e.into())),
    }
}

/// A database remembers which bucket its keys speak of. A second machine with a store of its own, or a setting that
/// leads elsewhere, would take films that nobody finds again. `name` is what a bucket without a name is called.
pub async fn belongs_to(storage: &Storage, db: &Db, name: &str) -> Result<(), String> {
    let fault = |e: weijia_core::Error| fault::words(&e);
    let found = match storage.get(keys::STORE).await {
        Ok(found) => String::from_utf8_lossy(&found).into_owned(),
        Err(StorageError::NotFound) => {
            let mut tx = db.read().await.map_err(|e| fault(e.into()))?;
            if installation::has_objects(&mut tx).await.map_err(fault)? {
                return Err(elsewhere());
            }
            storage.put(keys::STORE, "text/plain", name.to_owned()).await.map_err(|e| fault(e.into()))?;
            name.to_owned()
        }
        Err(e) => return Err(fault(e.into())),
    };
    let known = installation::remember(db, "store", &found).await.map_err(fault)?;
    if known == found { Ok(()) } else { Err(elsewhere()) }
}

fn elsewhere() -> String {
    "这个数据库的片子放在另一个对象存储里。几台机器共用一个数据库时，每台都要写同样的 S3_ENDPOINT 和 S3_BUCKET；\
     搬了家就把桶里的东西全搬来。"
        .into()
}

#[cfg(test)]
mod tests {
    use weijia_core::db::testing;

    use super::*;

    async fn bucket(folder: &std::path::Path, name: &str) -> Storage {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let storage = Storage::connect(&StorageSettings {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            bucket: "weijia".into(),
            region: "us-east-1".into(),
            access_key: "a".into(),
            secret_key: "s".into(),
            addressing: Addressing::Path,
        });
        let store = EmbeddedStore::open(&folder.join(name)).await.unwrap();
        tokio::spawn(async move { store.serve(listener, "a", "s", CancellationToken::new()).await });
        storage.ensure_bucket().await.unwrap();
        storage
    }

    #[tokio::test]
    async fn a_database_knows_its_store_again() {
        let folder = testing::folder();
        let db = testing::sqlite(folder.path()).await;
        let (own, other) = (bucket(folder.path(), "own").await, bucket(folder.path(), "other").await);
        belongs_to(&own, &db, "one").await.unwrap();
        belongs_to(&own, &db, "two").await.unwrap();
        assert!(belongs_to(&other, &db, "three").await.unwrap_err().contains("S3_ENDPOINT"));
        // Two machines that begin at once with the same settings call an empty bucket the same.
        let shared = testing::folder();
        let db = testing::sqlite(shared.path()).await;
        let bucket = bucket(shared.path(), "shared").await;
        let (a, b) = tokio::join!(belongs_to(&bucket, &db, "weijia"), belongs_to(&bucket, &db, "weijia"));
        assert_eq!((a, b), (Ok(()), Ok(())));
    }
}
