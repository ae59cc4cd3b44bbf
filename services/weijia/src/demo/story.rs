//! What happened in the demonstration's class so far.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use weijia_core::time::{At, Millis};

use super::people::{People, Person};
use super::visitor::{Outcome, Visitor};
use crate::worker::LocalWorker;

const SERIES_NO: i64 = 49;

pub async fn tell(app: &Router, people: &People, scratch: &Path) -> Outcome<()> {
    let province = Visitor::sign_in(app, &people.province).await?;
    let cohort = open_cohort(&province, people).await?;
    attend_lessons(app, people).await?;

    let sample = sample_clip(scratch).await?;
    let spring = clip(app, &people.trainees[0], &sample, "我是捞车村的春梅", "A1").await?;
    let rice = clip(app, &people.trainees[1], &sample, "乌米糍粑怎么打", "A1").await?;
    let finished = clip(app, people.graduate(), &sample, "我们村的织锦", "A1").await?;

    let mentor = Visitor::sign_in(app, &people.mentors[0]).await?;
    review(&mentor, &finished, &PASSING).await?;
    review(&mentor, &spring, &RETURNING).await?;
    // This one stays in the queue: the mentors' page has something to do.
    let _waiting = rice;
    growth(&province, &cohort, people.graduate()).await
}

async fn open_cohort(province: &Visitor, people: &People) -> Outcome<String> {
    let known = province.get("/api/v1/cohorts").await?;
    let found = known["cohorts"].as_array().and_then(|all| all.iter().find(|c| c["series_no"] == SERIES_NO)).cloned();
    let cohort = match found {
        Some(cohort) => cohort,
        None => {
            let today = At::now();
            let body = json!({
                "series_no": SERIES_NO, "title": "湘西班", "host": "湖南省妇联融媒体中心", "region_code": "4331",
                "starts_on": (today - Millis::days(14)).china_date().to_string(),
                "ends_on": (today + Millis::days(28)).china_date().to_string(),
            });
            province.post("/api/v1/cohorts", body).await?
        }
    };
    let id = text(&cohort["id"]);
    let roster = |part: &'static str| {
        move |(n, p): (usize, &Person)| {
            json!({"name": p.name, "phone": p.phone, "region_code": p.region, "part": part,
                   "group_no": (part == "trainee").then_some(n / 4 + 1)})
        }
    };
    let mentors = people.mentors.iter().enumerate().map(roster("mentor"));
    let members: Vec<Value> = people.trainees.iter().enumerate().map(roster("trainee")).chain(mentors).collect();
    // Members who are in already are named as skipped.
    province.post(&format!("/api/v1/cohorts/{id}/members"), json!({"members": members})).await?;
    Ok(id)
}

/// Some are further than others, as in any class.
async fn attend_lessons(app: &Router, people: &People) -> Outcome<()> {
    const DONE: [usize; 12] = [11, 9, 7, 6, 12, 6, 4, 8, 6, 2, 6, 0];
    for (person, done) in people.trainees.iter().zip(DONE) {
        if done == 0 {
            continue;
        }
        let visitor = Visitor::sign_in(app, person).await?;
        let course = visitor.get("/api/v1/course").await?;
        let modules = course["modules"].as_array().cloned().unwrap_or_default();
        let lessons = modules.iter().flat_map(|m| m["lessons"].as_array().cloned().unwrap_or_default()).take(done);
        for lesson in lessons.filter(|l| l["completed_at"].is_null()) {
            visitor.post(&format!("/api/v1/lessons/{}/complete", text(&lesson["code"])), json!({})).await?;
        }
    }
    Ok(())
}

/// A short portrait clip, drawn and encoded by the worker's program on this machine.
async fn sample_clip(scratch: &Path) -> Outcome<Vec<u8>> {
    let fault = |e: std::io::Error| format!("演示片子没有做出来：{e}");
    std::fs::create_dir_all(scratch).map_err(fault)?;
    let path = scratch.join("demo.mp4");
    let mut command = tokio::process::Command::new(LocalWorker::program()?);
    command.arg("sample").arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let status = command.status().await.map_err(fault)?;
    if !status.success() {
        return Err("演示片子没有做出来：weijia-media sample 没有成功".into());
    }
    let bytes = std::fs::read(&path).map_err(fault)?;
    let _ = std::fs::remove_file(&path);
    Ok(bytes)
}

/// Uploads a clip, waits until it plays and hands it in, each unless it was done before.
async fn clip(app: &Router, owner: &Person, sample: &[u8], title: &str, assignment: &str) -> Outcome<Submitted> {
    let visitor = Visitor::sign_in(app, owner).await?;
    let known = visitor.get("/api/v1/clips").await?;
    let clips = known["clips"].as_array().cloned().unwrap_or_default();
    // An upload that was cut off by a stop is not finished: it is left to expire.
    let whole = clips.iter().find(|c| c["title"] == title && c["media_state"] != "uploading");
    let id = match whole {
        Some(clip) => text(&clip["id"]),
        None => visitor.upload(sample, title, assignment).await?,
    };
    let path = format!("/api/v1/clips/{id}");
    for _ in 0..600 {
        let clip = visitor.get(&path).await?;
        if let Some(refusal) = clip["refusal"].as_object() {
            return Err(format!("演示片子没有处理好：{}", refusal["message"]));
        }
        if clip["playable"] == true {
            if clip["state"] == "draft" {
                visitor.post(&format!("{path}/submit"), json!({"assignment": assignment})).await?;
            }
            return Ok(Submitted { clip: id });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err("演示片子两分钟还没处理好；看看日志里 weijia-media 说了什么".into())
}

struct Submitted {
    clip: String,
}

struct Words {
    items: &'static [(&'static str, i64, Option<i64>, &'static str, &'static str)],
    level: i64,
    summary: &'static str,
    next_step: &'static str,
    outcome: &'static str,
}

const RETURNING: Words = Words {
    items: &[
        ("praise", 800, None, "hook", "开头这一句好，一下就让人想听下去"),
        ("fix", 2400, Some(4000), "sound", "这里风声大，站到屋檐下再说一遍"),
        ("question", 4600, None, "story", "这道梯田叫什么名字？说出来更有你们村的味道"),
    ],
    level: 3,
    summary: "第一条就敢看镜头，很好。把风声躲开，再说一遍村名，就更完整了。",
    next_step: "站到屋檐下，照着再拍一遍",
    outcome: "return",
};

const PASSING: Words = Words {
    items: &[
        ("praise", 600, None, "oncam", "看镜头了，笑得自然，比上次放松多了"),
        ("praise", 3200, None, "local", "这个细节只有你们村才有，留住它"),
    ],
    level: 4,
    summary: "说得清，看得真，像邻居在跟我说话。可以结业了。",
    next_step: "下一条试试带一个新姐妹一起拍",
    outcome: "pass",
};

async fn review(mentor: &Visitor, submitted: &Submitted, words: &Words) -> Outcome<()> {
    let mut tickets = Vec::new();
    for view in ["waiting", "mine"] {
        let queue = mentor.get(&format!("/api/v1/review/tickets?view={view}")).await?;
        tickets.extend(queue["tickets"].as_array().cloned().unwrap_or_default());
    }
    // No ticket that still waits: it was answered before an interruption.
    let Some(ticket) = tickets.iter().find(|t| t["clip_id"] == submitted.clip.as_str()) else { return Ok(()) };
    let path = format!("/api/v1/review/tickets/{}", text(&ticket["id"]));
    let desk = mentor.post(&format!("{path}/claim"), json!({})).await?;
    let mut draft = desk["draft"].clone();
    draft["items"] = words
        .items
        .iter()
        .map(|(kind, start, end, dim, body)| {
            json!({"id": null, "kind": kind, "t_start_ms": start, "t_end_ms": end, "dim": dim, "body": body})
        })
        .collect();
    let rubric = &desk["rubric"];
    draft["scores"] = each(&rubric["dims"], json!(words.level));
    draft["gates"] = each(&rubric["gates"], json!(true));
    draft["summary"] = json!(words.summary);
    draft["next_step"] = json!(words.next_step);
    draft["outcome"] = json!(words.outcome);
    let saved = mentor.put(&format!("{path}/draft"), draft).await?;
    mentor.post(&format!("{path}/send"), json!({"rev": saved["rev"], "outcome": words.outcome})).await?;
    Ok(())
}

fn each(list: &Value, value: Value) -> Value {
    let codes = list.as_array().cloned().unwrap_or_default();
    codes.iter().map(|entry| (text(&entry["code"]), value.clone())).collect::<serde_json::Map<_, _>>().into()
}

/// Her account's numbers, as the desk typed them from a screenshot: enough for a first star.
async fn growth(province: &Visitor, cohort: &str, graduate: &Person) -> Outcome<()> {
    let progress = province.get(&format!("/api/v1/cohorts/{cohort}/progress")).await?;
    let rows = progress["trainees"].as_array().cloned().unwrap_or_default();
    let row = rows.iter().find(|t| t["person"]["name"] == graduate.name).ok_or("演示的学员不在班里")?;
    let path = format!("/api/v1/trainees/{}", text(&row["person"]["id"]));
    let today = At::now();
    let known = province.get(&format!("{path}/growth")).await?;
    let account = match known["accounts"].as_array().and_then(|all| all.first()) {
        Some(account) => account.clone(),
        None => {
            let opened = (today - Millis::days(200)).china_date().to_string();
            province
                .post(
                    &format!("{path}/accounts"),
                    json!({"platform": "douyin", "handle": "taozipingzhijin", "opened_on": opened}),
                )
                .await?
        }
    };
    if account["snapshots"].as_array().is_some_and(|all| !all.is_empty()) {
        return Ok(());
    }
    let fields = [
        ("as_of_on", (today - Millis::days(1)).china_date().to_string()),
        ("window_days", "90".into()),
        ("followers", "1260".into()),
        ("views", "48300".into()),
        ("originals", "14".into()),
        ("active_weeks", "10".into()),
        ("lives", "1".into()),
        ("service", "16".into()),
    ];
    let path = format!("/api/v1/accounts/{}/snapshots", text(&account["id"]));
    province.post_form(&path, &fields, ("evidence", "image/png", evidence()?)).await?;
    Ok(())
}

/// Stands in for a phone's screenshot: a page with a bar for each week.
fn evidence() -> Outcome<Vec<u8>> {
    use image::{Rgb, RgbImage};
    let mut picture = RgbImage::from_pixel(360, 640, Rgb([245, 247, 241]));
    let mut fill = |x: u32, y: u32, w: u32, h: u32, colour: [u8; 3]| {
        for (dx, dy) in (0..w).flat_map(|dx| (0..h).map(move |dy| (dx, dy))) {
            picture.put_pixel(x + dx, y + dy, Rgb(colour));
        }
    };
    fill(0, 0, 360, 64, [15, 63, 48]);
    for week in 0..10 {
        let height = 60 + week * 26;
        fill(30 + week * 31, 560 - height, 20, height, [224, 165, 38]);
    }
    fill(20, 560, 320, 3, [24, 33, 27]);
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).map_err(|e| e.to_string())?;
    Ok(bytes.into_inner())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
