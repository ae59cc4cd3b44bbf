//! Upload-Checksum: what one request's body must add up to before any of it counts.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use sha1::Sha1;
use sha2::Sha256;

use super::protocol::{UPLOAD_CHECKSUM, unreadable};
use crate::error::ApiError;

/// As Tus-Checksum-Algorithm says it. A crc32c is four bytes, the highest first.
pub const ALGORITHMS: &str = "sha1,sha256,crc32c";

enum Sum {
    Sha1(Sha1),
    Sha256(Sha256),
    Crc32c(crc_fast::Digest),
}

impl Sum {
    fn of(algorithm: &str) -> Option<Sum> {
        match algorithm {
            "sha1" => Some(Sum::Sha1(Sha1::default())),
            "sha256" => Some(Sum::Sha256(Sha256::default())),
            "crc32c" => Some(Sum::Crc32c(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi))),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Sum::Sha1(_) => "sha1",
            Sum::Sha256(_) => "sha256",
            Sum::Crc32c(_) => "crc32c",
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Sum::Sha1(sum) => sha1::Digest::update(sum, bytes),
            Sum::Sha256(sum) => sha2::Digest::update(sum, bytes),
            Sum::Crc32c(sum) => sum.update(bytes),
        }
    }

    fn value(&self) -> Vec<u8> {
        match self {
            Sum::Sha1(sum) => sha1::Digest::finalize(sum.clone()).to_vec(),
            Sum::Sha256(sum) => sha2::Digest::finalize(sum.clone()).to_vec(),
            Sum::Crc32c(sum) => (sum.finalize() as u32).to_be_bytes().to_vec(),
        }
    }
}

/// Why a body does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It adds up to something else.
    Mismatch,
    /// A checksum was to follow, and none that can be read did.
    Missing,
    /// One followed that nobody had announced, so that nothing was held back for it.
    Unannounced,
}

/// The sum of a body while it arrives, and what it must become.
pub struct Check {
    sums: Vec<Sum>,
    /// Absent while it is to follow as a trailer.
    said: Option<(&'static str, Vec<u8>)>,
}

impl Check {
    /// What the head of a request says about its body's sum: the sum itself, or that it follows as a trailer.
    pub fn read(headers: &HeaderMap) -> Result<Option<Check>, ApiError> {
        if let Some(value) = headers.get(UPLOAD_CHECKSUM) {
            let (sum, value) = said(value).ok_or_else(|| unreadable(UPLOAD_CHECKSUM.as_str()))?;
            return Ok(Some(Check { said: Some((sum.name(), value)), sums: vec![sum] }));
        }
        let trailers = headers.get_all(header::TRAILER).iter().filter_map(|value| value.to_str().ok());
        let follows = trailers.flat_map(|names| names.split(',')).any(|name| UPLOAD_CHECKSUM == name.trim());
        // Which one it will be is not known yet.
        let sums = ALGORITHMS.split(',').filter_map(Sum::of).collect();
        Ok(follows.then_some(Check { said: None, sums }))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        for sum in &mut self.sums {
            sum.update(bytes);
        }
    }

    /// What follows a body. It doesn't overrule what was said before.
    pub fn follow(&mut self, trailers: &HeaderMap) {
        let first = trailers.get(UPLOAD_CHECKSUM);
        let agree = trailers.get_all(UPLOAD_CHECKSUM).iter().all(|value| Some(value) == first);
        if self.said.is_none() && agree {
            self.said = first.and_then(said).map(|(sum, value)| (sum.name(), value));
        }
    }

    pub fn verdict(&self) -> Result<(), Wrong> {
        let (name, value) = self.said.as_ref().ok_or(Wrong::Missing)?;
        let right = self.sums.iter().any(|sum| sum.name() == *name && sum.value() == *value);
        if right { Ok(()) } else { Err(Wrong::Mismatch) }
    }
}

/// `sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=`
fn said(value: &HeaderValue) -> Option<(Sum, Vec<u8>)> {
    let (algorithm, value) = value.to_str().ok()?.trim().split_once(' ')?;
    let sum = Sum::of(algorithm)?;
    let value = STANDARD.decode(value.trim()).ok()?;
    (value.len() == sum.value().len()).then_some((sum, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))])
    }

    fn verdict(checksum: &'static str, body: &[u8]) -> Result<(), Wrong> {
        let mut check = Check::read(&head("upload-checksum", checksum)).ok().unwrap().unwrap();
        body.chunks(3).for_each(|bytes| check.update(bytes));
        check.verdict()
    }

    #[test]
    fn a_body_adds_up_or_not() {
        // The first is the example of tus 1.0; the crc32c of nine digits is the check value of its definition.
        let hello = b"hello world";
        assert_eq!(verdict("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", hello), Ok(()));
        assert_eq!(verdict("sha256 uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=", hello), Ok(()));
        assert_eq!(verdict("crc32c 4waSgw==", b"123456789"), Ok(()));
        assert_eq!(verdict("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", b"hello worlds"), Err(Wrong::Mismatch));
        assert_eq!(verdict("crc32c 4waSgw==", b""), Err(Wrong::Mismatch));
    }

    #[test]
    fn what_cannot_be_checked_is_not_taken() {
        for bad in
            ["md5 XUFAKrxLKna5cZ2REBfFkg==", "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1", "sha1 !!", "sha1 aGVsbG8="]
        {
            assert!(Check::read(&head("upload-checksum", bad)).is_err(), "{bad}");
        }
        assert!(Check::read(&HeaderMap::new()).ok().unwrap().is_none());
        assert!(Check::read(&head("trailer", "X-Other")).ok().unwrap().is_none());
    }

    #[test]
    fn a_checksum_may_follow_the_body() {
        let promised = || {
            let mut check = Check::read(&head("trailer", "X-Other, upload-checksum")).ok().unwrap().unwrap();
            check.update(b"123456789");
            check
        };
        let mut check = promised();
        check.follow(&head("upload-checksum", "crc32c 4waSgw=="));
        assert_eq!(check.verdict(), Ok(()));
        let mut check = promised();
        check.follow(&head("upload-checksum", "crc32c AAAAAA=="));
        assert_eq!(check.verdict(), Err(Wrong::Mismatch));
        assert_eq!(promised().verdict(), Err(Wrong::Missing));
        let mut check = promised();
        let mut twice = head("upload-checksum", "crc32c 4waSgw==");
        twice.append("upload-checksum", HeaderValue::from_static("crc32c AAAAAA=="));
        check.follow(&twice);
        assert_eq!(check.verdict(), Err(Wrong::Missing), "of two none");
        let mut check = promised();
        check.follow(&head("upload-checksum", "md5 AAAA"));
        assert_eq!(check.verdict(), Err(Wrong::Missing));
    }
}
