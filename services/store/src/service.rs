//! The operations of S3 that this store knows, each handed to its file.

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use crate::{EmbeddedStore, buckets, copying, listing, multipart, objects, unfinished};

/// `name: Input => Output = function(store, input)`, for the operations that need nothing but their input.
macro_rules! operations {
    ($($name:ident: $input:ty => $output:ty = $function:path;)*) => {
        #[async_trait::async_trait]
        impl S3 for EmbeddedStore {
            $(async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                Ok(S3Response::new($function(self, request.input).await?))
            })*

            // These also read headers, or the checksums that follow a body.
            async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
                Ok(S3Response::new(objects::put(self, request).await?))
            }
            async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
                Ok(S3Response::new(objects::get(self, request).await?))
            }
            async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
                Ok(S3Response::new(objects::head(self, request).await?))
            }
            async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
                Ok(S3Response::new(copying::copy(self, request).await?))
            }
            async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
                Ok(S3Response::new(multipart::upload_part(self, request).await?))
            }
        }
    };
}

operations! {
    create_bucket: CreateBucketInput => CreateBucketOutput = buckets::create;
    head_bucket: HeadBucketInput => HeadBucketOutput = buckets::head;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput = buckets::location;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput = buckets::versioning;
    list_buckets: ListBucketsInput => ListBucketsOutput = buckets::list;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput = buckets::delete;

    delete_object: DeleteObjectInput => DeleteObjectOutput = objects::delete;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput = objects::delete_many;

    list_objects: ListObjectsInput => ListObjectsOutput = listing::objects;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output = listing::objects_v2;

    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput = multipart::create;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput = copying::copy_part;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput = multipart::complete;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput = multipart::abort;
    list_parts: ListPartsInput => ListPartsOutput = unfinished::parts;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput = unfinished::uploads;
}
