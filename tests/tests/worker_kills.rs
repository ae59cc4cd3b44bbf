//! kill -9 of the media worker at named places: in the middle of every call to the store, before and after the store has
//! done it, and in the middle of every COMMIT, whether it happens or not. What a clip needs is there in the end, once,
//! and nothing else is.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use weijia_core::db::Db;
use weijia_core::db::testing::TemporaryPostgres;
use weijia_core::on;
use weijia_core::storage::StorageSettings;
use weijia_core::time::{At, Millis};
use weijia_core::upkeep::orphans;
use weijia_core::upkeep::survey::{Look, survey};
use weijia_store::testing::TestStore;
use weijia_tests::faults::{Call, Created, Ended, Fault, Person, Program, S3Proxy, Site, SqlProxy, WorkerProgram};
use weijia_tests::{media, until};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Film {
    /// Plays as it came (attempt 1), then gets its renditions (2).
    Copied,
    /// Plays by its first rendition (attempt 1), then gets the others (2).
    Rendered,
    /// Sound alone.
    Refused,
}
use Film::{Copied, Refused, Rendered};

/// A transaction of the worker's, by what only it says: `$v` is the version, `$j` its first job.
type Commit = (&'static str, Film, &'static [&'static str]);

const COMMITS: [Commit; 24] = [
    ("claimed", Copied, &["insert into job_attempts", "$j"]),
    ("begun", Copied, &["set state = 'processing'", "$v"]),
    ("first facts", Copied, &["set facts = $1, width", "$v"]),
    ("poster", Copied, &["set poster_key", "$v"]),
    ("copy", Copied, &["set mp4_key", "$v"]),
    ("copied, ladder in line", Copied, &["insert into jobs", "ladder", "$v"]),
    ("first rendition", Copied, &["insert into renditions", "$v/2/480/"]),
    ("another rendition", Copied, &["insert into renditions", "$v/2/360/"]),
    ("first segment", Copied, &["insert into rendition_segments", "$v/2/480/00000"]),
    ("second segment", Copied, &["insert into rendition_segments", "$v/2/480/00001"]),
    ("another's last segment", Copied, &["insert into rendition_segments", "$v/2/360/00002"]),
    ("one rendition complete", Copied, &["set complete = true", "$v"]),
    ("all facts", Copied, &["set facts = $1, width", "hints", "$v"]),
    ("waveform", Copied, &["set waveform_key", "$v"]),
    ("storyboard", Copied, &["set storyboard_key", "$v"]),
    ("ready", Copied, &["ready_at = case", "ready", "$v"]),
    ("refused", Refused, &["ready_at = case", "no_picture", "$v"]),
    ("first segment of what waits for it", Rendered, &["insert into rendition_segments", "$v/1/480/00000"]),
    ("its last segment", Rendered, &["insert into rendition_segments", "$v/1/480/00002"]),
    ("its film", Rendered, &["set mp4_key", "$v"]),
    ("its facts", Rendered, &["set facts = $1, width", "hints", "$v"]),
    ("rendered, the others in line", Rendered, &["insert into jobs", "other_rungs", "$v"]),
    ("one of the others", Rendered, &["insert into renditions", "$v/2/360/"]),
    ("the others ready", Rendered, &["ready_at = case", "ready", "$v"]),
];

/// A call of the worker's to the store, by its address.
const CALLS: [(&str, Film, Call, &str); 13] = [
    ("the original is read", Copied, Call::GetOriginal, "$v/"),
    ("poster", Copied, Call::Other, "$v/1/poster.jpg"),
    ("copy", Copied, Call::Other, "$v/1/video.mp4"),
    ("head of the first rendition", Copied, Call::Other, "$v/2/480/init.mp4"),
    ("first segment", Copied, Call::Other, "$v/2/480/00000.m4s"),
    ("last segment", Copied, Call::Other, "$v/2/480/00002.m4s"),
    ("waveform", Copied, Call::Other, "$v/2/waveform.json"),
    ("head of another rendition", Copied, Call::Other, "$v/2/360/init.mp4"),
    ("its second segment", Copied, Call::Other, "$v/2/360/00001.m4s"),
    ("storyboard", Copied, Call::Other, "$v/2/storyboard.jpg"),
    ("its text", Copied, Call::Other, "$v/2/storyboard.vtt"),
    ("second segment of what waits for it", Rendered, Call::Other, "$v/1/480/00001.m4s"),
    ("first segment of another", Rendered, Call::Other, "$v/2/360/00000.m4s"),
];

/// So many places are held at once: each holds one of the worker's hands, and of its connections.
const AT_ONCE: usize = 4;

struct Stage {
    worker: WorkerProgram,
    site: Site,
    people: Vec<Person>,
    /// One of each [`Film`].
    films: [Bytes; 3],
    _program: Program,
    _folder: TempDir,
}

/// Of each but the last a rung of 480 and one of 360 is made, three segments each.
fn films() -> [Bytes; 3] {
    [media::steps(), media::foreign_steps(), media::sound_only()]
        .map(|path| Bytes::from(std::fs::read(path).expect("a film")))
}

impl Stage {
    /// `through`: the worker's way to the database, where that is another than the server's.
    async fn start(database: Option<&str>, through: Option<&str>) -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("store")).expect("room");
        let store = TestStore::start(&at("store")).await;
        let proxy = S3Proxy::start(store.address()).await;
        let held = StorageSettings { endpoint: format!("http://{}", proxy.address()), ..store.settings.clone() };
        let program = Program::start(&at("data"), database, Some(&store.settings)).await;
        let own = format!("sqlite:{}", at("data/weijia.db").display());
        let url = database.unwrap_or(&own);
        let db = Db::connect(url).await.expect("the server's database");
        let worker = WorkerProgram::new(folder.path(), through.unwrap_or(url), &held);
        let site = Site::around(program.address(), proxy, db, store.storage(), &program.secret());
        let people = site.people(3).await;
        Stage { worker, site, people, films: films(), _program: program, _folder: folder }
    }

    /// A clip that waits for the worker.
    async fn clip(&self, n: usize, film: Film) -> Created {
        let film = &self.films[film as usize];
        let person = &self.people[n % self.people.len()];
        let created = self.site.create(person, film.len()).await;
        assert_eq!(self.site.sender(person, &created, film).send().await, Ended::Complete);
        created
    }

    async fn texts(&self, sql: &'static str, id: &str) -> Vec<String> {
        let mut tx = self.site.db.read().await.expect("a transaction");
        on!(&mut tx, c => sqlx::query_scalar(sql).bind(id).fetch_all(c).await).expect("an answer")
    }

    async fn count(&self, sql: &'static str, id: &str) -> i64 {
        let mut tx = self.site.db.read().await.expect("a transaction");
        on!(&mut tx, c => sqlx::query_scalar(sql).bind(id).fetch_one(c).await).expect("an answer")
    }

    /// What `$v` and `$j` stand for, for this clip.
    async fn spelled(&self, text: &str, created: &Created) -> String {
        let job = self.texts("select id from jobs where subject = $1 and kind = 'prepare'", &created.version).await;
        text.replace("$v", &created.version).replace("$j", &job[0])
    }

    /// The next worker need not wait for the leases of the dead one.
    async fn leases_run_out(&self) {
        let mut tx = self.site.db.write().await.expect("a transaction");
        on!(&mut tx, c => sqlx::query("update jobs set lease_until = 1 where state = 'leased'").execute(c).await.map(drop))
            .expect("an update");
        tx.commit().await.expect("a commit");
    }

    /// Every clip comes to its end, and there is of it what there has to be.
    async fn finish(&self, clips: &[(&str, Film, Created)]) {
        until("every clip to come to its end", Duration::from_secs(150), || async {
            let open = "select kind || ' ' || subject || ' ' || state || ' ' || coalesce(reason, '') from jobs
                        where state not in ('done', 'cancelled') and id <> $1";
            let open = self.texts(open, "").await;
            if open.is_empty() { Ok(()) } else { Err(open.join("\n")) }
        })
        .await;
        for (place, film, created) in clips {
            self.is_whole(place, *film, &created.version).await;
        }
        self.agrees().await;
    }

    async fn is_whole(&self, place: &str, film: Film, version: &str) {
        let state = self.texts("select state from clip_versions where id = $1", version).await;
        if film == Refused {
            assert_eq!(state, ["failed"], "{place}");
            return;
        }
        assert_eq!(state, ["ready"], "{place}");
        let made = "select count(*) from clip_versions where id = $1 and poster_key is not null and mp4_key is not null
                    and storyboard_key is not null and storyboard_vtt_key is not null
                    and waveform_key is not null and facts is not null";
        assert_eq!(self.count(made, version).await, 1, "{place}: something is missing");
        let rungs = "select name from renditions where version_id = $1 and complete order by name";
        assert_eq!(self.texts(rungs, version).await, ["360", "480"], "{place}");
        let segments =
            "select r.name || ' ' || s.n from rendition_segments s join renditions r on r.id = s.rendition_id
                        where r.version_id = $1 order by r.name, s.n";
        let all = ["360 0", "360 1", "360 2", "480 0", "480 1", "480 2"];
        assert_eq!(self.texts(segments, version).await, all, "{place}");
        let kinds = self.texts("select kind from jobs where subject = $1 order by kind", version).await;
        let all = if film == Copied { ["ladder", "prepare"] } else { ["other_rungs", "prepare"] };
        assert_eq!(kinds, all, "{place}");
        let anew = "select count(*) from job_attempts a join jobs j on j.id = a.job_id
                    where j.subject = $1 and a.words like '%otherwise%'";
        assert_eq!(self.count(anew, version).await, 0, "{place}: made anew, and not gone on with");
        let open = "select count(*) from job_attempts a join jobs j on j.id = a.job_id
                    where j.subject = $1 and a.ended_at is null";
        assert_eq!(self.count(open, version).await, 0, "{place}: an attempt that goes on for ever");
    }

    /// Rows and objects tell the same story; what nobody names is on its way out, and nothing that is named is.
    async fn agrees(&self) {
        let Site { db, storage, .. } = &self.site;
        let now = At::now();
        let look = Look { now, grace: orphans::GRACE, deep: true };
        let report = survey(db, storage, look).await.expect("a survey");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        let old = now + orphans::GRACE + Millis::minutes(1);
        orphans::sweep_all(db, storage, old, orphans::GRACE).await.expect("a sweep");
        let named = "select init_key from renditions where id <> $1 union all select key from rendition_segments
                     union all select poster_key from clip_versions where poster_key is not null
                     union all select mp4_key from clip_versions where mp4_key is not null
                     union all select storyboard_key from clip_versions where storyboard_key is not null
                     union all select storyboard_vtt_key from clip_versions where storyboard_vtt_key is not null
                     union all select waveform_key from clip_versions where waveform_key is not null";
        let (named, trash) =
            (self.texts(named, "").await, self.texts("select key from object_trash where key <> $1", "").await);
        assert!(!named.iter().any(|key| trash.contains(key)), "what is published is in the trash");
        let (mut after, mut stored) = (None, Vec::new());
        loop {
            let page = storage.list("media/", after.as_deref()).await.expect("a list");
            stored.extend(page.objects.into_iter().map(|object| object.key));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(named.iter().all(|key| stored.contains(key)), "what is published is there");
        let orphans: Vec<_> = stored.iter().filter(|key| !named.contains(key) && !trash.contains(key)).collect();
        assert!(orphans.is_empty(), "{orphans:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_worker_is_killed_in_the_middle_of_every_call() {
    let mut stage = Stage::start(None, None).await;
    // What a dead worker has sent may still arrive, or not.
    for (fault, arrives) in [(Fault::HoldBefore, false), (Fault::HoldBefore, true), (Fault::HoldAfter, false)] {
        for places in CALLS.chunks(AT_ONCE) {
            let mut clips = Vec::new();
            for (n, (place, film, call, about)) in places.iter().enumerate() {
                let created = stage.clip(n, *film).await;
                let about = stage.spelled(about, &created).await;
                stage.site.proxy.spoil(&[about], *call, fault, 1);
                clips.push((*place, *film, created));
            }
            stage.worker.start();
            stage.site.proxy.holds(places.len()).await;
            stage.worker.kill();
            stage.site.proxy.release(arrives);
            stage.leases_run_out().await;
            stage.worker.start();
            stage.finish(&clips).await;
            stage.worker.kill();
        }
    }
}

/// The worker's way to PostgreSQL, on which commits are held.
async fn proxied(postgres: &TemporaryPostgres) -> (SqlProxy, String) {
    let mut through = reqwest::Url::parse(&postgres.url()).expect("an address");
    let upstream: SocketAddr = through.socket_addrs(|| Some(5432)).expect("an address")[0];
    let sql = SqlProxy::start(upstream).await;
    through.set_host(Some("127.0.0.1")).expect("a host");
    through.set_port(Some(sql.address().port())).expect("a port");
    through.set_query(Some("sslmode=disable"));
    (sql, through.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_worker_is_killed_in_the_middle_of_every_commit() {
    let Some(postgres) = TemporaryPostgres::create().await else { return };
    let (sql, through) = proxied(&postgres).await;
    let mut stage = Stage::start(Some(&postgres.url()), Some(&through)).await;
    for happens in [true, false] {
        for places in COMMITS.chunks(AT_ONCE) {
            let mut clips = Vec::new();
            for (n, (place, film, says)) in places.iter().enumerate() {
                let created = stage.clip(n, *film).await;
                let mut spelled = Vec::new();
                for text in *says {
                    spelled.push(stage.spelled(text, &created).await);
                }
                sql.hold(&spelled.iter().map(String::as_str).collect::<Vec<_>>());
                clips.push((*place, *film, created));
            }
            stage.worker.start();
            sql.holds(places.len()).await;
            stage.worker.kill();
            sql.release(happens);
            // What was committed in the dead worker's name is there by now, or comes before its lease ends by itself.
            stage.leases_run_out().await;
            stage.worker.start();
            stage.finish(&clips).await;
            stage.worker.kill();
        }
    }
    drop(stage);
    postgres.drop().await;
}

/// The ends of an attempt that did not succeed, each cut off in its own COMMIT.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_worker_is_killed_while_it_writes_down_how_an_attempt_ended() {
    let Some(postgres) = TemporaryPostgres::create().await else { return };
    let (sql, through) = proxied(&postgres).await;
    let mut stage = Stage::start(Some(&postgres.url()), Some(&through)).await;
    for happens in [true, false] {
        // Handed back: it is told to stop while the store keeps it waiting.
        let handed = stage.clip(0, Copied).await;
        stage.site.proxy.spoil(&[stage.spelled("$v/", &handed).await], Call::GetOriginal, Fault::HoldBefore, 1);
        sql.hold(&["max_attempts = max_attempts + 1, progress = null", &stage.spelled("$j", &handed).await]);
        stage.worker.start();
        stage.site.proxy.holds(1).await;
        stage.worker.ask_to_stop();
        sql.holds(1).await;
        stage.killed(&sql, happens).await;
        stage.finish(&[("handed back", Copied, handed)]).await;
        stage.worker.kill();

        // Postponed: the store says that it has no time.
        let postponed = stage.clip(1, Copied).await;
        stage.site.proxy.spoil(&[stage.spelled("$v/", &postponed).await], Call::GetOriginal, Fault::Error503, 99);
        sql.hold(&["max_attempts = max_attempts + 1 where", &stage.spelled("$j", &postponed).await]);
        stage.worker.start();
        sql.holds(1).await;
        stage.site.proxy.heal();
        stage.killed(&sql, happens).await;
        stage.finish(&[("postponed", Copied, postponed)]).await;
        stage.worker.kill();

        // Reclaimed: the next worker is killed while it takes the job of the one before.
        let reclaimed = stage.clip(0, Copied).await;
        sql.hold(&["insert into renditions", &stage.spelled("$v/2/480/", &reclaimed).await]);
        stage.worker.start();
        sql.holds(1).await;
        stage.worker.kill();
        sql.release(happens);
        sql.hold(&["the worker went away"]);
        stage.leases_run_out().await;
        stage.worker.start();
        sql.holds(1).await;
        stage.killed(&sql, happens).await;
        stage.finish(&[("reclaimed", Copied, reclaimed)]).await;
        stage.worker.kill();
    }
    // Nothing of the dead lies about: whoever came after them has cleaned up, and was killed too.
    stage.worker.start();
    let living = |scratch: &Path| std::fs::read_dir(scratch).map_or(0, Iterator::count);
    until("the folders of the dead to go", Duration::from_secs(20), || async {
        match living(&stage.worker.scratch()) {
            1 => Ok(()),
            n => Err(format!("{n} folders")),
        }
    })
    .await;
    drop(stage);
    postgres.drop().await;
}

impl Stage {
    /// Kills the worker, lets what was held happen or not, and starts the next one.
    async fn killed(&mut self, sql: &SqlProxy, happens: bool) {
        self.worker.kill();
        sql.release(happens);
        self.site.proxy.release(false);
        self.leases_run_out().await;
        self.worker.start();
    }
}

/// A worker that is gone says nothing: its lease has to end by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_clip_of_a_killed_worker_is_gone_on_with_when_its_lease_has_run_out() {
    let mut stage = Stage::start(None, None).await;
    let created = stage.clip(0, Copied).await;
    stage.site.proxy.spoil(&[stage.spelled("$v/1/poster.jpg", &created).await], Call::Other, Fault::HoldBefore, 1);
    stage.worker.start();
    stage.site.proxy.holds(1).await;
    stage.worker.kill();
    stage.site.proxy.release(false);
    stage.worker.start();
    until("somebody to go on with it", Duration::from_secs(75), || async {
        let begun = "select count(*) from job_attempts a join jobs j on j.id = a.job_id where j.subject = $1";
        match stage.count(begun, &created.version).await {
            1 => Err("it is left alone".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    stage.finish(&[("left alone", Copied, created)]).await;
}
