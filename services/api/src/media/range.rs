//! `Range: bytes=…` of one span. Pure.

use weijia_core::storage::Range;

/// What to read. More spans than one, another unit, or nonsense: the whole, as HTTP allows.
pub fn parse(header: Option<&str>) -> Range {
    let span = header.and_then(|text| text.trim().strip_prefix("bytes="));
    span.and_then(one).unwrap_or(Range::All)
}

fn one(span: &str) -> Option<Range> {
    let (first, last) = span.trim().split_once('-')?;
    Some(match (first, last) {
        ("", last) => Range::Last(number(last)?),
        (first, "") => Range::From(number(first)?),
        (first, last) => {
            Some((number(first)?, number(last)?)).filter(|(a, b)| a <= b).map(|(a, b)| Range::Span(a, b))?
        }
    })
}

/// Digits alone: `parse` would also take a sign.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    // No object is longer than stores can count.
    text.parse().ok().filter(|_| digits).map(|n: u64| n.min(i64::MAX as u64 - 1))
}

/// The first and last byte of an object of that length; None lies outside of it.
pub fn resolve(range: Range, total: u64) -> Option<(u64, u64)> {
    let end = total.checked_sub(1)?;
    match range {
        Range::All => Some((0, end)),
        Range::From(first) => (first <= end).then_some((first, end)),
        Range::Span(first, last) => (first <= end).then_some((first, last.min(end))),
        Range::Last(0) => None,
        Range::Last(n) => Some((total.saturating_sub(n), end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_counts_them() {
        assert_eq!(parse(None), Range::All);
        assert_eq!(parse(Some("bytes=0-")), Range::From(0));
        assert_eq!(parse(Some("bytes=5-9")), Range::Span(5, 9));
        assert_eq!(parse(Some("bytes=-3")), Range::Last(3));
        assert_eq!(parse(Some("bytes=0-18446744073709551615")), Range::Span(0, i64::MAX as u64 - 1));
        for odd in ["bytes=", "bytes=-", "bytes=9-5", "bytes=0-1,4-5", "lines=1-2", "bytes=+1-2", "bytes=a-b"] {
            assert_eq!(parse(Some(odd)), Range::All, "{odd}");
        }
    }

    #[test]
    fn a_range_is_cut_to_the_object_or_outside_of_it() {
        assert_eq!(resolve(Range::All, 10), Some((0, 9)));
        assert_eq!(resolve(Range::From(9), 10), Some((9, 9)));
        assert_eq!(resolve(Range::From(10), 10), None);
        assert_eq!(resolve(Range::Span(2, 99), 10), Some((2, 9)));
        assert_eq!(resolve(Range::Last(3), 10), Some((7, 9)));
        assert_eq!(resolve(Range::Last(99), 10), Some((0, 9)));
        assert_eq!(resolve(Range::Last(0), 10), None);
        assert_eq!(resolve(Range::From(0), 0), None);
    }
}
