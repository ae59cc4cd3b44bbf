//! How doors, codes and those before them are judged. Pure.

use crate::account::Secret;
use crate::cohort::{CohortState, MemberState, Part};
use crate::error::Refusal;
use crate::time::{Day, Millis};

/// A door is open for so long unless said otherwise.
pub const OPEN_FOR: Millis = Millis::minutes(30);
pub const SHORTEST: Millis = Millis::minutes(1);
pub const LONGEST: Millis = Millis::hours(24);
/// Who asked to be let in and was not answered asks again.
pub const ASKED_FOR: Millis = Millis::days(7);

pub const CODE_DIGITS: usize = 4;

/// What a door is called unless said otherwise: today's month and day, as nearby groups are on any phone here.
pub fn code_of(day: Day) -> String {
    let text = day.to_string();
    format!("{}{}", &text[5..7], &text[8..10])
}

pub fn is_code(text: &str) -> bool {
    text.len() == CODE_DIGITS && text.bytes().all(|b| b.is_ascii_digit())
}

pub fn check_door(state: CohortState, code: Option<&str>, open_for: Millis) -> Result<(), Refusal> {
    if state == CohortState::Closed {
        return Err(Refusal::new("cohort_closed", "这个班已经结束了。", "要收新学员，就开新的一期。"));
    }
    if code.is_some_and(|code| !is_code(code)) {
        return Err(Refusal::new("code_invalid", "入班码要四个数字。", "比如今天的日子 0616，或者留空，由我们来定。"));
    }
    if !(SHORTEST.0..=LONGEST.0).contains(&open_for.0) {
        return Err(Refusal::new("door_time_invalid", "开门的时间不对。", "最短 1 分钟，最长 24 小时。"));
    }
    Ok(())
}

/// The city whose doors must differ in code. A class of the whole province has its codes to itself.
pub fn city_path(region_path: &str) -> &str {
    let end = region_path.match_indices('/').nth(1).map_or(region_path.len(), |(at, _)| at + 1);
    &region_path[..end]
}

/// All that is known of who stands before the door.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub member: Option<(Part, MemberState)>,
    pub secret: Option<Secret>,
    /// She teaches somewhere, or is staff.
    pub has_part: bool,
    /// That, or she has learned, sent or earned something: there is something to take over.
    pub has_more: bool,
    pub request: Option<Asked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Asked {
    Pending,
    Approved,
    Rejected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// On the roster, and nobody has come with this number before: six digits of her own, and she is in.
    ChoosePin,
    /// What was handed to her, and then six digits of her own.
    EnterCode,
    EnterPin,
    EnterPassword,
    /// On no roster: somebody has to let her in.
    Wait,
    Rejected,
}

/// What whoever has this number does next. A number alone never gives what somebody already uses.
pub fn next_step(who: &Standing) -> Step {
    match who.member {
        Some((part, MemberState::Active | MemberState::Graduated)) => match who.secret {
            Some(Secret::Pin) => Step::EnterPin,
            Some(Secret::Issued) if part == Part::Trainee && !who.has_more => Step::ChoosePin,
            Some(Secret::Reset) if part == Part::Trainee && !who.has_part => Step::EnterCode,
            _ => Step::EnterPassword,
        },
        Some((_, MemberState::Withdrawn)) | None => match who.request {
            Some(Asked::Rejected) => Step::Rejected,
            Some(Asked::Pending | Asked::Approved) | None => Step::Wait,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_day() {
        assert_eq!(code_of("2026-03-05".parse().unwrap()), "0305");
        for (text, is) in [("0616", true), ("061", false), ("06160", false), ("０６１６", false), ("06a6", false)] {
            assert_eq!(is_code(text), is, "{text}");
        }
    }

    #[test]
    fn a_door_is_of_a_city() {
        for (path, city) in [("43/4331/433130/", "43/4331/"), ("43/4331/", "43/4331/"), ("43/", "43/")] {
            assert_eq!(city_path(path), city);
        }
    }

    #[test]
    fn a_door_opens_for_a_while() {
        let ok = |state, code, open_for| check_door(state, code, open_for).map_err(|r| r.code);
        assert_eq!(ok(CohortState::Running, None, OPEN_FOR), Ok(()));
        assert_eq!(ok(CohortState::Running, Some("0616"), LONGEST), Ok(()));
        assert_eq!(ok(CohortState::Closed, None, OPEN_FOR), Err("cohort_closed"));
        assert_eq!(ok(CohortState::Running, Some("616"), OPEN_FOR), Err("code_invalid"));
        for open_for in [Millis(0), Millis(-1), Millis(LONGEST.0 + 1), Millis(i64::MAX)] {
            assert_eq!(ok(CohortState::Running, None, open_for), Err("door_time_invalid"));
        }
    }

    /// Every part, state, secret, history and request: a number alone gives nobody what somebody uses.
    #[test]
    fn a_number_alone_gives_only_what_nobody_uses() {
        let members = [
            None,
            Some((Part::Trainee, MemberState::Active)),
            Some((Part::Trainee, MemberState::Graduated)),
            Some((Part::Trainee, MemberState::Withdrawn)),
            Some((Part::Mentor, MemberState::Active)),
            Some((Part::Mentor, MemberState::Withdrawn)),
        ];
        let secrets = [None, Some(Secret::Issued), Some(Secret::Reset), Some(Secret::Password), Some(Secret::Pin)];
        let requests = [None, Some(Asked::Pending), Some(Asked::Approved), Some(Asked::Rejected)];
        for member in members {
            for secret in secrets {
                for (has_part, has_more) in [(false, false), (false, true), (true, true)] {
                    for request in requests {
                        let who = Standing { member, secret, has_part, has_more, request };
                        let step = next_step(&who);
                        let is_in = member.is_some_and(|(_, state)| state != MemberState::Withdrawn);
                        assert_eq!(matches!(step, Step::Wait | Step::Rejected), !is_in, "{who:?} {step:?}");
                        if step == Step::ChoosePin {
                            assert_eq!((secret, has_more), (Some(Secret::Issued), false), "{who:?}");
                            assert_eq!(member.map(|m| m.0), Some(Part::Trainee), "{who:?}");
                        }
                        if step == Step::EnterCode {
                            assert_eq!((secret, has_part), (Some(Secret::Reset), false), "{who:?}");
                            assert_eq!(member.map(|m| m.0), Some(Part::Trainee), "{who:?}");
                        }
                        assert_eq!(step == Step::EnterPin, is_in && secret == Some(Secret::Pin), "{who:?}");
                        assert_eq!(step == Step::Rejected, !is_in && request == Some(Asked::Rejected), "{who:?}");
                    }
                }
            }
        }
    }
}
