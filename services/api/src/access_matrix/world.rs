//! Two counties, two cohorts, everybody who might ask, and one of everything of the owner's that can be asked for.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use weijia_core::account::{self, NewUser, Phone, grant_admin, grant_staff};
use weijia_core::growth::{self, Figures, NewAccount, NewSnapshot, Platform};
use weijia_core::ids::{ClipId, SnapshotId, UserId, VersionId};
use weijia_core::review::Outcome;
use weijia_core::review::testing::{self as rows, reviewed, session};
use weijia_core::time::{At, Day};
use weijia_core::{clip, content, on};

use crate::media::Addresses;
use crate::testing::{Answer, School};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Anonymous,
    Owner,
    Classmate,
    /// A trainee of another cohort, of the neighbouring county.
    Elsewhere,
    Mentor,
    /// A mentor of the other cohort.
    OtherMentor,
    County,
    Neighbour,
    Province,
    Admin,
}

pub const EVERYBODY: [Who; 10] = [
    Who::Anonymous,
    Who::Owner,
    Who::Classmate,
    Who::Elsewhere,
    Who::Mentor,
    Who::OtherMentor,
    Who::County,
    Who::Neighbour,
    Who::Province,
    Who::Admin,
];

pub struct World {
    pub school: School,
    people: Vec<UserId>,
    pub other_cohort: String,
    /// Handed in; the mentor has its ticket in hand.
    pub clip: ClipId,
    pub version: VersionId,
    pub ticket: String,
    /// Of a clip that went the whole way.
    pub item: String,
    pub upload: String,
    account: String,
    snapshot: SnapshotId,
    pub evaluation: String,
    certificate: String,
    /// The version that was answered, and her mentor's answer.
    answered: String,
    review: String,
    /// The open door of the owner's class, and somebody who waits before it.
    window: String,
    request: String,
}

impl World {
    pub async fn open() -> Self {
        let school = School::with_storage(&store().await).await;
        let people = people(&school).await;
        let neighbour = &people[Who::Neighbour as usize];
        let cohort = json!({"series_no": 50, "title": "永顺班", "host": "永顺县妇联", "region_code": "433127",
                            "starts_on": "2026-01-01", "ends_on": "2026-12-31"});
        let other = school.post(neighbour, "/cohorts", cohort).await.ok(201);
        let other_cohort = other["id"].as_str().unwrap().to_owned();

        let done = reviewed(&school.db, &school.room, "A1", 4, Outcome::Pass).await;
        let (account, snapshot) = numbers(&school).await;
        let mut tx = school.db.write().await.unwrap();
        let (cohort, elsewhere) = (other_cohort.parse().unwrap(), &people[Who::Elsewhere as usize]);
        rows::join(&mut tx, &school.room.cohort, &people[Who::Classmate as usize], "trainee").await;
        rows::join(&mut tx, &cohort, elsewhere, "trainee").await;
        rows::join(&mut tx, &cohort, &people[Who::OtherMentor as usize], "mentor").await;
        let (clip, version) = rows::clip(&mut tx, &school.room.trainee, Some(&school.room.cohort), Some("A4")).await;
        rows::rendition(&mut tx, &version, 1, "480", 1, true).await;
        tx.commit().await.unwrap();

        let room = &school.room;
        let sent = school.get(&room.trainee, &format!("/clips/{done}/feedback")).await.ok(200);
        school.act(&room.trainee, &format!("/clips/{clip}/submit")).await.ok(200);
        let queue = school.get(&room.mentor, "/review/tickets").await.ok(200);
        let ticket = text(&queue["tickets"][0]["id"]);
        school.act(&room.mentor, &format!("/review/tickets/{ticket}/claim")).await.ok(200);
        let stars = format!("/trainees/{}", room.trainee);
        let evaluation = school.act(&room.staff, &format!("{stars}/star-evaluation")).await.ok(200);
        let ask = json!({"evaluation_id": evaluation["id"], "level": 1});
        let award = school.post(&room.staff, &format!("{stars}/stars"), ask).await.ok(200);
        let door = format!("/cohorts/{}/join-window", room.cohort);
        let open = school.post(&room.staff, &door, json!({"code": "0616"})).await.ok(200);
        let window = text(&open["window"]["id"]);
        let ask = json!({"window": window, "phone": "13712345678"});
        school.post(&room.staff, "/join", ask).await.ok(200);
        let board = school.get(&room.staff, &door).await.ok(200);
        let mut world = Self {
            request: text(&board["requests"][0]["id"]),
            window,
            item: text(&sent["reviews"][0]["items"][0]["id"]),
            answered: text(&sent["reviews"][0]["version_id"]),
            review: text(&sent["reviews"][0]["id"]),
            evaluation: text(&evaluation["id"]),
            certificate: text(&award["certificate_number"]),
            upload: String::new(),
            school,
            people,
            other_cohort,
            clip,
            version,
            ticket,
            account,
            snapshot,
        };
        let begun = world.ask("createUpload", Who::Owner).await;
        let location = begun.headers["location"].to_str().unwrap();
        world.upload = location.rsplit('/').next().unwrap().to_owned();
        world
    }

    pub fn user(&self, who: Who) -> &UserId {
        &self.people[who as usize]
    }

    /// The operation of the document by its id, on the owner's things, as that person would ask.
    pub async fn ask(&self, operation: &str, who: Who) -> Answer {
        let (method, path) = self.request(operation, who).await;
        self.send(method, &path, who, self.body(operation), &[]).await
    }

    pub async fn request(&self, operation: &str, who: Who) -> (Method, String) {
        let (method, template, _) = operations().into_iter().find(|o| o.2 == operation).unwrap();
        (method, self.path(operation, &template, who).await)
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        who: Who,
        (kind, body): (&str, Vec<u8>),
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "weijia.test");
        if path.contains("/uploads") {
            let name = "tus-resumable";
            request = request.header(name, "1.0.0").header("upload-length", "9").header("upload-offset", "0");
        }
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        if who != Who::Anonymous {
            let token = session(&self.school.db, self.user(who)).await;
            request = request.header("cookie", format!("weijia={token}"));
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.school.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn path(&self, operation: &str, template: &str, who: Who) -> String {
        let user = self.user(Who::Owner).to_string();
        let mut path = template.to_owned();
        for (name, value) in [
            ("account", self.account.as_str()),
            ("number", &self.certificate),
            ("clip", self.clip.as_str()),
            ("cohort", self.school.room.cohort.as_str()),
            ("item", &self.item),
            ("lesson", &content::course().modules[0].lessons[0].code),
            ("ticket", &self.ticket),
            ("snapshot", self.snapshot.as_str()),
            ("request", &self.request),
            ("review", &self.review),
            ("user", &user),
            ("upload", &self.upload),
            ("version", self.version.as_str()),
            ("token", &self.media_token(who, &self.version).await),
            ("rendition", "480"),
            ("rule", "dark"),
            ("language", "zh"),
            ("file", if operation == "getMediaFile" { "poster.jpg" } else { "init.mp4" }),
        ] {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        assert!(!path.contains('{'), "say what stands for the parameters of {template}");
        let query = match operation {
            "getCourse" | "listStarCandidates" => format!("?cohort={}", self.school.room.cohort),
            "listCoachingRules" | "changeCoachingRule" | "resetCoachingRule" => "?region=433130".to_owned(),
            "mayReuseUpload" => "?bytes=9".to_owned(),
            "listCohortClips" => "?which=passed".to_owned(),
            "importRoster" => "?part=trainee".to_owned(),
            "compareVersions" => format!("?before={0}&after={0}", self.version),
            _ => String::new(),
        };
        path + &query
    }

    /// The signed part of a media path, as this person is given it where she may see the clip.
    pub async fn media_token(&self, who: Who, version: &VersionId) -> String {
        if who == Who::Anonymous {
            return "AAAA".into();
        }
        let addresses = Addresses { keys: &self.school.keys, user: self.user(who), now: At::now() };
        let version = clip::sql::version(&mut self.school.db.read().await.unwrap(), version).await.unwrap();
        addresses.poster(&version).unwrap().split('/').nth(2).unwrap().to_owned()
    }

    pub fn body(&self, operation: &str) -> (&'static str, Vec<u8>) {
        let body = match operation {
            "signIn" => json!({"phone": "1", "password": "x"}),
            "renameClip" => json!({"title": "油菜花开了"}),
            "amendReview" => json!({"summary": "讲得很清楚"}),
            "recuseReview" => json!({"reason": "她是我表妹"}),
            "markFeedback" => json!({"mark": "heard"}),
            "verifyFix" => json!({"version": self.answered, "at_ms": 0, "verdict": "verified"}),
            "replyFeedback" => json!({"body": "晓得了"}),
            "completeLesson" => json!({"cohort": self.school.room.cohort}),
            "openCohort" => json!({"series_no": 51, "title": "里耶二班", "host": "龙山县妇联", "region_code": "433130",
                                   "starts_on": "2026-01-01", "ends_on": "2026-12-31"}),
            "changeCoachingRule" => {
                json!({"muted": true, "seconds": 3, "when": [{"measure": "light", "above": 21, "below": 70}]})
            }
            "addMembers" => json!({"members": []}),
            "saveReviewDraft" => json!({"rev": 0}),
            "sendReview" => json!({"rev": 0, "outcome": "pass"}),
            "addAccount" => json!({"platform": "kuaishou", "handle": "比耳村", "opened_on": "2026-01-01"}),
            "awardStar" => json!({"evaluation_id": self.evaluation, "level": 1}),
            "reuseUpload" => {
                json!({"bytes": 9, "root_sha256": "00", "filename": "村口.mp4", "content_type": "video/mp4"})
            }
            "recordSnapshot" => return ("multipart/form-data; boundary=xx", b"--xx--\r\n".to_vec()),
            "findJoin" => json!({"code": "0616"}),
            "joinByCode" => json!({"window": self.window, "phone": "13712345678"}),
            "approveJoin" => json!({"name": "梁玉珍", "region_code": "433130105201"}),
            "rejectJoin" => json!({"reason": "你的班在隔壁"}),
            "importRoster" => return ("application/octet-stream", "姓名,手机号\n".into()),
            "attachCaption" => return ("text/plain", "00:00:01,000 --> 00:00:02,000\n我是谁".into()),
            "appendUpload" => return ("application/offset+octet-stream", b"ftyp".to_vec()),
            _ => return ("", vec![]),
        };
        ("application/json", body.to_string().into())
    }
}

/// Every operation of the document: method, path, id.
pub fn operations() -> Vec<(Method, String, String)> {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse() else { continue };
            if let Some(id) = operation["operationId"].as_str() {
                found.push((method, path.clone(), id.to_owned()));
            }
        }
    }
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Everybody but the anonymous one, whose place holds a name that is never asked for, each with a phone of her own.
async fn people(school: &School) -> Vec<UserId> {
    let (room, mut tx, now) = (&school.room, school.db.write().await.unwrap(), At(1));
    for (code, level, parent, name, path) in [
        ("433127", 3, "4331", "永顺县", "43/4331/433127/"),
        ("433127101", 4, "433127", "灵溪镇", "43/4331/433127/433127101/"),
        ("433127101203", 5, "433127101", "司城村", "43/4331/433127/433127101/433127101203/"),
    ] {
        on!(&mut tx, c => sqlx::query("insert into regions (code, level, parent_code, name, kind, path) values ($1, $2, $3, $4, 'normal', $5)")
            .bind(code).bind(level).bind(parent).bind(name).bind(path).execute(c).await.map(drop)).unwrap();
    }
    let mut people = Vec::new();
    for (n, who) in EVERYBODY.into_iter().enumerate() {
        let (name, region) = match who {
            Who::Owner | Who::Mentor | Who::County => ("", ""),
            Who::Elsewhere | Who::OtherMentor => ("彭翠莲", "433127101203"),
            Who::Neighbour => ("永顺主任", "433127"),
            Who::Anonymous | Who::Classmate => ("贾丽娟", "433130105201"),
            Who::Province | Who::Admin => ("周敏", "43"),
        };
        let phone: Phone = format!("1991234000{n}").parse().unwrap();
        let user = match who {
            Who::Owner => room.trainee.clone(),
            Who::Mentor => room.mentor.clone(),
            Who::County => room.staff.clone(),
            _ => {
                let new = NewUser { name, phone: &phone, region_code: region, password_hash: "" };
                account::create(&mut tx, &school.keys, now, new).await.unwrap()
            }
        };
        on!(&mut tx, c => sqlx::query("update users set phone_masked = $2 where id = $1")
            .bind(&user).bind(phone.masked()).execute(c).await.map(drop))
        .unwrap();
        match who {
            Who::Neighbour => grant_staff(&mut tx, now, &user, "433127", None).await.unwrap(),
            Who::Province => grant_staff(&mut tx, now, &user, "43", None).await.unwrap(),
            Who::Admin => grant_admin(&mut tx, now, &user, None).await.unwrap(),
            _ => {}
        }
        people.push(user);
    }
    tx.commit().await.unwrap();
    people
}

/// An account of the owner's with a reading that earns a first star.
async fn numbers(school: &School) -> (String, SnapshotId) {
    let today = Day::from(At::now().china_date());
    let (owner, opened_on, id) = (&school.room.trainee, today.plus_days(-150), SnapshotId::new());
    let figures = Figures {
        followers: Some(260),
        views: Some(6200),
        originals: Some(11),
        active_weeks: Some(9),
        service: Some(14),
        ..Figures::default()
    };
    let mut tx = school.db.write().await.unwrap();
    let new = NewAccount { owner, platform: Platform::Douyin, handle: "里耶比耳村", opened_on };
    let account = growth::add_account(&mut tx, At::now(), new).await.unwrap().id;
    let new = NewSnapshot {
        id: &id,
        account: &account,
        as_of_on: today,
        window_days: 90,
        figures,
        evidence_key: "evidence/x",
        evidence_type: "image/png",
        evidence_sha256: "aa",
        entered_by: &school.room.staff,
    };
    growth::record(&mut tx, At::now(), new).await.unwrap();
    tx.commit().await.unwrap();
    (account.to_string(), id)
}

/// A store that has every object, and takes every one.
async fn store() -> String {
    async fn serve(method: Method, _body: Bytes) -> impl IntoResponse {
        let status = if method == Method::DELETE { StatusCode::NO_CONTENT } else { StatusCode::OK };
        (status, [("etag", "\"e\"")], if method == Method::GET { "picture" } else { "" })
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(serve)).await });
    address
}
