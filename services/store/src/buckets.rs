use s3s::dto::*;
use s3s::s3_error;
use weijia_core::db::Tx;
use weijia_core::time::At;

use crate::conditions::timestamp;
use crate::errors::Result;
use crate::{EmbeddedStore, index, listing};

/// Every operation on a bucket that isn't there answers the same.
pub async fn require(tx: &mut Tx, bucket: &str) -> Result<()> {
    if index::bucket_exists(tx, bucket).await? {
        return Ok(());
    }
    Err(s3_error!(NoSuchBucket, "The specified bucket does not exist").into())
}

pub async fn create(store: &EmbeddedStore, input: CreateBucketInput) -> Result<CreateBucketOutput> {
    let location = format!("/{}", input.bucket);
    let mut tx = store.index().write().await?;
    if !index::create_bucket(&mut tx, &input.bucket, At::now()).await? {
        return Err(s3_error!(BucketAlreadyOwnedByYou, "You already have this bucket.").into());
    }
    tx.commit().await?;
    Ok(CreateBucketOutput { location: Some(location) })
}

pub async fn head(store: &EmbeddedStore, input: HeadBucketInput) -> Result<HeadBucketOutput> {
    require(&mut store.index().read().await?, &input.bucket).await?;
    Ok(HeadBucketOutput::default())
}

pub async fn location(store: &EmbeddedStore, input: GetBucketLocationInput) -> Result<GetBucketLocationOutput> {
    require(&mut store.index().read().await?, &input.bucket).await?;
    Ok(GetBucketLocationOutput::default())
}

/// There never was any, which is what nothing means here; rclone asks before it deletes.
pub async fn versioning(store: &EmbeddedStore, input: GetBucketVersioningInput) -> Result<GetBucketVersioningOutput> {
    require(&mut store.index().read().await?, &input.bucket).await?;
    Ok(GetBucketVersioningOutput::default())
}

pub async fn delete(store: &EmbeddedStore, input: DeleteBucketInput) -> Result<DeleteBucketOutput> {
    let mut tx = store.index().write().await?;
    require(&mut tx, &input.bucket).await?;
    if !index::delete_bucket(&mut tx, &input.bucket).await? {
        return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty").into());
    }
    tx.commit().await?;
    Ok(DeleteBucketOutput {})
}

pub async fn list(store: &EmbeddedStore, _: ListBucketsInput) -> Result<ListBucketsOutput> {
    let found = index::buckets(&mut store.index().read().await?).await?;
    let buckets = found.into_iter().map(|(name, at)| Bucket {
        name: Some(name),
        creation_date: Some(timestamp(at)),
        ..Default::default()
    });
    Ok(ListBucketsOutput { buckets: Some(buckets.collect()), owner: Some(listing::owner()), ..Default::default() })
}
