//! Who may do what: one predicate decides every access.
//!
//! A resource is described by whose it is, which cohort it belongs to and where it lies; a principal by what the
//! database says of her at this moment. What is out of scope looks like what does not exist.

use crate::error::{Error, Result};
use crate::ids::{CohortId, UserId};

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Trainee,
    Mentor,
    Staff,
    Admin,
}

/// The signed-in person, read from the database on every request: a revoked role is dead on the next one.
#[derive(Debug, Clone)]
pub struct Principal {
    pub user: UserId,
    pub name: String,
    pub phone_masked: String,
    pub home_region: String,
    pub home_path: String,
    pub admin: bool,
    /// Roots of the region subtrees she is staff of.
    pub staff_paths: Vec<String>,
    /// Cohorts she mentors.
    pub teaches: Vec<CohortId>,
    /// Cohorts she learns in.
    pub studies: Vec<CohortId>,
}

impl Principal {
    /// Her roles, the widest last. Everybody else who can sign in is a trainee, also before her class begins.
    pub fn roles(&self) -> Vec<Role> {
        let mut roles = Vec::new();
        if !self.studies.is_empty() || (self.teaches.is_empty() && self.staff_paths.is_empty() && !self.admin) {
            roles.push(Role::Trainee);
        }
        if !self.teaches.is_empty() {
            roles.push(Role::Mentor);
        }
        if !self.staff_paths.is_empty() {
            roles.push(Role::Staff);
        }
        if self.admin {
            roles.push(Role::Admin);
        }
        roles
    }

    pub fn main_role(&self) -> Role {
        self.roles().pop().unwrap_or(Role::Trainee)
    }
}

/// What a row is, as far as access is concerned. Absent facts match nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resource<'a> {
    pub owner: Option<&'a UserId>,
    pub cohort: Option<&'a CohortId>,
    pub region_path: Option<&'a str>,
}

/// One thing that can be done. The comment names who may: O own, C in a cohort she teaches, L in a cohort she learns
/// in, S in a region subtree she is staff of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Begin to send a clip or a new version: O who learns, or has no part in anything yet.
    ClipUpload,
    /// Send bytes, name, caption, submit and withdraw a clip: O.
    ClipEdit,
    /// Look at a clip, its pictures and its feedback: O, C, S.
    ClipPlay,
    /// Answer feedback on a clip: O.
    FeedbackReply,
    /// Take a clip from the queue, draft and send a review: C, but never of one's own clip.
    ReviewWrite,
    /// Read course content and one's own place in it: O in a cohort she learns in.
    CourseRead,
    /// See a trainee's course progress: O, C, S.
    ProgressRead,
    /// See a cohort and who is in it: C, S.
    CohortRead,
    /// Open a cohort, keep its roster: S.
    CohortManage,
    /// See growth figures and stars: O, C, S.
    GrowthRead,
    /// Record growth figures: S.
    GrowthRecord,
    /// Evaluate and award stars: S, but never one's own.
    StarAward,
    /// See and set when the hints on how to film speak: S.
    CoachingManage,
}

/// The one predicate. Tested exhaustively against the table in its tests.
pub fn can(principal: &Principal, permission: Permission, resource: &Resource) -> bool {
    use Permission::*;
    let own = resource.owner == Some(&principal.user);
    let in_cohort = |cohorts: &[CohortId]| resource.cohort.is_some_and(|c| cohorts.contains(c));
    let teaches = in_cohort(&principal.teaches);
    let studies = in_cohort(&principal.studies);
    let in_region = resource.region_path.is_some_and(|p| principal.staff_paths.iter().any(|root| within(p, root)));
    match permission {
        ClipUpload => own && principal.roles().contains(&Role::Trainee),
        ClipEdit | FeedbackReply => own,
        ClipPlay | ProgressRead | GrowthRead => own || teaches || in_region,
        ReviewWrite => teaches && !own,
        CourseRead => studies,
        CohortRead => teaches || in_region,
        CohortManage | GrowthRecord | CoachingManage => in_region,
        StarAward => in_region && !own,
    }
}

/// [`can`], or [`Error::NotFound`].
pub fn require(principal: &Principal, permission: Permission, resource: &Resource) -> Result<()> {
    if can(principal, permission, resource) { Ok(()) } else { Err(Error::NotFound) }
}

/// Whether `path` lies in the subtree of `root`. Paths end in a slash, so 43/4301/ is not within 43/430/.
pub fn within(path: &str, root: &str) -> bool {
    root.ends_with('/') && path.starts_with(root)
}

#[cfg(test)]
mod tests {
    use super::Permission::*;
    use super::*;

    fn nobody() -> Principal {
        Principal {
            user: UserId::new(),
            name: "龙大姐".into(),
            phone_masked: "138****0000".into(),
            home_region: "433130".into(),
            home_path: "43/4331/433130/".into(),
            admin: false,
            staff_paths: vec![],
            teaches: vec![],
            studies: vec![],
        }
    }

    const ALL: [Permission; 13] = [
        ClipUpload,
        ClipEdit,
        ClipPlay,
        FeedbackReply,
        ReviewWrite,
        CourseRead,
        ProgressRead,
        CohortRead,
        CohortManage,
        GrowthRead,
        GrowthRecord,
        StarAward,
        CoachingManage,
    ];

    const STAFF: &[Permission] =
        &[ClipPlay, ProgressRead, CohortRead, CohortManage, GrowthRead, GrowthRecord, StarAward, CoachingManage];

    /// Every permission x every relation, as the table of the security design says.
    #[test]
    fn the_table() {
        let cohort = CohortId::new();
        let owner = UserId::new();
        let resource = Resource { owner: Some(&owner), cohort: Some(&cohort), region_path: Some("43/4331/433130/") };
        let own = Principal { user: owner.clone(), studies: vec![cohort.clone()], ..nobody() };
        let mate = Principal { studies: vec![cohort.clone()], ..nobody() };
        let mentor = Principal { teaches: vec![cohort.clone()], ..nobody() };
        let other_mentor = Principal { teaches: vec![CohortId::new()], ..nobody() };
        let county = Principal { staff_paths: vec!["43/4331/433130/".into()], ..nobody() };
        let province = Principal { staff_paths: vec!["43/".into()], ..nobody() };
        let neighbour = Principal { staff_paths: vec!["43/4331/433127/".into()], ..nobody() };
        let admin = Principal { admin: true, ..nobody() };
        let table: [(&str, &Principal, &[Permission]); 8] = [
            ("own", &own, &[ClipUpload, ClipEdit, ClipPlay, FeedbackReply, CourseRead, ProgressRead, GrowthRead]),
            ("classmate", &mate, &[CourseRead]),
            ("mentor", &mentor, &[ClipPlay, ReviewWrite, ProgressRead, CohortRead, GrowthRead]),
            ("another cohort's mentor", &other_mentor, &[]),
            ("county", &county, STAFF),
            ("province", &province, STAFF),
            ("neighbouring county", &neighbour, &[]),
            ("admin", &admin, &[]),
        ];
        for (who, principal, allowed) in table {
            for permission in ALL {
                assert_eq!(
                    can(principal, permission, &resource),
                    allowed.contains(&permission),
                    "{who} {permission:?}"
                );
            }
        }
    }

    #[test]
    fn who_has_another_part_sends_no_clips() {
        let may = |who: Principal| can(&who, ClipUpload, &Resource { owner: Some(&who.user), ..Resource::default() });
        assert!(may(nobody()), "before her class begins");
        assert!(may(Principal { studies: vec![CohortId::new()], teaches: vec![CohortId::new()], ..nobody() }));
        assert!(!may(Principal { teaches: vec![CohortId::new()], ..nobody() }));
        assert!(!may(Principal { staff_paths: vec!["43/".into()], ..nobody() }));
        assert!(!may(Principal { admin: true, ..nobody() }));
    }

    #[test]
    fn nobody_reviews_or_stars_herself() {
        let cohort = CohortId::new();
        let me = Principal { teaches: vec![cohort.clone()], staff_paths: vec!["43/".into()], ..nobody() };
        let mine = Resource { owner: Some(&me.user), cohort: Some(&cohort), region_path: Some("43/4301/") };
        assert!(!can(&me, ReviewWrite, &mine));
        assert!(!can(&me, StarAward, &mine));
    }

    #[test]
    fn a_resource_without_facts_is_nobodys() {
        let all =
            Principal { staff_paths: vec!["43/".into()], teaches: vec![CohortId::new()], admin: true, ..nobody() };
        for permission in ALL {
            assert!(!can(&all, permission, &Resource::default()), "{permission:?}");
        }
    }

    #[test]
    fn a_subtree_is_not_a_text_prefix() {
        assert!(within("43/4331/433130/", "43/4331/"));
        assert!(!within("43/4331/433130/", "43/433"));
        assert!(!within("43/43310/", "43/4331/"));
        assert!(!within("43/", ""));
    }
}
