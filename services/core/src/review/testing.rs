//! A classroom for tests of this and the other crates: a cohort with a trainee, two mentors, a staff desk and a
//! stranger, and clips that play without a worker having made them.

use super::{DraftInput, DraftItem, Kind, Outcome, draft, queue};
use crate::access::Principal;
use crate::account;
use crate::content;
use crate::db::{Db, Tx};
use crate::ids::{ClipId, CohortId, GrantId, RenditionId, UserId, VersionId};
use crate::on;
use crate::time::At;

pub struct Classroom {
    pub cohort: CohortId,
    pub trainee: UserId,
    pub mentor: UserId,
    pub second_mentor: UserId,
    /// A trainee of no cohort.
    pub stranger: UserId,
    /// Staff of the trainee's county.
    pub staff: UserId,
}

const VILLAGE: &str = "43/4331/433130/433130105/433130105201/";

impl Classroom {
    pub async fn open(db: &Db) -> Self {
        let mut tx = db.write().await.expect("a transaction");
        for (code, level, parent, name, path) in [
            ("43", 1, None, "湖南省", "43/"),
            ("4331", 2, Some("43"), "湘西州", "43/4331/"),
            ("433130", 3, Some("4331"), "龙山县", "43/4331/433130/"),
            ("433130105", 4, Some("433130"), "里耶镇", "43/4331/433130/433130105/"),
            ("433130105201", 5, Some("433130105"), "比耳村", VILLAGE),
        ] {
            on!(&mut tx, c => sqlx::query("insert into regions (code, level, parent_code, name, kind, path) values ($1, $2, $3, $4, 'normal', $5) on conflict (code) do nothing")
                .bind(code).bind(level).bind(parent).bind(name).bind(path).execute(c).await.map(drop)).expect("a region");
        }
        let mut people = Vec::new();
        for name in ["向春桃", "李慧", "彭丽", "田嫂", "龙主任"] {
            people.push(person(&mut tx, name).await);
        }
        let [trainee, mentor, second_mentor, stranger, staff] = people.try_into().expect("five people");
        on!(&mut tx, c => sqlx::query("insert into role_grants (id, user_id, role, region_path, valid_from) values ($1, $2, 'staff', '43/4331/433130/', 0)")
            .bind(GrantId::new()).bind(&staff).execute(c).await.map(drop)).expect("a grant");
        let cohort = cohort(&mut tx, 49, &staff).await;
        join(&mut tx, &cohort, &trainee, "trainee").await;
        join(&mut tx, &cohort, &mentor, "mentor").await;
        join(&mut tx, &cohort, &second_mentor, "mentor").await;
        tx.commit().await.expect("a commit");
        Self { cohort, trainee, mentor, second_mentor, stranger, staff }
    }
}

pub async fn person(tx: &mut Tx, name: &str) -> UserId {
    let id = UserId::new();
    on!(tx, c => sqlx::query(
            "insert into users (id, display_name, phone_hash, phone_enc, phone_masked, password_hash, region_code, region_path, state, created_at)
             values ($1, $2, $1, '', '138****1234', '', '433130105201', $3, 'active', 0)")
        .bind(&id).bind(name).bind(VILLAGE).execute(c).await.map(drop)).expect("a person");
    id
}

pub async fn cohort(tx: &mut Tx, series_no: i64, by: &UserId) -> CohortId {
    let id = CohortId::new();
    on!(tx, c => sqlx::query(
            "insert into cohorts (id, series_no, title, host, region_code, region_path, state, course_version,
                                  rubric_version, starts_on, ends_on, created_by, created_at)
             values ($1, $2, '里耶班', '县妇联', '433130', '43/4331/433130/', 'running', $3, $4, '2026-01-01', '2026-12-31', $5, 0)")
        .bind(&id).bind(series_no).bind(&crate::content::course().version).bind(&crate::content::rubric().version).bind(by)
        .execute(c).await.map(drop)).expect("a cohort");
    id
}

pub async fn join(tx: &mut Tx, cohort: &CohortId, user: &UserId, part: &str) {
    on!(tx, c => sqlx::query("insert into memberships (cohort_id, user_id, part, state, joined_at) values ($1, $2, $3, 'active', 0)")
        .bind(cohort).bind(user).bind(part).execute(c).await.map(drop)).expect("a membership");
}

pub async fn principal(tx: &mut Tx, user: &UserId) -> Principal {
    account::principal(tx, At(1), user).await.expect("a principal")
}

/// A draft of hers whose first version plays.
pub async fn clip(
    tx: &mut Tx,
    owner: &UserId,
    cohort: Option<&CohortId>,
    assignment: Option<&str>,
) -> (ClipId, VersionId) {
    let id = ClipId::new();
    on!(tx, c => sqlx::query(
            "insert into clips (id, owner_id, cohort_id, assignment_code, title, state, region_code, region_path, created_at, updated_at)
             values ($1, $2, $3, $4, '我们村的油菜花', 'draft', '433130105201', $5, 1, 1)")
        .bind(&id).bind(owner).bind(cohort).bind(assignment).bind(VILLAGE).execute(c).await.map(drop)).expect("a clip");
    let version = version(tx, &id, 1).await;
    (id, version)
}

/// A version that plays.
pub async fn version(tx: &mut Tx, clip: &ClipId, n: i64) -> VersionId {
    let id = VersionId::new();
    on!(tx, c => sqlx::query(
            "insert into clip_versions (id, clip_id, n, state, filename, content_type, bytes, width, height, duration_ms,
                                        poster_key, mp4_key, facts, playable_at, created_at, received_at, ready_at)
             values ($1, $2, $3, 'ready', 'a.mp4', 'video/mp4', 1000, 720, 1280, 31000, $4, $5, '{\"warnings\":[\"第 8 秒有点暗\"],\"hints\":[{\"code\":\"shaky\",\"at_ms\":8000,\"until_ms\":12000,\"text\":\"第 8 秒起晃得厉害。\"}]}', 3, 1, 2, 4)")
        .bind(&id).bind(clip).bind(n).bind(format!("{id}/poster")).bind(format!("{id}/mp4")).execute(c).await.map(drop)).expect("a version");
    id
}

pub async fn set_media_state(tx: &mut Tx, version: &VersionId, state: &str, reason: Option<&str>) {
    on!(tx, c => sqlx::query("update clip_versions set state = $2, reason_code = $3, playable_at = null, ready_at = null where id = $1")
        .bind(version).bind(state).bind(reason).execute(c).await.map(drop)).expect("a state");
}

/// A rung with that many segments of two seconds.
pub async fn rendition(
    tx: &mut Tx,
    version: &VersionId,
    attempt: i64,
    name: &str,
    segments: i64,
    complete: bool,
) -> RenditionId {
    let id = RenditionId::new();
    let width: i64 = name.parse().expect("a rung's name");
    on!(tx, c => sqlx::query(
            "insert into renditions (id, version_id, attempt, name, width, height, bandwidth, codecs, init_key,
                                     init_bytes, complete)
             values ($1, $2, $3, $4, $5, $6, $7, 'avc1.64001f,mp4a.40.2', $8, 50, $9)")
        .bind(&id).bind(version).bind(attempt).bind(name).bind(width).bind(width * 16 / 9).bind(width * 2000)
        .bind(format!("{id}/init")).bind(complete).execute(c).await.map(drop))
    .expect("a rendition");
    for n in 0..segments {
        on!(tx, c => sqlx::query("insert into rendition_segments (rendition_id, n, duration_ms, bytes, key) values ($1, $2, 2000, 100, $3)")
            .bind(&id).bind(n).bind(format!("{id}/{n}")).execute(c).await.map(drop)).expect("a segment");
    }
    id
}

/// Makes every lease run out, as if four hours had gone by.
pub async fn end_leases(db: &Db) {
    let mut tx = db.write().await.expect("a transaction");
    on!(&mut tx, c => sqlx::query("update review_tickets set lease_until = 1 where state = 'claimed'").execute(c).await.map(drop)).expect("an update");
    tx.commit().await.expect("a commit");
}

/// A clip of the trainee that went the whole way: handed in, taken, scored `level` throughout, and passed or returned.
pub async fn reviewed(db: &Db, room: &Classroom, assignment: &str, level: i64, outcome: Outcome) -> ClipId {
    let rubric = content::rubric();
    let praise =
        DraftItem {
            id: None, kind: Kind::Praise, t_start_ms: 1_000, t_end_ms: None, dim: None, body: "开头好".into()
        };
    let fix = DraftItem { kind: Kind::Fix, body: "离手机近一点".into(), ..praise.clone() };
    let input = DraftInput {
        rev: 0,
        items: vec![praise, fix],
        scores: rubric.video.iter().map(|d| (d.code.clone(), Some(level))).collect(),
        gates: rubric.gates.iter().map(|g| (g.code.clone(), Some(true))).collect(),
        summary: "讲得清楚".into(),
        next_step: "再拍一条近的".into(),
        outcome: None,
        settled: vec![],
    };
    let mut tx = db.write().await.expect("a transaction");
    let (clip, _) = clip(&mut tx, &room.trainee, Some(&room.cohort), Some(assignment)).await;
    crate::clip::sql::submit(&mut tx, At::now(), &clip, None, None).await.expect("a submitted clip");
    let ticket = queue::newest_of_clip(&mut tx, &clip).await.expect("a queue").expect("a ticket").id;
    queue::claim(&mut tx, &ticket, &room.mentor).await.expect("a lease");
    let held = queue::get(&mut tx, &ticket).await.expect("a ticket");
    draft::begin(&mut tx, At::now(), &held, &room.mentor).await.expect("a draft");
    let rev = draft::load(&mut tx, &ticket, &room.mentor).await.expect("a draft").rev;
    let saved = draft::save(&mut tx, &ticket, &room.mentor, DraftInput { rev, ..input }).await.expect("a kept draft");
    let draft::Saved::Kept(kept) = saved else { panic!("the lease was lost") };
    draft::send(&mut tx, &ticket, &room.mentor, kept.rev, outcome).await.expect("a sent review");
    tx.commit().await.expect("a commit");
    clip
}

/// Signs somebody in without her password, and gives the cookie's value.
pub async fn session(db: &Db, user: &UserId) -> String {
    let mut tx = db.write().await.expect("a transaction");
    let token = account::open_session(&mut tx, At::now(), user).await.expect("a session");
    tx.commit().await.expect("a commit");
    token.as_str().to_owned()
}

/// How often the audit log tells of that.
pub async fn events(tx: &mut Tx, action: &str, subject: &str) -> i64 {
    on!(tx, c => sqlx::query_scalar("select count(*) from audit_events where action = $1 and subject = $2")
        .bind(action).bind(subject).fetch_one(c).await)
    .expect("a count")
}
