//! What a cohort and its roster must be like.

use super::{Cohort, Part};
use crate::access::{Permission, Principal, Resource, can};
use crate::account::Phone;
use crate::error::Refusal;
use crate::text::one_line;
use crate::time::Day;

pub struct NewCohort<'a> {
    pub series_no: i64,
    pub title: &'a str,
    pub host: &'a str,
    pub region_code: &'a str,
    pub starts_on: Day,
    pub ends_on: Day,
}

pub struct NewMember<'a> {
    pub name: &'a str,
    pub phone: &'a Phone,
    pub region_code: &'a str,
    pub part: Part,
    pub group_no: Option<i64>,
}

pub fn check_cohort(new: &NewCohort) -> Result<(), Refusal> {
    let refuse = |message: &str, next: &str| Err(Refusal::new("cohort_invalid", message, next));
    let fits = |text: &str| (1..=60).contains(&text.trim().chars().count()) && one_line(text) == text.trim();
    if !(1..=99_999).contains(&new.series_no) {
        return refuse("期数不对。", "填第几期，比如 49。");
    }
    if !fits(new.title) {
        return refuse("班名没写对。", "写 1 到 60 个字，比如“龙山县里耶班”。");
    }
    if !fits(new.host) {
        return refuse("主办单位没写对。", "写 1 到 60 个字，比如“龙山县妇联”。");
    }
    if new.ends_on < new.starts_on {
        return refuse("结束的日子比开班还早。", "把两个日子对一对再交。");
    }
    if new.ends_on.days_since(new.starts_on) > 730 {
        return refuse("这个班开得太长了。", "一期最多两年，再长就分成两期。");
    }
    Ok(())
}

fn whole(cohort: &Cohort) -> Resource<'_> {
    Resource { owner: None, cohort: Some(&cohort.id), region_path: Some(&cohort.region_path) }
}

/// Whether a cohort is hers to see as a whole.
pub fn sees_whole(reader: &Principal, cohort: &Cohort) -> bool {
    can(reader, Permission::CohortRead, &whole(cohort))
}

/// Whether its roster is hers to keep.
pub fn manages(reader: &Principal, cohort: &Cohort) -> bool {
    can(reader, Permission::CohortManage, &whole(cohort))
}

/// Whether she sees the row of a trainee who lives at `home`: all of them, or those of her own region.
pub fn sees(reader: &Principal, cohort: &Cohort, home: &str) -> bool {
    let hers = Resource { owner: None, cohort: None, region_path: Some(home) };
    sees_whole(reader, cohort) || can(reader, Permission::ProgressRead, &hers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cohort_has_a_number_a_name_and_an_end() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let good = || NewCohort {
            series_no: 49,
            title: "里耶班",
            host: "龙山县妇联",
            region_code: "433130",
            starts_on: day("2026-06-16"),
            ends_on: day("2026-09-30"),
        };
        assert!(check_cohort(&good()).is_ok());
        assert!(check_cohort(&NewCohort { series_no: 0, ..good() }).is_err());
        assert!(check_cohort(&NewCohort { title: " ", ..good() }).is_err());
        assert!(check_cohort(&NewCohort { title: "\u{202e}里耶班", ..good() }).is_err());
        assert!(check_cohort(&NewCohort { host: &"妇".repeat(61), ..good() }).is_err());
        assert!(check_cohort(&NewCohort { ends_on: day("2026-06-15"), ..good() }).is_err());
        assert!(check_cohort(&NewCohort { ends_on: day("2029-06-15"), ..good() }).is_err());
    }
}
