use std::sync::LazyLock;

use super::*;
use crate::content;
use crate::ids::{ClipId, CohortId, TicketId, VersionId};

fn item(kind: Kind, body: &str) -> DraftItem {
    DraftItem { id: None, kind, t_start_ms: 65_000, t_end_ms: None, dim: None, body: body.into() }
}

fn scored(level: i64) -> Scores {
    content::rubric().video.iter().map(|d| (d.code.clone(), Some(level))).collect()
}

fn passed_gates() -> Gates {
    content::rubric().gates.iter().map(|g| (g.code.clone(), Some(true))).collect()
}

struct Review {
    items: Vec<DraftItem>,
    scores: Scores,
    gates: Gates,
    settled: Vec<Settled>,
    earlier: Vec<Open>,
}

impl Review {
    /// One that may be sent either way.
    fn whole() -> Self {
        Self {
            items: vec![item(Kind::Praise, "开头好"), item(Kind::Fix, "离手机近一点")],
            scores: scored(4),
            gates: passed_gates(),
            settled: vec![],
            earlier: vec![],
        }
    }
    fn missing(&self, outcome: Outcome) -> Vec<String> {
        let Self { items, scores, gates, settled, earlier } = self;
        missing(&Judged { items, scores, gates, settled, earlier }, content::rubric(), outcome).unwrap()
    }
}

#[test]
fn a_whole_review_may_be_sent() {
    assert_eq!(Review::whole().missing(Outcome::Pass), [""; 0]);
    assert_eq!(Review::whole().missing(Outcome::Return), [""; 0]);
}

#[test]
fn praise_comes_first() {
    let mut review = Review::whole();
    review.items.remove(0);
    assert_eq!(review.missing(Outcome::Return), ["先夸一处：至少要有一条表扬"]);
}

#[test]
fn five_fixes_are_the_most_and_only_fixes_count() {
    let mut review = Review::whole();
    review.items.extend((0..4).map(|_| item(Kind::Fix, "再来")));
    review.items.extend((0..9).map(|_| item(Kind::Praise, "好")));
    review.items.extend((0..3).map(|_| item(Kind::Question, "给谁看")));
    review.items.push(item(Kind::Must, "遮住脸"));
    assert_eq!(review.missing(Outcome::Return), [""; 0], "five fixes, a must and all the rest");
    review.items.push(item(Kind::Fix, "第六条"));
    assert_eq!(review.missing(Outcome::Return).len(), 1);
    assert!(review.missing(Outcome::Return)[0].contains("现在有 6 条"));
}

#[test]
fn opening_never_scores() {
    let (scores, gates) = blank(content::rubric());
    assert!(scores.values().all(Option::is_none) && gates.values().all(Option::is_none));
    assert_eq!((scores.len(), gates.len()), (9, 5));
    let review = Review { scores, gates, ..Review::whole() };
    let missing = review.missing(Outcome::Return);
    assert!(missing[0].starts_with("这几道红线还没看：导向与法规、"), "{missing:?}");
    assert!(missing[1].starts_with("这几项还没打分：选题与立意、开头三秒、"), "{missing:?}");
    assert_eq!(total(&review.scores, content::rubric(), &review.gates), None);
}

#[test]
fn one_unset_score_or_gate_is_named() {
    let mut review = Review::whole();
    review.scores.insert("hook".into(), None);
    review.gates.remove("g_truth");
    assert_eq!(review.missing(Outcome::Pass), ["这几道红线还没看：真实与广告", "这几项还没打分：开头三秒"]);
}

#[test]
fn a_failed_gate_forbids_passing_and_asks_for_no_scores() {
    let mut review = Review::whole();
    review.gates.insert("g_privacy".into(), Some(false));
    assert_eq!(review.missing(Outcome::Pass), ["碰了红线“隐私与未成年人”，不能通过"]);
    review.scores = blank(content::rubric()).0;
    assert_eq!(review.missing(Outcome::Return), [""; 0]);
    assert_eq!(total(&scored(5), content::rubric(), &review.gates), None);
}

#[test]
fn a_must_blocks_passing_until_it_is_verified() {
    let mut review = Review::whole();
    review.items.push(item(Kind::Must, "孩子的脸要遮住"));
    assert_eq!(review.missing(Outcome::Pass), ["这一版里有“必须改”的，不能通过"]);
    assert_eq!(review.missing(Outcome::Return), [""; 0]);

    let (must, fix) = (ItemId::new(), ItemId::new());
    let mut review = Review::whole();
    review.earlier = vec![
        Open { id: must.clone(), kind: Kind::Must, body: "孩子的脸要遮住".into() },
        Open { id: fix, kind: Kind::Fix, body: "有风声".into() },
    ];
    assert_eq!(review.missing(Outcome::Pass), ["上一版“必须改”的还没看到改好：“孩子的脸要遮住”"]);
    review.settled = vec![Settled { item_id: must.clone(), verdict: Verdict::Again, at_ms: None }];
    assert_eq!(review.missing(Outcome::Pass).len(), 1);
    review.settled = vec![Settled { item_id: must, verdict: Verdict::Verified, at_ms: None }];
    assert_eq!(review.missing(Outcome::Pass), [""; 0]);
}

#[test]
fn returning_says_what_to_change() {
    let mut review = Review::whole();
    review.items.truncate(1);
    assert_eq!(review.missing(Outcome::Pass), [""; 0]);
    assert_eq!(review.missing(Outcome::Return).len(), 1);
    review.settled = vec![Settled { item_id: ItemId::new(), verdict: Verdict::Again, at_ms: None }];
    assert_eq!(review.missing(Outcome::Return), [""; 0]);
}

#[test]
fn the_bar_of_the_rubric_is_told_in_words() {
    let mut review = Review::whole();
    review.scores = scored(2);
    assert_eq!(review.missing(Outcome::Pass), ["总分 40 分，没到 60 分"]);
    review.scores = scored(4);
    review.scores.insert("spread".into(), Some(1));
    assert_eq!(review.missing(Outcome::Pass), ["“互动与传播”只有 1 分"]);
    assert_eq!(review.missing(Outcome::Return), [""; 0]);
    review.scores = scored(3);
    assert_eq!(review.missing(Outcome::Pass), [""; 0], "sixty is enough");
}

#[test]
fn an_empty_remark_is_not_sent() {
    let mut review = Review::whole();
    review.items.push(item(Kind::Fix, "  "));
    assert_eq!(review.missing(Outcome::Return), ["1:05 那一条还没有写字"]);
}

#[test]
fn the_total_is_the_weighted_sum() {
    let mut scores = scored(5);
    assert_eq!(total(&scores, content::rubric(), &passed_gates()), Some(100));
    scores.insert("topic".into(), Some(2)); // weight 15: 9 less
    assert_eq!(total(&scores, content::rubric(), &passed_gates()), Some(91));
}

#[test]
fn a_pass_rule_nobody_taught_us_is_an_error() {
    assert_eq!(
        pass_rule(&content::rubric().pass_rule).unwrap(),
        [Clause::GatesPass, Clause::ScoreAtLeast(60), Clause::NoDimensionAt(1)]
    );
    assert!(pass_rule("gates all pass AND the moon is full").is_err());
}

#[test]
fn a_draft_may_be_unfinished_but_not_about_nothing() {
    let rubric = content::rubric();
    static EMPTY: LazyLock<(Scores, Gates)> = LazyLock::new(Default::default);
    let ok = |item: DraftItem| check(&[item], &EMPTY.0, &EMPTY.1, rubric).is_ok();
    assert!(ok(item(Kind::Fix, "")));
    assert!(ok(DraftItem { dim: Some("hook".into()), ..item(Kind::Fix, "") }));
    assert!(ok(DraftItem { dim: Some("g_privacy".into()), ..item(Kind::Must, "") }));
    assert!(!ok(DraftItem { dim: Some("charisma".into()), ..item(Kind::Fix, "") }));
    assert!(!ok(DraftItem { t_start_ms: -1, ..item(Kind::Fix, "") }));
    assert!(!ok(DraftItem { t_end_ms: Some(64_999), ..item(Kind::Fix, "") }));
    for (code, level, fine) in [
        ("hook", Some(5), true),
        ("hook", None, true),
        ("hook", Some(0), false),
        ("hook", Some(6), false),
        ("x", Some(3), false),
    ] {
        assert_eq!(
            check(&[], &Scores::from([(code.into(), level)]), &EMPTY.1, rubric).is_ok(),
            fine,
            "{code} {level:?}"
        );
    }
    assert!(check(&[], &EMPTY.0, &Gates::from([("g_x".into(), None)]), rubric).is_err());
}

#[test]
fn each_ticket_says_why_it_is_here() {
    let now = At(1_000_000_000_000);
    let ticket = |due_at| Ticket {
        id: TicketId::new(),
        clip_id: ClipId::new(),
        version_id: VersionId::new(),
        cohort_id: CohortId::new(),
        assignment_code: "A1".into(),
        state: TicketState::Waiting,
        submitted_at: due_at - Millis::hours(48),
        due_at,
        holder_id: None,
        lease_until: None,
        lease_renewals: 0,
        sent_at: None,
        escalated: None,
        escalates_at: None,
    };
    assert_eq!(why(&ticket(now + Millis::hours(40)), 1, now), "第一次交");
    assert_eq!(why(&ticket(now + Millis::hours(40)), 2, now), "改过再交");
    assert_eq!(why(&ticket(now + Millis::hours(11)), 2, now), "快到时限");
    assert_eq!(why(&ticket(now), 1, now), "已过时限");
}
