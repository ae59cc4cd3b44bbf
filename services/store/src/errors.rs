//! What goes wrong inside, and how S3 says it.

use std::io;

use s3s::{S3Error, S3ErrorCode, s3_error};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An answer to the client: the request as it stands cannot be done.
    #[error("{0:?}")]
    Answer(S3Error),
    #[error("index: {0}")]
    Index(#[from] sqlx::Error),
    #[error("disk: {0}")]
    Disk(#[from] io::Error),
    #[error("damaged record: {0}")]
    Damaged(String),
    #[error("blob {0} is gone from the disk, or isn't as long as it was")]
    Lost(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<S3Error> for Error {
    fn from(error: S3Error) -> Self {
        Error::Answer(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Error::Damaged(error.to_string())
    }
}

/// A task that panicked or was cut off by the end of the process: the outcome is unknown, so it is a disk fault.
impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Error::Disk(io::Error::other(error))
    }
}

/// The inside of a fault goes to the log, never into an answer.
impl From<Error> for S3Error {
    fn from(error: Error) -> Self {
        let full = matches!(&error, Error::Disk(e) if e.kind() == io::ErrorKind::StorageFull)
            || matches!(&error, Error::Index(e) if e.to_string().contains("disk is full"));
        match error {
            Error::Answer(answer) => answer,
            error if full => {
                tracing::error!(%error, "the disk is full");
                let code = S3ErrorCode::Custom("InsufficientStorage".into());
                let mut answer = S3Error::with_message(code, "the disk of this store is full");
                answer.set_status_code(hyper::StatusCode::INSUFFICIENT_STORAGE);
                answer
            }
            error @ (Error::Lost(_) | Error::Damaged(_)) => {
                tracing::error!(%error, "an object has lost its bytes");
                let code = S3ErrorCode::Custom("ObjectDamaged".into());
                let mut answer = S3Error::with_message(code, "the disk of this store has lost bytes of this object");
                answer.set_status_code(hyper::StatusCode::INTERNAL_SERVER_ERROR);
                answer
            }
            error => {
                tracing::error!(%error, "a request failed inside the store");
                s3_error!(InternalError, "the store could not do this; the reason is in its log")
            }
        }
    }
}
