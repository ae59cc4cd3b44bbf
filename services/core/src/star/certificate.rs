//! Certificate numbers with a check character, and what a stranger may read of a holder's name.

const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// ISO/IEC 7064 MOD 37,36: the check character of letters and digits, or `None` for anything else.
pub fn check_character(text: &str) -> Option<char> {
    let mut product = 36;
    for c in text.bytes() {
        let value = ALPHABET.iter().position(|a| *a == c)?;
        let sum = (product + value) % 36;
        product = (if sum == 0 { 36 } else { sum }) * 2 % 37;
    }
    ALPHABET.get((37 - product) % 36).map(|c| *c as char)
}

/// `WJ-4331-2026-0000412-K`
pub fn number(area: &str, year: i64, seq: i64) -> Option<String> {
    if area.len() != 4 || !(1000..=9999).contains(&year) || !(1..=9_999_999).contains(&seq) {
        return None;
    }
    let check = check_character(&format!("WJ{area}{year}{seq:07}"))?;
    Some(format!("WJ-{area}-{year}-{seq:07}-{check}"))
}

/// The number as it is kept, from how a person typed or read it; `None` when the check character says it was misread.
pub fn read_number(typed: &str) -> Option<String> {
    if typed.len() > 80 {
        return None;
    }
    let plain: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '－' | '—' | '–'))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    if plain.len() != 18 || !plain.is_ascii() {
        return None;
    }
    let (body, check) = plain.split_at(17);
    let digits = body.strip_prefix("WJ")?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) || check_character(body)? != check.chars().next()? {
        return None;
    }
    Some(format!("WJ-{}-{}-{}-{check}", &digits[..4], &digits[4..8], &digits[8..]))
}

/// 贾*娟: the first and last character; of two only the first; of one nothing.
pub fn masked(name: &str) -> String {
    let name: Vec<char> = name.chars().collect();
    match name.as_slice() {
        [] | [_] => "*".into(),
        [first, _] => format!("{first}*"),
        [first, middle @ .., last] => format!("{first}{}{last}", "*".repeat(middle.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_character_is_that_of_the_standard() {
        // Published identifiers that carry this check: a GRid, an EIDR, and both checks of an ISAN.
        for (text, check) in [
            ("A12425GABC1234002", 'M'),
            ("779185342C2390308610", '5'),
            ("000000003A8D0000", 'Z'),
            ("000000003A8D000000000000", '6'),
        ] {
            assert_eq!(check_character(text), Some(check), "{text}");
        }
        assert_eq!(check_character(""), Some('1'));
        assert_eq!(check_character("a"), None);
        assert_eq!(check_character("WJ-"), None);
    }

    #[test]
    fn every_single_slip_and_neighbour_swap_is_noticed() {
        let number = number("4331", 2026, 412).unwrap();
        let plain: Vec<u8> = number.bytes().filter(|b| *b != b'-').collect();
        assert_eq!(read_number(&number).as_deref(), Some(number.as_str()));
        for i in 2..plain.len() {
            for c in ALPHABET.iter().filter(|c| **c != plain[i]) {
                let mut slip = plain.clone();
                slip[i] = *c;
                assert_eq!(read_number(std::str::from_utf8(&slip).unwrap()), None);
            }
        }
        let missed = (2..plain.len() - 1)
            .filter(|i| plain[*i] != plain[i + 1])
            .filter(|i| {
                let mut swapped = plain.clone();
                swapped.swap(*i, i + 1);
                read_number(std::str::from_utf8(&swapped).unwrap()).is_some()
            })
            .count();
        assert_eq!(missed, 0);
    }

    #[test]
    fn a_number_is_read_as_people_type_it() {
        let number = number("4331", 2026, 412).unwrap();
        let typed = number.to_lowercase().replace('-', " ");
        assert_eq!(read_number(&typed), Some(number));
        for bad in ["", "WJ", "WJ-4331-2026-0000412", "湖南", &"9".repeat(500), "XX-4331-2026-0000412-0"] {
            assert_eq!(read_number(bad), None, "{bad}");
        }
        assert_eq!(super::number("43", 2026, 1), None);
        assert_eq!(super::number("4331", 2026, 10_000_000), None);
    }

    #[test]
    fn a_stranger_reads_a_masked_name() {
        for (name, shown) in [("贾秀娟", "贾*娟"), ("龙梅", "龙*"), ("欧阳小娟", "欧**娟"), ("梅", "*"), ("", "*")]
        {
            assert_eq!(masked(name), shown);
        }
    }
}
