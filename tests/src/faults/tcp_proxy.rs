//! Between client and server: what phones, towers and captive portals do to a connection.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::reset_on_close;

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(600);

/// What goes wrong with one connection that sends a PATCH, counted in its bytes on the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// RST to both sides.
    Reset { after: usize },
    /// Both sides see an orderly end.
    Fin { after: usize },
    /// Nothing gets through any more, and nobody hears of it.
    Stall { after: usize },
    /// The client is told, the server is not.
    HalfOpen { after: usize },
    /// So many bytes a second.
    Slow { rate: usize },
    /// So many bytes a second, and RST after so long.
    SlowReset { rate: usize, every: Duration },
    /// A captive portal takes everything at once, passes it on at its leisure and forgets the rest when the client
    /// hangs up.
    Captive { rate: usize },
}

#[derive(Clone)]
pub struct TcpProxy(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    state: Mutex<State>,
}

struct State {
    upstream: SocketAddr,
    plan: VecDeque<Trouble>,
    injected: usize,
}

impl TcpProxy {
    pub async fn start(upstream: SocketAddr) -> TcpProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = State { upstream, plan: VecDeque::new(), injected: 0 };
        let proxy = TcpProxy(Arc::new(Inner { address, state: Mutex::new(state) }));
        let serving = proxy.clone();
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let serving = serving.clone();
                tokio::spawn(async move { serving.connection(client).await });
            }
        });
        proxy
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The server has moved.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.state().upstream = upstream;
    }

    /// The next PATCHes suffer these, one each.
    pub fn plan(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.state().plan.extend(troubles);
    }

    pub fn injected(&self) -> usize {
        self.state().injected
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn trouble(&self) -> Option<Trouble> {
        let mut state = self.state();
        let trouble = state.plan.pop_front();
        state.injected += usize::from(trouble.is_some());
        trouble
    }

    async fn connection(self, client: TcpStream) {
        let upstream = self.state().upstream;
        // While the server is being started again nobody listens: the client sees its connection end.
        let Ok(server) = TcpStream::connect(upstream).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let sockets = Sockets { client: client.as_raw_fd(), server: server.as_raw_fd() };
        let (mut from_client, to_client) = client.into_split();
        let (from_server, mut to_server) = server.into_split();
        let mut first = vec![0; 16 * 1024];
        let n = from_client.read(&mut first).await.unwrap_or(0);
        first.truncate(n);
        let trouble = if first.starts_with(b"PATCH") { self.trouble() } else { None };
        let back = tokio::spawn(copy(from_server, to_client));
        let up = Up { sockets, passed: 0, began: Instant::now() };
        up.run(first, &mut from_client, &mut to_server, trouble, back).await;
    }
}

#[derive(Clone, Copy)]
struct Sockets {
    client: i32,
    server: i32,
}

/// Answers on their way to the client.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

struct Up {
    sockets: Sockets,
    passed: usize,
    began: Instant,
}

impl Up {
    async fn run(
        mut self,
        mut bytes: Vec<u8>,
        from: &mut OwnedReadHalf,
        to: &mut OwnedWriteHalf,
        trouble: Option<Trouble>,
        back: tokio::task::JoinHandle<()>,
    ) {
        let (limit, rate) = match trouble {
            Some(Trouble::Captive { rate }) => return self.hoard(bytes, from, to, rate, back).await,
            Some(
                Trouble::Reset { after }
                | Trouble::Fin { after }
                | Trouble::Stall { after }
                | Trouble::HalfOpen { after },
            ) => (after, None),
            Some(Trouble::Slow { rate } | Trouble::SlowReset { rate, .. }) => (usize::MAX, Some(rate)),
            None => (usize::MAX, None),
        };
        loop {
            bytes.truncate(limit - self.passed);
            if !bytes.is_empty() && !self.pass(&bytes, to, rate).await {
                break;
            }
            let over = matches!(trouble, Some(Trouble::SlowReset { every, .. }) if self.began.elapsed() >= every);
            if self.passed >= limit || over {
                return self.strike(trouble, to, back).await;
            }
            bytes.resize(64 * 1024, 0);
            match from.read(&mut bytes).await {
                Ok(n) if n > 0 => bytes.truncate(n),
                _ => break,
            }
        }
        let _ = to.shutdown().await;
        let _ = back.await;
    }

    /// `false`: the server takes no more.
    async fn pass(&mut self, bytes: &[u8], to: &mut OwnedWriteHalf, rate: Option<usize>) -> bool {
        for piece in bytes.chunks(rate.map_or(bytes.len(), |rate| (rate / 20).clamp(1024, 64 * 1024))) {
            if to.write_all(piece).await.is_err() {
                return false;
            }
            self.passed += piece.len();
            if let Some(rate) = rate {
                let due = self.began + Duration::from_secs_f64(self.passed as f64 / rate as f64);
                tokio::time::sleep_until(due).await;
            }
        }
        true
    }

    async fn strike(&self, trouble: Option<Trouble>, to: &mut OwnedWriteHalf, back: tokio::task::JoinHandle<()>) {
        match trouble {
            Some(Trouble::Reset { .. } | Trouble::SlowReset { .. }) => {
                reset_on_close(self.sockets.client);
                reset_on_close(self.sockets.server);
                back.abort();
                let _ = back.await;
            }
            Some(Trouble::Fin { .. }) => {
                let _ = to.shutdown().await;
                let _ = back.await;
            }
            Some(Trouble::HalfOpen { .. }) => {
                // SAFETY: shutdown touches no memory; the socket is open until `back` ends.
                unsafe { libc::shutdown(self.sockets.client, libc::SHUT_RDWR) };
                tokio::time::sleep(FOR_EVER).await;
            }
            _ => tokio::time::sleep(FOR_EVER).await,
        }
    }

    async fn hoard(
        &mut self,
        first: Vec<u8>,
        from: &mut OwnedReadHalf,
        to: &mut OwnedWriteHalf,
        rate: usize,
        back: tokio::task::JoinHandle<()>,
    ) {
        let (hoard, mut hoarded) = tokio::sync::mpsc::unbounded_channel();
        let _ = hoard.send(first);
        let taking = async move {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(n) = from.read(&mut bytes).await {
                if n == 0 {
                    break;
                }
                let _ = hoard.send(bytes[..n].to_vec());
            }
            // The client has hung up; a client that only waits for its answer has not.
        };
        let passing = async {
            while let Some(bytes) = hoarded.recv().await {
                if !self.pass(&bytes, to, Some(rate)).await {
                    break;
                }
            }
        };
        tokio::select! {
            () = taking => {}
            () = passing => {}
            _ = back => {}
        }
        reset_on_close(self.sockets.server);
    }
}
