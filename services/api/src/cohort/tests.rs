use serde_json::json;
use weijia_core::on;
use weijia_core::review::Outcome;
use weijia_core::review::testing::reviewed;

use crate::testing::School;

fn cohort(series_no: i64, region_code: &str) -> serde_json::Value {
    json!({"series_no": series_no, "title": "二班", "host": "县妇联", "region_code": region_code,
           "starts_on": "2026-06-16", "ends_on": "2026-09-30"})
}

#[tokio::test]
async fn a_desk_opens_cohorts_in_its_own_region_only() {
    let school = School::open().await;
    let room = &school.room;
    let opened = school.post(&room.staff, "/cohorts", cohort(50, "433130")).await.ok(201);
    assert_eq!((opened["series_no"].as_i64(), opened["region"]["name"].as_str()), (Some(50), Some("龙山县")));
    assert_eq!(school.post(&room.staff, "/cohorts", cohort(50, "433130")).await.code(409), "series_taken");
    // Above her, unknown, and nobody's to open.
    assert_eq!(school.post(&room.staff, "/cohorts", cohort(51, "4331")).await.code(404), "not_found");
    assert_eq!(school.post(&room.staff, "/cohorts", cohort(51, "99")).await.code(404), "not_found");
    for who in [&room.mentor, &room.trainee, &room.stranger] {
        assert_eq!(school.post(who, "/cohorts", cohort(51, "433130")).await.code(404), "not_found");
    }
    let mut backwards = cohort(51, "433130");
    backwards["ends_on"] = "2026-01-01".into();
    assert_eq!(school.post(&room.staff, "/cohorts", backwards).await.code(422), "cohort_invalid");
    let mut no_day = cohort(51, "433130");
    no_day["ends_on"] = "2026-02-30".into();
    assert_eq!(school.post(&room.staff, "/cohorts", no_day).await.code(422), "bad_request");

    let numbers = async |who| {
        let answer = school.get(who, "/cohorts").await.ok(200);
        answer["cohorts"].as_array().unwrap().iter().map(|c| c["series_no"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&room.staff).await, [50, 49]);
    assert_eq!(numbers(&room.mentor).await, [49]);
    assert_eq!(numbers(&room.trainee).await, [0; 0]);
}

#[tokio::test]
async fn a_roster_gives_new_people_a_password_that_works() {
    let school = School::open().await;
    let (room, path) = (&school.room, format!("/cohorts/{}/members", school.room.cohort));
    let line = |name: &str, phone: &str, region: &str, part: &str| json!({"name": name, "phone": phone, "region_code": region, "part": part, "group_no": 1});
    let roster = json!({"members": [
        line("彭秀英", "138 1234 5678", "433130105201", "trainee"),
        line("彭秀英", "13812345678", "433130105201", "trainee"),
        line("写错了", "12345", "433130105201", "trainee"),
        line("外县人", "13912345678", "4331", "trainee"),
        line("田老师", "13712345678", "4331", "mentor"),
    ]});
    let answer = school.post(&room.staff, &path, roster.clone()).await.ok(200);
    let added = answer["added"].as_array().unwrap();
    assert_eq!(added.iter().map(|a| a["name"].as_str().unwrap()).collect::<Vec<_>>(), ["彭秀英", "田老师"]);
    assert_eq!(added[0]["phone_masked"], "138****5678");
    let reasons: Vec<_> = answer["skipped"].as_array().unwrap().iter().map(|s| s["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["已经在班里了。", "这个手机号不对。", "这个地方不归你管，请那边的同志来加。"]);

    let sign_in = json!({"phone": "13812345678", "password": added[0]["password"]});
    let request = axum::http::Request::post("/api/v1/session").header("content-type", "application/json");
    let answer = school.send(request.body(sign_in.to_string().into()).unwrap()).await.ok(200);
    assert_eq!((answer["name"].as_str(), answer["role"].as_str()), (Some("彭秀英"), Some("trainee")));

    for who in [&room.mentor, &room.trainee, &room.stranger] {
        assert_eq!(school.post(who, &path, roster.clone()).await.code(404), "not_found");
    }
    let many: Vec<_> = (0..201).map(|_| line("谁", "12345", "43", "trainee")).collect();
    assert_eq!(school.post(&room.staff, &path, json!({"members": many})).await.code(422), "roster_too_long");
    assert_eq!(school.post(&room.staff, "/cohorts/nonsense/members", roster).await.code(404), "not_found");
}

#[tokio::test]
async fn a_roster_in_a_file_takes_in_who_can_be_read_and_says_why_not() {
    let school = School::open().await;
    let (room, path) = (&school.room, format!("/cohorts/{}/roster", school.room.cohort));
    let import =
        async |who, query: &str, file: &str| school.post_file(who, &format!("{path}?{query}"), file.as_bytes()).await;
    let roster = "第49期名单,,,\n姓名,手机号,村（社区）,小组\n彭秀英,138 1234 5678,比耳村,第二组\n田小妹,13812345679,没有这个村,\n\
                  向大姐,1381234567,比耳村,\n彭秀英,13812345678,比耳村,\n石姐,13812345670,,3\n";
    let answer = import(&room.staff, "part=trainee", roster).await.ok(200);
    let added = answer["added"].as_array().unwrap();
    assert_eq!((added.len(), added[0]["name"].as_str()), (1, Some("彭秀英")));
    assert!(added[0]["password"].is_string());
    let wrong: Vec<(i64, &str)> = answer["wrong"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["row"].as_i64().unwrap(), w["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(wrong.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [4, 5, 6, 7]);
    let words = ["没找到“没有这个村”", "11 位", "第 3 行一样", "没写是哪个村"];
    assert!(wrong.iter().zip(words).all(|((_, reason), word)| reason.contains(word)), "{wrong:?}");
    // Again, and with a place for who has none: nobody is added twice.
    let again = import(&room.staff, "part=trainee&region=433130105201", roster).await.ok(200);
    assert_eq!((again["there"].as_i64(), again["added"].as_array().unwrap().len()), (Some(1), 1));
    assert_eq!(again["added"][0]["name"], "石姐");
    // A mentor from anywhere; and what is no roster.
    let mentor = import(&room.staff, "part=mentor&region=43", "姓名,电话\n田老师,13712345678\n").await.ok(200);
    assert_eq!(mentor["added"][0]["name"], "田老师");
    for (file, code) in [("姓名,村\n彭秀英,比耳村\n", "roster_no_columns"), ("", "roster_unreadable")] {
        assert_eq!(import(&room.staff, "part=trainee", file).await.code(422), code);
    }
    let many = format!("姓名,手机号\n{}", "谁,1\n".repeat(501));
    assert_eq!(import(&room.staff, "part=trainee", &many).await.code(422), "roster_too_long");
    for who in [&room.mentor, &room.trainee, &room.stranger] {
        assert_eq!(import(who, "part=trainee", roster).await.code(404), "not_found");
    }
}

#[tokio::test]
async fn each_number_of_the_sentence_opens_its_rows() {
    let school = School::open().await;
    let (room, path) = (&school.room, format!("/cohorts/{}", school.room.cohort));
    let passed = reviewed(&school.db, room, "A1", 4, Outcome::Pass).await;
    reviewed(&school.db, room, "A4", 2, Outcome::Return).await;
    for who in [&room.staff, &room.mentor] {
        let shown = school.get(who, &format!("{path}/progress")).await.ok(200);
        assert_eq!(shown["sentence"], json!({"waiting": 0, "overdue": 0, "stuck": 1, "passed": 1}));
        let her = &shown["trainees"][0];
        assert_eq!(her["marks"]["A1"]["state"], "passed");
        assert_eq!((her["waiting"]["what"].as_str(), her["star_level"].is_null()), (Some("等她再拍一次"), true));
        assert_eq!((her["lessons_total"].as_i64(), shown["assignments"].as_array().unwrap().len()), (Some(54), 12));
        for (which, n) in [("waiting", 0), ("overdue", 0), ("returned", 1), ("stuck", 1), ("passed", 1)] {
            let rows = school.get(who, &format!("{path}/clips?which={which}")).await.ok(200);
            assert_eq!(rows["clips"].as_array().unwrap().len(), n, "{which}");
        }
        let rows = school.get(who, &format!("{path}/clips?which=passed")).await.ok(200);
        let row = &rows["clips"][0];
        assert_eq!(
            (row["clip_id"].as_str(), row["trainee"]["village"].as_str()),
            (Some(passed.as_str()), Some("比耳村"))
        );
        assert_eq!(row["assignment"]["code"], "A1");
        assert!(row["poster"].as_str().unwrap().starts_with("/media/"));
    }
    for who in [&room.trainee, &room.stranger] {
        assert_eq!(school.get(who, &format!("{path}/progress")).await.code(404), "not_found");
        assert_eq!(school.get(who, &format!("{path}/clips?which=waiting")).await.code(404), "not_found");
    }
    assert_eq!(school.get(&room.staff, &format!("{path}/clips?which=all")).await.code(422), "bad_request");
}

#[tokio::test]
async fn a_cohort_goes_out_as_a_workbook_with_phones_masked() {
    let school = School::open().await;
    let (room, staff) = (&school.room, &school.room.staff);
    reviewed(&school.db, room, "A1", 4, Outcome::Pass).await;
    let mut tx = school.db.write().await.unwrap();
    on!(&mut tx, c => sqlx::query("update users set display_name = '=1+1' where id = $1").bind(&room.trainee).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    let path = format!("/cohorts/{}/export.xlsx", room.cohort);
    let file = school.get(staff, &path).await;
    assert!(file.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"cohort-49-"));
    let rows = weijia_core::sheet::rows(&file.body).unwrap();
    assert_eq!(&rows[0].cells[2..4], ["姓名", "手机号"]);
    assert!(rows[0].cells.iter().any(|head| head.starts_with("A1 ")));
    let hers = &rows[1].cells;
    assert_eq!((hers[2].as_str(), hers[3].as_str()), ("=1+1", "138****1234"), "a name is never a formula");
    assert!(hers.contains(&"通过".to_owned()));
    for who in [&room.mentor, &room.trainee, &room.stranger] {
        assert_eq!(school.get(who, &path).await.code(404), "not_found");
    }
}
