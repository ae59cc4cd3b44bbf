//! When pictures are shown: at the moments of the source, thinned where there are too many, held where there are none.

use std::collections::VecDeque;

/// Moments of pictures are counted in these, so many a second: every usual rate is a whole number of them.
pub const TICKS: i64 = 90_000;
/// Pictures a second at most, with room for a clock that runs a little fast.
const MOST: f64 = 30.2;
/// How far is looked back to see how many there are just now.
const LATELY: i64 = TICKS / 4;
/// One that comes so long after the one before it is not one too many. Clocks of phones round.
const RARE: i64 = TICKS / 30 - TICKS / 1800;
/// A picture that stands for longer is sent again.
const LONGEST: i64 = TICKS;
/// A picture just before the next one is not worth repeating.
const TOO_LATE: i64 = TICKS / 10;
/// A last picture that stands for longer is sent again just before its end.
const WIDE: i64 = TICKS / 5;
/// As many pictures as may be decoded after the one that is shown last, and as many as decoding runs ahead.
const CLOSING: i64 = 6;
/// A cut falls on a picture that comes this little before its moment: clocks of phones round.
const ROUNDING: i64 = TICKS / 100;
const SEGMENT: i64 = 2 * TICKS;
/// A last picture without sound is not shown for longer than this: beyond it, the container is wrong.
const LONGEST_STILL: i64 = 30 * TICKS;

pub fn ticks(us: i64) -> i64 {
    rescaled(us, TICKS, 1_000_000)
}

pub fn milliseconds(ticks: i64) -> i64 {
    rescaled(ticks, 1000, TICKS)
}

/// Rounded to the nearest, and no overflow whatever a stranger's clock says.
fn rescaled(value: i64, to: i64, from: i64) -> i64 {
    let twice = i128::from(value) * i128::from(to) * 2 + i128::from(from);
    twice.div_euclid(i128::from(from) * 2).clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// Keeps pictures with their own moments, and drops those that are more than thirty a second before they cost anything.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How many pictures a second the source has.
    average: f64,
    /// It was seen to have more or fewer for a while: phones that record sixty a second take thirty in the dark.
    varies: bool,
    /// The moments of the pictures that came lately, kept or not.
    lately: VecDeque<i64>,
    due: i64,
    last: Option<i64>,
}

impl Pace {
    /// A source with a low `average` keeps all its pictures, however unevenly they come.
    pub fn new(average: f64) -> Pace {
        Pace { average, varies: false, lately: VecDeque::new(), due: 0, last: None }
    }

    /// The moment of a picture, in ticks; none when it is one too many or does not come after the one before. The
    /// first picture fills the time before it.
    pub fn take(&mut self, us: i64) -> Option<i64> {
        let own = ticks(us);
        let at = if self.last.is_none() { 0 } else { own };
        let before = self.lately.back().copied();
        if self.last.is_some_and(|last| at <= last) || before.is_some_and(|before| own <= before) {
            return None;
        }
        self.lately.push_back(own);
        self.lately.retain(|seen| own.saturating_sub(*seen) <= LATELY);
        let Thinning { step, early } = self.thinning();
        let is_rare = self.varies && before.is_some_and(|before| own.saturating_sub(before) >= RARE);
        if !is_rare && at < self.due.saturating_sub(early) {
            return None;
        }
        // A picture that comes late does not push its followers back, nor does one that is kept before its turn.
        let turn = self.due.max(at - step / 2);
        self.due = if is_rare { turn.min(at) } else { turn } + step;
        self.last = Some(at);
        Some(at)
    }

    fn thinning(&mut self) -> Thinning {
        if !self.average.is_finite() || self.average <= MOST {
            return Thinning::NONE;
        }
        let span = self.lately.back().zip(self.lately.front()).map_or(0, |(last, first)| last - first);
        if span > LATELY / 2 {
            let rate = (self.lately.len() - 1) as f64 * TICKS as f64 / span as f64;
            // Less is a few pictures that were lost.
            self.varies |= (rate / self.average - 1.0).abs() > 0.3;
            if self.varies {
                return Thinning::of(rate, if rate < MOST * 1.05 { MOST } else { 30.0 });
            }
        }
        // Every second or third picture moves more smoothly than three of four; below film's 24, four in five do.
        let even = self.average / (self.average / MOST).ceil();
        Thinning::of(self.average, if even >= 23.9 { even } else { 30.0 })
    }

    pub fn last(&self) -> Option<i64> {
        self.last
    }
}

struct Thinning {
    /// From one picture to the next.
    step: i64,
    /// How far before its turn a picture may come.
    early: i64,
}

impl Thinning {
    /// The average may be a guess. A second's worth of pictures at once is no reason to lose any.
    const NONE: Thinning = Thinning { step: (TICKS as f64 / MOST) as i64, early: TICKS };

    fn of(rate: f64, kept: f64) -> Thinning {
        Thinning { step: (TICKS as f64 / kept).round() as i64, early: (TICKS as f64 / rate / 2.0) as i64 }
    }
}

/// Where segments are cut, in every rendition at the same pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cuts {
    /// At the first picture of every two seconds.
    Even,
    /// At these key frames of the source, whose pictures are passed through.
    Keys(Vec<i64>),
}

impl Cuts {
    /// Some of a source's key frames, so that segments are as near to two seconds as they can be, and none has more than
    /// four. None where key frames lie too far apart.
    pub fn at_keys(keys: &[i64], end: i64) -> Option<Cuts> {
        let mut cuts = vec![*keys.first()?];
        let mut before = cuts[0];
        for (n, key) in keys.iter().enumerate().skip(1) {
            let next = keys.get(n + 1).copied().unwrap_or(end);
            let begun = cuts[cuts.len() - 1];
            if key + ROUNDING >= begun + SEGMENT || next - begun > 2 * SEGMENT {
                cuts.push(*key);
            }
            if key - before > 2 * SEGMENT {
                return None;
            }
            before = *key;
        }
        (end - before <= 2 * SEGMENT).then_some(Cuts::Keys(cuts))
    }

    /// Whether a picture opens a segment.
    pub fn opens_segment(&self, at: i64, before: Option<i64>) -> bool {
        before.is_none_or(|before| self.segment_of(at) != self.segment_of(before))
    }

    /// The moments at which a picture is sent again while it stands from `last` to `next`: once a second, so that a
    /// player that seeks finds something near, and wherever a segment is cut.
    pub fn repeats(&self, last: i64, next: i64) -> impl Iterator<Item = i64> {
        let after = |at: i64| (at + LONGEST).min(self.next(at));
        let stands = next.saturating_sub(last) > LONGEST;
        let more = std::iter::successors(stands.then(|| after(last)), move |at| Some(after(*at)));
        more.take_while(move |at| *at <= next - TOO_LATE)
    }

    /// The moments at which the last picture is sent again just before its end. Players let the picture that is shown last
    /// stand for as long as its decoder had time for it: that is right only where pictures come evenly. No segment is
    /// opened for it. `last`: the moment it was sent before.
    pub fn closing(&self, last: i64, end: i64) -> impl Iterator<Item = i64> {
        let moments = (1..=CLOSING).rev().map(move |n| end - n * TICKS / 30);
        let wide = end - last > WIDE;
        moments.filter(move |at| wide && at - last > TICKS / 60 && !self.opens_segment(*at, Some(last)))
    }

    fn segment_of(&self, at: i64) -> i64 {
        match self {
            Cuts::Even => (at + ROUNDING) / SEGMENT,
            Cuts::Keys(keys) => keys.partition_point(|key| *key <= at) as i64,
        }
    }

    /// The first cut after that moment.
    fn next(&self, at: i64) -> i64 {
        match self {
            Cuts::Even => (self.segment_of(at) + 1) * SEGMENT,
            Cuts::Keys(keys) => keys.get(self.segment_of(at) as usize).copied().unwrap_or(i64::MAX),
        }
    }
}

/// The tick at which the last picture gives way, as far as pictures know. `end_us`: where the last of them ends by its
/// own length.
pub fn end_of_pictures(last: i64, end_us: i64, duration_ms: i64) -> i64 {
    // Where recordings do not tell how long a picture stands, ffmpeg guesses, and goes beyond the clip's own end.
    let told_us = duration_ms.saturating_add(1).saturating_mul(1000);
    ticks(end_us.min(told_us)).clamp(last + TICKS / 30, last + LONGEST_STILL)
}

/// Whether a moment (in microseconds from the start) can be one of this clip: a jump of minutes may be a broken clock.
#[derive(Debug, Clone)]
pub struct Clock {
    last: i64,
    /// As far as the container says that there is something.
    covered: i64,
    /// Where the moments are that were refused, and how many there were in a row.
    elsewhere: (i64, u32),
}

impl Clock {
    const JUMP_US: i64 = 60_000_000;
    const NEAR_US: u64 = 10_000_000;
    /// So many moments that agree are a gap in the film.
    const AGREE: u32 = 3;

    pub fn new(duration_ms: i64) -> Clock {
        Clock { last: 0, covered: duration_ms.saturating_mul(1000), elsewhere: (0, 0) }
    }

    pub fn accepts(&mut self, us: i64) -> bool {
        let known = us.abs_diff(self.last) <= Self::JUMP_US as u64 || (self.last..=self.covered).contains(&us);
        if !known {
            let (at, n) = self.elsewhere;
            let n = if n > 0 && us.abs_diff(at) <= Self::NEAR_US { n + 1 } else { 1 };
            self.elsewhere = (us, n);
            // What claims to lie beyond the longest clip is no gap.
            if n < Self::AGREE || us > crate::probe::MAX_DURATION_MS * 1000 {
                return false;
            }
        }
        self.elsewhere = (0, 0);
        self.last = self.last.max(us);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the pictures that come at these moments are kept.
    fn kept(average: f64, moments: impl IntoIterator<Item = i64>) -> Vec<usize> {
        let mut pace = Pace::new(average);
        moments.into_iter().enumerate().filter_map(|(n, us)| pace.take(us).map(|_| n)).collect()
    }
    fn steady(rate: f64, n: i64) -> Vec<i64> {
        (0..n).map(|n| (n as f64 * 1_000_000.0 / rate).round() as i64).collect()
    }
    /// Up to a third of a step to either side, the same each time.
    fn uneven(rate: f64, n: i64) -> Vec<i64> {
        let shift = |n: i64| ((n * 7919 % 13) - 6) as f64 / 18.0;
        (0..n).map(|n| ((n as f64 + shift(n)) * 1_000_000.0 / rate).round() as i64).collect()
    }

    #[test]
    fn up_to_thirty_a_second_every_picture_is_kept_at_its_own_moment() {
        for rate in [1.0, 7.3, 15.0, 24.0, 25.0, 29.97, 30.0, 30.1] {
            assert_eq!(kept(rate, steady(rate, 18_000)).len(), 18_000, "{rate}");
            assert_eq!(kept(rate, uneven(rate, 18_000)).len(), 18_000, "{rate}, unevenly");
        }
        let mut pace = Pace::new(29.97);
        assert_eq!([0, 33_367, 66_733].map(|us| pace.take(us)), [Some(0), Some(3_003), Some(6_006)]);
    }

    #[test]
    fn faster_ones_are_thinned_evenly() {
        for (rate, nth) in [(48.0, 2), (50.0, 2), (59.94, 2), (60.0, 2), (90.0, 3), (120.0, 4), (240.0, 8)] {
            let all: Vec<usize> = (0..3_600).step_by(nth).collect();
            assert_eq!(kept(rate, steady(rate, 3_600)), all, "{rate}");
            let n = kept(rate, uneven(rate, 3_600)).len();
            assert!(n.abs_diff(3_600 / nth) <= 2, "{rate}, unevenly: {n}");
        }
        let n = kept(40.0, steady(40.0, 4_000)).len();
        assert!(n.abs_diff(3_000) <= 2, "three of four: {n}");
    }

    #[test]
    fn where_sixty_fall_to_thirty_for_the_dark_no_picture_of_the_thirty_is_lost() {
        let ms = |us: i64| us / 1000 * 1000;
        for (fast, slow, seconds) in
            [(60.0, 30.0, 2), (60.0, 24.0, 5), (59.94, 29.97, 1), (240.0, 30.0, 3), (120.0, 15.0, 4)]
        {
            for moments in [steady, uneven] {
                // Fast for a while, slow for as long, and fast again.
                let (a, b) =
                    (moments(fast, (fast * seconds as f64) as i64), moments(slow, (slow * seconds as f64) as i64));
                let at = |part: i64, us: &i64| ms(part * seconds * 1_000_000 + us.max(&0));
                let mut all: Vec<i64> = a.iter().map(|us| at(0, us)).collect();
                all[0] = -150_000;
                let from = all.len();
                all.extend(b.iter().map(|us| at(1, us)));
                let to = all.len();
                all.extend(a.iter().map(|us| at(2, us)));
                all.sort_unstable();
                let average = all.len() as f64 / (3 * seconds) as f64;
                let kept = kept(average, all.iter().copied());
                let slow_kept = kept.iter().filter(|n| (from..to).contains(n)).count();
                assert!(to - from <= slow_kept + 1, "{fast} {slow}: {slow_kept} of {}", to - from);
                let fast_kept = kept.len() - slow_kept;
                let most = 2 * seconds * 30;
                assert!((most - 12..=most + 8).contains(&(fast_kept as i64)), "{fast} {slow}: {fast_kept} of {most}");
            }
        }
    }

    #[test]
    fn a_while_of_a_little_more_than_thirty_does_not_stop_the_film_behind_it() {
        for (rate, seconds) in [(31.0, 30), (31.5, 60), (30.3, 120)] {
            let part = |rate: f64, from: i64, seconds: i64| {
                steady(rate, (rate * seconds as f64) as i64).into_iter().map(move |us| us + from * 1_000_000)
            };
            let slow = part(rate, 10, seconds);
            let all: Vec<i64> = part(60.0, 0, 10).chain(slow).chain(part(60.0, 10 + seconds, 10)).collect();
            let average = all.len() as f64 / (seconds + 20) as f64;
            let kept = kept(average.max(30.3), all.iter().copied());
            let longest = kept.windows(2).map(|two| all[two[1]] - all[two[0]]).max().unwrap();
            assert!(longest <= 70_000, "{rate}: {longest} us without a picture");
        }
    }

    #[test]
    fn an_average_that_was_too_low_does_not_let_sixty_through() {
        let n = kept(15.0, steady(60.0, 3_600)).len();
        assert!((1_800..1_860).contains(&n), "{n}");
    }

    #[test]
    fn time_begins_at_zero_and_does_not_run_back() {
        let mut pace = Pace::new(30.0);
        assert_eq!(pace.take(-4_000_000), Some(0));
        assert_eq!(
            [-3_000_000, 0, 40_000, 40_000, 30_000].map(|us| pace.take(us)),
            [None, None, Some(3_600), None, None]
        );
        assert_eq!(Pace::new(30.0).take(700_000), Some(0), "the first picture fills the time before it");
        assert!(pace.take(i64::MAX).is_some_and(|at| at > i64::MAX / 12));
    }

    #[test]
    fn a_picture_that_stands_is_sent_again_each_second_and_at_cuts() {
        let at = |last: f64, next: f64| -> Vec<f64> {
            Cuts::Even
                .repeats((last * 90_000.0) as i64, (next * 90_000.0) as i64)
                .map(|t| t as f64 / 90_000.0)
                .collect()
        };
        assert!(at(0.5, 1.5).is_empty(), "a second is not long");
        assert_eq!(at(1.5, 2.7), [2.0]);
        assert_eq!(at(0.5, 5.0), [1.5, 2.0, 3.0, 4.0]);
        assert!(at(0.1, 1.15).is_empty(), "the next one is near");
    }

    #[test]
    fn a_last_picture_that_stands_comes_evenly_before_its_end() {
        let at = |last: f64, end: f64| -> Vec<i64> {
            let ticks = |seconds: f64| (seconds * 90_000.0) as i64;
            Cuts::Even.closing(ticks(last), ticks(end)).map(|at| (ticks(end) - at) / 3_000).collect()
        };
        assert_eq!(at(4.5, 5.5), [6, 5, 4, 3, 2, 1]);
        assert_eq!(at(5.31, 5.52), [5, 4, 3, 2, 1], "nothing before it was there");
        assert!(at(5.4, 5.5).is_empty(), "it hardly stands");
        assert!(at(5.5, 6.05).iter().all(|n| *n > 1), "a crumb is no segment");
    }

    #[test]
    fn segments_open_every_two_seconds_at_the_first_picture() {
        let opened = |ticks: &[i64]| -> Vec<usize> {
            let before = |n: usize| n.checked_sub(1).map(|n| ticks[n]);
            (0..ticks.len()).filter(|n| Cuts::Even.opens_segment(ticks[*n], before(*n))).collect()
        };
        for step in [3_000, 3_003, 3_600] {
            let all: Vec<i64> = (0..200).map(|n| n * step).collect();
            let nth = if step == 3_600 { 50 } else { 60 };
            assert_eq!(opened(&all), (0..200).step_by(nth).collect::<Vec<_>>());
        }
        assert_eq!(opened(&[0, 90_000, 179_955, 183_000]), [0, 2], "a millisecond early is in time");
    }

    #[test]
    fn segments_open_at_key_frames_that_are_there() {
        let seconds = |all: &[f64]| all.iter().map(|s| (s * 90_000.0) as i64).collect::<Vec<_>>();
        let cuts = |keys: &[f64], end: f64| Cuts::at_keys(&seconds(keys), (end * 90_000.0) as i64);
        let at = |all: &[f64]| Some(Cuts::Keys(seconds(all)));
        assert_eq!(cuts(&[0.0, 2.0, 4.0, 6.0], 7.5), at(&[0.0, 2.0, 4.0, 6.0]));
        assert_eq!(cuts(&[0.0, 1.0, 2.0, 3.0, 4.0], 4.5), at(&[0.0, 2.0, 4.0]));
        assert_eq!(cuts(&[0.0, 0.5, 1.9, 4.2], 5.0), at(&[0.0, 1.9, 4.2]), "none has more than four seconds");
        assert_eq!(cuts(&[0.0], 3.9), at(&[0.0]));
        assert_eq!(cuts(&[0.0, 4.1], 5.0), None);
        assert_eq!(cuts(&[0.0, 2.0], 6.5), None);
        assert_eq!(cuts(&[], 1.0), None);
        let keys = cuts(&[0.0, 2.5, 5.0], 6.0).unwrap();
        let opened = seconds(&[0.0, 1.0, 2.4, 2.5, 3.0, 5.1]);
        let before = |n: usize| n.checked_sub(1).map(|n| opened[n]);
        let open: Vec<usize> = (0..6).filter(|n| keys.opens_segment(opened[*n], before(*n))).collect();
        assert_eq!(open, [0, 3, 5]);
        assert_eq!(keys.repeats(90_000, 5 * 90_000).collect::<Vec<_>>(), seconds(&[2.0, 2.5, 3.5, 4.5]));
    }

    #[test]
    fn a_clock_that_jumps_is_followed_when_there_is_a_film_behind_the_gap() {
        let mut clock = Clock::new(10_000);
        assert!([0, 40_000, -500_000, 50_000_000].into_iter().all(|us| clock.accepts(us)));
        assert!(!clock.accepts(400_000_000), "one picture is a broken clock");
        assert!(clock.accepts(50_040_000));
        assert_eq!([400_000_000, 400_033_000, 400_066_000].map(|us| clock.accepts(us)), [false, false, true]);
        assert!((0..9).all(|n| !clock.accepts(36_000_000_000 + n * 33_000)), "ten hours are no gap");
        assert!(!clock.accepts(i64::MIN) && !clock.accepts(i64::MAX));
        let mut told = Clock::new(300_000);
        assert!(told.accepts(0) && told.accepts(200_000_000) && !told.accepts(301_000_000));
    }
}
