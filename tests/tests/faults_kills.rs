//! kill -9 of the server and of the store at named points: in the middle of every call to the store, before and after
//! the store has done it, and in the middle of every COMMIT, whether it happens or not.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use weijia_core::db::Db;
use weijia_core::db::testing::TemporaryPostgres;
use weijia_core::storage::{Storage, StorageSettings};
use weijia_tests::faults::{
    CALLS, Call, Created, Ended, Fault, Finding, Program, S3Proxy, Sender, Site, SqlProxy, StoreProcess, film,
    store_process,
};
use weijia_tests::until;

const MIB: usize = 1 << 20;
/// Three parts, the last one small.
const LENGTH: usize = 16 * MIB + 200_013;

/// Where PATCHes are cut off. A server that is too slow gives up what it had not kept when somebody newer comes, so once
/// may not be enough to make it keep a piece of a part.
const AGAIN_AND_AGAIN: [usize; 50] = [3 * MIB; 50];

/// Not a test of its own: the process that the others kill.
#[test]
#[ignore = "started by the others"]
fn the_store_process() {
    store_process();
}

/// Programs, proxies between them, and what looks at them from outside.
struct Stage {
    store: StoreProcess,
    program: Program,
    site: Site,
    people: Vec<weijia_tests::faults::Person>,
}

impl Stage {
    async fn start(folder: &Path, database: Option<&str>) -> Stage {
        let store = StoreProcess::start(&folder.join("store")).await;
        let proxy = S3Proxy::start(store.address).await;
        let through = StorageSettings { endpoint: format!("http://{}", proxy.address()), ..store.settings() };
        let program = Program::start(&folder.join("data"), database, Some(&through)).await;
        let url = match database {
            Some(url) => url.to_owned(),
            None => format!("sqlite:{}", folder.join("data/weijia.db").display()),
        };
        let db = Db::connect(&url).await.expect("the server's database");
        let direct = Storage::connect(&through);
        let site = Site::around(program.address(), proxy, db, direct, &program.secret());
        let people = site.people(2).await;
        Stage { store, program, site, people }
    }

    async fn begin(&self, length: usize, seed: u64) -> (Created, Sender) {
        let person = &self.people[seed as usize % self.people.len()];
        let created = self.site.create(person, length).await;
        let sender = self.site.sender(person, &created, &film(length, seed));
        (created, sender)
    }

    /// Every upload comes to its end, and is what was sent.
    async fn finish(&self, uploads: Vec<(Created, Sender, tokio::task::JoinHandle<Ended>)>) {
        for (created, sender, sending) in uploads {
            let ended = sending.await.expect("a client");
            let found: Vec<Finding> = self.site.judge(&created, &sender, &ended).await;
            assert_eq!(found, [], "{created:?}\n{}\n{}", sender.ledger.story(), self.program.log());
        }
        until("nothing to be left completing", Duration::from_secs(120), || async {
            match self.site.completing().await {
                0 => Ok(()),
                n => Err(format!("{n} completing")),
            }
        })
        .await;
    }
}

/// Comes back when the offset lies inside a part, so that whoever goes on has to read what there is of it.
async fn leave_a_tail(sender: &Sender) {
    until("a piece of a part to be durable", Duration::from_secs(120), || async {
        sender.send_once().await;
        let offset = sender.offset().await;
        if offset.is_some_and(|offset| offset % (8 * MIB) > 0) { Ok(()) } else { Err(format!("at {offset:?}")) }
    })
    .await;
}

fn spawn(sender: &Sender) -> tokio::task::JoinHandle<Ended> {
    let sender = sender.clone();
    tokio::spawn(async move { sender.send().await })
}

enum Victim {
    Server,
    Store,
}

/// An upload for each call, each held right there; then one kill for all of them.
async fn killed_at_every_call(victim: Victim) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut stage = Stage::start(folder.path(), None).await;
    let mut seed = 0;
    for fault in [Fault::HoldBefore, Fault::HoldAfter] {
        // What a dead server has sent may still arrive, or not.
        for arrives in [false, true] {
            let mut uploads = Vec::new();
            for call in CALLS.into_iter().chain([Call::PutSingle]) {
                seed += 1;
                let length = if call == Call::PutSingle { 3 * MIB } else { LENGTH };
                let (created, mut sender) = stage.begin(length, seed).await;
                if matches!(call, Call::PutTail | Call::GetTail) {
                    sender = sender.cut(AGAIN_AND_AGAIN);
                }
                if call == Call::GetTail {
                    leave_a_tail(&sender).await;
                    sender = sender.unhindered();
                }
                stage.site.proxy.spoil(&created.ids(), call, fault, 1);
                let sending = spawn(&sender);
                uploads.push((created, sender, sending));
                // One after the other: all at once would wait for each other's memory, which is held with their calls.
                stage.site.proxy.holds(uploads.len()).await;
            }
            match victim {
                Victim::Server => {
                    stage.program.kill();
                    stage.site.proxy.release(arrives);
                    stage.program.restart().await;
                }
                Victim::Store => {
                    stage.store.kill();
                    stage.site.proxy.release(arrives);
                    stage.store.restart().await;
                    stage.site.proxy.lead_to(stage.store.address);
                }
            }
            stage.finish(uploads).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_is_killed_in_the_middle_of_every_call() {
    killed_at_every_call(Victim::Server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_is_killed_in_the_middle_of_every_call() {
    killed_at_every_call(Victim::Store).await;
}

/// The transactions of an upload, by what only they say.
const COMMITS: [&str; 6] = [
    "set epoch = epoch + 1",
    "set key = ",
    "insert into upload_parts",
    "insert into upload_tails",
    "set state = 'completing'",
    "set state = 'complete'",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_is_killed_in_the_middle_of_every_commit() {
    let Some(postgres) = TemporaryPostgres::create().await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let direct = reqwest::Url::parse(&postgres.url()).expect("an address");
    let upstream: SocketAddr = direct.socket_addrs(|| Some(5432)).expect("an address")[0];
    let sql = SqlProxy::start(upstream).await;
    let mut through = direct.clone();
    through.set_host(Some("127.0.0.1")).expect("a host");
    through.set_port(Some(sql.address().port())).expect("a port");
    through.set_query(Some("sslmode=disable"));
    let mut stage = Stage::start(folder.path(), Some(through.as_str())).await;
    for (round, happens) in [true, false].into_iter().enumerate() {
        let mut uploads = Vec::new();
        for (n, says) in (1..).zip(COMMITS) {
            let (created, sender) = stage.begin(LENGTH, (round * 10 + n) as u64).await;
            sql.hold(&[says, &created.ids()[0]]);
            let sender = if says.contains("tails") { sender.cut(AGAIN_AND_AGAIN) } else { sender };
            let sending = spawn(&sender);
            uploads.push((created, sender, sending));
        }
        sql.holds(uploads.len()).await;
        stage.program.kill();
        sql.release(happens);
        stage.program.restart().await;
        stage.finish(uploads).await;
    }
    drop(stage);
    postgres.drop().await;
}

/// Uploads on their way while the server or the store is killed again and again, whenever it happens. The same moments
/// again: `KILLS_SEED=…`.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kills_at_random_moments() {
    let seed = std::env::var("KILLS_SEED").map_or_else(|_| rand::random(), |text| text.parse().expect("a number"));
    println!("KILLS_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let mut stage = Stage::start(folder.path(), None).await;
    let begun = join_all((1..=6).map(|seed| stage.begin(LENGTH, seed))).await;
    let mut uploads = Vec::new();
    for (created, sender) in begun {
        // So slow that several kills fall into each.
        let sender = sender.slowly(2 * MIB);
        let sending = spawn(&sender);
        uploads.push((created, sender, sending));
    }
    for round in 0..6 {
        tokio::time::sleep(Duration::from_millis(dice.random_range(300..2500))).await;
        if round % 2 == 0 {
            stage.program.kill();
            stage.program.restart().await;
        } else {
            stage.store.kill();
            stage.store.restart().await;
            stage.site.proxy.lead_to(stage.store.address);
        }
    }
    stage.finish(uploads).await;
}
