//! People: their phones, passwords, sessions and roles.

pub mod device;
mod keys;
mod overview;
mod password;
pub mod pin;
mod session;
mod sql;
mod token;

pub use keys::Keys;
pub use overview::{MyCohort, cohorts_of, unheard};
pub use password::{PasswordHasher, one_time_code, one_time_password};
pub use session::{Place, Proof, Session, open_session, prove, sign_in, sign_in_known, sign_out, who_is};
pub use sql::{
    NewUser, choose_pin, create, find_by_phone, grant_admin, grant_staff, has_password, phone_masked, principal,
    set_password,
};
pub use token::{DeviceToken, SessionToken};

use crate::error::Refusal;
use crate::time::Millis;

/// Guesses one account gets before it rests. Per account, never per address: a hall of two hundred shares one.
pub const GUESSES: i64 = 10;
pub const GUESS_WINDOW: Millis = Millis::minutes(15);
/// A session ends after this long without use.
pub const SESSION_IDLE: Millis = Millis::days(60);

/// What somebody signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Secret {
    /// What was handed out with a roster, and never used so far: before a class's door her number is enough.
    Issued,
    /// What was handed to her in person, in place of what was lost or taken: nothing else is enough.
    Reset,
    Password,
    /// Six digits, see [`pin`].
    Pin,
}

/// A mainland mobile number of eleven digits. Spaces, dashes and +86 are how people write it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `138****5678`
    pub fn masked(&self) -> String {
        format!("{}****{}", &self.0[..3], &self.0[7..])
    }
}

/// Never the number itself: it would end in a log line.
impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

impl std::str::FromStr for Phone {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let ascii = |c: char| match c {
            '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32).unwrap_or(c),
            other => other,
        };
        let text: String =
            text.chars().map(ascii).filter(|c| !c.is_whitespace() && !"-－—()（）".contains(*c)).collect();
        let digits = text.strip_prefix("+86").or_else(|| text.strip_prefix("0086")).unwrap_or(&text);
        let is_mobile = digits.len() == 11
            && digits.bytes().all(|b| b.is_ascii_digit())
            && digits.starts_with('1')
            && ('3'..='9').contains(&(digits.as_bytes()[1] as char));
        if is_mobile {
            Ok(Phone(digits.to_owned()))
        } else {
            Err(Refusal::new("phone_invalid", "这个手机号不对。", "手机号是 1 开头的 11 位数字，数一数再填一遍。"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_read_as_people_write_it() {
        for text in ["13812345678", " 138 1234 5678", "138-1234-5678", "+8613812345678", "１３８１２３４５６７８"]
        {
            assert_eq!(text.parse::<Phone>().unwrap().as_str(), "13812345678", "{text}");
        }
        for text in ["", "1381234567", "138123456789", "12812345678", "23812345678", "1381234567x", "手机号"] {
            assert_eq!(text.parse::<Phone>().unwrap_err().code, "phone_invalid", "{text}");
        }
    }

    #[test]
    fn a_phone_never_shows_itself() {
        let phone: Phone = "13812345678".parse().unwrap();
        assert_eq!(format!("{phone:?}"), "138****5678");
    }
}
