//! A tus client as a phone has one: it asks where the server is, sends from there, and never gives up. What it was told
//! goes into a ledger that the system under test cannot reach.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Body, Client, Method, RequestBuilder, StatusCode};

use super::Finding;
use super::Wrong;

/// No byte taken and no answer for so long: the connection is as good as dead.
const SILENCE: Duration = Duration::from_secs(12);
/// An upload that has not ended by then never will.
const PATIENCE: Duration = Duration::from_secs(300);
const PIECE: usize = 64 * 1024;

/// What the server has said about one upload.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

struct Book {
    began: Instant,
    acknowledged: usize,
    went_back: Vec<Finding>,
    story: Vec<String>,
}

impl Default for Book {
    fn default() -> Book {
        Book { began: Instant::now(), acknowledged: 0, went_back: Vec::new(), story: Vec::new() }
    }
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The highest offset that was ever acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.book().acknowledged
    }

    pub fn went_back(&self) -> Vec<Finding> {
        self.book().went_back.clone()
    }

    /// What was asked and answered, for a failure to show.
    pub fn story(&self) -> String {
        self.book().story.join("\n")
    }

    pub fn tell(&self, line: String) {
        let mut book = self.book();
        let line = format!("{:>6.1} s  {line}", book.began.elapsed().as_secs_f64());
        book.story.push(line);
    }

    /// `floor`: what had been acknowledged when the question was asked.
    fn observe(&self, what: &str, floor: usize, offset: usize) {
        let mut book = self.book();
        if offset < floor {
            let text = format!("{what}: {offset} after {floor} had been acknowledged");
            book.went_back.push(Finding::new(Wrong::WentBack, text));
        }
        book.acknowledged = book.acknowledged.max(offset);
    }
}

/// How an upload ended, as its client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The server says that every byte is there.
    Complete,
    /// The server says that nothing will come of it.
    Refused(StatusCode),
    /// No end within reason.
    Never(String),
}

/// What one request told.
enum Told {
    Offset(usize),
    Ended(Ended),
    Nothing,
}

#[derive(Clone)]
pub struct Sender {
    pub film: Bytes,
    pub ledger: Ledger,
    base: String,
    path: String,
    cookie: String,
    http: Client,
    /// Where the next PATCHes are cut off by the client itself, in bytes of each.
    cuts: Arc<Mutex<VecDeque<usize>>>,
    /// Bytes a second; 0: as fast as it goes.
    rate: usize,
    /// How long a connection may be silent.
    silence: Duration,
}

impl Sender {
    pub fn new(address: SocketAddr, path: &str, cookie: &str, film: Bytes) -> Sender {
        // Every request on a connection of its own, so that what befalls one is not hidden by another.
        let http = Client::builder().no_proxy().pool_max_idle_per_host(0).connect_timeout(Duration::from_secs(10));
        Sender {
            film,
            ledger: Ledger::default(),
            base: format!("http://{address}"),
            path: path.to_owned(),
            cookie: cookie.to_owned(),
            http: http.build().expect("a client"),
            cuts: Arc::default(),
            rate: 0,
            silence: SILENCE,
        }
    }

    pub fn through(mut self, address: SocketAddr) -> Sender {
        self.base = format!("http://{address}");
        self
    }

    pub fn cut(self, cuts: impl IntoIterator<Item = usize>) -> Sender {
        self.cuts.lock().expect("not poisoned").extend(cuts);
        self
    }

    pub fn slowly(mut self, rate: usize) -> Sender {
        self.rate = rate;
        self
    }

    /// Takes silence for a broken connection only after so long: for what a second request would change.
    pub fn patient(mut self, silence: Duration) -> Sender {
        self.silence = silence;
        self
    }

    /// From now on as fast as it goes, and without hanging up.
    pub fn unhindered(mut self) -> Sender {
        (self.rate, self.cuts) = (0, Arc::default());
        self
    }

    /// Until the server says how it ended.
    pub async fn send(&self) -> Ended {
        self.send_for(PATIENCE).await
    }

    pub async fn send_for(&self, patience: Duration) -> Ended {
        let (began, mut failures) = (Instant::now(), 0);
        while began.elapsed() < patience {
            let told = match self.ask().await {
                Told::Offset(offset) if offset == self.film.len() => return Ended::Complete,
                Told::Offset(offset) => self.patch(offset).await,
                other => other,
            };
            match told {
                Told::Ended(ended) => return ended,
                Told::Offset(offset) if offset == self.film.len() => return Ended::Complete,
                Told::Offset(_) => failures = 0,
                Told::Nothing => {
                    failures += 1;
                    let wait = 100 * rand::random_range(1..=10u64.min(2 + failures));
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
            }
        }
        Ended::Never(format!("{} of {} acknowledged after {patience:?}", self.ledger.acknowledged(), self.film.len()))
    }

    /// Sends nothing: there is an end that others bring about.
    pub async fn wait(&self, patience: Duration) -> Ended {
        let began = Instant::now();
        while began.elapsed() < patience {
            match self.ask().await {
                Told::Offset(offset) if offset == self.film.len() => return Ended::Complete,
                Told::Ended(ended) => return ended,
                Told::Offset(_) | Told::Nothing => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        Ended::Never(format!("{} of {} after {patience:?}", self.ledger.acknowledged(), self.film.len()))
    }

    fn request(&self, method: Method) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{}", self.base, self.path));
        request.header("tus-resumable", "1.0.0").header("cookie", &self.cookie)
    }

    /// The offset that the server gives, if it gives one.
    pub async fn offset(&self) -> Option<usize> {
        match self.ask().await {
            Told::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    pub async fn terminate(&self) -> StatusCode {
        self.request(Method::DELETE).send().await.expect("an answer").status()
    }

    async fn ask(&self) -> Told {
        let floor = self.ledger.acknowledged();
        let answer = tokio::time::timeout(self.silence * 3, self.request(Method::HEAD).send()).await;
        match answer {
            Ok(Ok(answer)) => self.learn("HEAD", floor, answer.status(), answer.headers()),
            Ok(Err(error)) => self.nothing(format!("HEAD: {}", chain(&error))),
            Err(_) => self.nothing("HEAD: silence".into()),
        }
    }

    /// The rest from `offset` on, in one PATCH.
    async fn patch(&self, offset: usize) -> Told {
        let cut = self.cuts.lock().expect("not poisoned").pop_front();
        self.patch_until(offset, cut.map_or(self.film.len(), |cut| (offset + cut).min(self.film.len()))).await
    }

    /// Announces all the rest, and sends what lies before `until`.
    async fn patch_until(&self, offset: usize, until: usize) -> Told {
        let floor = self.ledger.acknowledged();
        let what = format!("PATCH {offset}..{until}");
        let heartbeat = Arc::new(Mutex::new(Instant::now()));
        let request = self.request(Method::PATCH).header("upload-offset", offset);
        let request = request.header("content-type", "application/offset+octet-stream");
        let request = request.header("content-length", self.film.len() - offset);
        let mut answer = Box::pin(request.body(self.body(offset, until, heartbeat.clone())).send());
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = tokio::time::sleep(Duration::from_millis(500)) => {
                    if heartbeat.lock().expect("not poisoned").elapsed() > self.silence {
                        return self.nothing(format!("{what}: silence"));
                    }
                }
            }
        };
        match answer {
            Ok(answer) => self.learn(&what, floor, answer.status(), answer.headers()),
            Err(error) => self.nothing(format!("{what}: {}", chain(&error))),
        }
    }

    /// One HEAD and one PATCH, whatever comes of them.
    pub async fn send_once(&self) {
        if let Told::Offset(offset) = self.ask().await {
            self.patch(offset).await;
        }
    }

    /// The same PATCH twice at once, as a proxy that repeats what it thinks has failed.
    pub async fn patch_twice(&self) {
        if let Told::Offset(offset) = self.ask().await {
            tokio::join!(self.patch_until(offset, self.film.len()), self.patch_until(offset, self.film.len()));
        }
    }

    fn body(&self, offset: usize, until: usize, heartbeat: Arc<Mutex<Instant>>) -> Body {
        let (film, rate) = (self.film.clone(), self.rate);
        let whole = until == film.len();
        Body::wrap_stream(futures_util::stream::unfold(offset, move |at| {
            let (film, heartbeat) = (film.clone(), heartbeat.clone());
            async move {
                if at >= until {
                    return (!whole && at == until)
                        .then(|| (Err(std::io::Error::other("the client hangs up")), at + 1));
                }
                let piece = film.slice(at..until.min(at + PIECE));
                if rate > 0 {
                    tokio::time::sleep(Duration::from_secs_f64(piece.len() as f64 / rate as f64)).await;
                }
                *heartbeat.lock().expect("not poisoned") = Instant::now();
                let next = at + piece.len();
                Some((Ok(piece), next))
            }
        }))
    }

    fn learn(&self, what: &str, floor: usize, status: StatusCode, headers: &HeaderMap) -> Told {
        let offset = headers.get("upload-offset").and_then(|n| n.to_str().ok()?.parse::<usize>().ok());
        self.ledger.tell(format!("{what}: {status} {}", offset.map_or("-".into(), |n| n.to_string())));
        if let Some(offset) = offset {
            self.ledger.observe(what, floor, offset);
        }
        match (status.as_u16(), offset) {
            (200 | 204, Some(offset)) => Told::Offset(offset),
            (404 | 410 | 413 | 422, _) => Told::Ended(Ended::Refused(status)),
            _ => Told::Nothing,
        }
    }

    fn nothing(&self, line: String) -> Told {
        self.ledger.tell(line);
        Told::Nothing
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
