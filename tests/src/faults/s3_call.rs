//! What a request to the store asks for, told from its method and its address.

use hyper::{Method, Uri};

/// A kind of request, told apart as far as the server's behaviour differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    CreateMultipart,
    UploadPart(u32),
    Complete,
    Abort,
    /// A file of at most one part.
    PutSingle,
    PutTail,
    PutSidecar,
    HeadOriginal,
    GetTail,
    /// A stretch of at most one part.
    PutPartial,
    HeadPartial,
    /// A stretch is read back to be joined with others.
    GetPartial,
    /// Bytes that were sent before are copied.
    GetOriginal,
    Delete,
    List,
    Other,
}

/// Those that belong to a file of three parts which is sent with an interruption.
pub const CALLS: [Call; 9] = [
    Call::CreateMultipart,
    Call::UploadPart(1),
    Call::UploadPart(2),
    Call::UploadPart(3),
    Call::Complete,
    Call::PutTail,
    Call::PutSidecar,
    Call::HeadOriginal,
    Call::GetTail,
];

/// Those that joining stretches, and copying what was sent before, ask for besides.
pub const READING_BACK: [Call; 4] = [Call::PutPartial, Call::HeadPartial, Call::GetPartial, Call::GetOriginal];

impl Call {
    pub fn of(method: &Method, uri: &Uri) -> Call {
        // `/bucket/kind/...`
        let kind = uri.path().trim_start_matches('/').split('/').nth(1).unwrap_or_default();
        let query = uri.query().unwrap_or_default();
        let asked = |name: &str| {
            query.split('&').find_map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (key == name).then_some(value)
            })
        };
        let multipart = asked("uploadId").is_some();
        match (method.as_str(), kind) {
            ("PUT", _) if multipart => {
                Call::UploadPart(asked("partNumber").and_then(|no| no.parse().ok()).unwrap_or_default())
            }
            ("POST", _) if multipart => Call::Complete,
            ("DELETE", _) if multipart => Call::Abort,
            ("POST", _) if asked("uploads").is_some() => Call::CreateMultipart,
            ("DELETE", _) => Call::Delete,
            ("PUT", "originals") => Call::PutSingle,
            ("PUT", "tails") => Call::PutTail,
            ("PUT", "sidecars") => Call::PutSidecar,
            ("HEAD", "originals") => Call::HeadOriginal,
            ("GET", "tails") => Call::GetTail,
            ("PUT", "partials") => Call::PutPartial,
            ("HEAD", "partials") => Call::HeadPartial,
            ("GET", "partials") => Call::GetPartial,
            ("GET", "originals") => Call::GetOriginal,
            ("GET", "") => Call::List,
            _ => Call::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let of = |method: &str, uri: &str| Call::of(&method.parse().unwrap(), &uri.parse().unwrap());
        assert_eq!(of("POST", "/b/originals/v/1?uploads"), Call::CreateMultipart);
        assert_eq!(of("PUT", "/b/originals/v/1?x-id=UploadPart&partNumber=2&uploadId=u"), Call::UploadPart(2));
        assert_eq!(of("POST", "/b/originals/v/1?uploadId=u"), Call::Complete);
        assert_eq!(of("DELETE", "/b/originals/v/1?x-id=AbortMultipartUpload&uploadId=u"), Call::Abort);
        assert_eq!(of("PUT", "/b/originals/v/1?x-id=PutObject"), Call::PutSingle);
        assert_eq!(of("PUT", "/b/tails/u/1-0?x-id=PutObject"), Call::PutTail);
        assert_eq!(of("PUT", "/b/sidecars/c/v.json"), Call::PutSidecar);
        assert_eq!(of("HEAD", "/b/originals/v/1"), Call::HeadOriginal);
        assert_eq!(of("GET", "/b/tails/u/1-0?x-id=GetObject"), Call::GetTail);
        assert_eq!(of("PUT", "/b/partials/u/1?x-id=PutObject"), Call::PutPartial);
        assert_eq!(of("PUT", "/b/partials/u/1?x-id=UploadPart&partNumber=2&uploadId=u"), Call::UploadPart(2));
        assert_eq!(of("HEAD", "/b/partials/u/1"), Call::HeadPartial);
        assert_eq!(of("GET", "/b/partials/u/1?x-id=GetObject"), Call::GetPartial);
        assert_eq!(of("GET", "/b/originals/v/1?x-id=GetObject"), Call::GetOriginal);
        assert_eq!(of("DELETE", "/b/tails/u/1-0"), Call::Delete);
        assert_eq!(of("GET", "/b/?list-type=2&prefix=tails%2Fu%2F"), Call::List);
        assert_eq!(of("GET", "/b?list-type=2&prefix=tails%2Fu%2F"), Call::List);
        assert_eq!(of("HEAD", "/b/"), Call::Other);
    }
}
