//! A probe of what S3 does, as Amazon documents it (https://docs.aws.amazon.com/AmazonS3/latest/API/) and as it is known
//! to behave. Every test gets a bucket of its own on the store under test; what only the embedded store promises, or
//! promises more strictly than others, asks `store.embedded`.

mod checksums;
mod copying;
mod deleting;
mod keys;
mod listing;
mod metadata;
mod multipart;
mod ranges;
mod refusals;
mod signatures;
