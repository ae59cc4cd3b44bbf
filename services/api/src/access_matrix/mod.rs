//! Who may do what: every route of the document crossed with everybody who might ask.
//!
//! Allowed is any answer but 401, 403 and 404. Not allowed is 401 for who isn't signed in, and for all others the same
//! 404 as for what doesn't exist. A route that is in the document and not in this table fails the test.

mod around;
mod world;

use Who::*;
use world::{EVERYBODY, Who, World, operations};

/// What somebody is told who isn't signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stranger {
    /// The same as everybody.
    Welcome,
    SignIn,
    /// A media path is its own credential: without a good one there is nothing.
    Nothing,
}
use Stranger::*;

const ALL: &[Who] = &[Owner, Classmate, Elsewhere, Mentor, OtherMentor, County, Neighbour, Province, Admin];
const OWN: &[Who] = &[Owner];
/// Own, her cohort's mentors, staff of the regions she lives in.
const SEEN: &[Who] = &[Owner, Mentor, County, Province];
const LEARNERS: &[Who] = &[Owner, Classmate];
const MENTOR: &[Who] = &[Mentor];
const GUIDES: &[Who] = &[Mentor, County, Province];
const STAFF: &[Who] = &[County, Province];

/// Each on the owner's clip, her feedback, her upload, her cohort, her numbers; lists without such a thing are open to
/// all, and what is in them is tested in [`around`]. They are asked in this order: what takes something away is last.
const TABLE: &[(&str, Stranger, &[Who])] = &[
    ("signIn", Welcome, ALL),
    ("signOut", Welcome, ALL),
    ("whoAmI", SignIn, ALL),
    ("listKnownPeople", Welcome, ALL),
    ("forgetPhone", SignIn, ALL),
    ("verifyCertificate", Welcome, ALL),
    ("listRegions", SignIn, ALL),
    ("listClips", SignIn, ALL),
    ("getClip", SignIn, SEEN),
    ("renameClip", SignIn, OWN),
    ("submitClip", SignIn, OWN),
    ("attachCaption", SignIn, OWN),
    ("removeCaption", SignIn, OWN),
    ("getMediaFile", Nothing, SEEN),
    ("getRenditionFile", Nothing, SEEN),
    ("getUploadAllowance", SignIn, &[Owner, Classmate, Elsewhere]),
    ("createUpload", SignIn, &[Owner, Classmate, Elsewhere]),
    ("mayReuseUpload", SignIn, &[Owner, Classmate, Elsewhere]),
    // Nobody here has sent these bytes before.
    ("reuseUpload", SignIn, &[]),
    ("getUploadOffset", SignIn, OWN),
    ("appendUpload", SignIn, OWN),
    ("getCourse", SignIn, LEARNERS),
    ("completeLesson", SignIn, LEARNERS),
    ("listFeedback", SignIn, SEEN),
    ("compareVersions", SignIn, SEEN),
    ("hearFeedback", SignIn, OWN),
    ("markFeedback", SignIn, OWN),
    ("verifyFix", SignIn, MENTOR),
    ("amendReview", SignIn, MENTOR),
    // She, and the mentor who wrote it.
    ("replyFeedback", SignIn, &[Owner, Mentor]),
    ("listReviewTickets", SignIn, ALL),
    ("getReviewDesk", SignIn, MENTOR),
    ("claimReviewTicket", SignIn, MENTOR),
    ("saveReviewDraft", SignIn, MENTOR),
    ("sendReview", SignIn, MENTOR),
    ("listCohorts", SignIn, ALL),
    ("openCohort", SignIn, STAFF),
    ("addMembers", SignIn, STAFF),
    ("importRoster", SignIn, STAFF),
    ("openJoinWindow", SignIn, STAFF),
    ("getJoinWindow", SignIn, STAFF),
    ("printJoinCards", SignIn, STAFF),
    ("findJoin", Welcome, ALL),
    ("joinByCode", Welcome, ALL),
    ("rejectJoin", SignIn, STAFF),
    ("approveJoin", SignIn, STAFF),
    ("closeJoinWindow", SignIn, STAFF),
    ("exportCohort", SignIn, STAFF),
    ("getCohortProgress", SignIn, GUIDES),
    ("listCohortClips", SignIn, GUIDES),
    ("listCoachingRules", SignIn, STAFF),
    ("changeCoachingRule", SignIn, STAFF),
    ("resetCoachingRule", SignIn, STAFF),
    ("getGrowth", SignIn, SEEN),
    ("getEvidence", SignIn, SEEN),
    ("addAccount", SignIn, STAFF),
    ("recordSnapshot", SignIn, STAFF),
    ("getMyStar", SignIn, ALL),
    ("listStarCandidates", SignIn, GUIDES),
    ("evaluateStars", SignIn, STAFF),
    ("awardStar", SignIn, STAFF),
    ("releaseReviewTicket", SignIn, MENTOR),
    ("recuseReview", SignIn, MENTOR),
    ("terminateUpload", SignIn, OWN),
    ("retractClip", SignIn, OWN),
    ("withdrawClip", SignIn, OWN),
    ("resetMemberPassword", SignIn, STAFF),
];

#[test]
fn every_route_is_in_the_table_once() {
    let mut known: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
    let mut documented: Vec<String> = operations().into_iter().map(|o| o.2).collect();
    known.sort();
    documented.sort();
    assert_eq!(documented, known, "a route belongs into TABLE with who may use it");
}

#[tokio::test]
async fn the_table_holds_for_everybody_on_every_route() {
    let (world, mut wrong) = (World::open().await, Vec::new());
    for (operation, stranger, allowed) in TABLE {
        // Who is refused asks first: that nothing happened is seen by those who may.
        let mut order = EVERYBODY;
        order.sort_by_key(|who| allowed.contains(who));
        for who in order {
            let answer = world.ask(operation, who).await;
            let status = answer.status.as_u16();
            let good = match (who, stranger) {
                (Anonymous, SignIn) => status == 401,
                (Anonymous, Nothing) => status == 404,
                (Anonymous, Welcome) => !matches!(status, 401 | 403 | 404) && status < 500,
                _ if allowed.contains(&who) => !matches!(status, 401 | 403 | 404) && status < 500,
                _ => status == 404,
            };
            if !good {
                wrong.push(format!("{operation} {who:?}: {status} {}", String::from_utf8_lossy(&answer.body)));
            }
            // Where HEAD answers, no byte follows; refusals elsewhere have their one shape.
            let refused = matches!(status, 401 | 404);
            if refused && *operation != "getUploadOffset" {
                let code = if status == 401 { "signed_out" } else { "not_found" };
                assert_eq!(answer.json()["code"], code, "{operation} {who:?}");
            }
            wrong.extend(phones_in(&answer.body, who, operation).map(|p| format!("{operation} {who:?} shows {p}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A phone number whole, or masked where it is neither the asker's own nor what staff tell people apart by at a door and
/// hand a password out for.
fn phones_in(body: &[u8], who: Who, operation: &str) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let phone = |run: &&str| run.len() == 11 && run.starts_with('1') && run.bytes().all(|b| b.is_ascii_digit());
    let whole = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(phone);
    let mut found: Vec<String> = whole.map(str::to_owned).collect();
    let masked = text.match_indices("****").map(|(at, _)| text.get(at.saturating_sub(3)..at + 8).unwrap_or("****"));
    let own = format!("199****000{}", who as usize);
    let at_the_door = ["openJoinWindow", "getJoinWindow", "resetMemberPassword"].contains(&operation);
    found.extend(masked.filter(|phone| !at_the_door && (operation != "whoAmI" || *phone != own)).map(str::to_owned));
    found.into_iter()
}
