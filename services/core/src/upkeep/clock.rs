//! What goes by its age goes by this machine's clock. After a clock that jumped, or days in which nothing ran, everything
//! would seem to be over at once: so for a day after either nothing is let go of. By then her phone has come back and
//! gone on, and somebody has seen what the clock says.

use crate::db::{Db, Tx};
use crate::error::Result;
use crate::installation;
use crate::time::{At, Millis};

/// Longer than any restart, shorter than whatever is waited for.
const GAP: Millis = Millis::days(1);
const QUIET_FOR: Millis = Millis::days(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    seen_at: At,
    quiet_until: At,
}

impl Clock {
    fn after(before: Option<Clock>, now: At) -> Clock {
        let quiet_until = match before {
            None => now,
            Some(Clock { seen_at, .. }) if now - seen_at > GAP || seen_at - now > GAP => now + QUIET_FOR,
            Some(Clock { quiet_until, .. }) => quiet_until,
        };
        Clock { seen_at: now, quiet_until }
    }

    fn read(text: &str) -> Option<Clock> {
        let (seen_at, quiet_until) = text.split_once(' ')?;
        Some(Clock { seen_at: At(seen_at.parse().ok()?), quiet_until: At(quiet_until.parse().ok()?) })
    }
}

/// Looks at the clock, which is to be done every few minutes, and says whether things may be let go of for their age.
pub async fn is_steady(db: &Db, now: At) -> Result<bool> {
    let mut tx = db.write().await?;
    let before = installation::get(&mut tx, installation::CLOCK).await?.as_deref().and_then(Clock::read);
    let clock = Clock::after(before, now);
    let text = format!("{} {}", clock.seen_at.0, clock.quiet_until.0);
    installation::set(&mut tx, installation::CLOCK, &text).await?;
    tx.commit().await?;
    if before.is_some_and(|before| before.quiet_until != clock.quiet_until) {
        tracing::warn!(?before, ?clock, "the clock jumped, or nothing ran for days: for a day nothing is let go of");
    }
    Ok(now >= clock.quiet_until)
}

/// What expires by this moment is over: nothing at all while the clock is not to be believed.
pub async fn over_by(tx: &mut Tx, now: At) -> Result<At> {
    let before = installation::get(tx, installation::CLOCK).await?.as_deref().and_then(Clock::read);
    Ok(if now >= Clock::after(before, now).quiet_until { now } else { At(i64::MIN) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both_databases;

    const HOUR: i64 = 3_600_000;

    both_databases! {
        after_a_jump_nothing_goes_for_a_day(db) {
            let mut at = 1000 * HOUR;
            for (hours, steady, why) in [
                (0, true, "a new installation"),
                (1, true, "it runs"),
                (24, true, "a restart"),
                (8 * 24, false, "the clock jumped, or it was off for a week"),
                (20, false, "not yet"),
                (4, true, "a day later"),
                (-8 * 24, false, "the clock is right again"),
                (23, false, "not yet"),
                (1, true, "a day later"),
                (-2, false, "before that day was over, as far as this clock knows"),
            ] {
                at += hours * HOUR;
                let over = over_by(&mut db.read().await.unwrap(), At(at)).await.unwrap();
                assert_eq!(over, if steady { At(at) } else { At(i64::MIN) }, "{why}");
                assert_eq!(is_steady(&db, At(at)).await.unwrap(), steady, "{why}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_forgotten() {
        for text in ["", "1", "x 1", "1 x"] {
            assert_eq!(Clock::read(text), None, "{text}");
        }
        assert_eq!(Clock::read("1 2"), Some(Clock { seen_at: At(1), quiet_until: At(2) }));
    }
}
