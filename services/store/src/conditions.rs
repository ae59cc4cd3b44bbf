//! Pure rules of HTTP and S3: conditional headers and ranges.

use s3s::dto::{ETag, ETagCondition, Range, Timestamp, TimestampFormat};
use s3s::{S3Error, s3_error};
use weijia_core::time::At;

/// A condition on what the key means at the moment of the write.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum WriteCondition {
    #[default]
    None,
    /// `If-None-Match: *`: there is nothing yet.
    Absent,
    /// `If-Match`: this is still there.
    Matches(ETagCondition),
}

impl WriteCondition {
    pub fn of(if_match: Option<ETagCondition>, if_none_match: Option<ETagCondition>) -> Result<Self, S3Error> {
        match (if_match, if_none_match) {
            (None, None) => Ok(WriteCondition::None),
            (None, Some(ETagCondition::Any)) => Ok(WriteCondition::Absent),
            (Some(condition), None) => Ok(WriteCondition::Matches(condition)),
            // As S3 answers: a write can be conditional on absence or on one state, not on the absence of one state.
            _ => Err(s3_error!(NotImplemented, "a write takes If-None-Match: * or If-Match, one of them")),
        }
    }

    /// Judges the write against the ETag that the key has now.
    pub fn check(&self, now: Option<&str>) -> Result<(), S3Error> {
        let failed = || s3_error!(PreconditionFailed, "At least one of the preconditions you specified did not hold.");
        match (self, now) {
            (WriteCondition::None, _) | (WriteCondition::Absent, None) => Ok(()),
            (WriteCondition::Absent, Some(_)) => Err(failed()),
            (WriteCondition::Matches(_), None) => Err(s3_error!(NoSuchKey, "The specified key does not exist.")),
            (WriteCondition::Matches(condition), Some(etag)) if matches(condition, etag) => Ok(()),
            (WriteCondition::Matches(_), Some(_)) => Err(failed()),
        }
    }
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

/// The conditions of a read (or of a copy's source). ETags outrank dates, as RFC 9110 orders them.
#[derive(Debug, Clone, Default)]
pub struct ReadCondition {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Proceed,
    NotModified,
    Failed,
}

impl ReadCondition {
    pub fn check(&self, etag: &str, written_at: At) -> Verdict {
        // HTTP dates have whole seconds, so a fresher half second doesn't count.
        let written = timestamp(At(written_at.0 / 1000 * 1000));
        if let Some(condition) = &self.if_match {
            if !matches(condition, etag) {
                return Verdict::Failed;
            }
        } else if self.if_unmodified_since.as_ref().is_some_and(|since| written > *since) {
            return Verdict::Failed;
        }
        if let Some(condition) = &self.if_none_match {
            if matches(condition, etag) {
                return Verdict::NotModified;
            }
        } else if self.if_modified_since.as_ref().is_some_and(|since| written <= *since) {
            return Verdict::NotModified;
        }
        Verdict::Proceed
    }
}

/// Whether the client's piece is of the object that is here now (`If-Range`, RFC 9110, 13.1.5), so that more of it may be
/// sent; otherwise it needs the whole object again. A date must be the very one that was told.
pub fn still_holds(if_range: &[u8], etag: &str, written_at: At) -> bool {
    let Ok(text) = std::str::from_utf8(if_range) else { return false };
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(tag) => tag == etag,
        None => Timestamp::parse(TimestampFormat::HttpDate, text)
            .is_ok_and(|date| date == timestamp(At(written_at.0 / 1000 * 1000))),
    }
}

pub fn timestamp(at: At) -> Timestamp {
    let since = std::time::Duration::from_millis(at.0.max(0).unsigned_abs());
    Timestamp::from(std::time::SystemTime::UNIX_EPOCH + since)
}

pub fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// Which bytes of an object of this length a range means; `None` when it lies outside.
pub fn resolve(range: &Range, len: u64) -> Option<std::ops::Range<u64>> {
    range.check(len).ok().filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(value: &str) -> Option<ETagCondition> {
        Some(ETagCondition::ETag(etag(value)))
    }

    #[test]
    fn a_write_condition_judges_what_is_there() {
        let absent = WriteCondition::of(None, Some(ETagCondition::Any)).unwrap();
        assert!(absent.check(None).is_ok());
        assert!(absent.check(Some("a")).is_err());
        let same = WriteCondition::of(tag("a"), None).unwrap();
        assert!(same.check(Some("a")).is_ok());
        assert_eq!(same.check(Some("b")).unwrap_err().code().as_str(), "PreconditionFailed");
        assert_eq!(same.check(None).unwrap_err().code().as_str(), "NoSuchKey");
        assert!(WriteCondition::of(None, tag("a")).is_err());
    }

    #[test]
    fn a_read_condition_prefers_tags_to_dates() {
        let at = At(1_700_000_000_500);
        let (before, same) = (timestamp(At(1_699_999_999_000)), timestamp(At(1_700_000_000_000)));
        let read = |if_match, if_none_match, modified: Option<&Timestamp>, unmodified: Option<&Timestamp>| {
            let (if_modified_since, if_unmodified_since) = (modified.cloned(), unmodified.cloned());
            ReadCondition { if_match, if_none_match, if_modified_since, if_unmodified_since }.check("a", at)
        };
        assert_eq!(read(None, None, None, None), Verdict::Proceed);
        assert_eq!(read(tag("b"), None, None, None), Verdict::Failed);
        assert_eq!(read(tag("a"), None, None, Some(&before)), Verdict::Proceed);
        assert_eq!(read(None, None, None, Some(&before)), Verdict::Failed);
        assert_eq!(read(None, tag("a"), None, None), Verdict::NotModified);
        assert_eq!(read(None, tag("b"), Some(&same), None), Verdict::Proceed);
        assert_eq!(read(None, None, Some(&same), None), Verdict::NotModified);
        assert_eq!(read(None, None, Some(&before), None), Verdict::Proceed);
    }

    #[test]
    fn a_range_goes_on_only_with_the_same_object() {
        let holds = |text: &str| still_holds(text.as_bytes(), "a", At(784_111_777_500));
        assert!(holds("\"a\"") && holds("Sun, 06 Nov 1994 08:49:37 GMT"));
        for other in ["\"b\"", "W/\"a\"", "a", "", "Sun, 06 Nov 1994 08:49:38 GMT"] {
            assert!(!holds(other), "{other}");
        }
    }

    #[test]
    fn ranges_end_where_the_object_ends() {
        let int = |first, last| Range::Int { first, last };
        assert_eq!(resolve(&int(2, Some(3)), 10), Some(2..4));
        assert_eq!(resolve(&int(2, Some(99)), 10), Some(2..10));
        assert_eq!(resolve(&int(9, None), 10), Some(9..10));
        assert_eq!(resolve(&int(10, None), 10), None);
        assert_eq!(resolve(&Range::Suffix { length: 3 }, 10), Some(7..10));
        assert_eq!(resolve(&Range::Suffix { length: 30 }, 10), Some(0..10));
        assert_eq!(resolve(&Range::Suffix { length: 0 }, 10), None);
        assert_eq!(resolve(&Range::Suffix { length: 3 }, 0), None);
    }
}
