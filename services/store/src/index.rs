//! What keys mean, in SQL: verbs on one transaction. Whatever a verb lets go of it hands back as blobs to discard once
//! the transaction is committed.

use weijia_core::db::Tx;
use weijia_core::on;
use weijia_core::time::At;

use crate::blobs::BlobId;
use crate::errors::Result;

pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Object {
    pub key: String,
    pub id: String,
    pub len: i64,
    pub etag: String,
    /// How many parts it was sent in; none when it came in one piece.
    pub parts: Option<i64>,
    pub headers: String,
    pub sums: String,
    pub written_at: At,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Upload {
    pub id: String,
    pub bucket: String,
    pub key: String,
    pub headers: String,
    pub created_at: At,
}

/// A file of bytes that belongs to an object or to an upload, where it is the part `no`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Blob {
    pub id: BlobId,
    pub no: i64,
    pub len: i64,
    pub etag: String,
    pub sums: String,
    pub written_at: At,
}

// ---- buckets ---------------------------------------------------------------------------------------------------

pub async fn create_bucket(tx: &mut Tx, name: &str, now: At) -> Result<bool> {
    let sql = "insert into buckets (name, created_at) values ($1, $2) on conflict do nothing";
    let rows = on!(tx, c => sqlx::query(sql).bind(name).bind(now).execute(c).await.map(|r| r.rows_affected()))?;
    Ok(rows == 1)
}

pub async fn bucket_exists(tx: &mut Tx, name: &str) -> Result<bool> {
    let sql = "select name from buckets where name = $1";
    let found: Option<String> = on!(tx, c => sqlx::query_scalar(sql).bind(name).fetch_optional(c).await)?;
    Ok(found.is_some())
}

pub async fn buckets(tx: &mut Tx) -> Result<Vec<(String, At)>> {
    let sql = "select name, created_at from buckets order by name";
    Ok(on!(tx, c => sqlx::query_as(sql).fetch_all(c).await)?)
}

/// Whether the bucket was empty and is gone. Unfinished uploads keep it, as their bytes would have no owner.
pub async fn delete_bucket(tx: &mut Tx, name: &str) -> Result<bool> {
    let sql = "delete from buckets where name = $1 and not exists (select 1 from objects where bucket = $1)
               and not exists (select 1 from uploads where bucket = $1)";
    let rows = on!(tx, c => sqlx::query(sql).bind(name).execute(c).await.map(|r| r.rows_affected()))?;
    Ok(rows == 1)
}

// ---- objects ---------------------------------------------------------------------------------------------------

pub async fn object(tx: &mut Tx, bucket: &str, key: &str) -> Result<Option<Object>> {
    let sql = "select key, id, len, etag, parts, headers, sums, written_at from objects where bucket = $1 and key = $2";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(bucket).bind(key).fetch_optional(c).await)?)
}

/// Gives a key its new meaning; the bytes of the old one come back.
pub async fn put_object(tx: &mut Tx, bucket: &str, object: &Object) -> Result<Vec<BlobId>> {
    let freed = delete_object(tx, bucket, &object.key).await?;
    let sql = "insert into objects (bucket, key, id, len, etag, parts, headers, sums, written_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    on!(tx, c => sqlx::query(sql)
        .bind(bucket).bind(&object.key).bind(&object.id).bind(object.len).bind(&object.etag).bind(object.parts)
        .bind(&object.headers).bind(&object.sums).bind(object.written_at)
        .execute(c).await.map(drop))?;
    Ok(freed)
}

pub async fn delete_object(tx: &mut Tx, bucket: &str, key: &str) -> Result<Vec<BlobId>> {
    let sql = "delete from objects where bucket = $1 and key = $2 returning id";
    let id: Option<String> = on!(tx, c => sqlx::query_scalar(sql).bind(bucket).bind(key).fetch_optional(c).await)?;
    match id {
        Some(id) => release(tx, &id).await,
        None => Ok(Vec::new()),
    }
}

/// Objects from a key on (`inclusive` or behind it), in the order of their keys.
pub async fn objects_from(tx: &mut Tx, bucket: &str, key: &str, inclusive: bool, limit: i64) -> Result<Vec<Object>> {
    let sql = if inclusive {
        "select key, id, len, etag, parts, headers, sums, written_at from objects
         where bucket = $1 and key >= $2 order by key limit $3"
    } else {
        "select key, id, len, etag, parts, headers, sums, written_at from objects
         where bucket = $1 and key > $2 order by key limit $3"
    };
    Ok(on!(tx, c => sqlx::query_as(sql).bind(bucket).bind(key).bind(limit).fetch_all(c).await)?)
}

// ---- blobs -----------------------------------------------------------------------------------------------------

/// Adds a blob to its owner; one that it replaces comes back.
pub async fn put_blob(tx: &mut Tx, owner: &str, blob: &Blob) -> Result<Option<BlobId>> {
    let old = delete_blob(tx, owner, blob.no).await?;
    let sql = "insert into blobs (id, owner, no, len, etag, sums, written_at) values ($1, $2, $3, $4, $5, $6, $7)";
    on!(tx, c => sqlx::query(sql)
        .bind(&blob.id).bind(owner).bind(blob.no).bind(blob.len).bind(&blob.etag).bind(&blob.sums).bind(blob.written_at)
        .execute(c).await.map(drop))?;
    Ok(old)
}

pub async fn delete_blob(tx: &mut Tx, owner: &str, no: i64) -> Result<Option<BlobId>> {
    let sql = "delete from blobs where owner = $1 and no = $2 returning id";
    let id: Option<BlobId> = on!(tx, c => sqlx::query_scalar(sql).bind(owner).bind(no).fetch_optional(c).await)?;
    if let Some(id) = &id {
        let sql = "insert into freed (id) values ($1)";
        on!(tx, c => sqlx::query(sql).bind(id).execute(c).await.map(drop))?;
    }
    Ok(id)
}

pub async fn blobs(tx: &mut Tx, owner: &str) -> Result<Vec<Blob>> {
    blobs_after(tx, owner, 0, i64::MAX).await
}

pub async fn blobs_after(tx: &mut Tx, owner: &str, no: i64, limit: i64) -> Result<Vec<Blob>> {
    let sql = "select id, no, len, etag, sums, written_at from blobs
               where owner = $1 and no > $2 order by no limit $3";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(owner).bind(no).bind(limit).fetch_all(c).await)?)
}

async fn release(tx: &mut Tx, owner: &str) -> Result<Vec<BlobId>> {
    let sql = "insert into freed (id) select id from blobs where owner = $1";
    on!(tx, c => sqlx::query(sql).bind(owner).execute(c).await.map(drop))?;
    disown(tx, owner).await
}

/// Takes the rows of blobs away without saying that nobody needs the bytes.
async fn disown(tx: &mut Tx, owner: &str) -> Result<Vec<BlobId>> {
    let sql = "delete from blobs where owner = $1 returning id";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(owner).fetch_all(c).await)?)
}

/// What was let go of since the last time these were forgotten.
pub async fn freed(tx: &mut Tx) -> Result<Vec<BlobId>> {
    Ok(on!(tx, c => sqlx::query_scalar("select id from freed order by id").fetch_all(c).await)?)
}

/// Once their files are gone for good.
pub async fn forget_freed(tx: &mut Tx, ids: &[BlobId]) -> Result<()> {
    for id in ids {
        on!(tx, c => sqlx::query("delete from freed where id = $1").bind(id).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// The blobs whose names begin like this, sorted: what must lie in one folder.
pub async fn blobs_named(tx: &mut Tx, prefix: &str) -> Result<Vec<BlobId>> {
    let end = format!("{prefix}~");
    let sql = "select id from blobs where id >= $1 and id < $2 order by id";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(prefix).bind(&end).fetch_all(c).await)?)
}

/// Those let go of whose names begin like this: they may still lie in that folder.
pub async fn freed_named(tx: &mut Tx, prefix: &str) -> Result<Vec<BlobId>> {
    let end = format!("{prefix}~");
    let sql = "select id from freed where id >= $1 and id < $2 order by id";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(prefix).bind(&end).fetch_all(c).await)?)
}

pub async fn blob_exists(tx: &mut Tx, id: &BlobId) -> Result<bool> {
    let sql = "select id from blobs where id = $1";
    let found: Option<String> = on!(tx, c => sqlx::query_scalar(sql).bind(id).fetch_optional(c).await)?;
    Ok(found.is_some())
}

/// What a blob is a piece of.
pub async fn key_of(tx: &mut Tx, id: &BlobId) -> Result<Option<String>> {
    let sql = "select key from objects where id = (select owner from blobs where id = $1)
               union all select key from uploads where id = (select owner from blobs where id = $1)";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(id).fetch_optional(c).await)?)
}

// ---- multipart uploads -----------------------------------------------------------------------------------------

pub async fn create_upload(tx: &mut Tx, upload: &Upload) -> Result<()> {
    let sql = "insert into uploads (id, bucket, key, headers, created_at) values ($1, $2, $3, $4, $5)";
    Ok(on!(tx, c => sqlx::query(sql)
        .bind(&upload.id).bind(&upload.bucket).bind(&upload.key).bind(&upload.headers).bind(upload.created_at)
        .execute(c).await.map(drop))?)
}

pub async fn upload(tx: &mut Tx, bucket: &str, key: &str, id: &str) -> Result<Option<Upload>> {
    let sql = "select id, bucket, key, headers, created_at from uploads where id = $1 and bucket = $2 and key = $3";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(id).bind(bucket).bind(key).fetch_optional(c).await)?)
}

/// Ends an upload but leaves its blobs, which an object of the same id takes over.
pub async fn close_upload(tx: &mut Tx, id: &str) -> Result<()> {
    let sql = "delete from uploads where id = $1";
    Ok(on!(tx, c => sqlx::query(sql).bind(id).execute(c).await.map(drop))?)
}

pub async fn abort_upload(tx: &mut Tx, id: &str) -> Result<Vec<BlobId>> {
    close_upload(tx, id).await?;
    release(tx, id).await
}

/// The same, for an upload that only seems to be abandoned.
pub async fn disown_upload(tx: &mut Tx, id: &str) -> Result<Vec<BlobId>> {
    close_upload(tx, id).await?;
    disown(tx, id).await
}

/// Uploads that began before a moment and to which nothing was added since.
pub async fn abandoned_uploads(tx: &mut Tx, since: At) -> Result<Vec<String>> {
    let sql = "select id from uploads where created_at < $1
               and not exists (select 1 from blobs where owner = uploads.id and written_at >= $1)";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(since).fetch_all(c).await)?)
}

/// Uploads behind (key, id), in that order.
pub async fn uploads_after(tx: &mut Tx, bucket: &str, key: &str, id: &str, limit: i64) -> Result<Vec<Upload>> {
    let sql = "select id, bucket, key, headers, created_at from uploads
               where bucket = $1 and (key, id) > ($2, $3) order by key, id limit $4";
    Ok(on!(tx, c => sqlx::query_as(sql).bind(bucket).bind(key).bind(id).bind(limit).fetch_all(c).await)?)
}
