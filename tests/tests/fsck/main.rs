//! `weijia fsck`: every kind of damage is named, mended without loss, and gone afterwards; and from the bucket alone the
//! clips come back.

mod damage;
mod rebuild;

use std::time::Duration;

use bytes::Bytes;
use weijia_core::on;
use weijia_core::storage::keys;
use weijia_tests::tus::{About, Upload};
use weijia_tests::{TestServer, User, media, until};

pub async fn run(server: &TestServer, sql: &str, bound: &str) {
    let db = server.db().await;
    let mut tx = db.write().await.unwrap();
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    on!(&mut tx, c => sqlx::query(sql).bind(bound).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}

pub async fn text(server: &TestServer, sql: &str, bound: &str) -> String {
    let db = server.db().await;
    let mut tx = db.read().await.unwrap();
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    let text = on!(&mut tx, c => sqlx::query_scalar(sql).bind(bound).fetch_one(c).await).unwrap();
    drop(tx);
    db.close().await;
    text
}

pub const ORIGINAL: &str = "select original_key from clip_versions where id = $1";

/// A film that is two parts long, of which the first part and a piece of the second have arrived.
pub async fn half_sent(trainee: &User) -> (Upload, Bytes) {
    let mut film = std::fs::read(media::portrait(2)).unwrap();
    film.resize(12 << 20, 7);
    let film = Bytes::from(film);
    let upload = trainee.create_upload(film.len(), &About { title: "半条".into(), ..About::default() }).await;
    let begun = trainee.send(&upload, 0, film.slice(..9 << 20)).await.expect("the first bytes");
    assert_eq!(begun, 9 << 20);
    (upload, film)
}

/// No job at work: whatever there is has been named.
pub async fn at_rest(server: &TestServer) {
    until("the workers to finish", Duration::from_secs(180), || async {
        match server.count("select count(*) from jobs where state in ('ready', 'leased') and id <> $1", "").await {
            0 => Ok(()),
            n => Err(format!("{n} jobs")),
        }
    })
    .await;
}

pub fn sidecar_key(upload: &Upload) -> String {
    keys::sidecar(&upload.clip.parse().unwrap(), &upload.version.parse().unwrap())
}
