use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// What became of a request to the store, as a caller has to tell it apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// No object of that key.
    #[error("no such object")]
    NotFound,
    /// The multipart upload is unknown: completed, aborted, or never begun. Ask for the object before deciding which.
    #[error("no such multipart upload")]
    NoSuchUpload,
    /// It may work the next time, and it may have worked this time: the outcome is unknown.
    #[error("store unavailable: {0}")]
    Transient(String),
    /// The store knows the object, and its disk has lost bytes of it. They do not come back by asking again.
    #[error("store damaged: {0}")]
    Damaged(String),
    /// Its disk is full. Nothing of this request was kept, everything before it was; there may be room later.
    #[error("store full: {0}")]
    Full(String),
    /// The store understood and said no; asking again the same way brings the same answer.
    #[error("store refused: {0}")]
    Refused(String),
}

impl StorageError {
    pub fn is_transient(&self) -> bool {
        matches!(self, StorageError::Transient(_))
    }

    /// It is the store that cannot, or may not, and not this object: it will be so for others too, until somebody or
    /// something mends it.
    pub fn is_outage(&self) -> bool {
        matches!(self, StorageError::Transient(_) | StorageError::Full(_) | StorageError::Refused(_))
    }
}

impl<E> From<SdkError<E>> for StorageError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        let status = error.raw_response().map(|r| r.status().as_u16());
        match &error {
            SdkError::ConstructionFailure(_) => StorageError::Refused(chain(&error)),
            SdkError::ServiceError(answer) => {
                classify(status.unwrap_or(0), answer.err().code(), answer.err().message().unwrap_or_default())
            }
            // Timeouts, resets, and answers that cannot be read: nobody knows what the store did.
            _ => StorageError::Transient(chain(&error)),
        }
    }
}

/// Judges an answer that carries an error. The status may well be 200: CompleteMultipartUpload answers before it has
/// finished, and S3 reports a late failure in the body.
fn classify(status: u16, code: Option<&str>, message: &str) -> StorageError {
    let text = || format!("{} ({status}) {message}", code.unwrap_or("no code")).trim_end().to_owned();
    match code {
        Some("NoSuchKey") => StorageError::NotFound,
        Some("NoSuchUpload") => StorageError::NoSuchUpload,
        Some("NoSuchBucket") => StorageError::Refused(text()),
        Some("ObjectDamaged") => StorageError::Damaged(text()),
        Some(
            "InternalError"
            | "ServiceUnavailable"
            | "SlowDown"
            | "RequestTimeout"
            | "RequestTimeTooSkewed"
            | "OperationAborted"
            | "BadDigest"
            | "IncompleteBody"
            | "XAmzContentSHA256Mismatch"
            | "TooManyRequests",
        ) => StorageError::Transient(text()),
        Some("InsufficientStorage") => StorageError::Full(text()),
        _ if status == 507 => StorageError::Full(text()),
        // Not the store's word: what stands before it knows no object and no upload, and has lost the way for a moment.
        _ if status == 404 => StorageError::Transient(text()),
        _ if status >= 500 || status == 429 || status < 300 => StorageError::Transient(text()),
        _ => StorageError::Refused(text()),
    }
}

/// The SDK hides the interesting part of a failure in its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let next = inner.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(classify(404, Some("NoSuchKey"), ""), StorageError::NotFound);
        for proxy in [None, Some("NotFound")] {
            assert!(classify(404, proxy, "default backend").is_transient(), "{proxy:?} is a proxy's");
        }
        assert!(matches!(classify(500, Some("ObjectDamaged"), ""), StorageError::Damaged(_)));
        assert_eq!(classify(404, Some("NoSuchUpload"), ""), StorageError::NoSuchUpload);
        assert!(classify(404, Some("NoSuchBucket"), "").to_string().contains("NoSuchBucket"));
        assert!(classify(500, None, "").is_transient());
        assert!(classify(503, Some("SlowDown"), "").is_transient());
        assert!(matches!(classify(507, Some("InsufficientStorage"), ""), StorageError::Full(_)));
        assert!(matches!(classify(507, None, ""), StorageError::Full(_)));
        assert!(matches!(classify(403, Some("AccessDenied"), ""), StorageError::Refused(_)));
        assert!(matches!(classify(400, Some("InvalidPart"), ""), StorageError::Refused(_)));
    }

    #[test]
    fn an_error_in_a_200_is_an_error() {
        assert!(classify(200, Some("InternalError"), "We encountered an internal error.").is_transient());
        assert!(classify(200, Some("NeverHeardOf"), "").is_transient());
        assert_eq!(classify(200, Some("NoSuchUpload"), ""), StorageError::NoSuchUpload);
    }
}
