//! Who waits for whom: one trainee's many clips do not keep another's one from playing.

use std::time::Instant;

use weijia_tests::tus::About;
use weijia_tests::{TestServer, media};

const MANY: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_clips_of_one_do_not_delay_the_one_of_another() {
    let server = TestServer::start().await;
    let (busy, quiet) = (server.sign_in("trainee", 0).await, server.sign_in("trainee", 1).await);
    let file = media::portrait(2);
    for n in 0..MANY {
        busy.upload(&file, &About::file(&file, &format!("很多 {n}"))).await;
    }
    let playable = "select count(*) from clip_versions v join clips c on c.id = v.clip_id
                    where c.owner_id = $1 and v.playable_at is not null";
    for n in 0..10 {
        let before = server.count(playable, busy.id()).await;
        let sent = Instant::now();
        let upload = quiet.upload(&file, &About::file(&file, &format!("一条 {n}"))).await;
        quiet.wait_playable(&upload.clip).await;
        let went_first = server.count(playable, busy.id()).await - before;
        println!("{:?}, behind {went_first} others", sent.elapsed());
        assert!(went_first <= 3, "{went_first} clips of one person before the one of another");
    }
    let left = MANY as i64 - server.count(playable, busy.id()).await;
    assert!(left > 0, "there was no line to stand in");
    server.end().await;
}
