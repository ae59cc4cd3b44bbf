//! Lists of keys, in S3's newer and its older form.

use s3s::dto::*;
use tokio::task::spawn_blocking;
use weijia_core::db::Tx;

use crate::conditions::{etag, timestamp};
use crate::errors::Result;
use crate::index;
use crate::paging::{Encoding, Entry, Listed, Start, page_size, walk};
use crate::{EmbeddedStore, buckets};

/// Everything here belongs to whoever has the key.
pub fn owner() -> Owner {
    Owner { id: Some("weijia".into()), display_name: Some("weijia".into()) }
}

struct Contents {
    objects: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
}

fn contents(entries: Vec<Entry<index::Object>>, encoding: &Encoding, with_owner: bool) -> Contents {
    let mut contents = Contents { objects: Vec::new(), prefixes: Vec::new() };
    for entry in entries {
        match entry {
            Entry::Common(prefix) => {
                contents.prefixes.push(CommonPrefix { prefix: Some(encoding.text(prefix)) });
            }
            Entry::Row(row) => contents.objects.push(Object {
                key: Some(encoding.text(row.key)),
                e_tag: Some(etag(&row.etag)),
                size: Some(row.len),
                last_modified: Some(timestamp(row.written_at)),
                owner: with_owner.then(owner),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Default::default()
            }),
        }
    }
    contents
}

async fn list(
    store: &EmbeddedStore,
    bucket: &str,
    prefix: Option<&str>,
    delimiter: Option<&str>,
    after: Option<Start>,
    max: i32,
) -> Result<Listed<index::Object>> {
    // Keeps what is replaced meanwhile from looking lost.
    let reader = store.blobs().reader();
    let mut tx = store.index().read().await?;
    buckets::require(&mut tx, bucket).await?;
    let listed = walk(&mut tx, bucket, prefix.unwrap_or_default(), delimiter, after, max as usize).await?;
    let listed = as_long_as_on_disk(store, &mut tx, listed).await;
    drop(reader);
    listed
}

/// An object whose bytes the disk has lost is listed with what is left of them: whoever compares lengths sees it.
async fn as_long_as_on_disk(
    store: &EmbeddedStore,
    tx: &mut Tx,
    mut listed: Listed<index::Object>,
) -> Result<Listed<index::Object>> {
    let mut blobs = Vec::new();
    for entry in &listed.entries {
        if let Entry::Row(object) = entry {
            blobs.push(index::blobs(tx, &object.id).await?);
        }
    }
    let disk = store.blobs().clone();
    let len = move |blob: &index::Blob| disk.len(&blob.id).map_or(0, |len| len as i64);
    let lens = spawn_blocking(move || blobs.iter().map(|blobs| blobs.iter().map(&len).sum()).collect::<Vec<i64>>());
    let rows = listed.entries.iter_mut().filter_map(|entry| match entry {
        Entry::Row(object) => Some(object),
        Entry::Common(_) => None,
    });
    for (object, len) in rows.zip(lens.await?) {
        object.len = len;
    }
    Ok(listed)
}

pub async fn objects_v2(store: &EmbeddedStore, input: ListObjectsV2Input) -> Result<ListObjectsV2Output> {
    let max = page_size(input.max_keys)?;
    let after = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Some(Start::read(token)?),
        (None, Some(key)) => Some(Start::behind(key)),
        (None, None) => None,
    };
    let listed = list(store, &input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), after, max).await?;
    let encoding = Encoding(input.encoding_type.clone());
    let contents = contents(listed.entries, &encoding, input.fetch_owner == Some(true));
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        key_count: Some((contents.objects.len() + contents.prefixes.len()) as i32),
        contents: Some(contents.objects),
        common_prefixes: Some(contents.prefixes),
        prefix: Some(encoding.text(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|d| encoding.text(d)),
        start_after: input.start_after.map(|k| encoding.text(k)),
        max_keys: Some(max),
        is_truncated: Some(listed.next.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: listed.next.map(|from| from.token()),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

/// The older form, which pages by the last name it gave.
pub async fn objects(store: &EmbeddedStore, input: ListObjectsInput) -> Result<ListObjectsOutput> {
    let max = page_size(input.max_keys)?;
    let after = input.marker.as_deref().map(Start::behind);
    let listed = list(store, &input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), after, max).await?;
    let encoding = Encoding(input.encoding_type.clone());
    let last = listed.entries.last().map(|entry| match entry {
        Entry::Row(row) => row.key.clone(),
        Entry::Common(prefix) => prefix.clone(),
    });
    let contents = contents(listed.entries, &encoding, true);
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        contents: Some(contents.objects),
        common_prefixes: Some(contents.prefixes),
        prefix: Some(encoding.text(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|d| encoding.text(d)),
        marker: Some(encoding.text(input.marker.unwrap_or_default())),
        next_marker: last.filter(|_| listed.next.is_some()).map(|k| encoding.text(k)),
        max_keys: Some(max),
        is_truncated: Some(listed.next.is_some()),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}
