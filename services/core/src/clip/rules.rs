//! What to tell her about a clip, and when it may go to her mentor. Pure: state in, words out.

use super::work::{self, Work};
use super::{ClipState, MediaState};
use crate::error::Refusal;
use crate::time::At;

/// All that the sentence depends on.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    pub state: ClipState,
    /// Of the newest version.
    pub media: MediaState,
    pub playable: bool,
    /// The newest version is the one a mentor already answered, so `media` has no news.
    pub answered: bool,
    pub since: At,
    pub due_at: Option<At>,
    pub mentor: Option<&'a str>,
    /// Sent feedback she hasn't opened yet.
    pub unheard: i64,
    pub has_assignment: bool,
    pub refusal: Option<&'a Refusal>,
    /// What its bytes wait for.
    pub work: Option<&'a Work>,
}

/// What is happening, since when, and what comes next: no state leaves her waiting without a reason.
pub fn what_next(s: &Standing, now: At) -> String {
    let since = moment(s.since, now);
    let mentor = s.mentor.map(|name| format!("{name}老师")).unwrap_or_else(|| "老师".to_owned());
    match s.state {
        ClipState::Withdrawn => format!("{since}你把它收回了，别人看不到。想再交，就重新传一条。"),
        ClipState::Passed if s.unheard > 0 => {
            format!("{since}{mentor}看完了，通过！有 {} 句话留给你，点开听一听。", s.unheard)
        }
        ClipState::Passed => format!("{since}{mentor}看完了，通过！接着学下一课。"),
        ClipState::Submitted => match s.due_at {
            Some(due) if due <= now => {
                format!("{since}交上去的，老师还没看到，已经过了约好的时间。它排在最前面，老师一来就先看这条。")
            }
            Some(due) => format!("{since}交上去了，正在等老师看。最晚{}前有回音。", moment(due, now)),
            None => format!("{since}交上去了，正在等老师看。"),
        },
        ClipState::Reviewing => match s.due_at {
            Some(due) if due > now => {
                format!("{since}{mentor}打开看了，正在写点评。最晚{}前有回音。", moment(due, now))
            }
            _ => format!("{since}{mentor}打开看了，正在写点评。写好就发给你。"),
        },
        ClipState::Returned if s.answered && s.unheard > 0 => {
            format!("{since}{mentor}看完了，有 {} 句话留给你。先听一听，再照着拍一条新的。", s.unheard)
        }
        ClipState::Returned if s.answered => format!("{since}{mentor}看完了，请你照着改一改，拍一条新的再交。"),
        ClipState::Draft | ClipState::Returned => what_bytes_do(s, &since, now),
    }
}

fn what_bytes_do(s: &Standing, since: &str, now: At) -> String {
    let hand_in =
        if s.has_assignment { "满意就交给老师。" } else { "满意就选一份作业，交给老师。" };
    match s.media {
        MediaState::Uploading => format!("{since}开始传的，还没传完。断了不要紧，回到这里会接着传。"),
        MediaState::Received | MediaState::Processing if s.playable => {
            format!("已经能看了。给不同手机和网络做的几份{}。不用等，看一遍，{hand_in}", how_far(s.work))
        }
        MediaState::Received | MediaState::Processing => what_work_does(s.work, since, now),
        MediaState::Ready => format!("{since}做好了。看一遍，{hand_in}"),
        MediaState::Failed => match s.refusal {
            Some(refusal) => format!("{}{}", sentence(&refusal.message), sentence(&refusal.next_step)),
            None => "这条没能处理好。请换一条再传，或者告诉老师。".to_owned(),
        },
        MediaState::Abandoned => format!("{since}开始传的，没有传完，已经停了。请重新选这条片子再传一次。"),
    }
}

fn how_far(work: Option<&Work>) -> String {
    match work {
        Some(Work::Begun { progress: Some(progress) }) => format!("做到 {progress} 了"),
        Some(Work::Begun { progress: None }) => "正在做".to_owned(),
        Some(Work::Queued { .. }) => "在排队".to_owned(),
        Some(Work::Again { .. }) | None => "过一会儿接着做".to_owned(),
    }
}

fn what_work_does(work: Option<&Work>, since: &str, now: At) -> String {
    match work {
        Some(Work::Queued { ahead: 0 }) => format!("{since}传完了，已经收好，马上就处理。一会儿就能看。"),
        Some(Work::Queued { ahead }) if *ahead < work::MANY => {
            format!("{since}传完了，已经收好，前面还有 {ahead} 条。轮到了就处理，不用守着。")
        }
        Some(Work::Queued { .. }) => {
            format!("{since}传完了，已经收好。今天传的人多，前面还有 {} 条以上，晚些再来看。", work::MANY)
        }
        Some(Work::Begun { progress: Some(progress) }) => {
            format!("{since}传完的，正在处理，做到 {progress} 了。一会儿就能看，不用守着。")
        }
        Some(Work::Begun { progress: None }) | None => format!("{since}传完的，正在处理。一会儿就能看，不用守着。"),
        Some(Work::Again { at }) => {
            let when = if (*at - now).0 < 60_000 { "马上".to_owned() } else { moment(*at, now) };
            format!("{since}传完的，处理到一半断了，{when}再做一次。片子收得好好的，不用重传。")
        }
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['。', '！', '？']) { text.to_owned() } else { format!("{text}。") }
}

/// Why this clip cannot be handed in now. None: it can.
pub fn why_not_submit(state: ClipState, media: MediaState, playable: bool, answered: bool) -> Option<Refusal> {
    let no = |code, message: &str, next: &str| Some(Refusal::new(code, message, next));
    match state {
        ClipState::Withdrawn => no("clip_withdrawn", "这条已经收回了", "重新传一条再交"),
        ClipState::Passed => no("clip_passed", "这条已经通过了，不用再交", "接着学下一课"),
        ClipState::Submitted | ClipState::Reviewing => no("clip_submitted", "这条已经交上去了", "等老师看完，会告诉你"),
        ClipState::Returned if answered => no("new_version_needed", "这一条老师已经看过了", "照着点评拍一条新的，再交"),
        ClipState::Draft | ClipState::Returned => match media {
            MediaState::Uploading => no("not_received", "还没传完", "等它传完，再交给老师"),
            MediaState::Abandoned => no("not_received", "上次没有传完", "重新选这条片子再传一次"),
            // What already plays can be judged, even if a later rung of the ladder could not be made.
            _ if playable => None,
            MediaState::Failed => no("clip_failed", "这条没能处理好，老师看不到", "换一条再传"),
            _ => no("not_playable", "还在处理，一会儿就好", "等它能看了，再交给老师"),
        },
    }
}

/// A moment as she would say it, on China's calendar: 刚才, 12 分钟前, 今天 9:05, 明天 18:30, 11月3日 20:00.
pub fn moment(at: At, now: At) -> String {
    let ago = (now - at).0;
    if (0..60_000).contains(&ago) {
        return "刚才".to_owned();
    }
    if (60_000..3_600_000).contains(&ago) {
        return format!("{} 分钟前", ago / 60_000);
    }
    let (day, today) = (at.china_date(), now.china_date());
    let minutes = (at.0 + 8 * 3_600_000).rem_euclid(86_400_000) / 60_000;
    let clock = format!("{}:{:02}", minutes / 60, minutes % 60);
    let days = (day - today).get_days();
    match days {
        0 => format!("今天 {clock} "),
        -1 => format!("昨天 {clock} "),
        1 => format!("明天 {clock} "),
        2 => format!("后天 {clock} "),
        _ if day.year() == today.year() => format!("{}月{}日 {clock} ", day.month(), day.day()),
        _ => format!("{}年{}月{}日 {clock} ", day.year(), day.month(), day.day()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;

    /// 2026-03-05 14:30 in China.
    const NOW: At = At(1_772_692_200_000);

    fn standing(state: ClipState, media: MediaState) -> Standing<'static> {
        Standing {
            state,
            media,
            playable: media == MediaState::Ready,
            answered: false,
            since: NOW - Millis::minutes(12),
            due_at: None,
            mentor: None,
            unheard: 0,
            has_assignment: true,
            refusal: None,
            work: None,
        }
    }

    #[test]
    fn who_waits_for_a_worker_is_told_how_long_and_why() {
        let said = |work: Work, playable| {
            let media = MediaState::Processing;
            what_next(&Standing { work: Some(&work), playable, ..standing(ClipState::Draft, media) }, NOW)
        };
        for (work, playable, words) in [
            (Work::Queued { ahead: 0 }, false, "马上就处理"),
            (Work::Queued { ahead: 3 }, false, "前面还有 3 条"),
            (Work::Queued { ahead: work::MANY }, false, "100 条以上"),
            (Work::Begun { progress: None }, false, "正在处理"),
            (Work::Begun { progress: Some("40%".into()) }, false, "做到 40% 了"),
            (Work::Begun { progress: Some("40%".into()) }, true, "给不同手机和网络做的几份做到 40% 了。不用等"),
            (Work::Queued { ahead: 3 }, true, "在排队。不用等"),
            (Work::Again { at: NOW + Millis::minutes(5) }, false, "今天 14:35 再做一次。片子收得好好的"),
            (Work::Again { at: NOW - Millis::minutes(5) }, false, "马上再做一次"),
        ] {
            let next = said(work.clone(), playable);
            assert!(next.contains(words) && next.ends_with('。'), "{work:?}: {next}");
        }
    }

    #[test]
    fn every_state_says_something_and_what_to_do() {
        for state in ClipState::ALL {
            for media in MediaState::ALL {
                for (answered, playable) in [(false, false), (false, true), (true, true)] {
                    let words = what_next(&Standing { answered, playable, ..standing(state, media) }, NOW);
                    assert!(words.ends_with(['。', '！']), "{state:?} {media:?}: {words}");
                    assert!(words.chars().count() >= 12, "{state:?} {media:?}: {words}");
                    assert!(!words.contains("。。"), "{words}");
                }
            }
        }
    }

    #[test]
    fn waiting_names_the_promise_and_says_when_it_was_missed() {
        let mut s = standing(ClipState::Submitted, MediaState::Ready);
        s.due_at = Some(NOW + Millis::hours(47));
        assert_eq!(what_next(&s, NOW), "12 分钟前交上去了，正在等老师看。最晚后天 13:30 前有回音。");
        s.due_at = Some(NOW - Millis(1));
        assert!(what_next(&s, NOW).contains("排在最前面"));
        let s = Standing {
            state: ClipState::Reviewing,
            mentor: Some("李慧"),
            ..standing(ClipState::Reviewing, MediaState::Ready)
        };
        assert_eq!(what_next(&s, NOW), "12 分钟前李慧老师打开看了，正在写点评。写好就发给你。");
    }

    #[test]
    fn a_new_version_of_a_returned_clip_speaks_of_its_own_bytes() {
        let mut s = standing(ClipState::Returned, MediaState::Ready);
        s.answered = true;
        s.unheard = 3;
        assert!(what_next(&s, NOW).contains("有 3 句话留给你"));
        s = standing(ClipState::Returned, MediaState::Processing);
        assert!(what_next(&s, NOW).contains("正在处理"));
    }

    #[test]
    fn a_refused_file_gives_its_reason_and_next_step() {
        let refusal = Refusal::new("not_a_video", "这不是视频", "换一个视频再传。");
        let s = Standing { refusal: Some(&refusal), ..standing(ClipState::Draft, MediaState::Failed) };
        assert_eq!(what_next(&s, NOW), "这不是视频。换一个视频再传。");
    }

    #[test]
    fn what_plays_may_be_handed_in_and_nothing_else() {
        for media in MediaState::ALL {
            let finished = !matches!(media, MediaState::Uploading | MediaState::Abandoned);
            for state in [ClipState::Draft, ClipState::Returned] {
                assert_eq!(why_not_submit(state, media, true, false).is_none(), finished, "{media:?}");
                assert!(why_not_submit(state, media, false, false).is_some(), "{media:?}");
            }
        }
        let again = why_not_submit(ClipState::Returned, MediaState::Ready, true, true).unwrap();
        assert_eq!(again.code, "new_version_needed");
        for state in [ClipState::Submitted, ClipState::Reviewing, ClipState::Passed, ClipState::Withdrawn] {
            assert!(why_not_submit(state, MediaState::Ready, true, false).is_some());
        }
    }

    #[test]
    fn moments_read_as_she_would_say_them() {
        assert_eq!(moment(NOW - Millis::seconds(5), NOW), "刚才");
        assert_eq!(moment(NOW - Millis::minutes(59), NOW), "59 分钟前");
        assert_eq!(moment(NOW - Millis::hours(5), NOW), "今天 9:30 ");
        assert_eq!(moment(NOW - Millis::hours(15), NOW), "昨天 23:30 ");
        assert_eq!(moment(NOW + Millis::hours(24), NOW), "明天 14:30 ");
        assert_eq!(moment(NOW - Millis::days(10), NOW), "2月23日 14:30 ");
        assert_eq!(moment(NOW - Millis::days(100), NOW), "2025年11月25日 14:30 ");
    }
}
