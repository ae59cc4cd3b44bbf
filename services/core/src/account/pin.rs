//! Six digits that a person who writes little signs in with.

use super::Phone;
use crate::error::Refusal;

pub const DIGITS: usize = 6;

/// Takes six digits that not everybody would try first: no single digit, no counting up or down, no pattern said twice, and not what
/// her number ends in.
pub fn check(pin: &str, phone: Option<&Phone>) -> Result<(), Refusal> {
    let refuse = |message: &str, next: &str| Err(Refusal::new("pin_weak", message, next));
    let digits = pin.as_bytes();
    if digits.len() != DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::new("pin_invalid", "要按满六个数字。", "想六个自己记得住的数字，再按一遍。"));
    }
    let steps: Vec<i16> = digits.windows(2).map(|w| i16::from(w[1]) - i16::from(w[0])).collect();
    if [-1, 0, 1].iter().any(|step| steps.iter().all(|s| s == step)) {
        return refuse("这六个数字太好猜了。", "别用连着的、一样的数字，换六个自己记得住的。");
    }
    if digits[..3] == digits[3..] || (digits[..2] == digits[2..4] && digits[2..4] == digits[4..]) {
        return refuse("这六个数字来回重复，太好猜了。", "换六个自己记得住的。");
    }
    if phone.is_some_and(|phone| phone.as_str().ends_with(pin)) {
        return refuse("这是手机号的末尾六位，别人也知道。", "换六个只有自己记得住的。");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_that_not_everybody_tries() {
        let phone: Phone = "13812345708".parse().unwrap();
        for good in ["271828", "197605", "002580", "889900"] {
            assert!(check(good, Some(&phone)).is_ok(), "{good}");
        }
        for (bad, code) in [
            ("", "pin_invalid"),
            ("12345", "pin_invalid"),
            ("1234567", "pin_invalid"),
            ("12a456", "pin_invalid"),
            ("１２３４５６", "pin_invalid"),
            ("000000", "pin_weak"),
            ("123456", "pin_weak"),
            ("654321", "pin_weak"),
            ("520520", "pin_weak"),
            ("121212", "pin_weak"),
            ("345708", "pin_weak"),
        ] {
            assert_eq!(check(bad, Some(&phone)).unwrap_err().code, code, "{bad}");
        }
    }
}
