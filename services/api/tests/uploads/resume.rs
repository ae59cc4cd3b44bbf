//! Connections end, pause and compete; what arrived stays, and the newest request wins.

use std::time::{Duration, Instant};

use crate::support::s3::Fault;
use crate::support::{App, MIB, film, quiet, sha256, status, until, upload_offset};
use axum::http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use weijia_api::upload::Limits;

const LENGTH: usize = 20 * MIB + 333;

/// How a connection comes to nothing.
#[derive(Debug, Clone, Copy)]
enum Break {
    /// Closed in order.
    Fin,
    /// Reset: what the client's side still held is gone.
    Rst,
    /// Open, and nothing comes any more.
    Stall,
}

/// Until everything that was written has been read by the other side, as the kernel tells it: nothing waits in our send
/// queue, and nothing in the other's receive queue.
async fn delivered(stream: &TcpStream) {
    let port = format!(":{:04X}", stream.local_addr().unwrap().port());
    until("the other side has it all", async || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let sent = lines.iter().any(|line| line[1].ends_with(&port) && line[4].starts_with("00000000:"));
        sent && lines.iter().any(|line| line[2].ends_with(&port) && line[4].ends_with(":00000000"))
    })
    .await;
}

/// How many bytes [`taken`] sends besides.
const CRUMBS: usize = 10;

/// Until the writer has taken all that was sent before, told by a few bytes more that come one by one: the server reads
/// from its socket only when the writer has taken what was read before, but for one or two of them.
async fn taken(stream: &mut TcpStream, film: &[u8], sent: usize) -> usize {
    for byte in film[sent..sent + CRUMBS].chunks(1) {
        delivered(stream).await;
        stream.write_all(byte).await.unwrap();
    }
    delivered(stream).await;
    sent + CRUMBS
}

#[tokio::test]
async fn of_what_came_before_a_drop_hardly_a_byte_is_sent_twice() {
    let app = App::with(Limits { idle_flush: Duration::from_secs(1), ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let film = film(LENGTH);
    let one = async |how: Break, bytes_per_second: usize, sent: usize| {
        let upload = she.create(LENGTH).await;
        let mut stream = she.begin(&upload, 0, LENGTH, &[]).await;
        for piece in film[..sent].chunks(bytes_per_second / 10) {
            stream.write_all(piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(if bytes_per_second < MIB { 100 } else { 0 })).await;
        }
        delivered(&stream).await;
        match how {
            Break::Fin => stream.shutdown().await.unwrap(),
            #[allow(deprecated, reason = "closing with a reset is the point")]
            Break::Rst => stream.set_linger(Some(Duration::ZERO)).unwrap(),
            Break::Stall => {}
        }
        let stalled = matches!(how, Break::Stall).then_some(stream);
        let id = upload.path.rsplit('/').next().unwrap();
        let durable = async || {
            let mut tx = app.db.read().await.unwrap();
            let sum: i64 = weijia_core::on!(&mut tx, c => sqlx::query_scalar(
                    "select cast((select coalesce(sum(len), 0) from upload_parts where upload_id = $1)
                               + (select coalesce(sum(len), 0) from upload_tails where upload_id = $1) as bigint)")
                .bind(id).fetch_one(c).await)
            .unwrap();
            sum as usize
        };
        let what = format!("{how:?} after {sent} at {bytes_per_second}/s");
        // Something of it: else the HEAD might overtake the broken request, whose bytes would come in after it.
        until(&what, async || (1..).contains(&durable().await) && durable().await + 64 * 1024 >= sent).await;
        let offset = she.offset(&upload).await;
        assert!(offset <= sent && sent - offset <= 64 * 1024, "{what}: {offset}");
        println!("{what}: {} bytes to be sent again", sent - offset);
        let mut answer = she.patch(&upload, offset, film[offset..].to_vec()).await;
        if answer.status() == 409 {
            // The HEAD overtook the broken request, whose bytes came in after it: ask again, as every client does.
            assert!(upload_offset(&answer) > offset, "{what}: a conflict without progress");
            let offset = she.offset(&upload).await;
            answer = she.patch(&upload, offset, film[offset..].to_vec()).await;
        }
        assert_eq!(answer.status(), 204, "{what}");
        drop(stalled);
        let mut tx = app.db.read().await.unwrap();
        let key: String = weijia_core::on!(&mut tx, c => sqlx::query_scalar("select key from uploads where id = $1")
            .bind(id).fetch_one(c).await)
        .unwrap();
        drop(tx);
        assert_eq!(sha256(&app.s3.get(&key).await), sha256(&film), "{what}");
    };
    let slow =
        futures_util::future::join_all([Break::Fin, Break::Rst, Break::Stall].map(|how| one(how, 30_000, 60_000)));
    let fast = async {
        for how in [Break::Fin, Break::Rst, Break::Stall] {
            for sent in [700, 9 * MIB + 12_345, 16 * MIB] {
                one(how, 100 * MIB, sent).await;
            }
        }
    };
    futures_util::future::join(slow, fast).await;
    assert_eq!(app.count("select count(*) from jobs where kind = 'prepare'").await, 12);
}

#[tokio::test]
async fn a_hundred_interruptions_leave_the_same_bytes() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let (mut offset, mut step, mut furthest) = (0, 17, 0);
    while offset < LENGTH {
        let end = (offset + step).min(LENGTH);
        let mut stream = she.begin(&upload, offset, LENGTH - offset, &film[offset..end]).await;
        stream.shutdown().await.unwrap();
        drop(stream);
        // A HEAD may overtake a request that was sent before it, so that one's bytes may show a round later.
        furthest = furthest.max(end);
        let now = she.offset(&upload).await;
        assert!((offset..=furthest).contains(&now), "{now} is not within {offset}..={furthest}");
        (offset, step) = (now, step * 3 % 499_979 + 1);
    }
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
    assert_eq!(app.version(&upload.clip).await.0, "received");
}

#[tokio::test]
async fn a_head_asks_the_live_writer_to_store_what_it_has() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let sent = 9 * MIB + 100;
    let mut old = she.begin(&upload, 0, LENGTH, &film[..sent]).await;
    let sent = taken(&mut old, &film, sent).await;
    let offset = she.offset(&upload).await;
    assert!((sent - CRUMBS..=sent).contains(&offset), "{offset} of {sent}");
    assert_eq!(status(&mut old).await, 409, "the older request is told");
    assert_eq!(she.patch(&upload, offset, film[offset..].to_vec()).await.status(), 204);
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
}

#[tokio::test]
async fn who_still_sends_to_what_was_ended_is_told_that_it_is_gone() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let mut old = she.begin(&upload, 0, LENGTH, &film[..9 * MIB]).await;
    until("the first part is durable", async || app.count("select count(*) from upload_parts").await == 1).await;
    assert_eq!(she.request(Method::DELETE, &upload.path).send().await.unwrap().status(), 204);
    old.write_all(&film[9 * MIB..]).await.unwrap();
    assert_eq!(status(&mut old).await, 410);
}

#[tokio::test]
async fn of_two_writers_on_two_servers_the_newer_wins() {
    let here = App::with(Limits { flush_every: Duration::from_millis(300), ..quiet() }).await;
    let there = here.twin(quiet()).await;
    let she = here.trainee("13800000001").await;
    let elsewhere = there.known(&she);
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let mut old = she.begin(&upload, 0, LENGTH, &film[..8 * MIB]).await;
    until("the first part is durable", async || here.count("select count(*) from upload_parts").await == 1).await;
    let offset = elsewhere.offset(&upload).await;
    assert_eq!(offset, 8 * MIB);
    // The older one, on another machine, knows nothing of it yet, and sends something else.
    old.write_all(&vec![0xee; 3 * MIB]).await.unwrap();
    assert_eq!(status(&mut old).await, 409, "its next commit fails on the epoch");
    assert_eq!(elsewhere.offset(&upload).await, offset, "and nothing of it counts");
    assert_eq!(elsewhere.patch(&upload, offset, film[offset..].to_vec()).await.status(), 204);
    assert_eq!(sha256(&here.s3.only("originals/").await), sha256(&film));
    assert_eq!(here.count("select count(*) from jobs").await, 1);
}

#[tokio::test]
async fn a_late_put_of_a_superseded_writer_harms_nothing() {
    let here = App::start().await;
    let there = here.twin(quiet()).await;
    let she = here.trainee("13800000001").await;
    let elsewhere = there.known(&she);
    let (upload, film) = (she.create(1000).await, film(1000));
    here.s3.fail("PutObject originals/", 1, Fault::Slow(Duration::from_secs(5)));
    let mut other = film.clone();
    other[900] ^= 1;
    let mut old = she.begin(&upload, 0, 1000, &other).await;
    until("the older one is putting", async || here.s3.calls("PutObject originals/") == 1).await;
    assert_eq!(elsewhere.patch(&upload, 0, film.clone()).await.status(), 204);
    assert_eq!(status(&mut old).await, 409);
    let mut tx = here.db.read().await.unwrap();
    let key: String = weijia_core::on!(&mut tx, c => sqlx::query_scalar("select original_key from clip_versions")
        .fetch_one(c).await)
    .unwrap();
    assert_eq!(here.s3.get(&key).await, film);
}

#[tokio::test]
async fn a_pause_makes_what_came_durable_and_the_request_goes_on() {
    let app = App::with(Limits { idle_flush: Duration::from_millis(100), ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let mut sent = 1000;
    let mut stream = she.begin(&upload, 0, LENGTH, &film[..sent]).await;
    for _ in 0..3 {
        // In one piece or, where the bytes were slow to come, in several.
        let kept = "select cast(coalesce(sum(len), 0) as bigint) from upload_tails";
        until("what came is durable", async || app.count(kept).await == sent as i64).await;
        stream.write_all(&film[sent..sent + 600_000]).await.unwrap();
        sent += 600_000;
    }
    stream.write_all(&film[sent..]).await.unwrap();
    assert_eq!(status(&mut stream).await, 204);
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
}

#[tokio::test]
async fn what_came_is_durable_though_a_slow_store_holds_all_memory() {
    let app = App::with(Limits { memory: 8 * MIB, idle_flush: Duration::from_millis(100), ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let (first, second, film) = (she.create(LENGTH).await, she.create(LENGTH).await, film(LENGTH));
    app.s3.fail("UploadPart 1", 1, Fault::Slow(Duration::from_secs(6)));
    let mut slow = she.begin(&first, 0, LENGTH, &film[..8 * MIB]).await;
    until("the first holds all there is", async || app.s3.calls("UploadPart 1") == 1).await;
    let mut waits = she.begin(&second, 0, LENGTH, &film[..MIB]).await;
    let kept = "select count(*) from upload_tails";
    until("what came is durable", async || app.count(kept).await > 0).await;
    assert_eq!(app.count("select count(*) from upload_parts").await, 0, "it did not wait for the first");
    waits.write_all(&film[MIB..]).await.unwrap();
    slow.write_all(&film[8 * MIB..]).await.unwrap();
    assert_eq!((status(&mut waits).await, status(&mut slow).await), (204, 204));
    for key in app.s3.keys("originals/").await {
        assert_eq!(sha256(&app.s3.get(&key).await), sha256(&film), "{key}");
    }
}

#[tokio::test]
async fn a_steady_trickle_is_made_durable_every_so_often() {
    let app = App::with(Limits { flush_every: Duration::from_millis(200), ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let mut stream = she.begin(&upload, 0, LENGTH, &film[..1]).await;
    let began = Instant::now();
    let mut sent = 1;
    while app.count("select cast(coalesce(sum(len), 0) as bigint) from upload_tails").await < 20 {
        stream.write_all(&film[sent..sent + 10]).await.unwrap();
        sent += 10;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(began.elapsed() < Duration::from_secs(60), "nothing became durable");
    }
}

#[tokio::test]
async fn a_body_that_falls_silent_is_ended_and_kept() {
    let app = App::with(Limits { idle_end: Duration::from_millis(200), ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let mut stream = she.begin(&upload, 0, LENGTH, &film[..5000]).await;
    assert_eq!(status(&mut stream).await, 408);
    assert_eq!(she.offset(&upload).await, 5000);
}

#[tokio::test]
async fn a_stopping_server_keeps_what_came_and_ends_in_time() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    let (upload, film) = (she.create(LENGTH).await, film(LENGTH));
    let sent = 9 * MIB + 77;
    let mut stream = she.begin(&upload, 0, LENGTH, &film[..sent]).await;
    let sent = taken(&mut stream, &film, sent).await;
    let began = Instant::now();
    app.stopping.cancel();
    app.uploads.drained().await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(status(&mut stream).await, 503);
    let after = app.twin(quiet()).await;
    let she = after.known(&she);
    let offset = she.offset(&upload).await;
    assert!((sent - CRUMBS..=sent).contains(&offset), "{offset} of {sent}");
    assert_eq!(she.patch(&upload, offset, film[offset..].to_vec()).await.status(), 204);
    assert_eq!(sha256(&app.s3.only("originals/").await), sha256(&film));
}

#[tokio::test]
async fn many_clients_share_little_memory_without_standing_still() {
    let app = App::with(Limits { memory: 8 * MIB, ..quiet() }).await;
    let she = app.trainee("13800000001").await;
    let one = async |length: usize| {
        let (upload, film) = (she.create(length).await, film(length));
        assert_eq!(she.patch(&upload, 0, film).await.status(), 204);
    };
    let all = futures_util::future::join_all([17 * MIB, 9 * MIB + 1, 24 * MIB, 300_000, 8 * MIB, 20 * MIB].map(one));
    tokio::time::timeout(Duration::from_secs(300), all).await.expect("they locked each other out");
    let originals = app.s3.keys("originals/").await;
    assert_eq!(originals.len(), 6);
    for key in originals {
        let bytes = app.s3.get(&key).await;
        assert_eq!(sha256(&bytes), sha256(&film(bytes.len())));
    }
}
