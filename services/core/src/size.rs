//! Sizes as people read and write them: "1.8 GB", "500MB". Decimal, as phones and disks count: 1 GB is 1,000,000,000
//! bytes.

const UNITS: [(&str, i64); 4] = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];

/// `1.8 GB`, `12 MB`, `1 KB`: never nothing for something.
pub fn words(bytes: i64) -> String {
    match bytes {
        b if b >= 1_000_000_000 => {
            let tenths = b.saturating_add(50_000_000) / 100_000_000;
            if tenths % 10 == 0 { format!("{} GB", tenths / 10) } else { format!("{}.{} GB", tenths / 10, tenths % 10) }
        }
        b if b >= 1_000_000 => format!("{} MB", (b + 500_000) / 1_000_000),
        b => format!("{} KB", (b + 999) / 1_000),
    }
}

/// Two sizes of which one is too much for the other: to the last digit where they would read the same.
pub fn apart(a: i64, b: i64) -> (String, String) {
    match (words(a), words(b)) {
        (x, y) if x == y && a != b => (exactly(a), exactly(b)),
        told => told,
    }
}

fn exactly(bytes: i64) -> String {
    let fitting = UNITS[1..].iter().find(|(_, factor)| bytes >= *factor).unwrap_or(&UNITS[3]);
    let (unit, factor) = *fitting;
    let digits = factor.ilog10() as usize;
    let number = format!("{}.{:0digits$}", bytes / factor, bytes % factor);
    format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
}

/// Reads `2GB`, `500 MB`, or plain bytes.
pub fn read(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let upper = text.to_ascii_uppercase();
    let unit = UNITS.into_iter().find_map(|(unit, factor)| Some((upper.strip_suffix(unit)?.to_owned(), factor)));
    let (digits, factor) = unit.unwrap_or((upper, 1));
    let number = digits.trim().parse::<i64>().ok().filter(|n| *n >= 0);
    number
        .and_then(|n| n.checked_mul(factor))
        .ok_or_else(|| format!("“{text}”不是大小。写成 2GB、500MB 这样，只用整数。"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_say_them() {
        for (bytes, said) in [
            (0, "0 KB"),
            (1, "1 KB"),
            (999_499, "1000 KB"),
            (12_345_678, "12 MB"),
            (1_800_000_000, "1.8 GB"),
            (2_000_000_000, "2 GB"),
            (19_960_000_000, "20 GB"),
            (i64::MAX, "9223372036.8 GB"),
        ] {
            assert_eq!(words(bytes), said);
        }
    }

    #[test]
    fn sizes_that_are_compared_never_read_the_same() {
        let apart = |a, b| format!("{} > {}", super::apart(a, b).0, super::apart(a, b).1);
        assert_eq!(apart(3_000_000, 1_000_000), "3 MB > 1 MB");
        assert_eq!(apart(1_000_001, 1_000_000), "1.000001 MB > 1 MB");
        assert_eq!(apart(2_040_000_000, 2_000_000_000), "2.04 GB > 2 GB");
        assert_eq!(apart(1_001, 1_002), "1.001 KB > 1.002 KB");
        assert_eq!(apart(7, 7), "1 KB > 1 KB");
    }

    #[test]
    fn settings_write_sizes_with_a_unit() {
        for (text, bytes) in [("2GB", 2_000_000_000), ("500 mb", 500_000_000), ("0", 0), ("1TB", 1_000_000_000_000)] {
            assert_eq!(read(text).unwrap(), bytes);
        }
        for bad in ["", "GB", "1.5GB", "-1", "-1GB", "2G", "99999999TB", "很多"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
