//! People and rows for the tests of clips and uploads.

use super::Version;
use crate::access::Principal;
use crate::db::Tx;
use crate::ids::{CohortId, UserId, VersionId};
use crate::on;

/// Somebody who can sign in, in a village of her own.
pub async fn person(tx: &mut Tx) -> Principal {
    on!(tx, c => sqlx::query(
            "insert into regions (code, level, name, kind, path) values ('43', 1, '湖南省', 'normal', '43/')
             on conflict (code) do nothing")
        .execute(c).await.map(drop))
    .unwrap();
    let user = UserId::new();
    on!(tx, c => sqlx::query(
            "insert into users (id, display_name, phone_hash, phone_enc, phone_masked, password_hash, region_code,
                                region_path, state, created_at)
             values ($1, '贾丽娟', $1, '', '138****1234', '', '43', '43/', 'active', 0)")
        .bind(&user).execute(c).await.map(drop))
    .unwrap();
    Principal {
        user,
        name: "贾丽娟".into(),
        phone_masked: "138****1234".into(),
        home_region: "43".into(),
        home_path: "43/".into(),
        admin: false,
        staff_paths: vec![],
        teaches: vec![],
        studies: vec![],
    }
}

pub async fn cohort(tx: &mut Tx, series_no: i64, by: &UserId) -> CohortId {
    let cohort = CohortId::new();
    on!(tx, c => sqlx::query(
            "insert into cohorts (id, series_no, title, host, region_code, region_path, state, course_version,
                                  rubric_version, starts_on, ends_on, created_by, created_at)
             values ($1, $2, '一期', '妇联', '43', '43/', 'running', '1', '1', '2026-01-01', '2026-12-31', $3, 0)")
        .bind(&cohort).bind(series_no).bind(by).execute(c).await.map(drop))
    .unwrap();
    cohort
}

pub async fn join(tx: &mut Tx, cohort: &CohortId, user: &UserId, part: &str, state: &str) {
    on!(tx, c => sqlx::query(
            "insert into memberships (cohort_id, user_id, part, state, joined_at) values ($1, $2, $3, $4, 0)")
        .bind(cohort).bind(user).bind(part).bind(state).execute(c).await.map(drop))
    .unwrap();
}

pub async fn version(tx: &mut Tx, id: &VersionId) -> Version {
    on!(tx, c => sqlx::query_as("select * from clip_versions where id = $1").bind(id).fetch_one(c).await).unwrap()
}

pub async fn jobs_of(tx: &mut Tx, subject: &str) -> i64 {
    on!(tx, c => sqlx::query_scalar("select count(*) from jobs where subject = $1 and kind = 'prepare'")
        .bind(subject).fetch_one(c).await)
    .unwrap()
}
