//! Ways around the table: ids inside of ids, other people's paths, roles that ended, lists, and what a body claims.

use axum::http::Method;
use serde_json::{Value, json};
use weijia_core::ids::{ClipId, VersionId};
use weijia_core::on;
use weijia_core::review::testing as rows;

use super::world::{EVERYBODY, Who, World, operations};

const NO_BODY: (&str, Vec<u8>) = ("", vec![]);

/// A clip of the trainee's of the other cohort, handed in there.
async fn foreign_clip(world: &World) -> (ClipId, VersionId) {
    let (her, cohort) = (world.user(Who::Elsewhere), world.other_cohort.parse().unwrap());
    let mut tx = world.school.db.write().await.unwrap();
    let (clip, version) = rows::clip(&mut tx, her, Some(&cohort), Some("A4")).await;
    let path = "43/4331/433127/433127101/433127101203/";
    on!(&mut tx, c => sqlx::query("update clips set region_path = $2 where id = $1").bind(&clip).bind(path).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    world.school.act(her, &format!("/clips/{clip}/submit")).await.ok(200);
    (clip, version)
}

#[tokio::test]
async fn nothing_of_hers_is_reached_through_something_of_ones_own() {
    let world = World::open().await;
    let school = &world.school;
    let (clip, version) = foreign_clip(&world).await;
    let elsewhere = world.user(Who::Elsewhere);

    // Her feedback, through a clip that is one's own or none at all.
    for action in ["heard", "replies"] {
        let path = format!("/feedback/{}/{action}", world.item);
        school.post(elsewhere, &path, json!({"body": "x"})).await.code(404);
    }
    // A signed path for one's own version, put before hers, and hers put before one's own.
    for (who, signed, asked) in [(Who::Elsewhere, &version, &world.version), (Who::Owner, &world.version, &version)] {
        let token = world.media_token(who, signed).await;
        for file in ["poster.jpg", "video.mp4", "master.m3u8", "480/index.m3u8", "480/init.mp4"] {
            let path = format!("/media/{token}/{asked}/{file}");
            assert_eq!(world.send(Method::GET, &path, who, NO_BODY, &[]).await.code(404), "not_found", "{path}");
            assert_eq!(world.send(Method::GET, &path, Who::Anonymous, NO_BODY, &[]).await.code(404), "not_found");
        }
    }
    // Captions put to her version through a clip of one's own, and hers read through a version of one's own.
    for method in [Method::PUT, Method::DELETE] {
        let path = format!("/api/v1/clips/{clip}/versions/{}/captions/zh", world.version);
        world.send(method, &path, Who::Elsewhere, world.body("attachCaption"), &[]).await.code(404);
    }
    let seen = world.ask("attachCaption", Who::Owner).await.ok(200);
    let captions = seen["media"]["captions"][0]["url"].as_str().unwrap();
    assert_eq!(world.send(Method::GET, captions, Who::Owner, NO_BODY, &[]).await.status, 200);
    let token = world.media_token(Who::Elsewhere, &version).await;
    let name = captions.rsplit('/').next().unwrap();
    for odd in [name, "cap_x.vtt", "zh.vtt", "..vtt"] {
        let path = format!("/media/{token}/{version}/{odd}");
        assert_eq!(world.send(Method::GET, &path, Who::Elsewhere, NO_BODY, &[]).await.code(404), "not_found", "{odd}");
    }
    // Her path in somebody else's browser.
    let hers = format!("/media/{}/{}/poster.jpg", world.media_token(Who::Owner, &world.version).await, world.version);
    assert_eq!(world.send(Method::GET, &hers, Who::Owner, NO_BODY, &[]).await.status, 200);
    for who in [Who::Classmate, Who::Elsewhere, Who::Neighbour, Who::Admin] {
        world.send(Method::GET, &hers, who, NO_BODY, &[]).await.code(404);
    }
    // Her upload's address, under each method, and a new version of her clip.
    let path = format!("/api/v1/uploads/{}", world.upload);
    let bytes = ("application/offset+octet-stream", b"ftyp".to_vec());
    for method in [Method::HEAD, Method::PATCH, Method::DELETE] {
        assert_eq!(world.send(method, &path, Who::Elsewhere, bytes.clone(), &[]).await.status, 404);
    }
    for overridden in ["PATCH", "DELETE", "HEAD"] {
        let headers = [("x-http-method-override", overridden)];
        assert_eq!(world.send(Method::POST, &path, Who::Elsewhere, bytes.clone(), &headers).await.status, 404);
    }
    let metadata = format!("clip {}", data_encoding::BASE64.encode(world.clip.as_str().as_bytes()));
    for who in [Who::Elsewhere, Who::Classmate] {
        let headers = [("upload-metadata", metadata.as_str())];
        world.send(Method::POST, "/api/v1/uploads", who, NO_BODY, &headers).await.code(404);
    }
    // Items and settlements of another review, carried by a mentor's own draft.
    let draft = json!({"rev": 0, "settled": [{"item_id": world.item, "verdict": "verified"}],
                       "items": [{"id": world.item, "kind": "fix", "t_start_ms": 0, "t_end_ms": null, "dim": null, "body": "x"}]});
    let theirs = world.user(Who::OtherMentor);
    let queue = school.get(theirs, "/review/tickets").await.ok(200);
    assert_eq!(queue["tickets"][0]["clip_id"], clip.as_str());
    let ticket = queue["tickets"][0]["id"].as_str().unwrap().to_owned();
    school.act(theirs, &format!("/review/tickets/{ticket}/claim")).await.ok(200);
    school.put(theirs, &format!("/review/tickets/{ticket}/draft"), draft.clone()).await.code(404);
    let unsettled = json!({"rev": 0, "items": draft["items"]});
    let kept = school.put(theirs, &format!("/review/tickets/{ticket}/draft"), unsettled).await.ok(200);
    assert_ne!(kept["items"][0]["id"], world.item.as_str(), "an id is given, never taken");
    // An evaluation of one trainee, for a star of another.
    let stars = format!("/trainees/{elsewhere}/stars");
    let ask = json!({"evaluation_id": world.evaluation, "level": 1});
    for who in [Who::Neighbour, Who::Province] {
        school.post(world.user(who), &stars, ask.clone()).await.code(404);
    }
}

#[tokio::test]
async fn a_role_that_ended_is_dead_on_the_next_request() {
    let world = World::open().await;
    let school = &world.school;
    let poster = |token: &str| format!("/media/{token}/{}/poster.jpg", world.version);
    for (who, end) in [
        (Who::County, "update role_grants set valid_to = 2 where user_id = $1"),
        (Who::Mentor, "update memberships set state = 'withdrawn' where user_id = $1"),
    ] {
        let (user, path) = (world.user(who), poster(&world.media_token(who, &world.version).await));
        assert_eq!(school.get(user, &format!("/clips/{}", world.clip)).await.status, 200);
        assert_eq!(world.send(Method::GET, &path, who, NO_BODY, &[]).await.status, 200);
        let mut tx = school.db.write().await.unwrap();
        on!(&mut tx, c => sqlx::query(end).bind(user).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        for operation in ["getClip", "listFeedback", "getCohortProgress", "getGrowth", "getMediaFile", "getReviewDesk"]
        {
            assert_eq!(world.ask(operation, who).await.code(404), "not_found", "{operation} {who:?}");
        }
        assert_eq!(world.send(Method::GET, &path, Who::Anonymous, NO_BODY, &[]).await.code(404), "not_found");
        assert_eq!(school.get(user, "/cohorts").await.ok(200)["cohorts"], json!([]));
    }
    // Who is suspended is nobody, with the cookie she has and on the paths she was given.
    let path = poster(&world.media_token(Who::Owner, &world.version).await);
    let token = rows::session(&school.db, world.user(Who::Owner)).await;
    let cookie = format!("weijia={token}");
    let headers = [("cookie", cookie.as_str())];
    let ask = || world.send(Method::GET, "/api/v1/session", Who::Anonymous, NO_BODY, &headers);
    assert_eq!(ask().await.status, 200);
    let mut tx = school.db.write().await.unwrap();
    on!(&mut tx, c => sqlx::query("update users set state = 'suspended' where id = $1").bind(world.user(Who::Owner))
        .execute(c).await.map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ask().await.code(401), "signed_out");
    assert_eq!(world.send(Method::GET, &path, Who::Anonymous, NO_BODY, &[]).await.code(404), "not_found");
}

#[tokio::test]
async fn lists_hold_nothing_beyond_scope() {
    let world = World::open().await;
    let school = &world.school;
    let (clip, _) = foreign_clip(&world).await;
    let (mine, theirs) = (school.room.cohort.as_str(), world.other_cohort.as_str());
    let (owner, elsewhere) = (school.room.trainee.as_str(), world.user(Who::Elsewhere).as_str());
    for who in EVERYBODY.into_iter().filter(|who| *who != Who::Anonymous) {
        let here = matches!(who, Who::Mentor | Who::County | Who::Province);
        let there = matches!(who, Who::OtherMentor | Who::Neighbour | Who::Province);
        let user = world.user(who);
        let cohorts = ids(&school.get(user, "/cohorts").await.ok(200)["cohorts"], "/id");
        assert_eq!((cohorts.contains(&mine.into()), cohorts.contains(&theirs.into())), (here, there), "{who:?}");
        let candidates = school.get(user, "/stars/candidates").await.ok(200);
        let candidates = ids(&candidates["candidates"], "/person/id");
        assert_eq!(
            (candidates.contains(&owner.into()), candidates.contains(&elsewhere.into())),
            (here, there),
            "{who:?}"
        );

        let mut tickets = Vec::new();
        let mut counted = 0;
        for view in ["waiting", "mine", "sent"] {
            let queue = school.get(user, &format!("/review/tickets?view={view}")).await.ok(200);
            tickets.extend(ids(&queue["tickets"], "/clip_id"));
            counted = queue["counts"].as_object().unwrap().values().filter_map(Value::as_i64).sum();
        }
        assert_eq!(counted as usize, tickets.len(), "{who:?}");
        let (own, foreign) = (tickets.contains(&world.clip.to_string()), tickets.contains(&clip.to_string()));
        assert_eq!((own, foreign), (who == Who::Mentor, who == Who::OtherMentor), "{who:?}");

        let clips = ids(&school.get(user, "/clips").await.ok(200)["clips"], "/id");
        let (own, foreign) = (clips.contains(&world.clip.to_string()), clips.contains(&clip.to_string()));
        assert_eq!((own, foreign), (who == Who::Owner, who == Who::Elsewhere), "{who:?}");
        // Somebody else's clip as a cursor turns no page of hers.
        let turned = school.get(user, &format!("/clips?cursor={clip}")).await.ok(200);
        assert!(!turned.to_string().contains(clip.as_str()), "{who:?}");
    }
}

fn ids(list: &Value, pointer: &str) -> Vec<String> {
    let id = |row: &Value| row.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    list.as_array().unwrap().iter().filter_map(id).collect()
}

#[tokio::test]
async fn a_body_changes_only_what_it_is_for() {
    let world = World::open().await;
    let school = &world.school;
    let (owner, classmate) = (world.user(Who::Owner), world.user(Who::Classmate));
    let path = format!("/clips/{}", world.clip);
    let before = school.get(owner, &path).await.ok(200);
    let claim = json!({"title": "新名字", "id": "clip_00000000000000000000000000", "owner": {"id": classmate}, "owner_id": classmate,
                       "state": "passed", "cohort_id": world.other_cohort, "region_path": "43/", "can_submit": true});
    let mut after = school.patch(owner, &path, claim).await.ok(200);
    assert_eq!(after["title"], "新名字");
    after["title"] = before["title"].clone();
    assert_eq!(after, before);

    let reply = json!({"body": "好", "author": "李慧", "author_id": world.user(Who::Mentor), "mine": false, "state": "verified"});
    let item = school.post(owner, &format!("/feedback/{}/replies", world.item), reply).await.ok(200);
    assert_eq!((&item["replies"][0]["author"], &item["state"]), (&json!("向春桃"), &json!("heard")));

    let member = json!({"members": [{"name": "龙玉", "phone": "19912349999", "region_code": "433130105201", "part": "trainee",
                                     "role": "admin", "roles": ["staff"], "admin": true, "state": "graduated"}], "region_code": "43"});
    let added =
        school.post(world.user(Who::County), &format!("/cohorts/{}/members", school.room.cohort), member).await.ok(200);
    let password = added["added"][0]["password"].as_str().unwrap();
    let sign_in = json!({"phone": "19912349999", "password": password, "role": "admin"});
    let me = school.ask(None, Method::POST, "/api/v1/session", Some(sign_in)).await.ok(200);
    assert_eq!((&me["role"], &me["roles"]), (&json!("trainee"), &json!(["trainee"])));

    let draft = json!({"rev": 0, "review_id": "review_00000000000000000000000000", "state": "sent", "total": 100, "reviewer_id": owner});
    let kept =
        school.put(world.user(Who::Mentor), &format!("/review/tickets/{}/draft", world.ticket), draft).await.ok(200);
    assert_ne!(kept["review_id"], "review_00000000000000000000000000");
    assert_eq!(school.get(owner, &format!("/clips/{}/feedback", world.clip)).await.ok(200)["reviews"], json!([]));
}

#[tokio::test]
async fn every_unsafe_route_refuses_a_foreign_page() {
    let world = World::open().await;
    for (method, _, operation) in operations() {
        if matches!(method, Method::GET | Method::HEAD) {
            continue;
        }
        let (_, path) = world.request(&operation, Who::Owner).await;
        for headers in [
            [("origin", "http://evil.example"), ("x-a", "")],
            [("origin", "null"), ("x-a", "")],
            [("origin", "http://weijia.test.evil.example"), ("x-a", "")],
            [("sec-fetch-site", "cross-site"), ("origin", "http://weijia.test")],
            [("sec-fetch-site", "same-site"), ("origin", "http://weijia.test")],
        ] {
            let answer = world.send(method.clone(), &path, Who::Owner, world.body(&operation), &headers).await;
            assert_eq!(answer.code(403), "foreign_origin", "{operation} {headers:?}");
        }
    }
    // The same from our own pages goes through.
    for headers in [("sec-fetch-site", "same-origin"), ("origin", "http://weijia.test")] {
        let (method, path) = world.request("renameClip", Who::Owner).await;
        let answer = world.send(method, &path, Who::Owner, world.body("renameClip"), &[headers]).await;
        assert_eq!(answer.status, 200);
    }
}
