//! Between the server and its store. The host that was signed is passed on, so the store takes what comes through it for
//! what the server sent.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use super::{Call, LONG, reset_on_close};

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(600);

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// 500, and nothing is done.
    Error500,
    /// 503 SlowDown, and nothing is done.
    Error503,
    /// Nobody reads the request, and nobody answers.
    Stall,
    /// RST in the middle of the request's body.
    ResetBody,
    /// It is done; RST in the middle of the answer.
    ResetAnswer,
    /// It is done, and nobody says so: the connection just ends.
    LostAnswer,
    /// Nothing is done, and the answer is an error in a 200.
    ErrorIn200,
    /// Nothing is done: something in front of the store knows no such place.
    Stray404,
    /// The answer is a plain yes with the right ETag, and nothing is done. No store may do that; the oracle must see it.
    Lie,
    /// Waits for [`S3Proxy::release`] before the store hears of it.
    HoldBefore,
    /// It is done; the answer waits for [`S3Proxy::release`].
    HoldAfter,
}

/// What stores and networks do.
pub const FAULTS: [Fault; 8] = [
    Fault::Error500,
    Fault::Error503,
    Fault::Stall,
    Fault::ResetBody,
    Fault::ResetAnswer,
    Fault::LostAnswer,
    Fault::ErrorIn200,
    Fault::Stray404,
];

#[derive(Debug)]
struct Rule {
    /// Ids that the address must contain one of; none: every address.
    about: Vec<String>,
    call: Call,
    fault: Fault,
    left: usize,
}

#[derive(Clone)]
pub struct S3Proxy(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    state: Mutex<State>,
    held: watch::Sender<usize>,
    http: reqwest::Client,
}

struct State {
    upstream: SocketAddr,
    rules: Vec<Rule>,
    holding: Vec<oneshot::Sender<bool>>,
    injected: Vec<(String, Call, Fault)>,
    slowest: Duration,
}

type Answer = UnsyncBoxBody<Bytes, io::Error>;

impl S3Proxy {
    pub async fn start(upstream: SocketAddr) -> S3Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = S3Proxy(Arc::new(Inner {
            address: listener.local_addr().expect("an address"),
            state: Mutex::new(State {
                upstream,
                rules: Vec::new(),
                holding: Vec::new(),
                injected: Vec::new(),
                slowest: Duration::ZERO,
            }),
            held: watch::Sender::new(0),
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
        }));
        let serving = proxy.clone();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(serving.clone().connection(stream));
            }
        });
        proxy
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The store has moved.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.state().upstream = upstream;
    }

    /// The next `times` requests of that kind that speak of one of these ids go wrong.
    pub fn spoil(&self, about: &[String], call: Call, fault: Fault, times: usize) {
        self.state().rules.push(Rule { about: about.to_vec(), call, fault, left: times });
    }

    pub fn heal(&self) {
        self.state().rules.clear();
    }

    /// How many faults of the rules about these ids did happen; all of them where none is named.
    pub fn injected(&self, about: &[String]) -> usize {
        let state = self.state();
        let concerns = |uri: &str| about.is_empty() || about.iter().any(|id| uri.contains(id));
        state.injected.iter().filter(|(uri, ..)| concerns(uri)).count()
    }

    /// What did happen so far, each once.
    pub fn met(&self) -> HashSet<(Call, Fault)> {
        self.state().injected.iter().map(|(_, call, fault)| (*call, *fault)).collect()
    }

    /// The longest that the store itself took for an answer: what looks like a fault of ours may be its disk's.
    pub fn slowest(&self) -> Duration {
        self.state().slowest
    }

    /// Until so many requests are held.
    pub async fn holds(&self, n: usize) {
        let mut held = self.0.held.subscribe();
        let waited = tokio::time::timeout(LONG, held.wait_for(|held| *held >= n)).await;
        if waited.is_err() {
            let state = self.state();
            let never: Vec<_> = state.rules.iter().filter(|rule| rule.left > 0).collect();
            panic!("{} of {n} requests are held after {LONG:?}; never met: {never:#?}", state.holding.len());
        }
    }

    /// The same for the one that has been held longest.
    pub fn release_oldest(&self, go_on: bool) {
        let oldest = self.state().holding.remove(0);
        let _ = oldest.send(go_on);
    }

    /// Lets go of what is held: it goes on, or is forgotten as the network forgets.
    pub fn release(&self, go_on: bool) {
        let holding = std::mem::take(&mut self.state().holding);
        for held in holding {
            let _ = held.send(go_on);
        }
        self.0.held.send_replace(0);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn fault(&self, call: Call, uri: &str) -> Option<Fault> {
        let mut state = self.state();
        let concerns = |rule: &Rule| rule.about.is_empty() || rule.about.iter().any(|id| uri.contains(id));
        let rule = state.rules.iter_mut().find(|rule| rule.left > 0 && rule.call == call && concerns(rule))?;
        rule.left -= 1;
        let fault = rule.fault;
        state.injected.push((uri.to_owned(), call, fault));
        Some(fault)
    }

    fn took(&self, time: Duration) {
        let mut state = self.state();
        state.slowest = state.slowest.max(time);
    }

    async fn hold(&self) -> bool {
        let (release, released) = oneshot::channel();
        self.state().holding.push(release);
        self.0.held.send_modify(|held| *held += 1);
        released.await.unwrap_or(false)
    }

    async fn connection(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let socket = stream.as_raw_fd();
        let answer = service_fn(move |request| self.clone().answer(request, socket));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    }

    async fn answer(self, request: Request<Incoming>, socket: RawFd) -> io::Result<Response<Answer>> {
        let (head, body) = request.into_parts();
        let call = Call::of(&head.method, &head.uri);
        let fault = self.fault(call, &head.uri.to_string());
        match fault {
            Some(Fault::Stall) => {
                tokio::time::sleep(FOR_EVER).await;
                return Err(broken());
            }
            Some(Fault::ResetBody) => {
                read_half(body, &head.headers).await;
                reset_on_close(socket);
                return Err(broken());
            }
            _ => {}
        }
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        match fault {
            Some(Fault::Error500) => return Ok(error(500, "InternalError")),
            Some(Fault::Error503) => return Ok(error(503, "SlowDown")),
            Some(Fault::ErrorIn200) => return Ok(error(200, "InternalError")),
            Some(Fault::Stray404) => return Ok(page(404, "text/html", "<h1>default backend - 404</h1>")),
            Some(Fault::Lie) => return Ok(lie(&body)),
            _ => {}
        }
        // A task of its own: what was held and is let go after its sender died still arrives, as packets do.
        let proxy = self.clone();
        let task = tokio::spawn(async move {
            if fault == Some(Fault::HoldBefore) && !proxy.hold().await {
                return Err(broken());
            }
            let done = proxy.pass_on(head.method, &head.uri, head.headers, body).await;
            if fault == Some(Fault::HoldAfter) && !proxy.hold().await {
                return Err(broken());
            }
            done
        });
        let (status, headers, bytes) = task.await.map_err(io::Error::other)??;
        match fault {
            Some(Fault::LostAnswer) => return Err(broken()),
            Some(Fault::ResetAnswer) if bytes.is_empty() => {
                reset_on_close(socket);
                return Err(broken());
            }
            _ => {}
        }
        let half = bytes.slice(..bytes.len() / 2);
        let whole = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
        let body = if fault == Some(Fault::ResetAnswer) { breaking_off(half, socket) } else { whole };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    async fn pass_on(
        &self,
        method: Method,
        uri: &Uri,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> io::Result<(StatusCode, HeaderMap, Bytes)> {
        let upstream = self.state().upstream;
        // The body is at hand, so there is nothing to ask first; hyper frames it anew. A length was signed, so it stays.
        for name in ["expect", "connection", "transfer-encoding"] {
            headers.remove(HeaderName::from_static(name));
        }
        let request = self.0.http.request(method, format!("http://{upstream}{uri}")).headers(headers).body(body);
        let asked = Instant::now();
        let answer = request.send().await.map_err(io::Error::other)?;
        self.took(asked.elapsed());
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove(TRANSFER_ENCODING);
        Ok((status, headers, answer.bytes().await.map_err(io::Error::other)?))
    }
}

fn broken() -> io::Error {
    io::Error::other("as asked")
}

async fn read_half(body: Incoming, headers: &HeaderMap) {
    let announced = headers.get(CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
    let (mut body, mut read) = (body.into_data_stream(), 0);
    while read < announced / 2 {
        let Some(Ok(bytes)) = body.next().await else { return };
        read += bytes.len();
    }
}

fn breaking_off(half: Bytes, socket: RawFd) -> Answer {
    let rest = stream::once(async move {
        // The first half should leave before the connection does.
        tokio::time::sleep(Duration::from_millis(50)).await;
        reset_on_close(socket);
        Err(broken())
    });
    let frames = stream::iter([Ok(Frame::data(half))]).chain(rest);
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

fn error(status: u16, code: &str) -> Response<Answer> {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as asked</Message></Error>");
    page(status, "application/xml", &text)
}

fn page(status: u16, content_type: &'static str, text: &str) -> Response<Answer> {
    let body = Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    response
}

fn lie(body: &[u8]) -> Response<Answer> {
    let mut response = Response::new(Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync());
    let etag = format!("\"{}\"", hex::encode(md5(body)));
    response.headers_mut().insert("etag", etag.parse().expect("plain text"));
    response
}

fn md5(body: &[u8]) -> [u8; 16] {
    use md5::Digest;
    md5::Md5::digest(body).into()
}
