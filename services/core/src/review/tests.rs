use super::queue::View;
use super::testing::{Classroom, clip, end_leases, principal, set_media_state, version};
use super::*;
use crate::clip::{ClipState, sql as clips};
use crate::content;
use crate::db::Db;
use crate::error::Error;
use crate::{both_databases, on};

/// One act in one transaction.
macro_rules! act {
    ($db:expr, $tx:ident => $body:expr) => {{
        let mut $tx = $db.write().await.unwrap();
        let answer = $body;
        if answer.is_ok() {
            $tx.commit().await.unwrap();
        }
        answer
    }};
}

async fn submitted(db: &Db, room: &Classroom) -> (ClipId, TicketId) {
    let (clip, _) =
        act!(db, tx => Ok::<_, Error>(clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A1")).await)).unwrap();
    let ticket = submit(db, &clip).await;
    (clip, ticket)
}

async fn submit(db: &Db, clip: &ClipId) -> TicketId {
    act!(db, tx => { let now = At::now(); clips::submit(&mut tx, now, clip, None, None).await }).unwrap();
    let mut tx = db.read().await.unwrap();
    queue::newest_of_clip(&mut tx, clip).await.unwrap().unwrap().id
}

async fn claim(db: &Db, ticket: &TicketId, mentor: &UserId) -> crate::Result<Draft> {
    act!(db, tx => async {
        queue::claim(&mut tx, ticket, mentor).await?;
        let held = queue::get(&mut tx, ticket).await?;
        draft::begin(&mut tx, At::now(), &held, mentor).await?;
        draft::load(&mut tx, ticket, mentor).await
    }.await)
}

async fn save(db: &Db, ticket: &TicketId, mentor: &UserId, input: DraftInput) -> crate::Result<Draft> {
    match act!(db, tx => draft::save(&mut tx, ticket, mentor, input).await)? {
        draft::Saved::Kept(draft) => Ok(draft),
        draft::Saved::KeptWithoutTicket => Err(Error::conflict("lease_lost", "", "")),
    }
}

async fn send(db: &Db, ticket: &TicketId, mentor: &UserId, rev: i64, outcome: Outcome) -> crate::Result<SentReview> {
    act!(db, tx => draft::send(&mut tx, ticket, mentor, rev, outcome).await)
}

async fn state(db: &Db, clip: &ClipId) -> ClipState {
    let mut tx = db.read().await.unwrap();
    clips::get(&mut tx, clip).await.unwrap().state
}

async fn ticket(db: &Db, id: &TicketId) -> Ticket {
    let mut tx = db.read().await.unwrap();
    queue::get(&mut tx, id).await.unwrap()
}

fn remark(kind: Kind, at: i64, body: &str) -> DraftItem {
    DraftItem { id: None, kind, t_start_ms: at, t_end_ms: None, dim: None, body: body.into() }
}

fn whole(rev: i64) -> DraftInput {
    let rubric = content::rubric();
    DraftInput {
        rev,
        items: vec![remark(Kind::Praise, 1_000, "开头好"), remark(Kind::Fix, 12_000, "离手机近一点")],
        scores: rubric.video.iter().map(|d| (d.code.clone(), Some(4))).collect(),
        gates: rubric.gates.iter().map(|g| (g.code.clone(), Some(true))).collect(),
        summary: "讲得清楚".into(),
        next_step: "再拍一条近的".into(),
        outcome: None,
        settled: vec![],
    }
}

fn code(error: Error) -> &'static str {
    match error {
        Error::Refused(refusal) | Error::Conflict(refusal) => refusal.code,
        Error::NotFound => "not_found",
        other => panic!("{other}"),
    }
}

both_databases! {
    of_two_mentors_who_take_at_once_one_holds_it(db) {
        let room = Classroom::open(&db).await;
        let (_, ticket) = submitted(&db, &room).await;
        let mentors = [&room.mentor, &room.second_mentor, &room.mentor, &room.second_mentor];
        let taken = futures_util::future::join_all(mentors.map(|mentor| claim(&db, &ticket, mentor))).await;
        assert_eq!(taken.iter().map(Result::is_ok).collect::<Vec<_>>().chunks(2).filter(|pair| pair[0] != pair[1]).count(), 2);
        assert!(taken[0].is_ok() == taken[2].is_ok() && taken[1].is_ok() == taken[3].is_ok(), "{taken:?}");
    }

    handed_in_twice_at_once_it_waits_once(db) {
        let room = Classroom::open(&db).await;
        let (clip, _) = act!(db, tx => Ok::<_, Error>(clip(&mut tx, &room.trainee, Some(&room.cohort), Some("A1")).await)).unwrap();
        let tickets = futures_util::future::join_all((0..4).map(|_| submit(&db, &clip))).await;
        assert!(tickets.iter().all(|ticket| *ticket == tickets[0]));
        let mut tx = db.read().await.unwrap();
        assert_eq!(queue::counts(&mut tx, &room.mentor).await.unwrap().waiting, 1);
    }

    submitting_twice_makes_one_ticket(db) {
        let room = Classroom::open(&db).await;
        let (clip, first) = submitted(&db, &room).await;
        assert_eq!(submit(&db, &clip).await, first);
        assert_eq!(state(&db, &clip).await, ClipState::Submitted);
        let ticket = ticket(&db, &first).await;
        assert_eq!(ticket.due_at, promise::due(content::work_calendar(), ticket.submitted_at));
        let mut tx = db.read().await.unwrap();
        assert_eq!(queue::counts(&mut tx, &room.mentor).await.unwrap(), queue::Counts { waiting: 1, mine: 0, sent: 0 });
        assert_eq!(queue::counts(&mut tx, &room.stranger).await.unwrap(), queue::Counts::default());
    }

    what_nobody_has_begun_with_can_be_taken_back_and_handed_in_again(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        let retract = async || act!(db, tx => { let now = At::now(); clips::retract(&mut tx, now, &room.trainee, &clip).await });
        act!(db, tx => queue::claim(&mut tx, &id, &room.mentor).await).unwrap();
        assert_eq!(code(retract().await.unwrap_err()), "being_reviewed");
        act!(db, tx => queue::release(&mut tx, &id, &room.mentor).await).unwrap();
        for _ in 0..2 {
            retract().await.unwrap();
            assert_eq!((state(&db, &clip).await, ticket(&db, &id).await.state), (ClipState::Draft, TicketState::Cancelled));
        }
        let mut tx = db.write().await.unwrap();
        assert_eq!(queue::counts(&mut tx, &room.mentor).await.unwrap().waiting, 0);
        on!(&mut tx, c => sqlx::query("update review_tickets set submitted_at = 1, due_at = 1, escalated = 'city', escalates_at = null").execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(code(act!(db, tx => queue::claim(&mut tx, &id, &room.mentor).await).unwrap_err()), "ticket_cancelled");
        // Her promise begins anew.
        assert_eq!(submit(&db, &clip).await, id);
        let again = ticket(&db, &id).await;
        assert_eq!((again.state, again.escalated), (TicketState::Waiting, None));
        assert!(again.submitted_at > At(1) && again.due_at > again.submitted_at && again.escalates_at.is_some());
        act!(db, tx => queue::claim(&mut tx, &id, &room.mentor).await).unwrap();
        assert_eq!(state(&db, &clip).await, ClipState::Reviewing);
    }

    who_waits_too_long_is_told_of_step_by_step_and_once(db) {
        let room = Classroom::open(&db).await;
        let (_, id) = submitted(&db, &room).await;
        assert_eq!(queue::escalate(&db).await.unwrap(), 0);
        let mut tx = db.write().await.unwrap();
        let (long_ago, sql) = (At::now() - Millis::days(30), "update review_tickets set submitted_at = $1, escalates_at = $1");
        on!(&mut tx, c => sqlx::query(sql).bind(long_ago).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        // Several servers look at once, after a night in which none did.
        let told = futures_util::future::join_all((0..4).map(|_| queue::escalate(&db))).await;
        assert_eq!(told.into_iter().map(Result::unwrap).sum::<usize>(), 4);
        let ticket = ticket(&db, &id).await;
        assert_eq!((ticket.escalated, ticket.escalates_at), (Some(Step::City), None));
        let mut tx = db.read().await.unwrap();
        let lines: Vec<String> = on!(&mut tx, c => sqlx::query_scalar("select detail from audit_events where action = 'review.escalated' order by seq").fetch_all(c).await).unwrap();
        let steps: Vec<&str> = ["nudge", "lead", "county", "city"].into_iter().zip(&lines).filter(|(step, line)| line.contains(step)).map(|(step, _)| step).collect();
        assert_eq!((lines.len(), steps.len()), (4, 4), "{lines:?}");
        drop(tx);
        // Who was answered, or took it back, is not told of any more.
        let mut tx = db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query("update review_tickets set state = 'cancelled', escalated = null, escalates_at = 1").execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(queue::escalate(&db).await.unwrap(), 0);
    }

    only_what_plays_and_answers_an_assignment_is_submitted(db) {
        let room = Classroom::open(&db).await;
        let mut tx = db.write().await.unwrap();
        let (none, v) = clip(&mut tx, &room.trainee, Some(&room.cohort), None).await;
        let now = At::now();
        assert_eq!(code(clips::submit(&mut tx, now, &none, None, None).await.unwrap_err()), "assignment_needed");
        // A2 is answered by text, A99 by nobody.
        for other in ["A2", "A99"] {
            assert_eq!(code(clips::submit(&mut tx, now, &none, Some(other), None).await.unwrap_err()), "assignment_needed");
        }
        set_media_state(&mut tx, &v, "processing", None).await;
        assert_eq!(code(clips::submit(&mut tx, now, &none, Some("A1"), None).await.unwrap_err()), "not_playable");
        let (homeless, _) = clip(&mut tx, &room.stranger, None, Some("A1")).await;
        assert_eq!(code(clips::submit(&mut tx, now, &homeless, None, None).await.unwrap_err()), "cohort_needed");
        let (free, _) = clip(&mut tx, &room.trainee, None, None).await;
        clips::submit(&mut tx, now, &free, Some("A4"), Some(&room.cohort)).await.unwrap();
        let kept = clips::get(&mut tx, &free).await.unwrap();
        assert_eq!((kept.assignment_code.as_deref(), kept.cohort_id), (Some("A4"), Some(room.cohort)));
    }

    one_mentor_holds_a_ticket(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        let draft = claim(&db, &id, &room.mentor).await.unwrap();
        assert!(draft.scores.values().all(Option::is_none) && draft.gates.values().all(Option::is_none));
        assert_eq!(claim(&db, &id, &room.mentor).await.unwrap(), draft, "claiming again changes nothing");
        assert_eq!(code(claim(&db, &id, &room.second_mentor).await.unwrap_err()), "ticket_taken");
        assert_eq!(state(&db, &clip).await, ClipState::Reviewing);
        let mut tx = db.read().await.unwrap();
        assert_eq!(queue::list(&mut tx, &room.mentor, View::Mine).await.unwrap().len(), 1);
        assert_eq!(queue::list(&mut tx, &room.second_mentor, View::Waiting).await.unwrap(), []);
        drop(tx);
        act!(db, tx => queue::release(&mut tx, &id, &room.second_mentor).await).unwrap();
        assert_eq!(ticket(&db, &id).await.state, TicketState::Claimed, "not hers to release");
        act!(db, tx => queue::release(&mut tx, &id, &room.mentor).await).unwrap();
        assert_eq!(state(&db, &clip).await, ClipState::Submitted);
        claim(&db, &id, &room.second_mentor).await.unwrap();
    }

    of_two_who_reach_at_once_one_gets_it(db) {
        let room = Classroom::open(&db).await;
        let (_, id) = submitted(&db, &room).await;
        let (one, two) = tokio::join!(claim(&db, &id, &room.mentor), claim(&db, &id, &room.second_mentor));
        assert_eq!([&one, &two].iter().filter(|claimed| claimed.is_ok()).count(), 1);
        let lost = one.err().or(two.err()).unwrap();
        assert_eq!(code(lost), "ticket_taken");
        let (one, two) = tokio::join!(submitted(&db, &room), submitted(&db, &room));
        assert_ne!(one.1, two.1);
        let (one, two) = tokio::join!(submit(&db, &one.0), submit(&db, &one.0));
        assert_eq!(one, two);
    }

    an_expired_lease_returns_to_waiting_and_keeps_her_draft(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        let kept = save(&db, &id, &room.mentor, whole(0)).await.unwrap();
        assert_eq!(queue::sweep(&db).await.unwrap(), 0);
        end_leases(&db).await;
        assert_eq!(queue::sweep(&db).await.unwrap(), 1);
        assert_eq!((ticket(&db, &id).await.state, state(&db, &clip).await), (TicketState::Waiting, ClipState::Submitted));
        assert_eq!(code(send(&db, &id, &room.mentor, kept.rev, Outcome::Pass).await.unwrap_err()), "lease_lost");
        // The other mentor begins blank; the draft belongs to the one who wrote it.
        let blank = claim(&db, &id, &room.second_mentor).await.unwrap();
        assert!(blank.items.is_empty());
        assert_eq!(code(save(&db, &id, &room.mentor, DraftInput { summary: "晚了一步".into(), ..whole(kept.rev) }).await.unwrap_err()), "lease_lost");
        act!(db, tx => queue::release(&mut tx, &id, &room.second_mentor).await).unwrap();
        let again = claim(&db, &id, &room.mentor).await.unwrap();
        assert_eq!((again.items.len(), again.summary.as_str()), (2, "晚了一步"), "also what came late was kept");
    }

    writing_on_takes_a_lapsed_ticket_up_again(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        end_leases(&db).await;
        queue::sweep(&db).await.unwrap();
        save(&db, &id, &room.mentor, whole(0)).await.unwrap();
        assert_eq!(ticket(&db, &id).await.holder_id, Some(room.mentor.clone()));
        assert_eq!(state(&db, &clip).await, ClipState::Reviewing);
        // Unswept, a lapsed lease is another mentor's for the taking too.
        end_leases(&db).await;
        claim(&db, &id, &room.second_mentor).await.unwrap();
        assert_eq!(state(&db, &clip).await, ClipState::Reviewing);
    }

    a_lease_is_renewed_by_writing_but_not_for_ever(db) {
        let room = Classroom::open(&db).await;
        let (_, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        for rev in 0..4 {
            let mut tx = db.write().await.unwrap();
            let soon = tx.clock().await.unwrap() + Millis::minutes(5);
            on!(&mut tx, c => sqlx::query("update review_tickets set lease_until = $1").bind(soon).execute(c).await.map(drop)).unwrap();
            tx.commit().await.unwrap();
            save(&db, &id, &room.mentor, whole(rev)).await.unwrap();
            let renewed = ticket(&db, &id).await.lease_until.unwrap() > soon;
            assert_eq!(renewed, rev < RENEWALS, "save {rev}");
        }
    }

    an_old_draft_is_refused_and_nothing_is_lost(db) {
        let room = Classroom::open(&db).await;
        let (_, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        let first = save(&db, &id, &room.mentor, whole(0)).await.unwrap();
        assert_eq!((first.rev, first.items.len()), (1, 2));
        assert_eq!(save(&db, &id, &room.mentor, whole(0)).await.unwrap(), first, "the same save, its answer lost");
        let other = DraftInput { summary: "另一个窗口".into(), ..whole(0) };
        assert_eq!(code(save(&db, &id, &room.mentor, other).await.unwrap_err()), "draft_is_old");
        let mut tx = db.read().await.unwrap();
        assert_eq!(draft::load(&mut tx, &id, &room.mentor).await.unwrap(), first);
        drop(tx);
        // Ids stay with their items; an id from elsewhere is not taken over.
        let mut input = DraftInput { items: first.items.clone(), ..whole(1) };
        input.items.push(DraftItem { id: Some(ItemId::new()), ..remark(Kind::Question, 20_000, "给谁看？") });
        let second = save(&db, &id, &room.mentor, input.clone()).await.unwrap();
        assert_eq!(second.items[..2], first.items[..]);
        assert_ne!(second.items[2].id, input.items[2].id);
    }

    a_sent_review_reaches_her_and_closes_the_ticket(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        let mut unfinished = whole(0);
        unfinished.items.remove(0);
        unfinished.scores.insert("hook".into(), None);
        save(&db, &id, &room.mentor, unfinished).await.unwrap();
        match send(&db, &id, &room.mentor, 1, Outcome::Return).await.unwrap_err() {
            Error::Refused(refusal) => {
                assert_eq!(refusal.code, "review_incomplete");
                assert_eq!(refusal.message, "还不能发：先夸一处：至少要有一条表扬；这几项还没打分：开头三秒。");
            }
            other => panic!("{other}"),
        }
        save(&db, &id, &room.mentor, whole(1)).await.unwrap();
        assert_eq!(code(send(&db, &id, &room.mentor, 1, Outcome::Return).await.unwrap_err()), "draft_is_old");
        let mut tx = db.read().await.unwrap();
        assert_eq!(sent::of_clip(&mut tx, &clip, &room.trainee).await.unwrap(), [], "a draft is nobody else's");
        drop(tx);
        let review = send(&db, &id, &room.mentor, 2, Outcome::Return).await.unwrap();
        assert_eq!((review.total, review.version_n, review.mentor.as_str()), (Some(80), 1, "李慧"));
        assert_eq!(send(&db, &id, &room.mentor, 2, Outcome::Return).await.unwrap(), review, "sending again answers the same");
        assert_eq!(code(send(&db, &id, &room.mentor, 2, Outcome::Pass).await.unwrap_err()), "review_sent");
        assert_eq!((ticket(&db, &id).await.state, state(&db, &clip).await), (TicketState::Sent, ClipState::Returned));
        assert_eq!(code(claim(&db, &id, &room.second_mentor).await.unwrap_err()), "ticket_sent");
        let mut tx = db.read().await.unwrap();
        assert_eq!(sent::of_clip(&mut tx, &clip, &room.trainee).await.unwrap(), [review]);
        assert_eq!(crate::account::unheard(&mut tx, &room.trainee).await.unwrap(), 2);
        assert_eq!(sent::unheard_of_clip(&mut tx, &clip).await.unwrap(), 2);
        assert_eq!(queue::list(&mut tx, &room.mentor, View::Sent).await.unwrap().len(), 1);
        assert_eq!(crate::audit::first_broken(&mut tx).await.unwrap(), None);
    }

    she_hears_and_answers_once(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        let draft = save(&db, &id, &room.mentor, whole(0)).await.unwrap();
        let hidden = draft.items[1].id.clone().unwrap();
        let mut tx = db.read().await.unwrap();
        assert!(sent::item(&mut tx, &hidden).await.is_err(), "not sent yet");
        drop(tx);
        send(&db, &id, &room.mentor, 1, Outcome::Return).await.unwrap();
        let mut tx = db.write().await.unwrap();
        assert_eq!(sent::item(&mut tx, &hidden).await.unwrap().1, clip);
        for _ in 0..2 {
            assert_eq!(sent::hear(&mut tx, &hidden, &room.trainee).await.unwrap().state, ItemState::Heard);
        }
        assert_eq!(sent::unheard_of_clip(&mut tx, &clip).await.unwrap(), 1);
        for now in 0..2 {
            let item = sent::reply(&mut tx, At(now), &hidden, &room.trainee, sent::Speaker::Owner, " 好的，明天再拍 ").await.unwrap();
            assert_eq!(item.replies.len(), 1);
            assert!(item.replies[0].mine && item.replies[0].body == "好的，明天再拍");
        }
        let item = sent::reply(&mut tx, At(3), &hidden, &room.trainee, sent::Speaker::Owner, "拍好了").await.unwrap();
        assert_eq!(item.replies.len(), 2);
        assert_eq!(code(sent::reply(&mut tx, At(4), &hidden, &room.trainee, sent::Speaker::Owner, "  ").await.unwrap_err()), "bad_reply");
        let seen = sent::of_clip(&mut tx, &clip, &room.mentor).await.unwrap();
        assert!(!seen[0].items[1].replies[0].mine);
    }

    version_two_settles_what_version_one_left_open(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        let mut input = whole(0);
        input.items.push(remark(Kind::Must, 20_000, "孩子的脸要遮住"));
        save(&db, &id, &room.mentor, input).await.unwrap();
        assert_eq!(code(send(&db, &id, &room.mentor, 1, Outcome::Pass).await.unwrap_err()), "review_incomplete");
        let first = send(&db, &id, &room.mentor, 1, Outcome::Return).await.unwrap();
        let (fix, must) = (first.items[1].id.clone(), first.items[2].id.clone());

        let again = act!(db, tx => { let now = At::now(); clips::submit(&mut tx, now, &clip, None, None).await });
        assert_eq!(code(again.unwrap_err()), "new_version_needed");
        let v2 = act!(db, tx => Ok::<_, Error>(version(&mut tx, &clip, 2).await)).unwrap();
        let second = submit(&db, &clip).await;
        assert_ne!(second, id);
        let draft = claim(&db, &second, &room.mentor).await.unwrap();
        assert!(draft.items.is_empty() && draft.settled.is_empty());
        let mut tx = db.read().await.unwrap();
        let held = queue::get(&mut tx, &second).await.unwrap();
        assert_eq!(held.version_id, v2);
        let open: Vec<ItemId> = draft::earlier_open(&mut tx, &clip, &held).await.unwrap().into_iter().map(|o| o.id).collect();
        assert_eq!(open, [must.clone(), fix.clone()], "what must change comes first; praise is not open");
        let earlier = sent::earlier(&mut tx, &clip, &v2, &room.mentor).await.unwrap();
        assert_eq!(earlier[0].items.iter().map(|i| i.kind).collect::<Vec<_>>(), [Kind::Must, Kind::Fix, Kind::Praise]);
        drop(tx);

        let settled = |id: &ItemId, verdict| Settled { item_id: id.clone(), verdict, at_ms: None };
        let foreign = DraftInput { settled: vec![settled(&ItemId::new(), Verdict::Verified)], ..whole(0) };
        assert_eq!(code(save(&db, &second, &room.mentor, foreign).await.unwrap_err()), "not_found");
        let praise_only = DraftInput { items: vec![remark(Kind::Praise, 0, "好多了")], ..whole(0) };
        save(&db, &second, &room.mentor, praise_only.clone()).await.unwrap();
        assert_eq!(code(send(&db, &second, &room.mentor, 1, Outcome::Pass).await.unwrap_err()), "review_incomplete");
        let verdicts = vec![settled(&must, Verdict::Verified), settled(&fix, Verdict::Again)];
        let kept = save(&db, &second, &room.mentor, DraftInput { rev: 1, settled: verdicts, ..praise_only }).await.unwrap();
        assert_eq!(kept.settled.len(), 2);
        send(&db, &second, &room.mentor, 2, Outcome::Pass).await.unwrap();
        assert_eq!(state(&db, &clip).await, ClipState::Passed);
        let mut tx = db.read().await.unwrap();
        let reviews = sent::of_clip(&mut tx, &clip, &room.trainee).await.unwrap();
        assert_eq!(reviews.iter().map(|r| r.version_n).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(reviews[1].items[1].state, ItemState::Again);
        assert_eq!(reviews[1].items[2].state, ItemState::Verified);
        let (item, _) = sent::item(&mut tx, &must).await.unwrap();
        assert_eq!(item.settled_version_id, Some(v2));
    }

    withdrawing_empties_the_queue(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        for _ in 0..2 {
            act!(db, tx => { let now = At::now(); clips::withdraw(&mut tx, now, &room.trainee, &clip).await }).unwrap();
        }
        assert_eq!((ticket(&db, &id).await.state, state(&db, &clip).await), (TicketState::Cancelled, ClipState::Withdrawn));
        assert_eq!(code(save(&db, &id, &room.mentor, whole(0)).await.unwrap_err()), "ticket_cancelled");
        assert_eq!(code(claim(&db, &id, &room.second_mentor).await.unwrap_err()), "ticket_cancelled");
        let mut tx = db.read().await.unwrap();
        assert_eq!(clips::of_owner(&mut tx, &room.trainee, None, None, 10).await.unwrap(), []);
        assert_eq!(clips::of_owner(&mut tx, &room.trainee, Some(ClipState::Withdrawn), None, 10).await.unwrap().len(), 1);
    }

    who_recuses_herself_sees_it_no_more_and_another_does(db) {
        let room = Classroom::open(&db).await;
        let (clip, id) = submitted(&db, &room).await;
        claim(&db, &id, &room.mentor).await.unwrap();
        let recuse = async |reason: &str| act!(db, tx => queue::recuse(&mut tx, &id, &room.mentor, reason).await);
        assert_eq!(code(recuse(" ").await.unwrap_err()), "bad_reason");
        for _ in 0..2 {
            recuse("她是我表妹").await.unwrap();
            assert_eq!((state(&db, &clip).await, ticket(&db, &id).await.state), (ClipState::Submitted, TicketState::Waiting));
        }
        assert_eq!(code(claim(&db, &id, &room.mentor).await.unwrap_err()), "recused");
        let mut tx = db.write().await.unwrap();
        assert_eq!(queue::counts(&mut tx, &room.mentor).await.unwrap().waiting, 0);
        assert_eq!(queue::list(&mut tx, &room.mentor, View::Waiting).await.unwrap(), []);
        assert_eq!(queue::counts(&mut tx, &room.second_mentor).await.unwrap().waiting, 1);
        assert_eq!(queue::mentors_left(&mut tx, &id).await.unwrap(), 1);
        assert_eq!(testing::events(&mut tx, "review.recused", clip.as_str()).await, 1);
        tx.commit().await.unwrap();
        let draft = claim(&db, &id, &room.second_mentor).await.unwrap();
        let kept = save(&db, &id, &room.second_mentor, whole(draft.rev)).await.unwrap();
        send(&db, &id, &room.second_mentor, kept.rev, Outcome::Pass).await.unwrap();
        let late = act!(db, tx => queue::recuse(&mut tx, &id, &room.second_mentor, "同村").await);
        assert_eq!(code(late.unwrap_err()), "ticket_sent");
    }

    whose_first_clip_it_is_comes_before_who_was_answered_lately(db) {
        let room = Classroom::open(&db).await;
        testing::reviewed(&db, &room, "A4", 4, Outcome::Pass).await;
        let (_, answered) = submitted(&db, &room).await;
        let newcomer = act!(db, tx => Ok::<_, Error>({
            let newcomer = testing::person(&mut tx, "彭秀英").await;
            testing::join(&mut tx, &room.cohort, &newcomer, "trainee").await;
            clip(&mut tx, &newcomer, Some(&room.cohort), Some("A1")).await.0
        })).unwrap();
        let first = submit(&db, &newcomer).await;
        let listed = async || {
            let mut tx = db.read().await.unwrap();
            queue::list(&mut tx, &room.mentor, View::Waiting).await.unwrap().into_iter().map(|t| t.id).collect::<Vec<_>>()
        };
        assert_eq!(listed().await, [first.clone(), answered.clone()]);
        // Whose time is over comes before all others.
        act!(db, tx => on!(&mut tx, c => sqlx::query("update review_tickets set due_at = 5 where id = $1").bind(&answered).execute(c).await.map(drop))).unwrap();
        assert_eq!(listed().await, [answered, first]);
    }

    the_oldest_promise_comes_first_and_nobody_judges_herself(db) {
        let room = Classroom::open(&db).await;
        let (_, late) = submitted(&db, &room).await;
        let (_, early) = submitted(&db, &room).await;
        let mut tx = db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query("update review_tickets set due_at = 5 where id = $1").bind(&early).execute(c).await.map(drop)).unwrap();
        let (own, _) = clip(&mut tx, &room.mentor, Some(&room.cohort), Some("A1")).await;
        clips::submit(&mut tx, At::now(), &own, None, None).await.unwrap();
        let ids: Vec<TicketId> = queue::list(&mut tx, &room.mentor, View::Waiting).await.unwrap().into_iter().map(|t| t.id).collect();
        assert_eq!(ids, [early, late]);
        assert_eq!(queue::counts(&mut tx, &room.mentor).await.unwrap().waiting, 2);
        assert_eq!(queue::counts(&mut tx, &room.second_mentor).await.unwrap().waiting, 3);
        assert!(principal(&mut tx, &room.mentor).await.teaches.contains(&room.cohort));
    }
}
