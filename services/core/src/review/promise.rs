//! Within which time she is answered, and who hears of it when she is not. Pure.

use super::Step;
use crate::time::{At, Millis};
use crate::work_calendar::WorkCalendar;

/// Nobody waits longer than this for an answer, in working time: two working days.
pub const PROMISE: Millis = Millis::hours(48);

/// When each step is taken, in tenths of the promise.
const STEPS: [(Step, i64); 4] = [(Step::Nudge, 8), (Step::Lead, 10), (Step::County, 15), (Step::City, 20)];

pub fn due(calendar: &WorkCalendar, submitted: At) -> At {
    calendar.after(submitted, PROMISE)
}

/// The step that follows that one, and when it is taken. None: all were.
pub fn next(calendar: &WorkCalendar, submitted: At, taken: Option<Step>) -> Option<(Step, At)> {
    let taken = taken.map_or(0, |taken| 1 + STEPS.iter().position(|(step, _)| *step == taken).unwrap_or(STEPS.len()));
    let (step, tenths) = *STEPS.get(taken)?;
    Some((step, calendar.after(submitted, Millis(PROMISE.0 / 10 * tenths))))
}

/// All steps whose time has come, in their order: after a night in which nothing ran, more than one.
pub fn steps_due(calendar: &WorkCalendar, submitted: At, taken: Option<Step>, now: At) -> Vec<Step> {
    let next =
        |taken: Option<Step>| next(calendar, submitted, taken).filter(|(_, at)| *at <= now).map(|(step, _)| step);
    std::iter::successors(next(taken), |step| next(Some(*step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content;
    use crate::time::Day;

    fn monday(hours: i64) -> At {
        "2026-06-15".parse::<Day>().unwrap().begins() + Millis::hours(hours)
    }

    #[test]
    fn the_promise_is_two_working_days_and_its_steps_follow_each_other() {
        let calendar = content::work_calendar();
        assert_eq!(due(calendar, monday(9)), monday(9 + 48));
        let mut taken = None;
        // The Friday behind it is a holiday.
        for (step, hours) in [(Step::Nudge, 38.4), (Step::Lead, 48.0), (Step::County, 72.0), (Step::City, 96.0 + 72.0)]
        {
            let at = monday(9) + Millis((hours * 3_600_000.0) as i64);
            assert_eq!(next(calendar, monday(9), taken), Some((step, at)), "{step:?}");
            assert!(steps_due(calendar, monday(9), taken, at - Millis(1)).is_empty());
            assert_eq!(steps_due(calendar, monday(9), taken, at), [step]);
            taken = Some(step);
        }
        assert_eq!(next(calendar, monday(9), taken), None);
    }

    #[test]
    fn however_often_and_whenever_it_is_looked_each_step_is_taken_once_and_in_order() {
        let calendar = content::work_calendar();
        let all = [Step::Nudge, Step::Lead, Step::County, Step::City];
        for submitted in (0..24 * 14).step_by(5) {
            for every in [1, 7, 31, 90, 400] {
                let (mut taken, mut seen) = (None, Vec::new());
                for looked in (0..900).step_by(every) {
                    let steps = steps_due(calendar, monday(submitted), taken, monday(submitted + looked));
                    taken = steps.last().copied().or(taken);
                    seen.extend(steps);
                }
                assert_eq!(seen, all[..seen.len()], "{submitted} {every}");
                assert!(every > 300 || seen.len() == 4, "{submitted} {every}");
            }
        }
    }
}
