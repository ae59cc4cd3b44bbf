//! Words under the picture: those that came in the film, and files that she adds, on both databases.

use reqwest::Method;
use serde_json::Value;
use weijia_tests::tus::About;
use weijia_tests::{Database, TestServer, User, media};

#[tokio::test(flavor = "multi_thread")]
async fn captions_on_sqlite() {
    captions(TestServer::start_on(Database::Sqlite).await.expect("SQLite is always there")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captions_on_postgres() {
    if let Some(server) = TestServer::start_on(Database::Postgres).await {
        captions(server).await;
    }
}

const SRT: &str = "1\r\n00:00:00,500 --> 00:00:01,500\r\n<b>我是谁</b><script>x</script>\r\n\r\n2\r\n00:00:02,000 --> 01:00:00,000\r\n我们村\r\n";
const VTT: &str = "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\n<b>我是谁</b>x\n\n00:00:02.000 --> 00:00:04.";

async fn captions(server: TestServer) {
    let mentor = server.sign_in("mentor", 0).await;
    let (trainee, _) = server.newcomer().await;
    let file = media::captioned(4);
    let about = About { assignment: "A1".into(), ..About::file(&file, "带字幕的") };
    let upload = trainee.upload(&file, &about).await;
    let clip = upload.clip.as_str();
    let ready = trainee.wait_ready(clip).await;

    // Those of the film are there by themselves, on the clip's own time, and how loud it is.
    let film = &ready["media"]["captions"];
    assert_eq!(summary(film), [("embedded", "zh")], "{film}");
    let (text, kind) = words(&trainee, &film[0]).await;
    assert_eq!(kind, "text/vtt; charset=utf-8");
    let cues = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n第一句\n\n00:00:02.000 --> 00:00:03.000\n第二句\n";
    assert_eq!(text, cues);
    let (wave, kind) = trainee.fetch(ready["media"]["waveform"].as_str().expect("it has sound")).await;
    let wave: Value = serde_json::from_slice(&wave).expect("JSON");
    assert_eq!(
        (kind.as_str(), wave["version"].as_i64(), wave["bits"].as_i64()),
        ("application/json", Some(2), Some(8))
    );
    let covered = wave["length"].as_f64().unwrap() * wave["samples_per_pixel"].as_f64().unwrap() / 48_000.0;
    assert!((3.8..4.3).contains(&covered), "{covered} s");
    assert!(wave["data"].as_array().unwrap().iter().any(|v| v.as_i64() > Some(5)), "a tone is heard");

    // What cannot be read is named by its line, and nothing changes.
    let bad = SRT.replace("00:00:02,000", "00:00:0x,000").into_bytes();
    let (status, why) = trainee.attach(clip, &upload.version, "zh", bad).await;
    assert_eq!((status.as_u16(), why["code"].as_str()), (422, Some("caption_time")), "{why}");
    assert!(why["message"].as_str().unwrap().contains("第 6 行"), "{why}");
    let (status, why) = trainee.attach(clip, &upload.version, "zh", vec![b'a'; (512 << 10) + 1]).await;
    assert_eq!((status.as_u16(), why["code"].as_str()), (422, Some("caption_too_large")), "{why}");
    assert_eq!(summary(&trainee.clip(clip).await["media"]["captions"]), [("embedded", "zh")]);

    // Hers, as Windows writes it, again, and in another language.
    let (gb18030, ..) = encoding_rs::GB18030.encode(SRT);
    for file in [gb18030.into_owned(), SRT.as_bytes().to_vec()] {
        let (status, seen) = trainee.attach(clip, &upload.version, "zh", file).await;
        assert_eq!(status.as_u16(), 200, "{seen}");
        let captions = &seen["media"]["captions"];
        assert_eq!(summary(captions), [("attached", "zh"), ("embedded", "zh")]);
        let (text, _) = words(&trainee, &captions[0]).await;
        assert!(text.starts_with(VTT) && text.ends_with("\n我们村\n"), "{text}");
        assert!(!text.contains("script"), "{text}");
    }
    trainee.attach(clip, &upload.version, "en", SRT.into()).await;
    let seen = trainee.clip(clip).await;
    assert_eq!(summary(&seen["media"]["captions"]), [("attached", "zh"), ("attached", "en"), ("embedded", "zh")]);

    // Nobody else adds or takes away; her mentor reads them once she has handed it in.
    let other = server.sign_in("trainee", 5).await;
    for who in [&other, &mentor] {
        let (status, _) = who.attach(clip, &upload.version, "zh", SRT.into()).await;
        assert_eq!(status.as_u16(), 404);
        let path = format!("/clips/{clip}/versions/{}/captions/zh", upload.version);
        assert_eq!(who.refused(Method::DELETE, &path, None).await.0.as_u16(), 404);
    }
    trainee.submit(clip, "A1").await;
    let hers = mentor.clip(clip).await;
    assert_eq!(summary(&hers["media"]["captions"]).len(), 3);
    assert!(words(&mentor, &hers["media"]["captions"][0]).await.0.contains("我们村"));

    // Taken away, twice: the film's own stay.
    for _ in 0..2 {
        for language in ["zh", "en"] {
            let path = format!("/clips/{clip}/versions/{}/captions/{language}", upload.version);
            let (status, _) = trainee.try_call(Method::DELETE, &path, None).await.unwrap();
            assert_eq!(status.as_u16(), 200);
        }
    }
    assert_eq!(summary(&trainee.clip(clip).await["media"]["captions"]), [("embedded", "zh")]);
    let audited =
        server.count("select count(*) from audit_events where action like 'clip.caption%' and subject = $1", clip);
    assert_eq!(audited.await, 5);
    server.fsck(&[]).await.is_clean();
    server.end().await;
}

fn summary(captions: &Value) -> Vec<(&str, &str)> {
    let tracks = captions.as_array().expect("captions").iter();
    tracks.map(|each| (each["origin"].as_str().unwrap(), each["language"].as_str().unwrap())).collect()
}

async fn words(reader: &User, caption: &Value) -> (String, String) {
    let (bytes, kind) = reader.fetch(caption["url"].as_str().expect("an address")).await;
    (String::from_utf8(bytes).expect("UTF-8"), kind)
}
